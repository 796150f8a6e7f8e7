/**
 * UDP from endpoints to packets.
 *
 * Thread: the one that runs the CPU. `begin` → payload in place → `endCopied` or `endFrom`, as IP's own begin and end.
 * Nothing is allocated per datagram. An endpoint that finds no room waits here for its link.
 * Read first: RFC 768, RFC 1122 4.1.3.5, RFC 8085.
 */

import { checksumOf, foldSum } from '../../base/checksum.ts';
import { Errno } from '../../base/errors.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Bulk } from '../../mem/bulk.ts';
import type { Counters } from '../../mem/counters.ts';
import { CAP_CHECKSUM_PARTIAL, META_CHECKSUM_PARTIAL, META_SEGMENT_SHIFT } from '../../net/packet-meta.ts';
import { HEADER_BYTES as IP4_HEADER_BYTES, PROTOCOL_UDP } from '../../wire/ipv4.ts';
import { HEADER_BYTES } from '../../wire/udp.ts';
import type { InetContext } from '../ip/context.ts';
import { IP_DONT_FRAGMENT, IP_NO_HOST_ERROR, IP_SEGMENTED, type IpService, type Path } from '../ip/transport.ts';
import type { UdpEndpoint, UdpSender } from './endpoint.ts';
import { datagramsIn, goTogether } from './segments.ts';

/** Longest payload over IPv6; over IPv4 it is 20 bytes less, which IP checks. */
const MAX_PAYLOAD_BYTES = 65527;

export class UdpOutput implements UdpSender {
  readonly #ip: IpService;
  readonly #view: DataView;
  readonly bulk: Bulk;
  readonly #counters: Counters;
  readonly #makeChecksum: SysctlVariable;
  readonly #out: number;
  readonly #noRoom: number;
  /** Gives an endpoint that sends before it was bound an ephemeral port. */
  readonly #bindAny: (endpoint: UdpEndpoint) => number;
  /** Endpoints to be told when there is room on their link. */
  #waiting: UdpEndpoint[] = [];
  /** Empty between two calls of `serviceWaiting`, which swaps it with the other. */
  #served: UdpEndpoint[] = [];

  /** The datagram that was begun. */
  #path: Path | null = null;
  #endpoint: UdpEndpoint | null = null;
  #headerAt = 0;
  #destinationPort = 0;
  /** 0, or the size of each of the datagrams that share the frame. */
  #segmentBytes = 0;

  constructor(context: InetContext, ip: IpService, bindAny: (endpoint: UdpEndpoint) => number) {
    const { counters } = context;
    this.#ip = ip;
    this.#view = context.shared.arena.view;
    this.bulk = context.bulk;
    this.#counters = counters;
    this.#makeChecksum = context.shared.sysctl.toggle('net.inet.udp.checksum', true, 'compute checksums');
    this.#out = counters.index('udp-out');
    this.#noRoom = counters.index('udp-out-no-room');
    this.#bindAny = bindAny;
  }

  /** Call `mark` with every address kept here. */
  markAddresses(mark: (address: number) => void): void {
    for (const { awaitedAddress } of this.#waiting) mark(awaitedAddress);
  }

  /**
   * Start a datagram of `payloadBytes`: the offset where they go, with the header before them still to be written by
   * {@link endCopied} or {@link endFrom}; or a negative errno. `segmentBytes` not 0: datagrams of that size, the last perhaps
   * shorter, that go as one frame. The result is 0 where the link takes no such frame, so that they go one by one; `-EMSGSIZE` when one
   * alone is too long for the path, since none of them is fragmented.
   */
  begin(endpoint: UdpEndpoint, payloadBytes: number, segmentBytes: number, address: number, port: number): number {
    if (endpoint.error !== 0) return endpoint.takeError();
    if (segmentBytes === 0 && payloadBytes > MAX_PAYLOAD_BYTES) return -Errno.EMSGSIZE;
    if (!endpoint.bound) {
      const bound = this.#bindAny(endpoint);
      if (bound < 0) return bound;
    }
    const path = this.#pathFor(endpoint, address, port);
    if (typeof path === 'number') return path;
    // As ICMP errors (RFC 1122 4.1.3.3): of a peer that is not there only a connected socket is told.
    let flags = endpoint.path === null ? IP_NO_HOST_ERROR : 0;
    if (segmentBytes !== 0) {
      const together = goTogether(path, payloadBytes, segmentBytes);
      if (together <= 0) return together;
      flags |= IP_DONT_FRAGMENT | IP_SEGMENTED;
    }
    const ttl = path.multicast ? endpoint.multicastTtl : endpoint.ttl;
    let at = this.#ip.begin(path, PROTOCOL_UDP, payloadBytes + HEADER_BYTES, ttl, endpoint.tos, flags);
    if (at === -Errno.ENOBUFS) at = this.#beginAgain(endpoint, path, payloadBytes, ttl, flags);
    if (at < 0) return at;
    this.#path = path;
    this.#endpoint = endpoint;
    this.#headerAt = at;
    this.#segmentBytes = segmentBytes;
    this.#destinationPort = port !== 0 ? port : endpoint.peerPort;
    return at + HEADER_BYTES;
  }

  /** There was no room: the offset where there is by now, or `-EAGAIN` with the endpoint waiting. */
  #beginAgain(endpoint: UdpEndpoint, path: Path, payloadBytes: number, ttl: number, flags: number): number {
    if (!this.#ip.awaitRoom(path)) return this.#wait(endpoint, path.dst);
    const at = this.#ip.begin(path, PROTOCOL_UDP, payloadBytes + HEADER_BYTES, ttl, endpoint.tos, flags);
    return at === -Errno.ENOBUFS ? this.#wait(endpoint, path.dst) : at;
  }

  /** The payload was written in place. */
  endCopied(payloadBytes: number): void {
    const path = this.#path as Path;
    const partial = (path.capabilities & CAP_CHECKSUM_PARTIAL) !== 0;
    const sum = partial ? 0 : this.bulk.sum(this.#headerAt + HEADER_BYTES, payloadBytes);
    this.#end(path, payloadBytes, sum, partial);
  }

  /** Copy the payload from the arena. */
  endFrom(from: number, payloadBytes: number): void {
    const path = this.#path as Path;
    const to = this.#headerAt + HEADER_BYTES;
    if ((path.capabilities & CAP_CHECKSUM_PARTIAL) !== 0) {
      this.bulk.copy(to, from, payloadBytes);
      this.#end(path, payloadBytes, 0, true);
    } else {
      this.#end(path, payloadBytes, this.bulk.copySum(to, from, payloadBytes), false);
    }
  }

  #end(path: Path, payloadBytes: number, sum: number, partial: boolean): void {
    const view = this.#view;
    const at = this.#headerAt;
    const srcPort = (this.#endpoint as UdpEndpoint).port;
    const dstPort = this.#destinationPort;
    const bytes = payloadBytes + HEADER_BYTES;
    const pseudo = path.addressSum + PROTOCOL_UDP + bytes;
    let checksum = 0;
    if (partial) {
      checksum = foldSum(pseudo);
    } else if (this.#makeChecksum.value !== 0 || path.headerBytes !== IP4_HEADER_BYTES) {
      checksum = checksumOf(sum + pseudo + srcPort + dstPort + bytes);
      // 0 says that there is no checksum; the other zero stands for it (RFC 768).
      if (checksum === 0) checksum = 0xffff;
    }
    view.setInt32(at, (srcPort << 16) | dstPort);
    view.setInt32(at + 4, (bytes << 16) | checksum);
    const segmentBytes = this.#segmentBytes;
    this.#ip.end((partial ? META_CHECKSUM_PARTIAL : 0) | (segmentBytes << META_SEGMENT_SHIFT));
    this.#counters.add(this.#out, datagramsIn(payloadBytes, segmentBytes));
  }

  #pathFor(endpoint: UdpEndpoint, address: number, port: number): Path | number {
    if (endpoint.path !== null) return port === 0 ? endpoint.path : -Errno.EISCONN;
    if (port === 0) return -Errno.EDESTADDRREQ;
    return this.#ip.transientPath(address, endpoint.source, endpoint.pathFlags, endpoint.viaFor(address));
  }

  #wait(endpoint: UdpEndpoint, dst: number): number {
    this.#counters.add(this.#noRoom, 1);
    endpoint.awaitedAddress = dst;
    if (!endpoint.awaits) {
      endpoint.awaits = true;
      this.#waiting.push(endpoint);
    }
    return -Errno.EAGAIN;
  }

  /** Call `onWritable` of endpoints that found no room and now have some. Called once per turn; one comparison when none waits. */
  serviceWaiting(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = this.#served;
    this.#served = waiting;
    for (const endpoint of waiting) {
      if (endpoint.closed) continue;
      const dst = endpoint.awaitedAddress;
      const path = this.#ip.transientPath(dst, endpoint.source, endpoint.pathFlags, endpoint.viaFor(dst));
      if (typeof path !== 'number' && !this.#ip.awaitRoom(path)) {
        this.#waiting.push(endpoint);
        continue;
      }
      endpoint.awaits = false;
      endpoint.onWritable?.();
    }
    waiting.length = 0;
  }
}
