/**
 * Tells the supervisor which ports a kernel serves, each time the set changes (`listening :80` in `mk ps`, `depends_on`).
 *
 * Thread: the worker that runs the kernel. Looks after turns in which the socket tables changed, not on a timer.
 */

import type { Kernel } from '../kernel/kernel.ts';

/** Call `changed` with sorted port lists (TCP listening, UDP bound) now if there are any, and whenever they change. */
export function watchListening(kernel: Kernel, changed: (tcp: number[], udp: number[]) => void): void {
  let before = '|';
  kernel.onSocketsChanged = () => {
    const tcp = kernel.listeningPorts('tcp');
    const udp = kernel.listeningPorts('udp');
    const now = `${tcp.join()}|${udp.join()}`;
    if (now === before) return;
    before = now;
    changed(tcp, udp);
  };
}
