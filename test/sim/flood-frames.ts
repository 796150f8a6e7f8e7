/** The frames of floods: each call makes the next one. What is spoofed comes from a seed. */

import { ETHERTYPE_ARP, ETHERTYPE_IPV4, FrameWriter, repair } from '../fuzz/bytes.ts';
import type { Chance } from '../fuzz/chance.ts';

export const SERVER_MAC = [0x026d, 1] as const;
export const ATTACKER_MAC = [0x026d, 99] as const;
export const SERVER: number = address('10.0.0.1');
export const CLIENT: number = address('10.0.0.2');
export const GATEWAY: number = address('10.0.0.254');

export function address(text: string): number {
  return text.split('.').reduce((value, part) => (value << 8) | Number(part), 0);
}

/** What the flood may know of the honest connection: its ports. */
export interface FloodTarget {
  serverPort: number;
  clientPort: number;
}

export type Flood = (chance: Chance, target: FloodTarget, i: number) => Uint8Array;

const writer = new FrameWriter();

/** Anybody, one in four on the server's own subnet. */
function anybody(chance: Chance): number {
  if (chance.yes(0.25)) return address('10.0.0.0') | chance.between(10, 250);
  return (chance.between(11, 223) << 24) | (chance.next32() & 0xffffff);
}

function begin(dst: readonly [number, number] = SERVER_MAC): FrameWriter {
  return writer.reset().mac(dst).mac(ATTACKER_MAC);
}

function ip4(
  src: number,
  dst: number,
  protocol: number,
  fragment: number,
  id: number,
  write: (w: FrameWriter) => void,
): Uint8Array {
  const group = dst >>> 28 === 0xe;
  const w = begin(group ? [0x0100, 0x5e000000 | (dst & 0x7fffff)] : SERVER_MAC).u16(ETHERTYPE_IPV4);
  w.u16(0x4500)
    .u16(0)
    .u16(id)
    .u16(fragment)
    .u8(protocol === 2 ? 1 : 64)
    .u8(protocol)
    .u16(0)
    .u32(src)
    .u32(dst);
  write(w);
  w.view.setUint16(16, w.length - 14);
  const frame = w.take();
  repair(frame);
  return frame;
}

function tcp(
  src: number,
  srcPort: number,
  dstPort: number,
  flags: number,
  chance: Chance,
  options: boolean,
): Uint8Array {
  return ip4(src, SERVER, 6, 0, 0, (w) => {
    w.u16(srcPort)
      .u16(dstPort)
      .u32(chance.next32())
      .u32(flags & 0x10 ? chance.next32() : 0);
    w.u16((options ? 0x6000 : 0x5000) | flags)
      .u16(65535)
      .u16(0)
      .u16(0);
    if (options) w.u32(0x020405b4);
  });
}

export function port(chance: Chance): number {
  return chance.between(1024, 65535);
}

export const FLOODS: Readonly<Record<string, Flood>> = {
  'SYNs from made-up addresses to the listening port': (chance, { serverPort }) =>
    tcp(anybody(chance), port(chance), serverPort, 0x02, chance, true),
  'SYNs to closed ports': (chance) => tcp(anybody(chance), port(chance), port(chance), 0x02, chance, true),
  'ACKs to the listening port': (chance, { serverPort }) =>
    tcp(anybody(chance), port(chance), serverPort, 0x10, chance, false),
  'ACKs in the name of the client': (chance, { serverPort, clientPort }) =>
    tcp(CLIENT, clientPort, serverPort, 0x10, chance, false),
  'SYNs in the name of the client': (chance, { serverPort, clientPort }) =>
    tcp(CLIENT, clientPort, serverPort, 0x02, chance, false),
  'RSTs in the name of the client': (chance, { serverPort, clientPort }) =>
    tcp(CLIENT, clientPort, serverPort, 0x04, chance, false),
  'SYN-ACKs nobody asked for': (chance, { serverPort }) =>
    tcp(anybody(chance), port(chance), serverPort, 0x12, chance, true),
  'ARP requests from ever new senders': (chance) => {
    const sender = address('10.0.0.0') | chance.between(3, 250);
    const w = begin([0xffff, -1]).u16(ETHERTYPE_ARP).u32(0x00010800).u16(0x0604).u16(1);
    return w.mac([0x02aa, chance.next32()]).u32(sender).mac([0, 0]).u32(SERVER).take();
  },
  'ARP answers nobody asked for': (chance) => {
    const sender = address('10.0.0.0') | chance.between(3, 250);
    const w = begin().u16(ETHERTYPE_ARP).u32(0x00010800).u16(0x0604).u16(2);
    return w.mac([0x02aa, chance.next32()]).u32(sender).mac(SERVER_MAC).u32(SERVER).take();
  },
  'first fragments of datagrams that never end': (chance) =>
    ip4(anybody(chance), SERVER, 17, 0x2000, chance.below(65536), (w) => w.noise(chance, 512)),
  'small fragments with holes between them': (chance, _, i) =>
    ip4(address('10.0.0.77') + (i >> 14), SERVER, 17, 0x2000 | (2 * (i & 127)), (i >> 7) & 127, (w) =>
      w.noise(chance, 8),
    ),
  'last fragments far out': (chance) =>
    ip4(anybody(chance), SERVER, 17, 8180, chance.below(65536), (w) => w.noise(chance, 8)),
  'UDP to closed ports': (chance) =>
    ip4(anybody(chance), SERVER, 17, 0, 0, (w) => w.u16(port(chance)).u16(9).u16(16).u16(0).noise(chance, 8)),
  'UDP to a socket that is not read': (chance) =>
    ip4(anybody(chance), SERVER, 17, 0, 0, (w) => w.u16(port(chance)).u16(5000).u16(508).u16(0).noise(chance, 500)),
  'echo requests': (chance) =>
    ip4(anybody(chance), SERVER, 1, 0, 0, (w) => w.u16(0x0800).u16(0).u32(chance.next32()).noise(chance, 56)),
  'packets of unknown protocols': (chance) => ip4(anybody(chance), SERVER, 200, 0, 0, (w) => w.noise(chance, 20)),
  'packets with options that are wrong': (chance) => {
    const frame = ip4(anybody(chance), SERVER, 17, 0, 0, (w) =>
      w.u8(131).u8(7).u8(3).u32(SERVER).u8(0).noise(chance, 16),
    );
    frame[14] = 0x47;
    repair(frame);
    return frame;
  },
  'group membership queries': (_, __, i) =>
    ip4(address('10.0.0.3'), address('224.0.0.1'), 2, 0, 0, (w) => {
      w.u8(0x11)
        .u8(i % 3)
        .u16(0)
        .u32(0);
      if (i % 4 !== 0) w.u8(2).u8(1).u16(0);
    }),
  'redirects in the name of the gateway': (chance) =>
    ip4(GATEWAY, SERVER, 1, 0, 0, (w) => {
      w.u16(0x0501)
        .u16(0)
        .u32(address('10.0.0.0') | chance.between(3, 250));
      w.u32(0x4500001c).u32(0).u16(0x4006).u16(0).u32(SERVER).u32(anybody(chance)).u32(0x00500050).u32(0);
    }),
  'ICMP saying that packets are too big': (chance) =>
    ip4(anybody(chance), SERVER, 1, 0, 0, (w) => {
      w.u16(0x0304).u16(0).u16(0).u16(chance.between(552, 1400));
      w.u32(0x450005dc).u32(0x4000).u16(0x4011).u16(0).u32(SERVER).u32(anybody(chance)).u32(0x00500050).u32(0);
    }),
};
