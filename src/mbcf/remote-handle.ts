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
  STATUS_FULL,
  STATUS_MOVED,
  STATUS_OUT_OF_RANGE,
  STATUS_STALE,
  STATUS_TOO_LONG,
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

/** Sends an operation; resolves with its value. */
export type Send = <T>(request: Request<T>) => Promise<T>;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  moves: number;
}

export class RemoteHandle {
  readonly node: MbcfNode;
  /** The task here that uses it. */
  readonly task: number;
  readonly key: Uint8Array;
  /** Length of the memory, bytes. */
  byteLength = 0;
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

  /** Longest data of one operation. */
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
    const refuseAll = (error: Error): void => {
      requests.forEach((request, i) => {
        refuse(request, ends[i] as Waiting, error);
      });
    };
    this.node.awaitRoom(this.#way, () => {
      const way = this.#way;
      if (!this.node.closed && this.#association !== way.association) {
        this.attach().then(
          () => this.#sendTogether(requests, ends),
          (error: Error) => refuseAll(error),
        );
        return true;
      }
      const bytes = (of: 'dataBytes' | 'replyBytes'): number =>
        requests.reduce((sum, request) => sum + mbcf.paddedBytes(true, request[of]), 0);
      if (Math.max(bytes('dataBytes'), bytes('replyBytes')) > way.maxOperationBytes) {
        refuseAll(statusError(STATUS_TOO_LONG, 'compound'));
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
      return refuse(request, waiting, statusError(STATUS_CLOSED, request.what));
    }
    const attaches = request.code === mbcf.CODE_ATTACH;
    if (!attaches && this.#association !== way.association) {
      this.#sendAgain(request, waiting);
      return true;
    }
    if (request.dataBytes > way.maxDataBytes || request.replyBytes > way.maxDataBytes) {
      return refuse(request, waiting, statusError(STATUS_TOO_LONG, request.what));
    }
    if (request.address > way.maxAddress) {
      return refuse(request, waiting, statusError(STATUS_OUT_OF_RANGE, request.what));
    }
    const { pending } = this.node;
    const tag = pending.begin(way, {
      completed: (status, at, byteLength) => this.#completed(request, waiting, status, at, byteLength),
    });
    if (tag === 0) {
      return refuse(request, waiting, statusError(STATUS_FULL, request.what));
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
    const moved = status === STATUS_MOVED && byteLength === 8;
    if (moved && !this.#follow(at, request, waiting)) return;
    if (status === STATUS_STALE) this.#association = 0;
    if ((moved || status === STATUS_STALE) && waiting.moves++ < MOVES_MAX) {
      if (request.code === mbcf.CODE_ATTACH) this.#send(request, waiting);
      else this.#sendAgain(request, waiting);
      return;
    }
    refuse(request, waiting, statusError(status, request.what));
  }

  /** The task is elsewhere: where the reply says. False: no way leads there. */
  #follow<T>(at: number, request: Request<T>, waiting: Waiting): boolean {
    const { view } = this.node.context.arena;
    const target = { node: view.getInt32(at), task: view.getInt32(at + 4) };
    this.#association = 0;
    try {
      this.#way = this.node.association(target.node);
    } catch (error) {
      refuse(request, waiting, error as Error);
      return false;
    }
    this.#target = target;
    return true;
  }

  /** The handle is old: get one, then send. */
  #sendAgain<T>(request: Request<T>, waiting: Waiting): void {
    this.attach().then(
      () => this.#send(request, waiting),
      (error: Error) => refuse(request, waiting, error),
    );
  }
}

/** The operation ends with an error, whether it was sent or not. */
function refuse<T>(request: Request<T>, waiting: Waiting, error: Error): true {
  request.settled?.(statusOf(error));
  waiting.reject(error);
  return true;
}
