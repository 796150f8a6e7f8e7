/**
 * The environment of a process that uses a kernel: the URL, and the preload of Node that connects to it.
 *
 * Thread: any; pure functions. Read first: worker/preload.ts.
 */

/** URL of the kernel, or {@link URL_LATER}. */
export const SHARE_VARIABLE = 'MULTIKERNEL_SHARE';
/** Descriptor by which a process that was started before its program may begin gets the URL. */
export const URL_DESCRIPTOR = 3;
/** In place of the URL: it comes by {@link URL_DESCRIPTOR}, and the program begins then. */
export const URL_LATER: string = `fd:${URL_DESCRIPTOR}`;
/** Mark of all processes of one machine of a lab, by which they are found when it is switched off (lab/marked-processes.ts). */
export const MACHINE_VARIABLE = 'MULTIKERNEL_MACHINE';
/** Set for the program of a node: all its output is read, and it waits until it has been written. */
export const OUTPUT_VARIABLE = 'MULTIKERNEL_OUTPUT';

/** The flag of Node that loads `preload`, a path. */
export function preloadFlag(preload: string): string {
  return `--require=${/[\s"\\]/.test(preload) ? `"${preload.replace(/[\\"]/g, '\\$&')}"` : preload}`;
}

/** NODE_OPTIONS of a child: `preload` comes before all that `own`, its NODE_OPTIONS, loads. */
export function nodeOptions(preload: string, own: string): string {
  return `${preloadFlag(preload)} ${own}`.trim();
}
