/**
 * Random traffic for the simulated network: programs that write and read at random times in random pieces, and check what
 * arrives. Everything follows from the rng.
 */

import { Errno } from '../../src/base/errors.ts';
import { type Rng, randomBelow } from '../../src/base/rng.ts';
import type { Simulation } from '../../src/host/sim/simulation.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import {
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type Family,
  SocketAddress,
  type StreamSocket,
} from '../../src/socket/socket.ts';

const CHUNK_BYTES_MAX = 20_000;

/** The byte that stands at `position` of the stream `stream`. */
function byteAt(stream: number, position: number): number {
  return (Math.imul(position, 31) + (position >>> 8) + stream * 101) & 0xff;
}

/** One end of a connection: sends `sendBytes` of its stream, then FIN; expects the other stream. */
export class End {
  readonly stream: number;
  readonly sendBytes: number;
  readonly peerStream: number;
  sent = 0;
  received = 0;
  /** First wrong byte, -1 while all is well. */
  wrongAt = -1;
  sawEnd = false;
  /** -errno when it ended by an error. */
  error = 0;
  readonly #socket: StreamSocket;
  readonly #rng: Rng;
  readonly #simulation: Simulation;
  readonly #buffer: Uint8Array = new Uint8Array(CHUNK_BYTES_MAX);
  #connected: boolean;
  #pausedUntilUs = 0;

  constructor(
    simulation: Simulation,
    rng: Rng,
    socket: StreamSocket,
    stream: number,
    sendBytes: number,
    open: boolean,
  ) {
    this.#simulation = simulation;
    this.#rng = rng;
    this.#socket = socket;
    this.stream = stream;
    this.peerStream = stream ^ 1;
    this.sendBytes = sendBytes;
    this.#connected = open;
    socket.onEvents = (events) => this.#events(events);
    if (open) this.#work();
  }

  get finished(): boolean {
    return this.error !== 0 || (this.sawEnd && this.sent === this.sendBytes);
  }

  #events(events: number): void {
    if (events & (EVENT_ERROR | EVENT_CONNECTED) && this.#socket.error < 0) {
      this.error = this.#socket.error;
      this.#socket.close();
      return;
    }
    if (events & EVENT_CONNECTED) this.#connected = true;
    if (events & (EVENT_CONNECTED | EVENT_READABLE | EVENT_WRITABLE)) this.#work();
  }

  #work(): void {
    if (!this.#connected || this.error !== 0) return;
    this.#write();
    this.#read();
    if (this.sawEnd && this.sent === this.sendBytes) this.#socket.close();
  }

  #write(): void {
    while (this.sent < this.sendBytes) {
      const length = Math.min(this.sendBytes - this.sent, 1 + randomBelow(this.#rng, CHUNK_BYTES_MAX));
      for (let i = 0; i < length; i++) this.#buffer[i] = byteAt(this.stream, this.sent + i);
      const count = this.#socket.send(this.#buffer, 0, length);
      if (count === -Errno.EAGAIN) return;
      if (count < 0) {
        this.error = count;
        return;
      }
      if (count === 0) throw new Error('send took nothing and did not say EAGAIN');
      this.sent += count;
      if (this.sent === this.sendBytes) this.#socket.shutdown();
    }
  }

  #read(): void {
    if (this.#simulation.nowUs() < this.#pausedUntilUs) return;
    while (!this.sawEnd) {
      // A program that now and then does something else closes its window.
      if (randomBelow(this.#rng, 200) === 0) {
        this.#pause();
        return;
      }
      const count = this.#socket.receive(this.#buffer, 0, 1 + randomBelow(this.#rng, CHUNK_BYTES_MAX));
      if (count === -Errno.EAGAIN) return;
      if (count < 0) {
        this.error = count;
        return;
      }
      if (count === 0) this.sawEnd = true;
      for (let i = 0; i < count; i++) {
        if (this.#buffer[i] !== byteAt(this.peerStream, this.received + i) && this.wrongAt < 0) {
          this.wrongAt = this.received + i;
        }
      }
      this.received += count;
    }
  }

  #pause(): void {
    this.#pausedUntilUs = this.#simulation.nowUs() + randomBelow(this.#rng, 2_000_000);
    this.#simulation.at(this.#pausedUntilUs, () => this.#work());
  }
}

/** Serve every connection to `port` with an End of its own, which learns its stream from the order of arrival at accept. */
export function serve(
  simulation: Simulation,
  rng: Rng,
  kernel: Kernel,
  port: number,
  stream: number,
  sendBytes: number,
  family: Family = 4,
): { listener: StreamSocket; ends: End[] } {
  const { sockets } = kernel;
  const listener = sockets.stream(family);
  const ends: End[] = [];
  listener.setOption('reuseAddress', true);
  const bound = listener.bind(SocketAddress.any(family, port));
  if (bound < 0) throw new Error(`bind: ${bound}`);
  listener.listen(16);
  listener.onEvents = () => {
    for (let socket = listener.accept(); socket !== null; socket = listener.accept()) {
      ends.push(new End(simulation, rng, socket, stream, sendBytes, true));
    }
  };
  return { listener, ends };
}
