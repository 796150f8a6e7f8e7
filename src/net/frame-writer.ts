/**
 * One Ethernet frame of a program, sent by an interface as it is: writes to bpf devices.
 *
 * Thread: the one that runs the kernel. Read first: link-layer.ts (`reserveFrame`), bpf(4).
 * Cold: frames by hand.
 */

import { Errno } from '../base/errors.ts';
import * as ethernet from '../wire/ethernet.ts';
import type { CaptureContext } from './capture.ts';
import type { Interface } from './interface.ts';

/**
 * `ownSource`: the source becomes that of the interface. Returns 0, -EINVAL (shorter than a header), -ENETDOWN, -EMSGSIZE, or what the
 * link refuses: -EOPNOTSUPP (no Ethernet), -ENOBUFS.
 */
export function writeFrame(iface: Interface, frame: Uint8Array, ownSource: boolean, context: CaptureContext): number {
  const { link } = iface;
  const { length } = frame;
  if (length < ethernet.HEADER_BYTES) return -Errno.EINVAL;
  if (!iface.up) return -Errno.ENETDOWN;
  if (length - ethernet.HEADER_BYTES > iface.mtuBytes) return -Errno.EMSGSIZE;
  const header = new DataView(frame.buffer, frame.byteOffset, length);
  const at = link.reserveFrame(ethernet.dstHi(header, 0), ethernet.dstLo(header, 0), length);
  if (at < 0) return at;
  context.bulk.copyIn(at, frame, 0, length);
  if (ownSource) ethernet.setSrc(context.view, at, iface.macHi, iface.macLo);
  link.commitFrame(length, 0);
  link.flush();
  return 0;
}
