/**
 * IPv4 on one CPU: input, paths, forwarding, ICMP, over the tables of the kernel (ip4.ts). Output and raw sockets are shared with
 * IPv6 (inet/ip).
 *
 * Thread: the one that runs the CPU. Read first: inet/ip/family-cpu.ts (the contract), then input.ts and path.ts.
 * Cold: assembly. Missing: a way to the owner of the tables for ARP, redirects and IGMP that arrive at another CPU's thread;
 * on one thread they are calls.
 */

import type { Neighbor, PendingPackets } from '../../net/neighbor-cache.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import type { InetContext } from '../ip/context.ts';
import type { FamilyCpu } from '../ip/family-cpu.ts';
import { ForwardOutput } from '../ip/forward-output.ts';
import type { Ip } from '../ip/ip.ts';
import { IpPacket } from '../ip/packet.ts';
import type { IpParts } from '../ip/parts.ts';
import { Protocols } from '../ip/protocols.ts';
import type { InPacket, Transport } from '../ip/transport.ts';
import { ArpInput } from './arp.ts';
import { ArpOutput } from './arp-output.ts';
import { Forwarder } from './forward.ts';
import { Icmp } from './icmp.ts';
import { IpInput } from './input.ts';
import type { Ip4 } from './ip4.ts';
import { readPacket } from './packet.ts';
import { PathResolver4 } from './path.ts';

export class Ip4Cpu implements FamilyCpu, PendingPackets {
  readonly paths: PathResolver4;
  readonly input: IpInput;
  readonly arp: ArpInput;
  readonly icmp: Icmp;
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #ip: Ip;
  readonly #kernel: Ip4;
  readonly #protocols: Protocols = new Protocols();
  /** Describes a packet that waited in vain for a neighbor. */
  readonly #undelivered: IpPacket;

  constructor(context: InetContext, parts: IpParts, kernel: Ip4) {
    const { ip, raw, reject } = parts;
    const { pathMtu, interfaces, filter, noInterface, arena } = context.shared;
    const { addresses, routes, neighbors, redirects, forwarding } = kernel;
    const protocols = this.#protocols;
    this.#context = context;
    this.#view = arena.view;
    this.#ip = ip;
    this.#kernel = kernel;
    this.#undelivered = new IpPacket(noInterface);
    this.paths = new PathResolver4({ routes, addresses, neighbors, pathMtu, interfaces: interfaces.list });
    const icmp = new Icmp(context, { addresses, ip, pathMtu, redirects, raw, protocols });
    this.icmp = icmp;
    const output = new ForwardOutput(context, neighbors, ip.transmitter, 'ip');
    const forwarder = new Forwarder(context, { paths: ip.paths, output, icmp, forwarding });
    this.input = new IpInput(context, {
      addresses,
      routes,
      filter,
      forwarder,
      icmp,
      raw,
      reject,
      protocols,
      noInterface,
    });
    const arpOutput = new ArpOutput(context, addresses);
    this.arp = new ArpInput(context, addresses, neighbors, kernel.conflicts, filter, arpOutput);
    protocols.register(icmp);
    protocols.register(kernel.igmp);
  }

  // --- FamilyCpu ---

  register(transport: Transport): void {
    this.#protocols.register(transport);
  }

  sendUnreachable(packet: InPacket, code: number, nowUs: number): void {
    this.icmp.sendUnreachable(packet, code, nowUs);
  }

  // --- Packets that waited for a neighbor ---

  transmit(neighbor: Neighbor, at: number, totalBytes: number, meta: number): void {
    const { iface, macHi, macLo } = neighbor;
    const mtuBytes = this.#context.shared.pathMtu.lookup(ipv4.dst(this.#view, at), iface.mtuBytes);
    this.#ip.transmitter.send(iface, macHi, macLo, at, totalBytes, meta, mtuBytes);
  }

  /** RFC 1122 2.3.2.2, RFC 1812 5.3.3.3: the sender is told, be it one of our transports or another host. */
  undeliverable(neighbor: Neighbor, at: number, totalBytes: number, nowUs: number): void {
    this.#kernel.redirects.gatewayDown(neighbor.address);
    const view = this.#view;
    const src = ipv4.src(view, at);
    if (this.#kernel.addresses.isLocal(src)) {
      this.icmp.reportLocally(at, totalBytes, icmpv4.CODE_HOST_UNREACHABLE, nowUs);
      return;
    }
    // The arrival interface is not kept: the error's source is of the interface that it leaves by (RFC 1812 4.3.2.4).
    const back = this.#ip.transientPath(src, 0, 0, null);
    readPacket(this.#undelivered, view, at, typeof back === 'number' ? neighbor.iface : back.iface);
    this.icmp.sendUnreachable(this.#undelivered, icmpv4.CODE_HOST_UNREACHABLE, nowUs);
  }
}
