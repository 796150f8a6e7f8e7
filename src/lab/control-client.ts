/**
 * A lab in another process: the lab itself over its control socket, its kernels at their own sockets.
 *
 * Thread: any. The control socket is a server of remote calls (control-server.ts), whose requests and streams are operations.ts.
 * A kernel without a socket of its own is reached through the lab, which passes the bytes of its connection on. When the lab goes
 * down, what is asked fails and streams end.
 */

import { MultikernelError } from '../base/errors.ts';
import { MS_PER_S } from '../base/units.ts';
import type { Carrier } from '../host/contract.ts';
import { SystemRng } from '../host/node/clock.ts';
import { ANSWER_MS, inTime } from '../host/node/in-time.ts';
import { connectSocket } from '../host/node/socket-carrier.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import * as protocol from '../rump/protocol.ts';
import { type RemoteKernel, remoteKernel } from '../rump/remote-kernel.ts';
import { labKernel } from './lab-kernel.ts';
import type {
  LabBackend,
  LabOperation,
  LabRequests,
  LabStreamOperation,
  LabStreams,
  StreamHandle,
  StreamSink,
} from './operations.ts';
import { controlNames, controlPath, kernelSocket } from './runtime-folder.ts';

/** Codes of a socket that nobody serves. */
const NOT_UP: readonly string[] = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'ENOTSOCK'];

/** A lab's description of itself. */
export interface LabAbout {
  lab: string;
  pid: number;
}

export class ControlClient implements LabBackend {
  readonly lab: string;
  readonly pid: number;
  /** Settles when the lab hung up, or we did. */
  readonly closed: Promise<void>;
  /** The lab answers as a kernel does, but to other operations. */
  readonly #remote: RemoteKernel;
  readonly #kernels: KernelClient[] = [];

  private constructor(remote: RemoteKernel) {
    const { lab, pid } = remote.about as LabAbout;
    this.lab = lab;
    this.pid = pid;
    this.closed = remote.closed;
    this.#remote = remote;
  }

  /** Throws ENOENT when no lab of that name is up, ETIMEDOUT when its process does not answer. */
  static async connect(lab: string, answerMs: number = ANSWER_MS): Promise<ControlClient> {
    const down = (): MultikernelError => new MultikernelError('ECONNRESET', `lab ${lab} went down`);
    try {
      const carrier = await connectSocket({ kind: 'unix', path: controlPath(lab) });
      const greeting = remoteKernel(carrier, null, new SystemRng(), down);
      return new ControlClient(await inTime(greeting, lab, answerMs, () => carrier.close()));
    } catch (error) {
      if ((error as MultikernelError).code === 'ETIMEDOUT') {
        const message = `lab ${lab} does not answer (waited ${answerMs / MS_PER_S} s)`;
        throw new MultikernelError('ETIMEDOUT', message, { cause: error });
      }
      if (!NOT_UP.includes((error as MultikernelError).code)) throw error;
      throw new MultikernelError('ENOENT', `no lab ${lab} is up`, { cause: error });
    }
  }

  request<Op extends LabOperation>(
    operation: Op,
    params: LabRequests[Op]['params'],
  ): Promise<LabRequests[Op]['reply']> {
    return this.#remote.control(operation as never, params as never);
  }

  open<Op extends LabStreamOperation>(
    operation: Op,
    params: LabStreams[Op]['params'],
    sink: StreamSink<LabStreams[Op]['event']>,
  ): StreamHandle<LabStreams[Op]['input']> {
    return this.#remote.open(operation as never, params as never, sink as never) as StreamHandle<never>;
  }

  kernel(name: string): KernelClient {
    const connect = async (): Promise<KernelClient> => remoteKernel(await this.#carrierTo(name), null, new SystemRng());
    const kernel = labKernel(name, connect, this.closed);
    this.#kernels.push(kernel);
    return kernel;
  }

  async close(): Promise<void> {
    for (const kernel of this.#kernels) void kernel.close();
    await this.#remote.close();
  }

  /** Straight to the kernel where it has a socket that answers, else through the lab. */
  async #carrierTo(kernel: string): Promise<Carrier> {
    const path = kernelSocket(kernel, this.lab);
    if (path !== null) {
      try {
        return await connectSocket({ kind: 'unix', path }, false);
      } catch {
        // Its thread is gone, or not as far yet: the lab knows.
      }
    }
    const carrier = await connectSocket({ kind: 'unix', path: controlPath(this.lab) }, false);
    carrier.write(protocol.frameOf(new TextEncoder().encode(kernel), protocol.REQUEST, protocol.RELAY, 1), null);
    return carrier;
  }
}

/** Every lab of this user: clients of those that answer, names of those that do not in their time. */
export async function connectAll(answerMs?: number): Promise<{ clients: ControlClient[]; silent: string[] }> {
  const silent: string[] = [];
  const connect = async (name: string): Promise<ControlClient | null> => {
    try {
      return await ControlClient.connect(name, answerMs);
    } catch (error) {
      if ((error as MultikernelError).code === 'ETIMEDOUT') silent.push(name);
      return null;
    }
  };
  const clients = await Promise.all(controlNames().map(connect));
  return { clients: clients.filter((client) => client !== null), silent: silent.sort() };
}
