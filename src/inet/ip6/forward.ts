/**
 * Forwarding of IPv6: a router's treatment of packets that are not its own.
 *
 * Thread: the one that runs the CPU. Hop limit, ICMPv6 errors, and one copy from ring to ring; routers never cut packets
 * into fragments. Read first: RFC 8200 sections 3 and 5, RFC 4443 3.1 to 3.3, RFC 4007 section 9 (scopes). Missing: multicast
 * routing, policy, load sharing.
 */

import { Errno } from '../../base/errors.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import type { LinkPacket } from '../../net/link-layer.ts';
import { META_SEGMENT_SHIFT } from '../../net/packet-meta.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { IP6_ANY } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import type { ForwardOutput } from '../ip/forward-output.ts';
import type { IpPacket } from '../ip/packet.ts';
import { type IpPath, PATH_FORWARD } from '../ip/path.ts';
import type { PathTable } from '../ip/path-table.ts';
import type { Addresses6 } from './addresses.ts';
import type { Icmp6 } from './icmp.ts';
import type { Redirects6 } from './redirect.ts';

export interface ForwarderParts6 {
  readonly addresses: Addresses6;
  readonly paths: PathTable;
  readonly output: ForwardOutput;
  readonly icmp: Icmp6;
  readonly redirects: Redirects6;
  readonly forwarding: SysctlVariable;
}

export class Forwarder6 {
  readonly #view: DataView;
  readonly #counters: Counters;
  readonly #addresses: Addresses6;
  readonly #paths: PathTable;
  readonly #output: ForwardOutput;
  readonly #icmp: Icmp6;
  readonly #redirects: Redirects6;
  readonly #forwarding: SysctlVariable;
  readonly #expired: number;
  readonly #unreachable: number;
  readonly #beyondScope: number;
  readonly #tooBig: number;
  readonly #discarded: number;

  constructor(context: InetContext, parts: ForwarderParts6) {
    const { addresses, paths, output, icmp, redirects, forwarding } = parts;
    const { counters } = context;
    this.#view = context.shared.arena.view;
    this.#counters = counters;
    this.#addresses = addresses;
    this.#paths = paths;
    this.#output = output;
    this.#icmp = icmp;
    this.#redirects = redirects;
    this.#forwarding = forwarding;
    this.#expired = counters.index('ip6-forward-hop-limit-exceeded');
    this.#unreachable = counters.index('ip6-forward-unreachable');
    this.#beyondScope = counters.index('ip6-forward-beyond-scope');
    this.#tooBig = counters.index('ip6-forward-too-big');
    this.#discarded = counters.index('ip6-forward-discarded');
  }

  get enabled(): boolean {
    return this.#forwarding.value !== 0;
  }

  /**
   * Send a checked packet for a unicast address on. It lies in the slot it arrived in, which is changed (hop limit); `received`
   * is its frame.
   */
  forward(packet: IpPacket, received: LinkPacket, nowUs: number): void {
    if (packet.src === IP6_ANY) {
      this.#counters.add(this.#discarded, 1);
      return;
    }
    if (packet.ttl <= 1) {
      this.#counters.add(this.#expired, 1);
      this.#icmp.sendTimeExceeded(packet, icmpv6.CODE_HOP_LIMIT_EXCEEDED, nowUs);
      return;
    }
    const path = this.#paths.transient(packet.dst, 0, PATH_FORWARD, null);
    if (typeof path === 'number') this.#fail(packet, nowUs, path);
    else this.#forwardAlong(path, packet, received, nowUs);
  }

  #forwardAlong(path: IpPath, packet: IpPacket, received: LinkPacket, nowUs: number): void {
    if (path.discards) {
      this.#counters.add(this.#discarded, 1);
      return;
    }
    const { iface } = path;
    // A link-local source means nothing beyond its link (RFC 4007 section 9).
    if (iface !== packet.iface && this.#addresses.isLinkLocal(packet.src)) {
      this.#counters.add(this.#beyondScope, 1);
      this.#icmp.sendUnreachable(packet, icmpv6.CODE_BEYOND_SCOPE, nowUs);
      return;
    }
    const at = packet.headerAt;
    const totalBytes = packet.at - at + packet.lengthBytes;
    if (totalBytes > path.mtu && packet.meta >>> META_SEGMENT_SHIFT === 0) {
      this.#counters.add(this.#tooBig, 1);
      this.#icmp.sendPacketTooBig(packet, path.mtu, nowUs);
      return;
    }
    if (iface === packet.iface) this.#redirects.redirect(packet, received, path, nowUs);
    ipv6.setHopLimit(this.#view, at, packet.ttl - 1);
    const sent = this.#output.send(path, packet, totalBytes, nowUs);
    if (sent === -Errno.EMSGSIZE) {
      this.#counters.add(this.#tooBig, 1);
      this.#icmp.sendPacketTooBig(packet, path.mtu, nowUs);
    } else if (sent < 0 && sent !== -Errno.ENOBUFS) {
      this.#fail(packet, nowUs, sent);
    }
  }

  #fail(packet: IpPacket, nowUs: number, error: number): void {
    this.#counters.add(this.#unreachable, 1);
    const code = error === -Errno.ENETUNREACH ? icmpv6.CODE_NO_ROUTE : icmpv6.CODE_ADDRESS_UNREACHABLE;
    this.#icmp.sendUnreachable(packet, code, nowUs);
  }
}
