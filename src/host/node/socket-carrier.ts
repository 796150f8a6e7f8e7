/**
 * Carriers over the host's own sockets: unix and TCP. Thread: any with an event loop.
 *
 * `node:net` is loaded when it is first needed: a kernel that is put under a program must be in place before that. A server
 * and its connections keep no process alive unless asked to; a client's connection does.
 */

import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as NodeNet from 'node:net';
import { MultikernelError } from '../../base/errors.ts';
import type { Carrier } from '../contract.ts';
import { sendWake } from './ffi/wake-line.ts';

/** A place to listen at or to connect to. */
export type SocketPlace =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** More than this for a peer that does not read is given up on `close`. */
const CLOSE_BYTES_MAX = 65_536;
/** Memory that a write takes while it waits, besides its bytes. */
const WRITE_BYTES = 512;

let loaded: typeof NodeNet | null = null;

function net(): typeof NodeNet {
  loaded ??= createRequire(import.meta.url)('node:net') as typeof NodeNet;
  return loaded;
}

class SocketCarrier implements Carrier {
  onBytes: ((bytes: Uint8Array) => void) | null = null;
  onDrain: (() => void) | null = null;
  onClosed: (() => void) | null = null;
  readonly #socket: NodeNet.Socket;
  #closed = false;
  /** Writes that wait behind others. */
  #waiting = 0;
  readonly #written = (): void => {
    this.#waiting--;
  };

  /** `socket` is connected. */
  constructor(socket: NodeNet.Socket) {
    this.#socket = socket;
    // The reason is not needed: 'close' follows.
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => this.onBytes?.(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)));
    socket.on('drain', () => this.onDrain?.());
    socket.on('close', () => {
      this.#closed = true;
      this.onClosed?.();
    });
  }

  get queuedBytes(): number {
    const bytes = this.#socket.writableLength;
    return bytes === 0 ? 0 : bytes + this.#waiting * WRITE_BYTES;
  }

  write(head: Uint8Array, body: Uint8Array | null): boolean {
    if (this.#closed) return false;
    const socket = this.#socket;
    if (body === null || body.length === 0) {
      this.#write(head);
      return true;
    }
    socket.cork();
    this.#write(head);
    this.#write(body);
    socket.uncork();
    return true;
  }

  #write(bytes: Uint8Array): void {
    if (this.#socket.writableLength === 0) {
      this.#socket.write(bytes);
      return;
    }
    this.#waiting++;
    this.#socket.write(bytes, this.#written);
  }

  /** Send a byte that says "look", without a queue (rump/region-carrier.ts). */
  wake(): void {
    const { _handle: handle } = this.#socket as unknown as { _handle: { fd: number } | null };
    if (!this.#closed && handle !== null) sendWake(handle.fd);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#socket.writableLength > CLOSE_BYTES_MAX) this.#socket.destroy();
    else this.#socket.destroySoon();
  }
}

function options(place: SocketPlace): { path: string } | { host: string; port: number } {
  return place.kind === 'unix' ? { path: place.path } : { host: place.host, port: place.port };
}

function nameOf(place: SocketPlace): string {
  return place.kind === 'unix' ? place.path.replace('\0', '@') : `${place.host}:${place.port}`;
}

function failure(error: unknown, place: SocketPlace): MultikernelError {
  const code = (error as { code?: string }).code ?? 'EIO';
  return new MultikernelError(code, `${nameOf(place)}: ${code}`, { cause: error });
}

/**
 * Connect to a server; rejects with the host's code, e.g. ENOENT, ECONNREFUSED. With `keepsAlive` false the process may end
 * while connected.
 */
export function connectSocket(place: SocketPlace, keepsAlive: boolean = true): Promise<Carrier> {
  return new Promise((resolve, reject) => {
    const socket = net().connect({ ...options(place), noDelay: true });
    const fail = (error: Error): void => reject(failure(error, place));
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      if (!keepsAlive) socket.unref();
      resolve(new SocketCarrier(socket));
    });
  });
}

export interface SocketServer {
  /** With the port that the host chose, where 0 was asked for. */
  readonly place: SocketPlace;
  close(): void;
}

/**
 * Listen, and give each connection to `accept`. A socket file is for its owner alone (0600; its folder should be 0700), and one
 * whose server is gone is replaced. Rejects with the host's code, e.g. EADDRINUSE. With `keepsAlive` the process does not end
 * while it listens.
 */
export async function listenSocket(
  place: SocketPlace,
  accept: (carrier: Carrier) => void,
  keepsAlive: boolean = false,
): Promise<SocketServer> {
  try {
    return await listenOnce(place, accept, keepsAlive);
  } catch (error) {
    if (!(await isAbandoned(place, error))) throw error;
    unlinkSync((place as { path: string }).path);
    return listenOnce(place, accept, keepsAlive);
  }
}

async function isAbandoned(place: SocketPlace, error: unknown): Promise<boolean> {
  if (place.kind !== 'unix' || (error as MultikernelError).code !== 'EADDRINUSE' || place.path.startsWith('\0'))
    return false;
  if (!lstatSync(place.path, { throwIfNoEntry: false })?.isSocket()) return false;
  try {
    (await connectSocket(place)).close();
    return false;
  } catch (refused) {
    return (refused as MultikernelError).code === 'ECONNREFUSED';
  }
}

function listenOnce(
  place: SocketPlace,
  accept: (carrier: Carrier) => void,
  keepsAlive: boolean,
): Promise<SocketServer> {
  return new Promise((resolve, reject) => {
    const server = startListening(place, accept);
    if (keepsAlive) server.ref();
    server.once('error', (error) => reject(failure(error, place)));
    server.once('listening', () => {
      const address = server.address();
      const bound =
        place.kind === 'tcp' && typeof address === 'object' && address !== null
          ? { ...place, port: address.port }
          : place;
      resolve({ place: bound, close: () => void server.close() });
    });
  });
}

function startListening(place: SocketPlace, accept: (carrier: Carrier) => void): NodeNet.Server {
  const server = net().createServer({ noDelay: true }, (socket) => {
    socket.unref();
    accept(new SocketCarrier(socket));
  });
  server.listen({ ...options(place), exclusive: true });
  server.unref();
  // Bound within `listen`: nobody can have connected yet.
  if (place.kind === 'unix' && !place.path.startsWith('\0')) {
    try {
      chmodSync(place.path, 0o600);
    } catch {
      // It is not there: 'error' says why.
    }
  }
  return server;
}

/**
 * {@link listenSocket} at an abstract socket or at a path where no file is, which answers at once: connections are taken as
 * soon as this returns. `failed` is called later when the host refuses.
 */
export function listenNow(
  place: SocketPlace,
  accept: (carrier: Carrier) => void,
  failed: (error: MultikernelError) => void,
): { close(): void } {
  const server = startListening(place, accept);
  server.on('error', (error) => failed(failure(error, place)));
  return { close: () => void server.close() };
}
