/**
 * The puppets: neighbors that answer what the kernel sends, so that connections come about and go on; and segments for
 * connections that are alive, with numbers that are nearly right.
 */

import type { Connection } from '../../src/inet/tcp/connection.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, FrameWriter, get16, get32, repair, set16, set32 } from './bytes.ts';
import * as cast from './cast.ts';
import type { Chance } from './chance.ts';
import { writeTcpOptions } from './grammar-tcp.ts';

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;

const writer = new FrameWriter();

interface TcpFields {
  src: number;
  dst: number;
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

function tcpFrame(chance: Chance, n: number, fields: TcpFields): Uint8Array {
  const w = writer.reset();
  w.mac(cast.OWN_MACS[n] as cast.Mac)
    .mac(cast.macOf(fields.src))
    .u16(ETHERTYPE_IPV4);
  const at = w.length;
  w.u16(0x4500).u16(0).u16(chance.below(65536)).u16(0x4000).u8(64).u8(6).u16(0).u32(fields.src).u32(fields.dst);
  const tcpAt = w.length;
  w.u16(fields.srcPort).u16(fields.dstPort).u32(fields.seq).u32(fields.ack);
  w.u16(0).u16(fields.window).u16(0).u16(0);
  fields.options(w);
  set16(w.bytes, tcpAt + 12, (((w.length - tcpAt) >> 2) << 12) | fields.flags);
  w.noise(chance, fields.dataBytes);
  set16(w.bytes, at + 2, w.length - at);
  const frame = w.take();
  repair(frame);
  return frame;
}

/** What a puppet says to a frame that left interface `n`, or null. */
export function answer(chance: Chance, n: number, frame: Uint8Array): Uint8Array | null {
  const type = get16(frame, 12);
  if (type === ETHERTYPE_ARP) return answerArp(chance, n, frame);
  if (type !== ETHERTYPE_IPV4 || (get16(frame, 20) & 0x1fff) !== 0) return null;
  const at = 14 + ((frame[14] as number) & 15) * 4;
  const dst = get32(frame, 30);
  if (dst >>> 28 >= 0xe) return null;
  const protocol = frame[23];
  if (protocol === 6 && at + 20 <= frame.length) return answerTcp(chance, n, frame, at);
  if (protocol === 17 && at + 8 <= frame.length) return answerUdp(chance, n, frame, at);
  if (protocol === 1 && frame[at] === 8) return turned(frame, at, 0, n);
  return null;
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

function answerTcp(chance: Chance, n: number, frame: Uint8Array, at: number): Uint8Array | null {
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
  return tcpFrame(chance, n, {
    src: get32(frame, 30),
    dst: get32(frame, 26),
    srcPort: get16(frame, at + 2),
    dstPort: get16(frame, at),
    seq: syn ? chance.next32() : get32(frame, at + 8),
    ack: chance.yes(0.9) ? next : chance.near(next),
    flags: answerFlags,
    window: chance.yes(0.9) ? 1000 + chance.below(60000) : 0,
    dataBytes: !syn && chance.yes(0.3) ? chance.small(9) : 0,
    options: (w) => {
      if (syn) writeTcpOptions(chance, w, true);
      else if (stamp !== null)
        w.u32(0x0101080a)
          .u32(chance.near(stamp[1] + 1))
          .u32(stamp[0]);
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

function answerUdp(chance: Chance, n: number, frame: Uint8Array, at: number): Uint8Array | null {
  if (chance.yes(0.5)) return turned(frame, at, -1, n);
  // Nobody there: port unreachable.
  const w = writer.reset();
  w.mac(cast.OWN_MACS[n] as cast.Mac)
    .mac(cast.macOf(get32(frame, 30)))
    .u16(ETHERTYPE_IPV4);
  w.u16(0x4500).u16(56).u32(0).u8(64).u8(1).u16(0).u32(get32(frame, 30)).u32(get32(frame, 26));
  w.u8(3)
    .u8(chance.pick([3, 3, 1, 13, 4]))
    .u16(0)
    .u16(0)
    .u16(chance.pick([0, 600, 1400]))
    .copy(frame.slice(14, at + 8));
  const reply = w.take();
  set16(reply, 16, reply.length - 14);
  repair(reply);
  return reply;
}

/** The same packet back to its sender, ports turned; `type` replaces the ICMP type when it is not negative. */
function turned(frame: Uint8Array, at: number, type: number, n: number): Uint8Array {
  const reply = frame.slice();
  putMac(reply, 0, cast.OWN_MACS[n] as cast.Mac);
  putMac(reply, 6, cast.macOf(get32(frame, 30)));
  reply.set(frame.subarray(30, 34), 26);
  reply.set(frame.subarray(26, 30), 30);
  if (type >= 0) reply[at] = type;
  else {
    reply.set(frame.subarray(at + 2, at + 4), at);
    reply.set(frame.subarray(at, at + 2), at + 2);
  }
  repair(reply);
  return reply;
}

function putMac(frame: Uint8Array, at: number, mac: cast.Mac): void {
  set16(frame, at, mac[0]);
  set32(frame, at + 2, mac[1]);
}

/**
 * A segment for one of the kernel's connections, with numbers about right and at most `mostBytes` of data; null when it has
 * none but the honest one.
 */
export function liveSegment(chance: Chance, n: number, kernel: Kernel, mostBytes: number): Uint8Array | null {
  const alive: Connection[] = [];
  for (const c of kernel.tcp.tables.connections()) if (c.peerAddress !== cast.HONEST_ADDRESS) alive.push(c);
  if (alive.length === 0) return null;
  const c = chance.pick(alive);
  const window = (c.rcvAdv - c.rcvNxt) | 0;
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
  const sndUna = c.sndUna;
  return tcpFrame(chance, n, {
    src: c.peerAddress,
    dst: c.localAddress,
    srcPort: c.peerPort,
    dstPort: c.localPort,
    seq: chance.near(chance.yes(0.8) ? c.rcvNxt : (c.rcvNxt + window) | 0),
    ack: chance.near(chance.pick([sndUna, c.sndNxt, c.sndNxt])),
    flags,
    window: chance.yes(0.7) ? 1000 + chance.below(64000) : chance.edge(16),
    dataBytes: chance.yes(0.5) ? 0 : chance.yes(0.7) ? chance.small(9) : chance.below(mostBytes),
    options: (w) => {
      if (c.tsOk && chance.yes(0.9)) w.u32(0x0101080a).u32(chance.near(c.tsRecent)).u32(chance.next32());
      if (c.sackOk && chance.yes(0.3)) writeSack(chance, w, c);
      if (chance.yes(0.05)) writeTcpOptions(chance, w, true);
      if (w.length > 14 + 20 + 60) w.length = 14 + 20 + 60;
    },
  });
}

function writeSack(chance: Chance, w: FrameWriter, c: Connection): void {
  const blocks = 1 + chance.below(3);
  w.u16(0x0101)
    .u8(5)
    .u8(2 + 8 * blocks);
  for (let i = 0; i < blocks; i++) {
    const span = Math.max(1, (c.sndNxt - c.sndUna) | 0);
    const start = chance.near((c.sndUna + chance.below(span)) | 0);
    w.u32(start).u32(chance.near((start + chance.below(span + 1)) | 0));
  }
}
