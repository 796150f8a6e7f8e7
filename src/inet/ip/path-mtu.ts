/**
 * The path MTUs that were discovered, by destination, of either family (RFC 1191, RFC 8201).
 *
 * Thread: the one that runs the kernel. All its CPUs share it (shared.ts); entries are timed and counted on the CPU that owns it.
 * Paths read it when they are renewed; a change bumps the path epoch, so every path looks again. Entries end after `net.inet.ip.mtudisctimeout` seconds, when the larger size may be tried
 * again (RFC 1191 section 6.3). TCP probes by itself where no router tells the MTU (tcp/recovery/mtu-probe.ts).
 * Cold: ICMP errors change it; look-ups allocate nothing.
 */

import { US_PER_S } from '../../base/units.ts';
import { Callout } from '../../kern/callout.ts';
import type { CpuContext } from '../../kern/context.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { PathEpoch } from '../../net/path-epoch.ts';
import { isIp6 } from './address-interner.ts';

/** RFC 1191 section 7.1: common MTUs, for routers that do not name the MTU of the next hop. */
const PLATEAUS: readonly number[] = [32000, 17914, 8166, 4352, 2002, 1492, 1006, 576, 508, 296, 68];

interface Entry {
  mtuBytes: number;
  expiresUs: number;
  /** The path carries less than the MTU we work with. */
  tooSmall: boolean;
}

export class PathMtu {
  readonly #cpu: CpuContext;
  readonly #epoch: PathEpoch;
  readonly #enabled: SysctlVariable;
  readonly #timeoutSec: SysctlVariable;
  readonly #minBytes: SysctlVariable;
  readonly #maxEntries: SysctlVariable;
  readonly #learned: number;
  readonly #ignored: number;
  readonly #evicted: number;
  readonly #entries: Map<number, Entry> = new Map();
  readonly #expiry: Callout;

  constructor(cpu: CpuContext, epoch: PathEpoch) {
    this.#cpu = cpu;
    this.#epoch = epoch;
    const { counters } = cpu;
    const { sysctl } = cpu.shared;
    this.#enabled = sysctl.toggle('net.inet.ip.mtudisc', true, 'path MTU discovery of IPv4 (IPv6 always has it)');
    this.#timeoutSec = sysctl.integer('net.inet.ip.mtudisctimeout', 600, 1, 86400, 'seconds a learned MTU is kept');
    this.#minBytes = sysctl.integer('net.inet.ip.mtudiscmin', 552, 68, 65535, 'smallest MTU that is believed');
    this.#maxEntries = sysctl.integer('net.inet.ip.mtudiscmax', 1024, 1, 1 << 20, 'destinations with a learned MTU');
    this.#learned = counters.index('ip-path-mtu-learned');
    this.#ignored = counters.index('ip-path-mtu-ignored');
    this.#evicted = counters.index('ip-path-mtu-evicted');
    this.#expiry = new Callout((nowUs) => this.#expire(nowUs));
    sysctl.limits.add({
      table: 'destinations with a learned path MTU',
      variable: this.#maxEntries,
      counter: 'ip-path-mtu-evicted',
      whenFull: 'the oldest one is forgotten',
      size: () => this.#entries.size,
    });
  }

  /** Call `mark` with every address kept here. */
  markAddresses(mark: (address: number) => void): void {
    for (const destination of this.#entries.keys()) mark(destination);
  }

  /** The learned MTU towards a destination, or `linkMtuBytes` when nothing smaller is known. */
  lookup(destination: number, linkMtuBytes: number): number {
    if (this.#entries.size === 0) return linkMtuBytes;
    const entry = this.#entries.get(destination);
    return entry !== undefined && entry.mtuBytes < linkMtuBytes ? entry.mtuBytes : linkMtuBytes;
  }

  /**
   * Whether packets to a destination go without DF: discovery is off, or the path carries less than we believe
   * (RFC 1191 section 3: then routers may fragment).
   */
  allowsFragments(destination: number): boolean {
    if (this.#enabled.value === 0) return true;
    return this.#entries.size > 0 && this.#entries.get(destination)?.tooSmall === true;
  }

  /**
   * A router said that a packet of `packetBytes` is too big; `nextHopMtuBytes` is 0 when it did not say for what.
   * Returns the MTU now assumed, or 0 when the message was not believed: it would raise the MTU, or names less than
   * `net.inet.ip.mtudiscmin` (then the minimum is taken, and packets go without DF).
   */
  tooBig(destination: number, packetBytes: number, nextHopMtuBytes: number, nowUs: number): number {
    // Routers do not fragment IPv6: the sender has to know.
    if (this.#enabled.value === 0 && !isIp6(destination)) return 0;
    const saidBytes = nextHopMtuBytes || (PLATEAUS.find((plateau) => plateau < packetBytes) ?? 68);
    const mtuBytes = Math.max(saidBytes, this.#minBytes.value);
    const tooSmall = saidBytes < mtuBytes;
    const known = this.#entries.get(destination);
    const news = known === undefined || known.mtuBytes > mtuBytes || (tooSmall && !known.tooSmall);
    if (!news || saidBytes >= packetBytes) {
      this.#cpu.counters.add(this.#ignored, 1);
      return 0;
    }
    if (known === undefined && this.#entries.size >= this.#maxEntries.value) {
      this.#entries.delete(this.#oldest());
      this.#cpu.counters.add(this.#evicted, 1);
    }
    const expiresUs = nowUs + this.#timeoutSec.value * US_PER_S;
    this.#entries.set(destination, { mtuBytes, expiresUs, tooSmall });
    this.#cpu.counters.add(this.#learned, 1);
    if (!this.#expiry.pending || this.#expiry.deadlineUs > expiresUs) {
      this.#cpu.callouts.schedule(this.#expiry, expiresUs);
    }
    this.#epoch.bump();
    return mtuBytes;
  }

  /** Insertion order is age. */
  #oldest(): number {
    return this.#entries.keys().next().value as number;
  }

  #expire(nowUs: number): void {
    let next = Infinity;
    for (const [destination, entry] of this.#entries) {
      if (entry.expiresUs <= nowUs) this.#entries.delete(destination);
      else if (entry.expiresUs < next) next = entry.expiresUs;
    }
    this.#epoch.bump();
    if (next !== Infinity) this.#cpu.callouts.schedule(this.#expiry, next);
  }
}
