/**
 * A raw socket for a program outside of the kernel: ping and traceroute. Packets carry the kernel's time of sending and arrival, so
 * that round trips do not contain the way between the kernel and the program.
 *
 * Thread: the one that runs the kernel.
 * Cold: raw sockets by hand, for tools.
 */

import { DatagramInfo, EVENT_READABLE, type RawSocket, type SocketAddress } from '../socket/socket.ts';
import type { IpFamily, RawEvent, StreamHandle, StreamSink } from './control.ts';
import { ipAddressOf, socketAddressOf } from './control-address.ts';
import * as input from './control-input.ts';

const PACKET_BYTES_MAX = 65_535;
const ID_MAX = Number.MAX_SAFE_INTEGER;
const HOPS_MAX = 255;

/** The part of a kernel that a raw stream uses. */
export interface RawTarget {
  nowUs(): number;
  /** Own address towards another, or null. */
  sourceTowards(to: SocketAddress): SocketAddress | null;
}

export class RawStream implements StreamHandle<unknown> {
  readonly #target: RawTarget;
  readonly #socket: RawSocket;
  readonly #family: IpFamily;
  readonly #sink: StreamSink<RawEvent>;
  readonly #buffer: Uint8Array = new Uint8Array(PACKET_BYTES_MAX + 1);
  readonly #info: DatagramInfo = new DatagramInfo();
  #closed = false;

  constructor(target: RawTarget, socket: RawSocket, family: IpFamily, sink: StreamSink<RawEvent>) {
    this.#target = target;
    this.#socket = socket;
    this.#family = family;
    this.#sink = sink;
    socket.onEvents = (events) => {
      if (events & EVENT_READABLE) this.#receive();
    };
  }

  /** A {@link RawInput}, unchecked. Throws EINVAL. */
  send(message: unknown): void {
    if (this.#closed) return;
    const fields = input.fieldsOf(message, 'input');
    const id = input.integer(fields, 'id', 0, ID_MAX);
    const to = socketAddressOf(input.address(fields, 'to'), 0);
    const hops = input.integer(fields, 'hops', 1, HOPS_MAX);
    const bytes = input.bytes(fields, 'bytes', PACKET_BYTES_MAX);
    const target = this.#target;
    this.#socket.setOption('ttl', hops);
    const timeUs = target.nowUs();
    const result = this.#socket.send(bytes, 0, bytes.length, to);
    const own = this.#family === 6 ? target.sourceTowards(to) : null;
    const source = own === null ? null : ipAddressOf(own);
    this.#sink.event({ type: 'sent', id, timeUs, errno: Math.min(0, result), source });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
    this.#sink.end(null);
  }

  #receive(): void {
    while (!this.#closed) {
      const length = this.#socket.receive(this.#buffer, 0, this.#buffer.length, this.#info);
      if (length < 0) return;
      const from = ipAddressOf(this.#info.from);
      const bytes = this.#buffer.slice(0, length);
      this.#sink.event({ type: 'packet', timeUs: this.#target.nowUs(), from, bytes });
    }
  }
}
