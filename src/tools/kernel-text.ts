/**
 * The tables of a kernel in text, and changes of them: what tools print and what the handle of a node returns.
 *
 * Thread: the client's. Interface names are asked for once per call that needs them. Errors: sys/control.ts, with their subject.
 */

import type { KernelClient } from '../rump/kernel-client.ts';
import type { ControlReply } from '../sys/control.ts';
import { type AddressFamily, familyNumber, InterfaceNames } from './address-text.ts';
import {
  explained,
  type InterfaceChange,
  interfaceRequests,
  type NeighborEntry,
  neighborAddRequest,
  neighborDeleteRequest,
  type Request,
  type RouteChange,
  routeRequest,
} from './change-requests.ts';
import { type InterfaceInfo, interfaceInfo } from './interface-text.ts';
import { type NeighborInfo, neighborInfo } from './neighbor-text.ts';
import { type RouteInfo, routeInfo } from './route-text.ts';
import { type SocketInfo, socketInfo } from './socket-text.ts';

export class KernelText {
  readonly client: KernelClient;

  constructor(client: KernelClient) {
    this.client = client;
  }

  async names(): Promise<InterfaceNames> {
    return new InterfaceNames(await this.client.control('interface.names', {}));
  }

  async #perform({ operation, request, subject }: Request): Promise<void> {
    try {
      await this.client.control(operation, request as never);
    } catch (error) {
      throw explained(error, subject);
    }
  }

  async interfaces(): Promise<InterfaceInfo[]> {
    return (await this.client.control('interface.list', {})).map(interfaceInfo);
  }

  async routes(family: AddressFamily): Promise<RouteInfo[]> {
    const records = this.client.control('route.list', { family: familyNumber(family) });
    const [names, rows] = await Promise.all([this.names(), records]);
    return rows.map((row) => routeInfo(row, names));
  }

  async neighbors(family: AddressFamily): Promise<NeighborInfo[]> {
    const records = this.client.control('neighbor.list', { family: familyNumber(family) });
    const [names, rows] = await Promise.all([this.names(), records]);
    return rows.map((row) => neighborInfo(row, names));
  }

  async sockets(): Promise<SocketInfo[]> {
    const [names, rows] = await Promise.all([this.names(), this.client.control('socket.list', {})]);
    return rows.map((row) => socketInfo(row, names));
  }

  counters(): Promise<Record<string, number>> {
    return this.client.control('counter.list', {});
  }

  async sysctl(name: string): Promise<{ name: string; value: number }[]> {
    try {
      const variables = await this.client.control('sysctl.get', { name });
      return variables.map(({ name, value }) => ({ name, value }));
    } catch (error) {
      throw explained(error, `sysctl ${name}`);
    }
  }

  async setSysctl(name: string, value: number): Promise<ControlReply<'sysctl.set'>> {
    try {
      return await this.client.control('sysctl.set', { name, value });
    } catch (error) {
      throw explained(error, `sysctl ${name}`);
    }
  }

  async setInterface(change: InterfaceChange): Promise<void> {
    for (const request of interfaceRequests(change, await this.names())) await this.#perform(request);
  }

  async addRoute(route: RouteChange): Promise<void> {
    await this.#perform(routeRequest('add', route, await this.names()));
  }

  async deleteRoute(route: RouteChange): Promise<void> {
    await this.#perform(routeRequest('delete', route, await this.names()));
  }

  async addNeighbor(entry: NeighborEntry): Promise<void> {
    await this.#perform(neighborAddRequest(entry, await this.names()));
  }

  async deleteNeighbor(address: string): Promise<void> {
    await this.#perform(neighborDeleteRequest(address, await this.names()));
  }
}
