/**
 * The router side of router discovery: advertisements on the links of a router, answers to solicitations.
 *
 * Thread: the one that runs the kernel. Off unless `net.inet6.ip6.rtadv` is on and the kernel forwards. As rtadvd(8) does
 * without a configuration file, the advertisements of a link carry the prefixes of our own addresses there. Times: router-advertiser.ts.
 * Read first: RFC 4861 section 6.2. Missing: values for each interface alone, looking for contradictions (6.2.7).
 * Cold: autoconfiguration.
 */

import { US_PER_S } from '../../../base/units.ts';
import { Callout } from '../../../kern/callout.ts';
import type { SysctlVariable } from '../../../kern/sysctl.ts';
import type { Interface } from '../../../net/interface.ts';
import * as icmpv6 from '../../../wire/icmpv6.ts';
import * as ipv6 from '../../../wire/ipv6.ts';
import { IP6_ANY } from '../../ip/address-interner.ts';
import type { InetContext } from '../../ip/context.ts';
import type { InPacket } from '../../ip/transport.ts';
import { isUsable } from '../addresses.ts';
import type { Ip6 } from '../ip6.ts';
import type { Link6 } from '../link.ts';
import { linkAddress, readMessage } from '../read-message.ts';
import { maskedPrefix } from './installed-routes.ts';
import { RouterAdvertiser } from './router-advertiser.ts';

const SLAAC_PREFIX = 64;

export class RouterService {
  readonly #context: InetContext;
  readonly #ip6: Ip6;
  readonly #forwarding: SysctlVariable;
  readonly #timer: Callout;
  readonly #advertisers: Map<Interface, RouterAdvertiser> = new Map();
  readonly #joined: Set<Interface> = new Set();
  readonly #on: SysctlVariable;
  readonly #intervalSec: SysctlVariable;
  readonly #lifetimeSec: SysctlVariable;
  readonly #preference: SysctlVariable;
  readonly #validSec: SysctlVariable;
  readonly #preferredSec: SysctlVariable;
  readonly #hopLimit: SysctlVariable;
  readonly #mtuBytes: SysctlVariable;
  readonly #received: number;
  readonly #bad: number;
  readonly #sent: number;

  constructor(context: InetContext, ip6: Ip6, forwarding: SysctlVariable) {
    this.#context = context;
    this.#ip6 = ip6;
    this.#forwarding = forwarding;
    this.#timer = new Callout((nowUs) => this.#run(nowUs));
    const { counters } = context;
    const { sysctl } = context.shared;
    const name = (last: string): string => `net.inet6.ip6.rtadv${last}`;
    this.#on = sysctl.toggle(name(''), false, 'routers advertise themselves');
    this.#on.onChange = () => this.changed(null);
    this.#intervalSec = sysctl.integer(name('_maxinterval'), 600, 4, 1800, 'seconds between advertisements at most');
    this.#lifetimeSec = sysctl.integer(
      name('_rltime'),
      1800,
      0,
      9000,
      'seconds we are a default router; 0: not at all',
    );
    this.#preference = sysctl.integer(name('_preference'), 0, -1, 1, 'low, medium or high (RFC 4191)');
    this.#validSec = sysctl.integer(name('_vltime'), 2592000, 0, 0xffffffff, 'seconds our prefixes are valid');
    this.#preferredSec = sysctl.integer(name('_pltime'), 604800, 0, 0xffffffff, 'seconds they are preferred');
    this.#hopLimit = sysctl.integer(name('_hlim'), 64, 0, 255, 'hop limit told; 0: none');
    this.#mtuBytes = sysctl.integer(name('_linkmtu'), 0, 0, 65535, 'MTU told; 0: that of the interface');
    for (const variable of [
      this.#lifetimeSec,
      this.#preference,
      this.#validSec,
      this.#preferredSec,
      this.#hopLimit,
      this.#mtuBytes,
    ]) {
      variable.onChange = () => this.changed(null);
    }
    this.#received = counters.index('nd6-in-router-solicitations');
    this.#bad = counters.index('nd6-router-solicitations-bad');
    this.#sent = counters.index('nd6-out-router-advertisements');
  }

  /**
   * A link came up or went down, an address of it came or went: advertise, or stop. `only` null: all links, because forwarding
   * or a variable changed.
   */
  changed(only: Interface | null): void {
    const nowUs = this.#context.nowUs();
    const serves = this.#on.value !== 0 && this.#forwarding.value !== 0;
    for (const link of this.#ip6.links.all()) {
      const { iface } = link;
      if (iface.loopback || (only !== null && iface !== only)) continue;
      this.#joinRouters(link);
      if (serves && link.active && link.linkLocal !== 0) this.#of(link).start(nowUs);
      else if (link.active) this.#advertisers.get(iface)?.stop(nowUs);
      else this.#advertisers.get(iface)?.cease();
    }
    this.#schedule();
  }

  /** The interface goes away. */
  detached(iface: Interface): void {
    this.#advertisers.delete(iface);
    this.#joined.delete(iface);
    this.#schedule();
  }

  /** RFC 4861 6.1.1 and 6.2.6. The message passed `icmpv6.check` and came with a hop limit of 255. */
  solicitation(packet: InPacket, nowUs: number): void {
    const { iface, src } = packet;
    const { counters } = this.#context;
    counters.add(this.#received, 1);
    const advertiser = this.#advertisers.get(iface);
    if (advertiser?.active !== true) return;
    const message = readMessage(this.#context.shared, packet);
    if (message?.kind !== 'router-solicitation') return;
    const option = linkAddress(message.options, 'source-link-address');
    if (option !== null && src === IP6_ANY) {
      counters.add(this.#bad, 1);
      return;
    }
    if (option !== null) {
      const neighbor = this.#ip6.neighborInput.learn(iface, src, option.hi, option.lo, nowUs);
      if (neighbor !== null) neighbor.router = false;
    }
    advertiser.solicited(nowUs);
    this.#schedule();
  }

  /** RFC 4291 2.8: routers are in ff02::2, advertising or not. */
  #joinRouters({ iface, active }: Link6): void {
    const wanted = active && this.#forwarding.value !== 0;
    if (wanted === this.#joined.has(iface)) return;
    const group = this.#context.shared.interner.internAddress(ipv6.ALL_ROUTERS, iface.index);
    if (group === 0) return;
    if (!wanted) {
      this.#joined.delete(iface);
      this.#ip6.groups.leave(iface, group);
    } else if (this.#ip6.groups.join(iface, group) === 0) {
      this.#joined.add(iface);
    }
  }

  #of(link: Link6): RouterAdvertiser {
    let advertiser = this.#advertisers.get(link.iface);
    if (advertiser === undefined) {
      const intervalUs = (): number => this.#intervalSec.value * US_PER_S;
      const send = (final: boolean): void => this.#send(link, final);
      advertiser = new RouterAdvertiser(this.#context.rng, send, intervalUs);
      this.#advertisers.set(link.iface, advertiser);
    }
    return advertiser;
  }

  #run(nowUs: number): void {
    for (const advertiser of this.#advertisers.values()) advertiser.run(nowUs);
    this.#schedule();
  }

  #schedule(): void {
    let deadlineUs = Infinity;
    for (const advertiser of this.#advertisers.values()) deadlineUs = Math.min(deadlineUs, advertiser.deadlineUs);
    const { callouts } = this.#context;
    if (deadlineUs === Infinity) callouts.stop(this.#timer);
    else if (deadlineUs !== this.#timer.deadlineUs) callouts.schedule(this.#timer, deadlineUs);
  }

  #send(link: Link6, final: boolean): void {
    const { iface, linkLocal } = link;
    if (linkLocal === 0) return;
    const message: icmpv6.RouterAdvertisementRepr = {
      kind: 'router-advertisement',
      hopLimit: this.#hopLimit.value,
      managed: false,
      otherConfig: false,
      preference: this.#preference.value,
      lifetimeSec: final ? 0 : this.#lifetimeSec.value,
      reachableMs: 0,
      retransmitMs: 0,
      options: this.#options(iface),
    };
    const { linkOutput: output } = this.#ip6;
    const bytes = icmpv6.lengthOf(message);
    const at = output.begin(
      iface,
      linkLocal,
      ipv6.ALL_NODES,
      icmpv6.PROTOCOL_ICMPV6,
      bytes,
      icmpv6.DISCOVERY_HOP_LIMIT,
    );
    if (at < 0) return;
    icmpv6.emit(message, this.#context.shared.arena.view, at);
    output.endIcmp(at);
    this.#context.counters.add(this.#sent, 1);
  }

  #options(iface: Interface): icmpv6.NeighborOption[] {
    const options: icmpv6.NeighborOption[] = [{ kind: 'source-link-address', hi: iface.macHi, lo: iface.macLo }];
    options.push({ kind: 'mtu', mtuBytes: this.#mtuBytes.value || iface.mtuBytes });
    const told = new Set<string>();
    for (const entry of iface.addresses6) {
      const words = this.#context.shared.interner.words(entry.address);
      if (!isUsable(entry) || ipv6.isLinkLocal(words[0]) || entry.prefixLength === 128) continue;
      const { prefixLength } = entry;
      const prefix = maskedPrefix(words, prefixLength);
      const key = `${prefix}/${prefixLength}`;
      if (told.has(key)) continue;
      told.add(key);
      options.push({
        kind: 'prefix',
        prefixLength,
        onLink: true,
        autonomous: prefixLength === SLAAC_PREFIX,
        validSec: this.#validSec.value,
        preferredSec: Math.min(this.#preferredSec.value, this.#validSec.value),
        prefix,
      });
    }
    return options;
  }
}
