/**
 * Frames made from a grammar: random, but plausible enough to get past the first checks.
 */

import { ETHERTYPE_ARP, ETHERTYPE_IPV4, FrameWriter, set16 } from './bytes.ts';
import * as cast from './cast.ts';
import type { Chance } from './chance.ts';
import { writeIcmp } from './grammar-icmp.ts';
import { ipv6Frame } from './grammar-ip6.ts';
import { ending, type Memory, writeUdp } from './grammar-parts.ts';
import { writeTcp } from './grammar-tcp.ts';

const writer = new FrameWriter();

/** A frame for interface `n`. */
export function grammarFrame(chance: Chance, n: number, memory: Memory): Uint8Array {
  const kind = chance.below(100);
  if (kind < 10) return arpFrame(chance, n);
  if (kind < (memory.ipv6 ? 53 : 92)) return ipv4Frame(chance, n, memory);
  if (kind < 97) return ipv6Frame(chance, n, memory);
  return oddFrame(chance, n);
}

export function arpFrame(chance: Chance, n: number): Uint8Array {
  const own = cast.OWN_ADDRESSES[n] as number;
  const sender = chance.yes(0.85) ? cast.neighbor(chance, n) : cast.sourceAddress(chance, n);
  const target = chance.yes(0.8) ? own : chance.yes(0.5) ? sender : cast.neighbor(chance, n);
  const hardware: cast.Mac = chance.yes(0.9)
    ? cast.macOf(chance.yes(0.9) ? sender : chance.next32())
    : chance.pick([cast.BROADCAST_MAC, [0, 0], cast.OWN_MACS[n] as cast.Mac, [0x0100, 0x5e000001]]);
  const operation = chance.yes(0.95) ? chance.pick([1, 1, 2]) : chance.edge(16);
  const to = operation === 1 && chance.yes(0.8) ? cast.BROADCAST_MAC : (cast.OWN_MACS[n] as cast.Mac);
  const w = writer.reset();
  w.mac(to).mac(hardware).u16(ETHERTYPE_ARP);
  w.u16(chance.yes(0.98) ? 1 : chance.edge(16)).u16(chance.yes(0.98) ? 0x0800 : chance.edge(16));
  w.u8(chance.yes(0.98) ? 6 : chance.edge(8)).u8(chance.yes(0.98) ? 4 : chance.edge(8));
  w.u16(operation).mac(hardware).u32(sender);
  w.mac(operation === 2 ? (cast.OWN_MACS[n] as cast.Mac) : [0, 0]).u32(target);
  if (chance.yes(0.3)) w.noise(chance, 18);
  return ending(chance, w);
}

export function ipv4Frame(chance: Chance, n: number, memory: Memory): Uint8Array {
  const protocol = chance.pick([6, 6, 6, 17, 17, 1, 1, 2, cast.RAW_PROTOCOL, chance.below(256)]);
  // Redirects are believed of gateways only.
  const src = protocol === 1 && chance.yes(0.3) ? cast.gateway(n) : cast.sourceAddress(chance, n);
  const dst = protocol === 2 && chance.yes(0.7) ? cast.ip('224.0.0.1') : cast.destinationAddress(chance, n);
  const w = writer.reset();
  w.mac(cast.destinationMac(chance, n, dst))
    .mac(cast.macOf(src))
    .u16(ETHERTYPE_IPV4);
  const at = w.length;
  const fragment = chance.yes(0.85) ? 0 : fragmentWord(chance);
  w.u8(0x45)
    .u8(chance.yes(0.8) ? 0 : chance.below(256))
    .u16(0);
  // Few identifications, so that fragments of one datagram meet.
  w.u16(fragment === 0 ? chance.below(65536) : chance.below(4)).u16(fragment | (chance.yes(0.3) ? 0x4000 : 0));
  w.u8(chance.yes(0.9) ? 64 : chance.pick([0, 1, 2, 255]))
    .u8(protocol)
    .u16(0)
    .u32(src)
    .u32(dst);
  if (chance.yes(protocol === 2 ? 0.6 : 0.1)) writeOptions(chance, w, protocol);
  const headerBytes = w.length - at;
  const payloadAt = w.length;
  if (fragment & 0x1fff) w.noise(chance, chance.yes(0.7) ? 8 * chance.below(180) : chance.below(1400));
  else writePayload(chance, w, n, protocol, memory);
  if (fragment & 0x2000) while ((w.length - payloadAt) % 8 !== 0) w.u8(0);
  set16(w.bytes, at, ((0x40 | (headerBytes >> 2)) << 8) | (w.bytes[at + 1] as number));
  set16(w.bytes, at + 2, w.length - at);
  if (chance.yes(0.02)) w.bytes[at] = chance.below(256);
  if (chance.yes(0.03)) set16(w.bytes, at + 2, chance.edge(16));
  return ending(chance, w);
}

function fragmentWord(chance: Chance): number {
  const more = chance.yes(0.7) ? 0x2000 : 0;
  if (chance.yes(0.4)) return more;
  return more | (chance.yes(0.8) ? chance.below(400) : chance.edge(13));
}

function writePayload(chance: Chance, w: FrameWriter, n: number, protocol: number, memory: Memory): void {
  if (protocol === 6) writeTcp(chance, w);
  else if (protocol === 17) writeUdp(chance, w);
  else if (protocol === 1) writeIcmp(chance, w, n, memory);
  else if (protocol === 2) writeIgmp(chance, w);
  else w.noise(chance, chance.small(9));
}

function writeIgmp(chance: Chance, w: FrameWriter): void {
  const group = chance.yes(0.5) ? 0 : chance.pick([cast.GROUP, cast.SOURCE_GROUP, chance.next32()]);
  w.u8(chance.yes(0.8) ? 0x11 : chance.pick([0x12, 0x16, 0x17, 0x22, chance.below(256)]));
  w.u8(chance.yes(0.5) ? chance.below(20) : chance.below(256))
    .u16(0)
    .u32(group);
  if (chance.yes(0.6)) {
    const sources = chance.small(5);
    w.u8(chance.below(256))
      .u8(chance.below(256))
      .u16(chance.yes(0.9) ? sources : chance.edge(16));
    for (let i = 0; i < sources; i++) w.u32(cast.sourceAddress(chance, 0));
  }
}

function writeOptions(chance: Chance, w: FrameWriter, protocol: number): void {
  const from = w.length;
  if (protocol === 2) w.u32(0x94040000);
  while (w.length - from < 36 && chance.yes(0.6)) writeOption(chance, w, 40 - (w.length - from));
  w.pad4(from);
  if (w.length - from > 40) w.length = from + 40;
}

function writeOption(chance: Chance, w: FrameWriter, room: number): void {
  const kind = chance.pick([0, 1, 1, 7, 7, 68, 68, 131, 137, 148, 130, chance.below(256)]);
  if (kind < 2) {
    w.u8(kind);
    return;
  }
  const entries = chance.below(Math.max(1, Math.floor((room - 4) / 4)));
  const time = kind === 68;
  const length = (time ? 4 : 3) + 4 * entries;
  w.u8(kind).u8(chance.yes(0.95) ? length : chance.below(256));
  w.u8(chance.yes(0.8) ? (time ? 5 : 4) + 4 * chance.below(entries + 1) : chance.below(256));
  if (time) w.u8(chance.pick([0, 1, 3, 0xf0, 0xf1, chance.below(256)]));
  for (let i = 0; i < entries; i++) w.u32(chance.yes(0.5) ? cast.destinationAddress(chance, 0) : 0);
}

/** VLAN tags, lengths instead of types, and noise. */
function oddFrame(chance: Chance, n: number): Uint8Array {
  const w = writer.reset();
  w.mac(chance.yes(0.8) ? (cast.OWN_MACS[n] as cast.Mac) : cast.BROADCAST_MAC).mac(cast.macOf(chance.next32()));
  const type = chance.pick([
    0x8100,
    0x88a8,
    0x9100,
    ETHERTYPE_IPV4,
    ETHERTYPE_ARP,
    0x86dd,
    chance.below(1536),
    chance.below(65536),
  ]);
  w.u16(type);
  if (type === 0x8100 || type === 0x88a8) w.u16(chance.below(65536)).u16(chance.pick([0x0800, 0x0806, 0x86dd, 0x8100]));
  w.noise(chance, chance.small(10));
  const frame = w.take();
  return chance.yes(0.1) ? frame.slice(0, chance.below(frame.length + 1)) : frame;
}
