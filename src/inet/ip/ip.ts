/**
 * IP on one CPU: the parts that both families share, and the seam to the transports ({@link IpService}, {@link GroupService}).
 * A question about an address goes to the family of that address (family.ts): to the kernel's tables for what is shared, to
 * the CPU's half for paths and errors.
 *
 * Thread: the one that runs the CPU. Read first: transport.ts (the contract), then output.ts and path.ts.
 */

import type { Bulk } from '../../mem/bulk.ts';
import type { Interface } from '../../net/interface.ts';
import type { SourceFilter } from '../../net/source-filter.ts';
import type { InetContext } from './context.ts';
import type { Families } from './family.ts';
import { FamiliesCpu } from './family-cpu.ts';
import { IpOutput } from './output.ts';
import type { IpPath } from './path.ts';
import { PathTable } from './path-table.ts';
import { RunOutput } from './run-output.ts';
import { Transmitter } from './transmit.ts';
import {
  type GroupService,
  type InPacket,
  IP_ALLOW_BROADCAST,
  type IpService,
  type Path,
  type Transport,
} from './transport.ts';

export class Ip implements IpService, GroupService {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly bulk: Bulk;
  /** The halves of this CPU. */
  readonly families: FamiliesCpu = new FamiliesCpu();
  readonly paths: PathTable;
  readonly transmitter: Transmitter;
  readonly output: IpOutput;
  /** The kernel's halves: its tables. */
  readonly #tables: Families;
  readonly #runs: RunOutput;

  constructor(context: InetContext) {
    const { arena, epoch, families } = context.shared;
    this.#tables = families;
    this.view = arena.view;
    this.bytes = arena.bytes;
    this.bulk = context.bulk;
    this.paths = new PathTable(epoch, this.families);
    this.transmitter = new Transmitter(context);
    this.output = new IpOutput(context, this.paths, this.transmitter);
    this.#runs = new RunOutput(context, this.paths, this.output);
  }

  // --- IpService ---

  register(transport: Transport): void {
    for (const family of this.families.all) family.register(transport);
  }

  openPath(dst: number, src: number, flags: number, via: Interface | null = null): IpPath | number {
    return this.paths.open(dst, src, flags, via);
  }

  transientPath(dst: number, src: number, flags: number, via: Interface | null): IpPath | number {
    return this.paths.transient(dst, src, flags, via);
  }

  closePath(path: Path): void {
    (path as IpPath).epoch = 0;
  }

  begin(path: Path, protocol: number, payloadBytes: number, ttl: number, tos: number, flags: number): number {
    return this.output.begin(path as IpPath, protocol, payloadBytes, ttl, tos, flags);
  }

  end(meta: number): void {
    this.output.end(meta);
  }

  cancel(): void {
    this.output.cancel();
  }

  beginWithOptions(
    path: Path,
    protocol: number,
    optionBytes: number,
    payloadBytes: number,
    ttl: number,
    tos: number,
  ): number {
    return this.output.beginWithOptions(path as IpPath, protocol, optionBytes, payloadBytes, ttl, tos);
  }

  beginRun(path: Path, protocol: number, payloadBytes: number, count: number, ttl: number, tos: number): number {
    return this.#runs.begin(path as IpPath, protocol, payloadBytes, count, ttl, tos);
  }

  get runCount(): number {
    return this.#runs.count;
  }

  endRun(headerBytes: number, src: number, segmentBytes: number, sum: number, meta: number): void {
    this.#runs.end(headerBytes, src, segmentBytes, sum, meta);
  }

  awaitRoom(path: Path): boolean {
    return this.output.awaitRoom(path as IpPath);
  }

  sendUnreachable(packet: InPacket, code: number, nowUs: number): void {
    this.families.of(packet.dst).sendUnreachable(packet, code, nowUs);
  }

  isLocal(address: number): boolean {
    return this.#tables.of(address).addresses.isLocal(address);
  }

  isBroadcast(address: number): boolean {
    return this.#tables.of(address).addresses.isBroadcast(address);
  }

  fingerprint(address: number): number {
    return this.#tables.of(address).fingerprint(address);
  }

  confirm(path: Path, nowUs: number): void {
    const { neighbor } = path as IpPath;
    if (neighbor.address !== 0) this.#tables.of(neighbor.address).neighbors.confirm(neighbor, nowUs);
  }

  // --- GroupService ---

  isMulticast(address: number): boolean {
    return this.#tables.of(address).addresses.isMulticast(address);
  }

  groupOn(group: number, iface: Interface): number {
    return this.#tables.of(group).groupOn(group, iface);
  }

  multicastInterface(group: number): Interface | null {
    const path = this.paths.transient(group, 0, IP_ALLOW_BROADCAST, null);
    return typeof path === 'number' ? null : path.iface;
  }

  joinGroup(iface: Interface, group: number, filter: SourceFilter): number {
    return this.#tables.of(group).groups.join(iface, group, filter);
  }

  leaveGroup(iface: Interface, group: number, filter: SourceFilter): number {
    return this.#tables.of(group).groups.leave(iface, group, filter);
  }

  updateGroup(iface: Interface, group: number): void {
    this.#tables.of(group).groups.update(iface, group);
  }

  // --- Interfaces ---

  /** Before an interface is detached; its addresses and routes are gone. */
  detach(iface: Interface): void {
    this.output.detach(iface);
    this.paths.detach(iface);
  }
}
