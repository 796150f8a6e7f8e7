/** The frames of floods over IPv6, as flood-frames.ts has them for IPv4. */

import { ETHERTYPE_IPV6, FrameWriter, repair } from '../fuzz/bytes.ts';
import { type Address, ALL_NODES, solicitedNode, UNSPECIFIED } from '../fuzz/cast6.ts';
import type { Chance } from '../fuzz/chance.ts';
import { ATTACKER_MAC, type Flood, port, SERVER_MAC } from './flood-frames.ts';

export const SERVER6: Address = [0x20010db8, 0, 0, 1];
export const CLIENT6: Address = [0x20010db8, 0, 0, 2];
export const GATEWAY6: Address = [0xfe800000 | 0, 0, 0, 0xfe];
/** Who asks about groups. */
const QUERIER: Address = [0xfe800000 | 0, 0, 0, 0xfd];

const TCP = 6;
const UDP = 17;
const FRAGMENT = 44;
const ICMP = 58;
const OPTIONS = 60;

const writer = new FrameWriter();

/** Anybody, one in four on the server's own subnet. */
function anybody(chance: Chance): Address {
  if (chance.yes(0.25)) return [0x20010db8, 0, 0, chance.between(10, 60_000)];
  return [0x20010db8, chance.between(1, 0xffff) << 16, chance.next32(), chance.next32()];
}

function linkLocal(chance: Chance): Address {
  return [0xfe800000 | 0, 0, 0, chance.between(0x1000, 0xffff)];
}

function put(w: FrameWriter, address: Address): FrameWriter {
  for (const word of address) w.u32(word);
  return w;
}

function ip6(src: Address, dst: Address, next: number, hops: number, write: (w: FrameWriter) => void): Uint8Array {
  const group = dst[0] >>> 24 === 0xff;
  const w = writer.reset();
  w.mac(group ? [0x3333, dst[3]] : SERVER_MAC)
    .mac(ATTACKER_MAC)
    .u16(ETHERTYPE_IPV6);
  w.u32(0x60000000).u16(0).u8(next).u8(hops);
  put(put(w, src), dst);
  const at = w.length;
  write(w);
  w.view.setUint16(18, w.length - at);
  const frame = w.take();
  repair(frame);
  return frame;
}

function tcp(chance: Chance, src: Address, srcPort: number, dstPort: number, flags: number): Uint8Array {
  const syn = (flags & 2) !== 0;
  return ip6(src, SERVER6, TCP, 64, (w) => {
    w.u16(srcPort)
      .u16(dstPort)
      .u32(chance.next32())
      .u32(flags & 0x10 ? chance.next32() : 0);
    w.u16((syn ? 0x6000 : 0x5000) | flags)
      .u16(65535)
      .u32(0);
    if (syn) w.u32(0x020405a0);
  });
}

function fragment(chance: Chance, src: Address, id: number, offset: number, more: boolean, bytes: number): Uint8Array {
  return ip6(src, SERVER6, FRAGMENT, 64, (w) => {
    w.u16(UDP << 8)
      .u16((offset << 3) | (more ? 1 : 0))
      .u32(id)
      .noise(chance, bytes);
  });
}

/** A message of neighbor discovery: type in the high byte, the word after the checksum, what follows. */
function discovery(
  src: Address,
  dst: Address,
  type: number,
  rest: number,
  write: (w: FrameWriter) => void,
): Uint8Array {
  return ip6(src, dst, ICMP, 255, (w) => {
    w.u32(type << 24).u32(rest);
    write(w);
  });
}

/** Listener discovery: behind a hop-by-hop header with a router alert. */
function listener(dst: Address, write: (w: FrameWriter) => void): Uint8Array {
  return ip6(QUERIER, dst, 0, 1, (w) => {
    w.u32(0x3a000502).u32(0x00000100);
    write(w);
  });
}

export const FLOODS_6: Readonly<Record<string, Flood>> = {
  'SYNs from made-up addresses to the listening port': (chance, { serverPort }) =>
    tcp(chance, anybody(chance), port(chance), serverPort, 0x02),
  'SYNs to closed ports': (chance) => tcp(chance, anybody(chance), port(chance), port(chance), 0x02),
  'ACKs to the listening port': (chance, { serverPort }) =>
    tcp(chance, anybody(chance), port(chance), serverPort, 0x10),
  'ACKs in the name of the client': (chance, { serverPort, clientPort }) =>
    tcp(chance, CLIENT6, clientPort, serverPort, 0x10),
  'SYNs in the name of the client': (chance, { serverPort, clientPort }) =>
    tcp(chance, CLIENT6, clientPort, serverPort, 0x02),
  'RSTs in the name of the client': (chance, { serverPort, clientPort }) =>
    tcp(chance, CLIENT6, clientPort, serverPort, 0x04),
  'SYN-ACKs nobody asked for': (chance, { serverPort }) => tcp(chance, anybody(chance), port(chance), serverPort, 0x12),
  'neighbor solicitations from ever new senders': (chance) => {
    const src: Address = [0x20010db8, 0, 0, chance.between(10, 60_000)];
    return discovery(src, solicitedNode(SERVER6), 135, 0, (w) =>
      put(w, SERVER6).u16(0x0101).mac([0x02aa, chance.next32()]),
    );
  },
  'neighbor solicitations from those who do not say where they are': (chance) =>
    discovery([0x20010db8, 0, 0, chance.between(10, 60_000)], SERVER6, 135, 0, (w) => put(w, SERVER6)),
  'questions whether the address is free': () =>
    discovery(UNSPECIFIED, solicitedNode(SERVER6), 135, 0, (w) => put(w, SERVER6)),
  'neighbor advertisements nobody asked for': (chance) => {
    const src: Address = [0x20010db8, 0, 0, chance.between(10, 60_000)];
    const flags = chance.pick([0xe0000000, 0x60000000, 0x20000000]) | 0;
    return discovery(src, SERVER6, 136, flags, (w) => put(w, src).u16(0x0201).mac([0x02aa, chance.next32()]));
  },
  'router solicitations': (chance) =>
    discovery(linkLocal(chance), [0xff020000 | 0, 0, 0, 2], 133, 0, (w) => w.u16(0x0101).mac([0x02aa, 7])),
  'router advertisements of ever new routers and prefixes': (chance) =>
    discovery(linkLocal(chance), ALL_NODES, 134, 0x4000_0708, (w) => {
      w.u32(0).u32(0);
      w.u16(0x0101).mac([0x02aa, chance.next32()]);
      w.u32(0x030440c0).u32(1800).u32(1800).u32(0);
      put(w, [0xfd000000 | 0, chance.next32(), 0, 0]);
      w.u32(0x18024000).u32(600).u32(0x20010db8).u32(chance.next32());
    }),
  'redirects in the name of the gateway': (chance) =>
    discovery(GATEWAY6, SERVER6, 137, 0, (w) => {
      put(put(w, linkLocal(chance)), anybody(chance))
        .u16(0x0201)
        .mac([0x02aa, chance.next32()]);
    }),
  'listener queries': (chance, _, i) =>
    listener(ALL_NODES, (w) => {
      w.u32(0x82000000).u16(chance.below(3)).u16(0);
      put(w, UNSPECIFIED);
      if (i % 4 !== 0) w.u8(2).u8(1).u16(0);
    }),
  'listener reports of others': (chance) =>
    listener([0xff020000 | 0, 0, 0, 1], (w) => {
      w.u32(0x83000000).u32(0);
      put(w, [0xff050000 | 0, 0, 0, chance.between(1, 60_000)]);
    }),
  'first fragments of datagrams that never end': (chance) =>
    fragment(chance, anybody(chance), chance.next32(), 0, true, 512),
  'small fragments with holes between them': (chance, _, i) =>
    fragment(chance, [0x20010db8, 0, 0, 0x77 + (i >> 14)], (i >> 7) & 127, 2 * (i & 127), true, 8),
  'last fragments far out': (chance) => fragment(chance, anybody(chance), chance.next32(), 8170, false, 8),
  'UDP to closed ports': (chance) =>
    ip6(anybody(chance), SERVER6, UDP, 64, (w) => w.u16(port(chance)).u16(9).u16(16).u16(0).noise(chance, 8)),
  'UDP to a socket that is not read': (chance) =>
    ip6(anybody(chance), SERVER6, UDP, 64, (w) => w.u16(port(chance)).u16(5000).u16(508).u16(0).noise(chance, 500)),
  'echo requests': (chance) =>
    ip6(anybody(chance), SERVER6, ICMP, 64, (w) =>
      w
        .u32(0x80000000 | 0)
        .u32(chance.next32())
        .noise(chance, 56),
    ),
  'packets of unknown protocols': (chance) => ip6(anybody(chance), SERVER6, 200, 64, (w) => w.noise(chance, 20)),
  'packets with options that ask for an error': (chance) =>
    ip6(anybody(chance), SERVER6, OPTIONS, 64, (w) => w.u32(0x3b00be04).u32(chance.next32())),
  'packets with long chains of headers': (chance) =>
    ip6(anybody(chance), SERVER6, OPTIONS, 64, (w) => {
      for (let i = 0; i < 100; i++) w.u32(0x3c000104).u32(0);
      w.u32(0x3b000104).u32(0);
    }),
  'ICMPv6 saying that packets are too big': (chance) => {
    // About packets to itself: an address that nobody here has heard of would not be believed.
    const src = anybody(chance);
    return ip6(src, SERVER6, ICMP, 64, (w) => {
      w.u32(0x02000000).u32(chance.between(1280, 1400));
      w.u32(0x60000000).u16(1440).u8(UDP).u8(64);
      put(put(w, SERVER6), src).u32(0x00500050).u32(0);
    });
  },
};
