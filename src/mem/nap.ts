/** A sleep of a thread that has no event loop to wait on. Thread: any that may block. */

const silence = new Int32Array(new SharedArrayBuffer(4));

/** Block for that time. */
export function nap(ms: number): void {
  Atomics.wait(silence, 0, 0, ms);
}
