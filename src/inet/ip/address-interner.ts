/**
 * The interner of IPv6 addresses: int32 handles 0xf0nnnnnn for 128 bits and a zone. No IPv4 address is in 240.0.0.0/8, so a
 * handle travels through inet/ as an IPv4 address does; only layer 3, checksums and text read the words behind it.
 *
 * Thread: the one that runs the kernel. An entry is four words and a zone: the interface index for addresses of link scope,
 * else 0. There are no reference counts. When the table fills, every holder marks the handles that it keeps and the rest is
 * freed ({@link AddressInterner.sweep}), at the start of a turn, when no packet is in the layers. A handle is valid within a
 * turn; a module that keeps one longer is an {@link AddressHolder}. IPv4-mapped addresses are never entered: they are the IPv4
 * address.
 * Read first: ARCHITECTURE.md ("Interned addresses"), RFC 4291, RFC 4007 (zones).
 *
 *   entry (8 words):  four words of the address, zone, checksum sum, next in bucket or free list, state bits
 */

import { foldSum } from '../../base/checksum.ts';
import type { Rng } from '../../base/rng.ts';
import { SipKey } from '../../base/siphash.ts';
import type { Sysctl, SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import type { Address6 } from '../../wire/ipv6-address.ts';

const BLOCK = 0xf0000000 | 0;
const INDEX_MASK = 0x00ffffff;
/** `::`. Its handle is fixed, as is the next. */
export const IP6_ANY: number = BLOCK;
/** `::1`. */
export const IP6_LOOPBACK: number = BLOCK | 1;

const ENTRY_SHIFT = 3;
const ZONE = 4;
const SUM = 5;
const NEXT = 6;
const STATE = 7;
const NONE = -1;

const USED = 1;
const MARKED = 2;
const LOCAL = 4;

const FIXED_ENTRIES = 2;
const FIRST_ENTRIES = 64;
const MAX_LIMIT = 1 << 20;

/** Whether an address is the handle of an IPv6 address, `::` among them. */
export function isIp6(address: number): boolean {
  return address >>> 24 === 0xf0;
}

/** Keeps handles from one turn to the next. */
export interface AddressHolder {
  /** Call `mark` with every address kept, of whatever family. */
  markAddresses(mark: (address: number) => void): void;
}

/** The parts of a kernel that the interner uses. */
export interface InternerContext {
  readonly counters: Counters;
  readonly sysctl: Sysctl;
  readonly rng: Rng;
}

export class AddressInterner {
  readonly #counters: Counters;
  readonly #limit: SysctlVariable;
  readonly #full: number;
  readonly #sweeps: number;
  readonly #seed: number;
  readonly #key: SipKey;
  readonly #holders: AddressHolder[] = [];
  readonly #mark: (address: number) => void;
  #entries: Int32Array = new Int32Array(FIRST_ENTRIES << ENTRY_SHIFT);
  /** First entry of each bucket. */
  #buckets: Int32Array = new Int32Array(FIRST_ENTRIES).fill(NONE);
  #mask: number = FIRST_ENTRIES - 1;
  #end = 0;
  #free: number = NONE;
  #count = 0;
  /** Number of entries at which a sweep is due. */
  #sweepAt = 0;
  #starved = false;

  constructor(context: InternerContext) {
    const { counters, sysctl, rng } = context;
    this.#counters = counters;
    this.#limit = sysctl.integer('net.inet6.ip6.maxaddresses', 16384, 256, MAX_LIMIT, 'IPv6 addresses known at a time');
    this.#full = counters.index('ip6-address-table-full');
    this.#sweeps = counters.index('ip6-address-sweeps');
    this.#seed = rng.next32();
    this.#key = SipKey.random(rng);
    this.#mark = (address) => {
      if (isIp6(address)) (this.#entries[this.#at(address) + STATE] as number) |= MARKED;
    };
    this.#limit.onChange = () => this.#planSweep();
    sysctl.limits.add({
      table: 'IPv6 addresses known at a time',
      variable: this.#limit,
      counter: 'ip6-address-table-full',
      whenFull: 'the packet is dropped; those that nobody keeps are forgotten before the next turn',
      size: () => this.#count,
    });
    this.intern(0, 0, 0, 0, 0);
    this.intern(0, 0, 0, 1, 0);
    this.#planSweep();
  }

  /** Addresses entered, the two fixed ones among them. */
  get count(): number {
    return this.#count;
  }

  /** The handle of an address that is entered already, 0 for any other. Allocates nothing. */
  find(w0: number, w1: number, w2: number, w3: number, zone: number): number {
    const entries = this.#entries;
    let index = this.#buckets[this.#hash(w0, w1, w2, w3, zone) & this.#mask] as number;
    while (index !== NONE) {
      const at = index << ENTRY_SHIFT;
      if (
        entries[at + 3] === w3 &&
        entries[at + 2] === w2 &&
        entries[at + 1] === w1 &&
        entries[at] === w0 &&
        entries[at + ZONE] === zone
      ) {
        return BLOCK | index;
      }
      index = entries[at + NEXT] as number;
    }
    return 0;
  }

  /**
   * The handle of an address, entered when it is new; 0 when the table is full (counted). `zone` is an interface index when
   * {@link isZoned} says so of the first word, else 0. Mapped addresses must not be entered.
   */
  intern(w0: number, w1: number, w2: number, w3: number, zone: number): number {
    const known = this.find(w0, w1, w2, w3, zone);
    return known !== 0 ? known : this.#enter(w0, w1, w2, w3, zone);
  }

  /** {@link intern} of words in an array; `zone` is ignored for addresses that are not of link scope. */
  internAddress(address: Address6, zone: number): number {
    return this.intern(address[0], address[1], address[2], address[3], isZoned(address[0]) ? zone : 0);
  }

  /** Word 0 to 3 of an address. */
  word(address: number, index: number): number {
    return this.#entries[this.#at(address) + index] as number;
  }

  /** Whether a number, which may be an old one, is that of an address now. */
  isNumberOf(number: number, w0: number, w1: number, w2: number, w3: number, zone: number): boolean {
    const at = this.#at(number);
    const e = this.#entries;
    return (
      e[at + 3] === w3 &&
      e[at + 2] === w2 &&
      e[at + 1] === w1 &&
      e[at] === w0 &&
      e[at + ZONE] === zone &&
      ((e[at + STATE] as number) & USED) !== 0
    );
  }

  /** Write words and zone of an address into an object. */
  read(address: number, into: { w0: number; w1: number; w2: number; w3: number; scopeId: number }): void {
    const at = this.#at(address);
    const entries = this.#entries;
    into.w0 = entries[at] as number;
    into.w1 = entries[at + 1] as number;
    into.w2 = entries[at + 2] as number;
    into.w3 = entries[at + 3] as number;
    into.scopeId = entries[at + ZONE] as number;
  }

  /** Interface index of an address of link scope, else 0. */
  zone(address: number): number {
    return this.#entries[this.#at(address) + ZONE] as number;
  }

  /** Folded sum of the eight 16-bit words, for pseudo-headers. */
  sum(address: number): number {
    return this.#entries[this.#at(address) + SUM] as number;
  }

  /** The words as an array. Not for the data path. */
  // cold: for control messages
  words(address: number): Address6 {
    const at = this.#at(address);
    const e = this.#entries;
    return [e[at] as number, e[at + 1] as number, e[at + 2] as number, e[at + 3] as number];
  }

  /** Write the 16 bytes of an address. */
  write(address: number, view: DataView, to: number): void {
    const at = this.#at(address);
    const entries = this.#entries;
    view.setInt32(to, entries[at] as number);
    view.setInt32(to + 4, entries[at + 1] as number);
    view.setInt32(to + 8, entries[at + 2] as number);
    view.setInt32(to + 12, entries[at + 3] as number);
  }

  /** Whether an address is one of this kernel's ({@link setLocal}). */
  isLocal(address: number): boolean {
    return ((this.#entries[this.#at(address) + STATE] as number) & LOCAL) !== 0;
  }

  /** Mark an address as one of this kernel's, or not. The entry of a local address is not freed. */
  setLocal(address: number, local: boolean): void {
    const at = this.#at(address) + STATE;
    const state = this.#entries[at] as number;
    this.#entries[at] = local ? state | LOCAL : state & ~LOCAL;
  }

  /**
   * A keyed hash of the address, which stays the same for as long as the kernel runs while the handle changes. For values that
   * outlive a sweep without being held: sequence numbers, cookies.
   */
  fingerprint(address: number): number {
    const at = this.#at(address);
    const e = this.#entries;
    const front = this.#key.hash3(e[at] as number, e[at + 1] as number, e[at + ZONE] as number);
    return this.#key.hash3(e[at + 2] as number, e[at + 3] as number, front);
  }

  /** Ask `holder` in every sweep from now on. */
  addHolder(holder: AddressHolder): void {
    this.#holders.push(holder);
  }

  /** Whether a sweep is due: so many entries, or an address that found no room. */
  get sweepDue(): boolean {
    return this.#starved || this.#count >= this.#sweepAt;
  }

  /** Free every entry that no holder marks. Only between turns. Returns how many were freed. */
  sweep(): number {
    for (const holder of this.#holders) holder.markAddresses(this.#mark);
    const entries = this.#entries;
    this.#buckets.fill(NONE);
    this.#free = NONE;
    const before = this.#count;
    for (let index = this.#end - 1; index >= 0; index--) {
      const at = index << ENTRY_SHIFT;
      const state = entries[at + STATE] as number;
      if (index < FIXED_ENTRIES || (state & (MARKED | LOCAL)) !== 0) {
        entries[at + STATE] = state & ~MARKED;
        this.#link(index);
        continue;
      }
      if ((state & USED) !== 0) this.#count--;
      entries[at + STATE] = 0;
      entries[at + NEXT] = this.#free;
      this.#free = index;
    }
    this.#starved = false;
    this.#planSweep();
    this.#counters.add(this.#sweeps, 1);
    return before - this.#count;
  }

  /** At three quarters of the limit; later when most of them live, so that full tables are not swept for nothing. */
  #planSweep(): void {
    const limit = this.#limit.value;
    this.#sweepAt = Math.max((limit * 3) >> 2, (this.#count + limit) >> 1, this.#count + 1);
  }

  #enter(w0: number, w1: number, w2: number, w3: number, zone: number): number {
    if (this.#count >= this.#limit.value) {
      this.#starved = true;
      this.#counters.add(this.#full, 1);
      return 0;
    }
    let index = this.#free;
    if (index !== NONE) {
      this.#free = this.#entries[(index << ENTRY_SHIFT) + NEXT] as number;
    } else {
      if (this.#end << ENTRY_SHIFT === this.#entries.length) this.#grow();
      index = this.#end++;
    }
    const entries = this.#entries;
    const at = index << ENTRY_SHIFT;
    entries[at] = w0;
    entries[at + 1] = w1;
    entries[at + 2] = w2;
    entries[at + 3] = w3;
    entries[at + ZONE] = zone;
    entries[at + SUM] = foldSum(halves(w0) + halves(w1) + halves(w2) + halves(w3));
    entries[at + STATE] = USED;
    this.#link(index);
    this.#count++;
    return BLOCK | index;
  }

  /** Into its bucket. */
  #link(index: number): void {
    const entries = this.#entries;
    const at = index << ENTRY_SHIFT;
    const hash = this.#hash(
      entries[at] as number,
      entries[at + 1] as number,
      entries[at + 2] as number,
      entries[at + 3] as number,
      entries[at + ZONE] as number,
    );
    const bucket = hash & this.#mask;
    entries[at + NEXT] = this.#buckets[bucket] as number;
    this.#buckets[bucket] = index;
  }

  // cold: the table doubles
  #grow(): void {
    const entries = new Int32Array(this.#entries.length * 2);
    entries.set(this.#entries);
    this.#entries = entries;
    this.#buckets = new Int32Array(this.#buckets.length * 2).fill(NONE);
    this.#mask = this.#buckets.length - 1;
    for (let index = 0; index < this.#end; index++) {
      if (((entries[(index << ENTRY_SHIFT) + STATE] as number) & USED) !== 0) this.#link(index);
    }
  }

  #at(address: number): number {
    return (address & INDEX_MASK) << ENTRY_SHIFT;
  }

  /** Multiply and mix over the words, keyed so that a peer cannot choose addresses that collide. */
  #hash(w0: number, w1: number, w2: number, w3: number, zone: number): number {
    let h = Math.imul(this.#seed ^ w3, 0x9e3779b1) ^ w2;
    h = Math.imul(h ^ (h >>> 15), 0x85ebca6b) ^ w1;
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) ^ w0;
    h = Math.imul(h ^ (h >>> 16), 0x9e3779b1) ^ zone;
    return h ^ (h >>> 15);
  }
}

/** Whether an address with this first word is of link scope: fe80::/10, groups of interface or link scope. */
export function isZoned(w0: number): boolean {
  return w0 >>> 22 === 0x3fa || (w0 >>> 24 === 0xff && ((w0 >>> 16) & 15) <= 2);
}

function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}
