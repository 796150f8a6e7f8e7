/**
 * Routes of either family: flags, one route, and the contract of a routing table (route-table.ts, route-table6.ts).
 *
 * Thread: the one that runs the kernel. Addresses are int32: IPv4's own, or the handle of an IPv6 address.
 * Read first: route(4) for the flags.
 */

import type { Interface } from './interface.ts';

/** Route flags, numbered as NetBSD's `RTF_*`. */
export const RTF_UP = 0x1;
export const RTF_GATEWAY = 0x2;
export const RTF_HOST = 0x4;
export const RTF_REJECT = 0x8;
export const RTF_DYNAMIC = 0x10;
export const RTF_MODIFIED = 0x20;
export const RTF_CONNECTED = 0x100;
export const RTF_STATIC = 0x800;
export const RTF_BLACKHOLE = 0x1000;
export const RTF_PROTO2 = 0x4000;
export const RTF_PROTO1 = 0x8000;
export const RTF_ANNOUNCE = 0x20000;
export const RTF_LOCAL = 0x40000;
export const RTF_BROADCAST = 0x80000;

/** Metrics that an administrator gives a route, 0 for none. Packets obey its MTU alone, which stands in the route. */
export interface RouteMetrics {
  /** `RTV_*` of those that are locked. */
  locks: number;
  hopCount: number;
  /** Seconds since 1970. */
  expireSec: number;
  receivePipeBytes: number;
  sendPipeBytes: number;
  ssthreshBytes: number;
  rttUs: number;
  rttvarUs: number;
}

export interface Route {
  readonly destination: number;
  readonly prefixLength: number;
  /** Next hop; 0 when the destination is on the link. */
  gateway: number;
  iface: Interface;
  flags: number;
  /** 0: that of the interface. */
  mtuBytes: number;
  /** Source address to prefer, 0: the interface's. */
  source: number;
  /** Lookups that ended here. */
  uses: number;
  /** When a route made by a redirect ends; `Infinity` for all others. */
  expiresUs: number;
  /** Null: none were given. */
  metrics: RouteMetrics | null;
}

/** A new route. `hostPrefix` is the prefix length of a single address: 32 or 128. Source, MTU and expiry are not set. */
// cold: once per route
export function makeRoute(
  destination: number,
  prefixLength: number,
  gateway: number,
  iface: Interface,
  flags: number,
  hostPrefix: number,
): Route {
  return {
    destination,
    prefixLength,
    gateway,
    iface,
    flags: prefixLength === hostPrefix ? flags | RTF_HOST : flags,
    mtuBytes: 0,
    source: 0,
    uses: 0,
    expiresUs: Infinity,
    metrics: null,
  };
}

/** A routing table of one family: one route per prefix. Every change bumps the path epoch. */
export interface Routes {
  readonly count: number;
  /** Routes that still fit. */
  readonly room: number;
  /** The most specific route to an address, or null. Allocates nothing. */
  lookup(address: number): Route | null;
  /** The route of exactly that prefix, or null. */
  find(destination: number, prefixLength: number): Route | null;
  /** Add a route. Returns 0, `-EEXIST` (that prefix has one), `-EINVAL` (bits below the mask), `-ENOBUFS` (table full). */
  add(route: Route): number;
  /** Remove the route of exactly that prefix: the route, or null when there was none. */
  remove(destination: number, prefixLength: number): Route | null;
  /** All routes, by destination and then by prefix length, as netstat lists them. */
  list(): Route[];
}
