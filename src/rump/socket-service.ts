/**
 * Sockets of a kernel for a client elsewhere: its calls in, events and data out. Thread: the one that runs the kernel.
 *
 * The client draws the numbers of the sockets that it opens (odd), this side those of connections that arrive (even). A
 * client that is gone leaves nothing open: its sockets close as those of a process that exits. Read first: protocol.ts.
 */

import { Errno } from '../base/errors.ts';
import type { DatagramSocket, Family, SocketLayer, StreamSocket } from '../socket/socket.ts';
import { DatagramServer } from './datagram-server.ts';
import type { ExportedSockets } from './exported-sockets.ts';
import * as protocol from './protocol.ts';
import type { ClientPort, SessionService } from './session.ts';
import { IN_TRANSIT, leave, share } from './shared-socket.ts';
import { MEMBERSHIPS, OPTIONS, optionValue } from './socket-options.ts';
import { type SocketClient, StreamServer } from './stream-server.ts';

type Served = StreamServer | DatagramServer;

// Taken before a program can replace the global (fake timers do).
const microtask = queueMicrotask;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class SocketService implements SessionService, SocketClient {
  readonly first: number = protocol.OPEN_STREAM;
  readonly last: number = protocol.SOCKETS_LAST;
  readonly client: ClientPort;
  readonly #layer: SocketLayer;
  readonly #exports: ExportedSockets;
  readonly #sockets = new Map<number, Served>();
  /** Listening sockets whose client has all the sockets that it may have. */
  readonly #waiting = new Set<StreamServer>();
  #nextId = 2;
  #closed = false;

  constructor(client: ClientPort, layer: SocketLayer, exports: ExportedSockets) {
    this.client = client;
    this.#layer = layer;
    this.#exports = exports;
  }

  close(): void {
    this.#closed = true;
    for (const served of [...this.#sockets.values()]) served.close();
  }

  get full(): boolean {
    return this.#sockets.size >= this.client.limits.socketsMax;
  }

  adoptAccepted(socket: StreamSocket): number {
    const id = this.#nextId;
    this.#nextId += 2;
    const served = new StreamServer(socket, id, this, false);
    this.#sockets.set(id, served);
    // After ACCEPTED, which the caller sends now.
    microtask(() => served.pump());
    return id;
  }

  acceptLater(listener: StreamServer): void {
    this.#waiting.add(listener);
  }

  forget(id: number): void {
    this.#sockets.delete(id);
    if (this.#waiting.size === 0 || this.#closed) return;
    const listeners = [...this.#waiting];
    this.#waiting.clear();
    // Not now: a socket of this client is at work.
    microtask(() => {
      if (!this.#closed) for (const listener of listeners) listener.acceptAll();
    });
  }

  serve(frame: protocol.Frame): boolean {
    switch (frame.operation) {
      case protocol.OPEN_STREAM:
      case protocol.OPEN_DATAGRAM:
        return this.#open(frame);
      case protocol.ADOPT:
        return this.#adopt(frame);
      case protocol.ORDER:
        this.client.reply(frame, 0, undefined, ...this.#layer.orderDestinations(frame.addresses));
        return true;
      case protocol.INTERFACE:
        return this.#interface(frame);
      default: {
        const served = this.#sockets.get(frame.object);
        if (served === undefined) this.client.reply(frame, this.full ? -Errno.EMFILE : -Errno.EBADF);
        else if (served instanceof StreamServer) return this.#common(served, frame) ?? this.#stream(served, frame);
        else return this.#common(served, frame) ?? this.#datagram(served, frame);
        return true;
      }
    }
  }

  /** A number that the client may give to a new socket. */
  #free(id: number): boolean {
    return id > 0 && (id & 1) === 1 && !this.#sockets.has(id);
  }

  #open({ operation, object: id, a: family }: protocol.Frame): boolean {
    if (!this.#free(id) || (family !== 4 && family !== 6)) return false;
    // The calls that follow find no such socket.
    if (this.full) return true;
    const served =
      operation === protocol.OPEN_STREAM
        ? new StreamServer(this.#layer.stream(family), id, this, false)
        : new DatagramServer(this.#layer.datagram(family), id, this, false);
    this.#sockets.set(id, served);
    return true;
  }

  #adopt(frame: protocol.Frame): boolean {
    const id = frame.object;
    if (!this.#free(id)) return false;
    const found = this.full ? null : this.#exports.take(decoder.decode(frame.payload));
    if (found === null) {
      this.client.reply(frame, this.full ? -Errno.EMFILE : -Errno.EBADF);
      return true;
    }
    const { socket, kind, family } = found;
    const stream = kind === 'stream';
    const served = stream
      ? new StreamServer(socket as StreamSocket, id, this, true)
      : new DatagramServer(socket as DatagramSocket, id, this, true);
    leave(socket, IN_TRANSIT);
    this.#sockets.set(id, served);
    const { local, peer } = socket;
    const number = stream ? protocol.KIND_STREAM : protocol.KIND_DATAGRAM;
    this.client.replyWords(frame, 0, number, family, local, peer);
    if (!stream || peer.port !== 0) served.pump();
    return true;
  }

  /** The interface that a frame names by name, address or index. */
  #interface(frame: protocol.Frame): boolean {
    const [address] = frame.addresses;
    const name = decoder.decode(frame.payload);
    let index = frame.a;
    if (address !== undefined) index = this.#layer.interfaceWithAddress(address);
    else if (name !== '') index = this.#layer.interfaceIndex(name);
    this.client.reply(frame, index, encoder.encode(this.#layer.interfaceName(index)));
    return true;
  }

  /** A call that both kinds of sockets have; null: it is none. */
  #common(served: Served, frame: protocol.Frame): boolean | null {
    const { socket } = served;
    switch (frame.operation) {
      case protocol.BIND:
      case protocol.CONNECT: {
        const [address] = frame.addresses;
        if (address === undefined) return false;
        const result = frame.operation === protocol.BIND ? socket.bind(address) : socket.connect(address);
        this.client.reply(frame, result, undefined, socket.local);
        return true;
      }
      case protocol.SET_OPTION: {
        const name = OPTIONS[frame.a];
        if (name === undefined) return false;
        this.client.reply(frame, socket.setOption(name, optionValue(name, frame.b) as never));
        return true;
      }
      case protocol.GET_OPTION: {
        const name = OPTIONS[frame.a];
        if (name === undefined) return false;
        this.client.reply(frame, Number(socket.getOption(name)));
        return true;
      }
      case protocol.CLOSE:
        served.close();
        return true;
      case protocol.CONSUMED:
        return served.consumed(frame.a);
      case protocol.EXPORT:
        return this.#export(served, frame);
      default:
        return null;
    }
  }

  #export(served: Served, frame: protocol.Frame): boolean {
    const family = frame.a;
    if (family !== 4 && family !== 6) return false;
    share(served.socket, served);
    const kind = served instanceof StreamServer ? 'stream' : 'datagram';
    this.client.reply(frame, 0, encoder.encode(this.#exports.add(served.socket, kind, family as Family)));
    return true;
  }

  #stream(served: StreamServer, frame: protocol.Frame): boolean {
    switch (frame.operation) {
      case protocol.LISTEN:
        this.client.reply(frame, served.socket.listen(frame.a), undefined, served.socket.local);
        return true;
      case protocol.SEND:
        return served.send(frame.payload);
      case protocol.SHUTDOWN:
        served.shutdown();
        return true;
      case protocol.ABORT:
        served.abort();
        return true;
      default:
        this.client.reply(frame, -Errno.EOPNOTSUPP);
        return true;
    }
  }

  #datagram({ socket }: DatagramServer, frame: protocol.Frame): boolean {
    switch (frame.operation) {
      case protocol.DISCONNECT:
        this.client.reply(frame, socket.disconnect());
        return true;
      case protocol.SEND_TO: {
        const { payload, addresses } = frame;
        const sent = socket.send(payload, 0, payload.length, addresses[0] ?? null);
        this.client.reply(frame, sent, undefined, socket.local);
        return true;
      }
      case protocol.MEMBERSHIP:
        return this.#membership(socket, frame);
      default:
        this.client.reply(frame, -Errno.EOPNOTSUPP);
        return true;
    }
  }

  #membership(socket: DatagramSocket, frame: protocol.Frame): boolean {
    const [group, source] = frame.addresses;
    const method = MEMBERSHIPS[frame.b];
    if (group === undefined || method === undefined) return false;
    if (method === 'joinGroup' || method === 'leaveGroup') this.client.reply(frame, socket[method](group, frame.a));
    else if (source === undefined) return false;
    else this.client.reply(frame, socket[method](group, source, frame.a));
    return true;
  }
}
