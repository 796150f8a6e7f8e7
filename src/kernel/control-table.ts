/**
 * The answers to control requests: one function per operation of control.ts.
 *
 * Thread: the one that runs the kernel. Requests come from outside the process perhaps, so every text in them is checked.
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import { US_PER_S } from '../base/units.ts';
import { isIp6 } from '../inet/ip/address-interner.ts';
import type { TcpSocketRow } from '../inet/tcp/rows.ts';
import { IFF_UP, type Interface } from '../net/interface.ts';
import { RTF_BLACKHOLE, RTF_GATEWAY, RTF_HOST, RTF_REJECT, RTF_STATIC } from '../net/route.ts';
import { parseMac } from '../wire/ethernet.ts';
import type {
  AddressFamily,
  ControlOperation,
  ControlRequests,
  InterfaceChange,
  NewAddress,
  RouteChange,
  SocketInfo,
} from './control.ts';
import type { Kernel } from './kernel.ts';

type Handler<Op extends ControlOperation> = (
  kernel: Kernel,
  request: ControlRequests[Op]['request'],
) => ControlRequests[Op]['reply'];

function addressOf(kernel: Kernel, text: string): number {
  const address = kernel.inet.addressText.parse(text);
  if (address === null) throw new MultikernelError('EINVAL', `not an address: '${text}'`);
  return address;
}

/** An address on an interface: a link-local one may come without its zone. */
function addressOn(kernel: Kernel, text: string, iface: Interface): number {
  const address = addressOf(kernel, text);
  return isIp6(address) ? kernel.inet.ip6.addresses.onLink(address, iface) : address;
}

function macOf(text: string): { hi: number; lo: number } {
  try {
    return parseMac(text);
  } catch (cause) {
    throw new MultikernelError('EINVAL', `not an Ethernet address: '${text}'`, { cause });
  }
}

function familyOf(family: AddressFamily | undefined): 4 | 6 {
  return family === 'inet6' ? 6 : 4;
}

function interfaceOf(kernel: Kernel, name: string): Interface {
  const iface = kernel.inet.interface(name);
  if (iface === null) throw new MultikernelError('ENXIO', `interface ${name} does not exist`);
  return iface;
}

function must(result: number, what: string): void {
  if (result < 0) throw new MultikernelError(errnoName(result), `${what}: ${errnoName(result)}`);
}

function addAddress(kernel: Kernel, iface: Interface, wanted: NewAddress): number {
  const { address, prefixLength, anycast = false, preferredSec, validSec } = wanted;
  const number = addressOn(kernel, address, iface);
  const timed = preferredSec !== undefined || validSec !== undefined;
  if (!isIp6(number)) return timed || anycast ? -Errno.EINVAL : kernel.inet.configure(iface, number, prefixLength);
  const validUs = (validSec ?? Infinity) * US_PER_S;
  const preferredUs = (preferredSec ?? validSec ?? Infinity) * US_PER_S;
  if (!(validUs > 0 && preferredUs >= 0 && preferredUs <= validUs)) return -Errno.EINVAL;
  const { ip6 } = kernel.inet;
  const known = timed ? ip6.addresses.find(number) : null;
  const same = known !== null && known.iface === iface && known.prefixLength === prefixLength;
  if (!same || known.origin !== 'manual' || known.anycast !== anycast) {
    const added = ip6.addAddress(iface, number, prefixLength, 'manual', anycast);
    if (added < 0) return added;
  }
  ip6.setDisabled(iface, false);
  const entry = ip6.addresses.find(number);
  if (timed && entry !== null) ip6.lifetimes.set(entry, preferredUs, validUs);
  return 0;
}

function setInterface(kernel: Kernel, change: InterfaceChange): null {
  const iface = interfaceOf(kernel, change.name);
  if (change.mtuBytes !== undefined) must(kernel.inet.setMtu(iface, change.mtuBytes), `${change.name}: mtu`);
  if (change.addAddress !== undefined) {
    const { address, prefixLength } = change.addAddress;
    must(addAddress(kernel, iface, change.addAddress), `${change.name}: ${address}/${prefixLength}`);
  }
  if (change.removeAddress !== undefined) {
    const { address } = change.removeAddress;
    must(kernel.inet.unconfigure(iface, addressOn(kernel, address, iface)), `${change.name}: ${address}`);
  }
  if (change.ipv6 !== undefined) kernel.inet.ip6.setDisabled(iface, !change.ipv6);
  if (change.up === true) kernel.inet.changeFlags(iface, IFF_UP, 0);
  if (change.up === false) kernel.inet.changeFlags(iface, 0, IFF_UP);
  return null;
}

function addRoute(kernel: Kernel, change: RouteChange): null {
  const destination = addressOf(kernel, change.destination);
  let flags = change.gateway === '' ? RTF_STATIC : RTF_STATIC | RTF_GATEWAY;
  if (change.prefixLength === (isIp6(destination) ? 128 : 32)) flags |= RTF_HOST;
  if (change.kind === 'reject') flags |= RTF_REJECT;
  if (change.kind === 'blackhole') flags |= RTF_BLACKHOLE;
  const result = isIp6(destination)
    ? addRoute6(kernel, change, destination, flags)
    : kernel.inet.addRoute(destination, change.prefixLength, addressOf(kernel, change.gateway), flags);
  must(result, `route ${change.destination}/${change.prefixLength}`);
  return null;
}

function addRoute6(kernel: Kernel, change: RouteChange, destination: number, flags: number): number {
  const iface = change.interface === undefined ? null : interfaceOf(kernel, change.interface);
  const { inet } = kernel;
  if (change.gateway === '') return inet.addRoute(destination, change.prefixLength, 0, flags, iface);
  const gateway = iface === null ? addressOf(kernel, change.gateway) : addressOn(kernel, change.gateway, iface);
  if (!isIp6(gateway)) return -Errno.EAFNOSUPPORT;
  return inet.addRoute(destination, change.prefixLength, gateway, flags, iface);
}

function deleteRoute(kernel: Kernel, change: RouteChange): null {
  const gateway = change.gateway === '' ? 0 : addressOf(kernel, change.gateway);
  const destination = addressOf(kernel, change.destination);
  const route = kernel.inet.removeRoute(destination, change.prefixLength, gateway);
  if (route === null) throw new MultikernelError('ENOENT', `route ${change.destination}: not in table`);
  return null;
}

function addNeighbor(kernel: Kernel, request: ControlRequests['neighbor.add']['request']): null {
  const address = addressOf(kernel, request.address);
  const iface = kernel.inet.ip.families.of(address).linkOf(address);
  if (iface === null) throw new MultikernelError('ENETUNREACH', `${request.address}: on no subnet of this kernel`);
  const mac = macOf(request.mac);
  const { neighbors } = kernel.inet.ip.families.of(address);
  must(
    neighbors.addStatic(iface, address, mac.hi, mac.lo, !request.temporary, request.published),
    `${isIp6(address) ? 'ndp' : 'arp'} ${request.address}`,
  );
  return null;
}

function deleteNeighbor(kernel: Kernel, request: { address: string }): null {
  const address = addressOf(kernel, request.address);
  const { neighbors } = kernel.inet.ip.families.of(address);
  for (const iface of kernel.inet.ip.interfaces) {
    const neighbor = neighbors.find(iface, address);
    if (neighbor === null) continue;
    neighbors.remove(neighbor);
    return null;
  }
  throw new MultikernelError('ENOENT', `arp ${request.address}: no entry`);
}

function tcpRow(kernel: Kernel, row: TcpSocketRow): SocketInfo {
  const text = kernel.inet.addressText;
  return {
    ...row,
    protocol: 'tcp',
    family: isIp6(row.localAddress) ? 'inet6' : 'inet',
    localAddress: text.format(row.localAddress),
    peerAddress: peerText(kernel, row.localAddress, row.peerAddress),
  };
}

/** "Any" of the family of the local address, where there is no peer. */
function peerText(kernel: Kernel, local: number, peer: number): string {
  return kernel.inet.addressText.format(peer, isIp6(local) && peer === 0 ? 6 : 4);
}

function sockets(kernel: Kernel): SocketInfo[] {
  const text = kernel.inet.addressText;
  const udp = kernel.inet.udp.list().map(
    (endpoint): SocketInfo => ({
      protocol: 'udp',
      family: isIp6(endpoint.address) ? 'inet6' : 'inet',
      receiveQueueBytes: endpoint.queue.queuedBytes,
      sendQueueBytes: 0,
      localAddress: text.format(endpoint.address),
      localPort: endpoint.port,
      peerAddress: peerText(kernel, endpoint.address, endpoint.peerAddress),
      peerPort: endpoint.peerPort,
      state: '',
      retransmits: 0,
      rtoMs: 0,
      srttMs: 0,
      cwndBytes: 0,
    }),
  );
  return [...kernel.tcp.sockets().map((row) => tcpRow(kernel, row)), ...udp];
}

function setSysctl(kernel: Kernel, name: string, value: number): { before: number; after: number } {
  const variable = kernel.inet.sysctl.get(name);
  if (variable === undefined) throw new MultikernelError('ENOENT', `sysctl ${name}: no such variable`);
  const before = variable.value;
  const result = kernel.inet.sysctl.set(name, value);
  if (result === -Errno.EINVAL) {
    throw new MultikernelError('EINVAL', `sysctl ${name}: ${value} is not in ${variable.min} to ${variable.max}`);
  }
  must(result, `sysctl ${name}`);
  return { before, after: variable.value };
}

export const controlTable: { readonly [Op in ControlOperation]: Handler<Op> } = {
  interfaces: (kernel) => kernel.inet.interfaces(),
  routes: (kernel, { family }) => kernel.inet.routes(familyOf(family)),
  neighbors: (kernel, { family }) => kernel.inet.neighbors(familyOf(family)),
  sockets,
  counters: (kernel) => kernel.counters.snapshot(),
  'filter.add': (kernel, rule) => {
    const from = rule.from.map((text) => addressOf(kernel, text));
    const links = (rule.links ?? []).map(({ mac, all }) => {
      const { hi, lo } = macOf(mac);
      return { macHi: hi, macLo: lo, all };
    });
    kernel.inet.filter.add({ id: rule.id, from, links, action: rule.action });
    return null;
  },
  'filter.remove': (kernel, { id }) => {
    if (!kernel.inet.filter.remove(id)) throw new MultikernelError('ENOENT', `no filter ${id}`);
    return null;
  },
  'interface.set': setInterface,
  'route.add': addRoute,
  'route.delete': deleteRoute,
  'neighbor.add': addNeighbor,
  'neighbor.delete': deleteNeighbor,
  'sysctl.get': (kernel, { name }) => {
    const found = kernel.inet.sysctl.list(name);
    if (found.length === 0) throw new MultikernelError('ENOENT', `sysctl ${name}: no such variable`);
    return found.map((variable) => ({ name: variable.name, value: variable.value }));
  },
  'sysctl.set': (kernel, { name, value }) => setSysctl(kernel, name, value),
};
