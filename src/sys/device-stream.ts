/**
 * /dev/tapN and /dev/tunN for a program outside of the kernel: frames, or IP packets, that the interface sends, and those that the program
 * writes for it.
 *
 * Thread: the one that runs the kernel. Read first: net/tap/user-end.ts.
 * Cold: devices by hand.
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import type { Interface } from '../net/interface.ts';
import { TapLink } from '../net/tap/tap-link.ts';
import { TunLink } from '../net/tap/tun-link.ts';
import { USER_FRAME_BYTES_MAX, type UserLink } from '../net/tap/user-end.ts';
import type { DeviceEvent, StreamHandle, StreamSink } from './control.ts';
import * as input from './control-input.ts';
import { linkAddressRecord } from './records.ts';

/** More than this in front of a slow reader, and frames are lost. */
const UNREAD_BYTES_MAX = 1024 * 1024;

function must(result: number, subject: string): void {
  if (result < 0) throw new MultikernelError(errnoName(result), `${subject}: ${errnoName(result)}`);
}

/** Opens the device of an interface. Throws ENXIO (it is no tap and no tun), EBUSY (another program has it). */
export function openDevice(
  iface: Interface | null,
  name: string,
  nowUs: () => number,
  sink: StreamSink<DeviceEvent>,
): StreamHandle<unknown> {
  const link = iface?.link;
  if (iface === null || !(link instanceof TapLink || link instanceof TunLink)) return must(-Errno.ENXIO, name) as never;
  must(link.user.open(), name);
  const linkAddress = link instanceof TapLink ? linkAddressRecord(iface.macHi, iface.macLo) : null;
  sink.event({ type: 'opened', linkAddress, mtuBytes: iface.mtuBytes });
  link.user.onReadable = () => readAll(link, sink);
  let open = true;
  return {
    send: (message) => {
      const bytes = input.bytes(input.fieldsOf(message, 'input'), 'bytes', USER_FRAME_BYTES_MAX);
      if (!open) return;
      if (!iface.attached) must(-Errno.ENXIO, name);
      must(link.inject(bytes, nowUs()), name);
    },
    close: () => {
      if (!open) return;
      open = false;
      if (iface.attached) link.user.close();
      sink.end(null);
    },
  };
}

function readAll({ user, userSkipBytes }: UserLink, sink: StreamSink<DeviceEvent>): void {
  const frames: Uint8Array[] = [];
  const buffer = new Uint8Array(USER_FRAME_BYTES_MAX);
  for (;;) {
    const length = user.read(buffer, userSkipBytes);
    if (length < 0) break;
    frames.push(buffer.slice(0, length));
  }
  if (frames.length > 0 && (sink.queuedBytes ?? 0) <= UNREAD_BYTES_MAX) sink.event({ type: 'frames', frames });
}
