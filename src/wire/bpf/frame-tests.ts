/**
 * Tests of an Ethernet frame as conditions: types, protocols, addresses, ports. Offsets are those behind the VLAN tags that the
 * expression has named so far.
 *
 * Thread: any. Order and bounds of the tests are those of libpcap, so that frames which are too short get its verdicts. Read first:
 * assembler.ts, pcap-filter(7). Cold: once per filter.
 */

import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../ethernet.ts';
import { FRAGMENT_OFFSET_MASK, PROTOCOL_TCP, PROTOCOL_UDP } from '../ipv4.ts';
import { type Condition, instruction, type Test } from './assembler.ts';
import { ABS, ALU, AND, B, H, IND, type Instruction, JEQ, JGE, JGT, JSET, K, LD, LDX, MSH, W } from './instructions.ts';
import type { Direction } from './syntax.ts';

const TYPE_AT = 12;
const NETWORK_AT = 14;
const TAG_BYTES = 4;
const TAG_TYPES: readonly number[] = [0x8100, 0x88a8, 0x9100];
const TAG_ID_MASK = 0xfff;
/** Larger values of the type field are types, others lengths. */
const LENGTH_FIELD_MAX = 1500;

const FRAGMENT_AT = 6;
const PROTOCOL_AT = 9;
const NEXT_HEADER_AT = 6;
const HEADER6_BYTES = 40;
const NEXT_HEADER_FRAGMENT = 44;
const PROTOCOL_SCTP = 132;
const ALL_BITS = 0xffff_ffff;

/** All parts hold. */
export const all = (...parts: Condition[]): Condition => ({ kind: 'and', parts });
/** One part holds at least. */
export const any = (...parts: Condition[]): Condition => ({ kind: 'or', parts });
/** The condition does not hold. */
export const no = (of: Condition): Condition => ({ kind: 'not', of });

/** A comparison of what `load` leaves in A with `k`. */
export function test(load: readonly Instruction[], comparison: number, k: number): Test {
  return { kind: 'test', load, comparison, k };
}

function field(size: number, at: number, value: number): Test {
  return test([instruction(LD | size | ABS, at)], JEQ, value);
}

function masked(at: number, value: number, mask: number): Test {
  const load = instruction(LD | W | ABS, at);
  return test(mask >>> 0 === ALL_BITS ? [load] : [load, instruction(ALU | AND | K, mask)], JEQ, value & mask);
}

/** A condition of the source, the destination, one of them, both. */
function directed(direction: Direction, src: Condition, dst: Condition): Condition {
  if (direction === 'src') return src;
  if (direction === 'dst') return dst;
  return direction === 'both' ? all(src, dst) : any(src, dst);
}

/** Words of an address, and the bits of them that count. */
export interface AddressWords {
  words: readonly number[];
  masks: readonly number[];
}

/** Conditions of headers, at offsets that move by 4 behind each `vlan` of the expression. */
export class FrameTests {
  #tagBytes = 0;

  get networkAt(): number {
    return NETWORK_AT + this.#tagBytes;
  }

  /** The type field; lengths of IEEE 802.3 have the protocol behind them, as the destination of LLC. */
  etherType(type: number): Condition {
    const at = TYPE_AT + this.#tagBytes;
    if (type > LENGTH_FIELD_MAX) return field(H, at, type);
    const isType = test([instruction(LD | H | ABS, at)], JGT, LENGTH_FIELD_MAX);
    return all(no(isType), field(B, this.networkAt, type));
  }

  /** A tag, with any id or one. Everything behind it in the expression is about what the tag encapsulates. */
  vlan(id: number | null): Condition {
    const at = TYPE_AT + this.#tagBytes;
    const tagged = any(...TAG_TYPES.map((type) => field(H, at, type)));
    const control = [instruction(LD | H | ABS, at + 2), instruction(ALU | AND | K, TAG_ID_MASK)];
    this.#tagBytes += TAG_BYTES;
    return id === null ? tagged : all(tagged, test(control, JEQ, id));
  }

  /** A protocol over IPv4 or IPv6; there also behind a fragment header. */
  protocol(version: 4 | 6, number: number): Condition {
    const { networkAt } = this;
    if (version === 4) return all(this.etherType(ETHERTYPE_IPV4), field(B, networkAt + PROTOCOL_AT, number));
    return all(
      this.etherType(ETHERTYPE_IPV6),
      any(
        field(B, networkAt + NEXT_HEADER_AT, number),
        all(field(B, networkAt + NEXT_HEADER_AT, NEXT_HEADER_FRAGMENT), field(B, networkAt + HEADER6_BYTES, number)),
      ),
    );
  }

  /** The first or only fragment of an IPv4 packet. */
  firstFragment(): Condition {
    const load = [instruction(LD | H | ABS, this.networkAt + FRAGMENT_AT)];
    return no(test(load, JSET, FRAGMENT_OFFSET_MASK));
  }

  /** Addresses at two offsets of the network header. */
  addresses(
    type: number,
    { words, masks }: AddressWords,
    direction: Direction,
    srcAt: number,
    dstAt: number,
  ): Condition {
    const at = (from: number): Condition =>
      all(...words.map((word, i) => masked(this.networkAt + from + 4 * i, word, masks[i] as number)));
    return all(this.etherType(type), directed(direction, at(srcAt), at(dstAt)));
  }

  macs(hi: number, lo: number, direction: Direction): Condition {
    const at = (from: number): Condition => all(field(W, from + 2, lo >>> 0), field(H, from, hi));
    return directed(direction, at(6), at(0));
  }

  /** A bit or a byte of a destination address. */
  destinationByte(at: number, comparison: typeof JEQ | typeof JGE | typeof JSET, value: number): Condition {
    return test([instruction(LD | B | ABS, at)], comparison, value);
  }

  /** Ports of one protocol, of TCP, UDP and SCTP when it is null. */
  ports(protocol: number | null, first: number, last: number, direction: Direction): Condition {
    const protocols = protocol === null ? [PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP] : [protocol];
    const { networkAt } = this;
    const over6 = protocols.map((number) =>
      all(field(B, networkAt + NEXT_HEADER_AT, number), this.#ports(6, first, last, direction)),
    );
    const over4 = protocols.map((number) =>
      all(field(B, networkAt + PROTOCOL_AT, number), this.firstFragment(), this.#ports(4, first, last, direction)),
    );
    return any(all(this.etherType(ETHERTYPE_IPV6), any(...over6)), all(this.etherType(ETHERTYPE_IPV4), any(...over4)));
  }

  #ports(version: 4 | 6, first: number, last: number, direction: Direction): Condition {
    const { networkAt } = this;
    const load = (at: number): Instruction[] =>
      version === 4
        ? [instruction(LDX | B | MSH, networkAt), instruction(LD | H | IND, networkAt + at)]
        : [instruction(LD | H | ABS, networkAt + HEADER6_BYTES + at)];
    const port = (at: number): Condition =>
      first === last ? test(load(at), JEQ, first) : all(test(load(at), JGE, first), no(test(load(at), JGT, last)));
    return directed(direction, port(0), port(2));
  }
}
