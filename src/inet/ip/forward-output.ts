/**
 * Packets of other hosts on their way out: the part of forwarding that is the same in both families.
 *
 * Thread: the one that runs the CPU. Data path: allocates nothing. Read first: inet/ip4/forward.ts, inet/ip6/forward.ts.
 */

import { Errno } from '../../base/errors.ts';
import type { Counters } from '../../mem/counters.ts';
import type { NeighborCache } from '../../net/neighbor-cache.ts';
import type { InetContext } from './context.ts';
import type { IpPacket } from './packet.ts';
import type { IpPath } from './path.ts';
import type { Transmitter } from './transmit.ts';

export class ForwardOutput {
  readonly #counters: Counters;
  readonly #neighbors: NeighborCache;
  readonly #transmitter: Transmitter;
  readonly #forwarded: number;
  readonly #noRoom: number;

  /** `counterPrefix` begins the names of the counters: `ip` or `ip6`. */
  constructor(context: InetContext, neighbors: NeighborCache, transmitter: Transmitter, counterPrefix: string) {
    const { counters } = context;
    this.#counters = counters;
    this.#neighbors = neighbors;
    this.#transmitter = transmitter;
    this.#forwarded = counters.index(`${counterPrefix}-forwarded`);
    this.#noRoom = counters.index(`${counterPrefix}-forward-no-room`);
  }

  /**
   * Send a packet along a path, or queue it for its neighbor. Returns 0 or `-ENOBUFS`, both counted; or `-EMSGSIZE`,
   * `-EHOSTDOWN`, `-ENETDOWN`, which the family answers.
   */
  send(path: IpPath, packet: IpPacket, totalBytes: number, nowUs: number): number {
    const { neighbor, header } = path;
    const at = packet.headerAt;
    let sent = 0;
    const waits = neighbor.fresh ? 0 : this.#neighbors.use(neighbor, nowUs);
    if (waits < 0) sent = waits;
    else if (waits > 0) this.#neighbors.enqueue(neighbor, at, totalBytes, packet.meta, nowUs);
    else {
      const { iface, mtu } = path;
      sent = this.#transmitter.send(iface, header.dstHi, header.dstLo, at, totalBytes, packet.meta, mtu);
    }
    if (sent === 0) this.#counters.add(this.#forwarded, 1);
    else if (sent === -Errno.ENOBUFS) this.#counters.add(this.#noRoom, 1);
    return sent;
  }
}
