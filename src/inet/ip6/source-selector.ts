/**
 * The source address of packets of ours: the rules of address-selection.ts over the addresses that this kernel has.
 *
 * Thread: the one that runs the kernel. A path asks when it is looked up; the list of candidates is made anew when the path
 * epoch has moved. Read first: RFC 6724 section 4.
 */

import type { Sysctl, SysctlVariable } from '../../kern/sysctl.ts';
import type { Interface } from '../../net/interface.ts';
import type { PathEpoch } from '../../net/path-epoch.ts';
import { RTF_GATEWAY } from '../../net/route.ts';
import type { RouteTable6 } from '../../net/route-table6.ts';
import type { Address6 } from '../../wire/ipv6-address.ts';
import { type AddressInterner, IP6_LOOPBACK } from '../ip/address-interner.ts';
import { type SelectionOptions, type SourceCandidate, selectSource } from './address-selection.ts';
import { isSource } from './addresses.ts';
import type { AutoconfigurationPoint } from './autoconfiguration.ts';

interface Candidate extends SourceCandidate {
  readonly number: number;
  /** Routers that advertised its prefix, as handles. */
  readonly routers: readonly number[];
  fromNextHop: boolean;
}

/** The tables that the choice is made from. */
export interface SourceSelectorParts {
  readonly interner: AddressInterner;
  readonly interfaces: readonly Interface[];
  readonly epoch: PathEpoch;
  readonly routes: RouteTable6;
  readonly autoconfiguration: AutoconfigurationPoint;
  readonly sysctl: Sysctl;
}

export class SourceSelector {
  readonly #interner: AddressInterner;
  readonly #interfaces: readonly Interface[];
  readonly #epoch: PathEpoch;
  readonly #routes: RouteTable6;
  readonly #autoconfiguration: AutoconfigurationPoint;
  readonly #preferTemporary: SysctlVariable;
  #candidates: Candidate[] = [];
  /** The path epoch at which the candidates were collected. */
  #collectedAt = -1;
  readonly #options: { preferTemporary: boolean } & SelectionOptions = { preferTemporary: true };
  readonly #destination: [number, number, number, number] = [0, 0, 0, 0];

  constructor({ interner, interfaces, epoch, routes, autoconfiguration, sysctl }: SourceSelectorParts) {
    this.#interner = interner;
    this.#interfaces = interfaces;
    this.#epoch = epoch;
    this.#routes = routes;
    this.#autoconfiguration = autoconfiguration;
    this.#preferTemporary = sysctl.toggle('net.inet6.ip6.prefer_tempaddr', true, 'speak from temporary addresses');
    this.#preferTemporary.onChange = () => epoch.bump();
  }

  /** Our address for packets to `dst` that leave through `iface`: 0 when there is none. Allocates nothing while paths hold. */
  select(dst: number, iface: Interface): number {
    if (this.#collectedAt !== this.#epoch.value) this.#collect();
    const words = this.#destination;
    for (let i = 0; i < 4; i++) words[i] = this.#interner.word(dst, i);
    this.#options.preferTemporary = this.#preferTemporary.value !== 0;
    const route = this.#routes.lookup(dst);
    const nextHop = route !== null && (route.flags & RTF_GATEWAY) !== 0 ? route.gateway : 0;
    for (let i = 0; i < this.#candidates.length; i++) {
      const one = this.#candidates[i] as Candidate;
      one.fromNextHop = nextHop !== 0 && one.routers.includes(nextHop);
    }
    const best = selectSource(words as Address6, iface.index, this.#candidates, this.#options);
    return best === null ? 0 : best.number;
  }

  // cold: once per path epoch
  #collect(): void {
    this.#collectedAt = this.#epoch.value;
    this.#candidates = [];
    for (const iface of this.#interfaces) {
      for (const entry of iface.addresses6) {
        if (!isSource(entry) || entry.address === IP6_LOOPBACK) continue;
        this.#candidates.push({
          number: entry.address,
          address: this.#interner.words(entry.address),
          prefixLength: entry.prefixLength,
          interfaceIndex: iface.index,
          deprecated: entry.state === 'deprecated',
          temporary: entry.origin === 'temporary',
          routers: this.#autoconfiguration.registered
            .routersOf(entry)
            .map((router) => this.#interner.internAddress(router, iface.index)),
          fromNextHop: false,
        });
      }
    }
  }
}
