/**
 * Control requests of a kernel: interfaces, addresses, routes, neighbors, sockets, counters, variables, filters.
 *
 * Thread: any; types and numbers only. Requests and replies are plain structures of numbers, fit for JSON and for structured
 * cloning; the only texts are identities (names of interfaces, variables, counters, hosts). Words of addresses are int32 in
 * network order; flags, states and message types are numbered as in NetBSD. Text is made in tools/.
 * Read next: control-table.ts (the answers), control-input.ts (checks of untrusted requests), routing-messages.ts (events).
 */

import type { IpAddress, IpFamily } from './ip-address.ts';
import type {
  RouteAddRequest,
  RouteChangeRequest,
  RouteDeleteRequest,
  RouteGetReply,
  RouteRecord,
} from './route-requests.ts';

export type { IpAddress, IpFamily } from './ip-address.ts';
export * from './route-requests.ts';

/** Six bytes, in the order of the wire. */
export type LinkAddress = readonly number[];

/** `LINK_STATE_*`. */
export const LINK_STATE_UNKNOWN = 0;
export const LINK_STATE_DOWN = 1;
export const LINK_STATE_UP = 2;

/** `IN6_IFF_*`, for addresses of both families. */
export const IN6_IFF_ANYCAST = 0x1;
export const IN6_IFF_TENTATIVE = 0x2;
export const IN6_IFF_DUPLICATED = 0x4;
export const IN6_IFF_DEPRECATED = 0x10;
export const IN6_IFF_AUTOCONF = 0x40;
export const IN6_IFF_TEMPORARY = 0x80;

/** Origin of an address. */
export const ORIGIN_MANUAL = 0;
export const ORIGIN_LINK_LOCAL = 1;
export const ORIGIN_AUTOCONF = 2;
export const ORIGIN_TEMPORARY = 3;

/** `ND_LLINFO_*`, for neighbors of both families. */
export const ND_LLINFO_INCOMPLETE = 0;
export const ND_LLINFO_REACHABLE = 1;
export const ND_LLINFO_STALE = 2;
export const ND_LLINFO_DELAY = 3;
export const ND_LLINFO_PROBE = 4;

/** `RTF_*` of neighbors: set by hand, and answered for to others. */
export const RTF_STATIC = 0x800;
export const RTF_ANNOUNCE = 0x20000;

/** Fate of the packets of a route. */
export const ROUTE_UNICAST = 0;
export const ROUTE_REJECT = 1;
export const ROUTE_BLACKHOLE = 2;

/** Fate of packets that a filter matches. */
export const FILTER_DROP = 0;
export const FILTER_REJECT = 1;

/** Frames that an impairment concerns: those that an interface receives, or sends. */
export const IMPAIR_IN = 0;
export const IMPAIR_OUT = 1;

export interface AddressRecord {
  address: IpAddress;
  prefixLength: number;
  /** Directed broadcast address, int32; 0: none. */
  broadcast: number;
  /** The other end of a point-to-point link; null: none was given. */
  destination: IpAddress | null;
  /** `IN6_IFF_*`. */
  flags: number;
  /** `ORIGIN_*`. */
  origin: number;
  /** Seconds until it is deprecated, and until it is removed; null: never. */
  preferredSec: number | null;
  validSec: number | null;
}

/** Counts of an interface since it came. */
export interface InterfaceTraffic {
  /** Packets received. */
  inPackets: number;
  /** Bytes received, link headers included. */
  inBytes: number;
  /** Packets that arrived and could not be taken off the link. */
  inErrors: number;
  /** Packets received and dropped. */
  inDrops: number;
  /** Packets sent. */
  outPackets: number;
  /** Bytes sent, link headers included. */
  outBytes: number;
  /** Packets that could not be sent. */
  outErrors: number;
  /** Packets to send that were dropped. */
  outDrops: number;
}

export interface InterfaceRecord extends InterfaceTraffic {
  name: string;
  /** From 1, as if_index. */
  index: number;
  /** Driver, e.g. "vni", "loopback". */
  kind: string;
  /** `IFF_*`. */
  flags: number;
  mtuBytes: number;
  /** For routing daemons; 0 unless it was set. */
  metric: number;
  /** Null without one (lo0). */
  linkAddress: LinkAddress | null;
  /** Link-layer addresses that frames neither come to nor go out from. */
  otherLinkAddresses: LinkAddress[];
  /** `LINK_STATE_*`. */
  linkState: number;
  /** The driver's reason for a link that it marked down; '' for any other state. */
  downReason: string;
  /** Path of the bus that the link leads to; null: it leads to none. */
  linkString: string | null;
  /** Whether the media are `auto`, and not `none`; null where nobody chooses. */
  mediaOn: boolean | null;
  /** Addresses of both families, IPv4 first, each in the order of configuration. */
  addresses: AddressRecord[];
  /** A vlan's tag and parent, both 0 without a parent. */
  vlan?: VlanRecord;
  /** A gif's tunnel; null: none. */
  tunnel?: TunnelRecord | null;
}

/** Addresses of the outer packets. */
export interface TunnelRecord {
  source: IpAddress;
  destination: IpAddress;
}

export interface VlanRecord {
  id: number;
  parentIndex: number;
}

export interface InterfaceName {
  index: number;
  name: string;
}

export interface NeighborRecord {
  address: IpAddress;
  interfaceIndex: number;
  /** Null while it is not resolved. */
  linkAddress: LinkAddress | null;
  /** `ND_LLINFO_*`. */
  state: number;
  /** RTF_STATIC, RTF_ANNOUNCE. */
  flags: number;
  /** Set where our own packets do not use the entry. */
  proxyOnly?: true;
  /** IPv6 router (RFC 4861). */
  router: boolean;
  /** Seconds until the next step of its timer; null: never. */
  expiresSec: number | null;
}

export interface SocketRecord {
  /** IP protocol number: 6, 17. */
  protocol: number;
  receiveQueueBytes: number;
  sendQueueBytes: number;
  local: IpAddress;
  localPort: number;
  /** All words 0 and port 0 without a peer. */
  peer: IpAddress;
  peerPort: number;
  /** `TCPS_*`: 0 CLOSED ... 10 TIME_WAIT; 0 for other protocols. */
  state: number;
  retransmits: number;
  /** Retransmission timeout and smoothed round trip; 0: not known, or no TCP. */
  rtoUs: number;
  srttUs: number;
  cwndBytes: number;
}

export interface VariableRecord {
  name: string;
  value: number;
  min: number;
  max: number;
}

/** A variable of either kind, as sysctl(8) shows it. */
export interface VariableNode {
  name: string;
  value: number | string;
  description: string;
  readOnly: boolean;
}

export interface HostRecord {
  /** Lower case. */
  name: string;
  /** Addresses of both families, in the order in which to try them. */
  addresses: IpAddress[];
}

/** Changes of an interface; an absent field keeps its value. */
export interface InterfaceChangeRequest {
  index: number;
  /** `IFF_*` to set and to clear: UP, DEBUG, NOARP, LINK0 to LINK2. */
  setFlags?: number;
  clearFlags?: number;
  mtuBytes?: number;
  metric?: number;
  /** Whether IPv6 runs here, where it runs at all (`net.inet6.ip6.enable`). */
  ipv6?: boolean;
  /** Counts begin at 0 again. */
  zeroTraffic?: boolean;
}

/** With lifetimes an IPv6 address that is there already gets these. An IPv6 address switches IPv6 on for its interface. */
export interface AddressAddRequest {
  index: number;
  address: IpAddress;
  prefixLength: number;
  /** IPv4 on a link that has broadcasts: that address, in place of the last of the prefix. */
  broadcast?: IpAddress;
  /** The other end of a point-to-point link. */
  destination?: IpAddress;
  /** IPv6 only, as are the lifetimes. */
  anycast?: boolean;
  /** Seconds until it is deprecated, and until it is removed; null or absent: never. */
  preferredSec?: number | null;
  validSec?: number | null;
}

export interface AddressDeleteRequest {
  index: number;
  address: IpAddress;
}

/** Static entry: permanent unless `temporary`. */
export interface NeighborAddRequest {
  address: IpAddress;
  linkAddress: LinkAddress;
  temporary: boolean;
  published: boolean;
  /** Published, and not used by packets of our own. */
  proxyOnly?: boolean;
}

/** Packets from `from`, and frames from `links` (`all`: each; otherwise those with a link-local source), do not get in. */
export interface FilterAddRequest {
  id: string;
  from: IpAddress[];
  links: { linkAddress: LinkAddress; all: boolean }[];
  /** `FILTER_*`. */
  action: number;
}

/** As link/impairment.ts has them; all that does not happen is 0. */
export interface ImpairmentValues {
  delayUs: number;
  jitterUs: number;
  /** Place in `JITTER_DISTRIBUTIONS`. */
  distribution: number;
  loss: number;
  burstEnter: number;
  burstLeave: number;
  burstLossInside: number;
  burstLossOutside: number;
  duplicate: number;
  reorder: number;
  corrupt: number;
  rateBps: number;
  /** 0: as many as link/impairment.ts says. */
  queueFrames: number;
  /** 0: any number. */
  queueBytes: number;
}

export interface ImpairmentSetRequest {
  index: number;
  /** `IMPAIR_*`. */
  direction: number;
  /** Only frames with this source; null: all. Frames that are sent have one source. */
  from: LinkAddress | null;
  /** Only frames that came from this port of the network (vni); absent or null: from all. */
  fromPort?: number | null;
  /** Null heals. */
  values: ImpairmentValues | null;
  /** Chances are drawn from it, when nothing was impaired there before. */
  seed: number;
}

/** A new interface of a cloner. */
export interface InterfaceCreateRequest {
  /** `lo1`; a prefix alone (`lo`) takes the lowest unit. */
  name: string;
}

/** `IFBIF_*`: flags of a member of a bridge. */
export const IFBIF_LEARNING = 0x01;
export const IFBIF_DISCOVER = 0x02;
export const IFBIF_STP = 0x04;
export const IFBIF_PROTECTED = 0x08;

/** `IFBAF_*`: flags of an address behind a bridge. */
export const IFBAF_STATIC = 0x01;

/** `BSTP_IFSTATE_*`. */
export const BSTP_DISABLED = 0;
export const BSTP_LISTENING = 1;
export const BSTP_LEARNING = 2;
export const BSTP_FORWARDING = 3;
export const BSTP_BLOCKING = 4;

/** Settings of a bridge: those of the spanning tree, and of the table of addresses. */
export interface BridgeSettings {
  priority: number;
  helloTimeSec: number;
  forwardDelaySec: number;
  maxAgeSec: number;
  maxAddresses: number;
  /** Life of learned addresses; 0: for ever. */
  timeoutSec: number;
}

export interface BridgeMemberRecord {
  interfaceIndex: number;
  /** `IFBIF_*`. */
  flags: number;
  port: number;
  priority: number;
  pathCost: number;
  /** `BSTP_*`. */
  state: number;
}

export interface BridgeAddressRecord {
  linkAddress: LinkAddress;
  interfaceIndex: number;
  /** 0 for those that stay. */
  expiresSec: number;
  /** `IFBAF_*`. */
  flags: number;
}

export interface BridgeRecord extends BridgeSettings {
  members: BridgeMemberRecord[];
  /** The newest first. */
  addresses: BridgeAddressRecord[];
  root: { priority: number; linkAddress: LinkAddress; pathCost: number; isSelf: boolean };
}

/** A bridge and one of its members, by their if_indexes. */
export interface BridgeMemberRequest {
  index: number;
  memberIndex: number;
}

export interface BridgeMemberChangeRequest extends BridgeMemberRequest {
  /** `IFBIF_*`. */
  setFlags?: number;
  clearFlags?: number;
  priority?: number;
  pathCost?: number;
}

type Nothing = Record<never, never>;

/** Requests with one reply. */
export interface ControlRequests {
  'interface.list': { request: Nothing; reply: InterfaceRecord[] };
  /** if_nameindex(3). */
  'interface.names': { request: Nothing; reply: InterfaceName[] };
  'interface.change': { request: InterfaceChangeRequest; reply: null };
  /** Prefixes of names that `interface.create` takes, sorted. */
  'interface.cloners': { request: Nothing; reply: string[] };
  /** It is down until it is set up or gets an address. EINVAL (no cloner), EEXIST, ENOBUFS, and what its cloner refuses. */
  'interface.create': { request: InterfaceCreateRequest; reply: InterfaceName };
  /** SIOCSLINKSTR; null takes it away. EBUSY (it is up), EINVAL (it takes none), and what the host refuses. */
  'interface.link': { request: { index: number; path: string | null }; reply: null };
  /** EINVAL (nobody chooses its media). */
  'interface.media': { request: { index: number; on: boolean }; reply: null };
  /** Only what was created so. EINVAL (no cloner), EPERM (the kernel's own: lo0), ENXIO. */
  'interface.destroy': { request: { name: string }; reply: null };
  /** EEXIST, EINVAL (no name), ENXIO. To readers of routing messages one interface departs and another arrives. */
  'interface.rename': { request: { index: number; name: string }; reply: null };
  /**
   * Tag and parent of a vlan; `parentIndex` 0: none any more. EBUSY (it has another parent), EEXIST (another vlan has that tag there),
   * EINVAL (no vlan, no tag, or parents in a circle), EPROTONOSUPPORT (a parent without Ethernet).
   */
  'vlan.set': { request: VlanRecord & { index: number }; reply: null };
  /** Tunnel of a gif; null: none any more. EINVAL (no gif, or two families), EADDRNOTAVAIL (another gif has it). */
  'tunnel.set': { request: { index: number; source: IpAddress | null; destination: IpAddress | null }; reply: null };
  /** EINVAL: no bridge; so do all of these. */
  'bridge.get': { request: { index: number }; reply: BridgeRecord };
  'bridge.change': { request: { index: number } & Partial<BridgeSettings>; reply: null };
  /** It gets the MTU of the bridge. EEXIST (member of it), EBUSY (of another), EINVAL (no Ethernet, or a bridge). */
  'bridge.member.add': { request: BridgeMemberRequest; reply: null };
  /** ENOENT: no member. */
  'bridge.member.delete': { request: BridgeMemberRequest; reply: null };
  /** ENOENT: no member. */
  'bridge.member.change': { request: BridgeMemberChangeRequest; reply: null };
  /** A static entry. ENOENT (no member), ENOSPC (the table is full). */
  'bridge.address.add': { request: BridgeMemberRequest & { linkAddress: LinkAddress }; reply: null };
  /** ENOENT. */
  'bridge.address.delete': { request: { index: number; linkAddress: LinkAddress }; reply: null };
  /** Learned addresses go; static ones, too, when `all`. */
  'bridge.flush': { request: { index: number; all: boolean }; reply: null };
  'address.add': { request: AddressAddRequest; reply: null };
  'address.delete': { request: AddressDeleteRequest; reply: null };
  /** One more link-layer address, or with `active` the one of its frames. EOPNOTSUPP: the link has one for good. */
  'link-address.add': { request: { index: number; linkAddress: LinkAddress; active: boolean }; reply: null };
  /** EBUSY (it is the active one), EADDRNOTAVAIL. */
  'link-address.delete': { request: { index: number; linkAddress: LinkAddress }; reply: null };
  'route.list': { request: { family: IpFamily }; reply: RouteRecord[] };
  'route.add': { request: RouteAddRequest; reply: null };
  'route.change': { request: RouteChangeRequest; reply: null };
  'route.delete': { request: RouteDeleteRequest; reply: null };
  /** The route that packets to an address take, or with a prefix length that of exactly this prefix. ESRCH. */
  'route.get': { request: { destination: IpAddress; prefixLength?: number }; reply: RouteGetReply };
  'neighbor.list': { request: { family: IpFamily }; reply: NeighborRecord[] };
  'neighbor.add': { request: NeighborAddRequest; reply: null };
  'neighbor.delete': { request: { address: IpAddress }; reply: null };
  'socket.list': { request: Nothing; reply: SocketRecord[] };
  'counter.list': { request: Nothing; reply: Record<string, number> };
  /** Variables at or below a name, all for ''. ENOENT. */
  'sysctl.get': { request: { name: string }; reply: VariableRecord[] };
  /** Numbers and texts at or below a name, all for ''; none for a name that there is not. */
  'sysctl.list': { request: { name: string }; reply: VariableNode[] };
  /** ENOENT, EPERM (read-only), EINVAL (too long). */
  'sysctl.setText': { request: { name: string; value: string }; reply: { before: string } };
  /** ENOENT, EPERM (read-only), EINVAL (out of range). */
  'sysctl.set': { request: { name: string; value: number }; reply: { before: number; after: number } };
  'filter.add': { request: FilterAddRequest; reply: null };
  'filter.delete': { request: { id: string }; reply: null };
  /** EOPNOTSUPP (no device), ENOMEM (no room for frames that wait). */
  'impairment.set': { request: ImpairmentSetRequest; reply: null };
  /** Ports of the network (vni) from which nothing is received any more: the cables to these are cut. EOPNOTSUPP: no ports. */
  'interface.cut': { request: { index: number; ports: number[] }; reply: null };
  /** The kernel ends after its answer. EOPNOTSUPP where that is its holder's alone (a lab). */
  'kernel.halt': { request: Nothing; reply: null };
  /** The kernel's own name and its table of hosts, as gethostbyname(3) would read it. */
  'host.list': { request: Nothing; reply: { name: string; hosts: HostRecord[] } };
}

export type ControlOperation = keyof ControlRequests;
export type ControlRequest<Op extends ControlOperation> = ControlRequests[Op]['request'];
export type ControlReply<Op extends ControlOperation> = ControlRequests[Op]['reply'];

// ---- streams -------------------------------------------------------------------------------------------------------

export interface RouteEventsRequest {
  /** Messages that may wait for a slow reader; more are dropped and counted. Default 256. */
  queueMessages?: number;
}

export interface RawRequest {
  family: IpFamily;
  /** IP protocol number. */
  protocol: number;
  /** Own address of the packets, and the only one that is heard; null or absent: any. */
  from?: IpAddress | null;
  /** Type of service, or traffic class. */
  tos?: number;
  /** IPv4: DF, and options of the header, a multiple of 4 bytes. */
  dontFragment?: boolean;
  options?: Uint8Array;
}

/** Packets that a raw socket sends and receives, for ping and traceroute. */
export type RawEvent =
  /** A whole IP packet, header first. `timeUs`: the kernel's clock at its arrival. */
  | { type: 'packet'; timeUs: number; from: IpAddress; bytes: Uint8Array }
  /** Result of input `id`: the kernel's clock at its sending; `errno` 0 or -errno; own address towards the destination, if known. */
  | { type: 'sent'; id: number; timeUs: number; errno: number; source: IpAddress | null };

export interface RawInput {
  id: number;
  to: IpAddress;
  /** TTL or hop limit, 1 to 255. */
  hops: number;
  /** Without IP header. The kernel fills in the checksum of ICMPv6. */
  bytes: Uint8Array;
}

export interface CaptureRecordRequest {
  /** Names of interfaces; none: all that there are now. */
  interfaces: string[];
  /** Bytes kept of each frame; 0: all. */
  snapBytes: number;
  /** Instructions of a filter (struct bpf_insn, wire/bpf/instructions.ts); none: every frame. */
  filter: Uint8Array;
}

export interface CaptureFrame {
  /** Place among the interfaces that were told first, from 0. */
  interfaceIndex: number;
  /** Since 1970. */
  timeSec: number;
  timeNs: number;
  outgoing: boolean;
  /** Length on the wire, Ethernet header included. */
  lengthBytes: number;
  /** The first `snapBytes`; a copy. */
  bytes: Uint8Array;
}

export type CaptureRecord =
  | { type: 'interface'; name: string; linkAddress: LinkAddress | null; snapBytes: number }
  | { type: 'frames'; frames: CaptureFrame[]; droppedFrames: number };

/** Device of a tap or a tun: Ethernet frames, or IP packets. ENXIO (neither), EBUSY (another program has it). */
export interface DeviceRequest {
  name: string;
}

export type DeviceEvent =
  | { type: 'opened'; linkAddress: LinkAddress | null; mtuBytes: number }
  /** Sent by the interface since the last ones; those of a slow reader are lost. */
  | { type: 'frames'; frames: Uint8Array[] };

/** A frame or packet for the interface. EINVAL (its length), ENETDOWN, ENXIO (the interface is gone). */
export interface DeviceInput {
  bytes: Uint8Array;
}

/** TCP connection for a program outside of the kernel. */
export interface ConnectionRequest {
  address: IpAddress;
  port: number;
}

export type ConnectionEvent =
  | { type: 'connected'; local: IpAddress; localPort: number }
  /** At most `CONNECTION_WINDOW_BYTES` in events without credit. */
  | { type: 'data'; bytes: Uint8Array }
  /** The peer sent FIN. */
  | { type: 'end' }
  /** The socket took the bytes of one `write`. */
  | { type: 'written' };

export type ConnectionInput =
  | { type: 'write'; bytes: Uint8Array }
  /** Half-close. */
  | { type: 'end' }
  /** Close with a reset; the stream ends. */
  | { type: 'reset' }
  /** So many bytes of `data` events are consumed. */
  | { type: 'credit'; bytes: number };

export const CONNECTION_WINDOW_BYTES = 65_536;

/** Listening TCP socket, at any address, for a program outside of the kernel; with the connections that it accepts. */
export interface ListenerRequest {
  port: number;
}

export type ListenerEvent =
  | { type: 'listening' }
  /** A new connection; its number is of this stream. */
  | { type: 'accepted'; id: number; peer: IpAddress; peerPort: number }
  | { type: 'connection'; id: number; event: ConnectionEvent }
  /** The connection is over; `errno`: 0 or -errno. */
  | { type: 'ended'; id: number; errno: number };

export type ListenerInput =
  | { type: 'connection'; id: number; input: ConnectionInput }
  /** Close the connection; `ended` follows. */
  | { type: 'close'; id: number };

/** UDP socket, at any address, for a program outside of the kernel. */
export interface DatagramsRequest {
  /** 0: any. */
  port: number;
}

export type DatagramsEvent =
  | { type: 'bound'; port: number }
  /** At most `DATAGRAMS_WINDOW_BYTES` in events without credit; more wait in the socket, which drops what it has no room for. */
  | { type: 'datagram'; from: IpAddress; port: number; bytes: Uint8Array; broadcast: boolean }
  /** The socket took a `send` or a `refuse`, or dropped it. */
  | { type: 'sent' };

export type DatagramsInput =
  | { type: 'send'; to: IpAddress; port: number; bytes: Uint8Array }
  /** A datagram of `to`, no broadcast, is answered as by a closed port: ICMP port unreachable. `bytes`: the datagram. */
  | { type: 'refuse'; to: IpAddress; port: number; bytes: Uint8Array }
  /** So many bytes of `datagram` events are consumed. */
  | { type: 'credit'; bytes: number };

export const DATAGRAMS_WINDOW_BYTES = 262_144;

/** Receiver of a stream. Called in order; nothing follows `end`. */
export interface StreamSink<E> {
  event(event: E): void;
  /** null: a regular end. */
  end(error: Error | null): void;
  /** Bytes that wait in front of a slow reader; a stream that may drop looks at it. Absent: 0. */
  readonly queuedBytes?: number;
}

export interface StreamHandle<I> {
  send(input: I): void;
  /** Asks the stream to end; `end` follows. */
  close(): void;
}

/** Streams: a request opens one, events come until it ends; some take input. */
export interface ControlStreams {
  routeEvents: { request: RouteEventsRequest; event: RouteMessages; input: never };
  raw: { request: RawRequest; event: RawEvent; input: RawInput };
  device: { request: DeviceRequest; event: DeviceEvent; input: DeviceInput };
  capture: { request: CaptureRecordRequest; event: CaptureRecord; input: never };
  connection: { request: ConnectionRequest; event: ConnectionEvent; input: ConnectionInput };
  /** EADDRINUSE. */
  listener: { request: ListenerRequest; event: ListenerEvent; input: ListenerInput };
  /** EADDRINUSE. */
  datagrams: { request: DatagramsRequest; event: DatagramsEvent; input: DatagramsInput };
}

export type ControlStream = keyof ControlStreams;

// ---- routing messages ----------------------------------------------------------------------------------------------

/** `RTM_*`. */
export const RTM_ADD = 0x1;
export const RTM_DELETE = 0x2;
export const RTM_CHANGE = 0x3;
export const RTM_REDIRECT = 0x6;
export const RTM_MISS = 0x7;
export const RTM_IFANNOUNCE = 0x10;
export const RTM_IFINFO = 0x14;
export const RTM_NEWADDR = 0x16;
export const RTM_DELADDR = 0x17;

/** `IFAN_*` of RTM_IFANNOUNCE. */
export const IFAN_ARRIVAL = 0;
export const IFAN_DEPARTURE = 1;

/** One change of the kernel's tables. Read first: route(4). */
export type RouteMessage =
  | { type: typeof RTM_ADD | typeof RTM_DELETE | typeof RTM_CHANGE; route: RouteRecord }
  /** The link-layer address of a neighbor is known, or not any more. */
  | { type: typeof RTM_ADD | typeof RTM_DELETE; neighbor: NeighborRecord }
  | { type: typeof RTM_REDIRECT; destination: IpAddress; gateway: IpAddress; interfaceIndex: number }
  /** No route to that destination, or, with `linkIndex`, no answer from there on that link; `author` asked. */
  | { type: typeof RTM_MISS; destination: IpAddress; linkIndex?: number; author?: IpAddress }
  | { type: typeof RTM_NEWADDR | typeof RTM_DELADDR; interfaceIndex: number; address: IpAddress; prefixLength: number }
  | { type: typeof RTM_IFINFO; interfaceIndex: number; flags: number; mtuBytes: number; linkState: number }
  /** `what`: `IFAN_*`. */
  | { type: typeof RTM_IFANNOUNCE; interfaceIndex: number; name: string; what: number };

/** Messages in their order, and how many were dropped before them. */
export interface RouteMessages {
  dropped: number;
  messages: RouteMessage[];
}
