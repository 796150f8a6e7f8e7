/**
 * The choice among several sockets on one port (SO_REUSEPORT): the same socket for all segments of a peer, about as many peers
 * for each socket, and not to be chosen by a peer that does not know the seed.
 *
 * Thread: the one that runs the kernel.
 */

/** A number below `count`. Multiply and mix, as MurmurHash3 ends. */
export function flowShare(seed: number, peer: number, peerPort: number, count: number): number {
  let h = Math.imul(seed ^ peer, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 15) ^ peerPort, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (((h ^ (h >>> 16)) & 0xffff) * count) >>> 16;
}
