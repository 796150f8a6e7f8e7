/** What the grammars of both IP versions share: datagrams, what may be quoted, how a frame ends. */

import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, type FrameWriter, fold, get16, repair, set16 } from './bytes.ts';
import * as cast from './cast.ts';
import type { Chance } from './chance.ts';

/** What grammar frames may refer to: packets the kernel sent lately (without Ethernet header), for errors to quote. */
export interface Memory {
  readonly recent: readonly Uint8Array[];
  /** Whether the kernel speaks IPv6. */
  readonly ipv6: boolean;
}

export function writeUdp(chance: Chance, w: FrameWriter): void {
  const at = w.length;
  const data = chance.yes(0.9) ? chance.small(9) : chance.below(1400);
  w.u16(chance.yes(0.9) ? 1024 + chance.below(64) : chance.edge(16));
  w.u16(chance.yes(0.9) ? chance.pick(cast.UDP_PORTS) : chance.edge(16));
  w.u16(8 + data).u16(0);
  w.noise(chance, data);
  if (chance.yes(0.05)) set16(w.bytes, at + 4, chance.edge(16));
}

/** Checksums made right, mostly; the end cut off or padded now and then. */
export function ending(chance: Chance, w: FrameWriter): Uint8Array {
  let frame = w.take();
  if (chance.yes(0.97)) repair(frame);
  if (chance.yes(0.1)) sumToZero(frame);
  if (chance.yes(0.02)) frame = frame.slice(0, chance.below(frame.length + 1));
  else if (frame.length < 60 && chance.yes(0.5)) {
    const padded = new Uint8Array(60);
    padded.set(frame);
    for (let i = frame.length; i < 60; i++) padded[i] = chance.next32();
    frame = padded;
  }
  return frame;
}

/** Change a UDP datagram so that its checksum would be 0, which is written as 0xffff; an echo of it has the same. */
function sumToZero(frame: Uint8Array): void {
  const type = frame.length < 64 ? 0 : get16(frame, 12);
  const at = type === ETHERTYPE_IPV4 && frame[14] === 0x45 && frame[23] === 17 ? 34 : frame[20] === 17 ? 54 : 0;
  if (at === 0 || (at === 54 && type !== ETHERTYPE_IPV6) || at + 10 > frame.length) return;
  set16(frame, at + 8, fold(get16(frame, at + 8) + get16(frame, at + 6)));
  repair(frame);
}
