/** Interfaces in text: names of flags and states. Thread: any; pure functions. Read first: ifconfig(8). */

import {
  type AddressRecord,
  IN6_IFF_ANYCAST,
  IN6_IFF_DEPRECATED,
  IN6_IFF_DETACHED,
  IN6_IFF_DUPLICATED,
  IN6_IFF_TENTATIVE,
  type InterfaceRecord,
  type InterfaceTraffic,
} from '../sys/control.ts';
import { formatIp } from '../wire/ip-address.ts';
import { formatAddress, formatLinkAddress, InterfaceNames } from './address-text.ts';

/** An IPv4 address of an interface. */
export interface AddressInfo {
  /** Dotted, e.g. "10.0.0.11". */
  address: string;
  /** Bits. */
  prefixLength: number;
  /** Broadcast address; null: the link has none. */
  broadcast: string | null;
  /** The other end of a point-to-point link, where one was given. */
  destination?: string;
  /** State of address conflict detection (RFC 5227). */
  state: 'tentative' | 'duplicated' | 'detached' | 'valid';
}

/** An IPv6 address of an interface. */
export interface Address6Info {
  /** With its zone where it has one: "fe80::1%eth0". */
  address: string;
  /** Bits. */
  prefixLength: number;
  /** State of duplicate address detection and of the lifetimes (RFC 4862). */
  state: 'tentative' | 'duplicated' | 'detached' | 'deprecated' | 'preferred';
  /** The other end of a point-to-point link, where one was given. */
  destination?: string;
  /** Source of the address: given by hand, or made by the kernel (RFC 4862; temporary: RFC 8981). */
  origin: 'manual' | 'link-local' | 'autoconf' | 'temporary';
  /** Whether it is an anycast address (RFC 4291). */
  anycast: boolean;
  /** Seconds until it is deprecated; null: never. */
  preferredSec: number | null;
  /** Seconds until it is removed; null: never. */
  validSec: number | null;
}

/** A multicast group that an interface is a member of. */
export interface GroupInfo {
  interface: string;
  /** With its zone where it has one. */
  address: string;
}

/** One row of `ifconfig`. */
export interface InterfaceInfo extends InterfaceTraffic {
  /** Name, e.g. "eth0". */
  name: string;
  /** Number from 1, as if_nametoindex(3) gives it. */
  index: number;
  /** Driver, e.g. "vni", "loopback". */
  kind: string;
  /** NetBSD's flag word, e.g. 0x8843. */
  flags: number;
  /** Names of the flags, e.g. ["UP","BROADCAST","RUNNING","SIMPLEX","MULTICAST"]. */
  flagNames: string[];
  /** Largest IP packet. */
  mtuBytes: number;
  /** Number for routing daemons, where it was set. */
  metric?: number;
  /** Ethernet address; null without one (lo0). */
  mac: string | null;
  /** Ethernet addresses beside that one, where there are any; frames neither come to nor go out from them. */
  otherMacs?: string[];
  /** State of the link below it. */
  linkState: 'up' | 'down' | 'unknown';
  /** Why the link was marked down, empty when it was not. */
  downReason: string;
  /** Path of its bus, null without one. */
  linkString: string | null;
  /** Whether the media are `auto`, and not `none`; null where nobody chooses. */
  mediaOn: boolean | null;
  /** IPv4 addresses. */
  addresses: AddressInfo[];
  /** IPv6 addresses. */
  addresses6: Address6Info[];
  /** A vlan's tag, 0 for none, and its parent, '' for none. */
  vlan?: { id: number; parent: string };
  /** A gif's tunnel. */
  tunnel?: { source: string; destination: string };
}

/** `IFF_*`, lowest bit first. */
const INTERFACE_FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [0x1, 'UP'],
  [0x2, 'BROADCAST'],
  [0x4, 'DEBUG'],
  [0x8, 'LOOPBACK'],
  [0x10, 'POINTOPOINT'],
  [0x40, 'RUNNING'],
  [0x80, 'NOARP'],
  [0x100, 'PROMISC'],
  [0x200, 'ALLMULTI'],
  [0x400, 'OACTIVE'],
  [0x800, 'SIMPLEX'],
  [0x1000, 'LINK0'],
  [0x2000, 'LINK1'],
  [0x4000, 'LINK2'],
  [0x8000, 'MULTICAST'],
];

/** By `LINK_STATE_*`. */
const LINK_STATES: readonly InterfaceInfo['linkState'][] = ['unknown', 'down', 'up'];
/** By `ORIGIN_*`. */
const ORIGINS: readonly Address6Info['origin'][] = ['manual', 'link-local', 'autoconf', 'temporary'];

/** The names ifconfig prints for a flag word. */
export function flagNames(flags: number): string[] {
  return INTERFACE_FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, name]) => name);
}

function addressState(flags: number): Address6Info['state'] {
  if ((flags & IN6_IFF_TENTATIVE) !== 0) return 'tentative';
  if ((flags & IN6_IFF_DUPLICATED) !== 0) return 'duplicated';
  if ((flags & IN6_IFF_DETACHED) !== 0) return 'detached';
  return (flags & IN6_IFF_DEPRECATED) !== 0 ? 'deprecated' : 'preferred';
}

function addressInfo({ address, prefixLength, broadcast, destination, flags }: AddressRecord): AddressInfo {
  const shown = broadcast === 0 ? null : formatIp({ ...address, w3: broadcast });
  const state = addressState(flags);
  return {
    address: formatIp(address),
    prefixLength,
    broadcast: shown,
    ...(destination === null ? {} : { destination: formatIp(destination) }),
    state: state === 'deprecated' || state === 'preferred' ? 'valid' : state,
  };
}

function address6Info(record: AddressRecord, names: InterfaceNames): Address6Info {
  const { address, prefixLength, destination, flags, origin, preferredSec, validSec } = record;
  return {
    address: formatAddress(address, names),
    prefixLength,
    ...(destination === null ? {} : { destination: formatAddress(destination, names) }),
    state: addressState(flags),
    origin: ORIGINS[origin] ?? 'manual',
    anycast: (flags & IN6_IFF_ANYCAST) !== 0,
    preferredSec,
    validSec,
  };
}

/** Rows of all interfaces. */
export function interfaceInfos(records: readonly InterfaceRecord[]): InterfaceInfo[] {
  const names = new InterfaceNames(records);
  return records.map((record) => interfaceInfo(record, names));
}

function interfaceInfo(record: InterfaceRecord, names: InterfaceNames): InterfaceInfo {
  const {
    name,
    index,
    kind,
    flags,
    mtuBytes,
    metric,
    linkAddress,
    otherLinkAddresses,
    linkState,
    downReason,
    linkString,
    mediaOn,
    addresses,
    vlan,
    tunnel,
    ...traffic
  } = record;
  return {
    name,
    index,
    kind,
    flags,
    flagNames: flagNames(flags),
    mtuBytes,
    ...(metric === 0 ? {} : { metric }),
    mac: linkAddress === null ? null : formatLinkAddress(linkAddress),
    ...(otherLinkAddresses.length === 0 ? {} : { otherMacs: otherLinkAddresses.map(formatLinkAddress) }),
    linkState: LINK_STATES[linkState] ?? 'unknown',
    downReason,
    linkString,
    mediaOn,
    addresses: addresses.filter(({ address }) => address.family === 4).map(addressInfo),
    addresses6: addresses.filter(({ address }) => address.family === 6).map((entry) => address6Info(entry, names)),
    ...traffic,
    ...(tunnel === undefined || tunnel === null
      ? {}
      : { tunnel: { source: formatIp(tunnel.source), destination: formatIp(tunnel.destination) } }),
    ...(vlan === undefined
      ? {}
      : { vlan: { id: vlan.id, parent: vlan.parentIndex === 0 ? '' : names.name(vlan.parentIndex) } }),
  };
}
