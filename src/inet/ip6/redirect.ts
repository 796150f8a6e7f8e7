/**
 * Redirects of IPv6: a host's rules for believing one and the route that follows, and a router's for sending one.
 *
 * Thread: the one that runs the kernel. Lifetimes of the routes: inet/ip/learned-routes.ts.
 * Read first: RFC 4861 sections 4.5 and 8.
 */

import { RateLimit } from '../../kern/rate-limit.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Interface } from '../../net/interface.ts';
import type { LinkPacket } from '../../net/link-layer.ts';
import {
  makeRoute,
  type Route,
  RTF_DYNAMIC,
  RTF_GATEWAY,
  RTF_HOST,
  RTF_LOCAL,
  RTF_MODIFIED,
  RTF_UP,
} from '../../net/route.ts';
import type { RouteTable6 } from '../../net/route-table6.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import type { InetContext } from '../ip/context.ts';
import { LearnedRoutes } from '../ip/learned-routes.ts';
import type { IpPath } from '../ip/path.ts';
import type { InPacket } from '../ip/transport.ts';
import type { Addresses6 } from './addresses.ts';
import type { Links6 } from './link.ts';
import type { LinkOutput6 } from './link-output.ts';
import type { NeighborInput6 } from './neighbor-discovery.ts';
import { linkAddress, readMessage } from './read-message.ts';

const HOST_PREFIX = 128;
/** RFC 4861 4.5: a redirect is no longer than the minimum MTU. */
const MAX_BYTES: number = ipv6.MTU_BYTES_MIN - ipv6.HEADER_BYTES;
const REDIRECTED_HEADER_BYTES = 8;

export interface RedirectParts6 {
  readonly addresses: Addresses6;
  readonly routes: RouteTable6;
  readonly links: Links6;
  readonly linkOutput: LinkOutput6;
  readonly neighborInput: NeighborInput6;
  readonly forwarding: SysctlVariable;
}

export class Redirects6 {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #parts: RedirectParts6;
  readonly #learned: LearnedRoutes;
  readonly #accept: SysctlVariable;
  readonly #send: SysctlVariable;
  readonly #limitIn: RateLimit;
  readonly #limitOut: RateLimit;
  readonly #received: number;
  readonly #accepted: number;
  readonly #ignored: number;
  readonly #sent: number;

  constructor(context: InetContext, parts: RedirectParts6) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#parts = parts;
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#accept = sysctl.toggle('net.inet6.icmp6.rediraccept', true, 'believe redirects');
    this.#send = sysctl.toggle('net.inet6.ip6.redirect', true, 'send redirects');
    const rate = {
      name: 'net.inet6.icmp6.redirppslimit',
      perSecond: 100,
      description: 'redirects a second, each way; -1: any',
      what: 'ICMPv6 redirects sent, and as many believed',
      counter: 'nd6-redirects-rate-limited',
    };
    this.#limitIn = new RateLimit(sysctl, counters, rate);
    this.#limitOut = new RateLimit(sysctl, counters, rate);
    const timeoutSec = sysctl.integer('net.inet6.icmp6.redirtimeout', 600, 1, 86400, 'seconds such a route is kept');
    const maxRoutes = sysctl.integer('net.inet6.icmp6.redirmax', 256, 1, 65536, 'routes made by redirects');
    const { routes } = parts;
    const drop = (route: Route): void => {
      if (routes.find(route.destination, HOST_PREFIX) === route) routes.remove(route.destination, HOST_PREFIX);
    };
    const evicted = counters.index('nd6-redirect-evicted');
    const evict = (): void => counters.add(evicted, 1);
    this.#learned = new LearnedRoutes(context.callouts, timeoutSec, maxRoutes, drop, evict);
    sysctl.limits.add({
      table: 'routes made by ICMPv6 redirects',
      variable: maxRoutes,
      counter: 'nd6-redirect-evicted',
      whenFull: 'the oldest one is removed',
      size: () => this.#learned.count,
    });
    this.#received = counters.index('nd6-in-redirects');
    this.#accepted = counters.index('nd6-redirects-accepted');
    this.#ignored = counters.index('nd6-redirects-ignored');
    this.#sent = counters.index('nd6-out-redirects');
  }

  /** Routes that redirects made. */
  get count(): number {
    return this.#learned.count;
  }

  /** A route that a redirect made was removed by hand. */
  removed(route: Route): void {
    this.#learned.removed(route);
  }

  /** A next hop does not answer. */
  gatewayDown(gateway: number): void {
    this.#learned.gatewayDown(gateway);
  }

  // --- Host ---

  /** RFC 4861 8.1 and 8.3. The message passed `icmpv6.check` and came with a hop limit of 255. */
  input(packet: InPacket, nowUs: number): void {
    const { iface } = packet;
    const { counters } = this.#context;
    const { interner } = this.#context.shared;
    counters.add(this.#received, 1);
    if (!this.#limitIn.allow(nowUs)) return;
    const message = readMessage(this.#context.shared, packet);
    if (message?.kind !== 'redirect') return;
    const { target, destination } = message;
    const onLink = ipv6.equal(target, destination);
    const sound = !ipv6.isMulticast(destination[0]) && (onLink || ipv6.isLinkLocal(target[0]));
    const dst = sound && this.#listens(packet) ? interner.internAddress(destination, iface.index) : 0;
    if (dst === 0 || !this.#isFirstHop(packet, dst)) {
      counters.add(this.#ignored, 1);
      return;
    }
    const gateway = onLink ? dst : interner.internAddress(target, iface.index);
    if (gateway === 0 || this.#parts.addresses.find(gateway) !== null) {
      counters.add(this.#ignored, 1);
      return;
    }
    this.#learnNeighbor(iface, gateway, message.options, !onLink, nowUs);
    this.#change(packet, dst, onLink ? 0 : gateway, nowUs);
    this.#parts.routes.events?.listener?.redirected(dst, gateway, iface);
    counters.add(this.#accepted, 1);
  }

  #listens(packet: InPacket): boolean {
    if (this.#accept.value === 0 || this.#parts.forwarding.value !== 0 || packet.broadcast) return false;
    return this.#parts.addresses.isLinkLocal(packet.src);
  }

  /** A redirect is believed from the router that packets for the destination go to now. */
  #isFirstHop(packet: InPacket, dst: number): boolean {
    const route = this.#parts.routes.lookup(dst);
    if (route === null || (route.flags & RTF_GATEWAY) === 0) return false;
    return route.gateway === packet.src && route.iface === packet.iface;
  }

  #learnNeighbor(
    iface: Interface,
    address: number,
    options: readonly icmpv6.NeighborOption[],
    router: boolean,
    nowUs: number,
  ): void {
    const option = linkAddress(options, 'target-link-address');
    if (option === null) return;
    const neighbor = this.#parts.neighborInput.learn(iface, address, option.hi, option.lo, nowUs);
    if (neighbor !== null && router) neighbor.router = true;
  }

  /** `gateway` 0: the destination is on the link. */
  #change({ iface }: InPacket, dst: number, gateway: number, nowUs: number): void {
    const { routes } = this.#parts;
    const flags = gateway === 0 ? RTF_UP | RTF_HOST : RTF_UP | RTF_HOST | RTF_GATEWAY;
    const known = routes.find(dst, HOST_PREFIX);
    if (known !== null) {
      if ((known.flags & RTF_LOCAL) !== 0) return;
      const learned = (known.flags & RTF_DYNAMIC) !== 0;
      known.gateway = gateway;
      known.flags = flags | RTF_MODIFIED | (known.flags & ~(RTF_GATEWAY | RTF_HOST));
      routes.events?.listener?.routeChanged(known);
      this.#context.shared.epoch.bump();
      if (learned) this.#learned.keep(known, nowUs);
      return;
    }
    this.#learned.makeRoom();
    const route = makeRoute(dst, HOST_PREFIX, gateway, iface, flags | RTF_DYNAMIC, HOST_PREFIX);
    if (routes.add(route) === 0) this.#learned.keep(route, nowUs);
  }

  // --- Router ---

  /**
   * RFC 4861 8.2: a packet to be forwarded leaves as it came; its sender, if it is on that link, could have reached the next
   * hop itself and gets a redirect. Call before the packet is changed; `received` is its frame.
   */
  redirect(packet: InPacket, received: LinkPacket, path: IpPath, nowUs: number): void {
    const { route, iface } = path;
    if (iface !== packet.iface || this.#send.value === 0 || route === null || packet.broadcast) return;
    if ((route.flags & (RTF_DYNAMIC | RTF_MODIFIED)) !== 0) return;
    const { addresses, routes, links } = this.#parts;
    const gateway = (route.flags & RTF_GATEWAY) !== 0 ? route.gateway : 0;
    // The router that is better must be named by its link-local address.
    if (gateway !== 0 && !addresses.isLinkLocal(gateway)) return;
    const back = routes.lookup(packet.src);
    if (back === null || back.iface !== iface || (back.flags & RTF_GATEWAY) !== 0) return;
    const src = links.of(iface)?.linkLocal ?? 0;
    if (src === 0) return;
    if (!this.#limitOut.allow(nowUs)) return;
    received.iface.link.readSource(received);
    this.#write(packet, received, path, src, gateway === 0 ? packet.dst : gateway);
  }

  // cold: redirects are rate-limited
  #write(packet: InPacket, received: LinkPacket, path: IpPath, src: number, target: number): void {
    const view = this.#view;
    const { headerAt, iface } = packet;
    const { interner } = this.#context.shared;
    const options: icmpv6.NeighborOption[] = [];
    const { neighbor } = path;
    if (neighbor.state !== 'incomplete') {
      options.push({ kind: 'target-link-address', hi: neighbor.macHi, lo: neighbor.macLo });
    }
    const used = icmpv6.REDIRECT_BYTES + icmpv6.neighborOptionsLength(options) + REDIRECTED_HEADER_BYTES;
    const packetBytes = packet.at + packet.lengthBytes - headerAt;
    const quotedBytes = Math.min(packetBytes, MAX_BYTES - used) & ~7;
    options.push({
      kind: 'redirected',
      packet: this.#context.shared.arena.bytes.slice(headerAt, headerAt + quotedBytes),
    });
    const message: icmpv6.RedirectRepr = {
      kind: 'redirect',
      target: interner.words(target),
      destination: interner.words(packet.dst),
      options,
    };
    // Back to the station that the packet came from: no resolution needed.
    const at = this.#parts.linkOutput.beginTo(
      iface,
      received.srcHi,
      received.srcLo,
      src,
      interner.words(packet.src),
      icmpv6.PROTOCOL_ICMPV6,
      icmpv6.lengthOf(message),
      icmpv6.DISCOVERY_HOP_LIMIT,
    );
    if (at < 0) return;
    icmpv6.emit(message, view, at);
    this.#parts.linkOutput.endIcmp(at);
    this.#context.counters.add(this.#sent, 1);
  }
}
