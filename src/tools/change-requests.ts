/**
 * Changes as people write them, as control requests: addresses, zones and interface names become words and indexes.
 *
 * Thread: any; pure functions. Each refusal of a text is a `MultikernelError` EINVAL or ENXIO.
 */

import { MultikernelError } from '../base/errors.ts';
import type { RouteDetailsRequest, RouteMetricsRecord } from '../sys/control.ts';
import {
  type AddressAddRequest,
  type ControlOperation,
  type ControlRequest,
  FILTER_DROP,
  FILTER_REJECT,
  type IpAddress,
  type LinkAddress,
  ROUTE_BLACKHOLE,
  ROUTE_REJECT,
  ROUTE_UNICAST,
} from '../sys/control.ts';
import { parseIp } from '../wire/ip-address.ts';
import { type InterfaceNames, parseAddress, parseLinkAddress } from './address-text.ts';

const IFF_UP = 0x1;

/** One control request, and the subject of its refusal. */
export type ChangeRequest = {
  [Op in ControlOperation]: { operation: Op; request: ControlRequest<Op>; subject: string };
}[ControlOperation];

/** A route of either family to put in or take out; errors as route(4) gives them: EEXIST, ENOENT ("not in table"), ENETUNREACH. */
export interface RouteChange {
  /** Network or host, without the prefix length. */
  destination: string;
  /** Bits of the destination; 32 or 128 for a host. */
  prefixLength: number;
  /** Empty when deleting whatever route leads there, or with `interface`, when the destination is on that link. */
  gateway: string;
  /** IPv6: the link of the destination or of a gateway without a zone. */
  interface?: string;
  /** Fate of the packets: sent on, rejected with ICMP, or dropped. */
  kind: 'unicast' | 'reject' | 'blackhole';
  /** `RTF_*` in place of those that follow from the rest; without RTF_GATEWAY the gateway is an own address. */
  flags?: number;
  /** Own address that packets get as their source. */
  source?: string;
  /** Metrics, 0 for none. */
  metrics?: RouteMetricsRecord;
}

/** EINVAL: valid for 0 seconds, or preferred for longer than valid. */
export type NewAddress = Omit<AddressAddRequest, 'index' | 'address' | 'broadcast' | 'destination'> & {
  address: string;
  /** IPv4 on a link that has broadcasts: that address, in place of the last of the prefix. */
  broadcast?: string;
  /** The other end of a point-to-point link. */
  destination?: string;
};

/** Changes as by `ifconfig IF ...`; absent keys stay. */
export interface InterfaceChange {
  /** Name of the interface. */
  name: string;
  /** Whether it is up. */
  up?: boolean;
  /** `IFF_*`: DEBUG, NOARP, LINK0 to LINK2. */
  setFlags?: number;
  /** The same flags, taken away. */
  clearFlags?: number;
  /** Counts its traffic from 0. */
  zeroTraffic?: boolean;
  /** Path of the bus; null takes it away. */
  linkString?: string | null;
  /** Media `auto` (true) or `none`. */
  mediaOn?: boolean;
  /** Largest IP packet. */
  mtuBytes?: number;
  /** Number for routing daemons. */
  metric?: number;
  /** One more link-layer address, or with `active` the one of its frames. EOPNOTSUPP: the link has one for good. */
  addLinkAddress?: { mac: string; active: boolean };
  /** EBUSY: it is the active one. */
  removeLinkAddress?: string;
  /** Whether IPv6 runs on the interface, where it runs at all (`net.inet6.ip6.enable`). */
  ipv6?: boolean;
  /** Address of either family; link-local ones with or without their zone. One of IPv6 switches IPv6 on there. */
  addAddress?: NewAddress;
  /** Address of either family that is taken away. */
  removeAddress?: { address: string };
  /** Tag and parent of a vlan; null takes it off its parent. */
  vlan?: { id: number; parent: string } | null;
  /** Addresses of the outer packets of a gif; null: no tunnel. */
  tunnel?: { source: string; destination: string } | null;
}

/** Static entry: permanent unless `temporary`. A link-local address needs its zone. */
export interface NeighborEntry {
  /** Address of either family. */
  address: string;
  /** Ethernet address. */
  mac: string;
  /** Whether it expires as learnt entries do. */
  temporary: boolean;
  /** Whether the node answers for the address (proxy ARP). */
  published: boolean;
  /** IPv4: whether it is there to be answered for, and not used by packets of the node itself. */
  proxyOnly?: boolean;
}

/**
 * A partition towards other machines: packets whose source is one of `from` vanish at (or are refused by) this kernel, and those
 * from the MAC addresses `links`: all of them if `all`, else what that machine did not forward (link-local sources).
 */
export interface FilterRule {
  id: string;
  from: string[];
  links?: { mac: string; all: boolean }[];
  action: 'drop' | 'reject';
}

const ROUTE_ACTIONS: Readonly<Record<RouteChange['kind'], number>> = {
  unicast: ROUTE_UNICAST,
  reject: ROUTE_REJECT,
  blackhole: ROUTE_BLACKHOLE,
};

function addressOf(text: string, names: InterfaceNames): IpAddress {
  const address = parseAddress(text, names);
  if (address === null) throw new MultikernelError('EINVAL', `not an address: '${text}'`);
  return address;
}

/** Unlike the address of a host it may lie anywhere. */
function broadcastOf(text: string): IpAddress {
  const words = parseIp(text);
  if (words?.family !== 4) throw new MultikernelError('EINVAL', `not a broadcast address: '${text}'`);
  return { ...words, scopeId: 0 };
}

function linkAddressOf(text: string): LinkAddress {
  const bytes = parseLinkAddress(text);
  if (bytes === null) throw new MultikernelError('EINVAL', `not an Ethernet address: '${text}'`);
  return bytes;
}

function indexOf(name: string, names: InterfaceNames): number {
  const index = names.index(name);
  if (index === 0) throw new MultikernelError('ENXIO', `interface ${name} does not exist`);
  return index;
}

/** In the order: vlan, tunnel, MTU, bus, media, link-layer addresses, new address, old address, IPv6, up or down. */
export function interfaceRequests(change: InterfaceChange, names: InterfaceNames): ChangeRequest[] {
  const { name, up, mtuBytes, ipv6, addAddress, removeAddress, vlan, tunnel, linkString, mediaOn, ...rest } = change;
  const { addLinkAddress, removeLinkAddress, ...others } = rest;
  const index = indexOf(name, names);
  const requests: ChangeRequest[] = [];
  if (vlan !== undefined) {
    const request = { index, id: vlan?.id ?? 0, parentIndex: vlan === null ? 0 : indexOf(vlan.parent, names) };
    requests.push({ operation: 'vlan.set', request, subject: `${name}: vlan` });
  }
  if (tunnel !== undefined) {
    const end = (text: string | undefined): IpAddress | null => (text === undefined ? null : addressOf(text, names));
    const request = { index, source: end(tunnel?.source), destination: end(tunnel?.destination) };
    requests.push({ operation: 'tunnel.set', request, subject: `${name}: tunnel` });
  }
  if (mtuBytes !== undefined) {
    requests.push({ operation: 'interface.change', request: { index, mtuBytes }, subject: `${name}: mtu` });
  }
  if (linkString !== undefined) {
    requests.push({ operation: 'interface.link', request: { index, path: linkString }, subject: `${name}: linkstr` });
  }
  if (mediaOn !== undefined) {
    requests.push({ operation: 'interface.media', request: { index, on: mediaOn }, subject: `${name}: media` });
  }
  if (addLinkAddress !== undefined) {
    const { mac, active } = addLinkAddress;
    const request = { index, linkAddress: linkAddressOf(mac), active };
    requests.push({ operation: 'link-address.add', request, subject: `${name}: ${mac}` });
  }
  if (removeLinkAddress !== undefined) {
    const request = { index, linkAddress: linkAddressOf(removeLinkAddress) };
    requests.push({ operation: 'link-address.delete', request, subject: `${name}: ${removeLinkAddress}` });
  }
  if (addAddress !== undefined) {
    const { address, prefixLength, broadcast, destination, ...details } = addAddress;
    const request = {
      index,
      address: addressOf(address, names),
      prefixLength,
      ...(broadcast === undefined ? {} : { broadcast: broadcastOf(broadcast) }),
      ...(destination === undefined ? {} : { destination: addressOf(destination, names) }),
      ...details,
    };
    requests.push({ operation: 'address.add', request, subject: `${name}: ${address}/${prefixLength}` });
  }
  if (removeAddress !== undefined) {
    const { address } = removeAddress;
    const request = { index, address: addressOf(address, names) };
    requests.push({ operation: 'address.delete', request, subject: `${name}: ${address}` });
  }
  if (ipv6 !== undefined) {
    requests.push({ operation: 'interface.change', request: { index, ipv6 }, subject: name });
  }
  if (Object.keys(others).length > 0) {
    requests.push({ operation: 'interface.change', request: { index, ...others }, subject: name });
  }
  if (up !== undefined) {
    const request = up ? { index, setFlags: IFF_UP } : { index, clearFlags: IFF_UP };
    requests.push({ operation: 'interface.change', request, subject: name });
  }
  return requests;
}

export function routeRequest(verb: 'add' | 'delete', change: RouteChange, names: InterfaceNames): ChangeRequest {
  const { destination, prefixLength, gateway, kind } = change;
  const route = {
    destination: addressOf(destination, names),
    prefixLength,
    gateway: gateway === '' ? null : addressOf(gateway, names),
  };
  if (verb === 'delete') return { operation: 'route.delete', request: route, subject: `route ${destination}` };
  const request = { ...route, ...routeDetails(change, names), action: ROUTE_ACTIONS[kind] };
  return { operation: 'route.add', request, subject: `route ${destination}/${prefixLength}` };
}

function routeDetails(change: RouteChange, names: InterfaceNames): RouteDetailsRequest {
  const { flags, source, metrics } = change;
  return {
    interfaceIndex: change.interface === undefined ? 0 : indexOf(change.interface, names),
    ...(flags === undefined ? {} : { flags }),
    ...(source === undefined ? {} : { source: addressOf(source, names) }),
    ...(metrics === undefined ? {} : { metrics }),
  };
}

/** A change of a route in its place; `inits`: `RTV_*` of the metrics that change. An empty gateway stays. */
export function routeChangeRequest(change: RouteChange, inits: number, names: InterfaceNames): ChangeRequest {
  const { destination, prefixLength, gateway } = change;
  const request = {
    destination: addressOf(destination, names),
    prefixLength,
    gateway: gateway === '' ? null : addressOf(gateway, names),
    ...routeDetails(change, names),
    inits,
  };
  return { operation: 'route.change', request, subject: `route ${destination}/${prefixLength}` };
}

/** The request for the route to an address, or of exactly a prefix. */
export function routeGetRequest(
  destination: string,
  prefixLength: number | null,
  names: InterfaceNames,
): ControlRequest<'route.get'> {
  const address = addressOf(destination, names);
  return prefixLength === null ? { destination: address } : { destination: address, prefixLength };
}

function neighborSubject(address: string): string {
  return `${address.includes(':') ? 'ndp' : 'arp'} ${address}`;
}

export function neighborAddRequest(entry: NeighborEntry, names: InterfaceNames): ChangeRequest {
  const { address, mac, temporary, published, proxyOnly = false } = entry;
  const request = {
    address: addressOf(address, names),
    linkAddress: linkAddressOf(mac),
    temporary,
    published,
    ...(proxyOnly ? { proxyOnly } : {}),
  };
  return { operation: 'neighbor.add', request, subject: neighborSubject(address) };
}

export function neighborDeleteRequest(address: string, names: InterfaceNames): ChangeRequest {
  const request = { address: addressOf(address, names) };
  return { operation: 'neighbor.delete', request, subject: neighborSubject(address) };
}

export function filterRequest(rule: FilterRule, names: InterfaceNames): ChangeRequest {
  const request = {
    id: rule.id,
    from: rule.from.map((text) => addressOf(text, names)),
    links: (rule.links ?? []).map(({ mac, all }) => ({ linkAddress: linkAddressOf(mac), all })),
    action: rule.action === 'reject' ? FILTER_REJECT : FILTER_DROP,
  };
  return { operation: 'filter.add', request, subject: `filter ${rule.id}` };
}
