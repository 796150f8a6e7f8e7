/**
 * Stateless address autoconfiguration of one interface: an address for each prefix that routers advertise for it, and
 * temporary ones beside it, with their lifetimes.
 *
 * Thread: the one that runs the kernel. A state machine over times that are arguments: the owner calls `run` at `deadlineUs`.
 * Decisions go to a sink, which runs duplicate address detection and reports the result.
 * Read first: RFC 4862 section 5.5, RFC 7217 section 6 (duplicates), RFC 8981 section 3.
 * Cold: autoconfiguration.
 */

import { type Rng, randomUnit } from '../../../base/rng.ts';
import { US_PER_S } from '../../../base/units.ts';
import { type Address6, equal, isLinkLocal, isMulticast } from '../../../wire/ipv6-address.ts';
import { commonPrefixLength } from '../address-selection.ts';
import type { InterfaceId } from '../eui64.ts';
import { INTERFACE_ID_BITS, joinId, randomId } from './interface-id.ts';

/** RFC 4862 5.5.3 e: an unauthenticated advertisement cannot make an address die sooner. */
const TWO_HOURS_US: number = 7200 * US_PER_S;
/** RFC 7217 6: how often, and after how long, another stable identifier is tried. */
const ID_RETRIES = 3;
const ID_DELAY_US: number = US_PER_S;
/** RFC 8981 3.8. */
const TEMPORARY_RETRIES = 3;
const REGEN_ADVANCE_S = 2;
const DESYNC_PART = 0.4;
/** Routers remembered for one address. */
const ROUTERS_MAX = 8;

/** A prefix information option; times are `Infinity` for ever. */
export interface AdvertisedPrefix {
  readonly prefix: Address6;
  readonly prefixLength: number;
  readonly validUs: number;
  readonly preferredUs: number;
  /** The router that sent it. */
  readonly router: Address6;
}

/** Receiver of the decisions. */
export interface AutoAddressSink {
  /** Configure the address. Returns 0, or an errno when the interface cannot have it. */
  add(address: Address6, prefixLength: number, temporary: boolean): number;
  deprecate(address: Address6, deprecated: boolean): void;
  remove(address: Address6): void;
}

/** Read anew at each event, so that sysctl can change them. */
export interface AutoAddressSettings {
  /** The stable identifier for a prefix; `attempt` as in RFC 7217, null when no other can be made. */
  stableId(prefix: Address6, attempt: number): InterfaceId | null;
  maxAddresses(): number;
  useTemporary(): boolean;
  temporaryValidUs(): number;
  temporaryPreferredUs(): number;
  /** Duration of duplicate address detection. */
  detectionUs(): number;
}

export interface AutoAddress {
  address: Address6;
  readonly prefix: Address6;
  /** Routers that advertised the prefix, the last one last (RFC 6724 5, rule 5.5). */
  readonly routers: Address6[];
  readonly temporary: boolean;
  readonly createdUs: number;
  validUntilUs: number;
  preferredUntilUs: number;
  deprecated: boolean;
  /** Identifiers that were found in use before this one. */
  attempt: number;
  /** Whether the sink has it; not after a duplicate was found, until another identifier is tried. */
  configured: boolean;
  retryUs: number;
  /** A temporary address is preferred until this at most, counted from its creation; a successor was made, or could not be. */
  readonly mostPreferredUs: number;
  succeeded: boolean;
}

/** Results of {@link AutoAddresses.prefix}. */
export type PrefixVerdict = 'used' | 'ignored' | 'too-many';

export class AutoAddresses {
  readonly #rng: Rng;
  readonly #sink: AutoAddressSink;
  readonly #settings: AutoAddressSettings;
  #addresses: AutoAddress[] = [];
  deadlineUs: number = Infinity;

  constructor(rng: Rng, sink: AutoAddressSink, settings: AutoAddressSettings) {
    this.#rng = rng;
    this.#sink = sink;
    this.#settings = settings;
  }

  get list(): readonly AutoAddress[] {
    return this.#addresses;
  }

  /** Configured addresses that are made of a prefix. */
  countOf(prefix: Address6): number {
    return this.#addresses.filter((one) => one.configured && equal(one.prefix, prefix)).length;
  }

  /** A router advertised a prefix with the autonomous flag (RFC 4862 5.5.3). */
  prefix(advertised: AdvertisedPrefix, nowUs: number): PrefixVerdict {
    const { prefix, prefixLength, validUs, preferredUs } = advertised;
    if (isLinkLocal(prefix[0]) || isMulticast(prefix[0]) || preferredUs > validUs) return 'ignored';
    if (prefixLength !== 128 - INTERFACE_ID_BITS) return 'ignored';
    let known = false;
    for (const one of this.#addresses) {
      if (!samePrefix(one.prefix, prefix)) continue;
      remember(one.routers, advertised.router);
      this.#renew(one, validUs, preferredUs, nowUs);
      if (!one.temporary) known = true;
    }
    let verdict: PrefixVerdict = 'used';
    if (!known) verdict = validUs === 0 ? 'ignored' : this.#addStable(advertised, nowUs);
    if (verdict === 'used') this.#addTemporary(prefix, nowUs);
    this.run(nowUs);
    return verdict;
  }

  /** Another host has the address. */
  duplicate(address: Address6, nowUs: number): void {
    const one = this.#addresses.find((entry) => entry.configured && equal(entry.address, address));
    if (one === undefined) return;
    this.#sink.remove(address);
    one.configured = false;
    one.attempt++;
    // When too many were tried, the entry stays without an address as long as the prefix lives.
    if (one.attempt > (one.temporary ? TEMPORARY_RETRIES : ID_RETRIES)) one.succeeded = true;
    else one.retryUs = one.temporary ? nowUs : nowUs + ID_DELAY_US;
    this.run(nowUs);
  }

  /** Give everything up: the interface goes away, or addresses shall not be made any more. */
  clear(): void {
    for (const one of this.#addresses) if (one.configured) this.#sink.remove(one.address);
    this.#addresses = [];
    this.deadlineUs = Infinity;
  }

  /** Do what is due. */
  run(nowUs: number): void {
    for (const one of this.#addresses) {
      if (one.validUntilUs <= nowUs) {
        if (one.configured) this.#sink.remove(one.address);
        continue;
      }
      if (one.retryUs <= nowUs) this.#retry(one);
      const deprecated = one.preferredUntilUs <= nowUs;
      if (deprecated !== one.deprecated) {
        one.deprecated = deprecated;
        if (one.configured) this.#sink.deprecate(one.address, deprecated);
      }
    }
    this.#addresses = this.#addresses.filter((one) => one.validUntilUs > nowUs);
    for (const one of [...this.#addresses]) {
      if (!one.temporary || one.succeeded || nowUs < this.#succeedUs(one)) continue;
      one.succeeded = true;
      this.#addTemporary(one.prefix, nowUs);
    }
    let deadlineUs = Infinity;
    for (const one of this.#addresses) deadlineUs = Math.min(deadlineUs, this.#nextUs(one));
    this.deadlineUs = deadlineUs;
  }

  #nextUs(one: AutoAddress): number {
    const preferredUs = one.deprecated ? Infinity : one.preferredUntilUs;
    const succeedUs = one.temporary && !one.succeeded ? this.#succeedUs(one) : Infinity;
    return Math.min(one.validUntilUs, preferredUs, one.retryUs, succeedUs);
  }

  /** RFC 8981 3.8, REGEN_ADVANCE: the successor is there before the address is deprecated. */
  #regenAdvanceUs(): number {
    return REGEN_ADVANCE_S * US_PER_S + TEMPORARY_RETRIES * this.#settings.detectionUs();
  }

  #succeedUs(one: AutoAddress): number {
    return one.preferredUntilUs - this.#regenAdvanceUs();
  }

  /** RFC 4862 5.5.3 e, and for temporary addresses RFC 8981 3.4: never longer than their own limits. */
  #renew(one: AutoAddress, validUs: number, preferredUs: number, nowUs: number): void {
    const leftUs = one.validUntilUs - nowUs;
    let untilUs = one.validUntilUs;
    if (validUs > TWO_HOURS_US || validUs > leftUs) untilUs = nowUs + validUs;
    else if (leftUs > TWO_HOURS_US) untilUs = nowUs + TWO_HOURS_US;
    let preferredUntilUs = nowUs + preferredUs;
    if (one.temporary) {
      untilUs = Math.min(untilUs, one.createdUs + this.#settings.temporaryValidUs());
      preferredUntilUs = Math.min(preferredUntilUs, one.createdUs + one.mostPreferredUs);
    }
    one.validUntilUs = untilUs;
    one.preferredUntilUs = Math.min(preferredUntilUs, untilUs);
  }

  #addStable({ prefix, prefixLength, validUs, preferredUs, router }: AdvertisedPrefix, nowUs: number): PrefixVerdict {
    if (this.#addresses.length >= this.#settings.maxAddresses()) return 'too-many';
    const id = this.#settings.stableId(prefix, 0);
    if (id === null) return 'ignored';
    const address = joinId(prefix, id);
    if (this.#sink.add(address, prefixLength, false) !== 0) return 'ignored';
    this.#addresses.push({
      address,
      prefix,
      routers: [router],
      temporary: false,
      createdUs: nowUs,
      validUntilUs: nowUs + validUs,
      preferredUntilUs: nowUs + preferredUs,
      deprecated: false,
      attempt: 0,
      configured: true,
      retryUs: Infinity,
      mostPreferredUs: Infinity,
      succeeded: true,
    });
    return 'used';
  }

  /** A temporary address for a prefix that has a stable one, unless there is one that is not yet to be followed. */
  #addTemporary(prefix: Address6, nowUs: number): void {
    const settings = this.#settings;
    if (!settings.useTemporary() || this.#addresses.length >= settings.maxAddresses()) return;
    const same = this.#addresses.filter((one) => samePrefix(one.prefix, prefix));
    const stable = same.find((one) => !one.temporary);
    if (stable === undefined || same.some((one) => one.temporary && (!one.succeeded || !one.configured))) return;
    const desyncUs = randomUnit(this.#rng) * DESYNC_PART * settings.temporaryPreferredUs();
    const mostPreferredUs = settings.temporaryPreferredUs() - desyncUs;
    const preferredUntilUs = Math.min(stable.preferredUntilUs, nowUs + mostPreferredUs);
    if (preferredUntilUs - nowUs <= this.#regenAdvanceUs()) return;
    const address = joinId(prefix, randomId(this.#rng));
    if (this.#sink.add(address, 128 - INTERFACE_ID_BITS, true) !== 0) return;
    this.#addresses.push({
      address,
      prefix,
      routers: [...stable.routers],
      temporary: true,
      createdUs: nowUs,
      validUntilUs: Math.min(stable.validUntilUs, nowUs + settings.temporaryValidUs()),
      preferredUntilUs,
      deprecated: false,
      attempt: 0,
      configured: true,
      retryUs: Infinity,
      mostPreferredUs,
      succeeded: false,
    });
  }

  #retry(one: AutoAddress): void {
    one.retryUs = Infinity;
    const id = one.temporary ? randomId(this.#rng) : this.#settings.stableId(one.prefix, one.attempt);
    if (id === null) return;
    const address = joinId(one.prefix, id);
    if (this.#sink.add(address, 128 - INTERFACE_ID_BITS, one.temporary) !== 0) return;
    one.address = address;
    one.configured = true;
    if (one.deprecated) this.#sink.deprecate(address, true);
  }
}

/** Puts a router last, and forgets the first of too many. */
export function remember(routers: Address6[], router: Address6): void {
  const known = routers.findIndex((one) => equal(one, router));
  if (known >= 0) routers.splice(known, 1);
  else if (routers.length >= ROUTERS_MAX) routers.shift();
  routers.push(router);
}

function samePrefix(a: Address6, b: Address6): boolean {
  return commonPrefixLength(a, b) >= 128 - INTERFACE_ID_BITS;
}
