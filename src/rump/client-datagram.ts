/**
 * A datagram socket of a kernel elsewhere: every send waits for the kernel's answer. Thread: the client's.
 */

import { Errno } from '../base/errors.ts';
import { type DatagramInfo, type DatagramSocket, EVENT_READABLE, type SocketAddress } from '../socket/socket.ts';
import { ClientSocket } from './client-socket.ts';
import * as protocol from './protocol.ts';

export class ClientDatagram extends ClientSocket implements DatagramSocket {
  connected = false;
  readonly #inbox: protocol.Frame[] = [];
  #queued = 0;

  get nextBytes(): number {
    return this.#inbox[0]?.payload.length ?? -1;
  }

  get queuedBytes(): number {
    return this.#queued;
  }

  connect(address: SocketAddress): number {
    const result = this.named(this.call(protocol.CONNECT, 0, 0, undefined, address));
    if (result === 0) {
      this.connected = true;
      this.connectedTo(address);
    }
    return result;
  }

  disconnect(): number {
    const result = this.call(protocol.DISCONNECT).a;
    if (result === 0) {
      this.connected = false;
      this.peerName.clear(this.localName.family);
    }
    return result;
  }

  send(bytes: Uint8Array, offset: number, lengthBytes: number, to: SocketAddress | null): number {
    const payload = bytes.subarray(offset, offset + lengthBytes);
    if (to === null) return this.named(this.call(protocol.SEND_TO, 0, 0, payload));
    return this.named(this.call(protocol.SEND_TO, 0, 0, payload, to));
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
    this.layer.connection.send(protocol.CONSUMED, this.id, Math.max(frame.payload.length, 1));
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
    }
  }
}
