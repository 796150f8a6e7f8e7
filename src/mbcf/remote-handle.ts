/**
 * A handle to the memory of a task: the place from which operations are sent, and to which replies come back.
 *
 * Thread: that of the node. The handle of an association that has ended, and that of a task that has moved, is renewed by the key; the operation that
 * found out was not executed, and is sent again. Read first: association.ts, executor.ts (#attach).
 */

import { MultikernelError } from '../base/errors.ts';
import * as mbcf from '../wire/mbcf.ts';
import type { Association } from './protocol/association.ts';
import { KEY_BYTES } from './protocol/grant-record.ts';
import type { MbcfNode } from './protocol/node.ts';
import {
  STATUS_CLOSED,
  STATUS_DONE,
  STATUS_MOVED,
  STATUS_OUT_OF_RANGE,
  STATUS_STALE,
  statusError,
  statusOf,
} from './protocol/status.ts';
import type { TaskAddress } from './protocol/task-record.ts';

/** Times that an operation is sent again because the task was elsewhere. */
const MOVES_MAX = 4;
const ATTACH_BYTES: number = 8 + KEY_BYTES;

/** An operation as it is sent. */
export interface Request<T> {
  /** For people, in errors. */
  readonly what: string;
  readonly code: number;
  readonly flags: number;
  readonly address: number;
  readonly dataBytes: number;
  /** Data of the reply at most. */
  readonly replyBytes: number;
  /** Writes the data at a place of the arena. */
  readonly write: (view: DataView, at: number) => void;
  /** Reads the data of the reply. */
  readonly read: (view: DataView, at: number, byteLength: number) => T;
  /** Learns the status in the end. */
  readonly settled?: (status: number) => void;
}

/** A way to send operations to the memory of a task. */
export interface Submitter {
  readonly node: MbcfNode;
  readonly target: TaskAddress;
  readonly byteLength: number;
  /** Longest data of one operation. */
  readonly maxDataBytes: number;
  submit<T>(request: Request<T>): Promise<T>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  moves: number;
}

export class RemoteHandle implements Submitter {
  readonly node: MbcfNode;
  /** The task here that uses it. */
  readonly task: number;
  readonly key: Uint8Array;
  /** Length of the memory, bytes. */
  byteLength = 0;
  /** Bits of the rights. */
  rights = 0;
  #target: TaskAddress;
  #way: Association;
  #handle = 0;
  #association = 0;
  #attaching: Promise<void> | null = null;

  // cold: once per handle
  constructor(node: MbcfNode, task: number, target: TaskAddress, key: Uint8Array) {
    if (key.length !== KEY_BYTES) throw new MultikernelError('EINVAL', `mbcf: a key has ${KEY_BYTES} bytes`);
    this.node = node;
    this.task = task;
    this.key = key;
    this.#target = target;
    this.#way = node.association(target.node);
  }

  /** Place of the task, as far as is known. */
  get target(): TaskAddress {
    return this.#target;
  }

  get maxDataBytes(): number {
    return this.#way.maxDataBytes;
  }

  /** Show the key, and get a handle; follows a task that has moved. Rejects with the code of the refusal. */
  // cold: once per association
  attach(): Promise<void> {
    this.#attaching ??= this.#attach().finally(() => {
      this.#attaching = null;
    });
    return this.#attaching;
  }

  async #attach(): Promise<void> {
    const request: Request<void> = {
      what: 'attach',
      code: mbcf.CODE_ATTACH,
      flags: mbcf.OPERATION_STATUS,
      address: 0,
      dataBytes: ATTACH_BYTES,
      replyBytes: 16,
      write: (view, at) => {
        view.setUint32(at, this.#target.task);
        view.setUint32(at + 4, this.task);
        for (let i = 0; i < KEY_BYTES; i++) view.setUint8(at + 8 + i, this.key[i] as number);
      },
      read: (view, at) => {
        this.#handle = view.getUint32(at);
        this.rights = view.getUint32(at + 4);
        this.byteLength = Number(view.getBigUint64(at + 8));
        this.#association = this.#way.association;
      },
    };
    await new Promise((resolve, reject) => this.#send(request, { resolve, reject, moves: 0 }));
  }

  /** Send an operation, after those that were sent before; resolves with its value. Rejects with the code of the refusal. */
  submit<T>(request: Request<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#send(request, { resolve: resolve as (value: unknown) => void, reject, moves: 0 });
    });
  }

  /**
   * Send operations in one packet, which is executed without anything in between; each resolves with its value. All reject with EMSGSIZE when they do not fit
   * one, and none is executed.
   */
  submitTogether(requests: readonly Request<unknown>[]): Promise<unknown>[] {
    const ends: Waiting[] = [];
    const promises = requests.map(
      () => new Promise<unknown>((resolve, reject) => ends.push({ resolve, reject, moves: MOVES_MAX })),
    );
    this.#sendTogether(requests, ends);
    return promises;
  }

  #sendTogether(requests: readonly Request<unknown>[], ends: readonly Waiting[]): void {
    this.node.awaitRoom(this.#way, () => {
      const way = this.#way;
      if (!this.node.closed && this.#association !== way.association) {
        this.attach().then(
          () => this.#sendTogether(requests, ends),
          (error: Error) => {
            for (const { reject } of ends) reject(error);
          },
        );
        return true;
      }
      const bytes = (of: 'dataBytes' | 'replyBytes'): number =>
        requests.reduce((sum, request) => sum + mbcf.paddedBytes(true, request[of]), 0);
      if (Math.max(bytes('dataBytes'), bytes('replyBytes')) > way.maxOperationBytes) {
        for (const { reject } of ends) reject(new MultikernelError('EMSGSIZE', 'mbcf: compound: longer than a packet'));
        return true;
      }
      way.seal();
      // The first finds no room, or all of them do: they share a packet.
      const sent = requests.every((request, i) => this.#attempt(request, ends[i] as Waiting));
      way.seal();
      return sent;
    });
  }

  #send<T>(request: Request<T>, waiting: Waiting): void {
    this.node.awaitRoom(this.#way, () => this.#attempt(request, waiting));
  }

  /** False: there is no room. */
  #attempt<T>(request: Request<T>, waiting: Waiting): boolean {
    const way = this.#way;
    if (this.node.closed) {
      request.settled?.(STATUS_CLOSED);
      waiting.reject(new MultikernelError('ECANCELED', `mbcf: ${request.what}: the node was closed`));
      return true;
    }
    const attaches = request.code === mbcf.CODE_ATTACH;
    if (!attaches && this.#association !== way.association) {
      this.#sendAgain(request, waiting);
      return true;
    }
    if (request.dataBytes > way.maxDataBytes || request.replyBytes > way.maxDataBytes) {
      waiting.reject(new MultikernelError('EMSGSIZE', `mbcf: ${request.what}: longer than a packet`));
      return true;
    }
    if (request.address > way.maxAddress) {
      request.settled?.(STATUS_OUT_OF_RANGE);
      waiting.reject(statusError(STATUS_OUT_OF_RANGE, request.what));
      return true;
    }
    const { pending } = this.node;
    const tag = pending.begin(way, {
      completed: (status, at, byteLength) => this.#completed(request, waiting, status, at, byteLength),
    });
    if (tag === 0) {
      waiting.reject(new MultikernelError('ENOBUFS', `mbcf: ${request.what}: too many operations wait`));
      return true;
    }
    const handle = attaches ? 0 : this.#handle;
    const { code, flags, address, dataBytes, replyBytes } = request;
    const at = way.reserve(code, flags, handle, tag, address, dataBytes, replyBytes);
    if (at < 0) {
      pending.cancel(tag);
      return false;
    }
    request.write(this.node.context.arena.view, at);
    way.commit();
    return true;
  }

  #completed<T>(request: Request<T>, waiting: Waiting, status: number, at: number, byteLength: number): void {
    if (status === STATUS_DONE) {
      request.settled?.(status);
      waiting.resolve(request.read(this.node.context.arena.view, at, byteLength));
      return;
    }
    if (status === STATUS_MOVED && byteLength === 8 && waiting.moves < MOVES_MAX) {
      if (!this.#follow(at, waiting)) return;
      if (request.code === mbcf.CODE_ATTACH) this.#send(request, waiting);
      else this.#sendAgain(request, waiting);
      return;
    }
    if (status === STATUS_STALE && waiting.moves < MOVES_MAX) {
      waiting.moves++;
      this.#association = 0;
      this.#sendAgain(request, waiting);
      return;
    }
    if (status === STATUS_STALE) this.#association = 0;
    if (status === STATUS_MOVED && byteLength === 8 && !this.#follow(at, waiting)) return;
    request.settled?.(status);
    waiting.reject(statusError(status, request.what));
  }

  /** The task is elsewhere: where the reply says. False: no way leads there. */
  #follow(at: number, waiting: Waiting): boolean {
    const { view } = this.node.context.arena;
    const target = { node: view.getInt32(at), task: view.getInt32(at + 4) };
    waiting.moves++;
    this.#association = 0;
    try {
      this.#way = this.node.association(target.node);
    } catch (error) {
      waiting.reject(error as Error);
      return false;
    }
    this.#target = target;
    return true;
  }

  /** The handle is old: get one, then send. */
  #sendAgain<T>(request: Request<T>, waiting: Waiting): void {
    this.attach().then(
      () => this.#send(request, waiting),
      (error: Error) => {
        request.settled?.(statusOf(error));
        waiting.reject(error);
      },
    );
  }
}
