/**
 * The local port of an active open: hard to guess, and long until the same four numbers come again.
 *
 * Thread: the one that runs the CPU. By default the double hash of RFC 6056 section 3.3.4: for one destination ports
 * follow one another from a secret start, so that a connection in TIME_WAIT there meets its successor only after all the
 * others; for different destinations the sequences have nothing to do with each other.
 * Read first: RFC 6056 section 3.3. UDP and bind to port 0 choose at random (inet/ip/ports.ts, algorithm 1).
 */

import { type Rng, randomBelow } from '../../../base/rng.ts';
import { SipKey } from '../../../base/siphash.ts';
import type { Sysctl, SysctlVariable } from '../../../kern/sysctl.ts';

const RANDOM_START = 1;
const RANDOM_PICK = 2;
const DOUBLE_HASH = 4;
const TABLE_LENGTH = 256;

export class EphemeralPorts {
  readonly #rng: Rng;
  readonly #algorithm: SysctlVariable;
  readonly #offsetKey: SipKey;
  readonly #indexKey: SipKey;
  /** Position in the sequence of ports, by the hash of the destination; algorithm 3 uses the first place only. */
  readonly #table: Int32Array = new Int32Array(TABLE_LENGTH);

  constructor(rng: Rng, sysctl: Sysctl) {
    this.#rng = rng;
    this.#offsetKey = SipKey.random(rng);
    this.#indexKey = SipKey.random(rng);
    for (let i = 0; i < TABLE_LENGTH; i++) this.#table[i] = rng.next32();
    const text = 'ports of connections: algorithm 1 to 4 of RFC 6056 (random, random pick, hash, double hash)';
    this.#algorithm = sysctl.integer('net.inet.tcp.anonportalgo', DOUBLE_HASH, RANDOM_START, DOUBLE_HASH, text);
  }

  /** One of the `count` ports from `first` on for which `isFree` holds, -1 when there is none. */
  choose(
    first: number,
    count: number,
    local: number,
    peer: number,
    peerPort: number,
    isFree: (port: number) => boolean,
  ): number {
    const algorithm = this.#algorithm.value;
    if (algorithm === RANDOM_PICK) {
      for (let tries = 0; tries < count; tries++) {
        const port = first + randomBelow(this.#rng, count);
        if (isFree(port)) return port;
      }
    }
    if (algorithm <= RANDOM_PICK) return this.#scan(first, count, randomBelow(this.#rng, count), isFree);
    const offset = this.#offsetKey.hash3(local, peer, peerPort);
    const place = algorithm === DOUBLE_HASH ? this.#indexKey.hash3(local, peer, peerPort) & (TABLE_LENGTH - 1) : 0;
    for (let tries = 0; tries < count; tries++) {
      const step = this.#table[place] as number;
      this.#table[place] = step + 1;
      const port = first + (((offset + step) >>> 0) % count);
      if (isFree(port)) return port;
    }
    return -1;
  }

  #scan(first: number, count: number, start: number, isFree: (port: number) => boolean): number {
    for (let i = 0; i < count; i++) {
      const port = first + ((start + i) % count);
      if (isFree(port)) return port;
    }
    return -1;
  }
}
