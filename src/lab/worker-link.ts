/**
 * One worker thread as its supervisor sees it: its messages, its kernels, its output, its end.
 *
 * Thread: the supervisor's. Read first: messages.ts. Requests that a worker does not answer fail after a while (a program
 * that computes for seconds blocks the kernel beside it, as it blocks its own sockets).
 */

import type { Readable } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import { MultikernelError } from '../base/errors.ts';
import { inTime } from '../host/node/in-time.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import { kernelOver, Requester } from '../rump/multiplexer.ts';
import { withCalls } from '../rump/process-stream.ts';
import type { FromWorker, ToWorker } from './messages.ts';

/** The part of a `Worker` that the supervisor uses; tests have their own. */
export interface WorkerThread {
  readonly stdout: Readable;
  readonly stderr: Readable;
  on(event: 'exit', listener: (code: number) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  terminate(): Promise<unknown>;
}

export interface WorkerEvents {
  listening(kernel: string, tcp: number[], udp: number[]): void;
  /** The thread is gone; `error` is what was not caught, undefined when it ended by itself. */
  gone(exitCode: number, error: unknown): void;
}

export class WorkerLink {
  readonly thread: WorkerThread;
  /** Its id in shared memory (mem/owner). */
  readonly owner: number;
  /** Settles when every kernel of the worker is booted, or it is gone before that. */
  readonly ready: Promise<void>;
  alive = true;
  readonly #port: MessagePort;
  readonly #events: WorkerEvents;
  readonly #requesters: Map<string, Requester> = new Map();
  readonly #stopping: Map<string, () => void> = new Map();
  readonly #exited: Promise<void>;
  #error: unknown;
  #resolveReady: () => void = () => {};
  #rejectReady: (error: Error) => void = () => {};
  #resolveExited: () => void = () => {};

  constructor(thread: WorkerThread, port: MessagePort, owner: number, events: WorkerEvents) {
    this.thread = thread;
    this.owner = owner;
    this.#port = port;
    this.#events = events;
    this.ready = new Promise((resolve, reject) => {
      this.#resolveReady = resolve;
      this.#rejectReady = reject;
    });
    this.ready.catch(() => {});
    this.#exited = new Promise((resolve) => {
      this.#resolveExited = resolve;
    });
    port.on('message', (message: FromWorker) => this.#message(message));
    thread.on('error', (error) => {
      this.#error = error ?? new Error('unknown error');
    });
    thread.on('exit', (code) => this.#gone(code));
  }

  /** Let the program begin. */
  start(): void {
    this.#post({ type: 'start' });
  }

  /** Shut down one of several kernels. Resolves when it is, or its thread is gone. */
  stopKernel(kernel: string): Promise<void> {
    if (!this.alive) return Promise.resolve();
    return new Promise((resolve) => {
      this.#stopping.set(kernel, resolve);
      this.#post({ type: 'stop', kernel });
    });
  }

  /** End the thread at once. Resolves when it is gone. */
  async terminate(): Promise<void> {
    if (!this.alive) return;
    await this.thread.terminate();
    await this.#exited;
  }

  /** One kernel of the worker. Requests without an answer for a while reject with ETIMEDOUT. */
  kernel(name: string): KernelClient {
    const client = kernelOver(this.#requester(name), this.#exited, () => Promise.resolve());
    const control: KernelClient['control'] = (operation, request) => inTime(client.control(operation, request), name);
    return withCalls({ ...client, control });
  }

  #requester(name: string): Requester {
    const known = this.#requesters.get(name);
    if (known !== undefined) return known;
    const requester = new Requester((message) => this.#post({ type: 'kernel', kernel: name, message }));
    if (this.alive) this.#requesters.set(name, requester);
    else requester.fail(notRunning(name));
    return requester;
  }

  #post(message: ToWorker): void {
    if (this.alive) this.#port.postMessage(message);
  }

  #message(message: FromWorker): void {
    switch (message.type) {
      case 'ready':
        this.#resolveReady();
        break;
      case 'listening':
        this.#events.listening(message.kernel, message.tcp, message.udp);
        break;
      case 'stopped':
        this.#requesters.get(message.kernel)?.fail(notRunning(message.kernel));
        this.#requesters.delete(message.kernel);
        this.#stopping.get(message.kernel)?.();
        this.#stopping.delete(message.kernel);
        break;
      case 'kernel':
        this.#requesters.get(message.kernel)?.take(message.message);
    }
  }

  #gone(exitCode: number): void {
    this.alive = false;
    this.#port.close();
    for (const [name, requester] of this.#requesters) requester.fail(notRunning(name));
    this.#requesters.clear();
    for (const resolve of this.#stopping.values()) resolve();
    this.#rejectReady(this.#error instanceof Error ? this.#error : new Error(`worker ended with code ${exitCode}`));
    this.#events.gone(exitCode, this.#error);
    this.#resolveExited();
  }
}

export function notRunning(kernel: string): MultikernelError {
  return new MultikernelError('EHOSTDOWN', `${kernel} is not running`);
}
