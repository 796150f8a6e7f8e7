/**
 * The send side of a UDP handle: datagrams the link has no room for wait here. Thread: the program's.
 */

import { AsyncResource } from 'node:async_hooks';
import { Buffer } from 'node:buffer';
import { Errno } from '../base/errors.ts';
import { DATAGRAM_BYTES_MAX, type DatagramSocket, type SocketAddress } from '../socket/socket.ts';
import { callProgram, type Deferrable, defer, liveness } from './face.ts';
import { UV_EMSGSIZE, uvResult } from './uv-error.ts';

/** Node's own switch for its tests: every send is finished on a later turn. */
const sendsLater = process.execArgv.includes('--test-udp-no-try-send');

/** A request object of Node (`SendWrap`): we only complete it. */
export interface SendRequest {
  oncomplete?: unknown;
}

interface PendingSend {
  readonly request: SendRequest;
  readonly scope: AsyncResource;
  readonly bytes: Uint8Array;
  readonly to: SocketAddress | null;
  /** Whether the program asked to be told. */
  readonly wanted: boolean;
}

let scratch: Buffer | null = null;

/** The pieces of one datagram in a shared buffer; null when they are too long for any. */
function gather(list: readonly Uint8Array[], count: number): Uint8Array | null {
  scratch ??= Buffer.allocUnsafeSlow(DATAGRAM_BYTES_MAX);
  let length = 0;
  for (let i = 0; i < count; i++) {
    const piece = viewOf(list[i] as Uint8Array);
    if (length + piece.length > DATAGRAM_BYTES_MAX) return null;
    scratch.set(piece, length);
    length += piece.length;
  }
  return scratch.subarray(0, length);
}

/** dgram passes any ArrayBufferView. */
function viewOf(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

export class DatagramSender implements Deferrable {
  deferred = false;
  #socket: DatagramSocket | null = null;
  readonly #queue: PendingSend[] = [];
  #queuedBytes = 0;
  readonly #triggerAsyncId: number;

  constructor(triggerAsyncId: number) {
    this.#triggerAsyncId = triggerAsyncId;
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  get queuedCount(): number {
    return this.#queue.length;
  }

  /**
   * The length + 1 when it was taken at once, 0 when it waits, a UV number when it failed. `to` null: the connected peer.
   */
  send(
    socket: DatagramSocket,
    request: SendRequest,
    list: readonly Uint8Array[],
    count: number,
    to: SocketAddress | null,
    wanted: boolean,
  ): number {
    const bytes = count === 1 ? viewOf(list[0] as Uint8Array) : gather(list, count);
    if (bytes === null) return UV_EMSGSIZE;
    if (this.#queue.length === 0 && !sendsLater) {
      const result = socket.send(bytes, 0, bytes.length, to);
      // + 1: a datagram without data was sent too.
      if (result !== -Errno.EAGAIN) return result < 0 ? uvResult(result) : bytes.length + 1;
    }
    const scope = new AsyncResource('UDPSENDWRAP', {
      triggerAsyncId: this.#triggerAsyncId,
      requireManualDestroy: true,
    });
    const kept = count === 1 ? bytes : Buffer.from(bytes);
    this.#queue.push({ request, scope, bytes: kept, to: to === null ? null : to.clone(), wanted });
    this.#queuedBytes += bytes.length;
    this.#socket = socket;
    liveness.hold();
    if (sendsLater) defer(this);
    return 0;
  }

  /** There is room again. */
  resume(): void {
    while (this.#queue.length > 0 && this.#socket !== null) {
      const { bytes, to } = this.#queue[0] as PendingSend;
      const result = this.#socket.send(bytes, 0, bytes.length, to);
      if (result === -Errno.EAGAIN) return;
      this.#complete(result < 0 ? uvResult(result) : 0);
    }
  }

  /** The handle closes: nothing that waits will be sent. */
  cancel(status: number): void {
    this.#socket = null;
    while (this.#queue.length > 0) this.#complete(status);
  }

  #complete(status: number): void {
    const { request, scope, bytes, wanted } = this.#queue.shift() as PendingSend;
    this.#queuedBytes -= bytes.length;
    liveness.release();
    if (wanted) callProgram(scope, request.oncomplete, request, status, bytes.length);
    scope.emitDestroy();
  }
}
