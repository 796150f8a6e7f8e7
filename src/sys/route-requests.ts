/**
 * Types of control requests about routes. Thread: any; types and numbers only. Read first: control.ts (the conventions), route(4).
 */

import type { IpAddress } from './ip-address.ts';

/** `RTF_*` that a request may give; the kernel sets the others. */
export const RTF_GATEWAY = 0x2;
export const RTF_REJECT = 0x8;
export const RTF_CONNECTED = 0x100;
export const RTF_BLACKHOLE = 0x1000;
export const RTF_PROTO2 = 0x4000;
export const RTF_PROTO1 = 0x8000;

/** `RTV_*`: bits of metrics. */
export const RTV_MTU = 0x1;
export const RTV_HOPCOUNT = 0x2;
export const RTV_EXPIRE = 0x4;
export const RTV_RPIPE = 0x8;
export const RTV_SPIPE = 0x10;
export const RTV_SSTHRESH = 0x20;
export const RTV_RTT = 0x40;
export const RTV_RTTVAR = 0x80;

/** Metrics of a route, 0 for none. Packets obey the MTU alone. */
export interface RouteMetricsRecord {
  /** `RTV_*` of those that are locked. */
  locks: number;
  mtuBytes: number;
  hopCount: number;
  /** Seconds since 1970. */
  expireSec: number;
  receivePipeBytes: number;
  sendPipeBytes: number;
  ssthreshBytes: number;
  rttUs: number;
  rttvarUs: number;
}

export interface RouteRecord {
  destination: IpAddress;
  prefixLength: number;
  /** Null: the destination is on the link of interface `linkIndex`, or an own address there. */
  gateway: IpAddress | null;
  linkIndex: number;
  /** Interface that packets leave by. */
  interfaceIndex: number;
  /** `RTF_*`. */
  flags: number;
  mtuBytes: number;
  uses: number;
  /** Null: none were given. */
  metrics: RouteMetricsRecord | null;
  /** Seconds until it ends; null: it stays. */
  expiresSec: number | null;
}

/** Parts of a route beside its destination and gateway. */
export interface RouteDetailsRequest {
  /** Link that the packets leave by; 0: that of the source, else that of the gateway. */
  interfaceIndex?: number;
  /**
   * `RTF_*`: STATIC, GATEWAY, REJECT, BLACKHOLE, CONNECTED, ANNOUNCE, PROTO1, PROTO2. Without GATEWAY the gateway is an own address, or
   * none, and the destination is on the link. Absent: a static route by `action`.
   */
  flags?: number;
  /** Own address that packets get as their source. */
  source?: IpAddress;
  metrics?: RouteMetricsRecord;
}

/** Route to put in. Errors as route(4): EEXIST, ENETUNREACH, EINVAL, ENOBUFS. */
export interface RouteAddRequest extends RouteDetailsRequest {
  destination: IpAddress;
  prefixLength: number;
  /** Null with an interface: the destination is on that link. */
  gateway: IpAddress | null;
  /** `ROUTE_*`. */
  action: number;
}

/** Change of a route in its place; what is absent, or a gateway of null, stays. ENOENT, ENETUNREACH. */
export interface RouteChangeRequest extends RouteDetailsRequest {
  destination: IpAddress;
  prefixLength: number;
  gateway: IpAddress | null;
  /** `RTV_*` of the metrics that change; the others stay. */
  inits: number;
}

/** Route to take out. ENOENT. */
export interface RouteDeleteRequest {
  destination: IpAddress;
  prefixLength: number;
  /** Null: any. */
  gateway: IpAddress | null;
}

/** The route that packets to an address take. */
export interface RouteGetReply {
  route: RouteRecord;
  /** Own address that they get as their source; null: none yet. */
  source: IpAddress | null;
}
