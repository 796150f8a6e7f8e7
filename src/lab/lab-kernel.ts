/**
 * The kernel of a node for those who hold its lab: connected to when it is used, with answers within a time.
 *
 * Thread: any that holds a lab. A program that computes blocks the kernel beside it.
 */

import { inTime } from '../host/node/in-time.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import { kernelOnDemand } from '../rump/kernel-on-demand.ts';

/** `closed`: settles with the lab, or the connection to it. Requests without an answer for a while reject with ETIMEDOUT. */
export function labKernel(name: string, connect: () => Promise<KernelClient>, closed: Promise<void>): KernelClient {
  const kernel = kernelOnDemand(connect, closed);
  return { ...kernel, control: (operation, request) => inTime(kernel.control(operation, request), name) };
}
