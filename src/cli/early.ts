/**
 * Starts what takes long before the modules of a command are loaded. Thread: the main thread of the command.
 *
 * Read first: lab/spare-thread.ts. Bundled with program.ts (scripts/bundle.js), so that both see the same thread.
 */

import { prepareThread } from '../lab/spare-thread.ts';
import { prepareRunKernel } from './run-kernel.ts';

/** Commands that bring a lab up in their own process. */
const STARTERS: readonly string[] = ['up', 'test'];
const ELSEWHERE: readonly string[] = ['-d', '--detach', '-h', '--help'];

export function begin([command = '', ...options]: readonly string[]): void {
  if (command === 'run' && !options.some((option) => /^--(?:server|help)\b/.test(option))) prepareRunKernel();
  if (STARTERS.includes(command) && !options.some((option) => ELSEWHERE.includes(option))) prepareThread();
}
