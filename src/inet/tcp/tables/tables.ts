/**
 * Holders of the four numbers of a segment on one CPU: connections, half-open ones, entries in TIME_WAIT. Listeners are the
 * kernel's (listener-table.ts).
 *
 * Thread: the one that runs the CPU. Connections and half-open entries lie in arrays with free places; the
 * demultiplexer's value is an index into one of them and says which in its low two bits.
 */

import { isIp6 } from '../../ip/address-interner.ts';
import type { Connection } from '../connection/connection.ts';
import { Demux } from './demux.ts';
import type { SynEntry } from './listener.ts';
import type { ListenerTable } from './listener-table.ts';

/** Kind of a demultiplexer's value: its low two bits; the rest is an index. */
export const KIND_CONNECTION = 0;
export const KIND_SYN = 1;
export const KIND_TIME_WAIT = 2;
export const KIND_MASK = 3;
export const KIND_SHIFT = 2;

export class TcpTables {
  /** The kernel's. */
  readonly listeners: ListenerTable;
  connectionCount: number = 0;
  synEntryCount: number = 0;
  readonly #demux: Demux;
  readonly #connections: (Connection | null)[] = [];
  readonly #ended: Set<Connection> = new Set();
  readonly #freeConnections: number[] = [];
  readonly #synEntries: (SynEntry | null)[] = [];
  readonly #freeSynEntries: number[] = [];

  constructor(seed: number, listeners: ListenerTable) {
    this.listeners = listeners;
    this.#demux = new Demux(seed);
  }

  /** Keeps the addresses of an ended IPv6 connection for getpeername() until its socket is closed. */
  holdAddresses(c: Connection): void {
    if (isIp6(c.peerAddress)) this.#ended.add(c);
  }

  /** The socket of an ended connection is closed. */
  releaseAddresses(c: Connection): void {
    this.#ended.delete(c);
  }

  /** Call `mark` with every address kept here. */
  markAddresses(mark: (address: number) => void): void {
    for (const c of this.#ended) {
      mark(c.localAddress);
      mark(c.peerAddress);
    }
    for (const c of this.connections()) {
      mark(c.localAddress);
      mark(c.peerAddress);
    }
    for (const entry of this.#synEntries) {
      if (entry === null) continue;
      mark(entry.local);
      mark(entry.peer);
    }
    for (const { acceptQueue } of this.listeners.all()) {
      for (const c of acceptQueue) {
        mark(c.localAddress);
        mark(c.peerAddress);
      }
    }
  }

  /** The demultiplexer's value, -1 when nothing has these four numbers. */
  find(local: number, peer: number, ports: number): number {
    return this.#demux.find(local, peer, ports);
  }

  connectionAt(value: number): Connection {
    return this.#connections[value >> KIND_SHIFT] as Connection;
  }

  synEntryAt(value: number): SynEntry {
    return this.#synEntries[value >> KIND_SHIFT] as SynEntry;
  }

  // cold: per request
  *connections(): Generator<Connection> {
    for (const c of this.#connections) if (c !== null) yield c;
  }

  /** Enter a connection whose four numbers are set. */
  add(c: Connection): void {
    const index = this.#freeConnections.pop() ?? this.#connections.length;
    this.#connections[index] = c;
    c.index = index;
    this.connectionCount++;
    this.#demux.set(c.localAddress, c.peerAddress, c.ports, (index << KIND_SHIFT) | KIND_CONNECTION);
  }

  /** Out of the list; the four numbers are free unless something else has taken them (TIME_WAIT). */
  remove(c: Connection): void {
    const value = (c.index << KIND_SHIFT) | KIND_CONNECTION;
    if (this.#demux.find(c.localAddress, c.peerAddress, c.ports) === value) {
      this.#demux.delete(c.localAddress, c.peerAddress, c.ports);
    }
    this.#connections[c.index] = null;
    this.#freeConnections.push(c.index);
    c.index = -1;
    this.connectionCount--;
  }

  addSynEntry(entry: SynEntry): void {
    const index = this.#freeSynEntries.pop() ?? this.#synEntries.length;
    this.#synEntries[index] = entry;
    entry.index = index;
    this.synEntryCount++;
    this.#demux.set(entry.local, entry.peer, entry.ports, (index << KIND_SHIFT) | KIND_SYN);
  }

  removeSynEntry(entry: SynEntry): void {
    this.#demux.delete(entry.local, entry.peer, entry.ports);
    this.#synEntries[entry.index] = null;
    this.#freeSynEntries.push(entry.index);
    entry.index = -1;
    this.synEntryCount--;
  }

  /** Entry `index` of the table of TIME_WAIT takes the four numbers, or gives them up. */
  enterTimeWait(index: number, local: number, peer: number, ports: number): void {
    this.#demux.set(local, peer, ports, (index << KIND_SHIFT) | KIND_TIME_WAIT);
  }

  leaveTimeWait(local: number, peer: number, ports: number): void {
    this.#demux.delete(local, peer, ports);
  }

  /** The entry in TIME_WAIT with these four numbers, -1 when there is none, -2 when something else has them. */
  occupant(local: number, peer: number, ports: number): number {
    const value = this.#demux.find(local, peer, ports);
    if (value < 0) return -1;
    return (value & KIND_MASK) === KIND_TIME_WAIT ? value >> KIND_SHIFT : -2;
  }
}
