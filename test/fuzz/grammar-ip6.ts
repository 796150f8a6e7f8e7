/**
 * IPv6 frames from the grammar: chains of extension headers, fragments, ICMPv6 with neighbor discovery and listener
 * discovery, UDP and TCP.
 */

import { ETHERTYPE_IPV6, FrameWriter, set16 } from './bytes.ts';
import * as cast from './cast.ts';
import {
  type Address,
  ALL_NODES,
  anything,
  destination,
  destinationMac,
  GATEWAY,
  GROUP,
  linkLocalNeighbor,
  neighbor,
  own,
  PREFIX,
  solicitedNode,
  source,
  sourceMac,
  UNSPECIFIED,
} from './cast6.ts';
import type { Chance } from './chance.ts';
import { ending, type Memory, writeUdp } from './grammar-parts.ts';
import { writeTcp } from './grammar-tcp.ts';

const writer = new FrameWriter();

function put(w: FrameWriter, address: Address): void {
  for (const word of address) w.u32(word);
}

export function ipv6Frame(chance: Chance, n: number, memory: Memory): Uint8Array {
  const kind = chance.pick(['nd', 'nd', 'router', 'router', 'mld', 'icmp', 'tcp', 'udp', 'udp', 'other'] as const);
  const local = kind === 'mld' ? 0.9 : kind === 'nd' ? 0.5 : 0;
  const routing = kind === 'router' && chance.yes(0.9);
  const src = routing ? GATEWAY : chance.yes(local) ? linkLocalNeighbor(chance) : source(chance, n);
  const dst = routing && chance.yes(0.5) ? ALL_NODES : destination(chance, n);
  const w = writer.reset();
  w.mac(chance.yes(0.03) ? cast.BROADCAST_MAC : destinationMac(n, dst));
  w.mac(sourceMac(src)).u16(ETHERTYPE_IPV6);
  const at = w.length;
  w.u32(0x60000000 | (chance.yes(0.9) ? 0 : chance.next32() & 0xfffffff))
    .u16(0)
    .u8(59);
  const hops = kind === 'nd' || kind === 'router' ? 255 : kind === 'mld' ? 1 : 64;
  w.u8(chance.yes(0.93) ? hops : chance.pick([0, 1, 64, 255, chance.below(256)]));
  put(w, src);
  put(w, dst);
  const nextAt = kind === 'mld' && chance.yes(0.8) ? routerAlert(w, at + 6) : extensions(chance, w, at + 6, n);
  if (kind === 'tcp') header(w, nextAt, 6, () => writeTcp(chance, w));
  else if (kind === 'udp') header(w, nextAt, 17, () => writeUdp(chance, w));
  else if (kind === 'nd') header(w, nextAt, 58, () => writeDiscovery(chance, w, n));
  else if (kind === 'router') header(w, nextAt, 58, () => writeRouter(chance, w, n));
  else if (kind === 'mld') header(w, nextAt, 58, () => writeListener(chance, w));
  else if (kind === 'icmp') header(w, nextAt, 58, () => writeIcmp6(chance, w, n, memory));
  else header(w, nextAt, chance.below(256), () => w.noise(chance, chance.small(8)));
  set16(w.bytes, at + 4, chance.yes(0.97) ? w.length - at - 40 : chance.edge(16));
  return ending(chance, w);
}

function header(w: FrameWriter, nextAt: number, protocol: number, write: () => void): void {
  w.bytes[nextAt] = protocol;
  write();
}

function routerAlert(w: FrameWriter, nextAt: number): number {
  w.bytes[nextAt] = 0;
  const at = w.length;
  w.u8(59).u8(0).u16(0x0502).u16(0).u16(0x0100);
  return at;
}

/** A chain of extension headers. Returns where the next-header field of the last one lies. */
function extensions(chance: Chance, w: FrameWriter, nextAt: number, n: number): number {
  let count = chance.yes(0.75) ? 0 : chance.yes(0.95) ? 1 + chance.below(4) : chance.below(40);
  for (; count > 0 && w.length < 1300; count--) {
    const kind = chance.pick([0, 43, 44, 44, 60, 60, 51, 135, 59]);
    w.bytes[nextAt] = kind;
    nextAt = w.length;
    if (kind === 44) {
      const offset = chance.yes(0.5) ? 0 : chance.below(400) << 3;
      w.u8(59)
        .u8(0)
        .u16(offset | (chance.yes(0.6) ? 1 : 0))
        .u32(chance.below(4));
      continue;
    }
    const units = chance.yes(0.9) ? chance.below(3) : chance.below(256);
    w.u8(59).u8(units);
    const body = Math.min(6 + 8 * units, 1400);
    if (kind === 43) writeRouting(chance, w, body, n);
    else writeTlvs(chance, w, body);
  }
  return nextAt;
}

function writeRouting(chance: Chance, w: FrameWriter, body: number, n: number): void {
  w.u8(chance.pick([0, 2, 3, 4, chance.below(256)]))
    .u8(chance.below(4))
    .u32(0);
  for (let left = body - 6; left >= 16; left -= 16) put(w, destination(chance, n));
  w.noise(chance, (body - 6) % 16);
}

function writeTlvs(chance: Chance, w: FrameWriter, body: number): void {
  const end = w.length + body;
  while (w.length < end) {
    const type = chance.pick([0, 1, 1, 5, 0x3e, 0x7e, 0xbe, 0xfe, 0xc2, 0xc9, chance.below(256)]);
    if (type === 0 || end - w.length < 2) {
      w.u8(0);
      continue;
    }
    const length = Math.min(chance.below(12), end - w.length - 2);
    w.u8(type)
      .u8(chance.yes(0.95) ? length : chance.below(256))
      .noise(chance, length);
  }
}

function writeDiscovery(chance: Chance, w: FrameWriter, n: number): void {
  const type = chance.pick([133, 134, 134, 135, 135, 136, 136, 137]);
  const target = chance.yes(0.7) ? own(chance, n) : neighbor(chance, n);
  w.u8(type)
    .u8(chance.yes(0.97) ? 0 : chance.below(256))
    .u16(0);
  if (type === 134) {
    w.u8(chance.edge(8))
      .u8(chance.below(256))
      .u16(chance.yes(0.5) ? 1800 : chance.edge(16));
    w.u32(chance.edge()).u32(chance.edge());
  } else {
    w.u32(type === 136 ? chance.pick([0xe0000000, 0x60000000, 0x20000000, 0x40000000, 0]) : 0);
    if (type !== 133) put(w, target);
    if (type === 137) put(w, destination(chance, n));
  }
  for (let count = chance.below(4); count > 0; count--) writeDiscoveryOption(chance, w, n);
}

/** What a router says, mostly in order: advertisements and redirects. */
function writeRouter(chance: Chance, w: FrameWriter, n: number): void {
  if (chance.yes(0.35)) {
    const host: Address = [0x20010db8, 0, 0, chance.below(32)];
    const there = chance.yes(0.5) ? host : neighbor(chance, n);
    w.u16(137 << 8)
      .u16(0)
      .u32(0);
    put(w, chance.yes(0.5) ? there : linkLocalNeighbor(chance));
    put(w, there);
    if (chance.yes(0.7)) w.u16(0x0201).mac(cast.macOf(chance.below(16)));
    return;
  }
  w.u16(134 << 8)
    .u16(0)
    .u8(chance.pick([0, 1, 64, 255]))
    .u8(chance.pick([0, 0x08, 0x18, 0xc0]));
  w.u16(chance.pick([0, 1, 30, 1800, 65535]))
    .u32(chance.pick([0, 100, 30_000]))
    .u32(chance.pick([0, 1, 1000]));
  if (chance.yes(0.5)) w.u16(0x0101).mac(cast.macOf(chance.below(16)));
  if (chance.yes(0.3))
    w.u16(0x0501)
      .u16(0)
      .u32(chance.pick([0, 1280, 1400, 1500, 9000]));
  for (let count = chance.below(4); count > 0; count--) {
    if (chance.yes(0.3)) {
      const prefixLength = chance.below(129);
      w.u8(24)
        .u8(3)
        .u8(prefixLength)
        .u8(chance.below(4) << 3)
        .u32(chance.pick([0, 10, 0xffffffff]));
      w.u32(0x20010db8)
        .u32(chance.below(64) << 16)
        .u32(0)
        .u32(0);
      continue;
    }
    const valid = chance.pick([0, 1, 60, 7200, 100_000, 0xffffffff]);
    w.u8(3)
      .u8(4)
      .u8(chance.yes(0.9) ? 64 : chance.below(130))
      .u8(chance.pick([0xc0, 0xc0, 0x40, 0x80, 0]));
    w.u32(valid)
      .u32(chance.yes(0.9) ? Math.min(valid, chance.pick([0, 1, 30, 3600, 0xffffffff])) : 0xffffffff)
      .u32(0);
    put(w, [PREFIX, 0x100 + chance.below(40), 0, 0]);
  }
}

function writeDiscoveryOption(chance: Chance, w: FrameWriter, n: number): void {
  const kind = chance.pick([1, 1, 2, 2, 3, 3, 5, 14, 24, 25, 4, chance.below(256)]);
  const units = (value: number): number => (chance.yes(0.95) ? value : chance.below(256));
  if (kind === 1 || kind === 2) {
    w.u8(kind)
      .u8(units(1))
      .mac(chance.yes(0.9) ? cast.macOf(chance.below(16)) : [0x3333, 1]);
  } else if (kind === 3) {
    w.u8(3)
      .u8(units(4))
      .u8(chance.yes(0.8) ? 64 : chance.edge(8))
      .u8(chance.below(256));
    w.u32(chance.yes(0.6) ? chance.below(10000) : chance.edge())
      .u32(chance.yes(0.6) ? chance.below(10000) : chance.edge())
      .u32(0);
    put(w, chance.yes(0.6) ? [PREFIX, n, 0, 0] : anything(chance));
  } else if (kind === 5) {
    w.u8(5)
      .u8(units(1))
      .u16(0)
      .u32(chance.yes(0.7) ? chance.pick([1280, 1400, 1500]) : chance.edge());
  } else {
    const size = 1 + chance.below(4);
    w.u8(kind)
      .u8(units(size))
      .noise(chance, 8 * size - 2);
  }
}

function writeListener(chance: Chance, w: FrameWriter): void {
  const type = chance.pick([130, 130, 130, 131, 132, 143]);
  w.u8(type)
    .u8(0)
    .u16(0)
    .u16(chance.yes(0.7) ? chance.below(1000) : chance.edge(16))
    .u16(0);
  put(w, chance.yes(0.5) ? UNSPECIFIED : chance.pick([GROUP, solicitedNode(own(chance, 0)), anything(chance)]));
  if (chance.yes(0.6)) {
    const sources = chance.small(3);
    w.u8(chance.below(256))
      .u8(chance.below(256))
      .u16(chance.yes(0.9) ? sources : chance.edge(16));
    for (let i = 0; i < sources; i++) put(w, neighbor(chance, 0));
  }
}

function writeIcmp6(chance: Chance, w: FrameWriter, n: number, memory: Memory): void {
  const type = chance.yes(0.9) ? chance.pick([128, 128, 129, 1, 2, 2, 3, 4]) : chance.below(256);
  w.u8(type).u8(chance.below(8)).u16(0);
  if (type >= 128) {
    w.u32(chance.next32()).noise(chance, chance.small(10));
    return;
  }
  w.u32(chance.yes(0.7) ? chance.pick([1280, 1400, 1500, 40]) : chance.edge());
  const packets = memory.recent.filter((packet) => (packet[0] as number) >> 4 === 6);
  if (packets.length > 0 && chance.yes(0.7)) {
    const packet = chance.pick(packets);
    w.copy(packet.slice(0, Math.min(packet.length, 1200, chance.yes(0.8) ? 2000 : chance.below(100))));
    return;
  }
  const at = w.length;
  w.u32(0x60000000)
    .u16(chance.edge(16))
    .u8(chance.pick([6, 17, 58, 44, 0]))
    .u8(64);
  put(w, own(chance, n));
  put(w, neighbor(chance, n));
  w.noise(chance, chance.below(64));
  if (chance.yes(0.1)) w.length = at + chance.below(w.length - at);
}
