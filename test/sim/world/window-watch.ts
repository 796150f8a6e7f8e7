/**
 * Limit of a machine's TCP connections: no byte beyond the right edge of any window that its peer offered, but the
 * one of a window probe (RFC 9293 3.8.6). Seen from outside, in the frames that come in and go out.
 */

import { META_CHECKSUM_KNOWN } from '../../../src/link/device.ts';
import * as ipv4 from '../../../src/wire/ipv4.ts';
import * as ipv6 from '../../../src/wire/ipv6.ts';
import * as tcp from '../../../src/wire/tcp.ts';

/** One connection, from the side of this machine. */
interface Flow {
  /** Initial sequence numbers of this machine and its peer; null: not seen. */
  iss: number | null;
  irs: number | null;
  /** Window scales of the two SYNs; -1: not seen, or without the option. */
  ownScale: number;
  peerScale: number;
  /** Right edge of the window, the furthest ever offered, as a sequence number. Null before there was an ACK. */
  edge: number | null;
}

export class WindowWatch {
  readonly #flows: Map<string, Flow> = new Map();
  readonly #options: tcp.TcpOptions = new tcp.TcpOptions();

  /** A packet of IP at `at` came in; `meta` as its device gave it. */
  received(view: DataView, at: number, meta: number): void {
    const segment = segmentAt(view, at);
    if (segment < 0) return;
    const flags = tcp.flags(view, segment);
    const key = keyOf(view, at, segment, true);
    const syn = (flags & tcp.FLAG_SYN) !== 0;
    if (syn) {
      // A scale that a link has spoilt is not believed, as the machine does not believe it.
      if ((meta & META_CHECKSUM_KNOWN) === 0 && !sumGood(view, at, segment)) return;
      const irs = tcp.seq(view, segment);
      const known = this.#flows.get(key);
      const flow = known === undefined || (known.irs !== null && known.irs !== irs) ? this.#open(key) : known;
      flow.irs = irs;
      flow.peerScale = this.#scaleOf(view, segment);
    }
    const flow = this.#flows.get(key);
    if (flow === undefined || (flags & tcp.FLAG_ACK) === 0) return;
    const scale = !syn && flow.ownScale >= 0 && flow.peerScale >= 0 ? flow.peerScale : 0;
    const edge = (tcp.ack(view, segment) + (tcp.window(view, segment) << scale)) | 0;
    if (flow.edge === null || ((edge - flow.edge) | 0) > 0) flow.edge = edge;
  }

  /** A packet of IP at `at`, `lengthBytes` long, goes out. Returns what is wrong with it, '' when nothing is. */
  sent(view: DataView, at: number, lengthBytes: number): string {
    const segment = ipv4.version(view, at) === 4 && ipv4.isFragment(view, at) ? -1 : segmentAt(view, at);
    if (segment < 0) return '';
    const key = keyOf(view, at, segment, false);
    const seq = tcp.seq(view, segment);
    const known = this.#flows.get(key);
    if ((tcp.flags(view, segment) & tcp.FLAG_SYN) !== 0) {
      const flow = known === undefined || (known.iss !== null && known.iss !== seq) ? this.#open(key) : known;
      flow.iss = seq;
      flow.ownScale = this.#scaleOf(view, segment);
      return '';
    }
    const dataBytes = lengthBytes - (segment - at) - tcp.headerBytes(view, segment);
    if (dataBytes <= 1 || known === undefined || known.edge === null) return '';
    const beyond = (seq + dataBytes - known.edge) | 0;
    return beyond > 0 ? `${beyond} bytes beyond the window that the peer offered` : '';
  }

  #open(key: string): Flow {
    const flow: Flow = { iss: null, irs: null, ownScale: -1, peerScale: -1, edge: null };
    this.#flows.set(key, flow);
    return flow;
  }

  #scaleOf(view: DataView, segment: number): number {
    const headerBytes = tcp.headerBytes(view, segment);
    tcp.parseOptions(view, segment + tcp.HEADER_BYTES, segment + headerBytes, this.#options);
    return this.#options.windowScale;
  }
}

/** Offset of the TCP header of a packet; -1 when it has none: another protocol, a later fragment. */
function segmentAt(view: DataView, at: number): number {
  if (ipv4.version(view, at) === 6) {
    return ipv6.nextHeader(view, at) === ipv4.PROTOCOL_TCP ? at + ipv6.HEADER_BYTES : -1;
  }
  const first = ipv4.protocol(view, at) === ipv4.PROTOCOL_TCP && ipv4.fragmentOffsetBytes(view, at) === 0;
  return first ? at + ipv4.headerBytes(view, at) : -1;
}

function sumGood(view: DataView, at: number, segment: number): boolean {
  if (ipv4.version(view, at) === 6)
    return ipv6.verifyUpper(view, at, segment, ipv4.PROTOCOL_TCP, ipv6.payloadBytes(view, at));
  return tcp.verify(view, segment, ipv4.payloadBytes(view, at), ipv4.src(view, at), ipv4.dst(view, at));
}

/** The connection from this machine's side: its end first. */
function keyOf(view: DataView, at: number, segment: number, incoming: boolean): string {
  const six = ipv4.version(view, at) === 6;
  const src = six ? `${ipv6.src(view, at)}` : `${ipv4.src(view, at)}`;
  const dst = six ? `${ipv6.dst(view, at)}` : `${ipv4.dst(view, at)}`;
  const from = `${src}:${tcp.srcPort(view, segment)}`;
  const to = `${dst}:${tcp.dstPort(view, segment)}`;
  return incoming ? `${to} ${from}` : `${from} ${to}`;
}
