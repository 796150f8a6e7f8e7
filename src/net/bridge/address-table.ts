/**
 * The address table of a bridge: behind which member a station is (802.1D calls it the filtering database).
 *
 * Thread: the one that runs the kernel. A hash of lists (pslist(9)): readers look up and refresh what they learned before in a read
 * section of pserialize(9), without a lock; what adds or removes an entry holds the mutex. An entry that was learned ages; a static one
 * stays and is never overwritten by what is learned. Read first: bridge(4), brconfig(8), IEEE 802.1D-1998 7.9.
 */

import { Errno } from '../../base/errors.ts';
import { US_PER_S } from '../../base/units.ts';
import { Mutex } from '../../kern/mutex.ts';
import type { Pserialize } from '../../kern/pserialize.ts';
import { Pslist, PslistEntry } from '../../kern/pslist.ts';

/** A power of two. */
const BUCKETS = 1024;
const MAX_ADDRESSES_DEFAULT = 100;
const TIMEOUT_SEC_DEFAULT = 1200;

/** `P`: what stands behind a port. */
class AddressEntry<P> {
  readonly hi: number;
  readonly lo: number;
  member: P;
  isStatic: boolean;
  /** Learned ones: when it may go; `Infinity` for ever. */
  expiresUs: number = Infinity;
  /** Order in which entries were made. */
  readonly serial: number;
  readonly place: PslistEntry<AddressEntry<P>> = new PslistEntry<AddressEntry<P>>(this);

  constructor(hi: number, lo: number, member: P, isStatic: boolean, serial: number) {
    this.hi = hi;
    this.lo = lo;
    this.member = member;
    this.isStatic = isStatic;
    this.serial = serial;
  }
}

export class AddressTable<P> {
  /** The limit of learned and static entries; `setMaxAddresses` changes it. */
  maxAddresses: number = MAX_ADDRESSES_DEFAULT;
  /** 0: entries do not age; the ones present keep their time until they are heard again. */
  timeoutSec: number = TIMEOUT_SEC_DEFAULT;
  /** Shorter timeout while the spanning tree changes (802.1D 8.3.5), `Infinity` otherwise. */
  changingUs: number = Infinity;
  readonly #buckets: readonly Pslist<AddressEntry<P>>[];
  readonly #lock: Mutex = new Mutex();
  readonly #pserialize: Pserialize;
  readonly #key: number;
  #count = 0;
  #serial = 0;

  /** `key`: any number; stations that do not know it cannot choose addresses of one bucket. */
  constructor(pserialize: Pserialize, key: number) {
    this.#pserialize = pserialize;
    this.#key = key | 0;
    this.#buckets = Array.from({ length: BUCKETS }, () => new Pslist<AddressEntry<P>>());
  }

  get size(): number {
    return this.#count;
  }

  /** The member behind which a station is, null when nobody knows. For readers. */
  lookup(hi: number, lo: number): P | null {
    const entry = this.#find(hi, lo);
    return entry === null ? null : entry.member;
  }

  /** A frame from that station came by `member`. Returns 0, or `-ENOSPC` when the table is full. */
  learn(hi: number, lo: number, member: P, nowUs: number): number {
    const entry = this.#find(hi, lo);
    if (entry === null) return this.#insert(hi, lo, member, false, this.#expiry(nowUs));
    if (entry.isStatic) return 0;
    if (entry.member !== member) entry.member = member;
    entry.expiresUs = this.#expiry(nowUs);
    return 0;
  }

  /** `brconfig BR static IF MAC`. Returns 0 or `-ENOSPC`. */
  // cold: configuration
  setStatic(hi: number, lo: number, member: P): number {
    const entry = this.#find(hi, lo);
    if (entry === null) return this.#insert(hi, lo, member, true, Infinity);
    entry.member = member;
    entry.isStatic = true;
    entry.expiresUs = Infinity;
    return 0;
  }

  /** Returns 0 or `-ENOENT`. */
  // cold: configuration
  remove(hi: number, lo: number): number {
    const entry = this.#find(hi, lo);
    if (entry === null) return -Errno.ENOENT;
    this.#removeThose((other) => other === entry);
    return 0;
  }

  /** Learned entries go, static ones as well when `all`. */
  // cold: configuration
  flush(all: boolean): void {
    this.#removeThose((entry) => all || !entry.isStatic);
  }

  /** A member goes. */
  // cold: configuration
  removeMember(member: P): void {
    this.#removeThose((entry) => entry.member === member);
  }

  /** Learned entries of a member whose port no longer forwards. */
  // cold: once per change of the spanning tree
  forget(member: P): void {
    this.#removeThose((entry) => !entry.isStatic && entry.member === member);
  }

  /** The limit falls: aged entries go first, then learned ones, the oldest first. */
  // cold: configuration
  setMaxAddresses(max: number, nowUs: number): void {
    this.maxAddresses = max;
    this.age(nowUs);
    const surplus = this.#count - max;
    if (surplus <= 0) return;
    const learned = this.list().filter((entry) => !entry.isStatic);
    const victims = new Set(learned.reverse().slice(0, surplus));
    this.#removeThose((entry) => victims.has(entry));
  }

  /** Learned entries that were not heard in time go. */
  // cold: once per ageing
  age(nowUs: number): void {
    const latestUs = nowUs + this.changingUs;
    this.#removeThose((entry) => {
      if (entry.isStatic) return false;
      entry.expiresUs = Math.min(entry.expiresUs, latestUs);
      return entry.expiresUs <= nowUs;
    });
  }

  /** The newest first. */
  // cold: control requests
  list(): AddressEntry<P>[] {
    const found: AddressEntry<P>[] = [];
    this.#pserialize.readEnter();
    for (const bucket of this.#buckets) {
      for (let place = bucket.first; place !== null; place = place.next) found.push(place.value);
    }
    this.#pserialize.readExit();
    return found.sort((a, b) => b.serial - a.serial);
  }

  #find(hi: number, lo: number): AddressEntry<P> | null {
    let place = this.#bucket(hi, lo).first;
    for (; place !== null; place = place.next) {
      const entry = place.value;
      if (entry.lo === lo && entry.hi === hi) return entry;
    }
    return null;
  }

  #bucket(hi: number, lo: number): Pslist<AddressEntry<P>> {
    let hash = Math.imul(lo ^ this.#key, 0x9e3779b1) ^ hi;
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    return this.#buckets[(hash ^ (hash >>> 13)) & (BUCKETS - 1)] as Pslist<AddressEntry<P>>;
  }

  #expiry(nowUs: number): number {
    const timeoutUs = this.timeoutSec === 0 ? Infinity : this.timeoutSec * US_PER_S;
    return nowUs + Math.min(timeoutUs, this.changingUs);
  }

  // cold: once per station
  #insert(hi: number, lo: number, member: P, isStatic: boolean, expiresUs: number): number {
    if (this.#count >= this.maxAddresses) return -Errno.ENOSPC;
    const entry = new AddressEntry(hi, lo, member, isStatic, this.#serial++);
    entry.expiresUs = expiresUs;
    this.#lock.enter();
    this.#bucket(hi, lo).insertHead(entry.place);
    this.#count++;
    this.#lock.exit();
    return 0;
  }

  // cold: configuration, ageing
  #removeThose(goes: (entry: AddressEntry<P>) => boolean): void {
    const removed: PslistEntry<AddressEntry<P>>[] = [];
    this.#lock.enter();
    for (const bucket of this.#buckets) {
      for (let place = bucket.first; place !== null; place = place.next) {
        if (!goes(place.value)) continue;
        bucket.remove(place);
        removed.push(place);
      }
    }
    this.#count -= removed.length;
    this.#lock.exit();
    if (removed.length === 0) return;
    this.#pserialize.perform();
    for (const place of removed) place.destroy();
  }
}
