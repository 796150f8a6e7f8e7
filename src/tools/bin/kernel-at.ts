/**
 * The kernel at a URL: one connection, straight to the thread that runs it. Thread: the client's.
 *
 * A program that computes blocks its kernel; what is not answered in time fails with ETIMEDOUT. Read first: rump/url.ts,
 * rump/kernel-client.ts.
 */

import { SystemRng } from '../../host/node/clock.ts';
import { ANSWER_MS, inTime } from '../../host/node/in-time.ts';
import { connectSocket } from '../../host/node/socket-carrier.ts';
import type { KernelClient } from '../../rump/kernel-client.ts';
import { remoteKernel } from '../../rump/remote-kernel.ts';
import { formatServerUrl, parseServerUrl, type ServerUrl } from '../../rump/url.ts';

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

/** As {@link kernelAt}, at a URL as text; `keyText`: the key where the URL has none. Throws EINVAL too. */
export function kernelAtUrl(text: string, keyText: string | undefined): Promise<KernelClient> {
  return kernelAt(parseServerUrl(text, keyText));
}
