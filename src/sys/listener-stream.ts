/**
 * A listening TCP socket of a program outside of the kernel, and its connections: services of the host that machines of a lab
 * stand for.
 *
 * Thread: the one that runs the kernel. The stream is a process, whose first descriptor listens at the unspecified address of IPv6, and
 * so for both families. While it has no number for another connection, they wait in the queue. Read first: connection-stream.ts.
 * Cold: sockets by hand, for tools.
 */

import { MultikernelError } from '../base/errors.ts';
import { SocketAddress } from '../socket/socket.ts';
import { SOCK_NONBLOCK } from './abi.ts';
import { ServedConnection } from './connection-stream.ts';
import type { ListenerEvent, StreamSink } from './control.ts';
import { ipAddressOf } from './control-address.ts';
import * as input from './control-input.ts';
import type { Process } from './process.ts';
import { acceptConnection, openStreamSocket } from './process-sockets.ts';
import { ProcessStream } from './process-stream.ts';
import type { StreamFile } from './socket-file.ts';

const BACKLOG = 128;

export class ListenerStream extends ProcessStream<ListenerEvent> {
  readonly #file: StreamFile;
  readonly #connections: Map<number, ServedConnection> = new Map();
  #nextId = 1;

  /** `process` is new, and exits with the stream. Throws EADDRINUSE, and then the process has exited. */
  constructor(process: Process, port: number, sink: StreamSink<ListenerEvent>) {
    super(process, sink);
    this.#file = process.descriptors.get(openStreamSocket(process, 6, SOCK_NONBLOCK)) as StreamFile;
    const { socket } = this.#file;
    socket.setOption('reuseAddress', true);
    const bound = socket.bind(SocketAddress.any(6, port));
    const result = bound < 0 ? bound : socket.listen(BACKLOG);
    if (result < 0) this.refuse(result, `port ${port}`);
    this.#file.watch(this);
    sink.event({ type: 'listening' });
  }

  /** A {@link ListenerInput}, unchecked; of a connection that is over, it is ignored. Throws EINVAL. */
  override send(message: unknown): void {
    const fields = input.fieldsOf(message, 'input');
    const connection = this.#connections.get(input.integer(fields, 'id', 1, Number.MAX_SAFE_INTEGER));
    if (fields.type === 'connection') connection?.take(fields.input);
    else if (fields.type === 'close') connection?.finish(0);
    else throw new MultikernelError('EINVAL', 'type: no input of a listener');
  }

  protected override closing(): void {
    for (const connection of [...this.#connections.values()]) connection.finish(0);
  }

  protected override ready(): void {
    while (!this.closed) {
      const fd = acceptConnection(this.process, this.#file, SOCK_NONBLOCK);
      if (fd < 0) return;
      this.#accepted(fd);
    }
  }

  #accepted(fd: number): void {
    const { descriptors, table } = this.process;
    const file = descriptors.get(fd) as StreamFile;
    const id = this.#nextId++;
    const peer = file.socket.peer.unmap();
    this.sink.event({ type: 'accepted', id, peer: ipAddressOf(peer), peerPort: peer.port });
    const connection = new ServedConnection(table.wakeups, file, true, {
      event: (event) => this.sink.event({ type: 'connection', id, event }),
      ended: (errno) => {
        this.#connections.delete(id);
        descriptors.close(fd);
        this.sink.event({ type: 'ended', id, errno });
        // One that waits for a number.
        this.ready();
      },
    });
    this.#connections.set(id, connection);
    connection.look();
  }
}
