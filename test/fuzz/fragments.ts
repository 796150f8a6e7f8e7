/** Packets cut into fragments: in order or not, some twice, some missing, some a little beside their place. */

import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, FrameWriter, get16, repair, set16, set32 } from './bytes.ts';
import * as cast from './cast.ts';
import * as cast6 from './cast6.ts';
import type { Chance } from './chance.ts';

const ETHER_BYTES = 14;
const FRAGMENT = 44;
const UDP = 17;

/** A datagram for the echo, or an echo request, longer than any link carries. */
export function longDatagram(chance: Chance, n: number, six: boolean): Uint8Array {
  const w = new FrameWriter();
  const ping = chance.yes(0.3);
  const bytes = chance.yes(0.9) ? 1500 + chance.below(4000) : 60_000 + chance.below(5400);
  if (six) {
    const src = cast6.neighbor(chance, n);
    w.mac(cast.OWN_MACS[n] as cast.Mac)
      .mac(cast6.sourceMac(src))
      .u16(ETHERTYPE_IPV6);
    w.u32(0x60000000)
      .u16(bytes)
      .u8(ping ? 58 : UDP)
      .u8(64);
    for (const word of [...src, ...cast6.own(chance, n)]) w.u32(word);
  } else {
    const src = cast.neighbor(chance, n);
    w.mac(cast.OWN_MACS[n] as cast.Mac)
      .mac(cast.macOf(src))
      .u16(ETHERTYPE_IPV4);
    w.u16(0x4500)
      .u16(20 + bytes)
      .u32(chance.next32() & 0xffff0000);
    w.u16(0x4000 | (ping ? 1 : UDP))
      .u16(0)
      .u32(src)
      .u32(cast.OWN_ADDRESSES[n] as number);
  }
  if (ping)
    w.u16(six ? 0x8000 : 0x0800)
      .u16(0)
      .u32(chance.next32());
  else
    w.u16(1024 + chance.below(8))
      .u16(cast.UDP_ECHO)
      .u16(bytes)
      .u16(0);
  w.noise(chance, bytes - 8);
  const frame = w.take();
  repair(frame);
  return frame;
}

/** The frame in pieces; itself when it is nothing that can be cut. */
export function fragmentsOf(chance: Chance, frame: Uint8Array): Uint8Array[] {
  const type = frame.length < ETHER_BYTES + 48 ? 0 : get16(frame, 12);
  const four = type === ETHERTYPE_IPV4 && (get16(frame, ETHER_BYTES + 6) & 0x3fff) === 0;
  if (!four && type !== ETHERTYPE_IPV6) return [frame];
  const headerBytes = four ? ((frame[ETHER_BYTES] as number) & 15) * 4 : 40;
  const from = ETHER_BYTES + headerBytes;
  const payload = frame.subarray(from, ETHER_BYTES + (four ? get16(frame, ETHER_BYTES + 2) : 40 + get16(frame, 18)));
  if (headerBytes < 20 || payload.length <= 8) return [frame];
  const header = frame.subarray(0, from);
  const identification = chance.yes(0.8) ? chance.next32() : chance.below(4);
  const most = Math.min(1400, Math.max(8, payload.length >> chance.below(3))) & ~7;
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < payload.length; ) {
    const bytes = Math.min(payload.length - at, chance.yes(0.7) ? most : 8 * (1 + chance.below(most >> 3)));
    const more = at + bytes < payload.length;
    const beside = chance.yes(0.98) ? at : at + 8 * chance.pick([-1, 1, 2, 100]);
    const part = payload.subarray(at, at + bytes);
    const make = four ? piece4 : piece6;
    pieces.push(make(header, identification, Math.max(0, beside), more, part));
    at += bytes;
  }
  if (chance.yes(0.3)) pieces.reverse();
  if (chance.yes(0.2)) pieces.splice(chance.below(pieces.length), 0, chance.pick(pieces));
  if (chance.yes(0.05)) pieces.splice(chance.below(pieces.length), 1);
  return pieces;
}

function piece4(header: Uint8Array, id: number, offset: number, more: boolean, part: Uint8Array): Uint8Array {
  const frame = new Uint8Array(header.length + part.length);
  frame.set(header);
  frame.set(part, header.length);
  set16(frame, ETHER_BYTES + 2, frame.length - ETHER_BYTES);
  set16(frame, ETHER_BYTES + 4, id & 0xffff);
  set16(frame, ETHER_BYTES + 6, ((offset >> 3) & 0x1fff) | (more ? 0x2000 : 0));
  // Of a fragment only the header's checksum is made right: the transport's is that of the whole.
  repair(frame);
  return frame;
}

function piece6(header: Uint8Array, id: number, offset: number, more: boolean, part: Uint8Array): Uint8Array {
  const frame = new Uint8Array(header.length + 8 + part.length);
  frame.set(header);
  frame[header.length] = header[ETHER_BYTES + 6] as number;
  frame[ETHER_BYTES + 6] = FRAGMENT;
  set16(frame, header.length + 2, (offset & 0xfff8) | (more ? 1 : 0));
  set32(frame, header.length + 4, id);
  frame.set(part, header.length + 8);
  set16(frame, ETHER_BYTES + 4, 8 + part.length);
  return frame;
}
