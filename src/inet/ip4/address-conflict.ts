/**
 * Address conflict detection: an address is probed before it is used, announced when it is, and defended afterwards.
 *
 * Thread: the one that runs the kernel; all waiting is done by callouts. With `net.inet.ip.dad_count` 0 (the default: in a
 * lab addresses are given out centrally) an address is used at once and only announced and defended.
 * Read first: RFC 5227. Missing: giving an address up while it is in use (section 2.4 (a)); like a server, we keep it.
 * Cold: configuration of addresses.
 */

import { randomUnit } from '../../base/rng.ts';
import { US_PER_S } from '../../base/units.ts';
import { Callout } from '../../kern/callout.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import { IFF_RUNNING, type Interface, type InterfaceAddress } from '../../net/interface.ts';
import type { InetContext } from '../ip/context.ts';
import type { ArpOutput } from './arp-output.ts';

/** RFC 5227 section 1.1. */
const PROBE_WAIT_US: number = US_PER_S;
const PROBE_MIN_US: number = US_PER_S;
const PROBE_MAX_US: number = 2 * US_PER_S;
const ANNOUNCE_WAIT_US: number = 2 * US_PER_S;
const ANNOUNCE_NUM = 2;
const ANNOUNCE_INTERVAL_US: number = 2 * US_PER_S;
const MAX_CONFLICTS = 10;
const RATE_LIMIT_INTERVAL_US: number = 60 * US_PER_S;
const DEFEND_INTERVAL_US: number = 10 * US_PER_S;

/** One address on its way, or in use. */
class Watch {
  readonly iface: Interface;
  readonly entry: InterfaceAddress;
  readonly timer: Callout;
  probesLeft = 0;
  announcementsLeft = ANNOUNCE_NUM;
  defendedUs = -Infinity;
  /** In use, or on its way, when the interface was cut off. */
  detached = false;

  constructor(iface: Interface, entry: InterfaceAddress, onTimer: (watch: Watch, nowUs: number) => void) {
    this.iface = iface;
    this.entry = entry;
    this.timer = new Callout((nowUs) => onTimer(this, nowUs));
  }
}

/** Receiver of the decisions. */
export interface ConflictSink {
  /** An address in use is tentative from now on. */
  deactivate(iface: Interface, entry: InterfaceAddress): void;
  /** An address was found free, or found taken. */
  onResult(iface: Interface, entry: InterfaceAddress, free: boolean): void;
}

export class AddressConflicts {
  readonly #context: InetContext;
  readonly #output: ArpOutput;
  readonly #probeCount: SysctlVariable;
  readonly #watches: Map<number, Watch> = new Map();
  readonly #conflicts: number;
  readonly #onTimer: (watch: Watch, nowUs: number) => void;
  /** Conflicts while probing, by interface index: many of them slow the next attempt down (RFC 5227 2.1.1). */
  readonly #failures: number[] = [];
  readonly #sink: ConflictSink;

  constructor(context: InetContext, output: ArpOutput, sink: ConflictSink) {
    this.#sink = sink;
    this.#context = context;
    this.#output = output;
    this.#probeCount = context.shared.sysctl.integer(
      'net.inet.ip.dad_count',
      0,
      0,
      10,
      'ARP probes before an address is used',
    );
    this.#conflicts = context.counters.index('arp-conflicts');
    this.#onTimer = (watch, nowUs) => this.#step(watch, nowUs);
  }

  /** Whether an address added now would have to be probed first. As in NetBSD, nobody is asked by an interface that is not running. */
  probes(iface: Interface): boolean {
    if (this.#probeCount.value === 0 || iface.loopback || iface.pointToPoint) return false;
    return (iface.flags & IFF_RUNNING) !== 0;
  }

  /** Begin to look after an address: probe it when it is tentative, announce it when it is valid already. */
  watch(iface: Interface, entry: InterfaceAddress): void {
    if (iface.loopback || iface.pointToPoint) return;
    const watch = new Watch(iface, entry, this.#onTimer);
    this.#watches.set(entry.address, watch);
    if (entry.state !== 'tentative') {
      this.#step(watch, this.#context.nowUs());
      return;
    }
    this.#probe(watch);
  }

  #probe(watch: Watch): void {
    const { iface } = watch;
    watch.probesLeft = this.#probeCount.value;
    const slow = (this.#failures[iface.index] ?? 0) >= MAX_CONFLICTS ? RATE_LIMIT_INTERVAL_US : 0;
    const nowUs = this.#context.nowUs();
    this.#context.callouts.schedule(watch.timer, nowUs + slow + randomUnit(this.#context.rng) * PROBE_WAIT_US);
  }

  /** The interface is cut off. An address that is being probed will be again, and others that were in use, too. */
  detachAll(iface: Interface): void {
    for (const watch of this.#watches.values()) {
      if (watch.iface !== iface) continue;
      watch.detached = true;
      watch.announcementsLeft = 0;
      this.#context.callouts.stop(watch.timer);
    }
  }

  /**
   * The interface came up. Addresses that it had before are probed once more; those that it got meanwhile, or all where nothing is
   * probed, are announced, because earlier requests got no answer.
   */
  resume(iface: Interface): void {
    for (const watch of this.#watches.values()) {
      if (watch.iface !== iface) continue;
      const again = watch.detached && this.probes(iface);
      watch.detached = false;
      watch.announcementsLeft = ANNOUNCE_NUM;
      if (again && watch.entry.state === 'valid') this.#sink.deactivate(iface, watch.entry);
      if (watch.entry.state === 'tentative') this.#probe(watch);
      else this.#step(watch, this.#context.nowUs());
    }
  }

  /** The address was removed. */
  forget(address: number): void {
    const watch = this.#watches.get(address);
    if (watch === undefined) return;
    this.#context.callouts.stop(watch.timer);
    this.#watches.delete(address);
  }

  /**
   * An ARP packet of another host. True when it concerns an address that is still being probed, or claims one of ours: then
   * the neighbor cache must not learn from it.
   */
  received(iface: Interface, sender: number, target: number, request: boolean, nowUs: number): boolean {
    const claimed = this.#watches.get(sender);
    if (claimed !== undefined && claimed.iface === iface) {
      this.#context.counters.add(this.#conflicts, 1);
      if (claimed.entry.state === 'tentative') this.#taken(claimed);
      else this.#defend(claimed, nowUs);
      return true;
    }
    const asked = this.#watches.get(target);
    if (asked === undefined || asked.iface !== iface || asked.entry.state !== 'tentative') return false;
    // Another host probes for the address that we are probing (RFC 5227 2.1.1): neither may have it.
    if (sender === 0 && request) {
      this.#context.counters.add(this.#conflicts, 1);
      this.#taken(asked);
    }
    return true;
  }

  #step(watch: Watch, nowUs: number): void {
    const { callouts, rng } = this.#context;
    const { iface, entry } = watch;
    if (entry.state === 'tentative') {
      if (watch.probesLeft > 0) {
        watch.probesLeft--;
        this.#output.probe(iface, entry.address);
        const spacing = PROBE_MIN_US + randomUnit(rng) * (PROBE_MAX_US - PROBE_MIN_US);
        callouts.schedule(watch.timer, nowUs + (watch.probesLeft > 0 ? spacing : ANNOUNCE_WAIT_US));
        return;
      }
      this.#failures[iface.index] = 0;
      this.#sink.onResult(iface, entry, true);
    }
    if (watch.announcementsLeft === 0) return;
    watch.announcementsLeft--;
    this.#output.announce(iface, entry.address);
    if (watch.announcementsLeft > 0) callouts.schedule(watch.timer, nowUs + ANNOUNCE_INTERVAL_US);
  }

  #taken(watch: Watch): void {
    const { iface, entry } = watch;
    this.forget(entry.address);
    this.#failures[iface.index] = (this.#failures[iface.index] ?? 0) + 1;
    this.#sink.onResult(iface, entry, false);
  }

  /** RFC 5227 2.4 (c): announce the address, at most once in ten seconds. */
  #defend(watch: Watch, nowUs: number): void {
    if (nowUs - watch.defendedUs < DEFEND_INTERVAL_US) return;
    watch.defendedUs = nowUs;
    this.#output.announce(watch.iface, watch.entry.address);
  }
}
