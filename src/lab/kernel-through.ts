/**
 * The kernel of a node through a lab that forwards its requests and streams. Thread: any that holds a lab.
 *
 * One more hop than the kernel's own socket; for those who hold a lab anyway.
 */

import { MultikernelError } from '../base/errors.ts';
import type { KernelClient, StreamHandle, StreamSink } from '../rump/kernel-client.ts';
import type { LabBackend } from './operations.ts';

/** `closed`: settles with the connection to the lab. `close` of the client does nothing: the connection is the lab's. */
export function kernelThrough(
  lab: Pick<LabBackend, 'request' | 'open'>,
  kernel: string,
  closed: Promise<void>,
): KernelClient {
  return {
    control: (operation, request) => lab.request('kernel', { kernel, operation, request }) as Promise<never>,
    open: (stream, request, sink) =>
      lab.open('kernel', { kernel, stream, request }, sink as StreamSink<unknown>) as StreamHandle<never>,
    call: () => Promise.reject(new MultikernelError('ENOSYS', 'a lab forwards no system calls')),
    closed,
    close: () => Promise.resolve(),
  };
}
