/**
 * Control requests of a kernel: interfaces, addresses, routes, neighbors, sockets, counters, variables, filters.
 *
 * Thread: any; types and numbers only. Requests and replies are plain structures of numbers, fit for JSON and for structured
 * cloning; the only texts are identities (names of interfaces, variables, counters, hosts). Words of addresses are int32 in
 * network order; flags, states and message types are numbered as in NetBSD. Text is made in tools/.
 * Read next: interface-requests.ts, route-requests.ts, discovery-requests.ts, stream-requests.ts (types by subject),
 * control-table.ts (the answers), control-input.ts (checks of untrusted requests), routing-messages.ts (events).
 */

import type { DiscoveryChangeRequest, DiscoveryRecord, PrefixRecord, RouterRecord } from './discovery-requests.ts';
import type {
  AddressAddRequest,
  AddressDeleteRequest,
  BridgeMemberChangeRequest,
  BridgeMemberRequest,
  BridgeRecord,
  BridgeSettings,
  InterfaceChangeRequest,
  InterfaceCreateRequest,
  InterfaceGroupRecord,
  InterfaceName,
  InterfaceRecord,
  LinkAddress,
  VlanRecord,
} from './interface-requests.ts';
import type { IpAddress, IpFamily } from './ip-address.ts';
import type {
  RouteAddRequest,
  RouteChangeRequest,
  RouteDeleteRequest,
  RouteGetReply,
  RouteRecord,
} from './route-requests.ts';
import type {
  BpfCounts,
  BpfEvent,
  BpfInput,
  BpfRecord,
  BpfRequest,
  CaptureRecord,
  CaptureRecordRequest,
  ConnectionEvent,
  ConnectionInput,
  ConnectionRequest,
  DatagramsEvent,
  DatagramsInput,
  DatagramsRequest,
  DeviceEvent,
  DeviceInput,
  DeviceRequest,
  ListenerEvent,
  ListenerInput,
  ListenerRequest,
  RawEvent,
  RawInput,
  RawRequest,
  RouteEventsRequest,
} from './stream-requests.ts';

export * from './discovery-requests.ts';
export * from './interface-requests.ts';
export type { IpAddress, IpFamily } from './ip-address.ts';
export * from './route-requests.ts';
export * from './stream-requests.ts';

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

type Nothing = Record<never, never>;

/** Requests with one reply. */
export interface ControlRequests {
  'interface.list': { request: Nothing; reply: InterfaceRecord[] };
  /** if_nameindex(3). */
  'interface.names': { request: Nothing; reply: InterfaceName[] };
  'interface.change': { request: InterfaceChangeRequest; reply: null };
  /** Prefixes of names that `interface.create` takes, of the newest cloner first. */
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
  /** Prefixes and default routers that were advertised on the links of this host; flushed, they are forgotten until the next advertisement. */
  'prefix.list': { request: Nothing; reply: PrefixRecord[] };
  'prefix.flush': { request: Nothing; reply: null };
  'router.list': { request: Nothing; reply: RouterRecord[] };
  'router.flush': { request: Nothing; reply: null };
  /** Neighbor discovery on one link. */
  'discovery.get': { request: { index: number }; reply: DiscoveryRecord };
  'discovery.change': { request: DiscoveryChangeRequest; reply: null };
  /** Memberships of all interfaces, in the order in which they were joined. */
  'group.list': { request: Nothing; reply: InterfaceGroupRecord[] };
  /** Open bpf devices, and the counts of all that there were. */
  'bpf.list': { request: Nothing; reply: { devices: BpfRecord[]; total: BpfCounts } };
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

/** Streams: a request opens one, events come until it ends; some take input. */
export interface ControlStreams {
  routeEvents: { request: RouteEventsRequest; event: RouteMessages; input: never };
  raw: { request: RawRequest; event: RawEvent; input: RawInput };
  bpf: { request: BpfRequest; event: BpfEvent; input: BpfInput };
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
