/**
 * The path epoch: one number per kernel, bumped by any change to routes, addresses, neighbors, groups, MTU or link state. A
 * cached path holds the value it was looked up at and is looked up again when the two differ (inet/ip/path.ts).
 *
 * Thread: the one that runs the kernel.
 */

export class PathEpoch {
  /** Never 0, so that a path with 0 is always looked up. */
  value = 1;

  /** Every cached path is stale from now on. */
  bump(): void {
    this.value++;
  }
}
