/**
 * Forwarding of IPv4: a router's treatment of packets that are not its own.
 *
 * Thread: the one that runs the CPU. TTL, ICMP errors, redirects, and one copy from ring to ring. Links may differ in MTU
 * and capabilities: the transmitter completes checksums and cuts super-frames where the next link needs it.
 * Read first: RFC 1812 5.2 and 5.3. Missing: multicast routing, policy, load sharing.
 */

import { updateChecksum } from '../../base/checksum.ts';
import { Errno } from '../../base/errors.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import { RTF_DYNAMIC, RTF_GATEWAY, RTF_MODIFIED } from '../../net/route.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { isUnicast } from '../../wire/ipv4.ts';
import type { InetContext } from '../ip/context.ts';
import type { ForwardOutput } from '../ip/forward-output.ts';
import type { IpPacket } from '../ip/packet.ts';
import { type IpPath, PATH_FORWARD } from '../ip/path.ts';
import type { PathTable } from '../ip/path-table.ts';
import { IP_ALLOW_BROADCAST } from '../ip/transport.ts';
import type { Icmp } from './icmp.ts';

export interface ForwarderParts {
  readonly paths: PathTable;
  readonly output: ForwardOutput;
  readonly icmp: Icmp;
  readonly forwarding: SysctlVariable;
}

export class Forwarder {
  readonly #view: DataView;
  readonly #counters: Counters;
  readonly #paths: PathTable;
  readonly #output: ForwardOutput;
  readonly #icmp: Icmp;
  readonly #forwarding: SysctlVariable;
  readonly #directedBroadcast: SysctlVariable;
  readonly #sendRedirects: SysctlVariable;
  readonly #expired: number;
  readonly #unreachable: number;
  readonly #tooBig: number;
  readonly #discarded: number;

  constructor(context: InetContext, { paths, output, icmp, forwarding }: ForwarderParts) {
    this.#view = context.shared.arena.view;
    this.#counters = context.counters;
    this.#paths = paths;
    this.#output = output;
    this.#icmp = icmp;
    this.#forwarding = forwarding;
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#directedBroadcast = sysctl.toggle('net.inet.ip.directed-broadcast', false, 'forward directed broadcasts');
    this.#sendRedirects = sysctl.toggle('net.inet.ip.redirect', true, 'send ICMP redirects');
    this.#expired = counters.index('ip-forward-ttl-exceeded');
    this.#unreachable = counters.index('ip-forward-unreachable');
    this.#tooBig = counters.index('ip-forward-too-big');
    this.#discarded = counters.index('ip-forward-discarded');
  }

  get enabled(): boolean {
    return this.#forwarding.value !== 0;
  }

  /** Send a checked packet on. It lies in the slot it arrived in, which is changed (TTL, checksum). */
  forward(packet: IpPacket, sourceRouted: boolean, nowUs: number): void {
    if (packet.ttl <= 1) {
      this.#counters.add(this.#expired, 1);
      this.#icmp.sendTimeExceeded(packet, icmpv4.CODE_TTL_EXCEEDED, nowUs);
      return;
    }
    if (!isUnicast(packet.dst) || packet.src >>> 24 === 0) {
      this.#counters.add(this.#discarded, 1);
      return;
    }
    const flags = this.#directedBroadcast.value !== 0 ? PATH_FORWARD | IP_ALLOW_BROADCAST : PATH_FORWARD;
    const path = this.#paths.transient(packet.dst, 0, flags, null);
    if (typeof path === 'number') this.#fail(packet, path, nowUs);
    else this.#forwardAlong(path, packet, sourceRouted, nowUs);
  }

  #forwardAlong(path: IpPath, packet: IpPacket, sourceRouted: boolean, nowUs: number): void {
    if (path.discards) {
      this.#counters.add(this.#discarded, 1);
      return;
    }
    const view = this.#view;
    const at = packet.headerAt;
    const totalBytes = packet.at - at + packet.lengthBytes;
    const { iface, mtu } = path;
    const back = iface === packet.iface && !sourceRouted && this.#sendRedirects.value !== 0;
    const gateway = back ? this.#betterGateway(path, packet) : 0;
    const word = (packet.ttl << 8) | packet.protocol;
    const checksum = ipv4.headerChecksum(view, at);
    view.setUint8(at + 8, packet.ttl - 1);
    view.setUint16(at + 10, updateChecksum(checksum, word, word - 0x100));
    const sent = this.#output.send(path, packet, totalBytes, nowUs);
    if (sent === -Errno.EMSGSIZE) {
      this.#counters.add(this.#tooBig, 1);
      this.#icmp.sendFragmentationNeeded(packet, icmpv4.CODE_FRAGMENTATION_NEEDED, mtu, nowUs);
    } else if (sent < 0 && sent !== -Errno.ENOBUFS) {
      this.#fail(packet, sent, nowUs);
    }
    // Last, because a message of our own may take the path's place, or its neighbor's.
    if (gateway !== 0 && sent === 0) this.#icmp.sendRedirect(packet, gateway, nowUs);
  }

  #fail(packet: IpPacket, error: number, nowUs: number): void {
    this.#counters.add(this.#unreachable, 1);
    if (error === -Errno.EACCES) return;
    const code = error === -Errno.ENETUNREACH ? icmpv4.CODE_NET_UNREACHABLE : icmpv4.CODE_HOST_UNREACHABLE;
    this.#icmp.sendUnreachable(packet, code, nowUs);
  }

  /**
   * RFC 1812 5.2.7.2: the packet leaves as it came, and the sender could have reached the next hop itself. The next hop, 0
   * when a redirect is not due.
   */
  #betterGateway(path: IpPath, packet: IpPacket): number {
    const { route } = path;
    if (route === null || (route.flags & (RTF_DYNAMIC | RTF_MODIFIED)) !== 0) return 0;
    const nextHop = (route.flags & RTF_GATEWAY) !== 0 ? route.gateway : packet.dst;
    const own = packet.iface.addressFor(packet.src);
    return own === null || (nextHop & own.mask) !== own.network ? 0 : nextHop;
  }
}
