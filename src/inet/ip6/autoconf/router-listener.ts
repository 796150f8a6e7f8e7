/**
 * The host side of router discovery: router solicitations out, router advertisements in.
 *
 * Thread: the one that runs the kernel. Off unless `net.inet6.ip6.accept_rtadv` says otherwise, and on routers always. The
 * decisions are those of the machines this file puts together: advertised-routes.ts, on-link-prefixes.ts, auto-addresses.ts,
 * router-solicitor.ts; here they become routes, addresses and variables of links. A route or address that was configured by
 * hand is left alone.
 * Read first: RFC 4861 section 6.3, RFC 4862 section 5.5, RFC 4191. Missing: name servers (RFC 8106).
 * Cold: autoconfiguration.
 */

import { US_PER_S } from '../../../base/units.ts';
import { Callout } from '../../../kern/callout.ts';
import { RateLimit } from '../../../kern/rate-limit.ts';
import type { SysctlVariable } from '../../../kern/sysctl.ts';
import type { Interface, InterfaceAddress6 } from '../../../net/interface.ts';
import type { Neighbor } from '../../../net/neighbor-cache.ts';
import * as icmpv6 from '../../../wire/icmpv6.ts';
import * as ipv6 from '../../../wire/ipv6.ts';
import { IP6_ANY } from '../../ip/address-interner.ts';
import type { InetContext } from '../../ip/context.ts';
import type { InPacket } from '../../ip/transport.ts';
import type { Ip6 } from '../ip6.ts';
import type { Link6 } from '../link.ts';
import { linkAddress, readMessage } from '../read-message.ts';
import { AdvertisedRoutes } from './advertised-routes.ts';
import { AutoAddresses } from './auto-addresses.ts';
import { AutoSettings } from './auto-settings.ts';
import { InstalledRoutes, maskedPrefix } from './installed-routes.ts';
import { type OnLinkPrefix, OnLinkPrefixes } from './on-link-prefixes.ts';
import { RouterSolicitor } from './router-solicitor.ts';

const FOREVER_SEC = 0xffffffff;
const HOST_PREFIX = 128;

export interface RouterListenerParts {
  readonly ip6: Ip6;
  readonly forwarding: SysctlVariable;
}

/** State of one link. */
interface HostLink {
  readonly link: Link6;
  readonly addresses: AutoAddresses;
  readonly solicitor: RouterSolicitor;
}

const REACHABLE_MS_MAX = 3_600_000;
/** As `net.inet6.icmp6.nd6_retrans` may be at most. */
const RETRANS_MS_MAX = 60_000;

export class RouterListener {
  readonly routers: AdvertisedRoutes;
  readonly prefixes: OnLinkPrefixes;
  readonly #context: InetContext;
  readonly #parts: RouterListenerParts;
  readonly #ip6: Ip6;
  readonly #settings: AutoSettings;
  readonly #accept: SysctlVariable;
  readonly #limit: RateLimit;
  readonly #timer: Callout;
  readonly #hostLinks: Map<Interface, HostLink> = new Map();
  readonly #installed: InstalledRoutes;
  readonly #received: number;
  readonly #ignored: number;
  readonly #routersRefused: number;
  readonly #routesRefused: number;
  readonly #prefixesRefused: number;
  readonly #addressesRefused: number;
  readonly #solicitations: number;

  constructor(context: InetContext, parts: RouterListenerParts) {
    this.#context = context;
    this.#parts = parts;
    this.#ip6 = parts.ip6;
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#settings = new AutoSettings(context);
    this.#installed = new InstalledRoutes(context, parts.ip6);
    this.#accept = sysctl.toggle('net.inet6.ip6.accept_rtadv', false, 'configure from router advertisements');
    this.#accept.onChange = () => this.#acceptChanged();
    this.#limit = new RateLimit(sysctl, counters, {
      name: 'net.inet6.icmp6.rappslimit',
      perSecond: 100,
      description: 'advertisements heeded a second',
      what: 'router advertisements heeded',
      counter: 'nd6-router-advertisements-rate-limited',
    });
    const maxRouters = sysctl.integer('net.inet6.ip6.maxifdefrouters', 16, 1, 4096, 'default routers at most');
    const maxRoutes = sysctl.integer('net.inet6.ip6.maxdynroutes', 256, 0, 65536, 'other routes of routers at most');
    const maxPrefixes = sysctl.integer('net.inet6.ip6.maxifprefixes', 16, 1, 4096, 'on-link prefixes of one interface');
    this.#timer = new Callout((nowUs) => this.#run(nowUs));
    this.routers = new AdvertisedRoutes(
      {
        use: (route) => this.#installed.install(route.prefix, route.prefixLength, route.router, route.interfaceIndex),
        drop: (prefix, prefixLength) => this.#installed.uninstall(prefix, prefixLength, false),
      },
      { maxRouters: () => maxRouters.value, maxRoutes: () => maxRoutes.value },
    );
    this.prefixes = new OnLinkPrefixes(
      {
        added: ({ prefix, prefixLength, interfaceIndex }) =>
          this.#installed.install(prefix, prefixLength, null, interfaceIndex),
        removed: (prefix) => this.#prefixRemoved(prefix),
      },
      () => maxPrefixes.value,
    );
    this.#received = counters.index('nd6-in-router-advertisements');
    this.#ignored = counters.index('nd6-router-advertisements-ignored');
    this.#routersRefused = counters.index('nd6-default-routers-refused');
    this.#routesRefused = counters.index('nd6-advertised-routes-refused');
    this.#prefixesRefused = counters.index('nd6-prefixes-refused');
    this.#addressesRefused = counters.index('nd6-auto-addresses-refused');
    this.#solicitations = counters.index('nd6-out-router-solicitations');
    this.#declareLimits(maxRouters, maxRoutes, maxPrefixes);
  }

  #declareLimits(maxRouters: SysctlVariable, maxRoutes: SysctlVariable, maxPrefixes: SysctlVariable): void {
    const { limits } = this.#context.shared.sysctl;
    const whenFull = 'what the router advertises is ignored';
    limits.add({
      table: 'IPv6 default routers',
      variable: maxRouters,
      counter: 'nd6-default-routers-refused',
      whenFull,
      size: () => this.routers.list.filter((one) => one.prefixLength === 0).length,
    });
    limits.add({
      table: 'more specific IPv6 routes that routers advertise',
      variable: maxRoutes,
      counter: 'nd6-advertised-routes-refused',
      whenFull,
      size: () => this.routers.list.filter((one) => one.prefixLength !== 0).length,
    });
    const links = (): HostLink[] => [...this.#hostLinks.values()];
    limits.add({
      table: 'IPv6 prefixes on the link of one interface that routers advertise',
      variable: maxPrefixes,
      counter: 'nd6-prefixes-refused',
      whenFull,
      size: () => {
        const on = (index: number): number => this.prefixes.list.filter((one) => one.interfaceIndex === index).length;
        return links().reduce((most, { link }) => Math.max(most, on(link.iface.index)), 0);
      },
    });
    limits.add({
      table: 'IPv6 addresses that one interface makes of advertised prefixes',
      variable: this.#settings.maxAddresses,
      counter: 'nd6-auto-addresses-refused',
      whenFull,
      size: () => links().reduce((most, { addresses }) => Math.max(most, addresses.list.length), 0),
    });
  }

  /** Addresses made of prefixes on an interface. */
  addressesOf(iface: Interface): AutoAddresses | null {
    return this.#hostLinks.get(iface)?.addresses ?? null;
  }

  /** The routers that advertised the prefix of an address of ours. */
  routersOf({ iface, address }: InterfaceAddress6): readonly ipv6.Address6[] {
    const words = this.#context.shared.interner.words(address);
    const list = this.#hostLinks.get(iface)?.addresses.list ?? [];
    return list.find((one) => one.configured && ipv6.equal(one.address, words))?.routers ?? [];
  }

  /** IPv6 runs on the link now, with a link-local address. */
  started(link: Link6): void {
    if (!this.#listens(link.iface)) return;
    this.#of(link).solicitor.start(this.#context.nowUs());
    this.#schedule();
  }

  /** The link is down; learned routes and addresses stay for their lifetimes. */
  stopped(iface: Interface): void {
    this.#hostLinks.get(iface)?.solicitor.stop();
  }

  /** The interface goes away. */
  detached(iface: Interface): void {
    this.routers.forget(iface.index);
    this.prefixes.forget(iface.index);
    this.#hostLinks.get(iface)?.addresses.clear();
    this.#hostLinks.delete(iface);
    this.#schedule();
  }

  /** A neighbor does not answer any more. */
  lost({ iface, address }: Neighbor): void {
    if (this.routers.list.length === 0) return;
    this.routers.unreachable(this.#context.shared.interner.words(address), iface.index);
  }

  /** A neighbor advertised that it is no router any more (RFC 4861 7.2.5). */
  routerGone({ iface, address }: Neighbor): void {
    this.routers.forget(iface.index, this.#context.shared.interner.words(address));
    this.#schedule();
  }

  /** Duplicate address detection found an address of ours in use. */
  duplicate(iface: Interface, address: number): void {
    const words = this.#context.shared.interner.words(address);
    this.#hostLinks.get(iface)?.addresses.duplicate(words, this.#context.nowUs());
    this.#syncLifetimes(iface);
    this.#schedule();
  }

  /** The kernel became a router, or a host: routers do not believe each other (RFC 4861 6.2.2, 6.2.8). */
  forwardingChanged(): void {
    if (this.#parts.forwarding.value !== 0)
      for (const { iface } of this.#ip6.links.all()) this.routers.forget(iface.index);
    this.#acceptChanged();
  }

  /** RFC 4861 6.1.2 and 6.3.4. The message passed `icmpv6.check` and came with a hop limit of 255. */
  advertisement(packet: InPacket, nowUs: number): void {
    const { counters } = this.#context;
    const { interner } = this.#context.shared;
    const { iface, src } = packet;
    counters.add(this.#received, 1);
    const link = this.#ip6.links.of(iface);
    if (this.#listens(iface) && !this.#limit.allow(nowUs)) return;
    const listens = this.#listens(iface) && ipv6.isLinkLocal(interner.word(src, 0));
    const message = listens ? readMessage(this.#context.shared, packet) : null;
    if (link === null || message?.kind !== 'router-advertisement') {
      counters.add(this.#ignored, 1);
      return;
    }
    const router = interner.words(src);
    const host = this.#of(link);
    this.#variables(link, message);
    const lifetimeUs = message.lifetimeSec * US_PER_S;
    const { preference } = message;
    const verdict = this.routers.advertise(ipv6.UNSPECIFIED, 0, router, iface.index, lifetimeUs, preference, nowUs);
    this.#count(verdict, this.#routersRefused);
    const known = this.routers.defaultRouter(router, iface.index);
    if (known !== null) {
      known.managed = message.managed;
      known.otherConfig = message.otherConfig;
    }
    if (lifetimeUs > 0) host.solicitor.advertised();
    const address = linkAddress(message.options, 'source-link-address');
    const { neighborInput } = this.#ip6;
    const neighbor = address === null ? null : neighborInput.learn(iface, src, address.hi, address.lo, nowUs);
    if (neighbor !== null) neighbor.router = true;
    for (const option of message.options) this.#option(option, host, router, nowUs);
    this.#reinstall();
    // The choice of source addresses depends on the routers that advertised their prefixes.
    this.#context.shared.epoch.bump();
    this.#syncLifetimes(iface);
    this.#schedule();
  }

  /** Routers are forgotten, with the routes through them, until they advertise themselves again. */
  flushRouters(): void {
    for (const { iface } of this.#ip6.links.all()) this.routers.forget(iface.index);
    this.#context.shared.epoch.bump();
    this.#schedule();
  }

  /** Prefixes are forgotten, with their routes and the addresses made of them, until they are advertised again. */
  flushPrefixes(): void {
    for (const { iface } of this.#ip6.links.all()) this.prefixes.forget(iface.index);
    for (const { addresses } of this.#hostLinks.values()) addresses.clear();
    this.#schedule();
  }

  /** Whether routers are heeded on an interface changed. */
  acceptChanged(): void {
    this.#acceptChanged();
  }

  #listens(iface: Interface): boolean {
    if (this.#parts.forwarding.value !== 0 || iface.loopback) return false;
    const link = this.#ip6.links.of(iface);
    return link?.acceptRouters === true && (this.#accept.value !== 0 || link.overrideAccept);
  }

  #count(verdict: 'used' | 'ignored' | 'too-many', refused: number): void {
    if (verdict === 'too-many') this.#context.counters.add(refused, 1);
  }

  #variables(link: Link6, { hopLimit, reachableMs, retransmitMs }: icmpv6.RouterAdvertisementRepr): void {
    if (hopLimit !== 0) link.hopLimit = hopLimit;
    // A router gone mad must not stop discovery for days; RFC 4861 6.2.1 bounds only the first of the two.
    if (reachableMs !== 0) link.reachableMs = Math.min(reachableMs, REACHABLE_MS_MAX);
    if (retransmitMs !== 0) link.retransMs = Math.min(retransmitMs, RETRANS_MS_MAX);
  }

  #option(option: icmpv6.NeighborOption, host: HostLink, router: ipv6.Address6, nowUs: number): void {
    const { iface } = host.link;
    switch (option.kind) {
      case 'mtu':
        this.#mtu(host.link, option.mtuBytes);
        break;
      case 'prefix':
        this.#prefix(option, host, router, nowUs);
        break;
      case 'route': {
        const prefix = maskedPrefix(option.prefix, option.prefixLength);
        const lifetimeUs = lifetime(option.lifetimeSec);
        const { prefixLength, preference } = option;
        const { index } = iface;
        const verdict = this.routers.advertise(prefix, prefixLength, router, index, lifetimeUs, preference, nowUs);
        // A route of length 0 is a default router.
        this.#count(verdict, prefixLength === 0 ? this.#routersRefused : this.#routesRefused);
      }
    }
  }

  #mtu(link: Link6, mtuBytes: number): void {
    if (mtuBytes < ipv6.MTU_BYTES_MIN || mtuBytes > link.iface.mtuBytes || mtuBytes === link.advertisedMtuBytes) return;
    link.advertisedMtuBytes = mtuBytes;
    this.#context.shared.epoch.bump();
  }

  #prefix(option: icmpv6.PrefixOption, host: HostLink, router: ipv6.Address6, nowUs: number): void {
    const { prefixLength } = option;
    if (prefixLength > HOST_PREFIX) return;
    const prefix = maskedPrefix(option.prefix, prefixLength);
    const validUs = lifetime(option.validSec);
    const preferredUs = lifetime(option.preferredSec);
    if (option.onLink) {
      const { index } = host.link.iface;
      const details = { preferredUs, autonomous: option.autonomous, router };
      const verdict = this.prefixes.advertise(prefix, prefixLength, index, validUs, nowUs, details);
      this.#count(verdict, this.#prefixesRefused);
    }
    if (!option.autonomous) return;
    const verdict = host.addresses.prefix({ prefix, prefixLength, validUs, preferredUs, router }, nowUs);
    this.#count(verdict, this.#addressesRefused);
  }

  // --- Routes ---

  /** Another link may have the prefix too. */
  #prefixRemoved({ prefix, prefixLength, interfaceIndex }: OnLinkPrefix): void {
    this.#installed.uninstall(prefix, prefixLength, true);
    for (const other of this.prefixes.list) {
      const same = other.prefixLength === prefixLength && ipv6.equal(other.prefix, prefix);
      if (!same || other.interfaceIndex === interfaceIndex) continue;
      this.#installed.install(prefix, prefixLength, null, other.interfaceIndex);
      return;
    }
  }

  /** Install routes that are advertised and not in the table: removed by hand, or refused when it was full. */
  #reinstall(): void {
    for (const { prefix, prefixLength, router, interfaceIndex, chosen } of this.routers.list) {
      if (chosen && !this.#installed.has(prefix, prefixLength))
        this.#installed.install(prefix, prefixLength, router, interfaceIndex);
    }
    for (const { prefix, prefixLength, interfaceIndex } of this.prefixes.list) {
      if (!this.#installed.has(prefix, prefixLength))
        this.#installed.install(prefix, prefixLength, null, interfaceIndex);
    }
  }

  // --- Links ---

  #of(link: Link6): HostLink {
    const { iface } = link;
    let host = this.#hostLinks.get(iface);
    if (host === undefined) {
      const { rng } = this.#context;
      const addresses = new AutoAddresses(rng, this.#addressSink(iface), this.#settings.of(link));
      host = { link, addresses, solicitor: new RouterSolicitor(rng, () => this.#solicit(link)) };
      this.#hostLinks.set(iface, host);
    }
    return host;
  }

  #addressSink(iface: Interface): ConstructorParameters<typeof AutoAddresses>[1] {
    const { interner } = this.#context.shared;
    return {
      add: (address, prefixLength, temporary) => {
        const number = interner.internAddress(address, 0);
        if (number === 0) return -1;
        return this.#ip6.addAddress(iface, number, prefixLength, temporary ? 'temporary' : 'autoconf');
      },
      // Lifetimes are brought up to date after every event.
      deprecate: () => {},
      remove: (address) => {
        this.#ip6.removeAddress(iface, interner.internAddress(address, 0));
      },
    };
  }

  #syncLifetimes(iface: Interface): void {
    for (const one of this.#hostLinks.get(iface)?.addresses.list ?? []) {
      if (!one.configured) continue;
      const entry = this.#ip6.addresses.find(this.#context.shared.interner.internAddress(one.address, 0));
      if (entry === null) continue;
      entry.preferredUntilUs = one.preferredUntilUs;
      entry.validUntilUs = one.validUntilUs;
      if (one.deprecated !== (entry.state === 'deprecated')) this.#ip6.setDeprecated(entry, one.deprecated);
    }
  }

  /** RFC 4861 6.3.7. The option goes along only when there is an address to which it belongs. */
  #solicit({ iface, linkLocal }: Link6): void {
    const options: icmpv6.NeighborOption[] = [];
    if (linkLocal !== 0) options.push({ kind: 'source-link-address', hi: iface.macHi, lo: iface.macLo });
    const message: icmpv6.RouterSolicitationRepr = { kind: 'router-solicitation', options };
    const { linkOutput: output } = this.#ip6;
    const src = linkLocal === 0 ? IP6_ANY : linkLocal;
    const bytes = icmpv6.lengthOf(message);
    const at = output.begin(iface, src, ipv6.ALL_ROUTERS, icmpv6.PROTOCOL_ICMPV6, bytes, icmpv6.DISCOVERY_HOP_LIMIT);
    if (at < 0) return;
    icmpv6.emit(message, this.#context.shared.arena.view, at);
    output.endIcmp(at);
    this.#context.counters.add(this.#solicitations, 1);
  }

  /** Listening begins with a solicitation; when it ends, learned routes and addresses stay for their lifetimes. */
  #acceptChanged(): void {
    const nowUs = this.#context.nowUs();
    for (const link of this.#ip6.links.all()) {
      if (!this.#listens(link.iface)) this.#hostLinks.get(link.iface)?.solicitor.stop();
      else if (link.active) this.#of(link).solicitor.start(nowUs);
    }
    this.#schedule();
  }

  #run(nowUs: number): void {
    this.routers.run(nowUs);
    this.prefixes.run(nowUs);
    for (const [iface, { addresses, solicitor }] of this.#hostLinks) {
      solicitor.run(nowUs);
      if (addresses.deadlineUs > nowUs) continue;
      addresses.run(nowUs);
      this.#syncLifetimes(iface);
    }
    this.#schedule();
  }

  #schedule(): void {
    let deadlineUs = Math.min(this.routers.deadlineUs, this.prefixes.deadlineUs);
    for (const { addresses, solicitor } of this.#hostLinks.values()) {
      deadlineUs = Math.min(deadlineUs, addresses.deadlineUs, solicitor.deadlineUs);
    }
    const { callouts } = this.#context;
    if (deadlineUs === Infinity) callouts.stop(this.#timer);
    else if (deadlineUs !== this.#timer.deadlineUs) callouts.schedule(this.#timer, deadlineUs);
  }
}

function lifetime(sec: number): number {
  return sec === FOREVER_SEC ? Infinity : sec * US_PER_S;
}
