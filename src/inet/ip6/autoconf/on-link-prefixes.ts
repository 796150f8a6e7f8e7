/**
 * The prefix list of a host: the prefixes that routers advertised as on-link, and their lifetimes.
 *
 * Thread: the one that runs the kernel. A state machine over times that are arguments: the owner calls `run` at `deadlineUs`.
 * Read first: RFC 4861 sections 5.1 and 6.3.4 (prefixes without the on-link flag say nothing), RFC 5942.
 * Cold: autoconfiguration.
 */

import { type Address6, equal, isLinkLocal, isMulticast } from '../../../wire/ipv6-address.ts';
import { remember } from './auto-addresses.ts';

export interface OnLinkPrefix {
  readonly prefix: Address6;
  readonly prefixLength: number;
  readonly interfaceIndex: number;
  untilUs: number;
  /** Lifetimes as they were advertised last, and whether addresses are made of it. */
  validUs: number;
  preferredUs: number;
  autonomous: boolean;
  /** Routers that advertised it, the last one last. */
  readonly routers: Address6[];
}

/** The rest of a prefix information option, and who sent it. */
export interface PrefixDetails {
  readonly preferredUs: number;
  readonly autonomous: boolean;
  readonly router: Address6;
}

/** Receiver of the decisions. */
export interface PrefixSink {
  /** Destinations of the prefix are on the link. Returns 0, or an errno when it is not taken. */
  added(prefix: OnLinkPrefix): number;
  removed(prefix: OnLinkPrefix): void;
}

export class OnLinkPrefixes {
  readonly #sink: PrefixSink;
  readonly #maxPrefixes: () => number;
  #prefixes: OnLinkPrefix[] = [];
  deadlineUs: number = Infinity;

  /** `maxPrefixes` is for each interface. */
  constructor(sink: PrefixSink, maxPrefixes: () => number) {
    this.#sink = sink;
    this.#maxPrefixes = maxPrefixes;
  }

  get list(): readonly OnLinkPrefix[] {
    return this.#prefixes;
  }

  has(prefix: Address6, interfaceIndex: number): boolean {
    return this.#prefixes.some((one) => one.interfaceIndex === interfaceIndex && equal(one.prefix, prefix));
  }

  /** A router advertised a prefix with the on-link flag; a lifetime of 0 ends it at once. */
  advertise(
    prefix: Address6,
    prefixLength: number,
    interfaceIndex: number,
    lifetimeUs: number,
    nowUs: number,
    details: PrefixDetails,
  ): 'used' | 'ignored' | 'too-many' {
    if (isLinkLocal(prefix[0]) || isMulticast(prefix[0]) || prefixLength > 128) return 'ignored';
    const known = this.#prefixes.find(
      (one) => one.interfaceIndex === interfaceIndex && one.prefixLength === prefixLength && equal(one.prefix, prefix),
    );
    if (known !== undefined) {
      this.#renew(known, lifetimeUs, nowUs, details);
    } else {
      if (lifetimeUs === 0) return 'ignored';
      const count = this.#prefixes.filter((one) => one.interfaceIndex === interfaceIndex).length;
      if (count >= this.#maxPrefixes()) return 'too-many';
      const { preferredUs, autonomous, router } = details;
      const times = { untilUs: nowUs + lifetimeUs, validUs: lifetimeUs, preferredUs };
      const fresh = { prefix, prefixLength, interfaceIndex, ...times, autonomous, routers: [router] };
      if (this.#sink.added(fresh) !== 0) return 'ignored';
      this.#prefixes.push(fresh);
    }
    this.run(nowUs);
    return 'used';
  }

  #renew(known: OnLinkPrefix, lifetimeUs: number, nowUs: number, details: PrefixDetails): void {
    known.untilUs = nowUs + lifetimeUs;
    known.validUs = lifetimeUs;
    known.preferredUs = details.preferredUs;
    known.autonomous = details.autonomous;
    remember(known.routers, details.router);
  }

  /** The interface went away, or does not listen to routers any more. */
  forget(interfaceIndex: number): void {
    this.#remove((one) => one.interfaceIndex === interfaceIndex);
  }

  run(nowUs: number): void {
    this.#remove((one) => one.untilUs <= nowUs);
  }

  #remove(isGone: (prefix: OnLinkPrefix) => boolean): void {
    for (const one of this.#prefixes) if (isGone(one)) this.#sink.removed(one);
    this.#prefixes = this.#prefixes.filter((one) => !isGone(one));
    let deadlineUs = Infinity;
    for (const { untilUs } of this.#prefixes) if (untilUs < deadlineUs) deadlineUs = untilUs;
    this.deadlineUs = deadlineUs;
  }
}
