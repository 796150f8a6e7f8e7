/**
 * Role: says whether the two cores that a repetition ran on were near each other.
 * Thread: any. On a virtual machine the host moves virtual CPUs about; cores that share a last-level cache answer a spin
 * ping-pong in about 100 ns, others in 350 ns and more, and ring throughput differs by up to twenty times.
 */

/** A spin round trip of at most this is called near. */
export const NEAR_RTT_NS = 250;

/** near: both round trips short. far: both long. mixed: it changed, or repetitions differ. unknown: not measured. */
export type CoreDistance = 'near' | 'far' | 'mixed' | 'unknown';

/** Placement of one repetition from the round trips taken just before and just after it (ns; null when not measured). */
export function placementOf(beforeNs: number | null, afterNs: number | null): CoreDistance {
  if (beforeNs === null || afterNs === null) return 'unknown';
  const near = (beforeNs <= NEAR_RTT_NS ? 1 : 0) + (afterNs <= NEAR_RTT_NS ? 1 : 0);
  return near === 2 ? 'near' : near === 0 ? 'far' : 'mixed';
}

/** Placement of several repetitions together. */
export function combined(placements: readonly CoreDistance[]): CoreDistance {
  const first = placements[0];
  if (first === undefined) return 'unknown';
  return placements.every((placement) => placement === first) ? first : 'mixed';
}

/** The spin round trips in what a worker or a C peer reported of its own threads; null where it could not tell. */
export function roundTripsOf(result: Record<string, unknown>): {
  rttBeforeNs: number | null;
  rttAfterNs: number | null;
} {
  const rtt = (key: string): number | null => (typeof result[key] === 'number' ? result[key] : null);
  return { rttBeforeNs: rtt('rttBeforeNs'), rttAfterNs: rtt('rttAfterNs') };
}
