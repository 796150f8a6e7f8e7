/**
 * IPv6 on one CPU: input, paths, forwarding, ICMPv6, over the tables of the kernel (ip6.ts). Output and raw sockets are shared
 * with IPv4 (inet/ip).
 *
 * Thread: the one that runs the CPU. Read first: inet/ip/family-cpu.ts (the contract), path.ts, input.ts. Cold: assembly.
 * Missing: a way to the owner of the tables for neighbor discovery, redirects and MLD that arrive at another CPU's thread; on
 * one thread they are calls.
 */

import type { Neighbor, PendingPackets } from '../../net/neighbor-cache.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import type { InetContext } from '../ip/context.ts';
import type { FamilyCpu } from '../ip/family-cpu.ts';
import { ForwardOutput } from '../ip/forward-output.ts';
import type { Ip } from '../ip/ip.ts';
import { IpPacket } from '../ip/packet.ts';
import type { IpParts } from '../ip/parts.ts';
import { Protocols } from '../ip/protocols.ts';
import type { InPacket, Transport } from '../ip/transport.ts';
import { Forwarder6 } from './forward.ts';
import { Icmp6 } from './icmp.ts';
import { Ip6Input } from './input.ts';
import type { Ip6 } from './ip6.ts';
import { PathResolver6 } from './path.ts';

export class Ip6Cpu implements FamilyCpu, PendingPackets {
  readonly paths: PathResolver6;
  readonly icmp: Icmp6;
  readonly input: Ip6Input;
  readonly #context: InetContext;
  readonly #ip: Ip;
  readonly #kernel: Ip6;
  readonly #protocols: Protocols = new Protocols();
  /** Describes a packet that waited in vain for a neighbor. */
  readonly #undelivered: IpPacket;

  constructor(context: InetContext, parts: IpParts, kernel: Ip6) {
    const { rng, shared } = context;
    const { pathMtu, filter, noInterface, sysctl } = shared;
    const { ip, raw, reject } = parts;
    const { addresses, sources, links, routes, neighbors, redirects, forwarding, mld, autoconfiguration } = kernel;
    const protocols = this.#protocols;
    this.#context = context;
    this.#ip = ip;
    this.#kernel = kernel;
    this.#undelivered = new IpPacket(noInterface);
    const icmp = new Icmp6(context, {
      addresses,
      sources,
      ip,
      pathMtu,
      raw,
      neighbors: kernel.neighborInput,
      redirects,
      mld,
      autoconfiguration,
      protocols,
    });
    this.icmp = icmp;
    const forwarder = new Forwarder6(context, {
      addresses,
      paths: ip.paths,
      output: new ForwardOutput(context, neighbors, ip.transmitter, 'ip6'),
      icmp,
      redirects,
      forwarding,
    });
    this.input = new Ip6Input(context, {
      addresses,
      links,
      filter,
      forwarder,
      icmp,
      raw,
      reject,
      protocols,
      noInterface,
    });
    protocols.register(icmp);
    const autoFlowLabel = sysctl.toggle('net.inet6.ip6.auto_flowlabel', true, 'give flows random labels');
    this.paths = new PathResolver6({
      routes,
      addresses,
      sourceAddresses: sources,
      links,
      neighbors,
      pathMtu,
      rng,
      autoFlowLabel,
    });
  }

  // --- FamilyCpu ---

  register(transport: Transport): void {
    this.#protocols.register(transport);
  }

  /** `code` is one of ICMPv4. */
  sendUnreachable(packet: InPacket, code: number, nowUs: number): void {
    this.icmp.sendUnreachable(packet, code6Of(code), nowUs);
  }

  // --- Packets that waited for a neighbor ---

  transmit(neighbor: Neighbor, at: number, totalBytes: number, meta: number): void {
    const { iface, macHi, macLo } = neighbor;
    const { arena, interner, pathMtu } = this.#context.shared;
    const { addresses, links } = this.#kernel;
    const linkMtuBytes = links.of(iface)?.mtuBytes ?? iface.mtuBytes;
    const zone = iface.index;
    const src = interner.internAddress(ipv6.src(arena.view, at), zone);
    const dst = interner.internAddress(ipv6.dst(arena.view, at), zone);
    const ours = src !== 0 && dst !== 0 && addresses.isLocal(src);
    const mtuBytes = ours ? pathMtu.lookup(dst, linkMtuBytes) : linkMtuBytes;
    this.#ip.transmitter.send(iface, macHi, macLo, at, totalBytes, meta, mtuBytes);
  }

  /** RFC 4861 7.2.2: the sender is told, be it one of our transports or another host. */
  undeliverable(neighbor: Neighbor, at: number, totalBytes: number, nowUs: number): void {
    const { arena, interner } = this.#context.shared;
    const { view } = arena;
    const { iface } = neighbor;
    const src = interner.internAddress(ipv6.src(view, at), iface.index);
    const dst = interner.internAddress(ipv6.dst(view, at), iface.index);
    if (src === 0 || dst === 0) return;
    if (this.#kernel.addresses.isLocal(src)) {
      this.icmp.reportLocally(src, dst, at, totalBytes, icmpv6.CODE_ADDRESS_UNREACHABLE, nowUs);
      return;
    }
    const packet = this.#undelivered;
    packet.headerAt = at;
    packet.at = at + ipv6.HEADER_BYTES;
    packet.lengthBytes = totalBytes - ipv6.HEADER_BYTES;
    packet.protocol = ipv6.nextHeader(view, at);
    packet.src = src;
    packet.dst = dst;
    packet.broadcast = false;
    // The arrival interface is not kept: the error's source is of the interface that it leaves by.
    const back = this.#ip.transientPath(src, 0, 0, null);
    packet.iface = typeof back === 'number' ? iface : back.iface;
    this.icmp.sendUnreachable(packet, icmpv6.CODE_ADDRESS_UNREACHABLE, nowUs);
  }
}

/** RFC 7915 section 4.2: the code of ICMPv6 that says what one of ICMPv4's destination unreachable says. */
function code6Of(code: number): number {
  switch (code) {
    case icmpv4.CODE_PORT_UNREACHABLE:
      return icmpv6.CODE_PORT_UNREACHABLE;
    case icmpv4.CODE_NET_UNREACHABLE:
      return icmpv6.CODE_NO_ROUTE;
    case icmpv4.CODE_HOST_UNREACHABLE:
      return icmpv6.CODE_ADDRESS_UNREACHABLE;
    default:
      return icmpv6.CODE_ADMIN_PROHIBITED;
  }
}
