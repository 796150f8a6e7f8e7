/**
 * Programs that exchange datagrams: the client sends numbered ones, the server checks them and sends some back.
 *
 *   datagram:  id (4 bytes), number (4 bytes), what the two and the length determine
 */

import { Errno } from '../../../src/base/errors.ts';
import type { Simulation } from '../../../src/host/sim/simulation.ts';
import {
  DatagramInfo,
  type DatagramSocket,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type SocketAddress,
} from '../../../src/socket/socket.ts';
import type { DatagramPlan } from './traffic.ts';

const HEADER_BYTES = 8;
const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;
const bytes: Uint8Array = new Uint8Array(65_536);
const view: DataView = new DataView(bytes.buffer);

function fill(id: number, number: number, lengthBytes: number): void {
  view.setUint32(0, id);
  view.setUint32(4, number);
  for (let i = HEADER_BYTES; i < lengthBytes; i++) bytes[i] = Math.imul(i + number, 0x9e3779b1) >>> 11;
}

/** The number of the datagram in `bytes`, or -1 when it is not what was sent. */
function check(id: number, lengthBytes: number): number {
  if (lengthBytes < HEADER_BYTES || view.getUint32(0) !== id) return -1;
  const number = view.getUint32(4);
  for (let i = HEADER_BYTES; i < lengthBytes; i++) {
    if (bytes[i] !== ((Math.imul(i + number, 0x9e3779b1) >>> 11) & 0xff)) return -1;
  }
  return number;
}

/** One of the two programs of an exchange. */
export class DatagramEnd {
  /** Lengths of the datagrams that were sent, by number; 0: that one was not. */
  readonly lengths: number[] = [];
  /** How often each number arrived. */
  readonly arrived: number[] = [];
  /** Errors reported, -errno, and what should not have come. */
  readonly errors: number[] = [];
  readonly faults: string[] = [];
  sendsDone = false;
  crashed = false;
  #socket: DatagramSocket | null;
  readonly #plan: DatagramPlan;
  readonly #info: DatagramInfo = new DatagramInfo();
  onReceive: ((number: number, lengthBytes: number, info: DatagramInfo) => void) | null = null;
  onRoom: (() => void) | null = null;

  constructor(socket: DatagramSocket, plan: DatagramPlan) {
    this.#socket = socket;
    this.#plan = plan;
    socket.setOption('receiveBufferBytes', RECEIVE_BUFFER_BYTES);
    socket.onEvents = (events) => {
      if (events & EVENT_ERROR && socket.error !== 0) this.#takeError(socket.receive(bytes, 0, 0, this.#info));
      if (events & EVENT_READABLE) this.#receive();
      if (events & EVENT_WRITABLE) this.onRoom?.();
    };
  }

  get socket(): DatagramSocket | null {
    return this.#socket;
  }

  #takeError(result: number): void {
    if (result < 0 && result !== -Errno.EAGAIN) this.errors.push(result);
  }

  /** Returns false when there was no room. */
  send(number: number, lengthBytes: number, to: SocketAddress | null): boolean {
    const socket = this.#socket;
    if (socket === null) return true;
    fill(this.#plan.id, number, lengthBytes);
    const result = socket.send(bytes, 0, lengthBytes, to);
    if (result === -Errno.EAGAIN) return false;
    if (result < 0) this.errors.push(result);
    else if (result !== lengthBytes) this.faults.push(`send returned ${result} for ${lengthBytes} bytes`);
    else this.lengths[number] = lengthBytes;
    return true;
  }

  #receive(): void {
    for (let socket = this.#socket; socket !== null; socket = this.#socket) {
      const count = socket.receive(bytes, 0, bytes.length, this.#info);
      if (count === -Errno.EAGAIN) return;
      if (count < 0) {
        this.errors.push(count);
        continue;
      }
      const number = check(this.#plan.id, count);
      if (number < 0 || this.#info.fullBytes !== count) {
        this.faults.push(`datagram of ${count} bytes is not what was sent`);
        continue;
      }
      this.arrived[number] = (this.arrived[number] ?? 0) + 1;
      this.onReceive?.(number, count, this.#info);
    }
  }

  close(): void {
    this.#socket?.close();
    this.#socket = null;
  }

  crash(): void {
    this.crashed = true;
    this.#socket = null;
  }
}

/** Let the client send its datagrams, one after another. */
export function startSending(
  simulation: Simulation,
  end: DatagramEnd,
  plan: DatagramPlan,
  sizes: readonly number[],
  address: () => SocketAddress,
): void {
  let next = 0;
  let timed = false;
  const step = (): void => {
    timed = false;
    while (next < plan.count && !end.crashed) {
      if (!end.send(next, sizes[next] as number, plan.connected ? null : address())) return;
      next++;
      if (plan.intervalUs > 0) {
        timed = true;
        simulation.at(simulation.nowUs() + plan.intervalUs, step);
        return;
      }
    }
    end.sendsDone = true;
  };
  end.onRoom = () => {
    if (!timed && !end.sendsDone) step();
  };
  step();
}
