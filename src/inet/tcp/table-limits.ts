/**
 * The limits of TCP's tables, for docs/limits.md.
 *
 * Thread: the one that runs the CPU. Never on the data path.
 * Cold: declared once, read by tools.
 */

import type { Limits } from '../../kern/limits.ts';
import type { Connection } from './connection/connection.ts';
import type { TcpState } from './state.ts';
import type { TcpTables } from './tables/tables.ts';

export function declareTcpLimits(stack: TcpState, limits: Limits): void {
  const { settings, tables } = stack;
  limits.add({
    table: 'TCP connections',
    variable: settings.connectionsMax,
    counter: 'tcp-connection-table-full',
    whenFull: 'connect fails with ENOBUFS; the ACK that would complete a passive open is ignored, and comes again',
    size: () => tables.connectionCount,
  });
  limits.add({
    table: 'half-open TCP connections',
    variable: settings.synQueueMax,
    counter: 'tcp-syn-cache-overflows',
    whenFull: 'SYNs are answered by cookies, or, where those are off, the oldest of the listener is forgotten',
    size: () => tables.synEntryCount,
  });
  limits.add({
    table: 'TCP connections waiting for accept at one listener, after the first',
    variable: settings.backlogMax,
    counter: 'tcp-listen-queue-overflows',
    whenFull: 'SYNs and final ACKs are ignored, and come again',
    size: () => {
      let most = 0;
      for (const listener of tables.listeners.all()) most = Math.max(most, listener.acceptQueue.length - 1);
      return most;
    },
  });
  limits.add({
    table: 'TCP connections in TIME_WAIT',
    variable: settings.timeWaitMax,
    counter: 'tcp-time-wait-overflows',
    whenFull: 'the oldest one ends early',
    size: () => stack.timeWait.count,
  });
  limits.add({
    table: 'pieces of data beyond a gap of one TCP connection',
    variable: settings.reassemblyMax,
    counter: 'tcp-discarded-too-many-pieces',
    whenFull: 'the segment is dropped, and comes again',
    size: () => mostOf(tables, (c) => c.reassembly.count),
  });
  limits.add({
    table: 'data that one TCP connection has received and nobody has read, bytes',
    variable: settings.receiveSpaceMaxBytes,
    counter: 'tcp-packets-after-window',
    whenFull: 'the window is closed; what is sent beyond it is dropped',
    size: () => mostOf(tables, heldBytes),
  });
  limits.add({
    table: 'data that one TCP connection has to send, bytes',
    variable: settings.sendSpaceMaxBytes,
    counter: 'tcp-send-buffer-full',
    whenFull: 'a write takes what fits, or fails with EAGAIN',
    size: () => mostOf(tables, (c) => c.sendBuffer.usedBytes),
  });
}

/** The most that any connection has of something. */
function mostOf(tables: TcpTables, size: (c: Connection) => number): number {
  let most = 0;
  for (const c of tables.connections()) most = Math.max(most, size(c));
  return most;
}

/** From the first byte that was not read to the last that is there, gaps included. */
function heldBytes({ reassembly, receiveBuffer, readableBytes }: Connection): number {
  return reassembly.count > 0 ? (reassembly.endSeq - receiveBuffer.readSeq) | 0 : readableBytes;
}
