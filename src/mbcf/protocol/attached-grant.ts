/** A grant that a task of another node has attached. Thread: that of the node. */

import type { Grant } from './grant.ts';

export interface AttachedGrant {
  readonly grant: Grant;
  /** The task that uses it, on the node of the pair. */
  readonly sourceTask: number;
}
