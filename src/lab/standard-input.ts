/** The program that has the standard input of the lab's process. Thread: the supervisor's; pure functions. */

import { MultikernelError } from '../base/errors.ts';
import type { LabPlan } from './plan.ts';
import { noNode } from './suggest.ts';

/** Node of that name; true: that of the only program, where that is a process. Null: nobody's. Throws ENOENT, EINVAL. */
export function attachedNode({ nodes }: LabPlan, attach: string | boolean): string | null {
  if (attach === false) return null;
  const [only, ...others] = nodes.filter(({ program }) => program !== null);
  if (attach === true) return only?.placement === 'process' && others.length === 0 ? only.name : null;
  const node = nodes.find(({ name }) => name === attach);
  if (node === undefined) {
    const names = nodes.map(({ name }) => name);
    throw noNode(attach, names);
  }
  if (node.placement === 'process') return attach;
  const why = 'a program beside its kernel has no standard input; the lab file can say "placement: process"';
  throw new MultikernelError('EINVAL', `${attach}: ${why}`);
}
