/**
 * Control requests of a kernel as plain JSON values: the requests and replies that `mk` commands, the
 * façade and the supervisor exchange with the thread that runs the kernel.
 */

export interface AddressInfo {
  /** Dotted, e.g. "10.0.0.11". */
  address: string;
  prefixLength: number;
  broadcast: string | null;
}

/** An IPv6 address of an interface. */
export interface Address6Info {
  /** With its zone where it has one: "fe80::1%eth0". */
  address: string;
  prefixLength: number;
  state: 'tentative' | 'duplicated' | 'deprecated' | 'preferred';
  origin: 'manual' | 'link-local' | 'autoconf' | 'temporary';
  anycast: boolean;
  /** Seconds until it is deprecated, and until it goes; null: never. */
  preferredSec: number | null;
  validSec: number | null;
}

/** One row of `ifconfig`. */
export interface InterfaceInfo {
  name: string;
  index: number;
  kind: string;
  /** NetBSD flag word and its names, e.g. 0x8843 and ["UP","BROADCAST","RUNNING","SIMPLEX","MULTICAST"]. */
  flags: number;
  flagNames: string[];
  mtuBytes: number;
  mac: string | null;
  linkState: 'up' | 'down' | 'unknown';
  /** Why the link was marked down, empty when it was not. */
  downReason: string;
  addresses: AddressInfo[];
  addresses6: Address6Info[];
  inPackets: number;
  inBytes: number;
  inErrors: number;
  inDrops: number;
  outPackets: number;
  outBytes: number;
  outErrors: number;
  outDrops: number;
}

/** One row of `netstat -rn`; addresses of either family. */
export interface RouteInfo {
  destination: string;
  prefixLength: number;
  /** An address, or "link#N" for a connected route, or an interface's own address. */
  gateway: string;
  /** Letters as netstat prints them, e.g. "UGS". */
  flags: string;
  interface: string;
  mtuBytes: number;
  uses: number;
}

/** One row of `arp -an`, or of `ndp -an`. */
export interface NeighborInfo {
  address: string;
  mac: string | null;
  interface: string;
  state: 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe' | 'permanent';
  published: boolean;
  /** It is an IPv6 router (RFC 4861). */
  router: boolean;
  expiresSec: number | null;
}

/** One row of `netstat -an`. */
export interface SocketInfo {
  protocol: 'tcp' | 'udp' | 'icmp';
  /** Of the local address; a socket of IPv6 with an IPv4 peer is `inet`. */
  family: 'inet' | 'inet6';
  receiveQueueBytes: number;
  sendQueueBytes: number;
  localAddress: string;
  localPort: number;
  peerAddress: string;
  peerPort: number;
  /** RFC 9293 state for TCP, empty otherwise. */
  state: string;
  retransmits: number;
  /** Current retransmission timeout and smoothed round trip, milliseconds; 0 when not applicable. */
  rtoMs: number;
  srttMs: number;
  cwndBytes: number;
}

export interface PingOptions {
  host: string;
  /** Which address of a name to take; absent: the first. An address is of its own family. */
  family?: AddressFamily;
  count: number;
  intervalMs: number;
  payloadBytes: number;
  ttl: number;
  /** How long to wait for the last answers. */
  waitMs: number;
}

/** One event of a running ping. */
export type PingEvent =
  /** `source`: our address, IPv6 only; absent when nothing leads there. */
  | { type: 'start'; host: string; address: string; payloadBytes: number; source?: string }
  | { type: 'reply'; from: string; bytes: number; sequence: number; ttl: number; timeMs: number; duplicate: boolean }
  /** An ICMP error about a request. `timeMs`: since that was sent, -1 when it is not known any more. */
  | {
      type: 'error';
      from: string;
      sequence: number;
      text: string;
      icmpType: number;
      icmpCode: number;
      timeMs: number;
    }
  | { type: 'sendError'; sequence: number; code: string }
  | { type: 'end'; transmitted: number; received: number; duplicates: number; timesMs: number[] };

export interface CaptureOptions {
  /** "eth0"; empty: the first interface that is not lo0. */
  interface: string;
  /** Bytes kept of each frame. */
  snapBytes: number;
}

export interface CapturedFrame {
  /** Nanoseconds since 1970. */
  timeNs: bigint;
  direction: 'in' | 'out';
  /** Length on the wire, Ethernet header included. */
  lengthBytes: number;
  /** The first `snapBytes` of it; a copy. */
  bytes: Uint8Array;
}

/** Frames since the last batch. */
export interface CaptureBatch {
  type: 'frames';
  frames: CapturedFrame[];
  droppedFrames: number;
}

export type CaptureEvent = { type: 'interface'; name: string; mac: string | null; snapBytes: number } | CaptureBatch;

export type AddressFamily = 'inet' | 'inet6';

/**
 * A cut towards other machines: packets whose source is one of `from` vanish at (or are refused by) this kernel, and what
 * comes from the MAC addresses `links`: everything if `all`, else what that machine did not forward (link-local sources).
 */
export interface FilterRule {
  id: string;
  from: string[];
  links?: { mac: string; all: boolean }[];
  action: 'drop' | 'reject';
}

/** A route of either family to put in or take out; errors as route(4) gives them: EEXIST, ENOENT ("not in table"), ENETUNREACH. */
export interface RouteChange {
  destination: string;
  prefixLength: number;
  /** Empty when deleting whatever route leads there, or with `interface`, when the destination is on that link. */
  gateway: string;
  /** IPv6: the link of the destination or of a gateway without a zone. */
  interface?: string;
  /** Fate of packets that match: sent on, rejected with ICMP, or dropped. */
  kind: 'unicast' | 'reject' | 'blackhole';
}

/** The rest is for IPv6 alone. With lifetimes an address that is there already gets these. */
export interface NewAddress {
  address: string;
  prefixLength: number;
  anycast?: boolean;
  /** Seconds until it is deprecated, and until it goes; null, and when absent: never. EINVAL: valid for 0, preferred for longer. */
  preferredSec?: number | null;
  validSec?: number | null;
}

/** Changes as by `ifconfig IF ...`; absent keys stay. */
export interface InterfaceChange {
  name: string;
  up?: boolean;
  mtuBytes?: number;
  /** Whether IPv6 runs on the interface, where it runs at all (`net.inet6.ip6.enable`). */
  ipv6?: boolean;
  /** Of either family; link-local ones with or without their zone. One of IPv6 switches IPv6 on there. */
  addAddress?: NewAddress;
  removeAddress?: { address: string };
}

/** Requests with one reply. `ping` and `capture` are streams of their own (kernel.ts). */
export interface ControlRequests {
  interfaces: { request: Record<never, never>; reply: InterfaceInfo[] };
  /** Default `inet`. */
  routes: { request: { family?: AddressFamily }; reply: RouteInfo[] };
  neighbors: { request: { family?: AddressFamily }; reply: NeighborInfo[] };
  sockets: { request: Record<never, never>; reply: SocketInfo[] };
  counters: { request: Record<never, never>; reply: Record<string, number> };
  'filter.add': { request: FilterRule; reply: null };
  'filter.remove': { request: { id: string }; reply: null };
  'interface.set': { request: InterfaceChange; reply: null };
  'route.add': { request: RouteChange; reply: null };
  'route.delete': { request: RouteChange; reply: null };
  /** Static entry: permanent unless `temporary`. A link-local address needs its zone. */
  'neighbor.add': { request: { address: string; mac: string; temporary: boolean; published: boolean }; reply: null };
  /** ENOENT when there is none. */
  'neighbor.delete': { request: { address: string }; reply: null };
  'sysctl.get': { request: { name: string }; reply: { name: string; value: number }[] };
  'sysctl.set': { request: { name: string; value: number }; reply: { before: number; after: number } };
}

export type ControlOperation = keyof ControlRequests;
