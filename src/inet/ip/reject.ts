/**
 * The answers of a `reject` rule of the ingress filter.
 *
 * Thread: the one that runs the CPU. TCP gets the reset that a closed port would send, UDP a port unreachable, everything
 * else "administratively prohibited". Resets and ICMP errors pass the filter: where both ends reject each other, they end the
 * connection on both sides. Read first: RFC 9293 3.10.7.1, RFC 1812 5.2.7.1.
 */

import { checksumOf } from '../../base/checksum.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import * as ipv4 from '../../wire/ipv4.ts';
import * as tcp from '../../wire/tcp.ts';
import type { InetContext } from './context.ts';
import { type InPacket, IP_DONT_FRAGMENT, type IpService, type Path } from './transport.ts';

const DATA_OFFSET_FIVE = 0x5000;

export class RejectPolicy {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #ip: IpService;
  readonly #ttl: SysctlVariable;
  readonly #rejected: number;

  constructor(context: InetContext, ip: IpService) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#ip = ip;
    this.#ttl = context.shared.sysctl.integer(
      'net.inet.ip.ttl',
      64,
      1,
      255,
      'TTL of packets whose sender does not say',
    );
    this.#rejected = context.counters.index('ip-in-refused');
  }

  /** Whether a packet that the filter rejects is itself a rejection: a reset, an ICMP error, or neighbor discovery. */
  mustPass(packet: InPacket): boolean {
    const { protocol, at, lengthBytes } = packet;
    if (protocol === ipv4.PROTOCOL_TCP) {
      return lengthBytes >= tcp.HEADER_BYTES && (tcp.flags(this.#view, at) & tcp.FLAG_RST) !== 0;
    }
    if (lengthBytes <= 0) return false;
    const type = this.#view.getUint8(at);
    if (protocol === ipv4.PROTOCOL_ICMP) return icmpv4.isError(type);
    // Without neighbor discovery no rejection would find its way back.
    return protocol === icmpv6.PROTOCOL_ICMPV6 && (icmpv6.isError(type) || icmpv6.optionsOffset(type) !== 0);
  }

  /** Answer a packet (not a later fragment) that the filter rejected. */
  answer(packet: InPacket, nowUs: number): void {
    this.#context.counters.add(this.#rejected, 1);
    if (packet.protocol === ipv4.PROTOCOL_TCP && this.#ip.isLocal(packet.dst)) {
      this.#reset(packet);
      return;
    }
    const udp = packet.protocol === ipv4.PROTOCOL_UDP;
    this.#ip.sendUnreachable(packet, udp ? icmpv4.CODE_PORT_UNREACHABLE : icmpv4.CODE_ADMIN_PROHIBITED, nowUs);
  }

  /** RFC 9293 3.10.7.1: the reset of a connection that does not exist. */
  #reset(packet: InPacket): void {
    const view = this.#view;
    const { at, lengthBytes } = packet;
    if (packet.broadcast || lengthBytes < tcp.HEADER_BYTES) return;
    const headerBytes = tcp.headerBytes(view, at);
    if (headerBytes < tcp.HEADER_BYTES || headerBytes > lengthBytes) return;
    const flags = tcp.flags(view, at);
    const path = this.#ip.transientPath(packet.src, packet.dst, 0, null);
    if (typeof path === 'number') return;
    const hasAck = (flags & tcp.FLAG_ACK) !== 0;
    const control = ((flags & tcp.FLAG_SYN) !== 0 ? 1 : 0) + ((flags & tcp.FLAG_FIN) !== 0 ? 1 : 0);
    const seq = hasAck ? tcp.ack(view, at) : 0;
    const ack = hasAck ? 0 : (tcp.seq(view, at) + lengthBytes - headerBytes + control) | 0;
    const ports = (tcp.dstPort(view, at) << 16) | tcp.srcPort(view, at);
    this.#send(path, ports, seq, ack, hasAck ? tcp.FLAG_RST : tcp.FLAG_RST | tcp.FLAG_ACK);
  }

  #send(path: Path, ports: number, seq: number, ack: number, flags: number): void {
    const bytes = tcp.HEADER_BYTES;
    const at = this.#ip.begin(path, ipv4.PROTOCOL_TCP, bytes, this.#ttl.value, 0, IP_DONT_FRAGMENT);
    if (at < 0) return;
    const view = this.#view;
    view.setInt32(at, ports);
    view.setInt32(at + 4, seq);
    view.setInt32(at + 8, ack);
    view.setInt32(at + 12, (DATA_OFFSET_FIVE | flags) << 16);
    view.setInt32(at + 16, 0);
    const pseudo = path.addressSum + ipv4.PROTOCOL_TCP + bytes;
    tcp.setChecksum(view, at, checksumOf(pseudo + this.#context.bulk.sum(at, bytes)));
    this.#ip.end(0);
  }
}
