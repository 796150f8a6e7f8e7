/**
 * The puppets: neighbors that answer what the kernel sends, so that connections come about and go on; and segments for
 * connections that are alive, with numbers that are nearly right.
 */

import type { Connection } from '../../src/inet/tcp/connection/connection.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, FrameWriter, get16, get32, repair, set16 } from './bytes.ts';
import * as cast from './cast.ts';
import type { Address } from './cast6.ts';
import * as cast6 from './cast6.ts';
import type { Chance } from './chance.ts';
import { writeTcpOptions } from './grammar-tcp.ts';

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;

const writer = new FrameWriter();

/** The two ends of a packet: IPv4 numbers, or IPv6 words. */
interface Ends {
  src: number | Address;
  dst: number | Address;
}

interface TcpFields extends Ends {
  srcPort: number;
  dstPort: number;
  seq: number;
  ack: number;
  flags: number;
  window: number;
  dataBytes: number;
  /** Options, in whole words. */
  options: (w: FrameWriter) => void;
}

/** Ethernet and IP header of a packet that comes to the kernel by interface `n`; its length is set by {@link finish}. */
function begin(chance: Chance, n: number, { src, dst }: Ends, protocol: number): FrameWriter {
  const w = writer.reset().mac(cast.OWN_MACS[n] as cast.Mac);
  if (typeof src === 'number') {
    w.mac(cast.macOf(src)).u16(ETHERTYPE_IPV4).u16(0x4500).u16(0).u16(chance.below(65536)).u16(0x4000);
    return w
      .u8(64)
      .u8(protocol)
      .u16(0)
      .u32(src)
      .u32(dst as number);
  }
  w.mac(cast6.sourceMac(src))
    .u16(ETHERTYPE_IPV6)
    .u32(0x60000000)
    .u16(0)
    .u8(protocol)
    .u8(protocol === 58 ? 255 : 64);
  for (const word of [...src, ...(dst as Address)]) w.u32(word);
  return w;
}

function finish(w: FrameWriter): Uint8Array {
  if (w.view.getUint16(12) === ETHERTYPE_IPV4) set16(w.bytes, 16, w.length - 14);
  else set16(w.bytes, 18, w.length - 54);
  const frame = w.take();
  repair(frame);
  return frame;
}

function tcpFrame(chance: Chance, n: number, fields: TcpFields): Uint8Array {
  const w = begin(chance, n, fields, 6);
  const tcpAt = w.length;
  w.u16(fields.srcPort).u16(fields.dstPort).u32(fields.seq).u32(fields.ack);
  w.u16(0)
    .u16(fields.window)
    .u16(0)
    .u16(fields.flags & 0x20 ? chance.small(12) : 0);
  fields.options(w);
  if (w.length > tcpAt + 60) w.length = tcpAt + 60;
  set16(w.bytes, tcpAt + 12, (((w.length - tcpAt) >> 2) << 12) | fields.flags);
  w.noise(chance, fields.dataBytes);
  return finish(w);
}

function words(frame: Uint8Array, at: number): Address {
  return [get32(frame, at), get32(frame, at + 4), get32(frame, at + 8), get32(frame, at + 12)];
}

/** What a puppet says to a frame that left interface `n`, or null. */
export function answer(chance: Chance, n: number, frame: Uint8Array): Uint8Array | null {
  const type = get16(frame, 12);
  if (type === ETHERTYPE_ARP) return answerArp(chance, n, frame);
  if (type === ETHERTYPE_IPV6) return answer6(chance, n, frame);
  if (type !== ETHERTYPE_IPV4 || (get16(frame, 20) & 0x1fff) !== 0) return null;
  const at = 14 + ((frame[14] as number) & 15) * 4;
  const ends = { src: get32(frame, 30), dst: get32(frame, 26) };
  if (ends.src >>> 28 >= 0xe) return null;
  const protocol = frame[23];
  if (protocol === 6 && at + 20 <= frame.length) return answerTcp(chance, n, frame, at, ends);
  if (protocol === 17 && at + 8 <= frame.length) return answerUdp(chance, n, frame, at, ends);
  if (protocol === 1 && frame[at] === 8) return echoed(chance, n, frame, at, ends, 1, 0);
  return null;
}

function answer6(chance: Chance, n: number, frame: Uint8Array): Uint8Array | null {
  const at = 54;
  const ends = { src: words(frame, 38), dst: words(frame, 22) };
  const protocol = frame[20];
  const type = frame[at];
  if (protocol === 58 && type === 135 && at + 24 <= frame.length) return answerSolicitation(chance, n, frame, at, ends);
  if (protocol === 58 && type === 133) return chance.yes(0.5) ? advertisement(chance, n, ends.dst) : null;
  if (ends.src[0] >>> 24 === 0xff) return null;
  if (protocol === 6 && at + 20 <= frame.length) return answerTcp(chance, n, frame, at, ends);
  if (protocol === 17 && at + 8 <= frame.length) return answerUdp(chance, n, frame, at, ends);
  if (protocol === 58 && type === 128) return echoed(chance, n, frame, at, ends, 58, 129);
  return null;
}

/** RFC 4861 7.2.4; a probe for an address is answered now and then: somebody has it. */
function answerSolicitation(
  chance: Chance,
  n: number,
  frame: Uint8Array,
  at: number,
  ends: { src: Address; dst: Address },
): Uint8Array | null {
  const target = words(frame, at + 8);
  const probe = ends.dst.every((word) => word === 0);
  if (chance.yes(probe ? 0.9 : 0.25)) return null;
  const w = begin(chance, n, { src: target, dst: probe ? cast6.ALL_NODES : ends.dst }, 58);
  w.u16(136 << 8)
    .u16(0)
    .u32(probe ? 0x20000000 : 0x60000000 | (chance.yes(0.2) ? 0x80000000 : 0));
  for (const word of target) w.u32(word);
  w.u16(0x0201).mac(cast6.sourceMac(target));
  return finish(w);
}

/** A router's answer to a solicitation: lifetimes, and the prefix of the link. */
function advertisement(chance: Chance, n: number, to: Address): Uint8Array {
  const unspecified = to.every((word) => word === 0);
  const w = begin(chance, n, { src: cast6.GATEWAY, dst: unspecified ? cast6.ALL_NODES : to }, 58);
  w.u16(134 << 8)
    .u16(0)
    .u8(64)
    .u8(0)
    .u16(chance.pick([0, 10, 1800]))
    .u32(0)
    .u32(0);
  w.u8(3)
    .u8(4)
    .u8(64)
    .u8(0xc0)
    .u32(chance.pick([10, 3600]))
    .u32(chance.pick([5, 1800]))
    .u32(0);
  for (const word of [cast6.PREFIX, 0x77 + n, 0, 0]) w.u32(word);
  return finish(w);
}

function answerArp(chance: Chance, n: number, frame: Uint8Array): Uint8Array | null {
  const target = get32(frame, 38);
  if (get16(frame, 20) !== 1 || cast.OWN_ADDRESSES.includes(target) || chance.yes(0.25)) return null;
  const w = writer.reset();
  w.mac(cast.OWN_MACS[n] as cast.Mac)
    .mac(cast.macOf(target))
    .u16(ETHERTYPE_ARP);
  w.u32(0x00010800).u16(0x0604).u16(2).mac(cast.macOf(target)).u32(target);
  w.mac(cast.OWN_MACS[n] as cast.Mac).u32(get32(frame, 28));
  return w.take();
}

function answerTcp(chance: Chance, n: number, frame: Uint8Array, at: number, ends: Ends): Uint8Array | null {
  const flags = frame[at + 13] as number;
  if (flags & RST) return null;
  const dataBytes = frame.length - at - ((frame[at + 12] as number) >> 4) * 4;
  const seq = get32(frame, at + 4);
  const next = (seq + dataBytes + (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0)) | 0;
  const syn = (flags & (SYN | ACK)) === SYN;
  if (!syn && next === seq && chance.yes(0.85)) return null;
  let answerFlags = syn ? SYN | ACK : ACK;
  if (flags & FIN && chance.yes(0.5)) answerFlags |= FIN;
  const stamp = stampOf(frame, at);
  // As if the segment before had been lost.
  const hole = dataBytes > 0 && chance.yes(0.2);
  return tcpFrame(chance, n, {
    ...ends,
    srcPort: get16(frame, at + 2),
    dstPort: get16(frame, at),
    seq: syn ? chance.next32() : get32(frame, at + 8),
    ack: hole ? (seq - (chance.yes(0.7) ? 1448 : 1)) | 0 : chance.yes(0.9) ? next : chance.near(next),
    flags: answerFlags,
    window: chance.yes(0.9) ? 1000 + chance.below(60000) : 0,
    dataBytes: !syn && chance.yes(0.3) ? chance.small(9) : 0,
    options: (w) => {
      if (syn) writeTcpOptions(chance, w, true);
      else if (stamp !== null)
        w.u32(0x0101080a)
          .u32(chance.near(stamp[1] + 1))
          .u32(stamp[0]);
      if (hole) w.u32(0x0101050a).u32(seq).u32(next);
    },
  });
}

/** Value and echo of the timestamps option, if the segment has one where everybody puts it. */
function stampOf(frame: Uint8Array, at: number): readonly [number, number] | null {
  const end = at + ((frame[at + 12] as number) >> 4) * 4;
  for (let o = at + 20; o + 10 <= end; ) {
    const kind = frame[o] as number;
    if (kind === 8) return [get32(frame, o + 2), get32(frame, o + 6)];
    o += kind <= 1 ? 1 : Math.max(2, frame[o + 1] as number);
  }
  return null;
}

function answerUdp(chance: Chance, n: number, frame: Uint8Array, at: number, ends: Ends): Uint8Array | null {
  if (chance.yes(0.5)) {
    const w = begin(chance, n, ends, 17);
    w.u16(get16(frame, at + 2))
      .u16(get16(frame, at))
      .copy(frame.slice(at + 4));
    return finish(w);
  }
  // Nobody there: port unreachable, or something like it.
  const six = typeof ends.src !== 'number';
  const w = begin(chance, n, ends, six ? 58 : 1);
  if (six) w.u8(1).u8(chance.pick([4, 4, 1, 3]));
  else w.u8(3).u8(chance.pick([3, 3, 1, 13, 4]));
  w.u16(0)
    .u16(0)
    .u16(chance.pick([0, 600, 1400]))
    .copy(frame.slice(14, at + 8));
  return finish(w);
}

/** The same message back to its sender, as an answer of that type. */
function echoed(
  chance: Chance,
  n: number,
  frame: Uint8Array,
  at: number,
  ends: Ends,
  protocol: number,
  type: number,
): Uint8Array {
  const w = begin(chance, n, ends, protocol);
  w.u8(type).copy(frame.slice(at + 1));
  return finish(w);
}

/**
 * A segment for one of the kernel's connections, with numbers about right and at most `mostBytes` of data; null when it has
 * none but the honest one.
 */
export function liveSegment(chance: Chance, n: number, kernel: Kernel, mostBytes: number): Uint8Array | null {
  const alive: Connection[] = [];
  for (const c of kernel.cpus[0].tcp.tables.connections()) {
    if (c.localPort !== cast.HONEST_PORT && c.localPort !== cast6.HONEST_PORT) alive.push(c);
  }
  if (alive.length === 0) return null;
  const c = chance.pick(alive);
  const window = (c.rcv.adv - c.rcv.nxt) | 0;
  const flags = chance.pick([
    ACK,
    ACK,
    ACK,
    ACK | PSH,
    ACK | PSH,
    ACK | FIN,
    SYN,
    SYN | ACK,
    RST,
    RST | ACK,
    0,
    FIN,
    0xff,
    ACK | 0xc0,
    ACK | 0x20,
  ]);
  const sndUna = c.snd.una;
  return tcpFrame(chance, n, {
    ...endsOf(c, kernel),
    srcPort: c.peerPort,
    dstPort: c.localPort,
    seq: chance.near(chance.yes(0.8) ? c.rcv.nxt : (c.rcv.nxt + window) | 0),
    ack: chance.near(chance.pick([sndUna, c.snd.nxt, c.snd.nxt])),
    flags,
    window: chance.yes(0.7) ? 1000 + chance.below(64000) : chance.edge(16),
    dataBytes: chance.yes(0.5) ? 0 : chance.yes(0.7) ? chance.small(9) : chance.below(mostBytes),
    options: (w) => {
      if (c.ts.ok && chance.yes(0.9)) w.u32(0x0101080a).u32(chance.near(c.ts.recent)).u32(chance.next32());
      if (c.sackOk && chance.yes(0.3)) writeSack(chance, w, c);
      if (chance.yes(0.05)) writeTcpOptions(chance, w, true);
    },
  });
}

function endsOf(c: Connection, kernel: Kernel): Ends {
  const { interner } = kernel.inet.shared;
  if (kernel.inet.addresses.familyOf(c.peerAddress) === 4) return { src: c.peerAddress, dst: c.localAddress };
  return { src: interner.words(c.peerAddress), dst: interner.words(c.localAddress) };
}

function writeSack(chance: Chance, w: FrameWriter, c: Connection): void {
  const blocks = 1 + chance.below(3);
  w.u16(0x0101)
    .u8(5)
    .u8(2 + 8 * blocks);
  for (let i = 0; i < blocks; i++) {
    const span = Math.max(1, (c.snd.nxt - c.snd.una) | 0);
    const start = chance.near((c.snd.una + chance.below(span)) | 0);
    w.u32(start).u32(chance.near((start + chance.below(span + 1)) | 0));
  }
}
