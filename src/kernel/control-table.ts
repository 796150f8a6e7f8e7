/**
 * The answers to control requests: one function per operation of control.ts.
 *
 * Thread: the one that runs the kernel. Requests come from outside the process perhaps, so every text in them is checked.
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import { RTF_BLACKHOLE, RTF_GATEWAY, RTF_HOST, RTF_REJECT, RTF_STATIC } from '../inet/route-table.ts';
import type { TcpSocketRow } from '../inet/tcp/stack.ts';
import { IFF_UP, type Interface } from '../net/interface.ts';
import { parseMac } from '../wire/ethernet.ts';
import { formatAddress, parseAddress } from '../wire/ipv4.ts';
import type { ControlOperation, ControlRequests, InterfaceChange, RouteChange, SocketInfo } from './control.ts';
import type { Kernel } from './kernel.ts';

type Handler<Op extends ControlOperation> = (
  kernel: Kernel,
  request: ControlRequests[Op]['request'],
) => ControlRequests[Op]['reply'];

function addressOf(text: string): number {
  const address = parseAddress(text);
  if (address === null) throw new MultikernelError('EINVAL', `not an IPv4 address: '${text}'`);
  return address;
}

function interfaceOf(kernel: Kernel, name: string): Interface {
  const iface = kernel.inet.interface(name);
  if (iface === null) throw new MultikernelError('ENXIO', `interface ${name} does not exist`);
  return iface;
}

function must(result: number, what: string): void {
  if (result < 0) throw new MultikernelError(errnoName(result), `${what}: ${errnoName(result)}`);
}

function setInterface(kernel: Kernel, change: InterfaceChange): null {
  const iface = interfaceOf(kernel, change.name);
  if (change.mtuBytes !== undefined) must(kernel.inet.setMtu(iface, change.mtuBytes), `${change.name}: mtu`);
  if (change.addAddress !== undefined) {
    const { address, prefixLength } = change.addAddress;
    must(kernel.inet.configure(iface, addressOf(address), prefixLength), `${change.name}: ${address}/${prefixLength}`);
  }
  if (change.removeAddress !== undefined) {
    const { address } = change.removeAddress;
    must(kernel.inet.unconfigure(iface, addressOf(address)), `${change.name}: ${address}`);
  }
  if (change.up === true) kernel.inet.changeFlags(iface, IFF_UP, 0);
  if (change.up === false) kernel.inet.changeFlags(iface, 0, IFF_UP);
  return null;
}

function addRoute(kernel: Kernel, change: RouteChange): null {
  let flags = RTF_STATIC | RTF_GATEWAY;
  if (change.prefixLength === 32) flags |= RTF_HOST;
  if (change.kind === 'reject') flags |= RTF_REJECT;
  if (change.kind === 'blackhole') flags |= RTF_BLACKHOLE;
  const result = kernel.inet.addRoute(
    addressOf(change.destination),
    change.prefixLength,
    addressOf(change.gateway),
    flags,
  );
  must(result, `route ${change.destination}/${change.prefixLength}`);
  return null;
}

function deleteRoute(kernel: Kernel, change: RouteChange): null {
  const gateway = change.gateway === '' ? 0 : addressOf(change.gateway);
  const route = kernel.inet.ip.removeRoute(addressOf(change.destination), change.prefixLength, gateway);
  if (route === null) throw new MultikernelError('ENOENT', `route ${change.destination}: not in table`);
  return null;
}

function addNeighbor(kernel: Kernel, request: ControlRequests['neighbor.add']['request']): null {
  const address = addressOf(request.address);
  const iface = kernel.inet.ip.interfaces.find((one) => one.addressFor(address) !== null);
  if (iface === undefined) throw new MultikernelError('ENETUNREACH', `${request.address}: on no subnet of this kernel`);
  let mac: { hi: number; lo: number };
  try {
    mac = parseMac(request.mac);
  } catch (cause) {
    throw new MultikernelError('EINVAL', `not an Ethernet address: '${request.mac}'`, { cause });
  }
  const { neighbors } = kernel.inet.ip;
  must(
    neighbors.addStatic(iface, address, mac.hi, mac.lo, !request.temporary, request.published),
    `arp ${request.address}`,
  );
  return null;
}

function deleteNeighbor(kernel: Kernel, request: { address: string }): null {
  const address = addressOf(request.address);
  for (const iface of kernel.inet.ip.interfaces) {
    const neighbor = kernel.inet.ip.neighbors.find(iface, address);
    if (neighbor === null) continue;
    kernel.inet.ip.neighbors.remove(neighbor);
    return null;
  }
  throw new MultikernelError('ENOENT', `arp ${request.address}: no entry`);
}

function tcpRow(row: TcpSocketRow): SocketInfo {
  return {
    ...row,
    protocol: 'tcp',
    localAddress: formatAddress(row.localAddress),
    peerAddress: formatAddress(row.peerAddress),
  };
}

function sockets(kernel: Kernel): SocketInfo[] {
  const udp = kernel.inet.udp.list().map(
    (endpoint): SocketInfo => ({
      protocol: 'udp',
      receiveQueueBytes: endpoint.queue.queuedBytes,
      sendQueueBytes: 0,
      localAddress: formatAddress(endpoint.address),
      localPort: endpoint.port,
      peerAddress: formatAddress(endpoint.peerAddress),
      peerPort: endpoint.peerPort,
      state: '',
      retransmits: 0,
      rtoMs: 0,
      srttMs: 0,
      cwndBytes: 0,
    }),
  );
  return [...kernel.tcp.sockets().map(tcpRow), ...udp];
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
  routes: (kernel) => kernel.inet.routes(),
  neighbors: (kernel) => kernel.inet.neighbors(),
  sockets,
  counters: (kernel) => kernel.counters.snapshot(),
  'filter.add': (kernel, rule) => {
    const from = rule.from.map(addressOf);
    kernel.inet.ip.filter.add({ id: rule.id, from, action: rule.action });
    return null;
  },
  'filter.remove': (kernel, { id }) => {
    if (!kernel.inet.ip.filter.remove(id)) throw new MultikernelError('ENOENT', `no filter ${id}`);
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
