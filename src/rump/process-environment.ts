/**
 * The environment of a process that uses a kernel: the URL, and the preload of Node that connects to it.
 *
 * Thread: any; pure functions. The environment is given as spawn(2) has it, a list of NAME=VALUE. Read first: worker/preload.ts.
 */

/** URL of the kernel. */
export const SHARE_VARIABLE = 'MULTIKERNEL_SHARE';
export const HIDDEN_PREFIX = 'MULTIKERNEL_';
/**
 * The variable that makes Node load `node:net` for the channel before any preload: hidden from a child, which opens
 * its channel itself once the kernel is in place.
 */
export const HIDDEN_VARIABLES: readonly string[] = [
  'NODE_CHANNEL_FD',
  'NODE_CHANNEL_SERIALIZATION_MODE',
  'NODE_UNIQUE_ID',
];

/** The flag of Node that loads `preload`, a path. */
export function preloadFlag(preload: string): string {
  return `--require=${/[\s"\\]/.test(preload) ? `"${preload.replace(/[\\"]/g, '\\$&')}"` : preload}`;
}

/** The environment of a child that uses the kernel at `url`, or with null gets one of its own. Its preload comes before all others. */
export function childEnvironment(pairs: readonly string[], preload: string, url: string | null): string[] {
  const flag = preloadFlag(preload);
  let nodeOptions = flag;
  const kept: string[] = [];
  for (const pair of pairs) {
    const name = pair.slice(0, pair.indexOf('='));
    if (name === 'NODE_OPTIONS') nodeOptions = `${flag} ${pair.slice(name.length + 1)}`.trim();
    else if (name !== SHARE_VARIABLE) kept.push(HIDDEN_VARIABLES.includes(name) ? `${HIDDEN_PREFIX}${pair}` : pair);
  }
  kept.push(`NODE_OPTIONS=${nodeOptions}`);
  if (url !== null) kept.push(`${SHARE_VARIABLE}=${url}`);
  return kept;
}
