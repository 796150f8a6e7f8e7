/**
 * A UDP endpoint: the protocol side of a datagram socket.
 *
 * Thread: the one that runs the CPU. Receiving: datagrams wait in a byte ring ({@link UdpEndpoint.queue}), or go in place to
 * `onDatagram` when that is set. Sending: `send` copies from an ordinary array, `sendFrom` from the arena; both write straight
 * into the outgoing ring when the neighbor is known. The socket face is socket/datagram.ts.
 * Read first: RFC 768, RFC 1122 4.1, RFC 3678 (memberships). Missing: UDP-Lite.
 */

import { Errno } from '../../base/errors.ts';
import type { Bulk } from '../../mem/bulk.ts';
import type { Interface } from '../../net/interface.ts';
import { DATAGRAMS_MAX } from '../../net/offload.ts';
import { admits as filterAdmits, type SourceFilter } from '../../net/source-filter.ts';
import { isIp6 } from '../ip/address-interner.ts';
import { FAMILY_4 } from '../ip/any-address.ts';
import type { DatagramQueue } from '../ip/datagram-queue.ts';
import type { PortBinding } from '../ip/ports.ts';
import { IP_ALLOW_BROADCAST, IP_NO_LOOP, type Path } from '../ip/transport.ts';

const DEFAULT_TTL = 64;
const DEFAULT_MULTICAST_TTL = 1;

/** One group on one interface, and the sources from which datagrams are delivered. */
export interface Membership {
  readonly group: number;
  readonly iface: Interface;
  readonly filter: SourceFilter;
}

/** The protocol that an endpoint belongs to (udp.ts). */
export interface UdpProtocol {
  bind(endpoint: UdpEndpoint, address: number, port: number): number;
  connect(endpoint: UdpEndpoint, address: number, port: number): number;
  disconnect(endpoint: UdpEndpoint): number;
  close(endpoint: UdpEndpoint): void;
  join(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null): number;
  leave(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null): number;
  block(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null, blocked: boolean): number;
}

/** The way out of an endpoint's datagrams (output.ts). `port` 0 means the peer. */
export interface UdpSender {
  readonly bulk: Bulk;
  begin(endpoint: UdpEndpoint, payloadBytes: number, segmentBytes: number, address: number, port: number): number;
  endCopied(payloadBytes: number): void;
  endFrom(from: number, payloadBytes: number): void;
}

export class UdpEndpoint implements PortBinding {
  /** Local address, 0 or `::` for any; a group or broadcast address may be bound too, to receive only that. */
  address = 0;
  /** IPV6_V6ONLY: `::` is not for IPv4. */
  only6 = false;
  /** Families for which `address` is "any", and the source address of packets: set by `Udp.bind`. */
  anyFamilies: number = FAMILY_4;
  source = 0;
  /** A socket of IPv6: any address is `::`. */
  readonly ipv6: boolean;
  port = 0;
  reuseAddress = false;
  reusePort = false;
  bound = false;

  peerAddress = 0;
  peerPort = 0;
  path: Path | null = null;

  broadcast = false;
  ttl: number = DEFAULT_TTL;
  tos = 0;
  multicastTtl: number = DEFAULT_MULTICAST_TTL;
  multicastLoop = true;
  multicastInterface: Interface | null = null;
  /** IP_MULTICAST_ALL, IPV6_MULTICAST_ALL: hear groups of that family without a membership of its own; set by `Udp.open`. */
  multicastAll = true;
  multicastAll6 = true;

  /** Negative errno of an ICMP error, reported once by the next call. */
  error = 0;
  readonly queue: DatagramQueue;
  readonly memberships: Membership[] = [];
  closed = false;
  /** Chain of the port table's bucket. */
  next: UdpEndpoint | null = null;
  /** Destination of the packet that found no room, while `awaits`. */
  awaits = false;
  awaitedAddress = 0;

  /**
   * Takes datagrams in place instead of the queue: payload at `at` in the arena's view, valid during the call only.
   * The checksum was verified. Must not close the endpoint.
   */
  onDatagram: ((at: number, lengthBytes: number, src: number, srcPort: number) => void) | null = null;
  onReadable: (() => void) | null = null;
  onError: (() => void) | null = null;
  /** There is room again after `-EAGAIN`. */
  onWritable: (() => void) | null = null;

  readonly #udp: UdpProtocol;
  readonly #output: UdpSender;

  constructor(udp: UdpProtocol, output: UdpSender, queue: DatagramQueue, ipv6: boolean) {
    this.#udp = udp;
    this.#output = output;
    this.queue = queue;
    this.ipv6 = ipv6;
  }

  get connected(): boolean {
    return this.peerPort !== 0;
  }

  /** Flags of the paths that its datagrams take. */
  get pathFlags(): number {
    return (this.broadcast ? IP_ALLOW_BROADCAST : 0) | (this.multicastLoop ? 0 : IP_NO_LOOP);
  }

  /** The interface for a group; given for all IPv6 destinations, whose unicast paths ignore it. */
  viaFor(dst: number): Interface | null {
    return dst >>> 28 >= 0xe ? this.multicastInterface : null;
  }

  /**
   * Take a local address and port; 0 for any address, 0 for an ephemeral port. Returns 0, `-EINVAL` (bound already),
   * `-EADDRNOTAVAIL`, `-EADDRINUSE`.
   */
  bind(address: number, port: number): number {
    return this.#udp.bind(this, address, port);
  }

  /** Fix the peer: only its datagrams come in. Returns 0 or the errors of `IpService.openPath`, `-EADDRNOTAVAIL` for port 0. */
  connect(address: number, port: number): number {
    return this.#udp.connect(this, address, port);
  }

  /** Returns 0 or `-ENOTCONN`. */
  disconnect(): number {
    return this.#udp.disconnect(this);
  }

  /**
   * Send one datagram; with `port` 0 to the peer. Returns the count, `-EAGAIN` (no room: `onWritable` follows), `-EMSGSIZE`,
   * `-EDESTADDRREQ`, `-EISCONN` (connected, and a destination given), a pending ICMP error, or an error of the path; of a silent
   * neighbor only when connected.
   */
  send(bytes: Uint8Array, offset: number, lengthBytes: number, address: number, port: number): number {
    const at = this.#output.begin(this, lengthBytes, 0, address, port);
    if (at < 0) return at;
    this.#output.bulk.copyIn(at, bytes, offset, lengthBytes);
    this.#output.endCopied(lengthBytes);
    return lengthBytes;
  }

  /** As `send`, from a place in the arena: copied and summed in one pass. Allocates nothing. */
  sendFrom(from: number, lengthBytes: number, address: number, port: number): number {
    const at = this.#output.begin(this, lengthBytes, 0, address, port);
    if (at < 0) return at;
    this.#output.endFrom(from, lengthBytes);
    return lengthBytes;
  }

  /**
   * Datagrams of `segmentBytes` each, the last perhaps shorter, in one call (UDP_SEGMENT), and where the link takes super-frames
   * in one frame. Returns the bytes of those that were sent, all unless the link filled up; errors as `send`, `-EINVAL` for
   * more than 128, `-EMSGSIZE` when one alone would have to be fragmented.
   */
  sendSegments(
    bytes: Uint8Array,
    offset: number,
    lengthBytes: number,
    segmentBytes: number,
    address: number,
    port: number,
  ): number {
    if (!(segmentBytes > 0) || lengthBytes > DATAGRAMS_MAX * segmentBytes) return -Errno.EINVAL;
    const at = this.#output.begin(this, lengthBytes, segmentBytes, address, port);
    if (at < 0) return at;
    if (at > 0) {
      this.#output.bulk.copyIn(at, bytes, offset, lengthBytes);
      this.#output.endCopied(lengthBytes);
      return lengthBytes;
    }
    for (let sent = 0; sent < lengthBytes || sent === 0; sent += segmentBytes) {
      const result = this.send(bytes, offset + sent, Math.min(segmentBytes, lengthBytes - sent), address, port);
      if (result < 0) return sent > 0 ? sent : result;
    }
    return lengthBytes;
  }

  /**
   * Take datagrams that wait one behind the other, come from one sender and have the size of the first (the last may be
   * shorter), as far as they fit into `lengthBytes`: one after the other, without gaps. Returns the bytes copied, or as
   * `receive`; look at `queue` for sender and size before calling.
   */
  receiveSegments(into: Uint8Array, offset: number, lengthBytes: number): number {
    if (this.error !== 0) return this.takeError();
    const { queue } = this;
    const segmentBytes = queue.nextBytes;
    if (segmentBytes < 0) return -Errno.EAGAIN;
    if (segmentBytes >= lengthBytes || segmentBytes === 0) return this.receive(into, offset, lengthBytes);
    const address = queue.nextAddress;
    const port = queue.nextPort;
    const { bulk } = this.#output;
    let copied = 0;
    for (let next = segmentBytes; next > 0 && next <= segmentBytes && copied + next <= lengthBytes; ) {
      bulk.copyOut(into, offset + copied, queue.nextAt, next);
      queue.shift();
      copied += next;
      if (next < segmentBytes || queue.count === 0 || queue.nextAddress !== address || queue.nextPort !== port) break;
      next = queue.nextBytes;
    }
    return copied;
  }

  /**
   * The first datagram that waits, copied and removed; bytes beyond `lengthBytes` are dropped. Returns the bytes copied,
   * `-EAGAIN` when none waits, or a pending ICMP error. Look at `queue` for sender and full length before calling.
   */
  receive(into: Uint8Array, offset: number, lengthBytes: number): number {
    if (this.error !== 0) return this.takeError();
    const fullBytes = this.queue.nextBytes;
    if (fullBytes < 0) return -Errno.EAGAIN;
    const bytes = Math.min(fullBytes, lengthBytes);
    this.#output.bulk.copyOut(into, offset, this.queue.nextAt, bytes);
    this.queue.shift();
    return bytes;
  }

  /** Call `mark` with every address kept here. */
  markAddresses(mark: (address: number) => void): void {
    mark(this.address);
    mark(this.peerAddress);
    mark(this.awaitedAddress);
    if (this.path !== null) {
      mark(this.path.src);
      mark(this.path.dst);
    }
    for (const { group, filter } of this.memberships) {
      mark(group);
      for (const source of filter.sources) mark(source);
    }
    this.queue.markAddresses(mark);
  }

  takeError(): number {
    const error = this.error;
    this.error = 0;
    return error;
  }

  /** Join a group on an interface; `source` 0 for any source. Errors as `Memberships.join`. */
  join(group: number, source: number, iface: Interface | null): number {
    return this.#udp.join(this, group, source, iface);
  }

  leave(group: number, source: number, iface: Interface | null): number {
    return this.#udp.leave(this, group, source, iface);
  }

  /** Block or unblock a source of a joined group. Errors as `Memberships.block`. */
  block(group: number, source: number, iface: Interface | null, blocked: boolean): number {
    return this.#udp.block(this, group, source, iface, blocked);
  }

  close(): void {
    this.#udp.close(this);
  }

  /**
   * Whether a datagram to `group`, arrived by `iface` from `source`, is for this endpoint: its own membership decides (RFC 3376
   * section 3.2), without one IP_MULTICAST_ALL (ip(7) of Linux). IP delivers groups only that somebody here joined on `iface`.
   */
  admits(group: number, iface: Interface, source: number): boolean {
    for (let i = 0; i < this.memberships.length; i++) {
      const one = this.memberships[i] as Membership;
      if (one.group === group && one.iface === iface) return filterAdmits(one.filter, source);
    }
    return isIp6(group) ? this.multicastAll6 : this.multicastAll;
  }
}
