/**
 * The kernel of a node through a lab that forwards its requests and streams. Thread: any that holds a lab.
 *
 * One more hop than the kernel's own socket; for those who hold a lab anyway.
 */

import type { KernelClient, StreamHandle, StreamSink } from '../rump/kernel-client.ts';
import { withCalls } from '../rump/process-stream.ts';
import type { LabBackend } from './operations.ts';

/** `closed`: settles with the connection to the lab. `close` of the client ends its process; the connection is the lab's. */
export function kernelThrough(
  lab: Pick<LabBackend, 'request' | 'open'>,
  kernel: string,
  closed: Promise<void>,
): KernelClient {
  return withCalls({
    control: (operation, request) => lab.request('kernel', { kernel, operation, request }) as Promise<never>,
    open: (stream, request, sink) =>
      lab.open('kernel', { kernel, stream, request }, sink as StreamSink<unknown>) as StreamHandle<never>,
    closed,
    close: () => Promise.resolve(),
  });
}
