/**
 * Who plays: the addresses and ports of the kernel under test, of those who speak to it, and of nobody.
 *
 * eth0 and eth1 are where frames are thrown in; eth2 leads to the honest peer alone.
 */

import type { Chance } from './chance.ts';

export type Mac = readonly [hi: number, lo: number];

/** "10.0.0.1" as int32. */
export function ip(text: string): number {
  return text.split('.').reduce((address, part) => (address << 8) | Number(part), 0);
}

export const INTERFACES: readonly string[] = ['eth0', 'eth1', 'eth2'];
export const OWN_MACS: readonly Mac[] = [
  [0x0200, 1],
  [0x0200, 2],
  [0x0200, 3],
];
export const OWN_ADDRESSES: readonly number[] = [ip('10.0.0.1'), ip('10.1.0.1'), ip('10.2.0.1')];
export const SECOND_ADDRESS: number = ip('10.0.0.77');
export const PREFIX_LENGTH = 24;

/** Whether the kernel has that address, or had it a moment ago. */
export function isOwn(address: number): boolean {
  return address === SECOND_ADDRESS || OWN_ADDRESSES.includes(address);
}

export const BROADCAST_MAC: Mac = [0xffff, -1];

export const HONEST_MAC: Mac = [0x0200, 0xee];
export const HONEST_ADDRESS: number = ip('10.2.0.2');
export const HONEST_PORT = 7777;

export const GATEWAY: number = ip('10.0.0.254');
export const OTHER_GATEWAY: number = ip('10.1.0.254');
export function gateway(n: number): number {
  return n === 0 ? GATEWAY : OTHER_GATEWAY;
}

/** Networks behind the second gateway, refused, and swallowed. */
export const ROUTED_NET: number = ip('10.9.0.0');
export const REJECTED_NET: number = ip('10.66.0.0');
export const SWALLOWED_NET: number = ip('10.67.0.0');

export const GROUP: number = ip('239.1.2.3');
export const SOURCE_GROUP: number = ip('232.1.1.1');

export const PORT_DEAF = 80;
export const PORT_BUSY = 81;
export const PORT_NARROW = 82;
export const PORT_CLOSED = 9;
export const PORT_PUPPET = 9000;
export const UDP_ECHO = 7;
export const UDP_NAMES = 53;
export const UDP_DEAF = 5000;
export const UDP_GROUP = 5353;
export const UDP_CONNECTED = 1000;
export const RAW_PROTOCOL = 89;

export const TCP_PORTS: readonly number[] = [
  PORT_DEAF,
  PORT_BUSY,
  PORT_BUSY,
  PORT_NARROW,
  PORT_CLOSED,
  HONEST_PORT,
  PORT_PUPPET,
];
export const UDP_PORTS: readonly number[] = [UDP_ECHO, UDP_NAMES, UDP_DEAF, UDP_GROUP, UDP_CONNECTED, PORT_CLOSED];

const ODD_ADDRESSES: readonly number[] = [
  '0.0.0.0',
  '0.0.0.1',
  '127.0.0.1',
  '127.255.255.255',
  '224.0.0.1',
  '224.0.0.2',
  '224.0.0.22',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '10.0.0.0',
  '10.0.0.255',
  '10.1.0.255',
  '10.66.1.1',
  '10.67.1.1',
  '10.9.1.1',
  '192.0.2.1',
  '8.8.8.8',
  '169.254.1.1',
  '1.2.3.4',
].map(ip);

/** A link-layer address for whoever has `address`. */
export function macOf(address: number): Mac {
  return [0x02aa, address];
}

/** Somebody on the subnet of interface `n`: few of them, so that they meet again. */
export function neighbor(chance: Chance, n: number): number {
  const host = chance.yes(0.9) ? 2 + chance.below(8) : 2 + chance.below(252);
  return ((OWN_ADDRESSES[n] as number) & ~0xff) | host;
}

export function sourceAddress(chance: Chance, n: number): number {
  if (chance.yes(0.8)) return neighbor(chance, n);
  if (chance.yes(0.3)) return chance.pick(OWN_ADDRESSES);
  if (chance.yes(0.2)) return HONEST_ADDRESS;
  return chance.yes(0.5) ? chance.pick(ODD_ADDRESSES) : chance.next32();
}

export function destinationAddress(chance: Chance, n: number): number {
  if (chance.yes(0.7)) return OWN_ADDRESSES[n] as number;
  if (chance.yes(0.2)) return chance.pick([SECOND_ADDRESS, ...OWN_ADDRESSES]);
  if (chance.yes(0.3)) return chance.pick([GROUP, SOURCE_GROUP, ip('224.0.0.1'), -1, ip('10.0.0.255')]);
  if (chance.yes(0.4)) return neighbor(chance, chance.below(3));
  return chance.yes(0.6) ? chance.pick(ODD_ADDRESSES) : chance.next32();
}

/** The link-layer destination that goes with an address, or now and then another. */
export function destinationMac(chance: Chance, n: number, dst: number): Mac {
  if (chance.yes(0.03)) return chance.pick([BROADCAST_MAC, [0x0100, 0x5e000001], [0x3333, 1], macOf(chance.next32())]);
  if (dst === -1 || dst === (((OWN_ADDRESSES[n] as number) & ~0xff) | 0xff)) return BROADCAST_MAC;
  if (dst >>> 28 === 0xe) return [0x0100, 0x5e000000 | (dst & 0x7fffff)];
  return OWN_MACS[n] as Mac;
}
