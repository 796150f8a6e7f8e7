/**
 * The TCP handle: what `net.Socket` and `net.Server` (and so http, https, http2, tls, fetch and what npm builds on them)
 * drive in place of Node's native one, over a kernel's stream socket. This half: names, connections, options, life.
 *
 * Thread: the program's. Methods answer as libuv does: 0 or a negative UV number, errors of `bind` kept until `listen` or
 * `connect`. Read first: lib/net.js of the oldest and newest supported Node; stream-handle.ts.
 */

import { AsyncResource } from 'node:async_hooks';
import { Errno } from '../base/errors.ts';
import { type Consumer, join, leave, share } from '../rump/shared-socket.ts';
import {
  EVENT_ACCEPTABLE,
  EVENT_CONNECTED,
  EVENT_ERROR,
  EVENT_READABLE,
  EVENT_WRITABLE,
  SocketAddress,
  type StreamSocket,
} from '../socket/socket.ts';
import { activeHandles } from './active-handles.ts';
import { destination, type Family, fillName, type NameObject, parseInto } from './address.ts';
import { tcpWrap } from './bindings.ts';
import { type Descriptor, describe, find, forget } from './descriptor.ts';
import {
  type Closing,
  callProgram,
  closeAtTurnEnd,
  type Deferrable,
  defer,
  eventsBegin,
  face,
  inRoot,
  liveness,
} from './face.ts';
import { NodeStreamHandle } from './stream-handle.ts';
import { UV_EALREADY, UV_EBADF, UV_ECANCELED, UV_EEXIST, UV_EINVAL, UV_ENOTCONN, uvResult } from './uv-error.ts';

const { SOCKET = 0, SERVER = 1, UV_TCP_IPV6ONLY = 1, UV_TCP_REUSEPORT = 2 } = tcpWrap.constants;

const KEEP_INTERVAL_SEC = 1;
const KEEP_COUNT = 10;
/** Connections taken per turn, then others get theirs. */
const ACCEPTS_PER_TURN = 64;

interface ConnectRequest {
  oncomplete?: unknown;
}

const parsed = new SocketAddress();

export class TcpHandle extends NodeStreamHandle implements Deferrable, Closing, Consumer {
  deferred = false;
  onconnection: unknown = undefined;
  readonly #type: number;
  #family: Family = 4;
  #listening = false;
  /** Events not dealt with yet. */
  #events = 0;
  /** UV number that `bind` met, told by `listen` or `connect`. */
  #delayedError = 0;
  #connectRequest: ConnectRequest | null = null;
  #connectScope: AsyncResource | null = null;
  #descriptor: Descriptor | undefined;
  #closeCallback: unknown = undefined;

  constructor(type: number = SOCKET, accepted: StreamSocket | null = null, listener: TcpHandle | null = null) {
    super(type === SERVER ? 'TCPSERVERWRAP' : 'TCPWRAP', listener?.getAsyncId());
    this.#type = type;
    if (accepted !== null && listener !== null) {
      this.#family = listener.#family;
      this.connected = true;
      this.#attach(accepted);
    }
    activeHandles.add(this);
  }

  // --- Names ---

  bind(address: unknown, port: unknown, flags?: unknown): number {
    return this.#bind(address, port, 4, Number(flags ?? 0));
  }

  bind6(address: unknown, port: unknown, flags?: unknown): number {
    return this.#bind(address, port, 6, Number(flags ?? 0));
  }

  #bind(address: unknown, port: unknown, family: Family, flags: number): number {
    if (this.closing) return UV_EBADF;
    if (!parseInto(parsed, address, family, port)) return UV_EINVAL;
    const socket = this.#open(family);
    if (family === 6) socket.setOption('ipv6Only', (flags & UV_TCP_IPV6ONLY) !== 0);
    socket.setOption('reuseAddress', true);
    if ((flags & UV_TCP_REUSEPORT) !== 0) socket.setOption('reusePort', true);
    const result = socket.bind(parsed);
    this.#delayedError = 0;
    if (result !== -Errno.EADDRINUSE) return uvResult(result);
    this.#delayedError = uvResult(result);
    return 0;
  }

  getsockname(out: NameObject): number {
    if (this.#delayedError !== 0) return this.#delayedError;
    if (this.socket === null) return UV_EBADF;
    fillName(out, this.socket.local);
    return 0;
  }

  getpeername(out: NameObject): number {
    if (this.socket === null) return UV_EBADF;
    const { peer } = this.socket;
    if (peer.port === 0) return UV_ENOTCONN;
    fillName(out, peer);
    return 0;
  }

  get fd(): number {
    if (this.socket === null) return -1;
    this.#descriptor ??= describe('tcp', this.socket, this.#family, this);
    return this.#descriptor?.fd ?? -1;
  }

  /** Share the socket of another handle by its descriptor number. */
  open(fd: unknown): number {
    const found = find(Number(fd));
    if (found === undefined || found.kind !== 'tcp') return UV_EINVAL;
    if (found.consumer.interested) return UV_EEXIST;
    this.#descriptor = found;
    this.adopt(found.socket as StreamSocket, found.family);
    return 0;
  }

  /** Take a socket that others have open too (rump/shared-socket.ts). */
  adopt(socket: StreamSocket, family: Family): void {
    join(socket, this);
    this.#family = family;
    this.socket = socket;
    this.connected = socket.peer.port !== 0;
  }

  get interested(): boolean {
    return this.#listening || this.reader.reading;
  }

  /** The socket, for another process to take over; null when there is none. This handle reads no more. */
  handOver(): { socket: StreamSocket; family: Family } | null {
    const socket = this.socket;
    if (socket === null) return null;
    share(socket, this);
    if (this.connected) this.reader.stop();
    return { socket, family: this.#family };
  }

  // --- Connections ---

  listen(backlog: unknown): number {
    if (this.closing) return UV_EBADF;
    if (this.#delayedError !== 0) return this.#delayedError;
    const result = this.#open(4).listen(Math.max(1, Number(backlog) | 0));
    if (result === 0) {
      this.#listening = true;
      this.updateLiveness();
    }
    return uvResult(result);
  }

  connect(request: ConnectRequest, address: unknown, port: unknown): number {
    return this.#connect(request, address, port, 4);
  }

  connect6(request: ConnectRequest, address: unknown, port: unknown): number {
    return this.#connect(request, address, port, 6);
  }

  #connect(request: ConnectRequest, address: unknown, port: unknown, family: Family): number {
    if (this.closing) return UV_EBADF;
    if (this.#connectRequest !== null) return UV_EALREADY;
    if (!parseInto(parsed, address, family, port)) return UV_EINVAL;
    const peer = destination(parsed);
    const socket = this.#open(family);
    if (this.#delayedError === 0) {
      const result = socket.connect(peer);
      if (result === -Errno.ECONNREFUSED) this.#delayedError = uvResult(result);
      else if (result < 0 && result !== -Errno.EINPROGRESS) return uvResult(result);
    }
    this.#connectRequest = request;
    this.#connectScope = new AsyncResource('TCPCONNECTWRAP', { triggerAsyncId: this.getAsyncId() });
    liveness.hold();
    if (this.#delayedError !== 0) defer(this);
    return 0;
  }

  /** The kernel has finished connecting, with `status` 0 or a UV number. */
  #finishConnect(status: number): void {
    const request = this.#connectRequest;
    const scope = this.#connectScope;
    if (request === null || scope === null) return;
    this.#connectRequest = null;
    this.#connectScope = null;
    this.connected = status === 0;
    liveness.release();
    callProgram(scope, request.oncomplete, request, status, this, request, status === 0, status === 0);
    scope.emitDestroy();
  }

  #acceptAll(): void {
    let left = ACCEPTS_PER_TURN;
    let done = false;
    try {
      while (this.#listening && left-- > 0) {
        const accepted = this.socket?.accept() ?? null;
        if (accepted === null) break;
        const handle = inRoot(() => new TcpHandle(SOCKET, accepted, this));
        callProgram(this.asyncScope, this.onconnection, this, 0, handle);
      }
      done = true;
    } finally {
      if (this.#listening && (!done || left < 0)) defer(this);
    }
  }

  /** No more connections will come. */
  #failListening(error: number): void {
    if (error === 0) return;
    this.#listening = false;
    this.updateLiveness();
    callProgram(this.asyncScope, this.onconnection, this, uvResult(error));
  }

  // --- Options ---

  setNoDelay(enable: unknown): number {
    return this.#setOption('noDelay', Boolean(enable));
  }

  setKeepAlive(enable: unknown, delaySec?: unknown, intervalSec?: unknown, count?: unknown): number {
    const socket = this.socket;
    if (socket === null) return 0;
    if (enable && Number(delaySec) > 0) {
      // libuv's own interval and count, unless the program of a newer Node says others.
      socket.setOption('keepIdleMs', Number(delaySec) * 1000);
      socket.setOption('keepIntervalMs', (Number(intervalSec) > 0 ? Number(intervalSec) : KEEP_INTERVAL_SEC) * 1000);
      socket.setOption('keepCount', Number(count) > 0 ? Number(count) : KEEP_COUNT);
    }
    return uvResult(socket.setOption('keepAlive', Boolean(enable)));
  }

  setTypeOfService(tos: unknown): number {
    return this.socket === null ? UV_EBADF : uvResult(this.socket.setOption('tos', Number(tos)));
  }

  getTypeOfService(): number {
    return this.socket === null ? UV_EBADF : this.socket.getOption('tos');
  }

  setSimultaneousAccepts(): number {
    return 0;
  }

  #setOption(name: 'noDelay', value: boolean): number {
    return this.socket === null ? 0 : uvResult(this.socket.setOption(name, value));
  }

  // --- Life ---

  getProviderType(): number {
    return this.#type;
  }

  override get active(): boolean {
    return this.#listening || this.reader.reading;
  }

  /** Its name in `process.getActiveResourcesInfo`; '' when it does not keep the process alive. */
  get activeKind(): string {
    if (!this.hasRef()) return '';
    return this.#type === SERVER ? 'TCPServerWrap' : 'TCPSocketWrap';
  }

  close(callback?: unknown): void {
    if (!this.closing) this.#close(callback, false);
  }

  reset(callback?: unknown): number {
    if (this.closing) return 0;
    if (this.socket === null) return UV_EBADF;
    this.#close(callback, true);
    return 0;
  }

  #close(callback: unknown, abort: boolean): void {
    const { socket } = this;
    this.closing = true;
    this.#listening = false;
    this.reader.reading = false;
    this.socket = null;
    this.updateLiveness();
    activeHandles.delete(this);
    if (socket !== null && leave(socket, this)) {
      if (this.#descriptor !== undefined) forget(this.#descriptor);
      if (abort) socket.abort();
      else socket.close();
    }
    this.#closeCallback = callback;
    closeAtTurnEnd(this);
  }

  closed(): void {
    this.#finishConnect(UV_ECANCELED);
    this.writer.cancel(UV_ECANCELED);
    callProgram(this.asyncScope, this.#closeCallback, this);
    this.asyncScope.emitDestroy();
  }

  // --- The kernel's side ---

  #open(family: Family): StreamSocket {
    if (this.socket !== null) return this.socket;
    this.#family = family;
    return this.#attach(face().sockets.stream(family));
  }

  #attach(socket: StreamSocket): StreamSocket {
    this.socket = socket;
    socket.onEvents = this.onEvents;
    return socket;
  }

  readonly onEvents = (events: number): void => {
    this.#events |= events;
    let done = false;
    try {
      eventsBegin();
      this.#handleEvents();
      done = true;
    } finally {
      // The program threw: what is left comes on the next turn.
      if (!done) defer(this);
    }
  };

  #handleEvents(): void {
    const events = this.#events;
    if (this.socket === null || events === 0) return;
    if ((events & (EVENT_CONNECTED | EVENT_ERROR)) !== 0 && this.#connectRequest !== null) {
      this.#events &= ~EVENT_CONNECTED;
      this.#finishConnect(uvResult(this.socket.error));
    }
    if ((events & EVENT_ACCEPTABLE) !== 0) {
      this.#events &= ~EVENT_ACCEPTABLE;
      this.#acceptAll();
    }
    if (this.#listening && (events & EVENT_ERROR) !== 0) this.#failListening(this.socket.error);
    if (this.connected && (events & (EVENT_READABLE | EVENT_ERROR)) !== 0) {
      this.#events &= ~EVENT_READABLE;
      this.reader.readable();
    }
    this.#events = 0;
    if (this.connected && (events & (EVENT_WRITABLE | EVENT_ERROR)) !== 0) this.writer.writable();
  }

  /** A later turn: what could not be done inside a call of the program, or was cut short by its exception. */
  resume(): void {
    if (this.#delayedError !== 0) this.#finishConnect(this.#delayedError);
    if (this.#listening) this.#events |= EVENT_ACCEPTABLE;
    this.onEvents(0);
  }
}

Object.defineProperty(TcpHandle, 'name', { value: 'TCP' });
