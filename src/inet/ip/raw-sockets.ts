/**
 * Raw IP endpoints: packets of one protocol, received whole, sent without their IP header.
 *
 * Thread: the one that runs the CPU. ping and traceroute are made of these; the socket face is socket/raw.ts.
 * Packets of both families are given with their IP header; those with an ICMPv6 checksum get it from us.
 * Read first: raw(7), RFC 1122 3.4. Missing: IP_HDRINCL.
 */

import { checksumOf } from '../../base/checksum.ts';
import { Errno } from '../../base/errors.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import { PROTOCOL_ICMPV6 } from '../../wire/icmpv6.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import { isIp6 } from './address-interner.ts';
import type { InetContext } from './context.ts';
import { DatagramQueue, socketBufferLimit } from './datagram-queue.ts';
import { writeIcmpChecksum } from './message-checksum.ts';
import {
  type InPacket,
  IP_ALLOW_BROADCAST,
  IP_DONT_FRAGMENT,
  IP_NO_HOST_ERROR,
  type IpService,
  type Path,
} from './transport.ts';

const MAX_PAYLOAD_BYTES: number = 65535 - ipv4.HEADER_BYTES;
const DEFAULT_TTL = 64;
/** Most options of an IPv4 header. */
export const IP_OPTION_BYTES_MAX = 40;

export class RawEndpoint {
  readonly protocol: number;
  /** A socket of IPv6. */
  readonly ipv6: boolean;
  readonly queue: DatagramQueue;
  /** There were too many: it neither receives nor sends. */
  readonly refused: boolean;
  ttl: number = DEFAULT_TTL;
  tos = 0;
  broadcast = false;
  /** Own address of packets, and the only destination that is heard; 0: any. */
  source = 0;
  /** DF, of IPv4. */
  dontFragment = false;
  /** Options of the IPv4 headers that are sent: the first {@link ipOptionBytes}, a multiple of 4. */
  readonly ipOptions: Uint8Array = new Uint8Array(IP_OPTION_BYTES_MAX);
  ipOptionBytes = 0;
  /** A packet was queued. */
  onReadable: (() => void) | null = null;
  readonly #owner: RawSockets;

  constructor(owner: RawSockets, protocol: number, ipv6: boolean, queue: DatagramQueue, refused: boolean) {
    this.refused = refused;
    this.#owner = owner;
    this.protocol = protocol;
    this.ipv6 = ipv6;
    this.queue = queue;
  }

  /**
   * Send a payload of this protocol. An ICMP checksum of 0 is filled in. Returns the count, `-EAGAIN` when there is no room
   * on the link, `-ENOBUFS` when there are too many endpoints, or what `IpService.openPath` and `begin` return.
   */
  send(bytes: Uint8Array, offset: number, lengthBytes: number, address: number): number {
    return this.#owner.send(this, bytes, offset, lengthBytes, address);
  }

  close(): void {
    this.#owner.close(this);
  }
}

export class RawSockets {
  /** Upper bound of a socket's receive buffer. */
  readonly maxBufferBytes: SysctlVariable;
  readonly #context: InetContext;
  readonly #ip: IpService;
  readonly #delivered: number;
  readonly #full: number;
  readonly #refused: number;
  readonly #maxSockets: SysctlVariable;
  readonly #receiveBytes: SysctlVariable;
  #endpoints: RawEndpoint[] = [];
  /** Whether there is any endpoint; read on the data path. */
  active = false;

  constructor(context: InetContext, ip: IpService) {
    this.#context = context;
    this.#ip = ip;
    this.#delivered = context.counters.index('raw-in');
    this.#full = context.counters.index('raw-full-socket-drops');
    this.#refused = context.counters.index('raw-sockets-refused');
    const { sysctl } = context.shared;
    this.#maxSockets = sysctl.integer('net.inet.raw.maxsockets', 1024, 1, 1 << 20, 'raw sockets');
    this.#receiveBytes = sysctl.integer(
      'net.inet.raw.recvspace',
      65536,
      1024,
      1 << 24,
      'receive buffer of each, bytes',
    );
    this.maxBufferBytes = socketBufferLimit(sysctl);
    sysctl.limits.add({
      table: 'raw sockets',
      variable: this.#maxSockets,
      counter: 'raw-sockets-refused',
      whenFull: 'sending fails with ENOBUFS, nothing is received',
      size: () => this.count,
    });
    sysctl.limits.add({
      table: 'packets waiting in one raw socket, bytes; its own buffer size may be less',
      variable: this.maxBufferBytes,
      counter: 'raw-full-socket-drops',
      whenFull: 'the packet is dropped',
      size: () => this.#endpoints.reduce((most, one) => Math.max(most, one.queue.queuedBytes), 0),
    });
    context.shared.interner.addHolder(this);
  }

  /** As `AddressHolder.markAddresses`. */
  markAddresses(mark: (address: number) => void): void {
    for (const { queue, source } of this.#endpoints) {
      queue.markAddresses(mark);
      if (source !== 0) mark(source);
    }
  }

  // cold: sockets are opened
  open(protocol: number, ipv6: boolean = false): RawEndpoint {
    const full = this.#endpoints.length >= this.#maxSockets.value;
    const queue = new DatagramQueue(this.#context, Math.min(this.#receiveBytes.value, this.maxBufferBytes.value));
    const endpoint = new RawEndpoint(this, protocol, ipv6, queue, full);
    if (full) {
      this.#context.counters.add(this.#refused, 1);
      return endpoint;
    }
    this.#endpoints.push(endpoint);
    this.active = true;
    return endpoint;
  }

  // cold: sockets are closed
  close(endpoint: RawEndpoint): void {
    this.#endpoints = this.#endpoints.filter((one) => one !== endpoint);
    this.active = this.#endpoints.length > 0;
    endpoint.queue.close();
  }

  get count(): number {
    return this.#endpoints.length;
  }

  /** Queue a copy of the packet, header included, at every endpoint of its protocol. False when there is none. */
  input(packet: InPacket): boolean {
    const { bulk, counters } = this.#context;
    const bytes = packet.at - packet.headerAt + packet.lengthBytes;
    let taken = false;
    for (let i = 0; i < this.#endpoints.length; i++) {
      const endpoint = this.#endpoints[i] as RawEndpoint;
      if (endpoint.protocol !== packet.protocol || endpoint.ipv6 !== isIp6(packet.dst)) continue;
      if (endpoint.source !== 0 && endpoint.source !== packet.dst) continue;
      taken = true;
      const at = endpoint.queue.reserve(bytes);
      if (at < 0) {
        counters.add(this.#full, 1);
        continue;
      }
      bulk.copy(at, packet.headerAt, bytes);
      endpoint.queue.commit(packet.src, 0);
      counters.add(this.#delivered, 1);
      endpoint.onReadable?.();
    }
    return taken;
  }

  send(endpoint: RawEndpoint, bytes: Uint8Array, offset: number, lengthBytes: number, address: number): number {
    const { bulk } = this.#context;
    const { arena } = this.#context.shared;
    if (endpoint.refused) return -Errno.ENOBUFS;
    if (lengthBytes > MAX_PAYLOAD_BYTES) return -Errno.EMSGSIZE;
    if (endpoint.ipv6 !== isIp6(address)) return -Errno.EAFNOSUPPORT;
    // As in NetBSD a packet to a neighbor that was silent waits: it goes when the next request is answered.
    const path = this.#ip.transientPath(address, endpoint.source, endpoint.broadcast ? IP_ALLOW_BROADCAST : 0, null);
    if (typeof path === 'number') return path === -Errno.ENETUNREACH ? this.#unreachable(address) : path;
    const at = this.#begin(endpoint, path, lengthBytes);
    if (at < 0) return at === -Errno.ENOBUFS ? -Errno.EAGAIN : at;
    bulk.copyIn(at, bytes, offset, lengthBytes);
    if (endpoint.protocol === ipv4.PROTOCOL_ICMP && lengthBytes >= 4 && arena.view.getUint16(at + 2) === 0) {
      arena.view.setUint16(at + 2, checksumOf(bulk.sum(at, lengthBytes)));
    }
    if (endpoint.ipv6 && endpoint.protocol === PROTOCOL_ICMPV6 && lengthBytes >= 4) {
      writeIcmpChecksum(this.#context, path, at, lengthBytes);
    }
    this.#ip.end(0);
    return lengthBytes;
  }

  /** The offset of the payload, behind the options, or what `IpService.begin` returns. */
  #begin(endpoint: RawEndpoint, path: Path, lengthBytes: number): number {
    const { protocol, ttl, tos, ipOptions, ipOptionBytes } = endpoint;
    if (ipOptionBytes === 0) {
      const flags = endpoint.dontFragment ? IP_NO_HOST_ERROR | IP_DONT_FRAGMENT : IP_NO_HOST_ERROR;
      return this.#ip.begin(path, protocol, lengthBytes, ttl, tos, flags);
    }
    const at = this.#ip.beginWithOptions(path, protocol, ipOptionBytes, lengthBytes, ttl, tos);
    if (at < 0) return at;
    this.#context.bulk.copyIn(at, ipOptions, 0, ipOptionBytes);
    return at + ipOptionBytes;
  }

  /** Raw sockets are for NetBSD's tools, which know the errors of ip_output(): without a route it is the host. */
  #unreachable(address: number): number {
    const { routes } = this.#context.shared.families.of(address);
    return routes.lookup(address) === null ? -Errno.EHOSTUNREACH : -Errno.ENETUNREACH;
  }
}
