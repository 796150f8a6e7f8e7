/**
 * Types of control requests about router and neighbor discovery. Thread: any; types and numbers only. Read first: control.ts (the
 * conventions), RFC 4861 sections 5.1 and 6.3.2.
 */

import type { IpAddress } from './ip-address.ts';

/** `ND6_IFF_*`: neighbor discovery of a link. */
export const ND6_IFF_PERFORMNUD = 0x1;
/** Routers are heeded where `net.inet6.ip6.accept_rtadv` says so, with OVERRIDE_RTADV in any case. */
export const ND6_IFF_ACCEPT_RTADV = 0x2;
export const ND6_IFF_IFDISABLED = 0x8;
export const ND6_IFF_OVERRIDE_RTADV = 0x10;
export const ND6_IFF_AUTO_LINKLOCAL = 0x20;

/** A prefix that routers advertised. */
export interface PrefixRecord {
  prefix: IpAddress;
  prefixLength: number;
  interfaceIndex: number;
  /** Flags of the advertisement: it is on the link, and addresses are made of it. */
  onLink: boolean;
  autonomous: boolean;
  /** Whether the table of routes has it on that link. */
  routed: boolean;
  /** Seconds as advertised; null: for ever. */
  validSec: number | null;
  preferredSec: number | null;
  /** Seconds until it is removed; null: never. */
  expiresSec: number | null;
  /** Own addresses that are made of it. */
  addressCount: number;
  /** Routers that advertised it, of those that are default routers. */
  routers: IpAddress[];
}

/** A default router. */
export interface RouterRecord {
  address: IpAddress;
  interfaceIndex: number;
  managed: boolean;
  otherConfig: boolean;
  /** -1 low, 0 medium, 1 high (RFC 4191). */
  preference: number;
  expiresSec: number | null;
}

export interface DiscoveryRecord {
  /** As routers said; 0: none did. */
  linkMtuBytes: number;
  /** MTU of the interface. */
  maxMtuBytes: number;
  hopLimit: number;
  reachableMs: number;
  retransMs: number;
  /** `ND6_IFF_*`. */
  flags: number;
}

/** An absent field keeps its value. */
export interface DiscoveryChangeRequest {
  index: number;
  /** `ND6_IFF_*` to set and to clear. */
  setFlags?: number;
  clearFlags?: number;
  hopLimit?: number;
  reachableMs?: number;
  retransMs?: number;
}
