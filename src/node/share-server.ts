/**
 * Serves the sockets of this thread's kernel to processes and threads that the program started: they speak through the
 * same kernel, at the same addresses, and never through the host.
 *
 * Thread: the one that runs the kernel. Started when it is first needed; nothing of it keeps the process alive. Who
 * connects must say the secret that the program's children find in their environment. Read first: share-protocol.ts.
 */

import { Buffer } from 'node:buffer';
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Server, Socket } from 'node:net';
import { join as joinPath } from 'node:path';
import { Errno } from '../base/errors.ts';
import { Admission, type Pending } from '../rump/admission.ts';
import type { DatagramSocket, Family, SocketAddress, SocketOptions, StreamSocket } from '../socket/socket.ts';
import { type Face, face } from './face.ts';
import { ServedDatagram } from './served-datagram.ts';
import { type ServedSession, ServedStream } from './served-stream.ts';
import * as protocol from './share-protocol.ts';
import { type AnySocket, IN_TRANSIT, join, leave, share } from './shared-socket.ts';

type Served = ServedStream | ServedDatagram;

interface Export {
  readonly socket: AnySocket;
  readonly kind: 'stream' | 'datagram';
  readonly family: Family;
}

/** How long a socket on its way to another process waits for it. */
const EXPORT_MS = 60_000;

// Taken before the program can replace the globals (fake timers do).
const startTimer = setTimeout;
const microtask = queueMicrotask;
const clock = performance;

function nowMs(): number {
  return clock.now();
}

const exported = new Map<string, Export>();

/** Let another session adopt `socket`; the token is for its eyes only. */
export function exportSocket(socket: AnySocket, kind: 'stream' | 'datagram', family: Family): string {
  const token = randomBytes(16).toString('hex');
  join(socket, IN_TRANSIT);
  exported.set(token, { socket, kind, family });
  startTimer(() => {
    if (exported.delete(token) && leave(socket, IN_TRANSIT)) socket.close();
  }, EXPORT_MS).unref();
  return token;
}

/** Take an exported socket; the caller joins it. */
export function takeExport(token: string): Export | undefined {
  const found = exported.get(token);
  exported.delete(token);
  return found;
}

let machine = false;

/** Processes that share this kernel end when it does. */
export function endWithKernel(): void {
  machine = true;
}

function familyOf(given: number): Family {
  return given === 6 ? 6 : 4;
}

class Session implements ServedSession {
  readonly #sockets = new Map<number, Served>();
  readonly #face: Face;
  #calls: Socket | null = null;
  #events: Socket | null = null;
  readonly #early: Uint8Array[] = [];
  #nextId = 2;

  constructor(face: Face) {
    this.#face = face;
  }

  attach(role: number, connection: Socket): void {
    if (role === protocol.ROLE_CALLS) {
      this.#calls = connection;
      const { names, interfaces } = this.#face;
      const known = JSON.stringify({ names: names.entries(), interfaces: interfaces?.() ?? null, machine });
      connection.write(protocol.frameOf(protocol.REPLY, 0, 0, 0, 0, 0, Buffer.from(known)));
    } else {
      this.#events = connection;
      for (const frame of this.#early.splice(0)) connection.write(frame);
    }
    connection.on('close', () => this.close());
  }

  close(): void {
    for (const served of [...this.#sockets.values()]) served.close();
    this.#calls?.destroy();
    this.#events?.destroy();
  }

  raw(frame: Uint8Array): void {
    if (this.#events === null) this.#early.push(frame);
    else if (!this.#events.destroyed) this.#events.write(frame);
  }

  event(operation: number, socket: number, a = 0, b = 0, payload?: Uint8Array, ...addresses: SocketAddress[]): void {
    this.raw(protocol.frameOf(operation, socket, a, b, 0, 0, payload, ...addresses));
  }

  adoptAccepted(socket: StreamSocket): number {
    const id = this.#nextId;
    this.#nextId += 2;
    const served = new ServedStream(socket, id, this, false);
    this.#sockets.set(id, served);
    // After ACCEPTED, which the caller sends now.
    microtask(() => served.pump());
    return id;
  }

  forget(id: number): void {
    this.#sockets.delete(id);
  }

  #reply(a: number, payload?: Uint8Array, ...addresses: SocketAddress[]): void {
    this.#calls?.write(protocol.frameOf(protocol.REPLY, 0, a, 0, 0, 0, payload, ...addresses));
  }

  #replyWithName(result: number, socket: AnySocket): void {
    this.#reply(result, undefined, socket.local);
  }

  handle(frame: protocol.Frame): void {
    const { operation, socket: id } = frame;
    if (operation === protocol.OPEN_STREAM) {
      this.#sockets.set(id, new ServedStream(this.#face.sockets.stream(familyOf(frame.a)), id, this, false));
      return;
    }
    if (operation === protocol.OPEN_DATAGRAM) {
      this.#sockets.set(id, new ServedDatagram(this.#face.sockets.datagram(familyOf(frame.a)), id, this, false));
      return;
    }
    if (operation === protocol.ADOPT) {
      this.#adopt(id, Buffer.from(frame.payload).toString());
      return;
    }
    if (operation === protocol.ORDER) {
      this.#reply(0, undefined, ...this.#face.sockets.orderDestinations(frame.addresses));
      return;
    }
    if (operation === protocol.INTERFACE) {
      this.#interface(frame);
      return;
    }
    const served = this.#sockets.get(id);
    if (served === undefined) this.#refuse(operation);
    else if (served instanceof ServedStream) this.#streamCall(served, frame);
    else this.#datagramCall(served, frame);
  }

  /** A call on a socket that is gone: only those that wait for a reply get one. */
  #refuse(operation: number): void {
    const { SEND, SHUTDOWN, CLOSE, ABORT, CONSUMED } = protocol;
    if (![SEND, SHUTDOWN, CLOSE, ABORT, CONSUMED].includes(operation)) this.#reply(-Errno.EBADF);
  }

  #adopt(id: number, token: string): void {
    const found = takeExport(token);
    if (found === undefined) {
      this.#reply(-Errno.EBADF);
      return;
    }
    const { socket, kind, family } = found;
    const served =
      kind === 'stream'
        ? new ServedStream(socket as StreamSocket, id, this, true)
        : new ServedDatagram(socket as DatagramSocket, id, this, true);
    leave(socket, IN_TRANSIT);
    this.#sockets.set(id, served);
    this.#reply(0, Buffer.from(JSON.stringify({ kind, family })), socket.local, socket.peer);
    if (kind === 'datagram' || socket.peer.port !== 0) served.pump();
  }

  /** Index and name of the interface that a frame names by name, address or index. */
  #interface(frame: protocol.Frame): void {
    const { sockets } = this.#face;
    const [address] = frame.addresses;
    const name = Buffer.from(frame.payload).toString();
    let index = frame.a;
    if (address !== undefined) index = sockets.interfaceWithAddress(address);
    else if (name !== '') index = sockets.interfaceIndex(name);
    this.#reply(index, Buffer.from(sockets.interfaceName(index)));
  }

  #common(served: Served, frame: protocol.Frame): boolean {
    const { socket } = served;
    const { operation, a, b } = frame;
    switch (operation) {
      case protocol.BIND:
      case protocol.CONNECT: {
        const [address] = frame.addresses;
        const method = operation === protocol.BIND ? 'bind' : 'connect';
        this.#replyWithName(address === undefined ? -Errno.EINVAL : socket[method](address), socket);
        return true;
      }
      case protocol.SET_OPTION: {
        const name = protocol.OPTIONS[a] as keyof SocketOptions;
        this.#reply(socket.setOption(name, protocol.optionValue(name, b) as never));
        return true;
      }
      case protocol.GET_OPTION:
        this.#reply(Number(socket.getOption(protocol.OPTIONS[a] as keyof SocketOptions)));
        return true;
      case protocol.CLOSE:
        served.close();
        return true;
      case protocol.CONSUMED:
        served.consumed(a);
        return true;
      case protocol.EXPORT: {
        share(socket, served);
        const kind = served instanceof ServedStream ? 'stream' : 'datagram';
        this.#reply(0, Buffer.from(exportSocket(socket, kind, familyOf(a))));
        return true;
      }
      default:
        return false;
    }
  }

  #streamCall(served: ServedStream, frame: protocol.Frame): void {
    if (this.#common(served, frame)) return;
    switch (frame.operation) {
      case protocol.LISTEN:
        this.#replyWithName(served.socket.listen(frame.a), served.socket);
        return;
      case protocol.SEND:
        served.send(frame.payload);
        return;
      case protocol.SHUTDOWN:
        served.shutdown();
        return;
      case protocol.ABORT:
        served.abort();
    }
  }

  #datagramCall(served: ServedDatagram, frame: protocol.Frame): void {
    if (this.#common(served, frame)) return;
    const { socket } = served;
    switch (frame.operation) {
      case protocol.DISCONNECT:
        this.#reply(socket.disconnect());
        return;
      case protocol.SEND_TO:
        this.#sendTo(socket, frame);
        return;
      case protocol.MEMBERSHIP:
        this.#reply(this.#membership(socket, frame));
    }
  }

  #sendTo(socket: DatagramSocket, { payload, addresses }: protocol.Frame): void {
    this.#replyWithName(socket.send(payload, 0, payload.length, addresses[0] ?? null), socket);
  }

  #membership(socket: DatagramSocket, { a, b, addresses }: protocol.Frame): number {
    const [group, source] = addresses;
    if (group === undefined) return -Errno.EINVAL;
    const method = protocol.MEMBERSHIPS[b] ?? 'joinGroup';
    if (!method.includes('Source')) return socket[method as 'joinGroup'](group, a);
    return source === undefined ? -Errno.EINVAL : socket[method as 'joinSourceGroup'](group, source, a);
  }
}

export interface SharePoint {
  /** What `connect` takes: a path, or an abstract name. */
  readonly path: string;
  readonly secret: string;
}

let point: SharePoint | null = null;

function socketPath(): string {
  // The abstract namespace leaves nothing behind, however the process ends.
  if (process.platform === 'linux') return `\0multikernel-${process.pid}-${randomBytes(6).toString('hex')}`;
  const directory = mkdtempSync(joinPath(process.env.TMPDIR ?? '/tmp', 'multikernel-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  return joinPath(directory, 'sockets');
}

/** A connection from outside: nothing of it is kept, and no session made, before it has said the secret. */
class Serving implements Pending {
  readonly #connection: Socket;
  readonly #secret: Buffer;
  readonly #sessions: Map<string, Session>;
  readonly #reader = new protocol.FrameReader(protocol.HELLO_BYTES_MAX);
  #session: Session | null = null;

  constructor(connection: Socket, secret: string, sessions: Map<string, Session>) {
    this.#connection = connection;
    this.#secret = Buffer.from(secret);
    this.#sessions = sessions;
    connection.unref();
    connection.on('error', () => connection.destroy());
    connection.on('close', () => admission.leave(this));
    connection.on('data', (bytes: Buffer) => this.#read(bytes));
  }

  close(): void {
    this.#connection.destroy();
  }

  #read(bytes: Buffer): void {
    const reader = this.#reader;
    reader.push(bytes);
    for (let frame = reader.next(); frame !== null; frame = reader.next()) {
      if (this.#session !== null) this.#session.handle(frame);
      else if (!this.#hello(frame)) {
        admission.refuse(this, 'not authenticated');
        return;
      }
    }
    if (reader.fault !== null) admission.refuse(this, reader.fault);
  }

  #hello({ operation, a, payload }: protocol.Frame): boolean {
    const said = Buffer.from(payload);
    const secret = this.#secret;
    // Secret, a space, the session's name.
    const right = said.length > secret.length + 1 && timingSafeEqual(said.subarray(0, secret.length), secret);
    if (operation !== protocol.HELLO || !right || said[secret.length] !== SPACE) return false;
    const name = said.subarray(secret.length + 1).toString();
    const sessions = this.#sessions;
    const session = sessions.get(name) ?? new Session(face());
    sessions.set(name, session);
    this.#connection.once('close', () => sessions.delete(name));
    this.#session = session;
    this.#reader.limitBytes = protocol.FRAME_BYTES_MAX;
    admission.leave(this);
    session.attach(a, this.#connection);
    return true;
  }
}

const SPACE = 32;
/** Of all connections to this thread's kernel. */
export const admission: Admission = new Admission();
let expiry = false;

/** Look again when the time of the oldest unauthenticated connection is over. */
function expireLater(): void {
  const deadlineMs = admission.nextDeadlineMs();
  if (expiry || deadlineMs === Number.POSITIVE_INFINITY) return;
  expiry = true;
  startTimer(
    () => {
      expiry = false;
      admission.expire(nowMs());
      expireLater();
    },
    Math.max(1, deadlineMs - nowMs()),
  ).unref();
}

/** Where children of this thread's program find its kernel; starts serving the first time. */
export function sharePoint(): SharePoint {
  if (point !== null) return point;
  // Not before: `node:net` must not be loaded until the kernel is installed.
  const { createServer } = createRequire(import.meta.url)('node:net') as typeof import('node:net');
  const made = { path: socketPath(), secret: randomBytes(16).toString('hex') };
  const sessions = new Map<string, Session>();
  const server: Server = createServer({ noDelay: true }, (connection) => {
    admission.enter(new Serving(connection, made.secret, sessions), nowMs());
    expireLater();
  });
  server.listen({ path: made.path, exclusive: true });
  server.unref();
  point = made;
  return made;
}
