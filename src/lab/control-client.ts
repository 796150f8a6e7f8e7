/**
 * A lab in another process, reached over its control socket.
 *
 * Thread: any. Read first: control-protocol.ts. When the lab goes down, what is asked fails and streams end.
 */

import { connect, type Socket } from 'node:net';
import { MultikernelError } from '../base/errors.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import { Requester, type ToClient } from '../rump/multiplexer.ts';
import { encodeLine, type LabHello, PROTOCOL_VERSION, readLines } from './control-protocol.ts';
import { kernelThrough } from './kernel-through.ts';
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

export class ControlClient implements LabBackend {
  readonly lab: string;
  readonly pid: number;
  /** Settles when the lab hung up, or we did. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #requester: Requester;

  private constructor(socket: Socket, hello: LabHello) {
    this.#socket = socket;
    this.lab = hello.lab;
    this.pid = hello.pid;
    this.#requester = new Requester((message) => {
      if (socket.writable) socket.write(encodeLine(message));
    });
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#requester.fail(this.#down());
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
          client.#requester.take(value as ToClient);
          return;
        }
        const hello = value as LabHello;
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
    if (!this.#socket.writable) return Promise.reject(this.#down());
    return this.#requester.request(operation, params) as Promise<LabRequests[Op]['reply']>;
  }

  open<Op extends LabStreamOperation>(
    operation: Op,
    params: LabStreams[Op]['params'],
    sink: StreamSink<LabStreams[Op]['event']>,
  ): StreamHandle<LabStreams[Op]['input']> {
    if (!this.#socket.writable) this.#requester.fail(this.#down());
    return this.#requester.open(operation, params, sink as StreamSink<never>);
  }

  kernel(name: string): KernelClient {
    return kernelThrough(this, name, this.closed);
  }

  async close(): Promise<void> {
    this.#socket.destroySoon();
    await this.closed;
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
