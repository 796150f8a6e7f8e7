/**
 * Tells the supervisor which ports a kernel serves, each time the set changes (`listening :80` in `mk ps`, `depends_on`).
 *
 * Thread: the worker that runs the kernel. Looks after turns in which the socket tables changed, not on a timer. The ports of a program
 * that ended and those of the next may change hands within one turn: the supervisor is told then too.
 */

import type { Kernel } from '../kernel/kernel.ts';

/** Call `changed` with sorted port lists (TCP listening, UDP bound) whenever somebody begins or ends to serve one. */
export function watchListening(kernel: Kernel, changed: (tcp: number[], udp: number[]) => void): void {
  const { tcpListeners, shared } = kernel.inet;
  let before = 0;
  kernel.onSocketsChanged = () => {
    const now = tcpListeners.generation + shared.udpPorts.generation;
    if (now === before) return;
    before = now;
    changed(kernel.listeningPorts('tcp'), kernel.listeningPorts('udp'));
  };
}
