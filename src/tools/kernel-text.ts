/**
 * The tables of a kernel in text, and changes of them: what tools print and what the handle of a node returns.
 *
 * Thread: the client's. Interface names are asked for once per call that needs them; the text of a noun is loaded with its first
 * table, so that each tool loads its own alone. Errors: sys/control.ts, with their subject.
 */

import { MultikernelError } from '../base/errors.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import type {
  BridgeMemberChangeRequest,
  BridgeSettings,
  ControlOperation,
  ControlReply,
  ControlRequest,
  DiscoveryChangeRequest,
  DiscoveryRecord,
} from '../sys/control.ts';
import { type AddressFamily, familyNumber, formatAddress, InterfaceNames, parseLinkAddress } from './address-text.ts';
import type { BridgeInfo } from './bridge-text.ts';
import type { ChangeRequest, InterfaceChange, NeighborEntry, RouteChange } from './change-requests.ts';
import type { PrefixInfo, RouterInfo } from './discovery-text.ts';
import { explained } from './error-text.ts';
import type { GroupInfo, InterfaceInfo } from './interface-text.ts';
import type { NeighborInfo } from './neighbor-text.ts';
import type { RouteInfo } from './route-text.ts';
import type { SocketInfo } from './socket-text.ts';

/** Settings of a bridge; absent keys stay. */
export type BridgeChange = Partial<BridgeSettings>;
export type BridgeMemberChange = Omit<BridgeMemberChangeRequest, 'index' | 'memberIndex'>;

export class KernelText {
  readonly client: KernelClient;

  constructor(client: KernelClient) {
    this.client = client;
  }

  async names(): Promise<InterfaceNames> {
    return new InterfaceNames(await this.client.control('interface.names', {}));
  }

  async #ask<Op extends ControlOperation>(
    operation: Op,
    request: ControlRequest<Op>,
    subject: string,
  ): Promise<ControlReply<Op>> {
    try {
      return await this.client.control(operation, request);
    } catch (error) {
      throw explained(error, subject);
    }
  }

  async #perform({ operation, request, subject }: ChangeRequest): Promise<void> {
    await this.#ask(operation, request as never, subject);
  }

  async interfaces(): Promise<InterfaceInfo[]> {
    const { interfaceInfos } = await import('./interface-text.ts');
    return interfaceInfos(await this.client.control('interface.list', {}));
  }

  async routes(family: AddressFamily): Promise<RouteInfo[]> {
    const { routeInfo } = await import('./route-text.ts');
    const records = this.client.control('route.list', { family: familyNumber(family) });
    const [names, rows] = await Promise.all([this.names(), records]);
    return rows.map((row) => routeInfo(row, names));
  }

  async neighbors(family: AddressFamily): Promise<NeighborInfo[]> {
    const { neighborInfo } = await import('./neighbor-text.ts');
    const records = this.client.control('neighbor.list', { family: familyNumber(family) });
    const [names, rows] = await Promise.all([this.names(), records]);
    return rows.map((row) => neighborInfo(row, names));
  }

  /** Prefixes that routers advertised. */
  async prefixes(): Promise<PrefixInfo[]> {
    const { prefixInfo } = await import('./discovery-text.ts');
    const [names, rows] = await Promise.all([this.names(), this.client.control('prefix.list', {})]);
    return rows.map((row) => prefixInfo(row, names));
  }

  async flushPrefixes(): Promise<void> {
    await this.client.control('prefix.flush', {});
  }

  /** Default routers that advertised themselves. */
  async routers(): Promise<RouterInfo[]> {
    const { routerInfo } = await import('./discovery-text.ts');
    const [names, rows] = await Promise.all([this.names(), this.client.control('router.list', {})]);
    return rows.map((row) => routerInfo(row, names));
  }

  async flushRouters(): Promise<void> {
    await this.client.control('router.flush', {});
  }

  /** Neighbor discovery on an interface. */
  async discovery(name: string): Promise<DiscoveryRecord> {
    return this.#ask('discovery.get', { index: await this.#indexOf(name) }, name);
  }

  async changeDiscovery(name: string, change: Omit<DiscoveryChangeRequest, 'index'>): Promise<void> {
    await this.#ask('discovery.change', { index: await this.#indexOf(name), ...change }, name);
  }

  async sockets(): Promise<SocketInfo[]> {
    const { socketInfo } = await import('./socket-text.ts');
    const [names, rows] = await Promise.all([this.names(), this.client.control('socket.list', {})]);
    return rows.map((row) => socketInfo(row, names));
  }

  bpfDevices(): Promise<ControlReply<'bpf.list'>> {
    return this.client.control('bpf.list', {});
  }

  async groups(): Promise<GroupInfo[]> {
    const [names, rows] = await Promise.all([this.names(), this.client.control('group.list', {})]);
    return rows.map(({ interfaceIndex, address }) => ({
      interface: names.name(interfaceIndex),
      address: formatAddress(address, names),
    }));
  }

  counters(): Promise<Record<string, number>> {
    return this.client.control('counter.list', {});
  }

  async sysctl(name: string): Promise<{ name: string; value: number }[]> {
    const variables = await this.#ask('sysctl.get', { name }, `sysctl ${name}`);
    return variables.map(({ name, value }) => ({ name, value }));
  }

  setSysctl(name: string, value: number): Promise<ControlReply<'sysctl.set'>> {
    return this.#ask('sysctl.set', { name, value }, `sysctl ${name}`);
  }

  /** Numbers and texts at or below a name. */
  sysctlNodes(name: string): Promise<ControlReply<'sysctl.list'>> {
    return this.#ask('sysctl.list', { name }, `sysctl ${name}`);
  }

  /** The value before. */
  async setSysctlText(name: string, value: string): Promise<string> {
    return (await this.#ask('sysctl.setText', { name, value }, `sysctl ${name}`)).before;
  }

  async setInterface(change: InterfaceChange): Promise<void> {
    const { interfaceRequests } = await import('./change-requests.ts');
    for (const request of interfaceRequests(change, await this.names())) await this.#perform(request);
  }

  /** Prefixes of interfaces that can be created. */
  cloners(): Promise<string[]> {
    return this.client.control('interface.cloners', {});
  }

  /** The kernel ends after its answer. */
  async halt(): Promise<void> {
    await this.client.control('kernel.halt', {});
  }

  /** Its full name. */
  async createInterface(name: string): Promise<string> {
    try {
      return (await this.client.control('interface.create', { name })).name;
    } catch (error) {
      throw explained(error, name);
    }
  }

  async destroyInterface(name: string): Promise<void> {
    await this.#perform({ operation: 'interface.destroy', request: { name }, subject: name });
  }

  async #indexOf(name: string): Promise<number> {
    const index = (await this.names()).index(name);
    if (index === 0) throw new MultikernelError('ENXIO', `interface ${name} does not exist`);
    return index;
  }

  /** A bridge and a member of it, by their names. */
  async #member(bridge: string, member: string): Promise<{ index: number; memberIndex: number }> {
    return { index: await this.#indexOf(bridge), memberIndex: await this.#indexOf(member) };
  }

  async bridge(name: string): Promise<BridgeInfo> {
    const { bridgeInfo } = await import('./bridge-text.ts');
    const record = this.#ask('bridge.get', { index: await this.#indexOf(name) }, name);
    const [names, settings] = await Promise.all([this.names(), record]);
    return bridgeInfo(name, settings, names);
  }

  async changeBridge(name: string, change: BridgeChange): Promise<void> {
    await this.#ask('bridge.change', { index: await this.#indexOf(name), ...change }, name);
  }

  async addBridgeMember(bridge: string, member: string): Promise<void> {
    await this.#ask('bridge.member.add', await this.#member(bridge, member), `${bridge}: ${member}`);
  }

  async deleteBridgeMember(bridge: string, member: string): Promise<void> {
    await this.#ask('bridge.member.delete', await this.#member(bridge, member), `${bridge}: ${member}`);
  }

  async changeBridgeMember(bridge: string, member: string, change: BridgeMemberChange): Promise<void> {
    const request = { ...(await this.#member(bridge, member)), ...change };
    await this.#ask('bridge.member.change', request, `${bridge}: ${member}`);
  }

  /** A static entry. */
  async addBridgeAddress(bridge: string, member: string, mac: string): Promise<void> {
    const linkAddress = parseLinkAddress(mac) ?? [];
    const request = { ...(await this.#member(bridge, member)), linkAddress };
    await this.#ask('bridge.address.add', request, `${bridge}: ${mac}`);
  }

  async deleteBridgeAddress(bridge: string, mac: string): Promise<void> {
    const request = { index: await this.#indexOf(bridge), linkAddress: parseLinkAddress(mac) ?? [] };
    await this.#ask('bridge.address.delete', request, `${bridge}: ${mac}`);
  }

  async flushBridge(bridge: string, all: boolean): Promise<void> {
    await this.#ask('bridge.flush', { index: await this.#indexOf(bridge), all }, bridge);
  }

  async addRoute(route: RouteChange): Promise<void> {
    const { routeRequest } = await import('./change-requests.ts');
    await this.#perform(routeRequest('add', route, await this.names()));
  }

  /** In its place; an empty gateway stays. `inits`: `RTV_*` of the metrics that change. */
  async changeRoute(route: RouteChange, inits: number): Promise<void> {
    const { routeChangeRequest } = await import('./change-requests.ts');
    await this.#perform(routeChangeRequest(route, inits, await this.names()));
  }

  /** The route to an address, or of exactly a prefix, with the own address that packets get there. ESRCH. */
  async routeTo(
    destination: string,
    prefixLength: number | null,
  ): Promise<[ControlReply<'route.get'>, InterfaceNames]> {
    const { routeGetRequest } = await import('./change-requests.ts');
    const names = await this.names();
    const request = routeGetRequest(destination, prefixLength, names);
    return [await this.#ask('route.get', request, `route ${destination}`), names];
  }

  async deleteRoute(route: RouteChange): Promise<void> {
    const { routeRequest } = await import('./change-requests.ts');
    await this.#perform(routeRequest('delete', route, await this.names()));
  }

  async addNeighbor(entry: NeighborEntry): Promise<void> {
    const { neighborAddRequest } = await import('./change-requests.ts');
    await this.#perform(neighborAddRequest(entry, await this.names()));
  }

  async deleteNeighbor(address: string): Promise<void> {
    const { neighborDeleteRequest } = await import('./change-requests.ts');
    await this.#perform(neighborDeleteRequest(address, await this.names()));
  }
}
