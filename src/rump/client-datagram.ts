/**
 * A datagram socket of a kernel elsewhere. Thread: the client's.
 *
 * The first datagram to a host waits for the kernel's answer, as does every one after an error; those that follow are sent ahead within
 * a window. A host that is no longer reached is told by the next send, as errors of sockets are.
 */

import { Errno } from '../base/errors.ts';
import {
  DATAGRAM_BYTES_MAX,
  type DatagramInfo,
  type DatagramSocket,
  EVENT_READABLE,
  EVENT_WRITABLE,
  type SocketAddress,
  type SocketOptions,
} from '../socket/socket.ts';
import { ClientSocket } from './client-socket.ts';
import * as protocol from './protocol.ts';
import { ReachedHosts } from './reached-hosts.ts';

/** The kernel hears of so many bytes read at once, or when nothing is left to read. */
const CONSUMED_BYTES: number = protocol.DATAGRAM_WINDOW_BYTES / 4;
export class ClientDatagram extends ClientSocket implements DatagramSocket {
  connected = false;
  readonly #inbox: protocol.Frame[] = [];
  #queued = 0;
  readonly #reached = new ReachedHosts();
  #consumed = 0;
  #credit = protocol.DATAGRAM_WINDOW_BYTES;
  #blocked = false;
  /** Error of a datagram sent ahead: 0 or -errno. */
  #sendError = 0;

  get nextBytes(): number {
    return this.#inbox[0]?.payload.length ?? -1;
  }

  get queuedBytes(): number {
    return this.#queued;
  }

  connect(address: SocketAddress): number {
    this.#reached.clear();
    const result = this.named(this.call(protocol.CONNECT, 0, 0, undefined, address));
    if (result === 0) {
      this.connected = true;
      this.connectedTo(address);
    }
    return result;
  }

  disconnect(): number {
    this.#reached.clear();
    const result = this.call(protocol.DISCONNECT).a;
    if (result === 0) {
      this.connected = false;
      this.peerName.clear(this.localName.family);
    }
    return result;
  }

  send(bytes: Uint8Array, offset: number, lengthBytes: number, to: SocketAddress | null): number {
    if (this.#sendError < 0) {
      const error = this.#sendError;
      this.#sendError = 0;
      return error;
    }
    const ahead = lengthBytes <= DATAGRAM_BYTES_MAX && this.#reached.has(to ?? this.peerName);
    if (!ahead) return this.#sendFirst(bytes.subarray(offset, offset + lengthBytes), to);
    const cost = lengthBytes + protocol.DATAGRAM_COST_BYTES;
    if (this.#credit < cost) {
      this.#blocked = true;
      return -Errno.EAGAIN;
    }
    const sent = this.layer.connection.writeTo(this.id, bytes, offset, lengthBytes, to);
    if (sent < 0) return -Errno.ENETDOWN;
    if (sent === 0) {
      this.layer.awaitRoom(this);
      return -Errno.EAGAIN;
    }
    this.#credit -= cost;
    return lengthBytes;
  }

  #sendFirst(payload: Uint8Array, to: SocketAddress | null): number {
    const result =
      to === null
        ? this.named(this.call(protocol.SEND_TO, 0, 0, payload))
        : this.named(this.call(protocol.SEND_TO, 0, 0, payload, to));
    if (result >= 0) this.#reached.add(to ?? this.peerName);
    return result;
  }

  /** Forgets the hosts: an option can change what may be sent where. */
  override setOption<K extends keyof SocketOptions>(name: K, value: SocketOptions[K]): number {
    this.#reached.clear();
    return super.setOption(name, value);
  }

  sendSegments(
    bytes: Uint8Array,
    offset: number,
    lengthBytes: number,
    segmentBytes: number,
    to: SocketAddress | null,
  ): number {
    for (let sent = 0; sent < lengthBytes || sent === 0; sent += segmentBytes) {
      const result = this.send(bytes, offset + sent, Math.min(segmentBytes, lengthBytes - sent), to);
      if (result < 0) return sent > 0 ? sent : result;
    }
    return lengthBytes;
  }

  receiveSegments(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number {
    return this.receive(into, offset, lengthBytes, info);
  }

  peek(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number {
    const frame = this.#inbox[0];
    if (frame === undefined) return this.receive(into, offset, lengthBytes, info);
    return this.#give(frame, into, offset, lengthBytes, info);
  }

  receive(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number {
    const frame = this.#inbox.shift();
    if (frame === undefined) {
      const { error } = this;
      this.error = 0;
      return error < 0 ? error : -Errno.EAGAIN;
    }
    const count = this.#give(frame, into, offset, lengthBytes, info);
    this.#queued -= frame.payload.length;
    this.#consumed += Math.max(frame.payload.length, 1);
    if (this.#consumed >= CONSUMED_BYTES || this.#inbox.length === 0) {
      this.layer.connection.send(protocol.CONSUMED, this.id, this.#consumed);
      this.#consumed = 0;
    }
    return count;
  }

  #give(frame: protocol.Frame, into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number {
    const count = Math.min(lengthBytes, frame.payload.length);
    into.set(frame.payload.subarray(0, count), offset);
    const [from] = frame.addresses;
    if (from !== undefined) info.from.copy(from);
    info.fullBytes = frame.a;
    return count;
  }

  joinGroup(group: SocketAddress, interfaceIndex: number): number {
    return this.call(protocol.MEMBERSHIP, interfaceIndex, 0, undefined, group).a;
  }

  leaveGroup(group: SocketAddress, interfaceIndex: number): number {
    return this.call(protocol.MEMBERSHIP, interfaceIndex, 1, undefined, group).a;
  }

  joinSourceGroup(group: SocketAddress, source: SocketAddress, interfaceIndex: number): number {
    return this.call(protocol.MEMBERSHIP, interfaceIndex, 2, undefined, group, source).a;
  }

  leaveSourceGroup(group: SocketAddress, source: SocketAddress, interfaceIndex: number): number {
    return this.call(protocol.MEMBERSHIP, interfaceIndex, 3, undefined, group, source).a;
  }

  close(): void {
    this.layer.forget(this.id);
    this.layer.connection.send(protocol.CLOSE, this.id);
  }

  override frame(frame: protocol.Frame): void {
    if (frame.operation === protocol.DATAGRAM) {
      this.#inbox.push(frame);
      this.#queued += frame.payload.length;
      this.layer.post(this, EVENT_READABLE);
    } else if (frame.operation === protocol.EVENTS) {
      if (frame.b < 0) this.error = frame.b;
      this.layer.post(this, frame.a);
    } else if (frame.operation === protocol.CREDIT) {
      this.#credit += frame.a;
      if (this.#blocked) this.layer.post(this, EVENT_WRITABLE);
      this.#blocked = false;
    } else if (frame.operation === protocol.SEND_FAILED) {
      this.#sendError = frame.b;
      this.#reached.clear();
    }
  }
}
