/**
 * The Ethernet destinations that a device takes: its own address, broadcast, the multicast groups it joined, or all.
 *
 * Thread: the device's. The exact set lies in private memory; a port shows its peers a 64-bit hash of the groups, so that
 * they need not send frames that it would drop (as network cards' hash filters; false positives are harmless).
 */

import { GROUP_BIT } from '../wire/ethernet.ts';
import { DEVICE_ALL_MULTICAST, DEVICE_PROMISCUOUS, type MacAddress } from './device.ts';

export function isBroadcast(hi: number, lo: number): boolean {
  return (lo | 0) === -1 && hi === 0xffff;
}

/** Bit number, 0 to 63, of a group in the hash filter. */
export function groupHash(hi: number, lo: number): number {
  return Math.imul(lo ^ Math.imul(hi, 0x85ebca6b), 0x9e3779b1) >>> 26;
}

export class ReceiveFilter {
  readonly mac: { hi: number; lo: number };
  flags = 0;
  hashLo = 0;
  hashHi = 0;
  /** Joined groups, two words each; few, so they are searched in line. */
  readonly #groups: { hi: number; lo: number; count: number }[] = [];

  constructor(mac: MacAddress) {
    this.mac = { hi: mac.hi & 0xffff, lo: mac.lo | 0 };
  }

  setMac(hi: number, lo: number): void {
    this.mac.hi = hi & 0xffff;
    this.mac.lo = lo | 0;
  }

  passes(hi: number, lo: number): boolean {
    if (lo === this.mac.lo && hi === this.mac.hi) return true;
    if ((this.flags & DEVICE_PROMISCUOUS) !== 0) return true;
    if ((hi & GROUP_BIT) === 0) return false;
    if (isBroadcast(hi, lo) || (this.flags & DEVICE_ALL_MULTICAST) !== 0) return true;
    const bit = groupHash(hi, lo);
    if ((((bit < 32 ? this.hashLo : this.hashHi) >>> (bit & 31)) & 1) === 0) return false;
    return this.#find(hi, lo) >= 0;
  }

  #find(hi: number, lo: number): number {
    for (let i = 0; i < this.#groups.length; i++) {
      const group = this.#groups[i];
      if (group !== undefined && group.lo === lo && group.hi === hi) return i;
    }
    return -1;
  }

  /** Memberships are counted: as many `leave` as `join` end one. */
  // cold: once per membership
  join(hi: number, lo: number): void {
    hi &= 0xffff;
    lo |= 0;
    const group = this.#groups[this.#find(hi, lo)];
    if (group !== undefined) group.count++;
    else this.#groups.push({ hi, lo, count: 1 });
    this.#hash();
  }

  leave(hi: number, lo: number): void {
    const index = this.#find(hi & 0xffff, lo | 0);
    const group = this.#groups[index];
    if (group === undefined || --group.count > 0) return;
    this.#groups.splice(index, 1);
    this.#hash();
  }

  #hash(): void {
    this.hashLo = 0;
    this.hashHi = 0;
    for (const { hi, lo } of this.#groups) {
      const bit = groupHash(hi, lo);
      if (bit < 32) this.hashLo |= 1 << bit;
      else this.hashHi |= 1 << (bit - 32);
    }
  }
}
