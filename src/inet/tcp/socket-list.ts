/**
 * The list of TCP's sockets for the tools (netstat -an), made on demand.
 *
 * Thread: the one that runs the CPU.
 * Cold: made for the tools.
 */

import type { Connection } from './connection/connection.ts';
import { CLOSED, LISTEN, SYN_RECEIVED, TIME_WAIT } from './connection/states.ts';
import type { TcpTables } from './tables/tables.ts';
import type { TimeWaitTable } from './time-wait.ts';

/** State of one socket of TCP; addresses are int32. */
export interface TcpSocketInfo {
  /** A state of connection/states.ts. */
  state: number;
  localAddress: number;
  localPort: number;
  peerAddress: number;
  peerPort: number;
  receiveQueueBytes: number;
  sendQueueBytes: number;
  retransmits: number;
  rtoUs: number;
  /** 0 before the first sample. */
  srttUs: number;
  cwndBytes: number;
}

/** Every socket of a CPU, TIME_WAIT included; of the kernel's listeners those that listen there. */
export function listSockets(cpu: number, tables: TcpTables, timeWait: TimeWaitTable): TcpSocketInfo[] {
  const list: TcpSocketInfo[] = [];
  for (const listener of tables.listeners.all()) {
    if (listener.cpu !== cpu) continue;
    list.push({
      ...infoOf(LISTEN, listener.address, listener.port << 16, 0),
      receiveQueueBytes: listener.acceptQueue.length,
    });
    for (const entry of listener.synQueue) list.push(infoOf(SYN_RECEIVED, entry.local, entry.ports, entry.peer));
  }
  for (const c of tables.connections()) if (c.state !== CLOSED) list.push(infoOfConnection(c));
  const { local, peer, ports } = timeWait;
  for (const entry of timeWait.entries()) {
    list.push(infoOf(TIME_WAIT, local[entry] as number, ports[entry] as number, peer[entry] as number));
  }
  return list;
}

function infoOfConnection(c: Connection): TcpSocketInfo {
  return {
    ...infoOf(c.state, c.localAddress, c.ports, c.peerAddress),
    receiveQueueBytes: c.readableBytes,
    sendQueueBytes: c.sendBuffer.usedBytes,
    retransmits: c.totals.retransmits,
    rtoUs: c.rtt.rtoUs,
    srttUs: Math.max(0, c.rtt.srttUs),
    cwndBytes: c.congestion.cwnd,
  };
}

function infoOf(state: number, localAddress: number, ports: number, peerAddress: number): TcpSocketInfo {
  return {
    state,
    localAddress,
    localPort: ports >>> 16,
    peerAddress,
    peerPort: ports & 0xffff,
    receiveQueueBytes: 0,
    sendQueueBytes: 0,
    retransmits: 0,
    rtoUs: 0,
    srttUs: 0,
    cwndBytes: 0,
  };
}
