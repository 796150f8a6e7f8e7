/**
 * The control socket of a lab: lets the commands of a second terminal ask what its own process could.
 *
 * Thread: the supervisor's. Read first: control-protocol.ts. One lab per name: whoever binds the socket has the name. A socket
 * file that nobody listens behind was left by a lab that was killed, and is removed.
 */

import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { MultikernelError } from '../base/errors.ts';
import type { StreamHandle, StreamSink } from '../rump/kernel-client.ts';
import { type Answers, Responder, type ToClient } from '../rump/multiplexer.ts';
import { encodeLine, type LabHello, PROTOCOL_VERSION, readLines } from './control-protocol.ts';
import type { LabBackend, LabOperation, LabStreamOperation } from './operations.ts';
import { controlPath, kernelFolder } from './runtime-folder.ts';

/** Bytes that may wait for a slow client before its streams end. */
const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;

export class ControlServer {
  readonly path: string;
  /** Folder of the socket files of the lab's kernels (runtime-folder.ts). */
  readonly kernelFolder: string | null;
  readonly #server: Server;
  readonly #clients: Set<Socket> = new Set();

  /** The files go with the process; only SIGKILL leaves them. */
  readonly #onExit = (): void => {
    rmSync(this.path, { force: true });
    this.#removeKernels();
  };

  private constructor(lab: string, path: string, server: Server) {
    this.path = path;
    this.kernelFolder = kernelFolder(lab);
    this.#server = server;
    process.on('exit', this.#onExit);
  }

  /** Take the name `lab`. Throws EEXIST when a lab of that name is up. */
  static async listen(lab: string, backend: LabBackend): Promise<ControlServer> {
    const path = controlPath(lab);
    for (let attempt = 0; ; attempt++) {
      const server = createServer();
      try {
        await bind(server, path);
        const control = new ControlServer(lab, path, server);
        server.on('connection', (socket) => control.#serve(socket, lab, backend));
        return control;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
        const pid = await probe(path);
        if (pid !== null || attempt === 2) {
          const who = pid === null ? '' : ` (process ${pid})`;
          throw new MultikernelError('EEXIST', `lab ${lab} is already up${who}; take it down with: mk down ${lab}`);
        }
        rmSync(path, { force: true });
      }
    }
  }

  /** Hang up on everybody and remove the socket file. */
  async close(): Promise<void> {
    process.off('exit', this.#onExit);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#clients) socket.destroySoon();
    this.#removeKernels();
    await closed;
  }

  #removeKernels(): void {
    if (this.kernelFolder !== null) rmSync(this.kernelFolder, { recursive: true, force: true });
  }

  #serve(socket: Socket, lab: string, backend: LabBackend): void {
    this.#clients.add(socket);
    const hello: LabHello = { multikernel: PROTOCOL_VERSION, lab, pid: process.pid };
    socket.write(encodeLine(hello));
    const responder = session(socket, backend);
    readLines(socket, (value) => {
      if (!responder.take(value)) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#clients.delete(socket);
      responder.close();
    });
  }
}

async function bind(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  if (process.platform !== 'win32') chmodSync(path, 0o600);
}

/** The process behind a socket, or null when nobody listens there. */
function probe(path: string): Promise<number | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on('error', () => resolve(null));
    socket.on('close', () => resolve(0));
    readLines(socket, (hello) => {
      resolve((hello as LabHello | null)?.pid ?? 0);
      socket.destroy();
    });
  });
}

/** One client: lab operations, and the traffic of kernels, which passes through unseen. */
function session(socket: Socket, backend: LabBackend): Responder {
  const answers: Answers = {
    request: (operation, params) => backend.request(operation as LabOperation, params as never),
    open: (operation, params, sink) => {
      const bounded = new BoundedSink(sink);
      bounded.handle = backend.open(operation as LabStreamOperation, params as never, bounded);
      return bounded.handle;
    },
  };
  const post = (message: ToClient): void => {
    if (socket.writable) socket.write(encodeLine(message));
  };
  return new Responder(post, answers, () => socket.writableLength);
}

/** Ends a stream whose client reads more slowly than events come. */
class BoundedSink implements StreamSink<unknown> {
  handle: StreamHandle<never> | null = null;
  readonly #sink: StreamSink<unknown>;

  constructor(sink: StreamSink<unknown>) {
    this.#sink = sink;
  }

  event(event: unknown): void {
    if ((this.#sink.queuedBytes ?? 0) <= BACKLOG_BYTES_MAX) {
      this.#sink.event(event);
      return;
    }
    this.#sink.end(new MultikernelError('ENOBUFS', 'the events of this stream come faster than they are read'));
    this.handle?.close();
  }

  end(error: Error | null): void {
    this.#sink.end(error);
  }
}
