/**
 * The memory of kernels for what their sockets hold and for packets that wait: `memory:` of the lab file.
 *
 * Thread: any; pure functions.
 */

import type { LabPlan } from './plan.ts';

const MIB = 1024 * 1024;
/** Share of all kernels in the 2 GiB that an arena can have. */
export const KERNELS_BYTES_MAX: number = 768 * MIB;
/** A kernel that names none has so much, or its part of what is left. */
export const KERNEL_BYTES: number = 64 * MIB;
/** Ring of lo0 (a quarter), scratch packet, and some for sockets. */
export const KERNEL_BYTES_MIN: number = MIB;
/** Memory is given out by pages of the largest size in use. */
const PAGE_BYTES = 65_536;

/** Bytes of each kernel, by the name of its node. */
export function kernelBytes({ nodes }: LabPlan): Map<string, number> {
  const given = nodes.filter(({ memoryBytes }) => memoryBytes !== null);
  const givenBytes = given.reduce((sum, { memoryBytes }) => sum + pages(memoryBytes as number), 0);
  const others = nodes.length - given.length;
  const part = Math.floor((KERNELS_BYTES_MAX - givenBytes) / Math.max(1, others) / PAGE_BYTES) * PAGE_BYTES;
  const bytes = Math.max(KERNEL_BYTES_MIN, Math.min(KERNEL_BYTES, part));
  return new Map(nodes.map(({ name, memoryBytes }) => [name, memoryBytes === null ? bytes : pages(memoryBytes)]));
}

function pages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}
