/**
 * The state of TCP on one CPU: connections, half-open ones, TIME_WAIT, and the queue of work; listeners and ports are the kernel's.
 *
 * Thread: the one that runs the CPU. `TcpStack` adds what IP calls. Procedures that have no connection (passive opens,
 * user calls) take this.
 */

import type { InetContext } from '../ip/context.ts';
import type { IpService } from '../ip/transport.ts';
import type { ConnectionStack, ConnectionTimers } from './connection/connection.ts';
import { ConnectionOptions } from './connection/connection-options.ts';
import { TcpContext } from './shared/context.ts';
import type { ListenerTable } from './tables/listener-table.ts';
import { TcpTables } from './tables/tables.ts';
import { TimeWaitTable } from './time-wait.ts';
import { CONNECTION_TIMERS } from './timers.ts';
import { WorkQueue } from './work-queue.ts';

export class TcpState extends TcpContext implements ConnectionStack {
  readonly timers: ConnectionTimers = CONNECTION_TIMERS;
  readonly tables: TcpTables;
  readonly work: WorkQueue;
  readonly timeWait: TimeWaitTable;

  constructor(context: InetContext, ip: IpService, listeners: ListenerTable) {
    super(context, ip);
    this.tables = new TcpTables(context.rng.next32(), listeners);
    this.work = new WorkQueue(ip, context.callouts, context.heap);
    this.timeWait = new TimeWaitTable(this, this.tables);
  }

  /** As `AddressHolder.markAddresses`. */
  markAddresses(mark: (address: number) => void): void {
    this.tables.markAddresses(mark);
    this.timeWait.markAddresses(mark);
    this.ports.markAddresses(mark);
  }

  // cold: once per socket.
  newOptions(): ConnectionOptions {
    const { keepIdleMs, keepIntervalMs, keepCount } = this.settings;
    return new ConnectionOptions(keepIdleMs.value, keepIntervalMs.value, keepCount.value);
  }

  get connectionCount(): number {
    return this.tables.connectionCount;
  }

  /** Whether the table of connections has no room for one more, which is counted then. */
  full(): boolean {
    if (this.tables.connectionCount < this.settings.connectionsMax.value) return false;
    this.counters.add(this.count.connectionsFull, 1);
    return true;
  }

  get synEntryCount(): number {
    return this.tables.synEntryCount;
  }
}
