/**
 * UDP from packets to endpoints: datagrams and ICMP errors.
 *
 * Thread: the one that runs the CPU. A datagram goes to the endpoint that matches it best (connected before bound before any),
 * a broadcast or multicast to all that match. Both families come here; a datagram of IPv6 must have a checksum.
 * Read first: RFC 768, RFC 1122 4.1.3, RFC 8200 8.1.
 */

import { FOLDED_ONES, foldSum } from '../../base/checksum.ts';
import type { Bulk } from '../../mem/bulk.ts';
import type { Counters } from '../../mem/counters.ts';
import { DATAGRAMS_MAX } from '../../net/offload.ts';
import { META_CHECKSUM_KNOWN, META_SEGMENT_SHIFT } from '../../net/packet-meta.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import { PROTOCOL_UDP } from '../../wire/ipv4.ts';
import { HEADER_BYTES } from '../../wire/udp.ts';
import { isIp6 } from '../ip/address-interner.ts';
import { familyOf } from '../ip/any-address.ts';
import type { InetContext } from '../ip/context.ts';
import type { GroupService, IcmpError, InPacket, IpService, Transport } from '../ip/transport.ts';
import type { UdpDemux } from './demux.ts';
import type { UdpEndpoint } from './endpoint.ts';
import { errnoOf } from './errors.ts';
import { datagramsIn } from './segments.ts';

export class UdpInput implements Transport {
  readonly protocol: number = PROTOCOL_UDP;
  readonly #ip: IpService;
  readonly #groups: GroupService;
  readonly #demux: UdpDemux;
  readonly #view: DataView;
  readonly #bulk: Bulk;
  readonly #counters: Counters;
  readonly #in: number;
  readonly #short: number;
  readonly #badLength: number;
  readonly #badChecksum: number;
  readonly #noChecksum: number;
  readonly #noPort: number;
  readonly #noPortGroup: number;
  readonly #full: number;

  constructor(context: InetContext, ip: IpService, groups: GroupService, demux: UdpDemux) {
    const { counters } = context;
    this.#ip = ip;
    this.#groups = groups;
    this.#demux = demux;
    this.#view = context.shared.arena.view;
    this.#bulk = context.bulk;
    this.#counters = counters;
    this.#in = counters.index('udp-in');
    this.#short = counters.index('udp-in-short');
    this.#badLength = counters.index('udp-in-bad-length');
    this.#badChecksum = counters.index('udp-in-bad-checksum');
    this.#noChecksum = counters.index('udp-in-no-checksum');
    this.#noPort = counters.index('udp-in-no-port');
    this.#noPortGroup = counters.index('udp-in-no-port-group');
    this.#full = counters.index('udp-full-socket-drops');
  }

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
      this.#bulk.copy(to, payloadAt, payloadBytes);
    } else {
      const view = this.#view;
      const header = view.getInt32(packet.at);
      const word = view.getInt32(packet.at + 4);
      const sum = (header >>> 16) + (header & 0xffff) + (word >>> 16) + (word & 0xffff);
      const pseudo = packet.addressSum + PROTOCOL_UDP + bytes;
      const total = sum + pseudo + this.#bulk.copySum(to, payloadAt, payloadBytes);
      if (foldSum(total) !== FOLDED_ONES) {
        this.#counters.add(this.#badChecksum, 1);
        return;
      }
    }
    endpoint.queue.commit(packet.src, srcPort, segmentBytes, packet.broadcast);
    this.#counters.add(this.#in, datagrams);
    endpoint.onReadable?.();
  }

  #verify(packet: InPacket, bytes: number): boolean {
    const sum = this.#bulk.sum(packet.at, bytes) + packet.addressSum + PROTOCOL_UDP + bytes;
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
}
