/**
 * The refusal of a datagram that a socket received: ICMP port unreachable, as if its port were closed.
 *
 * Thread: the one that runs the CPU. For sockets that stand for a service elsewhere, which refused it. The datagram has left its queue by
 * then, so its headers are written anew, from its sender to the address that replies come from. No broadcast may be refused: the caller
 * knows it from DatagramQueue.nextBroadcast. Read first: RFC 1122 4.1.3.1, RFC 4443 3.1. Missing: the TTL, type of service,
 * identification and flow label that it arrived with. Cold: once per refusal.
 */

import { sumView } from '../../base/checksum.ts';
import { Errno } from '../../base/errors.ts';
import { CODE_PORT_UNREACHABLE } from '../../wire/icmpv4.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import * as udp from '../../wire/udp.ts';
import { isIp6 } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import { IpPacket } from '../ip/packet.ts';
import type { IpService, Path } from '../ip/transport.ts';
import type { UdpEndpoint } from './endpoint.ts';

const TTL = 64;
const PACKET_BYTES_MAX = 65_535;
/** No error quotes more: one of ICMPv6 has 1280 bytes at most, one of ICMP 512 of the payload. */
const QUOTED_BYTES_MAX: number = ipv6.MTU_BYTES_MIN;

export class UdpRefusal {
  readonly #context: InetContext;
  readonly #ip: IpService;
  readonly #packet: IpPacket;

  constructor(context: InetContext, ip: IpService) {
    this.#context = context;
    this.#ip = ip;
    this.#packet = new IpPacket(context.shared.noInterface);
  }

  /**
   * Refuse a datagram of `address` and `port` that the endpoint received. Returns 0, `-EMSGSIZE` (no datagram is so long), `-ENOBUFS`, or
   * an error of the path to its sender. The limit of errors a second holds.
   */
  send(endpoint: UdpEndpoint, payload: Uint8Array, address: number, port: number, nowUs: number): number {
    const path = this.#ip.transientPath(address, endpoint.source, 0, null);
    if (typeof path === 'number') return path;
    if (path.headerBytes + udp.HEADER_BYTES + payload.length > PACKET_BYTES_MAX) return -Errno.EMSGSIZE;
    const datagram = datagramOf(path, payload, port, endpoint.port);
    const bytes = this.#packetOf(path, datagram);
    const { arena } = this.#context.shared;
    const quotedBytes = Math.min(bytes.length, QUOTED_BYTES_MAX);
    const at = this.#context.heap.allocateSpare(quotedBytes);
    if (at < 0) return -Errno.ENOBUFS;
    arena.bytes.set(bytes.subarray(0, quotedBytes), at);
    const packet = this.#packet;
    packet.headerAt = at;
    packet.at = at + path.headerBytes;
    packet.lengthBytes = datagram.length;
    packet.src = path.dst;
    packet.dst = path.src;
    packet.addressSum = path.addressSum;
    packet.protocol = ipv4.PROTOCOL_UDP;
    packet.ttl = TTL;
    packet.iface = path.iface;
    this.#ip.sendUnreachable(packet, CODE_PORT_UNREACHABLE, nowUs);
    this.#context.heap.free(at);
    return 0;
  }

  /** The packet in which a datagram came. */
  #packetOf(path: Path, payload: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(path.headerBytes + payload.length);
    const view = new DataView(bytes.buffer);
    const { src, dst } = path;
    if (isIp6(dst)) {
      const { interner } = this.#context.shared;
      const [from, to] = [interner.words(dst), interner.words(src)];
      const header = { trafficClass: 0, flowLabel: 0, hopLimit: TTL, src: from, dst: to, extensions: [] };
      ipv6.emit({ ...header, protocol: ipv4.PROTOCOL_UDP, payload }, view, 0);
    } else {
      const header = { tos: 0, identification: 0, dontFragment: true, moreFragments: false, fragmentOffsetBytes: 0 };
      const addresses = { src: dst, dst: src, options: [] };
      ipv4.emit({ ...header, ...addresses, ttl: TTL, protocol: ipv4.PROTOCOL_UDP, payload }, view, 0);
    }
    return bytes;
  }
}

/** The datagram of the peer of a path, with its checksum. */
function datagramOf(path: Path, payload: Uint8Array, srcPort: number, dstPort: number): Uint8Array {
  const bytes = new Uint8Array(udp.HEADER_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  udp.emit({ srcPort, dstPort, payload }, view, 0);
  const pseudo = path.addressSum + ipv4.PROTOCOL_UDP + bytes.length;
  udp.setChecksum(view, 0, udp.checksumField(pseudo + sumView(view, 0, bytes.length)));
  return bytes;
}
