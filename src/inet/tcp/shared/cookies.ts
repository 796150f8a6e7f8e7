/**
 * SYN cookies: when the SYN queue is full, the half-open connection is kept in the numbers of our SYN-ACK instead.
 *
 * Thread: the one that runs the CPU. The first sequence number is five bits of a slow clock, three of the MSS, 24 of a
 * keyed hash over the connection and the peer's number; with timestamps, the low six bits of ours carry scale and SACK.
 * The ACK brings both back. Only believed for a while after a queue has overflowed.
 * Read first: RFC 4987 section 3.6.
 */

import type { Rng } from '../../../base/rng.ts';
import { seqGt } from '../../../base/sequence.ts';
import { SipKey } from '../../../base/siphash.ts';

/** The clock ticks once a minute or so; a cookie is good for two ticks. */
const TICK_US = 64_000_000;
const TICKS_VALID = 2;
/** The largest that is not above the peer's. */
const MSS_TABLE: readonly number[] = [216, 536, 1220, 1380, 1440, 1460, 4312, 8960];
const HASH_MASK = 0x00ff_ffff;
/** Scale 15 stands for "no window scale". */
const NO_SCALE = 15;
const SACK_BIT = 0x10;
const ECN_BIT = 0x20;
const OPTION_MASK = 0x3f;

/** Options that a cookie and its timestamp gave back. */
export class CookieOptions {
  mss: number = 0;
  /** -1: none. */
  scale: number = -1;
  sackOk: boolean = false;
  ecnOk: boolean = false;
}

export class SynCookies {
  readonly #key: SipKey;
  readonly #inner: SipKey;
  /** When a SYN queue last overflowed. */
  #overflowUs: number = -1e15;

  readonly #fingerprint: (address: number) => number;

  /** `fingerprint`: as `IpService.fingerprint`, because nobody keeps the peer's address meanwhile. */
  constructor(rng: Rng, fingerprint: (address: number) => number = (address) => address) {
    this.#fingerprint = fingerprint;
    this.#key = SipKey.random(rng);
    this.#inner = SipKey.random(rng);
  }

  /** The first sequence number for a SYN that is not remembered. */
  make(local: number, peer: number, ports: number, irs: number, mss: number, nowUs: number): number {
    this.#overflowUs = nowUs;
    let index = MSS_TABLE.length - 1;
    while (index > 0 && (MSS_TABLE[index] as number) > mss) index--;
    const tick = Math.floor(nowUs / TICK_US) & 31;
    return (tick << 27) | (index << 24) | this.#hash(local, peer, ports, irs, (tick << 3) | index);
  }

  /** The MSS of a valid cookie, 0 when it is none of ours or too old. */
  check(local: number, peer: number, ports: number, irs: number, cookie: number, nowUs: number): number {
    if (nowUs - this.#overflowUs > TICKS_VALID * TICK_US) return 0;
    const tick = cookie >>> 27;
    const index = (cookie >>> 24) & 7;
    if (((Math.floor(nowUs / TICK_US) - tick) & 31) >= TICKS_VALID) return 0;
    if ((cookie & HASH_MASK) !== this.#hash(local, peer, ports, irs, (tick << 3) | index)) return 0;
    return MSS_TABLE[index] as number;
  }

  /** Our timestamp with the peer's options in it; never later than `tsValue`. `scale` is -1 without window scale. */
  stamp(tsValue: number, scale: number, sackOk: boolean, ecnOk: boolean): number {
    const bits = (scale < 0 ? NO_SCALE : Math.min(scale, 14)) | (sackOk ? SACK_BIT : 0) | (ecnOk ? ECN_BIT : 0);
    const stamped = (tsValue & ~OPTION_MASK) | bits;
    return seqGt(stamped, tsValue) ? (stamped - OPTION_MASK - 1) | 0 : stamped;
  }

  /** Reads the options that `stamp` put into the timestamp that is echoed. */
  unstamp(tsEcho: number, into: CookieOptions): void {
    const scale = tsEcho & 15;
    into.scale = scale === NO_SCALE ? -1 : scale;
    into.sackOk = (tsEcho & SACK_BIT) !== 0;
    into.ecnOk = (tsEcho & ECN_BIT) !== 0;
  }

  #hash(local: number, peer: number, ports: number, irs: number, salt: number): number {
    return (
      this.#key.hash3(this.#inner.hash3(this.#fingerprint(local), this.#fingerprint(peer), ports), irs, salt) &
      HASH_MASK
    );
  }
}
