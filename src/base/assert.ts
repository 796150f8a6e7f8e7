/** A broken precondition is a defect of the caller, not a condition to handle: it throws. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${what}`);
}
