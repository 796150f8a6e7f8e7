/** Who plays in IPv6: addresses as four words. The last word of a neighbor's address names its link-layer address too. */

import { type Mac, macOf, OWN_MACS } from './cast.ts';
import type { Chance } from './chance.ts';

export type Address = readonly [number, number, number, number];

export const UNSPECIFIED: Address = [0, 0, 0, 0];
export const LOOPBACK: Address = [0, 0, 0, 1];
export const ALL_NODES: Address = [0xff020000 | 0, 0, 0, 1];
export const ALL_ROUTERS: Address = [0xff020000 | 0, 0, 0, 2];
export const MLD_ROUTERS: Address = [0xff020000 | 0, 0, 0, 0x16];
export const GROUP: Address = [0xff0e0000 | 0, 0, 0, 0x1234];
export const PREFIX: number = 0xfd000000 | 0;
const PREFIX_LENGTH = 64;

/** The address on the subnet of interface `n`: 1 is the kernel's. */
export function globalAddress(n: number, host: number): Address {
  return [PREFIX, n, 0, host];
}

/** The router on every link. */
export const GATEWAY: Address = [0xfe800000 | 0, 0, 0, 0xfe];

export const HONEST_PORT = 7778;
export const HONEST: Address = globalAddress(2, 2);

/** The link-local address made from a link-layer address (EUI-64). */
export function linkLocal([hi, lo]: Mac): Address {
  return [0xfe800000 | 0, 0, ((hi ^ 0x0200) << 16) | ((lo >>> 24) << 8) | 0xff, 0xfe000000 | (lo & 0xffffff)];
}

export function solicitedNode(address: Address): Address {
  return [0xff020000 | 0, 0, 1, 0xff000000 | (address[3] & 0xffffff)];
}

export function own(chance: Chance, n: number): Address {
  return chance.yes(0.6) ? globalAddress(n, 1) : linkLocal(OWN_MACS[n] as Mac);
}

/** Few, so that they meet again; and now and then one of many, so that tables fill. */
export function neighbor(chance: Chance, n: number): Address {
  const host = chance.yes(0.8) ? 2 + chance.below(8) : 2 + chance.below(60_000);
  return chance.yes(0.5) ? globalAddress(n, host) : [0xfe800000 | 0, 0, 0, host];
}

export function linkLocalNeighbor(chance: Chance): Address {
  return [0xfe800000 | 0, 0, 0, 2 + chance.below(8)];
}

export function anything(chance: Chance): Address {
  const first = chance.pick([0xfe800000, 0xff020000, 0xfd000000, 0x20010db8, chance.next32()]);
  return [first | 0, chance.next32(), chance.next32(), chance.next32()];
}

export function source(chance: Chance, n: number): Address {
  if (chance.yes(0.85)) return neighbor(chance, n);
  return chance.pick([UNSPECIFIED, own(chance, n), ALL_NODES, LOOPBACK, anything(chance), [0, 0, 0xffff, 0x0a000002]]);
}

export function destination(chance: Chance, n: number): Address {
  if (chance.yes(0.6)) return own(chance, n);
  const known = [ALL_NODES, ALL_ROUTERS, MLD_ROUTERS, GROUP, solicitedNode(own(chance, n)), neighbor(chance, n)];
  return chance.yes(0.8)
    ? chance.pick(known)
    : chance.pick([UNSPECIFIED, LOOPBACK, anything(chance), globalAddress(chance.below(3), 3)]);
}

/** The link-layer address that goes with a destination. */
export function destinationMac(n: number, dst: Address): Mac {
  return dst[0] >>> 24 === 0xff ? [0x3333, dst[3]] : (OWN_MACS[n] as Mac);
}

export function sourceMac(address: Address): Mac {
  return macOf(address[3]);
}

/** As text, with the prefix length of its subnet. */
export function text(address: Address): string {
  return address.map((word) => `${(word >>> 16).toString(16)}:${(word & 0xffff).toString(16)}`).join(':');
}

export const ADDRESS_PREFIX_LENGTH: number = PREFIX_LENGTH;
