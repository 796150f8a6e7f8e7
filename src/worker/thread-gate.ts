/**
 * The way of threads to the kernel of the thread that started them. Each gets a gate, a port through which it hands over the far
 * ends of its carriers, and of gates for threads that it starts itself. The kernel's thread takes them on when its event loop turns;
 * nobody waits for that who has no socket yet.
 *
 * Thread: the kernel's (`ThreadGates`), or that of a thread below it (`InheritedGate`).
 */

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Carrier } from '../host/contract.ts';
import { PortCarrier } from '../host/node/port-carrier.ts';
import { ThreadCarrier } from '../host/node/thread-carrier.ts';
import { ThreadBell } from '../mem/thread-bell.ts';

/** Message through a gate: a gate, or a carrier with the word of its bell. */
interface Handed {
  port: MessagePort;
  bell: Int32Array | null;
}

/** A gate whose other end `take` handles; the end for the thread. */
function newGate(take: (port: MessagePort) => void): MessagePort {
  const { port1, port2 } = new MessageChannel();
  take(port1);
  return port2;
}

/** Gates to a kernel of this thread; `connect` is told each carrier. */
export class ThreadGates {
  readonly #connect: (carrier: Carrier) => void;

  constructor(connect: (carrier: Carrier) => void) {
    this.#connect = connect;
  }

  /** The gate of a new thread. */
  open(): MessagePort {
    return newGate((port) => this.#watch(port));
  }

  #watch(gate: MessagePort): void {
    gate.on('message', ({ port, bell }: Handed) => {
      if (bell === null) this.#watch(port);
      else this.#connect(ringing(port, new ThreadBell(bell)));
    });
    gate.unref();
  }
}

function ringing(port: MessagePort, bell: ThreadBell): Carrier {
  return new PortCarrier(port, null, () => bell.ring());
}

/** The gate that this thread was given. */
export class InheritedGate {
  readonly #gate: MessagePort;

  constructor(gate: MessagePort) {
    this.#gate = gate;
    gate.unref();
  }

  /** The gate of a new thread. */
  open(): MessagePort {
    return newGate((port) => this.#gate.postMessage({ port, bell: null } satisfies Handed, [port]));
  }

  carrier(): ThreadCarrier {
    const { port1, port2 } = new MessageChannel();
    const bell = new ThreadBell();
    this.#gate.postMessage({ port: port2, bell: bell.words } satisfies Handed, [port2]);
    return new ThreadCarrier(port1, bell);
  }
}
