/**
 * The two directions between this node and one other: numbers, acknowledgments, epochs, timers.
 *
 * Thread: that of the node. An *association* lasts as long as both incarnations do, and neither has given the other up: within it every packet
 * is executed exactly once, in the order of sending. A hello begins one; a later epoch of the other side ends it. Nothing of an older
 * association is believed: packets name both epochs. Read first: wire/mbcf.ts, send-window.ts.
 */

import { seqDiff, seqGt, seqLt } from '../../base/sequence.ts';
import { Callout } from '../../kern/callout.ts';
import * as mbcf from '../../wire/mbcf.ts';
import type { Association } from './association.ts';
import type { AttachedGrant } from './attached-grant.ts';
import type { MbcfSettings } from './context.ts';
import { type PacketSender, sendBare, sendPacket } from './packet-out.ts';
import { SendWindow } from './send-window.ts';
import { STATUS_RESTARTED, STATUS_UNREACHABLE } from './status.ts';

/** A hello that is not answered is said again after so long; the answer to a stale packet is not given more often. */
const HELLO_US = 100_000;
const STALE_ANSWER_US = 1_000;

/** The node, as its pairs see it. */
export interface PairOwner extends PacketSender {
  readonly settings: MbcfSettings;
  readonly drops: PairDrops;
  /** Execute the operations of a packet. */
  execute(pair: Pair, at: number, bytes: number, count: number, wide: boolean): void;
  /** Operations that wait for replies of this pair end with a status. */
  failed(pair: Pair, status: number): void;
  /** A pair needs memory for its window. */
  makeRoom(pair: Pair): void;
  /** There is room for requests again. */
  roomy(pair: Pair): void;
  /** Something was sent, or waits to be. */
  touched(pair: Pair): void;
}

/** Indices of counters. */
export interface PairDrops {
  readonly stale: number;
  readonly duplicate: number;
  readonly early: number;
  readonly noRoom: number;
  readonly resent: number;
  readonly timeouts: number;
  readonly naks: number;
  readonly lost: number;
}

export class Pair implements Association {
  readonly peer: number;
  readonly window: SendWindow;
  /** Grants of this node's tasks that the other node has attached, by handle - 1. */
  readonly attachments: (AttachedGrant | null)[] = [];
  /** Associations so far: a handle of an earlier one is none. */
  association = 1;
  awaiting = 0;
  /** Work is marked in the node's list. */
  marked = false;
  readonly #owner: PairOwner;
  readonly #epochs: { source: number; destination: number };
  /** Number of the packet that is executed next. */
  #expected = 1;
  #owed = 0;
  #ackNow = false;
  /** A missing packet was complained about. */
  #complained = false;
  #blocked = false;
  /** When the other node was heard last. */
  #heardUs = 0;
  /** The other node has acknowledged something. */
  #proven = false;
  #starved = false;
  #srttUs = 0;
  #rttVarUs = 0;
  #rtoUs: number;
  /** Since when the other side has acknowledged nothing that is on its way, or has not answered a hello; -1: nothing is. */
  #silentUs = -1;
  #staleAnswerUs = Number.NEGATIVE_INFINITY;
  readonly #retransmission: Callout;
  readonly #delayedAck: Callout;

  constructor(owner: PairOwner, peer: number, epoch: number) {
    const { context, settings, wire } = owner;
    this.#owner = owner;
    this.peer = peer;
    this.#epochs = { source: epoch, destination: 0 };
    this.window = new SendWindow(context, wire.maxBytes, settings.inFlight, settings.wide, () => owner.makeRoom(this));
    this.#rtoUs = settings.rtoMinUs * 4;
    this.#retransmission = new Callout((nowUs) => this.#timeout(nowUs));
    this.#delayedAck = new Callout(() => {
      this.#ackNow = true;
      this.#owner.touched(this);
    });
  }

  /** Number of the packet that is executed next. */
  get expected(): number {
    return this.#expected;
  }

  get maxDataBytes(): number {
    return this.window.maxDataBytes;
  }

  get maxAddress(): number {
    return this.#owner.settings.wide ? Number.MAX_SAFE_INTEGER : 0xffff_ffff;
  }

  get maxOperationBytes(): number {
    return this.window.maxBytes - mbcf.HEADER_BYTES;
  }

  close(): void {
    this.#owner.context.callouts.stop(this.#retransmission);
    this.#owner.context.callouts.stop(this.#delayedAck);
    this.window.close();
  }

  /** As {@link SendWindow.reserve}; remembers that somebody waits for room. */
  reserve(
    code: number,
    flags: number,
    handle: number,
    tag: number,
    address: number,
    dataBytes: number,
    replyBytes: number,
  ): number {
    const at = this.window.reserve(code, flags, handle, tag, address, dataBytes, replyBytes);
    if (at < 0 && code !== mbcf.CODE_REPLY) this.#starved = true;
    return at;
  }

  commit(): void {
    this.window.commit();
    if (!this.marked) this.#owner.touched(this);
  }

  seal(): void {
    this.window.seal();
  }

  /** Give memory back: a window that holds nothing, or replies to somebody who never acknowledged any, if he was there at all. */
  // cold: when memory is short
  yieldWindow(): void {
    if (this.window.held > 0 && (this.#proven || this.awaiting > 0)) return;
    if (this.window.held > 0) this.#renew(STATUS_UNREACHABLE);
    this.window.close();
  }

  /** The wire has room again. */
  unblock(): void {
    this.#blocked = false;
    this.#owner.touched(this);
  }

  // --- Arrival ---

  /** A packet that `check` passed, for this node, from this peer. */
  receive(at: number, nowUs: number): void {
    const { view } = this.#owner.context.arena;
    const destination = mbcf.destinationEpoch(view, at);
    const source = mbcf.sourceEpoch(view, at);
    const type = mbcf.type(view, at);
    const known = this.#epochs.destination;
    if (type === mbcf.TYPE_HELLO) {
      // Duplicates of older incarnations live shorter than a silent one is waited for.
      const silent = nowUs - this.#heardUs > this.#owner.settings.giveUpUs;
      if (known === 0 || seqGt(source, known) || (silent && source !== known)) this.#meet(source);
      if (source === this.#epochs.destination) this.#heardUs = nowUs;
      if (source === this.#epochs.destination) this.#say(mbcf.TYPE_HELLO_ACK);
      return;
    }
    if (destination !== this.#epochs.source || (known !== 0 && seqLt(source, known))) {
      this.#stale(type, destination, nowUs);
      return;
    }
    // The sender knows our epoch, so it has heard of us since we began: a later incarnation, or the first that we hear of.
    if (source !== known) this.#meet(source);
    if (type === mbcf.TYPE_HELLO_ACK) {
      this.#owner.touched(this);
      return;
    }
    this.#heardUs = nowUs;
    this.#acknowledged(mbcf.acknowledgment(view, at), nowUs);
    if (this.window.toSend === this.window.unacked) this.#silentUs = -1;
    if (type === mbcf.TYPE_ACK && (mbcf.flags(view, at) & mbcf.FLAG_ACK_NOW) !== 0) {
      this.#ackNow = true;
      this.#owner.touched(this);
    }
    if (type === mbcf.TYPE_NAK && mbcf.acknowledgment(view, at) === this.window.unacked) this.#stepBack();
    if (type === mbcf.TYPE_DATA) this.#data(at);
  }

  #data(at: number): void {
    const { context, drops } = this.#owner;
    const { view } = context.arena;
    const ahead = seqDiff(mbcf.sequence(view, at), this.#expected);
    if (ahead !== 0) {
      context.counters.add(ahead < 0 ? drops.duplicate : drops.early, 1);
      if (ahead < 0) this.#ackNow = true;
      else if (!this.#complained) {
        this.#complained = true;
        context.counters.add(drops.naks, 1);
        this.#say(mbcf.TYPE_NAK);
      }
      this.#owner.touched(this);
      return;
    }
    if (!this.window.answers) {
      context.counters.add(drops.noRoom, 1);
      return;
    }
    this.#expected = (this.#expected + 1) | 0;
    this.#complained = false;
    this.#owed++;
    const flags = mbcf.flags(view, at);
    if ((flags & mbcf.FLAG_ACK_NOW) !== 0) this.#ackNow = true;
    const wide = (flags & mbcf.FLAG_ADDRESS_64) !== 0;
    const bytes = mbcf.operationBytes(view, at);
    this.#owner.execute(this, at + mbcf.HEADER_BYTES, bytes, mbcf.operationCount(view, at), wide);
    if (!this.marked) this.#owner.touched(this);
  }

  #acknowledged(number: number, nowUs: number): void {
    const sentUs = this.window.acknowledge(number);
    if (sentUs < 0) return;
    this.#proven = true;
    this.#silentUs = this.window.toSend === this.window.unacked ? -1 : nowUs;
    if (sentUs > 0) this.#measure(nowUs - sentUs);
    this.#arm(nowUs);
    if (this.#starved) {
      this.#starved = false;
      this.#owner.roomy(this);
    }
    if (!this.marked) this.#owner.touched(this);
  }

  /** RFC 6298 section 2. */
  #measure(rttUs: number): void {
    const { rtoMinUs, rtoMaxUs } = this.#owner.settings;
    if (this.#srttUs === 0) {
      this.#srttUs = rttUs;
      this.#rttVarUs = rttUs / 2;
    } else {
      this.#rttVarUs += (Math.abs(this.#srttUs - rttUs) - this.#rttVarUs) / 4;
      this.#srttUs += (rttUs - this.#srttUs) / 8;
    }
    const { ackDelayUs } = this.#owner.settings;
    this.#rtoUs = Math.min(rtoMaxUs, Math.max(rtoMinUs, this.#srttUs + 4 * this.#rttVarUs + ackDelayUs));
  }

  /** The missing packet is sent again, and all behind it. */
  #stepBack(): void {
    const { context, drops } = this.#owner;
    context.counters.add(drops.resent, seqDiff(this.window.toSend, this.window.unacked));
    this.window.stepBack();
    this.#owner.touched(this);
  }

  // --- Epochs ---

  /** Another incarnation of the other node, or the first: what was asked of the one before is not answered any more. */
  #meet(epoch: number): void {
    const first = this.#epochs.destination === 0;
    this.#epochs.destination = epoch;
    this.#silentUs = -1;
    if (!first) this.#renew(STATUS_RESTARTED);
    this.#owner.touched(this);
  }

  /** A new association. */
  #renew(status: number): void {
    this.association++;
    this.attachments.length = 0;
    this.#expected = 1;
    this.#owed = 0;
    this.#ackNow = false;
    this.#complained = false;
    const lost = this.window.reset();
    this.#owner.context.counters.add(this.#owner.drops.lost, lost);
    this.#owner.failed(this, status);
    if (!this.#starved) return;
    this.#starved = false;
    this.#owner.roomy(this);
  }

  /** For another incarnation of ours, or from an older one of the other: who is right hears of us. */
  #stale(type: number, destination: number, nowUs: number): void {
    const { context, drops } = this.#owner;
    context.counters.add(drops.stale, 1);
    const answers = type !== mbcf.TYPE_HELLO_ACK && destination !== this.#epochs.source;
    if (!answers || nowUs - this.#staleAnswerUs < STALE_ANSWER_US) return;
    this.#staleAnswerUs = nowUs;
    this.#say(mbcf.TYPE_HELLO);
  }

  /** The other node does not answer: what was asked is given up, and a later question begins anew. */
  #giveUp(): void {
    this.#epochs.source = (this.#epochs.source + 1) | 0;
    this.#epochs.destination = 0;
    this.#rtoUs = this.#owner.settings.rtoMinUs * 4;
    this.#srttUs = 0;
    this.#silentUs = -1;
    this.#renew(STATUS_UNREACHABLE);
  }

  // --- Sending ---

  /** Send what may be sent now: packets, or an acknowledgment alone. */
  flush(nowUs: number): void {
    const { window } = this;
    window.seal();
    if (this.#epochs.destination === 0) {
      if (window.held > 0 && !this.#retransmission.pending) this.#begin(nowUs);
      return;
    }
    const idle = window.toSend === window.unacked;
    while (!this.#blocked && window.ready) {
      if (!this.#transmit(nowUs)) this.#blocked = true;
    }
    if (idle && window.toSend !== window.unacked) {
      if (this.#silentUs < 0) this.#silentUs = nowUs;
      this.#arm(nowUs);
    }
    this.#acknowledge(nowUs);
  }

  #transmit(nowUs: number): boolean {
    const { window } = this;
    const { context, settings } = this.#owner;
    const at = window.packetAt;
    const flags = (window.wantsAck ? mbcf.FLAG_ACK_NOW : 0) | (settings.wide ? mbcf.FLAG_ADDRESS_64 : 0);
    const { view } = context.arena;
    const { source, destination } = this.#epochs;
    const { number } = this.#owner;
    const { toSend } = window;
    mbcf.writeHeader(view, at, mbcf.TYPE_DATA, flags, number, this.peer, source, destination, toSend, this.#expected);
    if (!sendPacket(this.#owner, this.peer, at, window.packetBytes)) return false;
    window.sent(nowUs);
    this.#owed = 0;
    this.#ackNow = false;
    return true;
  }

  #acknowledge(nowUs: number): void {
    const { callouts } = this.#owner.context;
    const { ackEvery, ackDelayUs } = this.#owner.settings;
    if (this.#ackNow || (ackEvery > 0 && this.#owed >= ackEvery)) {
      if (!this.#say(mbcf.TYPE_ACK)) return;
      this.#owed = 0;
      this.#ackNow = false;
    }
    if (this.#owed === 0) callouts.stop(this.#delayedAck);
    else if (!this.#delayedAck.pending) callouts.schedule(this.#delayedAck, nowUs + ackDelayUs);
  }

  /** Send a packet without operations. */
  #say(type: number, flags: number = 0): boolean {
    return sendBare(this.#owner, this.peer, type, flags, this.#epochs, this.window.next, this.#expected);
  }

  // --- Time ---

  #begin(nowUs: number): void {
    if (this.#silentUs < 0) this.#silentUs = nowUs;
    this.#say(mbcf.TYPE_HELLO);
    this.#owner.context.callouts.schedule(this.#retransmission, nowUs + HELLO_US);
  }

  /** Set the timer for the oldest packet, or for a question whether the one who owes replies is still there. */
  #arm(nowUs: number): void {
    const { callouts } = this.#owner.context;
    if (this.window.toSend !== this.window.unacked) callouts.schedule(this.#retransmission, nowUs + this.#rtoUs);
    else if (this.awaiting > 0) callouts.schedule(this.#retransmission, nowUs + this.#owner.settings.rtoMaxUs);
    else callouts.stop(this.#retransmission);
  }

  #timeout(nowUs: number): void {
    const { context, drops, settings } = this.#owner;
    if (this.window.held === 0 && this.awaiting === 0) return;
    this.#blocked = false;
    if (this.#silentUs >= 0 && nowUs - this.#silentUs >= settings.giveUpUs) {
      this.#giveUp();
      return;
    }
    if (this.#epochs.destination === 0) {
      this.#begin(nowUs);
      return;
    }
    if (this.window.held === 0) {
      if (this.#silentUs < 0) this.#silentUs = nowUs;
      this.#say(mbcf.TYPE_ACK, mbcf.FLAG_ACK_NOW);
      this.#arm(nowUs);
      return;
    }
    context.counters.add(drops.timeouts, 1);
    context.counters.add(drops.resent, seqDiff(this.window.toSend, this.window.unacked));
    this.window.restart();
    this.#rtoUs = Math.min(settings.rtoMaxUs, this.#rtoUs * 2);
    this.#owner.touched(this);
  }
}
