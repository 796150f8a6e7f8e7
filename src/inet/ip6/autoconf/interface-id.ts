/**
 * Interface identifiers, the second halves of addresses that a host makes for itself.
 *
 * Thread: the one that runs the kernel. Stable ones are a keyed hash of where they are used: the same on every visit to a
 * network, unlike in any two networks, and telling nothing of the hardware. Temporary ones are chance.
 * Read first: RFC 7217 section 5, RFC 8981 section 3.3.1, RFC 5453 (reserved ones). From a MAC: ../eui64.ts.
 * Cold: autoconfiguration.
 */

import type { Rng } from '../../../base/rng.ts';
import { SipKey } from '../../../base/siphash.ts';
import type { Address6 } from '../../../wire/ipv6-address.ts';
import type { InterfaceId } from '../eui64.ts';

export const INTERFACE_ID_BITS = 64;

/** Reserved identifiers (RFC 5453): subnet-router anycast, other anycast, the block of the IANA MAC prefix. */
export function isReservedId([high, low]: InterfaceId): boolean {
  if (high === 0 && low === 0) return true;
  if (high >>> 0 === 0x02005eff && low >>> 24 === 0xfe) return true;
  return high >>> 0 === 0xfdffffff && low >>> 0 >= 0xffffff80;
}

/** Makes the stable identifiers of one kernel; its secret key comes from chance at boot (RFC 7217 5, item 2). */
export class StableIds {
  readonly #key: SipKey;

  constructor(rng: Rng) {
    this.#key = SipKey.random(rng);
  }

  /**
   * The identifier for a prefix on the interface of that name. `attempt` counts those that were found in use there
   * (DAD_Counter); reserved identifiers are passed over.
   */
  make(prefix: Address6, interfaceName: string, attempt: number): InterfaceId {
    const name = Array.from(interfaceName.slice(0, 40), (letter) => letter.charCodeAt(0));
    for (let skipped = 0; ; skipped++) {
      const id = this.#key.hash([prefix[0], prefix[1], attempt, skipped, name.length, ...name]);
      if (!isReservedId(id)) return id;
    }
  }
}

export function randomId(rng: Rng): InterfaceId {
  for (;;) {
    const id: InterfaceId = [rng.next32(), rng.next32()];
    if (!isReservedId(id)) return id;
  }
}

/** A /64 prefix and an identifier, put together. */
export function joinId(prefix: Address6, id: InterfaceId): Address6 {
  return [prefix[0], prefix[1], id[0], id[1]];
}
