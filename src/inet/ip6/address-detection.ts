/**
 * Duplicate address detection: probes for an IPv6 address before it is used.
 *
 * Thread: the one that runs the kernel; all waiting is done by callouts. With `net.inet6.ip6.dad_count` 0 (the default: in
 * a lab addresses are given out centrally) an address is used at once.
 * Read first: RFC 4862 section 5.4. Missing: RFC 7527 (looped-back probes), optimistic addresses (RFC 4429).
 * Cold: configuration of addresses.
 */

import { randomUnit } from '../../base/rng.ts';
import { US_PER_MS } from '../../base/units.ts';
import { Callout } from '../../kern/callout.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { InterfaceAddress6 } from '../../net/interface.ts';
import type { InetContext } from '../ip/context.ts';
import type { NeighborOutput6 } from './neighbor-output.ts';

/** MAX_RTR_SOLICITATION_DELAY (RFC 4861 section 10). */
const MAX_DELAY_US = 1_000_000;

class Probe {
  readonly entry: InterfaceAddress6;
  readonly timer: Callout;
  left: number;

  constructor(entry: InterfaceAddress6, left: number, onTimer: (probe: Probe, nowUs: number) => void) {
    this.entry = entry;
    this.left = left;
    this.timer = new Callout((nowUs) => onTimer(this, nowUs));
  }
}

export class AddressDetection {
  readonly #context: InetContext;
  readonly #output: NeighborOutput6;
  readonly #count: SysctlVariable;
  readonly #retransMs: (entry: InterfaceAddress6) => number;
  readonly #probes: Map<InterfaceAddress6, Probe> = new Map();
  readonly #duplicates: number;
  readonly #onTimer: (probe: Probe, nowUs: number) => void;
  readonly #onResult: (entry: InterfaceAddress6, free: boolean) => void;

  /**
   * `retransMs`: the time between probes on the link of an address (RetransTimer). `onResult`: an address was found free, or
   * found taken.
   */
  constructor(
    context: InetContext,
    output: NeighborOutput6,
    retransMs: (entry: InterfaceAddress6) => number,
    onResult: (entry: InterfaceAddress6, free: boolean) => void,
  ) {
    this.#onResult = onResult;
    this.#context = context;
    this.#output = output;
    this.#retransMs = retransMs;
    this.#count = context.shared.sysctl.integer(
      'net.inet6.ip6.dad_count',
      0,
      0,
      10,
      'probes before an address is used',
    );
    this.#duplicates = context.counters.index('nd6-duplicate-addresses');
    this.#onTimer = (probe, nowUs) => this.#step(probe, nowUs);
  }

  /**
   * Probe a tentative address. The result comes later, or at once when no probe is sent. `delayed`: others may begin now, too, as
   * after a link came up or a router told its prefix to all (RFC 4862 5.4.2).
   */
  start(entry: InterfaceAddress6, delayed: boolean): void {
    this.stop(entry);
    if (this.#count.value === 0 || entry.iface.loopback) {
      this.#onResult(entry, true);
      return;
    }
    const probe = new Probe(entry, this.#count.value, this.#onTimer);
    this.#probes.set(entry, probe);
    const nowUs = this.#context.nowUs();
    if (!delayed) this.#step(probe, nowUs);
    else this.#context.callouts.schedule(probe.timer, nowUs + randomUnit(this.#context.rng) * MAX_DELAY_US);
  }

  /** The address goes away, or its link does. */
  stop(entry: InterfaceAddress6): void {
    const probe = this.#probes.get(entry);
    if (probe === undefined) return;
    this.#context.callouts.stop(probe.timer);
    this.#probes.delete(entry);
  }

  /** RFC 4862 5.4.3: another host solicits the address: from `::` (`probing`) to take it, otherwise to reach it. */
  solicited(entry: InterfaceAddress6, probing: boolean): void {
    if (probing) this.#taken(entry);
  }

  /** RFC 4862 5.4.4: another host has the address. */
  advertised(entry: InterfaceAddress6): void {
    if (this.#probes.has(entry)) this.#taken(entry);
    else if (entry.state !== 'duplicated') this.#context.counters.add(this.#duplicates, 1);
  }

  #step(probe: Probe, nowUs: number): void {
    const { entry } = probe;
    if (probe.left > 0) {
      probe.left--;
      this.#output.probe(entry.iface, entry.address);
      this.#context.callouts.schedule(probe.timer, nowUs + this.#retransMs(entry) * US_PER_MS);
      return;
    }
    this.#probes.delete(entry);
    this.#onResult(entry, true);
  }

  #taken(entry: InterfaceAddress6): void {
    if (!this.#probes.has(entry)) return;
    this.stop(entry);
    this.#context.counters.add(this.#duplicates, 1);
    this.#onResult(entry, false);
  }
}
