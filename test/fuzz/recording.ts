import type { FuzzSites } from './world.ts';
export function recordTraffic(_sites: FuzzSites): Uint8Array[] {
  return [];
}
