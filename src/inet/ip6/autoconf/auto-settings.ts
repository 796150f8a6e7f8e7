/**
 * The settings of stateless autoconfiguration: variables, identifiers, the duration of duplicate address detection.
 *
 * Thread: the one that runs the kernel. Read first: RFC 7217 (identifiers), RFC 8981 3.8 (times of temporary addresses).
 * Cold: autoconfiguration.
 */

import type { Rng } from '../../../base/rng.ts';
import { US_PER_MS, US_PER_S } from '../../../base/units.ts';
import type { SysctlVariable } from '../../../kern/sysctl.ts';
import type { InetContext } from '../../ip/context.ts';
import { idFromMac } from '../eui64.ts';
import type { Link6 } from '../link.ts';
import type { AutoAddressSettings } from './auto-addresses.ts';
import { StableIds } from './interface-id.ts';

const DEFAULT_RETRANSMIT_MS = 1000;

export class AutoSettings {
  readonly #rng: Rng;
  #ids: StableIds | null = null;
  readonly #stable: SysctlVariable;
  /** Limits of one interface. */
  readonly maxAddresses: SysctlVariable;
  readonly #useTemporary: SysctlVariable;
  readonly #validSec: SysctlVariable;
  readonly #preferredSec: SysctlVariable;
  readonly #detections: SysctlVariable;

  constructor({ shared: { sysctl }, rng }: InetContext) {
    this.#rng = rng;
    this.#stable = sysctl.toggle('net.inet6.ip6.stableids', true, 'identifiers that tell nothing of the hardware');
    this.maxAddresses = sysctl.integer('net.inet6.ip6.maxifautoaddrs', 32, 1, 4096, 'addresses made of prefixes');
    this.#useTemporary = sysctl.toggle('net.inet6.ip6.use_tempaddr', false, 'make temporary addresses');
    const longest = 0xffffffff;
    this.#validSec = sysctl.integer('net.inet6.ip6.tempvltime', 172800, 1, longest, 'seconds they are valid');
    this.#preferredSec = sysctl.integer('net.inet6.ip6.temppltime', 86400, 1, longest, 'seconds they are preferred');
    this.#detections = sysctl.integer('net.inet6.ip6.dad_count', 0, 0, 10, 'probes before an address is used');
  }

  /** The settings of one link. */
  of(link: Link6): AutoAddressSettings {
    const { name, macHi, macLo } = link.iface;
    return {
      stableId: (prefix, attempt) => {
        if (this.#stable.value === 0) return attempt === 0 ? idFromMac(macHi, macLo) : null;
        this.#ids ??= new StableIds(this.#rng);
        return this.#ids.make(prefix, name, attempt);
      },
      maxAddresses: () => this.maxAddresses.value,
      useTemporary: () => this.#useTemporary.value !== 0,
      temporaryValidUs: () => this.#validSec.value * US_PER_S,
      temporaryPreferredUs: () => Math.min(this.#preferredSec.value, this.#validSec.value) * US_PER_S,
      detectionUs: () => this.#detections.value * (link.retransMs || DEFAULT_RETRANSMIT_MS) * US_PER_MS,
    };
  }
}
