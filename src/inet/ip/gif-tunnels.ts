/**
 * The outer packets of gifs (net/gif/gif-link.ts): IPv4 and IPv6 inside IPv4 and IPv6.
 *
 * Thread: the one that runs CPU 0. Data path: allocates nothing. A gif takes packets from its destination to its source. The outer packet
 * may be fragmented, and waits for its next hop as others do. A packet that would go through a gif again is dropped: a tunnel whose
 * outer packets are routed into itself, or into another (net.link.gif nesting 1, as in NetBSD).
 * Read first: gif(4), RFC 2003, RFC 2473, RFC 4213. Missing: path MTU discovery of the tunnel, errors of the outer path as errors of the
 * inner one, congestion marks (RFC 6040).
 */

import { Errno } from '../../base/errors.ts';
import type { GifLink, GifOutput, TunnelEnd } from '../../net/gif/gif-link.ts';
import { AddressBoundary, NO_ADDRESS } from './address-boundary.ts';
import type { InetContext } from './context.ts';
import { type IcmpError, type InPacket, IP_NO_HOST_ERROR, type IpService, type Transport } from './transport.ts';

const PROTOCOL_IPV4 = 4;
const PROTOCOL_IPV6 = 41;
/** GIF_TTL, and the hop limit of IPv6. */
const TTL = 30;
const CODE_PROTOCOL_UNREACHABLE = 2;

class GifTransport implements Transport {
  readonly protocol: number;
  readonly #tunnels: GifTunnels;

  constructor(protocol: number, tunnels: GifTunnels) {
    this.protocol = protocol;
    this.#tunnels = tunnels;
  }

  input(packet: InPacket, nowUs: number): void {
    this.#tunnels.input(packet, this.protocol === PROTOCOL_IPV4 ? 4 : 6, nowUs);
  }

  icmpError(_error: IcmpError, _nowUs: number): void {}
}

export class GifTunnels implements GifOutput {
  readonly #context: InetContext;
  readonly #ip: IpService;
  readonly #addresses: AddressBoundary;
  readonly #links: GifLink[] = [];
  readonly #nested: number;
  readonly #unsent: number;
  #registered = false;
  /** A gif sends. */
  #sending = false;
  readonly #words: { family: number; w0: number; w1: number; w2: number; w3: number; scopeId: number } = {
    family: 4,
    w0: 0,
    w1: 0,
    w2: 0,
    w3: 0,
    scopeId: 0,
  };

  constructor(context: InetContext, ip: IpService) {
    const { interner, interfaces } = context.shared;
    this.#context = context;
    this.#ip = ip;
    this.#addresses = new AddressBoundary(interner, interfaces.list);
    this.#nested = context.counters.index('gif-nested');
    this.#unsent = context.counters.index('gif-unsent');
  }

  /** Packets with these protocols are refused while there is no gif. */
  // cold: configuration
  opened(link: GifLink): void {
    this.#links.push(link);
    if (this.#registered) return;
    this.#registered = true;
    for (const protocol of [PROTOCOL_IPV4, PROTOCOL_IPV6]) this.#ip.register(new GifTransport(protocol, this));
  }

  // cold: configuration
  closed(link: GifLink): void {
    const index = this.#links.indexOf(link);
    if (index >= 0) this.#links.splice(index, 1);
  }

  send(link: GifLink, at: number, packetBytes: number): number {
    if (this.#sending) {
      this.#context.counters.add(this.#nested, 1);
      return -Errno.EIO;
    }
    this.#sending = true;
    const sent = this.#send(link, at, packetBytes);
    this.#sending = false;
    if (sent < 0) this.#context.counters.add(this.#unsent, 1);
    return sent;
  }

  #send(link: GifLink, at: number, packetBytes: number): number {
    const { tunnel } = link;
    if (tunnel === null) return -Errno.ENETDOWN;
    const source = this.#numberOf(tunnel.source);
    const destination = this.#numberOf(tunnel.destination);
    if (source === NO_ADDRESS || destination === NO_ADDRESS) return -Errno.ENOBUFS;
    const path = this.#ip.transientPath(destination, source, 0, null);
    if (typeof path === 'number') return path;
    if (path.iface.link.kind === 'gif') {
      this.#context.counters.add(this.#nested, 1);
      return -Errno.EIO;
    }
    const { bulk } = this.#context;
    const isIpv6 = this.#ip.view.getUint8(at) >> 4 === 6;
    const to = this.#ip.begin(path, isIpv6 ? PROTOCOL_IPV6 : PROTOCOL_IPV4, packetBytes, TTL, 0, IP_NO_HOST_ERROR);
    if (to < 0) return to;
    bulk.copy(to, at, packetBytes);
    this.#ip.end(0);
    return 0;
  }

  /** The inner packet goes to the gif between those addresses, or is refused. */
  input(packet: InPacket, version: number, nowUs: number): void {
    for (let i = 0; i < this.#links.length; i++) {
      const link = this.#links[i] as GifLink;
      const { tunnel } = link;
      if (tunnel === null || this.#numberOf(tunnel.source) !== packet.dst) continue;
      if (this.#numberOf(tunnel.destination) !== packet.src) continue;
      if (packet.lengthBytes > 0 && this.#ip.view.getUint8(packet.at) >> 4 === version) {
        link.arrived(packet.at, packet.lengthBytes);
      } else link.iface.inErrors++;
      return;
    }
    this.#ip.sendUnreachable(packet, CODE_PROTOCOL_UNREACHABLE, nowUs);
  }

  #numberOf(end: TunnelEnd): number {
    if (end.family === 4) return end.w3;
    const words = this.#words;
    words.family = 6;
    words.w0 = end.w0;
    words.w1 = end.w1;
    words.w2 = end.w2;
    words.w3 = end.w3;
    return this.#addresses.numberOf(words);
  }
}
