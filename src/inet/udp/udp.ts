/**
 * UDP: from packets to endpoints and back.
 *
 * Thread: the one that runs the CPU. Endpoints hang in buckets by local port; a datagram goes to the endpoint that matches
 * it best (connected before bound before any), a broadcast or multicast to all that match. Nothing is allocated per datagram.
 * Both families come here; a datagram of IPv6 must have a checksum.
 * Read first: RFC 768, RFC 1122 4.1, RFC 8085, RFC 8200 8.1. Missing: UDP-Lite, encapsulation.
 */

import { checksumOf, foldSum } from '../../base/checksum.ts';
import { Errno } from '../../base/errors.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Bulk } from '../../mem/bulk.ts';
import type { Counters } from '../../mem/counters.ts';
import type { Interface } from '../../net/interface.ts';
import {
  CAP_CHECKSUM_PARTIAL,
  CAP_SUPER_FRAMES,
  META_CHECKSUM_KNOWN,
  META_CHECKSUM_PARTIAL,
  META_SEGMENT_SHIFT,
} from '../../net/packet-meta.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import { HEADER_BYTES as IP4_HEADER_BYTES, PROTOCOL_UDP } from '../../wire/ipv4.ts';
import { HEADER_BYTES } from '../../wire/udp.ts';
import { IP6_ANY, isIp6 } from '../ip/address-interner.ts';
import { anyFamilies, FAMILY_4, familyOf, isAny } from '../ip/any-address.ts';
import type { InetContext } from '../ip/context.ts';
import { DatagramQueue, socketBufferLimit } from '../ip/datagram-queue.ts';
import type { PortTable } from '../ip/ports.ts';
import { DATAGRAMS_MAX } from '../ip/super-frame.ts';
import {
  type GroupService,
  type IcmpError,
  type InPacket,
  IP_ALLOW_BROADCAST,
  IP_DONT_FRAGMENT,
  IP_NO_LOOP,
  IP_SEGMENTED,
  type IpService,
  type Path,
  type Transport,
} from '../ip/transport.ts';
import { UdpDemux } from './demux.ts';
import { UdpEndpoint, type UdpProtocol } from './endpoint.ts';
import { errnoOf } from './errors.ts';
import { Memberships } from './memberships.ts';

/** Longest payload over IPv6; over IPv4 it is 20 bytes less, which IP checks. */
const MAX_PAYLOAD_BYTES = 65527;
const FOLDED_ONES = 0xffff;

export class Udp implements Transport, UdpProtocol {
  readonly protocol: number = PROTOCOL_UDP;
  readonly context: InetContext;
  readonly ports: PortTable;
  /** Upper bound of a socket's receive buffer. */
  readonly maxBufferBytes: SysctlVariable;
  readonly bulk: Bulk;
  readonly #memberships: Memberships;
  readonly only6: SysctlVariable;
  readonly #ip: IpService;
  readonly #groups: GroupService;
  readonly #view: DataView;
  readonly #counters: Counters;
  readonly #demux: UdpDemux;
  readonly #receiveBytes: SysctlVariable;
  readonly #makeChecksum: SysctlVariable;
  readonly #in: number;
  readonly #out: number;
  readonly #short: number;
  readonly #badLength: number;
  readonly #badChecksum: number;
  readonly #noChecksum: number;
  readonly #noPort: number;
  readonly #noPortGroup: number;
  readonly #full: number;
  readonly #maxSockets: SysctlVariable;
  readonly #socketsRefused: number;
  readonly #noRoom: number;
  /** Endpoints to be told when there is room on their link. */
  #waiting: UdpEndpoint[] = [];

  /** The datagram that was begun. */
  #path: Path | null = null;
  #endpoint: UdpEndpoint | null = null;
  #headerAt = 0;
  #destinationPort = 0;
  /** 0, or the size of each of the datagrams that share the frame. */
  #segmentBytes = 0;

  constructor(context: InetContext, ip: IpService, groups: GroupService) {
    this.context = context;
    this.bulk = context.bulk;
    this.#ip = ip;
    this.#groups = groups;
    this.#view = context.shared.arena.view;
    this.#counters = context.counters;
    this.#demux = new UdpDemux(context.rng.next32());
    this.ports = context.shared.udpPorts;
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#receiveBytes = sysctl.integer('net.inet.udp.recvspace', 212992, 1024, 1 << 24, 'default receive buffer');
    this.#maxSockets = sysctl.integer('net.inet.udp.maxsockets', 65536, 16, 1 << 20, 'bound UDP sockets');
    this.only6 = sysctl.toggle('net.inet6.ip6.v6only', false, 'IPv6 sockets are not for IPv4 by default');
    this.#memberships = new Memberships(groups, context, () => this.list());
    this.#makeChecksum = sysctl.toggle('net.inet.udp.checksum', true, 'compute checksums');
    this.#in = counters.index('udp-in');
    this.#out = counters.index('udp-out');
    this.#short = counters.index('udp-in-short');
    this.#badLength = counters.index('udp-in-bad-length');
    this.#badChecksum = counters.index('udp-in-bad-checksum');
    this.#noChecksum = counters.index('udp-in-no-checksum');
    this.#noPort = counters.index('udp-in-no-port');
    this.#noPortGroup = counters.index('udp-in-no-port-group');
    this.#full = counters.index('udp-full-socket-drops');
    this.#noRoom = counters.index('udp-out-no-room');
    this.#socketsRefused = counters.index('udp-sockets-refused');
    this.maxBufferBytes = socketBufferLimit(sysctl);
    sysctl.limits.add({
      table: 'bound UDP sockets',
      variable: this.#maxSockets,
      counter: 'udp-sockets-refused',
      whenFull: 'bind fails with ENOBUFS',
      size: () => this.#demux.count,
    });
    sysctl.limits.add({
      table: 'datagrams waiting in one UDP socket, bytes; its own buffer size may be less',
      variable: this.maxBufferBytes,
      counter: 'udp-full-socket-drops',
      whenFull: 'the datagram is dropped',
      size: () => this.list().reduce((most, one) => Math.max(most, one.queue.queuedBytes), 0),
    });
    ip.register(this);
    context.shared.interner.addHolder(this);
  }

  /** `ipv6`: an endpoint whose "any address" is `::`. */
  // cold: sockets are opened
  open(ipv6: boolean = false): UdpEndpoint {
    const bufferBytes = Math.min(this.#receiveBytes.value, this.maxBufferBytes.value);
    return new UdpEndpoint(this, new DatagramQueue(this.context, bufferBytes), ipv6);
  }

  /** As `AddressHolder.markAddresses`. */
  markAddresses(mark: (address: number) => void): void {
    for (const endpoint of this.#demux.list()) endpoint.markAddresses(mark);
    for (const { awaitedAddress } of this.#waiting) mark(awaitedAddress);
  }

  /** Bound endpoints, for netstat. */
  list(): UdpEndpoint[] {
    return this.#demux.list();
  }

  // cold: control
  boundPorts(): number[] {
    return this.list().map((endpoint) => endpoint.port);
  }

  get endpointCount(): number {
    return this.#demux.count;
  }

  // --- Receiving ---

  input(packet: InPacket, nowUs: number): void {
    const view = this.#view;
    const { at, lengthBytes } = packet;
    if (lengthBytes < HEADER_BYTES) {
      this.#counters.add(this.#short, 1);
      return;
    }
    const ports = view.getInt32(at);
    const word = view.getInt32(at + 4);
    const bytes = word >>> 16;
    if (bytes < HEADER_BYTES || bytes > lengthBytes) {
      this.#counters.add(this.#badLength, 1);
      return;
    }
    if (
      packet.meta >>> META_SEGMENT_SHIFT !== 0 &&
      bytes - HEADER_BYTES > DATAGRAMS_MAX * (packet.meta >>> META_SEGMENT_SHIFT)
    ) {
      this.#counters.add(this.#badLength, 1);
      return;
    }
    let checked = (packet.meta & META_CHECKSUM_KNOWN) !== 0;
    if ((word & 0xffff) === 0) {
      if (isIp6(packet.dst)) {
        this.#counters.add(this.#noChecksum, 1);
        return;
      }
      checked = true;
    }
    if (packet.broadcast) {
      this.#inputGroup(packet, ports, bytes, checked);
      return;
    }
    const endpoint = this.#demux.lookup(packet.dst, ports & 0xffff, packet.src, ports >>> 16);
    if (endpoint === null) {
      if (!checked && !this.#verify(packet, bytes)) return;
      this.#counters.add(this.#noPort, 1);
      this.#ip.sendUnreachable(packet, icmpv4.CODE_PORT_UNREACHABLE, nowUs);
      return;
    }
    this.#deliver(endpoint, packet, ports >>> 16, bytes, checked);
  }

  /** Into the queue, copied and summed in one pass; or in place. */
  #deliver(endpoint: UdpEndpoint, packet: InPacket, srcPort: number, bytes: number, checked: boolean): void {
    const payloadAt = packet.at + HEADER_BYTES;
    const payloadBytes = bytes - HEADER_BYTES;
    const segmentBytes = packet.meta >>> META_SEGMENT_SHIFT;
    const datagrams = datagramsIn(payloadBytes, segmentBytes);
    if (endpoint.onDatagram !== null) {
      if (!checked && !this.#verify(packet, bytes)) return;
      this.#counters.add(this.#in, datagrams);
      const each = datagrams === 1 ? payloadBytes : segmentBytes;
      for (let offset = 0; offset < payloadBytes || offset === 0; offset += Math.max(each, 1)) {
        endpoint.onDatagram(payloadAt + offset, Math.min(each, payloadBytes - offset), packet.src, srcPort);
      }
      return;
    }
    const to = endpoint.queue.reserve(payloadBytes);
    if (to < 0) {
      this.#counters.add(this.#full, datagrams);
      return;
    }
    if (checked) {
      this.context.bulk.copy(to, payloadAt, payloadBytes);
    } else {
      const view = this.#view;
      const header = view.getInt32(packet.at);
      const word = view.getInt32(packet.at + 4);
      const sum = (header >>> 16) + (header & 0xffff) + (word >>> 16) + (word & 0xffff);
      const pseudo = packet.addressSum + PROTOCOL_UDP + bytes;
      const total = sum + pseudo + this.context.bulk.copySum(to, payloadAt, payloadBytes);
      if (foldSum(total) !== FOLDED_ONES) {
        this.#counters.add(this.#badChecksum, 1);
        return;
      }
    }
    endpoint.queue.commit(packet.src, srcPort, segmentBytes);
    this.#counters.add(this.#in, datagrams);
    endpoint.onReadable?.();
  }

  #verify(packet: InPacket, bytes: number): boolean {
    const sum = this.context.bulk.sum(packet.at, bytes) + packet.addressSum + PROTOCOL_UDP + bytes;
    if (foldSum(sum) === FOLDED_ONES) return true;
    this.#counters.add(this.#badChecksum, 1);
    return false;
  }

  #inputGroup(packet: InPacket, ports: number, bytes: number, checked: boolean): void {
    const port = ports & 0xffff;
    const srcPort = ports >>> 16;
    const { dst, src, iface } = packet;
    const multicast = this.#groups.isMulticast(dst);
    const family = familyOf(dst);
    if (!checked && !this.#verify(packet, bytes)) return;
    let delivered = false;
    for (let one = this.#demux.chain(port); one !== null; one = one.next) {
      if (one.port !== port || (one.address !== dst && (one.anyFamilies & family) === 0)) continue;
      if (one.peerPort !== 0 && (one.peerAddress !== src || one.peerPort !== srcPort)) continue;
      if (multicast && !one.admits(dst, iface, src)) continue;
      delivered = true;
      this.#deliver(one, packet, srcPort, bytes, true);
    }
    if (!delivered) this.#counters.add(this.#noPortGroup, 1);
  }

  /** RFC 1122 4.1.3.3: errors go to the endpoint that sent the packet, when it is connected. */
  icmpError(error: IcmpError): void {
    const view = this.#view;
    const srcPort = view.getUint16(error.quotedAt);
    const dstPort = view.getUint16(error.quotedAt + 2);
    const errno = errnoOf(error);
    if (errno === 0) return;
    const family = familyOf(error.src);
    for (let one = this.#demux.chain(srcPort); one !== null; one = one.next) {
      if (one.port !== srcPort || one.peerPort !== dstPort || one.peerAddress !== error.dst) continue;
      if (one.address !== error.src && (one.anyFamilies & family) === 0) continue;
      one.error = -errno;
      one.onError?.();
    }
  }

  // --- Sending ---

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
    let flags = 0;
    if (segmentBytes !== 0) {
      const together = goTogether(path, payloadBytes, segmentBytes);
      if (together <= 0) return together;
      flags = IP_DONT_FRAGMENT | IP_SEGMENTED;
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
    const sum = partial ? 0 : this.context.bulk.sum(this.#headerAt + HEADER_BYTES, payloadBytes);
    this.#end(path, payloadBytes, sum, partial);
  }

  /** Copy the payload from the arena. */
  endFrom(from: number, payloadBytes: number): void {
    const path = this.#path as Path;
    const to = this.#headerAt + HEADER_BYTES;
    if ((path.capabilities & CAP_CHECKSUM_PARTIAL) !== 0) {
      this.context.bulk.copy(to, from, payloadBytes);
      this.#end(path, payloadBytes, 0, true);
    } else {
      this.#end(path, payloadBytes, this.context.bulk.copySum(to, from, payloadBytes), false);
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
      if (checksum === 0) checksum = FOLDED_ONES;
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
    return this.#ip.transientPath(address, endpoint.source, pathFlags(endpoint), viaOf(endpoint, address));
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
    this.#waiting = [];
    for (const endpoint of waiting) {
      if (endpoint.closed) continue;
      const dst = endpoint.awaitedAddress;
      const path = this.#ip.transientPath(dst, endpoint.source, pathFlags(endpoint), viaOf(endpoint, dst));
      if (typeof path !== 'number' && !this.#ip.awaitRoom(path)) {
        this.#waiting.push(endpoint);
        continue;
      }
      endpoint.awaits = false;
      endpoint.onWritable?.();
    }
  }

  // --- Names and groups ---

  bind(endpoint: UdpEndpoint, address: number, port: number): number {
    if (endpoint.bound || endpoint.closed) return -Errno.EINVAL;
    if (this.#demux.count >= this.#maxSockets.value) {
      this.#counters.add(this.#socketsRefused, 1);
      return -Errno.ENOBUFS;
    }
    const group = this.#groups.isMulticast(address) || this.#ip.isBroadcast(address);
    if (!isAny(address) && !group && !this.#ip.isLocal(address)) return -Errno.EADDRNOTAVAIL;
    endpoint.address = address;
    endpoint.anyFamilies = anyFamilies(address, endpoint.only6);
    endpoint.source = group || isAny(address) ? 0 : address;
    endpoint.port = port;
    const bound = this.ports.bind(endpoint, this.context.rng);
    if (bound < 0) {
      endpoint.address = 0;
      endpoint.anyFamilies = FAMILY_4;
      endpoint.source = 0;
      endpoint.port = 0;
      return bound;
    }
    this.#demux.insert(endpoint);
    endpoint.bound = true;
    return 0;
  }

  /** An endpoint that sends before it was bound gets an ephemeral port. */
  #bindAny(endpoint: UdpEndpoint): number {
    return this.bind(endpoint, endpoint.ipv6 ? IP6_ANY : 0, 0);
  }

  connect(endpoint: UdpEndpoint, address: number, port: number): number {
    if (port === 0) return -Errno.EADDRNOTAVAIL;
    if (endpoint.closed) return -Errno.EINVAL;
    const path = this.#ip.openPath(address, endpoint.source, pathFlags(endpoint), viaOf(endpoint, address));
    if (typeof path === 'number') return path;
    if (!endpoint.bound) {
      const bound = this.#bindAny(endpoint);
      if (bound < 0) return bound;
    }
    endpoint.path = path;
    endpoint.peerAddress = path.dst;
    endpoint.peerPort = port;
    endpoint.error = 0;
    return 0;
  }

  disconnect(endpoint: UdpEndpoint): number {
    if (endpoint.path === null) return -Errno.ENOTCONN;
    this.#ip.closePath(endpoint.path);
    endpoint.path = null;
    endpoint.peerAddress = 0;
    endpoint.peerPort = 0;
    return 0;
  }

  /** Errors as `Memberships.join`. */
  join(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null): number {
    return this.#memberships.join(endpoint, group, source, iface);
  }

  leave(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null): number {
    return this.#memberships.leave(endpoint, group, source, iface);
  }

  block(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null, blocked: boolean): number {
    return this.#memberships.block(endpoint, group, source, iface, blocked);
  }

  /** An interface goes: no endpoint sends to groups there any more (in_pcbpurgeif). Memberships stay, for the endpoint to leave. */
  // cold: configuration
  detach(iface: Interface): void {
    for (const endpoint of this.list()) {
      if (endpoint.multicastInterface === iface) endpoint.multicastInterface = null;
    }
  }

  close(endpoint: UdpEndpoint): void {
    if (endpoint.closed) return;
    endpoint.closed = true;
    this.disconnect(endpoint);
    this.#memberships.leaveAll(endpoint);
    if (endpoint.bound) {
      this.#demux.remove(endpoint);
      this.ports.release(endpoint);
    }
    endpoint.bound = false;
    endpoint.queue.close();
  }
}

/** Number of datagrams of `segmentBytes` that a payload is (0: it is one). */
function datagramsIn(payloadBytes: number, segmentBytes: number): number {
  return segmentBytes === 0 || segmentBytes >= payloadBytes ? 1 : Math.ceil(payloadBytes / segmentBytes);
}

/** Whether datagrams, `payloadBytes` in all, go as one frame: 1; 0 one by one; `-EMSGSIZE`, one alone is too long. */
function goTogether(path: Path, payloadBytes: number, segmentBytes: number): number {
  const headerBytes = path.headerBytes + HEADER_BYTES;
  if (headerBytes + Math.min(segmentBytes, payloadBytes) > path.mtuBytes) return -Errno.EMSGSIZE;
  if (payloadBytes <= segmentBytes || (path.capabilities & CAP_SUPER_FRAMES) === 0) return 0;
  if (path.loops || path.discards) return 0;
  return headerBytes + payloadBytes <= path.maxPacketBytes ? 1 : 0;
}

function pathFlags(endpoint: UdpEndpoint): number {
  return (endpoint.broadcast ? IP_ALLOW_BROADCAST : 0) | (endpoint.multicastLoop ? 0 : IP_NO_LOOP);
}

/** The interface for groups; given for all IPv6 destinations, whose unicast paths ignore it. */
function viaOf(endpoint: UdpEndpoint, dst: number): Interface | null {
  return dst >>> 28 >= 0xe ? endpoint.multicastInterface : null;
}
