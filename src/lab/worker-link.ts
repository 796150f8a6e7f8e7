/**
 * One worker thread as its supervisor sees it: its messages, the ways to its kernels, its output, its end.
 *
 * Thread: the supervisor's. Read first: messages.ts.
 */

import type { Readable, Writable } from 'node:stream';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { LOAD_MS, type NativeLoad } from '../mem/native-load.ts';
import type { FromWorker, ToWorker } from './messages.ts';
import { leadInput } from './standard-input.ts';
import type { ThreadOutput } from './thread-output.ts';

/** The part of a `Worker` that the supervisor uses; tests have their own. */
export interface WorkerThread {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Null or absent: its program has an empty one. */
  readonly stdin?: Writable | null;
  on(event: 'exit', listener: (code: number) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  terminate(): Promise<unknown>;
}

export interface WorkerEvents {
  listening(kernel: string, tcp: number[], udp: number[]): void;
  /** The thread is gone; `error` is what was not caught, undefined when it ended by itself. */
  gone(exitCode: number, error: unknown): void;
}

const LOOK_MS = 1;

/** Resolves when `ended` does, or after `ms`. */
async function within(ms: number, ended: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([ended, late]);
  clearTimeout(timer);
}

export class WorkerLink {
  readonly thread: WorkerThread;
  /** Its id in shared memory (mem/owner). */
  readonly owner: number;
  /** Output of its program; null: it has none. */
  readonly output: ThreadOutput | null;
  /** Settles when every kernel of the worker is booted, or it is gone before that. */
  readonly ready: Promise<void>;
  alive = true;
  readonly #port: MessagePort;
  readonly #events: WorkerEvents;
  readonly #nativeLoad: NativeLoad;
  /** Our ends of the connections to kernels. */
  readonly #connections: Set<MessagePort> = new Set();
  readonly #stopping: Map<string, () => void> = new Map();
  readonly #urls: Map<string, ((url: string) => void)[]> = new Map();
  readonly #exited: Promise<void>;
  #error: unknown;
  #resolveReady: () => void = () => {};
  #rejectReady: (error: Error) => void = () => {};
  #resolveExited: () => void = () => {};
  #resolveReleased: (() => void) | null = null;
  readonly #stopInput: (() => void) | null;

  constructor(
    thread: WorkerThread,
    port: MessagePort,
    owner: number,
    events: WorkerEvents,
    output: ThreadOutput | null,
    nativeLoad: NativeLoad,
  ) {
    this.thread = thread;
    this.output = output;
    this.owner = owner;
    this.#nativeLoad = nativeLoad;
    this.#port = port;
    this.#events = events;
    this.#stopInput = thread.stdin ? leadInput(thread.stdin) : null;
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

  /** Ask the program to end; resolves when the thread is gone, or after `graceMs`. */
  async end(graceMs: number): Promise<void> {
    if (!this.alive) return;
    this.#post({ type: 'signal', signal: 'SIGTERM' });
    await within(graceMs, this.#exited);
  }

  /** Shut down one of several kernels. Resolves when it is, or its thread is gone. */
  stopKernel(kernel: string): Promise<void> {
    if (!this.alive) return Promise.resolve();
    return new Promise((resolve) => {
      this.#stopping.set(kernel, resolve);
      this.#post({ type: 'stop', kernel });
    });
  }

  /** End the thread, as soon as it loads no native code. Resolves when it is gone. */
  async terminate(): Promise<void> {
    const lastMs = performance.now() + LOAD_MS;
    while (this.alive && !this.#nativeLoad.end() && performance.now() < lastMs) await within(LOOK_MS, this.#exited);
    if (!this.alive) return;
    await this.thread.terminate();
    await this.#exited;
  }

  /** The process ends, and its threads with it: wait until the thread may be ended. */
  endNow(): void {
    if (this.alive) this.#nativeLoad.endNow(LOAD_MS);
  }

  /**
   * Let the thread, which runs kernels alone, shut them down and wait for others, within `limitMs`. True: it waits, and is no concern of ours any
   * more.
   */
  async release(limitMs: number): Promise<boolean> {
    if (!this.alive) return false;
    const released = new Promise<void>((resolve) => {
      this.#resolveReleased = resolve;
    });
    this.#post({ type: 'release' });
    await within(limitMs, Promise.race([released, this.#exited]));
    if (this.#resolveReleased !== null || !this.alive) return false;
    this.#gone(0);
    return true;
  }

  /** A new connection for remote calls to one kernel of the worker. It closes with the kernel. */
  connect(kernel: string): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#connections.add(port1);
    port1.on('close', () => this.#connections.delete(port1));
    if (this.alive) this.#port.postMessage({ type: 'connect', kernel, port: port2 } satisfies ToWorker, [port2]);
    else port1.close();
    return port1;
  }

  /** URL of one kernel, for a program in a process of its own; '' when it is gone. */
  url(kernel: string): Promise<string> {
    if (!this.alive) return Promise.resolve('');
    return new Promise((resolve) => {
      this.#urls.set(kernel, [...(this.#urls.get(kernel) ?? []), resolve]);
      this.#post({ type: 'url', kernel });
    });
  }

  #answerUrl(kernel: string, url: string): void {
    for (const resolve of this.#urls.get(kernel) ?? []) resolve(url);
    this.#urls.delete(kernel);
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
      case 'url':
        this.#answerUrl(message.kernel, message.url);
        break;
      case 'stopped':
        this.#stopping.get(message.kernel)?.();
        this.#stopping.delete(message.kernel);
        break;
      case 'released':
        this.#resolveReleased?.();
        this.#resolveReleased = null;
    }
  }

  #gone(exitCode: number): void {
    this.alive = false;
    this.#stopInput?.();
    this.output?.end();
    this.#port.close();
    for (const connection of this.#connections) connection.close();
    for (const resolve of this.#stopping.values()) resolve();
    for (const kernel of [...this.#urls.keys()]) this.#answerUrl(kernel, '');
    this.#rejectReady(this.#error instanceof Error ? this.#error : new Error(`worker ended with code ${exitCode}`));
    this.#events.gone(exitCode, this.#error);
    this.#resolveExited();
  }
}
