/**
 * The kernel at a URL: one connection, straight to the thread that runs it. Thread: the client's.
 *
 * A program that computes blocks its kernel; what is not answered in time fails with ETIMEDOUT. Read first: rump/url.ts,
 * rump/kernel-client.ts.
 */

import { MultikernelError } from '../../base/errors.ts';
import { MS_PER_S } from '../../base/units.ts';
import { SystemRng } from '../../host/node/clock.ts';
import { connectSocket } from '../../host/node/socket-carrier.ts';
import type { KernelClient } from '../../rump/kernel-client.ts';
import { remoteKernel } from '../../rump/remote-kernel.ts';
import { formatServerUrl, type ServerUrl } from '../../rump/url.ts';

const ANSWER_MS = 5000;

/**
 * Throws the host's code when nobody listens there (ENOENT, ECONNREFUSED), EACCES for a wrong key, ETIMEDOUT. `name` stands in
 * messages; default: the URL.
 */
export async function kernelAt(
  url: ServerUrl,
  answerMs: number = ANSWER_MS,
  name: string = formatServerUrl({ ...url, key: null }),
): Promise<KernelClient> {
  const carrier = await connectSocket(url);
  const kernel = await inTime(remoteKernel(carrier, url.key, new SystemRng()), name, answerMs, () => carrier.close());
  return {
    ...kernel,
    control: (operation, request) => inTime(kernel.control(operation, request), name, answerMs),
  };
}

function inTime<T>(answer: Promise<T>, name: string, answerMs: number, late?: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (): void => {
      const seconds = answerMs / MS_PER_S;
      reject(new MultikernelError('ETIMEDOUT', `${name}: no answer in ${seconds} s: its program blocks the thread`));
      late?.();
    };
    // If it was this thread that was busy, answers that came meanwhile are still to be read: they are, before the immediate.
    const timer = setTimeout(() => setImmediate(fail), answerMs);
    answer.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
