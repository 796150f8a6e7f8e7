/** The program that has the standard input of the lab's process. Thread: the supervisor's. */

import type { Writable } from 'node:stream';
import type { LabPlan } from './plan.ts';
import { noNode } from './suggest.ts';

/** Node of that name; true: that of the only program. Null: nobody's. Throws ENOENT. */
export function attachedNode({ nodes }: LabPlan, attach: string | boolean): string | null {
  if (attach === false) return null;
  const [only, ...others] = nodes.filter(({ program }) => program !== null);
  if (attach === true) return others.length === 0 ? (only?.name ?? null) : null;
  if (nodes.some(({ name }) => name === attach)) return attach;
  const names = nodes.map(({ name }) => name);
  throw noNode(attach, names);
}

/** Lead the standard input of this process to a thread, to its end. Returns how to stop: this process must not wait for more of it. */
export function leadInput(into: Writable): () => void {
  const { stdin } = process;
  // A thread that is gone takes no more.
  into.on('error', () => undefined);
  if (stdin.readableEnded) into.end();
  else stdin.pipe(into);
  return () => {
    stdin.unpipe(into);
    stdin.pause();
  };
}
