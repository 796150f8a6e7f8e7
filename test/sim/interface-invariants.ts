/**
 * Invariants of a kernel's interfaces, true between any two steps: its tables agree with each other, with the messages about
 * their changes, and with what went.
 *
 * A finding is thrown as one line: comparisons of a test library would print whole kernels.
 */

import type { Inet } from '../../src/inet/inet.ts';
import { isUsable } from '../../src/inet/ip6/addresses.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import type { Interface } from '../../src/net/interface.ts';
import { type Route, RTF_CONNECTED, RTF_DYNAMIC, RTF_LOCAL } from '../../src/net/route.ts';
import type { TableListener } from '../../src/net/table-events.ts';
import { AddressText } from '../fixtures/address-text.ts';
import { TagLink } from '../fixtures/tag-link.ts';

/** 2001:db8:SUBNET::HOST are the IPv6 addresses that an interface may have. */
const PREFIX6 = 0x20010db8;
const SUBNETS6 = 8;
const HOSTS6 = 4;

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`not so: ${what}`);
}

/** Whether a set has these members and no others. */
export function same<T>(set: ReadonlySet<T>, members: readonly T[]): boolean {
  return set.size === members.length && members.every((one) => set.has(one));
}

/** A kernel's interfaces, addresses and routes as the messages about changes tell them. */
export class Told implements TableListener {
  /** With their names. */
  readonly #interfaces: Map<Interface, string> = new Map();
  readonly #addresses: Set<string> = new Set();
  readonly #routes: Set<Route> = new Set();

  constructor(inet: Inet) {
    for (const iface of inet.list()) {
      this.interfaceArrived(iface);
      for (const { address } of [...iface.addresses, ...iface.addresses6]) this.addressAdded(iface, address);
    }
    for (const route of routesOf(inet)) this.routeAdded(route);
    inet.tableEvents.listener = this;
  }

  /** What the messages told is what there is. */
  check(inet: Inet): void {
    must(same(new Set(this.#interfaces.keys()), inet.list()), 'interfaces are those of the messages');
    for (const [{ name }, told] of this.#interfaces) must(name === told, `${name} was told as that`);
    const held = inet
      .list()
      .flatMap((iface) => [...iface.addresses, ...iface.addresses6].map((own) => `${iface.index} ${own.address}`));
    must(same(this.#addresses, held), 'addresses are those of the messages');
    must(same(this.#routes, routesOf(inet)), 'routes are those of the messages');
  }

  neighborAdded(): void {}

  neighborDeleted(): void {}

  neighborMissed(): void {}

  routeAdded(route: Route): void {
    this.#routes.add(route);
  }
  routeDeleted(route: Route): void {
    this.#routes.delete(route);
  }
  routeChanged(): void {}
  redirected(): void {}
  missed(): void {}
  addressAdded(iface: Interface, address: number): void {
    this.#addresses.add(`${iface.index} ${address}`);
  }
  addressDeleted(iface: Interface, address: number): void {
    this.#addresses.delete(`${iface.index} ${address}`);
  }
  interfaceChanged(): void {}
  interfaceArrived(iface: Interface): void {
    must(!this.#interfaces.has(iface), `${iface.name} arrives once`);
    this.#interfaces.set(iface, iface.name);
  }
  interfaceDeparted(iface: Interface): void {
    must(this.#interfaces.get(iface) === iface.name, `${iface.name} departs by its name`);
    this.#interfaces.delete(iface);
  }
}

function routesOf({ ip4, ip6 }: Inet): Route[] {
  return [...ip4.routes.list(), ...ip6.routes.list()];
}

/** An interface that went keeps nothing. */
export function checkGone(iface: Interface): void {
  const { name, addresses, addresses6, taps, hooks } = iface;
  must(!iface.attached && !iface.up && iface.primary === 0, `${name} is down`);
  must(addresses.length + addresses6.length + taps.length + hooks.length === 0, `${name} has nothing`);
}

/** `addresses`: those that an interface may have, and `broadcasts` of their subnets. */
export function checkTables({ inet }: Kernel, addresses: readonly number[], broadcasts: readonly number[]): void {
  const { ip4, ip6 } = inet;
  const list = inet.list();
  const here = new Set(list);
  for (const address of addresses) {
    const owner = ip4.addresses.owner(address);
    const held = list.find((iface) => iface.addresses.some((own) => own.address === address && own.state === 'valid'));
    must(owner === (held ?? null), `${address} is ours while an interface has it`);
    must(ip4.addresses.isLocal(address) === (owner !== null), `${address} is local while it is ours`);
  }
  for (let subnet = 0; subnet < SUBNETS6; subnet++) {
    for (let host = 0; host < HOSTS6; host++) {
      const address = inet.shared.interner.find(PREFIX6, subnet << 16, 0, host, 0);
      if (address === 0) continue;
      const owner = ip6.addresses.owner(address);
      must(owner === null || here.has(owner), `2001:db8:${subnet}::${host} is ours while an interface has it`);
      must(
        ip6.addresses.isLocal(address) === (owner !== null),
        `2001:db8:${subnet}::${host} is local while it is ours`,
      );
    }
  }
  for (const address of broadcasts) {
    const network = ip4.addresses.broadcastInterface(address);
    must(network === null || here.has(network), `broadcasts to ${address} have an interface`);
  }
  must(new Set(list.map(({ name }) => name)).size === list.length, 'names differ');
  must(new Set(list.map(({ index }) => index)).size === list.length, 'indexes differ');
  const kept = [...routesOf(inet), ...ip4.neighbors.list(), ...ip6.neighbors.list(), ...ip6.links.all()];
  for (const { iface } of kept) must(here.has(iface), `a table has ${iface.name} while the kernel has it`);
  for (const iface of list) {
    const { inPackets, inBytes, inDrops, outPackets, outBytes, outDrops, name, link } = iface;
    must(iface.attached && link.iface === iface, `${name} has its link`);
    const quiet = iface.loopback || ip6.links.isActive(iface) || !iface.addresses6.some(isUsable);
    must(quiet, `${name} uses addresses of IPv6 while that runs there`);
    if (link instanceof TagLink) must(link.parent.attached || !link.linkUp, `${name} is down without its parent`);
    must(Math.min(inPackets, inDrops, outPackets, outDrops) >= 0, `counts of ${name}`);
    must(outBytes >= 20 * outPackets, `bytes that ${name} sent`);
    must(inBytes >= (iface.loopback ? 20 : 14) * inPackets, `bytes that ${name} received`);
  }
}

/** Everything of an interface that a move takes along, in words. */
export function settingsIn(kernel: Kernel, iface: Interface): object {
  const { inet } = kernel;
  const { ip4, ip6 } = inet;
  const text = new AddressText(inet);
  const word = (number: number): string => text.format(number).replace(/%.*/, '%here');
  const routes = routesOf(inet)
    .filter((route) => route.iface === iface && (route.flags & (RTF_CONNECTED | RTF_LOCAL | RTF_DYNAMIC)) === 0)
    .map(({ destination, prefixLength, gateway, flags }) => [word(destination), prefixLength, word(gateway), flags]);
  const neighbors = [...ip4.neighbors.list(), ...ip6.neighbors.list()]
    .filter((neighbor) => neighbor.iface === iface && neighbor.state === 'permanent')
    .map(({ address, macHi, macLo, published, proxyOnly }) => [word(address), macHi, macLo, published, proxyOnly]);
  const addresses = [...iface.addresses, ...iface.addresses6].map((own) => [word(own.address), own.prefixLength]);
  const { flags, mtuBytes } = iface;
  return { flags, mtuBytes, addresses, routes: routes.sort(), neighbors };
}
