/**
 * State that the handles of one thread share: the kernel they open sockets on, the names it knows, the count that keeps
 * the event loop alive, and the way callbacks enter the program.
 *
 * Thread: the program's. Set once by `install`, before the program loads.
 */

import { AsyncResource } from 'node:async_hooks';
import type { MessagePort } from 'node:worker_threads';
import type { PassedFiles } from '../rump/passed-files.ts';
import type { SocketLayer } from '../socket/socket.ts';
import { drainTicks, NativeTcp } from './bindings.ts';
import { Liveness } from './liveness.ts';
import type { NameTable } from './names.ts';

export interface Face {
  readonly sockets: SocketLayer;
  readonly names: NameTable;
  /** Interfaces for `os.networkInterfaces`; the host's own when absent. */
  readonly interfaces?: (() => readonly HostInterfaceAddress[]) | undefined;
  /** Only when the kernel is this thread's: its files on their way to other processes. */
  readonly passed?: PassedFiles | undefined;
  /** URL at which processes that the program starts reach the kernel; the kernel listens from the first call on. */
  readonly serverUrl?: (() => string) | undefined;
  /** The way of a new thread to the kernel; absent: threads take the URL. */
  readonly openGate?: (() => MessagePort) | undefined;
}

/** One address of an interface. */
export interface HostInterfaceAddress {
  name: string;
  /** Without a zone. */
  address: string;
  prefixLength: number;
  mac: string;
  internal: boolean;
  /** Index of the interface of a link-local address, else 0. */
  scopeId: number;
}

let current: Face | null = null;

export function setFace(face: Face | null): void {
  current = face;
}

/** Whether a kernel is installed in this thread. */
export function hasFace(): boolean {
  return current !== null;
}

export function face(): Face {
  if (current === null) throw new Error('no kernel is installed in this thread');
  return current;
}

export const liveness: Liveness = new Liveness();

/**
 * Context of what nobody asked for: connections that arrive. Without it they would inherit the asynchronous context of
 * whoever happened to wake the kernel.
 */
const root: AsyncResource = new AsyncResource('MULTIKERNEL', { requireManualDestroy: true });

export function inRoot<T>(make: () => T): T {
  return root.runInAsyncScope(make);
}

type Callback = (this: unknown, a?: unknown, b?: unknown, c?: unknown, d?: unknown, e?: unknown) => unknown;

/**
 * Call into the program as native code does: in the asynchronous context of the handle or request, and with the ticks
 * and promise jobs it queued done before the next callback. Its exceptions go up to the event loop.
 */
export function callProgram(
  scope: AsyncResource,
  callback: unknown,
  self: unknown,
  a?: unknown,
  b?: unknown,
  c?: unknown,
  d?: unknown,
  e?: unknown,
): unknown {
  if (typeof callback !== 'function') return undefined;
  const result = scope.runInAsyncScope(callback as Callback, self, a, b, c, d, e);
  drainTicks();
  return result;
}

/** Something that has work for a later turn of the event loop. */
export interface Deferrable {
  /** Owned by the queue. */
  deferred: boolean;
  resume(): void;
}

// Taken before the program can replace the global (fake timers do).
const immediate = setImmediate;

/** Calls `resume` of what was added on the next turn of the event loop, once each; keeps the loop alive until then. */
class DeferredQueue {
  #waiting: Deferrable[] = [];
  #running: Deferrable[] = [];
  readonly #run = (): void => this.run();

  add(target: Deferrable): void {
    if (target.deferred) return;
    target.deferred = true;
    this.#waiting.push(target);
    if (this.#waiting.length === 1) immediate(this.#run);
  }

  run(): void {
    const targets = this.#waiting;
    if (targets.length === 0) return;
    this.#waiting = this.#running;
    this.#running = targets;
    let called = 0;
    try {
      while (called < targets.length) {
        const target = targets[called++] as Deferrable;
        target.deferred = false;
        target.resume();
      }
    } finally {
      // A program's exception: the others keep their turn.
      if (called < targets.length && this.#waiting.length === 0) immediate(this.#run);
      for (let i = called; i < targets.length; i++) this.#waiting.push(targets[i] as Deferrable);
      targets.length = 0;
    }
  }
}

const nextTurn = new DeferredQueue();
const beforeEvents = new DeferredQueue();

/** Have `resume` called on the next turn of the event loop. */
export function defer(target: Deferrable): void {
  nextTurn.add(target);
}

/**
 * Have `resume` called on the next turn, but before the kernel's next event reaches any handle: what libuv finishes
 * before it polls (a half-close is told before the peer's answer to it is read).
 */
export function deferBeforeEvents(target: Deferrable): void {
  beforeEvents.add(target);
}

/** Every handle calls it when the kernel has an event for it. */
export function eventsBegin(): void {
  beforeEvents.run();
}

/** A callback on the next turn of the event loop, in the context of `scope`. */
export function callLater(scope: AsyncResource, callback: unknown, self: unknown, a?: unknown, b?: unknown): void {
  if (typeof callback !== 'function') return;
  immediate(() => scope.runInAsyncScope(callback as Callback, self, a, b));
}

/** A handle that closes. */
export interface Closing {
  /** Called where libuv calls close callbacks: at the end of this turn of the event loop, after `setImmediate`. */
  closed(): void;
}

let closing: Closing[] = [];

function runClosed(): void {
  const handles = closing;
  closing = [];
  let called = 0;
  try {
    while (called < handles.length) (handles[called++] as Closing).closed();
  } finally {
    // A program's exception: the others still close.
    if (called < handles.length) for (const handle of handles.slice(called)) closeAtTurnEnd(handle);
  }
}

/**
 * One native handle, opened to be closed, stands for all that close together. It waits for `setImmediate` first: the
 * kernel's turn is itself such a callback, and what the program asks for there comes on the next round.
 */
export function closeAtTurnEnd(handle: Closing): void {
  closing.push(handle);
  if (closing.length === 1) immediate(() => new NativeTcp(0).close(runClosed));
}
