/**
 * One worker thread as its supervisor sees it: its messages, its streams, its output, its end.
 *
 * Thread: the supervisor's. Read first: messages.ts. Requests that a worker does not answer fail after a while (a program
 * that computes for seconds blocks the kernel beside it, as it blocks its own sockets).
 */

import type { Readable } from 'node:stream';
import type { MessagePort } from 'node:worker_threads';
import { MultikernelError } from '../base/errors.ts';
import { MS_PER_S } from '../base/units.ts';
import type { ControlOperation, ControlRequests } from '../kernel/control.ts';
import type { FromWorker, StreamOperation, Streams, ToWorker } from './messages.ts';
import type { StreamHandle, StreamSink } from './operations.ts';

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

interface Pending {
  kernel: string;
  resolve(reply: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

interface OpenStream {
  kernel: string;
  sink: StreamSink<never>;
}

const ANSWER_MS = 5000;

export class WorkerLink {
  readonly thread: WorkerThread;
  /** Its doorbell, by which shared memory knows it. */
  readonly doorbellAt: number;
  /** Settles when every kernel of the worker is booted, or it is gone before that. */
  readonly ready: Promise<void>;
  alive = true;
  readonly #port: MessagePort;
  readonly #events: WorkerEvents;
  readonly #pending: Map<number, Pending> = new Map();
  readonly #streams: Map<number, OpenStream> = new Map();
  readonly #stopping: Map<string, () => void> = new Map();
  readonly #exited: Promise<void>;
  #nextId = 1;
  #error: unknown;
  #resolveReady: () => void = () => {};
  #rejectReady: (error: Error) => void = () => {};
  #resolveExited: () => void = () => {};

  constructor(thread: WorkerThread, port: MessagePort, doorbellAt: number, events: WorkerEvents) {
    this.thread = thread;
    this.doorbellAt = doorbellAt;
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

  request(
    kernel: string,
    operation: ControlOperation,
    request: ControlRequests[ControlOperation]['request'],
  ): Promise<ControlRequests[ControlOperation]['reply']> {
    if (!this.alive) return Promise.reject(notRunning(kernel));
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const late = (): void => {
        if (!this.#pending.delete(id)) return;
        const seconds = ANSWER_MS / MS_PER_S;
        reject(
          new MultikernelError('ETIMEDOUT', `${kernel}: no answer in ${seconds} s: its program blocks the thread`),
        );
      };
      // If it was this thread that was busy, answers that came meanwhile are still to be read: they are, before the immediate.
      const timer = setTimeout(() => setImmediate(late), ANSWER_MS);
      this.#pending.set(id, { kernel, resolve: resolve as (reply: unknown) => void, reject, timer });
      this.#post({ type: 'request', id, kernel, operation, request } as ToWorker);
    });
  }

  open<Op extends StreamOperation>(
    kernel: string,
    operation: Op,
    options: Streams[Op]['options'],
    sink: StreamSink<Streams[Op]['event']>,
  ): StreamHandle<Streams[Op]['input']> {
    if (!this.alive) {
      queueMicrotask(() => sink.end(notRunning(kernel)));
      return { send: () => {}, close: () => {} };
    }
    const id = this.#nextId++;
    this.#streams.set(id, { kernel, sink: sink as StreamSink<never> });
    this.#post({ type: 'open', id, kernel, operation, options } as ToWorker);
    return {
      send: (input) => {
        if (this.#streams.has(id)) this.#post({ type: 'input', id, input });
      },
      close: () => {
        if (this.#streams.has(id)) this.#post({ type: 'close', id });
      },
    };
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
        this.#stopping.get(message.kernel)?.();
        this.#stopping.delete(message.kernel);
        break;
      case 'reply':
        this.#take(message.id)?.resolve(message.reply);
        break;
      case 'failure':
        this.#take(message.id)?.reject(new MultikernelError(message.code, message.message));
        break;
      case 'event':
        this.#streams.get(message.id)?.sink.event(message.event as never);
        break;
      case 'closed': {
        const stream = this.#streams.get(message.id);
        this.#streams.delete(message.id);
        stream?.sink.end(message.code === null ? null : new MultikernelError(message.code, message.message));
      }
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending !== undefined) clearTimeout(pending.timer);
    return pending;
  }

  #gone(exitCode: number): void {
    this.alive = false;
    this.#port.close();
    for (const { kernel, reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(notRunning(kernel));
    }
    this.#pending.clear();
    for (const resolve of this.#stopping.values()) resolve();
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const { kernel, sink } of streams) sink.end(notRunning(kernel));
    this.#rejectReady(this.#error instanceof Error ? this.#error : new Error(`worker ended with code ${exitCode}`));
    this.#events.gone(exitCode, this.#error);
    this.#resolveExited();
  }
}

export function notRunning(kernel: string): MultikernelError {
  return new MultikernelError('EHOSTDOWN', `${kernel} is not running`);
}
