/** A bpf device of a kernel behind a URL, with a connection of its own. Thread: the client's. Read first: ../bpf-device.ts, kernel-at.ts. */

import { BpfDevice, type BpfOptions } from '../bpf-device.ts';
import { kernelAtUrl } from './kernel-at.ts';

/** A bpf device of a kernel elsewhere. */
export interface RemoteBpfOptions extends BpfOptions {
  /** Key of the server, in hexadecimal digits, where it asks for one (RUMP_KEY). */
  key?: string;
}

/**
 * A bpf device on an interface of a rump_server, or of any kernel that has a URL (`unix://a`, `tcp://127.0.0.1:4000`), as RUMP_SERVER names
 * it. The connection ends with the device. Rejects with EINVAL (no URL, or an expression that is no filter), ENOENT and ECONNREFUSED
 * (nobody listens there), EACCES (another key), ETIMEDOUT.
 *
 * ```ts
 * const bpf = await openBpf('unix://a', 'shmif0', { filter: 'icmp', immediate: true });
 * ```
 */
export async function openBpf(url: string, name: string, options: RemoteBpfOptions = {}): Promise<BpfDevice> {
  const { key, ...settings } = options;
  const client = await kernelAtUrl(url, key);
  const hangUp = (): void => void client.close();
  try {
    const open: typeof client.open = (stream, request, sink) =>
      client.open(stream, request, {
        event: (event) => sink.event(event),
        end: (error) => {
          sink.end(error);
          hangUp();
        },
      });
    return new BpfDevice({ ...client, open }, name, settings);
  } catch (error) {
    hangUp();
    throw error;
  }
}
