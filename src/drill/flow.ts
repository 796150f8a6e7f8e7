/**
 * One connection of a script: its addresses and ports on the wire, and how the script's numbers become those of the wire.
 *
 * Thread: the caller's. A script counts sequence numbers from the beginning of each direction (the SYN's own number stands
 * literally, all others are relative to it), and timestamps by the values it expects: the first outbound pair fixes the
 * distance, each pair is remembered so that an echo finds its value.
 */

import { FLAG_ACK, FLAG_SYN } from '../wire/tcp.ts';
import type { LivePacket, LiveTcp } from './live-packet.ts';
import type { ScriptTcpOption, TcpBody } from './syntax.ts';

export type FlowState =
  /** A socket that does nothing yet, or listens. */
  | 'idle'
  | 'listening'
  /** connect() was called; the SYN is not seen yet. */
  | 'connecting'
  /** The script injected a packet that opens it. */
  | 'arriving'
  | 'open';

export class Flow {
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  state: FlowState = 'idle';
  localAddress: number;
  localPort = 0;
  remoteAddress: number;
  remotePort = 0;
  scriptLocalIsn = 0;
  liveLocalIsn = 0;
  scriptRemoteIsn = 0;
  liveRemoteIsn = 0;
  /** The remote end's SYN was seen. */
  remoteIsnKnown = false;
  /** A SYN that may begin these four numbers anew (TIME_WAIT): counts once a SYN-ACK answers it. */
  reopeningIsn: number | null = null;
  readonly #tsValues: Map<number, number> = new Map();
  #firstScriptTs: number | null = null;
  #firstLiveTs = 0;
  #label: { script: number; live: number } | null = null;

  constructor(protocol: 'tcp' | 'udp' | 'icmp', localAddress: number, remoteAddress: number) {
    this.protocol = protocol;
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
  }

  /** The remote end begins with this number, literally. */
  setRemoteIsn(seq: number): void {
    this.scriptRemoteIsn = seq;
    this.liveRemoteIsn = seq;
    this.remoteIsnKnown = true;
  }

  /** Our end begins: the script's number stands for the live one. */
  setLocalIsn(scriptSeq: number, liveSeq: number): void {
    this.scriptLocalIsn = scriptSeq;
    this.liveLocalIsn = liveSeq;
  }

  /** Whether a packet of the kernel is one of this flow's. */
  sent(packet: LivePacket): boolean {
    const { body } = packet;
    if (packet.src !== this.localAddress || packet.dst !== this.remoteAddress || body.kind !== this.protocol)
      return false;
    if (body.kind === 'icmp') return true;
    return body.srcPort === this.localPort && body.dstPort === this.remotePort;
  }

  /** Numbers of a segment from the script as the kernel must see them. */
  inboundNumbers(body: TcpBody): { seq: number; ack: number } {
    const { remote, local } = this.#offsets((body.flags & FLAG_SYN) !== 0);
    const ack = (body.flags & FLAG_ACK) === 0 ? body.ack : body.ack + local;
    return { seq: (body.seq + remote) >>> 0, ack: ack >>> 0 };
  }

  /** The quoted sequence number of an ICMP error. */
  inboundQuotedSeq(seq: number): number {
    return (seq + this.liveLocalIsn) >>> 0;
  }

  /**
   * Options from the script with the kernel's numbers. Returns a reason when an echoed timestamp stands for none that was
   * sent.
   */
  inboundOptions(body: TcpBody, scaled: boolean): ScriptTcpOption[] | string {
    const { local } = this.#offsets((body.flags & FLAG_SYN) !== 0);
    const options: ScriptTcpOption[] = [];
    for (const option of body.options ?? []) {
      if (option.kind === 'sack') options.push({ kind: 'sack', blocks: shiftBlocks(option.blocks, local) });
      else if (option.kind === 'TS' && (body.flags & FLAG_ACK) !== 0) {
        const echo = this.#liveEcho(option.echo ?? 0, scaled);
        if (echo === null) {
          return `unable to infer live TS ecr for script TS ecr ${option.echo}; no matching or preceding outbound TS val`;
        }
        options.push({ kind: 'TS', value: option.value, echo });
      } else options.push(option);
    }
    return options;
  }

  #liveEcho(scriptEcho: number, scaled: boolean): number | null {
    const live = this.#tsValues.get(scriptEcho);
    if (live !== undefined) return live;
    if (!scaled || this.#firstScriptTs === null) return null;
    return (scriptEcho - this.#firstScriptTs + this.#firstLiveTs) >>> 0;
  }

  /** A segment of the kernel with the script's numbers; timestamps are left to `outboundTimestamp`. */
  outbound(segment: LiveTcp): LiveTcp {
    const { remote, local } = this.#offsets((segment.flags & FLAG_SYN) !== 0);
    const options = segment.options.map((option) =>
      option.kind === 'sack' ? { ...option, blocks: shiftBlocks(option.blocks, -remote) } : option,
    );
    const ack = (segment.flags & FLAG_ACK) === 0 ? segment.ack : (segment.ack - remote) >>> 0;
    return { ...segment, seq: (segment.seq - local) >>> 0, ack, options };
  }

  /** Remember which value of the script a sent timestamp stands for; returns the script's value for the live one. */
  outboundTimestamp(scriptValue: number, liveValue: number): number {
    this.#tsValues.set(scriptValue, liveValue);
    if (this.#firstScriptTs === null) {
      this.#firstScriptTs = scriptValue;
      this.#firstLiveTs = liveValue;
    }
    return (this.#firstScriptTs + ((liveValue - this.#firstLiveTs) | 0)) >>> 0;
  }

  /** A label of the script stands for one of the wire: the same for the same, another for another. Null: so it is. */
  differenceLabel(script: number | null, live: number): string | null {
    if (script === null || script === 0) return null;
    if (live === 0) return 'flowlabel unmarked in the live packet';
    const known = this.#label;
    if (known === null || (known.script !== script && known.live !== live)) {
      this.#label = { script, live };
      return null;
    }
    if (known.script !== script) return 'expected a different flowlabel but got the same';
    if (known.live === live) return null;
    return `inconsistent flowlabels: expected 0x${known.live.toString(16)} vs actual 0x${live.toString(16)}`;
  }

  /** Offsets from the script's numbers to the live ones. */
  #offsets(syn: boolean): { remote: number; local: number } {
    return {
      remote: syn ? this.liveRemoteIsn - this.scriptRemoteIsn : this.liveRemoteIsn,
      local: syn ? this.liveLocalIsn - this.scriptLocalIsn : this.liveLocalIsn,
    };
  }
}

function shiftBlocks(blocks: readonly { start: number; end: number }[], by: number): { start: number; end: number }[] {
  return blocks.map(({ start, end }) => ({ start: (start + by) >>> 0, end: (end + by) >>> 0 }));
}
