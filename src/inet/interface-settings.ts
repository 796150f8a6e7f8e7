/**
 * Settings of an interface: everything that an administrator gave it, in words that each kernel understands. They go with an
 * interface that moves to another kernel.
 *
 * Thread: the one that runs both kernels. Settings are flags, addresses, and routes and neighbors that were entered by hand.
 * Learned state stays behind: neighbors that answered, redirects, and addresses and routes of advertisements, which the new
 * kernel learns under its own switches. The MTU is the link's. Groups belong to sockets, which stay.
 * Read first: net/interface-table.ts (`move`), ip/address-boundary.ts.
 * Cold: configuration.
 */

import { Errno } from '../base/errors.ts';
import type { Address6Origin, Interface } from '../net/interface.ts';
import { makeRoute, RTF_CONNECTED, RTF_DYNAMIC, RTF_LOCAL } from '../net/route.ts';
import type { Inet } from './inet.ts';
import { type AddressWords, NO_ADDRESS } from './ip/address-boundary.ts';

/** Flags of routes that nobody entered. */
const NOT_BY_HAND: number = RTF_CONNECTED | RTF_LOCAL | RTF_DYNAMIC;

interface AddressSetting {
  readonly address: AddressWords;
  readonly prefixLength: number;
  /** IPv4 only; 0: none. */
  readonly broadcast: number;
  /** The other end of a point-to-point link. */
  readonly destination: AddressWords | null;
  readonly origin: Address6Origin;
  readonly anycast: boolean;
  /** Microseconds of the clock that all kernels of a thread share; `Infinity` for ever. */
  readonly preferredUntilUs: number;
  readonly validUntilUs: number;
}

interface RouteSetting {
  readonly destination: AddressWords;
  readonly prefixLength: number;
  readonly gateway: AddressWords | null;
  readonly flags: number;
  readonly mtuBytes: number;
}

interface NeighborSetting {
  readonly address: AddressWords;
  readonly macHi: number;
  readonly macLo: number;
  readonly published: boolean;
  readonly proxyOnly: boolean;
}

export interface InterfaceSettings {
  /** `IFF_*`. */
  readonly flags: number;
  readonly ip6Disabled: boolean;
  readonly addresses: readonly AddressSetting[];
  readonly routes: readonly RouteSetting[];
  readonly neighbors: readonly NeighborSetting[];
}

/** Settings of an interface of `inet`. */
export function settingsOf(inet: Inet, iface: Interface): InterfaceSettings {
  const { ip4, ip6, families } = inet;
  const words = (number: number): AddressWords => wordsOf(inet, number);
  const forever = { origin: 'manual' as const, anycast: false, preferredUntilUs: Infinity, validUntilUs: Infinity };
  const wordsOrNone = (number: number): AddressWords | null => (number === 0 ? null : words(number));
  const addresses4 = iface.addresses.map(({ address, prefixLength, broadcast, destination }) => ({
    address: words(address),
    prefixLength,
    broadcast,
    destination: wordsOrNone(destination),
    ...forever,
  }));
  const addresses6 = iface.addresses6
    .filter(({ origin }) => origin === 'manual' || origin === 'link-local')
    .map(({ address, prefixLength, destination, origin, anycast, preferredUntilUs, validUntilUs }) => ({
      address: words(address),
      prefixLength,
      broadcast: 0,
      destination: wordsOrNone(destination),
      origin,
      anycast,
      preferredUntilUs,
      validUntilUs,
    }));
  const routes = families.all
    .flatMap((family) => family.routes.list())
    .filter((route) => route.iface === iface && (route.flags & NOT_BY_HAND) === 0)
    .map(({ destination, prefixLength, gateway, flags, mtuBytes }) => ({
      destination: words(destination),
      prefixLength,
      gateway: gateway === 0 ? null : words(gateway),
      flags,
      mtuBytes,
    }));
  const neighbors = [...ip4.neighbors.list(), ...ip6.neighbors.list()]
    .filter((neighbor) => neighbor.iface === iface && neighbor.state === 'permanent')
    .map(({ address, macHi, macLo, published, proxyOnly }) => ({
      address: words(address),
      macHi,
      macLo,
      published,
      proxyOnly,
    }));
  const ip6Disabled = ip6.links.of(iface)?.disabled ?? false;
  return { flags: iface.flags, ip6Disabled, addresses: [...addresses4, ...addresses6], routes, neighbors };
}

/**
 * Whether `inet` could take an interface with these settings: 0, `-EADDRINUSE` (it has an address of them), `-EEXIST` (it has a
 * route to a destination of them) or `-ENOBUFS`. They are those of `leaving`: an interface of `inet` itself makes room first.
 */
export function settingsError(inet: Inet, settings: InterfaceSettings, leaving: Interface): number {
  if (inet.list().includes(leaving)) return 0;
  const { families } = inet;
  for (const { address } of settings.addresses) {
    // The zone is that of the new interface, where nobody has an address.
    if (address.scopeId !== 0) continue;
    const number = inet.addresses.numberOf(address);
    if (number === NO_ADDRESS) return -Errno.ENOBUFS;
    if (inet.list().some((iface) => hasAddress(iface, number))) return -Errno.EADDRINUSE;
  }
  for (const { destination, prefixLength } of settings.routes) {
    if (destination.scopeId !== 0) continue;
    const number = inet.addresses.numberOf(destination);
    if (number === NO_ADDRESS) return -Errno.ENOBUFS;
    if (families.of(number).routes.find(number, prefixLength) !== null) return -Errno.EEXIST;
  }
  return hasRoom(inet, settings) ? 0 : -Errno.ENOBUFS;
}

/**
 * Give settings to a new interface of `inet`, which is down. {@link settingsError} was asked; a link-local address that the
 * address table has no room for is left out.
 */
export function applySettings(inet: Inet, iface: Interface, settings: InterfaceSettings): void {
  const { ip6 } = inet;
  const nowUs = inet.cpus[0].context.nowUs();
  if (settings.ip6Disabled) ip6.setDisabled(iface, true);
  // A route that was entered to the prefix of an address stands in place of the one that the address brings along.
  for (const route of settings.routes) applyRoute(inet, iface, route);
  // IPv6 begins when the interface comes up, and makes a link-local address where none is; IPv4 announces at once.
  for (const setting of settings.addresses) {
    const { address, prefixLength, destination, origin, anycast } = setting;
    const number = numberHere(inet, address, iface);
    const other = destination === null ? 0 : numberHere(inet, destination, iface);
    if (address.family === 4 || number === NO_ADDRESS || other === NO_ADDRESS) continue;
    if (ip6.addAddress(iface, number, prefixLength, origin, anycast, other) < 0) continue;
    const entry = ip6.addresses.find(number);
    if (entry !== null) ip6.lifetimes.set(entry, setting.preferredUntilUs - nowUs, setting.validUntilUs - nowUs);
  }
  inet.changeFlags(iface, settings.flags, 0);
  for (const { address, prefixLength, broadcast, destination } of settings.addresses) {
    if (address.family !== 4) continue;
    const details = { ...(broadcast === 0 ? {} : { broadcast }), destination: destination?.w3 ?? 0 };
    inet.configure(iface, address.w3, prefixLength, details);
  }
  for (const { address, macHi, macLo, published, proxyOnly } of settings.neighbors) {
    const number = numberHere(inet, address, iface);
    if (number === NO_ADDRESS) continue;
    inet.families.of(number).neighbors.addStatic(iface, number, macHi, macLo, true, published, proxyOnly);
  }
}

function applyRoute(inet: Inet, iface: Interface, setting: RouteSetting): void {
  const { prefixLength, flags, mtuBytes } = setting;
  const destination = numberHere(inet, setting.destination, iface);
  const gateway = setting.gateway === null ? 0 : numberHere(inet, setting.gateway, iface);
  if (destination === NO_ADDRESS || gateway === NO_ADDRESS) return;
  const { routes, hostPrefix } = inet.families.of(destination);
  const route = makeRoute(destination, prefixLength, gateway, iface, flags, hostPrefix);
  route.mtuBytes = mtuBytes;
  routes.add(route);
}

function wordsOf(inet: Inet, number: number): AddressWords {
  const words: AddressWords = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0, scopeId: 0 };
  inet.addresses.wordsOf(number, 4, words);
  return words;
}

/** An address of link scope means the link of `iface`. */
function numberHere(inet: Inet, words: AddressWords, iface: Interface): number {
  return inet.addresses.numberOf(words.scopeId === 0 ? words : { ...words, scopeId: iface.index });
}

function hasAddress({ addresses, addresses6 }: Interface, number: number): boolean {
  return addresses.some(({ address }) => address === number) || addresses6.some(({ address }) => address === number);
}

/** Room for routes, two of them for each address, and for neighbors. */
function hasRoom({ families }: Inet, settings: InterfaceSettings): boolean {
  return families.all.every(({ hostPrefix, routes, neighbors }) => {
    const family = hostPrefix === 32 ? 4 : 6;
    const ofFamily = (words: AddressWords): boolean => words.family === family;
    const addresses = settings.addresses.filter(({ address }) => ofFamily(address)).length;
    const byHand = settings.routes.filter(({ destination }) => ofFamily(destination)).length;
    const entered = settings.neighbors.filter(({ address }) => ofFamily(address)).length;
    return routes.room >= 2 * addresses + byHand && neighbors.room >= entered;
  });
}
