/**
 * Role: what the Mint paper left open: throughput, buffer memory and the share of it in use as the number of kernels grows,
 * with one packet buffer per directed channel (its configuration 2) and one shared by all (its configuration 1).
 * Thread: the harness's main thread; two workers hold half of the ports each (mesh-worker.ts), whatever their number, and every
 * port sends to all ports of the other worker in turn.
 */

import { createNetwork, networkBytes } from '#src/link/index';
import { Arena } from '#src/mem/index';
import { entryUrl } from '../harness/entry.ts';
import type { Measured, Subject } from '../harness/measure.ts';
import { numberOf } from '../harness/tools.ts';
import { type Buffers, networkOptions } from './frames.ts';
import type { MeshBoot } from './mesh-worker.ts';
import { runSides } from './sides.ts';
import { CONTROL_BYTES } from './spin-line.ts';

/** Words of the control area behind those of the spin line: frames sent and received by each side, word + 32 * side. */
export const SENT_WORD = 256;
export const RECEIVED_WORD = 384;
/** Number of sides that have measured. */
export const MEASURED_WORD = 512;
const PAGE_BYTES = 4096;

export const MESH_KERNELS: readonly number[] = [2, 4, 8, 16, 32];

export interface MeshRun {
  kernels: number;
  buffers: Buffers;
  frameBytes: number;
  ms: number;
  warmupMs: number;
}

const ORGANISATION: Record<Buffers, string> = { channels: 'a buffer per channel', shared: 'one shared buffer' };

export const MESH_METRICS = {
  gbps: (kernels: number, buffers: Buffers): string => `${kernels} kernels on two cores, ${ORGANISATION[buffers]}`,
  memory: (kernels: number, buffers: Buffers): string => `${kernels} kernels, ${ORGANISATION[buffers]}, memory`,
  meanShare: (kernels: number, buffers: Buffers): string =>
    `${kernels} kernels, ${ORGANISATION[buffers]}, share in use, mean`,
  peakShare: (kernels: number, buffers: Buffers): string =>
    `${kernels} kernels, ${ORGANISATION[buffers]}, share in use, peak`,
};

/** Throughput of all ports together, memory of all buffers, and how much of it frames on their way take. */
export function meshSubject(run: MeshRun): Subject {
  const { kernels, buffers } = run;
  return {
    name: MESH_METRICS.gbps(kernels, buffers),
    system: 'multikernel',
    metrics: [
      { key: 'gbps', metric: MESH_METRICS.gbps(kernels, buffers), unit: 'Gbit/s' },
      { key: 'memory', metric: MESH_METRICS.memory(kernels, buffers), unit: 'MiB' },
      { key: 'meanShare', metric: MESH_METRICS.meanShare(kernels, buffers), unit: '%' },
      { key: 'peakShare', metric: MESH_METRICS.peakShare(kernels, buffers), unit: '%' },
    ],
    run: (signal) => runMesh(run, signal),
  };
}

async function runMesh(run: MeshRun, signal: AbortSignal): Promise<Measured> {
  const { kernels: ports, frameBytes } = run;
  const options = networkOptions(ports, { ...run, ringBytes: null });
  const bytes = networkBytes(options);
  // Counters of every device, and the places that frames are copied from and to.
  const arena = Arena.create(bytes + CONTROL_BYTES + ports * 16_384 + 4 * 64 * (frameBytes + 128) + (1 << 20));
  const network = createNetwork(arena, options);
  const controlAt = arena.allocate(CONTROL_BYTES, 4096);
  // Every page is touched once: the first use of a page costs far more than a frame, and it is not what is measured.
  for (let at = network.offset; at < network.offset + network.byteLength; at += PAGE_BYTES)
    arena.bytes[at] = arena.bytes[at] as number;
  const boots = ([0, 1] as const).map((side): MeshBoot => ({ memory: arena.memory, network, controlAt, side, run }));
  const entry = entryUrl('mesh-worker', import.meta.url);
  const sides = await runSides(entry, boots, { what: 'mesh', ms: run.ms + run.warmupMs, signal });
  const total = (key: string): number => sides.reduce((sum, side) => sum + numberOf(side, key), 0);
  const buffers = network.ringBytes * ports * (ports - 1) + network.slots * network.maxFrameBytes;
  // The two sides publish their counts once a turn, so a sample can be a turn's frames too high: never above what fits.
  const share = (frames: number): number => Math.min(100, (100 * frames * (frameBytes + 8)) / buffers);
  return {
    values: {
      gbps: (total('framesPerSecond') * frameBytes * 8) / 1e9,
      memory: buffers / 2 ** 20,
      meanShare: share(total('meanInFlight') / 2),
      peakShare: share(Math.max(...sides.map((side) => numberOf(side, 'peakInFlight')))),
    },
  };
}
