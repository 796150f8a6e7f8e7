/**
 * Sockets of a kernel for a client elsewhere: its calls in, events and data out. Thread: the one that runs the kernel.
 *
 * The session is a process of the kernel, and its sockets are descriptors of that process. Frames have words, addresses and bytes, so
 * that calls go to the typed functions under the handlers of the system calls (sys/process-sockets.ts, the methods of open files);
 * pointers into a memory would be made here only to be taken apart there.
 * The client draws the numbers of the sockets that it opens (odd), this side those of connections that arrive (even). A
 * client that is gone leaves nothing open: its process exits. Bytes that it had sent before are still written. Read first: protocol.ts.
 */

import { Errno } from '../base/errors.ts';
import type { Region } from '../mem/region.ts';
import { type DatagramSocket, SocketAddress, type SocketLayer } from '../socket/socket.ts';
import { SOCK_NONBLOCK } from '../sys/abi.ts';
import type { Process } from '../sys/process.ts';
import { acceptConnection, openDatagramSocket, openStreamSocket } from '../sys/process-sockets.ts';
import { StreamFile } from '../sys/socket-file.ts';
import { DatagramServer } from './datagram-server.ts';
import type { FrameWords } from './frame-words.ts';
import type { PassedFile, PassedFiles } from './passed-files.ts';
import * as protocol from './protocol.ts';
import type { Acceptor, SocketOwner } from './served-socket.ts';
import type { ClientPort, SessionService } from './session.ts';
import type { SessionProcess } from './session-process.ts';
import { MEMBERSHIPS, OPTIONS, optionValue } from './socket-options.ts';
import { StreamServer } from './stream-server.ts';

type Served = StreamServer | DatagramServer;

// Taken before a program can replace the global (fake timers do).
const microtask = queueMicrotask;
const destination = new SocketAddress();
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class SocketService implements SessionService, SocketOwner {
  readonly feature: number = protocol.FEATURE_SOCKETS;
  readonly first: number = protocol.OPEN_STREAM;
  readonly last: number = protocol.SOCKETS_LAST;
  readonly client: ClientPort;
  readonly process: SessionProcess;
  readonly #layer: SocketLayer;
  readonly #passed: PassedFiles;
  readonly #sockets = new Map<number, Served>();
  /** Listening sockets whose client has all the descriptors that it may have. */
  readonly #waiting = new Set<Acceptor>();
  #nextId = 2;
  #closed = false;

  /** `process`: the session's. */
  constructor(client: ClientPort, process: SessionProcess, passed: PassedFiles) {
    this.client = client;
    this.process = process;
    this.#layer = process.table.host.sockets;
    this.#passed = passed;
  }

  close(): void {
    this.#closed = true;
    for (const served of [...this.#sockets.values()]) served.abandon();
    this.process.exit();
  }

  /** The process while it may have another socket. */
  #room(): Process | null {
    const process = this.process.get();
    return process === null || process.descriptors.full ? null : process;
  }

  accept(listener: Acceptor): boolean {
    const process = this.process.get();
    if (process === null) return false;
    const fd = acceptConnection(process, listener.file, SOCK_NONBLOCK);
    if (fd === -Errno.EMFILE) this.#waiting.add(listener);
    if (fd < 0) return false;
    const id = this.#nextId;
    this.#nextId += 2;
    const served = this.#serve(process, fd, id);
    const { local, peer } = served.file.socket;
    this.client.event(protocol.ACCEPTED, listener.id, id, 0, undefined, local, peer);
    served.pump();
    return true;
  }

  /** Serve the file of a descriptor under a number of the client. */
  #serve(process: Process, fd: number, id: number): Served {
    const file = process.descriptors.get(fd) as PassedFile;
    const served =
      file instanceof StreamFile ? new StreamServer(file, id, fd, this) : new DatagramServer(file, id, fd, this);
    this.#sockets.set(id, served);
    return served;
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
        if (served === undefined) this.client.reply(frame, this.#room() === null ? -Errno.EMFILE : -Errno.EBADF);
        else if (served instanceof StreamServer) return this.#common(served, frame) ?? this.#stream(served, frame);
        else return this.#common(served, frame) ?? this.#datagram(served, frame);
        return true;
      }
    }
  }

  serveInPlace(header: FrameWords, region: Region, at: number): boolean | null {
    const { operation, object, byteLength } = header;
    if (operation !== protocol.SEND && operation !== protocol.SEND_TO && operation !== protocol.CONSUMED) return null;
    const served = this.#sockets.get(object);
    if (served === undefined) return true;
    if (operation === protocol.CONSUMED) return served.consumed(header.a);
    if (served instanceof StreamServer)
      return operation === protocol.SEND && header.addresses === 0 ? served.send(region.bytes, at, byteLength) : null;
    if (operation !== protocol.SEND_TO || header.addresses > 1) return null;
    if (header.addresses === 0) return served.sendAhead(region.bytes, at, byteLength, null);
    return (
      protocol.readAddress(region.view, at + byteLength, destination) &&
      served.sendAhead(region.bytes, at, byteLength, destination)
    );
  }

  /** A number that the client may give to a new socket. */
  #free(id: number): boolean {
    return id > 0 && (id & 1) === 1 && !this.#sockets.has(id);
  }

  #open({ operation, object: id, a: family }: protocol.Frame): boolean {
    if (!this.#free(id) || (family !== 4 && family !== 6)) return false;
    const process = this.#room();
    // The calls that follow find no such socket.
    if (process === null) return true;
    const open = operation === protocol.OPEN_STREAM ? openStreamSocket : openDatagramSocket;
    this.#serve(process, open(process, family, SOCK_NONBLOCK), id);
    return true;
  }

  #adopt(frame: protocol.Frame): boolean {
    const id = frame.object;
    if (!this.#free(id)) return false;
    const process = this.#room();
    const file = process === null ? null : this.#passed.take(decoder.decode(frame.payload));
    if (process === null || file === null) {
      this.client.reply(frame, process === null ? -Errno.EMFILE : -Errno.EBADF);
      return true;
    }
    const served = this.#serve(process, process.descriptors.add(file), id);
    const { local, peer } = file.socket;
    const stream = served instanceof StreamServer;
    const number = stream ? protocol.KIND_STREAM : protocol.KIND_DATAGRAM;
    this.client.replyWords(frame, 0, number, file.family, local, peer);
    served.pump();
    // The reference that it travelled with.
    file.release();
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
    switch (frame.operation) {
      case protocol.BIND:
      case protocol.CONNECT: {
        const [address] = frame.addresses;
        const { socket } = served.file;
        if (address === undefined) return false;
        const bind = frame.operation === protocol.BIND;
        if (!bind && frame.request === 0 && served instanceof StreamServer) served.connectAhead(address);
        else {
          const result = bind ? socket.bind(address) : this.#connect(served, address);
          this.client.reply(frame, result, undefined, socket.local);
        }
        return true;
      }
      case protocol.SET_OPTION: {
        const name = OPTIONS[frame.a];
        if (name === undefined) return false;
        this.client.reply(frame, served.file.socket.setOption(name, optionValue(name, frame.b) as never));
        return true;
      }
      case protocol.GET_OPTION: {
        const name = OPTIONS[frame.a];
        if (name === undefined) return false;
        this.client.reply(frame, Number(served.file.socket.getOption(name)));
        return true;
      }
      case protocol.CLOSE:
        served.close(frame.a);
        return true;
      case protocol.CONSUMED:
        return served.consumed(frame.a);
      case protocol.EXPORT:
        return this.#export(served, frame);
      case protocol.NAME:
        this.client.reply(frame, 0, undefined, served.file.socket.local);
        return true;
      default:
        return null;
    }
  }

  #connect(served: Served, address: SocketAddress): number {
    return served instanceof StreamServer ? served.connect(address) : served.file.socket.connect(address);
  }

  #export(served: Served, frame: protocol.Frame): boolean {
    if (frame.a !== 4 && frame.a !== 6) return false;
    if (served instanceof StreamServer) served.pass();
    this.client.reply(frame, 0, encoder.encode(this.#passed.add(served.file)));
    return true;
  }

  #stream(served: StreamServer, frame: protocol.Frame): boolean {
    switch (frame.operation) {
      case protocol.LISTEN:
        this.client.reply(frame, served.file.socket.listen(frame.a), undefined, served.file.socket.local);
        return true;
      case protocol.SEND:
        return served.send(frame.payload, 0, frame.payload.length);
      case protocol.SHUTDOWN:
        served.shutdown();
        return true;
      case protocol.ABORT:
        served.abort();
        return true;
      case protocol.STALLED:
        return served.stalled(frame.a);
      default:
        this.client.reply(frame, -Errno.EOPNOTSUPP);
        return true;
    }
  }

  #datagram(served: DatagramServer, frame: protocol.Frame): boolean {
    switch (frame.operation) {
      case protocol.DISCONNECT:
        this.client.reply(frame, served.file.socket.disconnect());
        return true;
      case protocol.SEND_TO: {
        if (frame.request === 0)
          return served.sendAhead(frame.payload, 0, frame.payload.length, frame.addresses[0] ?? null);
        const sent = served.send(frame.payload, frame.addresses[0] ?? null);
        this.client.reply(frame, sent, undefined, served.file.socket.local);
        return true;
      }
      case protocol.MEMBERSHIP:
        return this.#membership(served.file.socket, frame);
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
