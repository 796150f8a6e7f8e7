/** /dev/tapN and /dev/tunN of a kernel, to read and write. Thread: the client's. Read first: sys/device-stream.ts, tap(4), tun(4). */

import type { KernelClient } from '../rump/kernel-client.ts';
import type { DeviceInput } from '../sys/control.ts';
import { StreamIterable } from './stream-iterable.ts';

/**
 * The program's end of a tap or a tun of a kernel: `for await` it for the Ethernet frames, or IP packets, that the interface sends;
 * {@link DeviceStream.write} puts one on its way in. It ends by `close`, by leaving the loop, or with the kernel; reading rejects when it
 * cannot begin: ENXIO (no such interface, or another kind), EBUSY (another program has it).
 *
 * ```ts
 * const tap = kernel.openTap('tap0');
 * for await (const frame of tap) tap.write(answerTo(frame));
 * ```
 */
export class DeviceStream extends StreamIterable<Uint8Array, DeviceInput> {
  /** @internal */
  constructor(client: KernelClient, name: string) {
    super((sink) =>
      client.open(
        'device',
        { name },
        {
          event: (event) => {
            if (event.type === 'frames') for (const frame of event.frames) sink.event(frame);
          },
          end: (error) => sink.end(error),
          get queuedBytes() {
            return sink.queuedBytes ?? 0;
          },
        },
      ),
    );
  }

  /**
   * An Ethernet frame, header first and without FCS, or an IP packet, for the interface. Throws EINVAL for one of a length that the
   * interface does not take, ENETDOWN while it is down, ENXIO when it is gone; of a kernel elsewhere the stream ends with these.
   */
  write(frame: Uint8Array): void {
    this.send({ bytes: frame });
  }
}
