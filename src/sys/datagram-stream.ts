/**
 * A UDP socket of a program outside of the kernel: ports of the host, and services of it.
 *
 * Thread: the one that runs the kernel. The stream is a process with one descriptor, bound to the unspecified address of IPv6, and so
 * for both families. Datagrams wait in the socket until the reader gives credit. Read first: process-sockets.ts, watch.ts.
 * Cold: sockets by hand, for tools.
 */

import { MultikernelError } from '../base/errors.ts';
import { DATAGRAM_BYTES_MAX, DatagramInfo, SocketAddress } from '../socket/socket.ts';
import { SOCK_NONBLOCK } from './abi.ts';
import { DATAGRAMS_WINDOW_BYTES, type DatagramsEvent, type StreamSink } from './control.ts';
import { ipAddressOf, socketAddressOf } from './control-address.ts';
import * as input from './control-input.ts';
import { READABLE } from './file.ts';
import type { Process } from './process.ts';
import { openDatagramSocket } from './process-sockets.ts';
import { ProcessStream } from './process-stream.ts';
import type { DatagramFile } from './socket-file.ts';

const PORT_MAX = 65_535;

export class DatagramStream extends ProcessStream<DatagramsEvent> {
  readonly #file: DatagramFile;
  readonly #buffer: Uint8Array = new Uint8Array(DATAGRAM_BYTES_MAX);
  readonly #info: DatagramInfo = new DatagramInfo();
  #credit = DATAGRAMS_WINDOW_BYTES;

  /** `process` is new, and exits with the stream. Throws EADDRINUSE, and then the process has exited. */
  constructor(process: Process, port: number, sink: StreamSink<DatagramsEvent>) {
    super(process, sink);
    this.#file = process.descriptors.get(openDatagramSocket(process, 6, SOCK_NONBLOCK)) as DatagramFile;
    const result = this.#file.socket.bind(SocketAddress.any(6, port));
    if (result < 0) this.refuse(result, `port ${port}`);
    this.#file.watch(this);
    sink.event({ type: 'bound', port: this.#file.socket.local.port });
  }

  /** A {@link DatagramsInput}, unchecked. Throws EINVAL. */
  override send(message: unknown): void {
    if (this.closed) return;
    const fields = input.fieldsOf(message, 'input');
    if (fields.type === 'credit') {
      this.#credit += input.integer(fields, 'bytes', 0, DATAGRAMS_WINDOW_BYTES - this.#credit);
      this.#receive();
      return;
    }
    const { type } = fields;
    if (type !== 'send' && type !== 'refuse')
      throw new MultikernelError('EINVAL', 'type: no input of a socket for datagrams');
    const to = socketAddressOf(input.address(fields, 'to'), input.integer(fields, 'port', 1, PORT_MAX));
    const bytes = input.bytes(fields, 'bytes', DATAGRAM_BYTES_MAX);
    const { socket } = this.#file;
    if (type === 'send') socket.send(bytes, 0, bytes.length, to);
    else socket.refuse?.(bytes, to, this.process.table.host.nowUs());
    this.sink.event({ type: 'sent' });
  }

  protected override ready(events: number): void {
    if (events & READABLE) this.#receive();
  }

  #receive(): void {
    const { socket } = this.#file;
    while (!this.closed && socket.nextBytes >= 0 && socket.nextBytes <= this.#credit) {
      const length = socket.receive(this.#buffer, 0, this.#buffer.length, this.#info);
      if (length < 0) return;
      this.#credit -= length;
      const { from } = this.#info;
      const peer = from.unmap();
      this.sink.event({
        type: 'datagram',
        from: ipAddressOf(peer),
        port: peer.port,
        bytes: this.#buffer.slice(0, length),
        broadcast: this.#info.broadcast,
      });
    }
  }
}
