/**
 * ARP: requests, probes, announcements and replies on their way out.
 *
 * Thread: the one that runs the kernel. Read first: RFC 826, RFC 5227 1.1 and 1.2 (kinds of ARP packets).
 */

import { RateLimit } from '../../kern/rate-limit.ts';
import type { Counters } from '../../mem/counters.ts';
import { IFF_NOARP, type Interface } from '../../net/interface.ts';
import type { Neighbor } from '../../net/neighbor-cache.ts';
import * as arp from '../../wire/arp.ts';
import * as ethernet from '../../wire/ethernet.ts';
import type { InetContext } from '../ip/context.ts';
import type { Addresses4 } from './addresses.ts';

const BROADCAST_HI = 0xffff;
const BROADCAST_LO = -1;
/** Hardware type and protocol type; address lengths. */
const FIRST_WORD: number = (arp.HARDWARE_ETHERNET << 16) | ethernet.ETHERTYPE_IPV4;
const LENGTHS = 0x0604;

/** An ARP packet about to be sent. One object per kernel. */
class ArpMessage {
  operation = 0;
  senderHi = 0;
  senderLo = 0;
  sender = 0;
  targetHi = 0;
  targetLo = 0;
  target = 0;
}

export class ArpOutput {
  readonly #view: DataView;
  readonly #addresses: Addresses4;
  readonly #counters: Counters;
  readonly #requests: number;
  readonly #replies: number;
  readonly #noRoom: number;
  readonly #message: ArpMessage = new ArpMessage();
  readonly #replyLimit: RateLimit;

  constructor(context: InetContext, addresses: Addresses4) {
    const { sysctl } = context.shared;
    this.#replyLimit = new RateLimit(sysctl, context.counters, {
      name: 'net.inet.arp.replyppslimit',
      perSecond: 10_000,
      description: 'ARP replies a second; -1: any',
      what: 'ARP replies',
      counter: 'arp-out-replies-limited',
    });
    this.#view = context.shared.arena.view;
    this.#addresses = addresses;
    this.#counters = context.counters;
    this.#requests = context.counters.index('arp-out-requests');
    this.#replies = context.counters.index('arp-out-replies');
    this.#noRoom = context.counters.index('arp-out-no-room');
  }

  /** Ask for a neighbor: everybody, or the address that is known. */
  request(neighbor: Neighbor, unicast: boolean): void {
    const { iface, address } = neighbor;
    if ((iface.flags & IFF_NOARP) !== 0) return;
    this.#ask(iface, this.#addresses.sourceFor(iface, address), address);
    if (unicast) this.#send(iface, neighbor.macHi, neighbor.macLo);
    else this.#send(iface, BROADCAST_HI, BROADCAST_LO);
  }

  /** RFC 5227 1.1: an ARP probe asks for an address without claiming it. */
  probe(iface: Interface, address: number): void {
    this.#ask(iface, 0, address);
    this.#send(iface, BROADCAST_HI, BROADCAST_LO);
  }

  /** RFC 5227 1.1: an announcement (gratuitous ARP) claims an address, and refreshes the caches of others. */
  announce(iface: Interface, address: number): void {
    this.#ask(iface, address, address);
    this.#send(iface, BROADCAST_HI, BROADCAST_LO);
  }

  /** Whether one more request may be answered this second. */
  mayReply(nowUs: number): boolean {
    return this.#replyLimit.allow(nowUs);
  }

  /** Answer the sender of a request, who is `to` at `toHi`, `toLo`: `address` is at the link-layer address `hi`, `lo`. */
  reply(iface: Interface, toHi: number, toLo: number, to: number, hi: number, lo: number, address: number): void {
    const message = this.#message;
    message.operation = arp.OPERATION_REPLY;
    message.senderHi = hi;
    message.senderLo = lo;
    message.sender = address;
    message.targetHi = toHi;
    message.targetLo = toLo;
    message.target = to;
    this.#send(iface, toHi, toLo);
  }

  /** Make the message a request of ours: `sender` asks for `target`. */
  #ask(iface: Interface, sender: number, target: number): void {
    const message = this.#message;
    message.operation = arp.OPERATION_REQUEST;
    message.senderHi = iface.macHi;
    message.senderLo = iface.macLo;
    message.sender = sender;
    message.targetHi = 0;
    message.targetLo = 0;
    message.target = target;
  }

  #send(iface: Interface, dstHi: number, dstLo: number): void {
    const { link } = iface;
    const at = iface.up ? link.reserveTo(dstHi, dstLo, ethernet.ETHERTYPE_ARP, arp.PACKET_BYTES) : -1;
    if (at < 0) {
      this.#counters.add(this.#noRoom, 1);
      return;
    }
    const view = this.#view;
    const { operation, senderHi, senderLo, sender, targetHi, targetLo, target } = this.#message;
    view.setInt32(at, FIRST_WORD);
    view.setUint16(at + 4, LENGTHS);
    view.setUint16(at + 6, operation);
    view.setUint16(at + 8, senderHi);
    view.setInt32(at + 10, senderLo);
    view.setInt32(at + 14, sender);
    view.setUint16(at + 18, targetHi);
    view.setInt32(at + 20, targetLo);
    view.setInt32(at + 24, target);
    link.commit(arp.PACKET_BYTES, 0);
    this.#counters.add(operation === arp.OPERATION_REPLY ? this.#replies : this.#requests, 1);
  }
}
