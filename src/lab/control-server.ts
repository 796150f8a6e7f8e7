/**
 * The control socket of a lab: lets the commands of a second terminal ask what its own process could.
 *
 * Thread: the supervisor's. Read first: control-protocol.ts. One lab per name: whoever binds the socket has the name. A socket
 * file that nobody listens behind was left by a lab that was killed, and is removed.
 */

import { chmodSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { MultikernelError } from '../base/errors.ts';
import type { CaptureEvent } from '../kernel/control.ts';
import {
  encodeLine,
  type FromClient,
  type FromServer,
  type Hello,
  PROTOCOL_VERSION,
  readLines,
  wireError,
} from './control-protocol.ts';
import type { LabBackend, LabOperation, LabStreamOperation, StreamHandle } from './operations.ts';
import { controlPath } from './runtime-folder.ts';

/** A client that reads more slowly than this loses frames of its captures, counted. */
const BACKLOG_BYTES_MAX = 4 * 1024 * 1024;

export class ControlServer {
  readonly path: string;
  readonly #server: Server;
  readonly #clients: Set<Socket> = new Set();

  /** The file goes with the process; only SIGKILL leaves it. */
  readonly #onExit = (): void => rmSync(this.path, { force: true });

  private constructor(path: string, server: Server) {
    this.path = path;
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
        const control = new ControlServer(path, server);
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
    await closed;
  }

  #serve(socket: Socket, lab: string, backend: LabBackend): void {
    this.#clients.add(socket);
    const hello: Hello = { multikernel: PROTOCOL_VERSION, lab, pid: process.pid };
    socket.write(encodeLine(hello));
    const session = new Session(socket, backend);
    readLines(socket, (value) => session.take(value as FromClient));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#clients.delete(socket);
      session.close();
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
      resolve((hello as Hello | null)?.pid ?? 0);
      socket.destroy();
    });
  });
}

/** One client. */
class Session {
  readonly #socket: Socket;
  readonly #backend: LabBackend;
  readonly #streams: Map<number, StreamHandle<never>> = new Map();

  constructor(socket: Socket, backend: LabBackend) {
    this.#socket = socket;
    this.#backend = backend;
  }

  take(message: FromClient | null): void {
    if (typeof message !== 'object' || message === null || !Number.isInteger(message.id)) {
      this.#socket.destroy();
    } else if ('request' in message) {
      this.#request(message.id, message.request as LabOperation, message.params);
    } else if ('open' in message) {
      this.#open(message.id, message.open as LabStreamOperation, message.params);
    } else if ('input' in message) {
      this.#streams.get(message.id)?.send(message.input as never);
    } else {
      this.#streams.get(message.id)?.close();
    }
  }

  /** The client is gone: so is what it listened to. */
  close(): void {
    for (const handle of [...this.#streams.values()]) handle.close();
    this.#streams.clear();
  }

  #send(message: FromServer): void {
    if (this.#socket.writable) this.#socket.write(encodeLine(message));
  }

  #request(id: number, operation: LabOperation, params: unknown): void {
    const fail = (error: unknown): void => this.#send({ id, error: wireError(error) });
    try {
      this.#backend.request(operation, (params ?? {}) as never).then((reply) => this.#send({ id, reply }), fail);
    } catch (error) {
      fail(error);
    }
  }

  #open(id: number, operation: LabStreamOperation, params: unknown): void {
    let dropped = 0;
    let ended = false;
    const handle = this.#backend.open(operation, (params ?? {}) as never, {
      event: (event: unknown) => {
        if (operation === 'capture' && (event as CaptureEvent).type === 'frames') {
          const batch = event as Extract<CaptureEvent, { type: 'frames' }>;
          if (this.#socket.writableLength > BACKLOG_BYTES_MAX) {
            dropped += batch.frames.length + batch.droppedFrames;
            return;
          }
          this.#send({ id, event: { ...batch, droppedFrames: batch.droppedFrames + dropped } });
          dropped = 0;
        } else {
          this.#send({ id, event });
        }
      },
      end: (error) => {
        ended = true;
        this.#streams.delete(id);
        this.#send({ id, end: true, error: error === null ? null : wireError(error) });
      },
    });
    if (!ended) this.#streams.set(id, handle as StreamHandle<never>);
  }
}
