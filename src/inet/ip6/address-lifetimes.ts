/**
 * Lifetimes of addresses that were configured by hand: deprecated after the preferred lifetime, taken away after the valid one.
 *
 * Thread: the one that runs the kernel. Addresses of advertised prefixes have theirs in auto-addresses.ts. One callout, at the
 * next time that matters. Read first: RFC 4862 section 5.5.4.
 */

import { Callout } from '../../kern/callout.ts';
import type { Interface, InterfaceAddress6 } from '../../net/interface.ts';
import type { InetContext } from '../ip/context.ts';

/** Deprecates and removes addresses. */
export interface LifetimeOwner {
  setDeprecated(entry: InterfaceAddress6, deprecated: boolean): void;
  removeAddress(iface: Interface, address: number): number;
}

export class AddressLifetimes {
  readonly #context: InetContext;
  readonly #interfaces: readonly Interface[];
  readonly #owner: LifetimeOwner;
  readonly #timer: Callout;

  constructor(context: InetContext, interfaces: readonly Interface[], owner: LifetimeOwner) {
    this.#context = context;
    this.#interfaces = interfaces;
    this.#owner = owner;
    this.#timer = new Callout((nowUs) => this.run(nowUs));
  }

  /** From now on, microseconds; `Infinity`: for ever. */
  set(entry: InterfaceAddress6, preferredUs: number, validUs: number): void {
    const nowUs = this.#context.nowUs();
    entry.preferredUntilUs = nowUs + preferredUs;
    entry.validUntilUs = nowUs + validUs;
    this.run(nowUs);
  }

  /** Do what is due: also after an address that was tentative can be used. */
  run(nowUs: number): void {
    let deadlineUs = Infinity;
    for (const { addresses6 } of this.#interfaces) {
      for (let i = addresses6.length - 1; i >= 0; i--) {
        const entry = addresses6[i] as InterfaceAddress6;
        if (entry.origin === 'manual') deadlineUs = Math.min(deadlineUs, this.#look(entry, nowUs));
      }
    }
    const { callouts } = this.#context;
    if (deadlineUs === Infinity) callouts.stop(this.#timer);
    else callouts.schedule(this.#timer, deadlineUs);
  }

  /** When the address has to be looked at again. */
  #look(entry: InterfaceAddress6, nowUs: number): number {
    const { preferredUntilUs, validUntilUs } = entry;
    if (validUntilUs <= nowUs) {
      this.#owner.removeAddress(entry.iface, entry.address);
      return Infinity;
    }
    const deprecated = preferredUntilUs <= nowUs;
    if (deprecated !== (entry.state === 'deprecated')) this.#owner.setDeprecated(entry, deprecated);
    return deprecated ? validUntilUs : Math.min(preferredUntilUs, validUntilUs);
  }
}
