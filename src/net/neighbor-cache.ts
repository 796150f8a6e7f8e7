/**
 * The neighbor cache: link-layer addresses of next hops, and the packets that wait for one. One class for both families, and
 * one cache for each ({@link NeighborProtocol}).
 *
 * Thread: the one that runs the kernel. States and times are those of neighbor unreachability detection, which NetBSD
 * also uses for ARP: a confirmed entry is `reachable` for a while, then `stale`; the first use of a stale entry starts a
 * `delay`, after which it is asked by unicast (`probe`) and given up when it stays silent. Frames of ARP itself are made
 * in inet/ip4/arp.ts, those of neighbor discovery in inet/ip6/neighbor-discovery.ts. A path looks only at `fresh`.
 * Read first: RFC 1122 2.3.2, RFC 4861 7.3, arp(4). Missing: many-CPU access.
 *
 *   incomplete --reply--> reachable --nd_reachable--> stale --use--> delay --nd_delay--> probe --nd_umaxtries--> (gone)
 *       |                      ^------------ reply, or confirmation by a transport ---------------'
 *       |                      '--- by ARP, after `keep` without one: (gone)
 *       '--nd_bmaxtries--> failed: callers get EHOSTDOWN or leave their latest packet, and one request a second goes out while they ask
 */

import { Errno } from '../base/errors.ts';
import { US_PER_MS, US_PER_S } from '../base/units.ts';
import { Callout } from '../kern/callout.ts';
import type { CpuContext } from '../kern/context.ts';
import type { SysctlVariable } from '../kern/sysctl.ts';
import type { Interface } from './interface.ts';
import type { PathEpoch } from './path-epoch.ts';

/** RFC 1122 2.3.2.1: at most one request per second and destination. */
const REQUEST_INTERVAL_US = US_PER_S;
/** A confirmation younger than this is not renewed, so that an acknowledgement costs two comparisons. */
const CONFIRM_INTERVAL_US = US_PER_S;

/** A waiting packet lies in a block of the heap: next block, length, metadata, size of the block; then the IP packet. */
const PENDING_HEADER_BYTES = 16;

export type NeighborState = 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe' | 'permanent';

export class Neighbor {
  readonly iface: Interface;
  readonly address: number;
  macHi = 0;
  macLo = 0;
  state: NeighborState = 'incomplete';
  /** The link-layer address may be used without asking the cache first. */
  fresh = false;
  /** Resolution was given up; the entry stays for a while to say so. */
  failed = false;
  /** We answer requests for this address (proxy ARP). */
  published = false;
  /** It is there to be answered for, and our own packets do not use it (`arp -s ... pub proxy`). */
  proxyOnly = false;
  /** IPv6: it said that it is a router (RFC 4861 7.2.5). */
  router = false;
  tries = 0;
  requestedUs: number = -Infinity;
  confirmedUs: number = -Infinity;
  pendingHead = 0;
  pendingTail = 0;
  pendingCount = 0;
  readonly timer: Callout;

  constructor(iface: Interface, address: number, onTimer: (neighbor: Neighbor, nowUs: number) => void) {
    this.iface = iface;
    this.address = address;
    this.timer = new Callout((nowUs) => onTimer(this, nowUs));
  }
}

/** The calls of the cache to its family. */
export interface NeighborActions {
  /** Send an ARP request: to everybody, or to the known address of a neighbor. */
  request(neighbor: Neighbor, unicast: boolean): void;
  /** A neighbor does not answer any more; it is removed, or remembered as failed. */
  lost?(neighbor: Neighbor, nowUs: number): void;
  /** Requests for the address of an entry are answered from now on, or not any more. */
  published?(neighbor: Neighbor, on: boolean): void;
}

/** Told of changes, for routing messages. */
export interface NeighborListener {
  /** The link-layer address of a neighbor is known from now on, or not any more. */
  neighborAdded(neighbor: Neighbor): void;
  neighborDeleted(neighbor: Neighbor): void;
  /** A neighbor that packets waited for did not answer. */
  neighborMissed(neighbor: Neighbor): void;
}

/** The fate of packets that waited for a neighbor: decided on the CPU that owns the cache. */
export interface PendingPackets {
  /** A waiting packet can go now. */
  transmit(neighbor: Neighbor, at: number, totalBytes: number, meta: number): void;
  /** A waiting packet is given up. */
  undeliverable(neighbor: Neighbor, at: number, totalBytes: number, nowUs: number): void;
}

/** The differences between ARP and neighbor discovery. */
export interface NeighborProtocol {
  /** Family of the addresses: "IPv4". */
  readonly name: string;
  /** Beginnings of the names of variables and counters. */
  readonly sysctlPrefix: string;
  readonly counterPrefix: string;
  /** Names that the two have in different forms. */
  readonly groupTriesName: string;
  readonly queueBytesName: string;
  readonly keepName: string;
  readonly downName: string;
  readonly maxEntriesName: string;
  /** Entries of one interface from which on old ones make room for new ones, whatever their state; null: no such threshold. */
  readonly thresholdName: string | null;
  /** Default of `keepName`, seconds, and whether that is counted from the last answer, or from the end of its being believed. */
  readonly keepSec: number;
  readonly keptFromAnswer: boolean;
  /** Milliseconds an answer is believed, and between requests, given what the variables say. */
  reachableMs(iface: Interface, defaultMs: number): number;
  retransMs(iface: Interface, defaultMs: number): number;
  /** Whether a neighbor in use is asked again after some time without an answer. */
  probes(iface: Interface): boolean;
}

const ARP: NeighborProtocol = {
  name: 'IPv4',
  sysctlPrefix: 'net.inet.arp.nd_',
  counterPrefix: 'arp',
  groupTriesName: 'net.inet.arp.nd_bmaxtries',
  queueBytesName: 'net.inet.arp.maxqueuebytes',
  keepName: 'net.inet.arp.keep',
  downName: 'net.inet.arp.down',
  maxEntriesName: 'net.inet.arp.maxentries',
  thresholdName: null,
  keepSec: 1200,
  keptFromAnswer: true,
  reachableMs: (_iface, defaultMs) => defaultMs,
  retransMs: (_iface, defaultMs) => defaultMs,
  probes: () => true,
};

export class NeighborCache {
  /** Set once, before the first packet waits. */
  pending!: PendingPackets;
  /** Told of neighbors that are resolved, go, or do not answer. */
  events: { readonly listener: NeighborListener | null } | null = null;
  readonly #cpu: CpuContext;
  readonly #epoch: PathEpoch;
  readonly #actions: NeighborActions;
  readonly #protocol: NeighborProtocol;
  /** By interface index, then by address. */
  readonly #tables: Map<number, Neighbor>[] = [];
  readonly #onTimer: (neighbor: Neighbor, nowUs: number) => void;
  readonly #delaySec: SysctlVariable;
  readonly #reachableMs: SysctlVariable;
  readonly #retransMs: SysctlVariable;
  readonly #broadcastTries: SysctlVariable;
  readonly #unicastTries: SysctlVariable;
  readonly #queueLength: SysctlVariable;
  readonly #queueBytes: SysctlVariable;
  readonly #keepSec: SysctlVariable;
  readonly #downSec: SysctlVariable;
  readonly #maxEntries: SysctlVariable;
  readonly #threshold: SysctlVariable | null;
  readonly #pendingDrops: number;
  readonly #failures: number;
  readonly #refused: number;
  readonly #moved: number;
  readonly #evicted: number;
  /** Eviction order: unresolved ones first, then stale ones; oldest first. */
  readonly #unresolved: Set<Neighbor> = new Set();
  readonly #stale: Set<Neighbor> = new Set();
  /** Entries that are there to be answered for and nothing else, by address. */
  readonly #proxies: Map<number, Neighbor> = new Map();
  #count = 0;
  #pendingBytes = 0;

  constructor(cpu: CpuContext, epoch: PathEpoch, actions: NeighborActions, protocol: NeighborProtocol = ARP) {
    this.#cpu = cpu;
    this.#epoch = epoch;
    this.#actions = actions;
    this.#protocol = protocol;
    this.#onTimer = (neighbor, nowUs) => this.#timeout(neighbor, nowUs);
    const { counters } = cpu;
    const { sysctl } = cpu.shared;
    const { sysctlPrefix, counterPrefix, groupTriesName, queueBytesName, keepName, downName, maxEntriesName } =
      protocol;
    this.#delaySec = sysctl.integer(`${sysctlPrefix}delay`, 5, 1, 3600, 'seconds a stale entry is used unasked');
    this.#reachableMs = sysctl.integer(`${sysctlPrefix}reachable`, 30000, 1, 3600000, 'ms an answer is believed');
    this.#retransMs = sysctl.integer(`${sysctlPrefix}retrans`, 1000, 1, 60000, 'ms between requests');
    this.#broadcastTries = sysctl.integer(groupTriesName, 3, 1, 100, 'requests to all before failure');
    this.#unicastTries = sysctl.integer(`${sysctlPrefix}umaxtries`, 3, 1, 100, 'unicast requests before removal');
    this.#queueLength = sysctl.integer(`${sysctlPrefix}maxqueuelen`, 16, 1, 1024, 'packets waiting for one neighbor');
    this.#queueBytes = sysctl.integer(queueBytesName, 1 << 20, 65536, 1 << 26, 'memory of packets that wait, in all');
    this.#keepSec = sysctl.integer(keepName, protocol.keepSec, 1, 604800, 'seconds an unused entry is kept');
    this.#downSec = sysctl.integer(downName, 20, 1, 3600, 'seconds a failure is remembered');
    this.#maxEntries = sysctl.integer(maxEntriesName, 4096, 16, 1 << 20, 'size of the cache');
    const { thresholdName } = protocol;
    this.#threshold =
      thresholdName === null
        ? null
        : sysctl.integer(thresholdName, 2048, -1, 1 << 20, 'neighbors of one interface; -1: any number');
    this.#pendingDrops = counters.index(`${counterPrefix}-pending-drops`);
    this.#failures = counters.index(`${counterPrefix}-resolution-failures`);
    this.#refused = counters.index(`${counterPrefix}-cache-full`);
    this.#moved = counters.index(`${counterPrefix}-address-moved`);
    this.#evicted = counters.index(`${counterPrefix}-cache-evicted`);
    this.#declareLimits();
  }

  // cold: assembly
  #declareLimits(): void {
    const { limits } = this.#cpu.shared.sysctl;
    const { counterPrefix, name } = this.#protocol;
    limits.add({
      table: `${name} neighbors`,
      variable: this.#maxEntries,
      counter: `${counterPrefix}-cache-evicted`,
      whenFull:
        'the oldest unresolved one is removed, else the oldest stale one; when all are in use, the new one is refused ' +
        `(\`${counterPrefix}-cache-full\`)`,
      size: () => this.#count,
    });
    if (this.#threshold !== null) {
      limits.add({
        table: `${name} neighbors of one interface`,
        variable: this.#threshold,
        counter: `${counterPrefix}-cache-evicted`,
        whenFull:
          'the oldest unresolved one is removed, else the oldest stale one, else the oldest that was not entered by hand',
        size: () => this.#tables.reduce((most, table) => Math.max(most, table?.size ?? 0), 0),
      });
    }
    limits.add({
      table: `packets waiting for one ${name} neighbor`,
      variable: this.#queueLength,
      counter: `${counterPrefix}-pending-drops`,
      whenFull: 'the oldest one is dropped',
      size: () => this.list().reduce((most, one) => Math.max(most, one.pendingCount), 0),
    });
    limits.add({
      table: `memory of packets waiting for ${name} neighbors, bytes`,
      variable: this.#queueBytes,
      counter: `${counterPrefix}-pending-drops`,
      whenFull: 'the packet is dropped',
      size: () => this.#pendingBytes,
    });
  }

  /** Call `mark` with every address kept here. */
  markAddresses(mark: (address: number) => void): void {
    for (const table of this.#tables) {
      if (table === undefined) continue;
      for (const address of table.keys()) mark(address);
    }
    for (const address of this.#proxies.keys()) mark(address);
  }

  find(iface: Interface, address: number): Neighbor | null {
    return this.#tables[iface.index]?.get(address) ?? null;
  }

  /** The entry of a next hop, made when missing; null when the cache is full of entries in use. */
  findOrCreate(iface: Interface, address: number): Neighbor | null {
    const known = this.find(iface, address);
    if (known !== null) return known;
    if (this.#count >= this.#maxEntries.value && !this.#evict()) {
      this.#cpu.counters.add(this.#refused, 1);
      return null;
    }
    let table = this.#tables[iface.index];
    if (this.#threshold !== null && table !== undefined) this.#thin(table, this.#threshold.value);
    // cold: once per neighbor
    const neighbor = new Neighbor(iface, address, this.#onTimer);
    if (table === undefined) {
      // cold: once per interface
      table = new Map();
      this.#tables[iface.index] = table;
    }
    table.set(address, neighbor);
    this.#unresolved.add(neighbor);
    this.#count++;
    // Nothing may ever be sent there: the entry ends like one that is not used any more.
    this.#cpu.callouts.schedule(neighbor.timer, this.#cpu.nowUs() + this.#keepSec.value * US_PER_S);
    return neighbor;
  }

  /**
   * A packet is to go to a neighbor that is not `fresh`. Returns 0 when it may go now, 1 when it has to wait
   * ({@link enqueue}), or `-EHOSTDOWN` when resolution failed lately; a caller that does not want to know may let the packet wait then, too.
   */
  use(neighbor: Neighbor, nowUs: number): number {
    if (neighbor.state === 'stale') {
      this.#stale.delete(neighbor);
      neighbor.state = 'delay';
      neighbor.fresh = true;
      this.#cpu.callouts.schedule(neighbor.timer, nowUs + this.#delaySec.value * US_PER_S);
      return 0;
    }
    if (neighbor.state !== 'incomplete') return 0;
    if (!neighbor.failed) return 1;
    if (nowUs - neighbor.requestedUs >= REQUEST_INTERVAL_US) this.#request(neighbor, nowUs);
    return -Errno.EHOSTDOWN;
  }

  /**
   * Keep a copy of an IP packet until the neighbor answers (RFC 1122 2.3.2.2); the oldest one makes room. For a neighbor that
   * failed the latest packet alone waits, for as long as the failure is remembered.
   */
  enqueue(neighbor: Neighbor, at: number, totalBytes: number, meta: number, nowUs: number): void {
    const most = neighbor.failed ? 1 : this.#queueLength.value;
    while (neighbor.pendingCount >= most) this.#dropOldest(neighbor);
    const { heap, bulk } = this.#cpu;
    const { arena } = this.#cpu.shared;
    // Memory is limited, not payload: a short packet takes a whole block.
    const blockBytes = heap.blockBytes(PENDING_HEADER_BYTES + totalBytes);
    if (this.#pendingBytes + blockBytes > this.#queueBytes.value) {
      this.#cpu.counters.add(this.#pendingDrops, 1);
    } else {
      const block = heap.allocateSpare(PENDING_HEADER_BYTES + totalBytes);
      if (block < 0) {
        this.#cpu.counters.add(this.#pendingDrops, 1);
      } else {
        arena.view.setInt32(block, 0);
        arena.view.setInt32(block + 4, totalBytes);
        arena.view.setInt32(block + 8, meta);
        arena.view.setInt32(block + 12, blockBytes);
        bulk.copy(block + PENDING_HEADER_BYTES, at, totalBytes);
        if (neighbor.pendingTail !== 0) arena.view.setInt32(neighbor.pendingTail, block);
        else neighbor.pendingHead = block;
        neighbor.pendingTail = block;
        neighbor.pendingCount++;
        this.#pendingBytes += blockBytes;
      }
    }
    if (neighbor.tries === 0) this.#solicit(neighbor, false, nowUs);
  }

  /**
   * An ARP packet told the link-layer address of a neighbor. `solicited`: it was an answer to us, so the neighbor also
   * hears us. Permanent entries stay as they are.
   */
  learn(neighbor: Neighbor, macHi: number, macLo: number, solicited: boolean, nowUs: number): void {
    if (this.#take(neighbor, macHi, macLo, solicited, nowUs)) this.events?.listener?.neighborAdded(neighbor);
  }

  /** Returns whether the neighbor is resolved for the first time. */
  #take(neighbor: Neighbor, macHi: number, macLo: number, solicited: boolean, nowUs: number): boolean {
    if (neighbor.state === 'permanent') return false;
    const resolved = neighbor.state !== 'incomplete';
    const changed = neighbor.macHi !== macHi || neighbor.macLo !== macLo;
    if (resolved && changed) this.#cpu.counters.add(this.#moved, 1);
    neighbor.macHi = macHi;
    neighbor.macLo = macLo;
    neighbor.failed = false;
    neighbor.tries = 0;
    if (changed || !resolved) this.#epoch.bump();
    if (solicited) this.#becomeReachable(neighbor, nowUs);
    else if (changed || !resolved) this.#becomeStale(neighbor, nowUs);
    if (!resolved) this.#transmitPending(neighbor, nowUs);
    return !resolved;
  }

  /** Something speaks against the link-layer address that is known: ask before it is relied on (RFC 4861 7.2.5, I.a). */
  doubt(neighbor: Neighbor, nowUs: number): void {
    if (neighbor.state === 'reachable') this.#becomeStale(neighbor, nowUs);
  }

  /** A transport heard from the other end through this neighbor (RFC 4861 7.3.1). */
  confirm(neighbor: Neighbor, nowUs: number): void {
    if (neighbor.state === 'reachable' && nowUs - neighbor.confirmedUs < CONFIRM_INTERVAL_US) return;
    if (neighbor.state === 'incomplete' || neighbor.state === 'permanent') return;
    this.#becomeReachable(neighbor, nowUs);
  }

  /**
   * Enter an address by hand (arp -s). A permanent entry never expires. Returns 0, `-EEXIST` over another permanent
   * entry, `-ENOBUFS` when the cache is full.
   */
  addStatic(
    iface: Interface,
    address: number,
    macHi: number,
    macLo: number,
    permanent: boolean,
    published: boolean,
    proxyOnly: boolean = false,
  ): number {
    const nowUs = this.#cpu.nowUs();
    const neighbor = proxyOnly ? this.#findOrCreateProxy(iface, address) : this.findOrCreate(iface, address);
    if (neighbor === null) return -Errno.ENOBUFS;
    if (neighbor.state === 'permanent') return -Errno.EEXIST;
    const changed = neighbor.published !== published;
    neighbor.published = published;
    const added = this.#take(neighbor, macHi, macLo, true, nowUs);
    if (permanent) {
      neighbor.state = 'permanent';
      neighbor.fresh = true;
      this.#cpu.callouts.stop(neighbor.timer);
    }
    if (changed) this.#actions.published?.(neighbor, published);
    if (added) this.events?.listener?.neighborAdded(neighbor);
    return 0;
  }

  /** The entry that requests for `address` on `iface` are answered by, which may be one of another interface; or null. */
  // cold: rate-limited
  published(iface: Interface, address: number): Neighbor | null {
    const here = this.find(iface, address);
    if (here?.published && here.state !== 'incomplete') return here;
    const proxy = this.#proxies.get(address);
    if (proxy !== undefined) return proxy;
    for (const table of this.#tables) {
      const other = table?.get(address);
      if (other?.published && other.state !== 'incomplete') return other;
    }
    return null;
  }

  // cold: configuration
  #findOrCreateProxy(iface: Interface, address: number): Neighbor | null {
    const known = this.#proxies.get(address);
    if (known !== undefined) return known;
    if (this.#count >= this.#maxEntries.value && !this.#evict()) return null;
    const neighbor = new Neighbor(iface, address, this.#onTimer);
    neighbor.proxyOnly = true;
    this.#proxies.set(address, neighbor);
    this.#count++;
    return neighbor;
  }

  /** Take an entry out; what waited for it is dropped. */
  remove(neighbor: Neighbor): void {
    const table = neighbor.proxyOnly ? this.#proxies : this.#tables[neighbor.iface.index];
    if (table?.get(neighbor.address) !== neighbor) return;
    table.delete(neighbor.address);
    if (neighbor.published) this.#actions.published?.(neighbor, false);
    if (neighbor.state !== 'incomplete') this.events?.listener?.neighborDeleted(neighbor);
    this.#unresolved.delete(neighbor);
    this.#stale.delete(neighbor);
    this.#count--;
    while (neighbor.pendingCount > 0) this.#dropOldest(neighbor);
    neighbor.fresh = false;
    this.#cpu.callouts.stop(neighbor.timer);
    this.#epoch.bump();
  }

  /** Remove the entries of an interface; permanent ones too when `all`. */
  // cold: configuration
  flush(iface: Interface, all: boolean): void {
    const table = this.#tables[iface.index] ?? [];
    for (const neighbor of [...table.values()]) if (all || neighbor.state !== 'permanent') this.remove(neighbor);
    for (const neighbor of [...this.#proxies.values()])
      if (neighbor.iface === iface && (all || neighbor.state !== 'permanent')) this.remove(neighbor);
  }

  /** All entries, interface by interface, in the order they were made; at the end those that are answered for only. */
  // cold: control
  list(): Neighbor[] {
    const found: Neighbor[] = [];
    for (const table of this.#tables) if (table !== undefined) found.push(...table.values());
    found.push(...this.#proxies.values());
    return found;
  }

  get count(): number {
    return this.#count;
  }

  /** Entries that fit before one is evicted. */
  get room(): number {
    return this.#maxEntries.value - this.#count;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  #becomeReachable(neighbor: Neighbor, nowUs: number): void {
    this.#unresolved.delete(neighbor);
    this.#stale.delete(neighbor);
    neighbor.state = 'reachable';
    neighbor.fresh = true;
    neighbor.confirmedUs = nowUs;
    const { iface, timer } = neighbor;
    const believedUs = this.#protocol.reachableMs(iface, this.#reachableMs.value) * US_PER_MS;
    const forUs = this.#protocol.keptFromAnswer ? Math.min(believedUs, this.#keepSec.value * US_PER_S) : believedUs;
    this.#cpu.callouts.schedule(timer, nowUs + forUs);
  }

  #becomeStale(neighbor: Neighbor, nowUs: number): void {
    this.#unresolved.delete(neighbor);
    this.#stale.add(neighbor);
    neighbor.state = 'stale';
    neighbor.fresh = false;
    this.#cpu.callouts.schedule(neighbor.timer, nowUs + this.#keepSec.value * US_PER_S);
  }

  /** An answer is believed no more. */
  #age(neighbor: Neighbor, nowUs: number): void {
    const goneUs = neighbor.confirmedUs + this.#keepSec.value * US_PER_S;
    if (this.#protocol.keptFromAnswer && goneUs <= nowUs) {
      this.remove(neighbor);
      return;
    }
    this.#becomeStale(neighbor, nowUs);
    if (this.#protocol.keptFromAnswer) this.#cpu.callouts.schedule(neighbor.timer, goneUs);
  }

  #timeout(neighbor: Neighbor, nowUs: number): void {
    switch (neighbor.state) {
      case 'reachable':
        this.#age(neighbor, nowUs);
        break;
      case 'stale':
        this.remove(neighbor);
        break;
      case 'delay':
        if (!this.#protocol.probes(neighbor.iface)) {
          this.#becomeStale(neighbor, nowUs);
          break;
        }
        neighbor.state = 'probe';
        neighbor.tries = 0;
        this.#solicit(neighbor, true, nowUs);
        break;
      case 'probe':
        if (neighbor.tries < this.#unicastTries.value) this.#solicit(neighbor, true, nowUs);
        else this.#lose(neighbor, nowUs);
        break;
      case 'incomplete':
        if (neighbor.failed || neighbor.tries === 0) this.remove(neighbor);
        else if (neighbor.tries < this.#broadcastTries.value) this.#solicit(neighbor, false, nowUs);
        else this.#fail(neighbor, nowUs);
        break;
      case 'permanent':
        break;
    }
  }

  #lose(neighbor: Neighbor, nowUs: number): void {
    this.#actions.lost?.(neighbor, nowUs);
    this.remove(neighbor);
  }

  #solicit(neighbor: Neighbor, unicast: boolean, nowUs: number): void {
    neighbor.tries++;
    const retransMs = this.#protocol.retransMs(neighbor.iface, this.#retransMs.value);
    this.#cpu.callouts.schedule(neighbor.timer, nowUs + retransMs * US_PER_MS);
    this.#request(neighbor, nowUs, unicast);
  }

  #request(neighbor: Neighbor, nowUs: number, unicast: boolean = false): void {
    neighbor.requestedUs = nowUs;
    this.#actions.request(neighbor, unicast);
  }

  #fail(neighbor: Neighbor, nowUs: number): void {
    neighbor.failed = true;
    if (neighbor.pendingCount > 0) this.events?.listener?.neighborMissed(neighbor);
    this.#actions.lost?.(neighbor, nowUs);
    this.#cpu.counters.add(this.#failures, 1);
    this.#cpu.callouts.schedule(neighbor.timer, nowUs + this.#downSec.value * US_PER_S);
    const { view } = this.#cpu.shared.arena;
    while (neighbor.pendingCount > 0) {
      // Out of the queue first: telling the sender may need an entry, for which this one may have to go.
      const block = this.#unlinkOldest(neighbor);
      this.#cpu.counters.add(this.#pendingDrops, 1);
      this.pending.undeliverable(neighbor, block + PENDING_HEADER_BYTES, view.getInt32(block + 4), nowUs);
      this.#cpu.heap.free(block);
    }
  }

  #transmitPending(neighbor: Neighbor, nowUs: number): void {
    const { view } = this.#cpu.shared.arena;
    if (neighbor.pendingCount > 0 && !neighbor.fresh) this.use(neighbor, nowUs);
    while (neighbor.pendingCount > 0) {
      const block = neighbor.pendingHead;
      const totalBytes = view.getInt32(block + 4);
      this.pending.transmit(neighbor, block + PENDING_HEADER_BYTES, totalBytes, view.getInt32(block + 8));
      this.#takeOldest(neighbor);
    }
  }

  #dropOldest(neighbor: Neighbor): void {
    this.#cpu.counters.add(this.#pendingDrops, 1);
    this.#takeOldest(neighbor);
  }

  #takeOldest(neighbor: Neighbor): void {
    this.#cpu.heap.free(this.#unlinkOldest(neighbor));
  }

  #unlinkOldest(neighbor: Neighbor): number {
    const { view } = this.#cpu.shared.arena;
    const block = neighbor.pendingHead;
    this.#pendingBytes -= view.getInt32(block + 12);
    neighbor.pendingHead = view.getInt32(block);
    neighbor.pendingCount--;
    if (neighbor.pendingCount === 0) neighbor.pendingTail = 0;
    return block;
  }

  /** Old entries of an interface go until `threshold` holds one more (0: the new one alone); permanent ones stay. */
  #thin(table: Map<number, Neighbor>, threshold: number): void {
    if (threshold < 0 || table.size < threshold) return;
    for (let round = 0; round < 3; round++) {
      for (const neighbor of table.values()) {
        if (table.size < threshold) return;
        const { state } = neighbor;
        if (state === 'permanent' || (round === 0 && state !== 'incomplete') || (round === 1 && state !== 'stale'))
          continue;
        this.#cpu.counters.add(this.#evicted, 1);
        this.remove(neighbor);
      }
    }
  }

  /**
   * Make room: neighbors that have not answered yet go before all that have, so that a flood of packets from made-up addresses
   * displaces only its own entries.
   */
  #evict(): boolean {
    for (const neighbor of this.#unresolved) {
      this.#cpu.counters.add(this.#evicted, 1);
      this.remove(neighbor);
      return true;
    }
    for (const neighbor of this.#stale) {
      this.#cpu.counters.add(this.#evicted, 1);
      this.remove(neighbor);
      return true;
    }
    return false;
  }
}
