/**
 * Hosts to which a call of a client's socket has gone without an error: the next one need not wait for the kernel's answer.
 *
 * Thread: the client's. An error empties the set, so that the next call gets its error at once again.
 */

import type { SocketAddress } from '../socket/socket.ts';

const HOSTS_MAX = 1024;
/** Numbers of IPv6 hosts begin here. */
const IPV6_HOSTS = 0x1_0000_0000;

/** A number for a host. Two IPv6 hosts may share one: then an error of the second comes late. */
function numberOf({ family, w0, w1, w2, w3 }: SocketAddress): number {
  return family === 4
    ? w3 >>> 0
    : IPV6_HOSTS + ((Math.imul(Math.imul(w0, 31) + w1, 31) + Math.imul(w2, 17) + w3) >>> 0);
}

export class ReachedHosts {
  readonly #hosts = new Set<number>();

  has(host: SocketAddress): boolean {
    return this.#hosts.has(numberOf(host));
  }

  add(host: SocketAddress): void {
    if (this.#hosts.size >= HOSTS_MAX) this.#hosts.clear();
    this.#hosts.add(numberOf(host));
  }

  clear(): void {
    this.#hosts.clear();
  }
}
