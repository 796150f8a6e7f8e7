/**
 * Playing the script's packets: inbound ones are translated and injected, outbound ones awaited and compared.
 *
 * Thread: the caller's. As in the tool, one connection at a time is "under test": the one opened last. Packets of others
 * are passed over. A scripted packet larger than the segments on the wire stands for as many of them as it takes.
 */

import * as ipv4 from '../wire/ipv4.ts';
import * as ipv6 from '../wire/ipv6.ts';
import * as tcp from '../wire/tcp.ts';
import type { AddressBook } from './address-book.ts';
import { differencePacket } from './compare.ts';
import { Flow } from './flow.ts';
import { icmpCode, icmpType } from './icmp-names.ts';
import { type LiveIcmp, type LivePacket, type LiveTcp, readFrame, writePacket } from './live-packet.ts';
import type { Machine } from './machine.ts';
import { livePacketText, scriptPacketText, secondsText } from './packet-text.ts';
import type { DrillSettings } from './settings.ts';
import type { EchoedPacket, IcmpBody, ScriptPacket, TcpBody } from './syntax.ts';
import { type Due, differenceTime, toleranceUs } from './timing.ts';
import { CallMistake, Unsupported } from './values.ts';

/** Time to live of injected packets. */
const INJECTED_TTL = 255;
/** Wait for an overdue packet, so that the report can say when it came. */
const OVERDUE_US = 120_000_000;
/** For `*`. */
const ANY_TIME_US = 3_600_000_000;
const FIRST_REMOTE_PORT = 50_000;
/** Bytes that an ICMP error quotes behind the IP header. */
const QUOTED_BYTES = 8;

/** A packet of the kernel differs from the script's. */
export class PacketMismatch extends Error {}

export class Packets {
  readonly #machine: Machine;
  readonly #settings: DrillSettings;
  /** Advance to a script time or until the condition holds; calls under way are served meanwhile. */
  readonly #advance: (untilUs: number, condition: () => boolean) => boolean;
  readonly #log: (line: string) => void;
  readonly #flows: Flow[] = [];
  #nextRemotePort = FIRST_REMOTE_PORT;
  /** The connection under test. */
  current: Flow | null = null;
  injected = 0;
  taken = 0;

  constructor(
    machine: Machine,
    settings: DrillSettings,
    advance: (untilUs: number, condition: () => boolean) => boolean,
    log: (line: string) => void,
  ) {
    this.#machine = machine;
    this.#settings = settings;
    this.#advance = advance;
    this.#log = log;
  }

  watch(flow: Flow): void {
    if (!this.#flows.includes(flow)) this.#flows.push(flow);
    this.current = flow;
  }

  /** The latest flow with that far end. */
  flowOf(address: number, port: number): Flow | null {
    return this.#last((flow) => flow.remoteAddress === address && flow.remotePort === port);
  }

  /** The flow that is so and was watched last. */
  #last(is: (flow: Flow) => boolean): Flow | null {
    for (let i = this.#flows.length - 1; i >= 0; i--) if (is(this.#flows[i] as Flow)) return this.#flows[i] as Flow;
    return null;
  }

  // --- Inbound ---

  /** Throws Unsupported, CallMistake. */
  inject(packet: ScriptPacket): void {
    if (packet.unsupported !== null) throw new Unsupported(`${packet.unsupported} is not known here`);
    const flow = this.#flowFor(packet);
    const { body, tos } = packet;
    const live: LivePacket = {
      timeUs: this.#machine.nowUs,
      src: flow.remoteAddress,
      dst: flow.localAddress,
      tos: tos === null ? 0 : tos.value,
      ttl: packet.ttl ?? INJECTED_TTL,
      flowLabel: packet.flowLabel ?? 0,
      body:
        body.kind === 'tcp'
          ? this.#inboundSegment(flow, body)
          : body.kind === 'icmp'
            ? inboundIcmp(flow, body, this.#machine.book)
            : {
                kind: 'udp',
                srcPort: flow.remotePort,
                dstPort: flow.localPort,
                payload: new Uint8Array(body.payloadBytes),
              },
    };
    if (this.#settings.verbose)
      this.#log(`inbound injected packet: ${secondsText(live.timeUs)} ${livePacketText(live)}`);
    this.injected++;
    this.#machine.inject(writePacket(live, this.#machine.book));
  }

  #inboundSegment(flow: Flow, body: TcpBody): LiveTcp {
    if ((body.flags & tcp.FLAG_SYN) !== 0 && !flow.remoteIsnKnown) flow.setRemoteIsn(body.seq);
    if ((body.flags & (tcp.FLAG_SYN | tcp.FLAG_ACK)) === tcp.FLAG_SYN) flow.reopeningIsn = body.seq;
    const options = flow.inboundOptions(body, this.#settings.tsEcrScaled);
    if (typeof options === 'string') throw new CallMistake(options);
    let { flags } = body;
    if (body.ace !== null) {
      flags |= (body.ace & 4 ? 0x100 : 0) | (body.ace & 2 ? tcp.FLAG_CWR : 0) | (body.ace & 1 ? tcp.FLAG_ECE : 0);
    }
    return {
      kind: 'tcp',
      srcPort: flow.remotePort,
      dstPort: flow.localPort,
      ...flow.inboundNumbers(body),
      flags,
      window: body.window ?? 0,
      urgent: body.urgent,
      headerBytes: 0,
      options,
      payload: new Uint8Array(body.payloadBytes),
    };
  }

  // --- Which connection ---

  #flowFor(packet: ScriptPacket): Flow {
    const { body, ports, direction } = packet;
    if (ports !== null) return this.#flowOfPorts(packet, ports);
    const { current } = this;
    if (body.kind === 'tcp' && direction === 'in' && this.#opensNew(body)) return this.#arriving(null);
    if (current === null || (body.kind !== 'icmp' && current.protocol !== body.kind)) {
      throw new CallMistake('no matching socket for script packet');
    }
    return current;
  }

  /** A packet to a listener, or to a socket that does nothing; a SYN when the connection under test is over and somebody listens. */
  #opensNew(body: TcpBody): boolean {
    const { current } = this;
    if (current === null) return true;
    if (current.protocol === 'tcp' && (current.state === 'listening' || current.state === 'idle')) return true;
    if (current.protocol !== 'tcp' || (body.flags & (tcp.FLAG_SYN | tcp.FLAG_ACK)) !== tcp.FLAG_SYN) return false;
    if (!this.#flows.some((flow) => flow.state === 'listening')) return false;
    const { tables } = this.#machine.kernel.cpus[0].tcp;
    const ports = (current.localPort << 16) | current.remotePort;
    return current.state === 'open' && tables.find(current.localAddress, current.remoteAddress, ports) < 0;
  }

  #arriving(remotePort: number | null): Flow {
    const { localAddress, remoteAddress } = this.#machine;
    const listener = this.#last((flow) => flow.state === 'listening');
    const flow = new Flow('tcp', localAddress, remoteAddress);
    flow.localPort = listener?.localPort ?? this.#settings.bindPort;
    flow.remotePort = remotePort ?? this.#nextRemotePort++;
    flow.state = 'arriving';
    this.watch(flow);
    return flow;
  }

  #flowOfPorts(packet: ScriptPacket, { src, dst }: { src: number; dst: number }): Flow {
    const [localPort, remotePort] = packet.direction === 'in' ? [dst, src] : [src, dst];
    const protocol = packet.body.kind;
    const known = this.#last(
      (flow) => flow.protocol === protocol && flow.localPort === localPort && flow.remotePort === remotePort,
    );
    if (known !== null) {
      this.current = known;
      return known;
    }
    const flow = this.#arriving(remotePort);
    flow.localPort = localPort;
    return flow;
  }

  // --- Outbound ---

  /** Wait for the packet and compare. Returns when it came. Throws PacketMismatch, Unsupported, CallMistake. */
  expect(packet: ScriptPacket, due: Due): number {
    if (packet.unsupported !== null) throw new Unsupported(`${packet.unsupported} is not known here`);
    const flow = this.#flowFor(packet);
    const limitUs =
      due.type === 'any'
        ? this.#machine.nowUs + ANY_TIME_US
        : Math.max(due.endUs + toleranceUs(this.#settings, due), this.#machine.nowUs) + OVERDUE_US;
    const first = this.#next(flow, packet, limitUs);
    if (first === null) {
      const expected = due.type === 'any' ? '' : ` at ${secondsText(due.us)} sec`;
      throw new PacketMismatch(`timed out waiting for packet${expected}\nscript packet: ${scriptPacketText(packet)}`);
    }
    if (packet.body.kind === 'tcp') this.#learnIsn(flow, packet.body, first);
    const actual = this.#translated(flow, packet, this.#aggregated(flow, packet, first));
    this.taken++;
    if (this.#settings.verbose)
      this.#log(`outbound sniffed packet: ${secondsText(actual.timeUs)} ${livePacketText(actual)}`);
    const difference =
      differencePacket(packet, actual, this.#settings) ??
      flow.differenceLabel(packet.flowLabel, actual.flowLabel) ??
      differenceTime('outbound packet', due, actual.timeUs, this.#settings);
    if (difference !== null) {
      const script = `script packet: ${due.type === 'any' ? '*' : secondsText(due.us)} ${scriptPacketText(packet)}`;
      throw new PacketMismatch(
        `${difference}\n${script}\nactual packet: ${secondsText(actual.timeUs)} ${livePacketText(actual)}`,
      );
    }
    return actual.timeUs;
  }

  /** The next packet of this flow; those of others are dropped on the way. */
  #next(flow: Flow, packet: ScriptPacket, limitUs: number): LivePacket | null {
    for (;;) {
      const { wire } = this.#machine;
      if (!wire.waiting && !this.#advance(limitUs, () => wire.waiting)) return null;
      const frame = wire.take();
      if (frame === null) continue;
      const live = readFrame(frame.bytes, this.#machine.scriptTimeUs(frame.timeUs), this.#machine.book);
      if (live === null) continue;
      if (this.#belongs(flow, packet, live)) return live;
      if (this.#settings.verbose) this.#log(`other packet: ${secondsText(live.timeUs)} ${livePacketText(live)}`);
    }
  }

  #belongs(flow: Flow, packet: ScriptPacket, live: LivePacket): boolean {
    const { body } = live;
    if (packet.body.kind === 'icmp') return body.kind === 'icmp' && live.dst === flow.remoteAddress;
    if (flow.state === 'connecting' && flow.protocol === 'tcp') {
      if (body.kind !== 'tcp' || live.dst !== flow.remoteAddress || body.dstPort !== flow.remotePort) return false;
      // Segments of another connection with the same far end do not count.
      if ((body.flags & (tcp.FLAG_SYN | tcp.FLAG_ACK)) !== tcp.FLAG_SYN) return false;
      flow.localAddress = live.src;
      flow.localPort = body.srcPort;
      return true;
    }
    if (flow.protocol === 'udp' && flow.localPort === 0 && body.kind === 'udp') flow.localPort = body.srcPort;
    return flow.sent(live);
  }

  #learnIsn(flow: Flow, script: TcpBody, live: LivePacket): void {
    if (live.body.kind !== 'tcp') return;
    const syn = (script.flags & live.body.flags & tcp.FLAG_SYN) !== 0;
    const answers = flow.reopeningIsn !== null && (live.body.flags & tcp.FLAG_ACK) !== 0;
    if (!syn || (flow.state !== 'connecting' && flow.state !== 'arriving' && !answers)) return;
    if (flow.reopeningIsn !== null) flow.setRemoteIsn(flow.reopeningIsn);
    flow.reopeningIsn = null;
    flow.setLocalIsn(script.seq, live.body.seq);
    flow.state = 'open';
  }

  /** Segments in a row that together are what the script calls one packet. */
  #aggregated(flow: Flow, packet: ScriptPacket, first: LivePacket): LivePacket {
    const { body } = packet;
    if (this.#settings.strictSegments || body.kind !== 'tcp' || first.body.kind !== 'tcp') return first;
    const parts: LiveTcp[] = [first.body];
    let bytes = first.body.payload.length;
    while (bytes > 0 && bytes < body.payloadBytes) {
      const next = this.#next(flow, packet, this.#machine.nowUs);
      if (next === null || next.body.kind !== 'tcp') break;
      const problem = notContiguous(parts[parts.length - 1] as LiveTcp, next.body, first.timeUs, next.timeUs);
      if (problem !== null) {
        const texts = [...parts, next.body].map((part, i) => {
          const timeUs = i === parts.length ? next.timeUs : first.timeUs;
          return `${secondsText(timeUs)} ${livePacketText({ ...first, body: flow.outbound(part) })}`;
        });
        throw new PacketMismatch(
          `${problem}\nscript packet: ${scriptPacketText(packet)}\nactual packets: ${texts.join('\n                ')}`,
        );
      }
      parts.push(next.body);
      bytes += next.body.payload.length;
    }
    if (parts.length === 1) return first;
    const last = parts[parts.length - 1] as LiveTcp;
    const payload = new Uint8Array(bytes);
    let at = 0;
    for (const part of parts) {
      payload.set(part.payload, at);
      at += part.payload.length;
    }
    const flags = first.body.flags | (last.flags & (tcp.FLAG_PSH | tcp.FLAG_FIN));
    return { ...first, body: { ...first.body, flags, payload } };
  }

  /** With the script's numbers. */
  #translated(flow: Flow, packet: ScriptPacket, live: LivePacket): LivePacket {
    if (live.body.kind !== 'tcp' || packet.body.kind !== 'tcp') return live;
    const segment = flow.outbound(live.body);
    const scripted = packet.body.options?.find((option) => option.kind === 'TS');
    const options = segment.options.map((option) =>
      option.kind === 'TS' && scripted?.kind === 'TS' && scripted.value !== null
        ? { ...option, value: flow.outboundTimestamp(scripted.value, option.value ?? 0) }
        : option,
    );
    return { ...live, body: { ...segment, options } };
  }
}

/** Why `next` cannot be the continuation of `before`; null when it can. */
function notContiguous(before: LiveTcp, next: LiveTcp, beforeUs: number, nextUs: number): string | null {
  if (nextUs !== beforeUs) return 'aggregate candidate: a packet sent later';
  if ((before.seq + before.payload.length) >>> 0 !== next.seq)
    return 'aggregate candidate: a sequence number is left out';
  if (next.payload.length === 0) return 'aggregate candidate: a packet without data';
  if (next.ack !== before.ack) return 'aggregate candidate: another ack';
  const fixed = tcp.FLAG_SYN | tcp.FLAG_RST | tcp.FLAG_ACK | tcp.FLAG_URG | tcp.FLAG_ECE;
  return (next.flags & fixed) === (before.flags & fixed) ? null : 'aggregate candidate: other flags';
}

function inboundIcmp(flow: Flow, body: IcmpBody, book: AddressBook): LiveIcmp {
  const type = icmpType(body.type, book.ip6);
  const code = icmpCode(body.code, book.ip6);
  if (type === null) throw new Unsupported(`ICMP type ${body.type} is not known here`);
  if (code === null) throw new Unsupported(`ICMP code ${body.code} is not known here`);
  const payload = body.echoed === null ? new Uint8Array(0) : quoted(flow, body.echoed, book);
  return { kind: 'icmp', type, code, rest: body.mtu ?? body.id << 16, payload };
}

/** IP header and the first 8 bytes of a packet of ours, as routers quote them. */
function quoted(flow: Flow, echoed: EchoedPacket, book: AddressBook): Uint8Array {
  if (echoed.protocol === 'raw') throw new Unsupported('raw packets in ICMP errors are not known here');
  const payload = new Uint8Array(echoed.payloadBytes);
  const { localAddress: src, remoteAddress: dst, localPort: srcPort, remotePort: dstPort } = flow;
  const segment: LiveTcp = {
    kind: 'tcp',
    srcPort,
    dstPort,
    seq: flow.inboundQuotedSeq(echoed.seq),
    ack: 0,
    flags: tcp.FLAG_ACK,
    window: 0,
    urgent: 0,
    headerBytes: 0,
    options: [],
    payload,
  };
  const body = echoed.protocol === 'tcp' ? segment : ({ kind: 'udp', srcPort, dstPort, payload } as const);
  const packet = writePacket({ timeUs: 0, src, dst, tos: 0, ttl: INJECTED_TTL, flowLabel: 0, body }, book);
  return packet.slice(0, (book.ip6 ? ipv6.HEADER_BYTES : ipv4.HEADER_BYTES) + QUOTED_BYTES);
}
