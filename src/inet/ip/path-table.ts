/**
 * The paths of one CPU: long-lived ones, which connections keep, and a small table of transient ones, which answers and
 * unconnected sockets share.
 *
 * Thread: the one that runs the CPU. Read first: path.ts.
 */

import type { Interface } from '../../net/interface.ts';
import type { PathEpoch } from '../../net/path-epoch.ts';
import { ADDRESS_LOOPBACK } from '../../wire/ipv4.ts';
import { IP6_ANY, IP6_LOOPBACK, isIp6 } from './address-interner.ts';
import type { FamiliesCpu } from './family-cpu.ts';
import { IP4_HEADER_BYTES, IP6_HEADER_BYTES, IpPath, NO_NEIGHBOR, type PathOwner } from './path.ts';

const TRANSIENT_PATHS = 64;

export class PathTable implements PathOwner {
  readonly #epoch: PathEpoch;
  readonly #families: FamiliesCpu;
  readonly #transient: (IpPath | null)[] = new Array<IpPath | null>(TRANSIENT_PATHS).fill(null);

  constructor(epoch: PathEpoch, families: FamiliesCpu) {
    this.#epoch = epoch;
    this.#families = families;
  }

  get epoch(): number {
    return this.#epoch.value;
  }

  /**
   * As `IpService.openPath`; `via` is the interface for broadcasts and multicasts, null lets the routes decide. The source
   * chosen now outlasts every change of routes: connections are known by it.
   */
  // cold: one path per connection
  open(dst: number, src: number, flags: number, via: Interface | null): IpPath | number {
    const path = new IpPath(this, anyToLoopback(dst), src, flags, via);
    this.renew(path);
    if (path.error !== 0) return path.error;
    path.wantedSrc = path.src;
    return path;
  }

  /**
   * A path for one packet, which the caller must not keep: valid until the next call. Allocates nothing once a place of
   * the table was used. Errors as `open`.
   */
  transient(dst: number, src: number, flags: number, via: Interface | null): IpPath | number {
    dst = anyToLoopback(dst);
    const slot = (Math.imul(dst ^ (src << 5) ^ flags, 0x9e3779b1) >>> 16) & (TRANSIENT_PATHS - 1);
    let path = this.#transient[slot] as IpPath | null;
    if (path === null) {
      // cold: once per place of the table
      path = new IpPath(this, dst, src, flags, via);
      this.#transient[slot] = path;
    } else if (path.dst !== dst || path.wantedSrc !== src || path.flags !== flags || path.via !== via) {
      path.dst = dst;
      path.wantedSrc = src;
      path.flags = flags;
      path.via = via;
      path.headerBytes = isIp6(dst) ? IP6_HEADER_BYTES : IP4_HEADER_BYTES;
      path.epoch = 0;
    }
    if (path.epoch !== this.#epoch.value) this.renew(path);
    return path.error === 0 ? path : path.error;
  }

  /** Forget the transient paths of IPv6: a sweep may give their handles to other addresses. */
  forgetTransient6(): void {
    for (let slot = 0; slot < TRANSIENT_PATHS; slot++) {
      if (this.#transient[slot]?.headerBytes === IP6_HEADER_BYTES) this.#transient[slot] = null;
    }
  }

  /** The interface goes: forget the transient paths through it. Kept paths are renewed, by the epoch. */
  // cold: configuration
  detach(iface: Interface): void {
    for (let slot = 0; slot < TRANSIENT_PATHS; slot++) {
      const path = this.#transient[slot];
      if (path != null && (path.via === iface || path.iface === iface)) this.#transient[slot] = null;
    }
    this.#epoch.bump();
  }

  renew(path: IpPath): void {
    path.route = null;
    path.loops = false;
    path.multicast = false;
    path.discards = false;
    path.fragments = false;
    path.neighbor = NO_NEIGHBOR;
    path.directBytes = 0;
    path.error = this.#families.of(path.dst).paths.resolve(path);
    path.epoch = this.#epoch.value;
    if (path.error !== 0) {
      path.neighbor = NO_NEIGHBOR;
      path.directBytes = 0;
    }
  }
}

/** "Any" as a destination is this machine, as on Linux. */
function anyToLoopback(dst: number): number {
  if (dst === 0) return ADDRESS_LOOPBACK;
  return dst === IP6_ANY ? IP6_LOOPBACK : dst;
}
