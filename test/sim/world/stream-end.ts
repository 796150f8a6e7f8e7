/**
 * A program at one end of a connection: writes and reads as its plan says, checks every byte, and notes how it ended.
 */

import { Errno } from '../../../src/base/errors.ts';
import { type Rng, randomBelow } from '../../../src/base/rng.ts';
import type { Simulation } from '../../../src/host/sim/simulation.ts';
import {
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_SENT,
  EVENT_WRITABLE,
  type StreamSocket,
} from '../../../src/socket/socket.ts';
import type { SidePlan } from './traffic.ts';

/** What is written or read at the moment. */
const scratch: Uint8Array = new Uint8Array(1 << 17);

/** The byte that stands at `position` of stream `stream`. */
function byteAt(stream: number, position: number): number {
  return (Math.imul(position, 0x9e3779b1) >>> 13) + stream * 101 + position;
}

/**
 * How an end ended: `closed` orderly, `abandoned` as planned in the middle, `failed` by `error`, `crashed` with its
 * machine. `open`: not yet.
 */
export type EndState = 'open' | 'closed' | 'abandoned' | 'failed' | 'crashed';

export class StreamEnd {
  readonly plan: SidePlan;
  state: EndState = 'open';
  connected: boolean;
  sent = 0;
  received = 0;
  /** First wrong byte, -1 while all is well. */
  wrongAt = -1;
  sawEnd = false;
  /** Everything written was acknowledged, the FIN too. */
  confirmed = false;
  shutDown = false;
  /** -errno. */
  error = 0;
  endedUs = -1;
  readonly #simulation: Simulation;
  readonly #rng: Rng;
  readonly #stream: number;
  readonly #peerStream: number;
  #socket: StreamSocket | null = null;
  #pausedUntilUs = 0;
  #idleUntilUs = -1;

  /** `client`: which of the two streams of connection `id` this end writes. `connects`: it is no accepted one. */
  constructor(simulation: Simulation, rng: Rng, plan: SidePlan, id: number, client: boolean, connects: boolean) {
    this.#simulation = simulation;
    this.#rng = rng;
    this.plan = plan;
    this.#stream = 2 * id + (client ? 0 : 1);
    this.#peerStream = this.#stream ^ 1;
    this.connected = !connects;
  }

  /** Set before connect and listen, as programs do. */
  static prepare(socket: StreamSocket, plan: SidePlan): void {
    if (plan.sendBufferBytes > 0) socket.setOption('sendBufferBytes', plan.sendBufferBytes);
    if (plan.receiveBufferBytes > 0) socket.setOption('receiveBufferBytes', plan.receiveBufferBytes);
  }

  /** Take over a socket that is connecting (client), or was accepted. */
  attach(socket: StreamSocket): void {
    const { plan } = this;
    this.#socket = socket;
    socket.setOption('noDelay', plan.noDelay);
    if (plan.keepIdleMs > 0) {
      socket.setOption('keepIdleMs', plan.keepIdleMs);
      socket.setOption('keepIntervalMs', plan.keepIntervalMs);
      socket.setOption('keepCount', plan.keepCount);
      socket.setOption('keepAlive', true);
    }
    if (plan.ending === 'linger') socket.setOption('lingerMs', 0);
    socket.onEvents = (events) => this.#events(events);
    if (this.connected) this.#work();
  }

  /** Connecting was refused at once. */
  refuse(error: number): void {
    this.#fail(error);
  }

  /** The machine is gone, and the program with it. */
  crash(): void {
    if (this.state === 'open') this.#finish('crashed');
    this.#socket = null;
  }

  #finish(state: EndState): void {
    this.state = state;
    this.endedUs = this.#simulation.nowUs();
  }

  #fail(error: number): void {
    this.error = error;
    this.#finish('failed');
    this.#socket?.close();
    this.#socket = null;
  }

  #events(events: number): void {
    const socket = this.#socket;
    if (socket === null || this.state !== 'open') return;
    if (events & (EVENT_ERROR | EVENT_CONNECTED) && socket.error < 0) {
      this.#fail(socket.error);
      return;
    }
    if (events & EVENT_CONNECTED) this.connected = true;
    if (events & EVENT_SENT) this.confirmed = true;
    if (events & (EVENT_CONNECTED | EVENT_READABLE | EVENT_WRITABLE)) this.#work();
  }

  #work(): void {
    if (this.state !== 'open' || !this.connected) return;
    this.#write();
    if (this.state === 'open') this.#read();
    if (this.state === 'open' && this.sawEnd && this.shutDown) this.#leave('closed');
  }

  #leave(state: 'closed' | 'abandoned'): void {
    this.#finish(state);
    const socket = this.#socket;
    this.#socket = null;
    if (state === 'abandoned' && this.plan.ending === 'abort') socket?.abort();
    else socket?.close();
  }

  #write(): void {
    const { plan } = this;
    const middle = plan.ending === 'abort' || plan.ending === 'leave';
    const total = middle ? plan.endAtBytes : plan.sendBytes;
    while (this.sent < total) {
      const length = Math.min(total - this.sent, 1 + randomBelow(this.#rng, plan.writeMost), scratch.length);
      for (let i = 0; i < length; i++) scratch[i] = byteAt(this.#stream, this.sent + i);
      const count = (this.#socket as StreamSocket).send(scratch, 0, length);
      if (count === -Errno.EAGAIN) return;
      if (count === -Errno.ENOBUFS) {
        // No memory at all: a program tries again later.
        this.#again(50_000);
        return;
      }
      if (count < 0) {
        this.#fail(count);
        return;
      }
      if (count === 0) throw new Error('send took nothing and did not say EAGAIN');
      this.sent += count;
    }
    if (middle) this.#leave('abandoned');
    else if (!this.shutDown) this.#sayEnd();
  }

  /** Half-close, perhaps after an idle time. */
  #sayEnd(): void {
    const nowUs = this.#simulation.nowUs();
    if (this.#idleUntilUs < 0 && this.plan.idleUs > 0) {
      this.#idleUntilUs = nowUs + this.plan.idleUs;
      this.#again(this.plan.idleUs);
    }
    if (nowUs < this.#idleUntilUs) return;
    const socket = this.#socket as StreamSocket;
    const result = socket.shutdown();
    // Nothing is there to be shut down any more: why, the socket knows.
    if (result < 0) this.#fail(socket.error < 0 ? socket.error : result);
    else this.shutDown = true;
  }

  #again(afterUs: number): void {
    this.#simulation.at(this.#simulation.nowUs() + afterUs, () => this.#work());
  }

  #read(): void {
    const { plan } = this;
    while (!this.sawEnd && this.#simulation.nowUs() >= this.#pausedUntilUs) {
      const length = Math.min(1 + randomBelow(this.#rng, plan.readMost), scratch.length);
      const count = (this.#socket as StreamSocket).receive(scratch, 0, length);
      if (count === -Errno.EAGAIN) return;
      if (count < 0) {
        this.#fail(count);
        return;
      }
      if (count === 0) this.sawEnd = true;
      for (let i = 0; i < count && this.wrongAt < 0; i++) {
        if (scratch[i] !== (byteAt(this.#peerStream, this.received + i) & 0xff)) this.wrongAt = this.received + i;
      }
      this.received += count;
      if (count > 0 && plan.readPauseUs > 0) {
        this.#pausedUntilUs = this.#simulation.nowUs() + plan.readPauseUs;
        this.#again(plan.readPauseUs);
      }
    }
  }
}
