/**
 * Holders of the four numbers of a segment: connections, half-open ones, entries in TIME_WAIT; and listeners by port.
 *
 * Thread: the one that runs the kernel. Connections and half-open entries lie in arrays with free places; the
 * demultiplexer's value is an index into one of them and says which in its low two bits.
 */

import { isIp6 } from '../../ip/address-interner.ts';
import { anyFamilies, familyOf, matchScore, overlap } from '../../ip/any-address.ts';
import { flowShare } from '../../ip/flow-share.ts';
import type { Connection } from '../connection/connection.ts';
import type { PortUse } from '../shared/port-use.ts';
import { Demux } from './demux.ts';
import type { Listener, SynEntry } from './listener.ts';

/** Kind of a demultiplexer's value: its low two bits; the rest is an index. */
export const KIND_CONNECTION = 0;
export const KIND_SYN = 1;
export const KIND_TIME_WAIT = 2;
export const KIND_MASK = 3;
export const KIND_SHIFT = 2;

export class TcpTables {
  readonly listeners: ListenerTable;
  connectionCount: number = 0;
  synEntryCount: number = 0;
  readonly #demux: Demux;
  readonly #connections: (Connection | null)[] = [];
  readonly #ended: Set<Connection> = new Set();
  readonly #freeConnections: number[] = [];
  readonly #synEntries: (SynEntry | null)[] = [];
  readonly #freeSynEntries: number[] = [];

  constructor(seed: number) {
    this.listeners = new ListenerTable(seed);
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

/** Listening sockets by port. */
class ListenerTable {
  readonly #byPort: Map<number, Listener[]> = new Map();
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  add(listener: Listener): void {
    const listeners = this.#byPort.get(listener.port);
    if (listeners === undefined) this.#byPort.set(listener.port, [listener]);
    else listeners.push(listener);
  }

  remove(listener: Listener): void {
    const listeners = this.#byPort.get(listener.port);
    const index = listeners === undefined ? -1 : listeners.indexOf(listener);
    if (listeners === undefined || index < 0) return;
    listeners.splice(index, 1);
    if (listeners.length === 0) this.#byPort.delete(listener.port);
  }

  *all(): Generator<Listener> {
    for (const listeners of this.#byPort.values()) yield* listeners;
  }

  has(port: number): boolean {
    return this.#byPort.has(port);
  }

  /** Whether somebody listens on exactly that address and port who does not share it (SO_REUSEPORT). */
  conflicts(use: PortUse): boolean {
    for (const other of this.#byPort.get(use.port) ?? []) {
      if (overlap(other.portUse, use) && !(other.portUse.reusePort && use.reusePort)) return true;
    }
    return false;
  }

  /**
   * The listener for a new connection: one with that address before one with any, of the family before both; several share by
   * a hash of the peer (SO_REUSEPORT).
   */
  find(local: number, peer: number, ports: number): Listener | null {
    const listeners = this.#byPort.get(ports >>> 16);
    if (listeners === undefined) return null;
    const family = familyOf(local);
    let best: Listener | null = null;
    let bestFit = 0;
    let equals = 0;
    for (const listener of listeners) {
      const { address, only6 } = listener.portUse;
      const fits = matchScore(address, anyFamilies(address, only6), local, family);
      if (fits > bestFit) {
        best = listener;
        bestFit = fits;
        equals = 1;
      } else if (best !== null && best.address === address) {
        equals++;
      }
    }
    if (best === null || equals < 2) return best;
    let pick = flowShare(this.#seed, peer, ports & 0xffff, equals);
    for (const listener of listeners) if (listener.address === best.address && pick-- === 0) return listener;
    return best;
  }
}
