/**
 * Types of control requests about interfaces, their addresses and bridges. Thread: any; types and numbers only. Read first: control.ts (the
 * conventions), netintro(4), bridge(4).
 */

import type { IpAddress } from './ip-address.ts';

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
/** The interface of the address is down, or has no media; the address is probed again when that is over. */
export const IN6_IFF_DETACHED = 0x8;
export const IN6_IFF_DEPRECATED = 0x10;
export const IN6_IFF_AUTOCONF = 0x40;
export const IN6_IFF_TEMPORARY = 0x80;

/** Origin of an address. */
export const ORIGIN_MANUAL = 0;
export const ORIGIN_LINK_LOCAL = 1;
export const ORIGIN_AUTOCONF = 2;
export const ORIGIN_TEMPORARY = 3;

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
  /** Packets received that were addressed to a group, or to all stations. */
  inMulticasts: number;
  /** Packets sent. */
  outPackets: number;
  /** Bytes sent, link headers included. */
  outBytes: number;
  /** Packets that could not be sent. */
  outErrors: number;
  /** Packets to send that were dropped. */
  outDrops: number;
  /** Packets sent to groups. */
  outMulticasts: number;
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

/** A multicast group that an interface is a member of. */
export interface InterfaceGroupRecord {
  interfaceIndex: number;
  address: IpAddress;
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
  /** Seconds until it is deprecated, absent: until it is removed, and until it is removed, absent: never; null: never. */
  preferredSec?: number | null;
  validSec?: number | null;
}

export interface AddressDeleteRequest {
  index: number;
  address: IpAddress;
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
