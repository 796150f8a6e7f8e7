/**
 * A lab in another process, reached over its control socket.
 *
 * Thread: any. Read first: control-protocol.ts. When the lab goes down, what is asked fails and streams end.
 */

import { connect, type Socket } from 'node:net';
import { MultikernelError } from '../base/errors.ts';
import {
  encodeLine,
  type FromClient,
  type FromServer,
  fromWireError,
  type Hello,
  PROTOCOL_VERSION,
  readLines,
} from './control-protocol.ts';
import type {
  LabBackend,
  LabOperation,
  LabRequests,
  LabStreamOperation,
  LabStreams,
  StreamHandle,
  StreamSink,
} from './operations.ts';
import { controlNames, controlPath } from './runtime-folder.ts';

interface Pending {
  resolve(reply: unknown): void;
  reject(error: Error): void;
}

export class ControlClient implements LabBackend {
  readonly lab: string;
  readonly pid: number;
  /** Settles when the lab hung up, or we did. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #pending: Map<number, Pending> = new Map();
  readonly #streams: Map<number, StreamSink<never>> = new Map();
  #nextId = 1;

  private constructor(socket: Socket, hello: Hello) {
    this.#socket = socket;
    this.lab = hello.lab;
    this.pid = hello.pid;
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#hungUp();
        resolve();
      });
    });
  }

  /** Throws ENOENT when no lab of that name is up. */
  static connect(lab: string): Promise<ControlClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(controlPath(lab));
      let client: ControlClient | null = null;
      const notUp = (): void => reject(new MultikernelError('ENOENT', `no lab ${lab} is up`));
      socket.on('error', notUp);
      socket.on('close', notUp);
      readLines(socket, (value) => {
        if (client !== null) {
          client.#take(value as FromServer);
          return;
        }
        const hello = value as Hello;
        if (hello?.multikernel !== PROTOCOL_VERSION) {
          socket.destroy();
          reject(new MultikernelError('EPROTO', `lab ${lab} speaks another version of the control protocol`));
          return;
        }
        client = new ControlClient(socket, hello);
        resolve(client);
      });
    });
  }

  request<Op extends LabOperation>(
    operation: Op,
    params: LabRequests[Op]['params'],
  ): Promise<LabRequests[Op]['reply']> {
    return new Promise((resolve, reject) => {
      if (!this.#socket.writable) {
        reject(this.#down());
        return;
      }
      const id = this.#nextId++;
      this.#pending.set(id, { resolve: resolve as (reply: unknown) => void, reject });
      this.#send({ id, request: operation, params });
    });
  }

  open<Op extends LabStreamOperation>(
    operation: Op,
    params: LabStreams[Op]['params'],
    sink: StreamSink<LabStreams[Op]['event']>,
  ): StreamHandle<LabStreams[Op]['input']> {
    const id = this.#nextId++;
    if (!this.#socket.writable) {
      queueMicrotask(() => sink.end(this.#down()));
      return { send: () => {}, close: () => {} };
    }
    this.#streams.set(id, sink as StreamSink<never>);
    this.#send({ id, open: operation, params });
    return {
      send: (input) => this.#send({ id, input }),
      close: () => this.#send({ id, close: true }),
    };
  }

  async close(): Promise<void> {
    this.#socket.destroySoon();
    await this.closed;
  }

  #send(message: FromClient): void {
    if (this.#socket.writable) this.#socket.write(encodeLine(message));
  }

  #take(message: FromServer): void {
    if ('event' in message) {
      this.#streams.get(message.id)?.event(message.event as never);
    } else if ('end' in message) {
      const sink = this.#streams.get(message.id);
      this.#streams.delete(message.id);
      sink?.end(message.error === null ? null : fromWireError(message.error));
    } else {
      const pending = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if ('error' in message) pending?.reject(fromWireError(message.error));
      else pending?.resolve(message.reply);
    }
  }

  #hungUp(): void {
    for (const { reject } of this.#pending.values()) reject(this.#down());
    for (const sink of this.#streams.values()) sink.end(this.#down());
    this.#pending.clear();
    this.#streams.clear();
  }

  #down(): MultikernelError {
    return new MultikernelError('ECONNRESET', `lab ${this.lab} went down`);
  }
}

/** Clients of every lab of this user that is up. */
export async function connectAll(): Promise<ControlClient[]> {
  const clients = await Promise.all(controlNames().map((name) => ControlClient.connect(name).catch(() => null)));
  return clients.filter((client) => client !== null);
}
