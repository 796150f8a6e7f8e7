/**
 * A datagram socket of a shared kernel: every send waits for the kernel's answer. Thread: the client's.
 */

import { Errno } from '../base/errors.ts';
import { type DatagramInfo, type DatagramSocket, EVENT_READABLE } from '../socket/socket.ts';
import { NO_NAME } from './remote-addresses.ts';
import { RemoteSocket } from './remote-socket.ts';
import * as protocol from './share-protocol.ts';

export class RemoteDatagram extends RemoteSocket implements DatagramSocket {
  connected = false;
  readonly #inbox: protocol.Frame[] = [];
  #queued = 0;

  get nextBytes(): number {
    return this.#inbox[0]?.payload.length ?? -1;
  }

  get queuedBytes(): number {
    return this.#queued;
  }

  connect(address: number, port: number): number {
    const result = this.named(this.callAt(protocol.CONNECT, address, port));
    if (result === 0) {
      this.connected = true;
      this.peerName = this.nameOf(address, port);
    }
    return result;
  }

  disconnect(): number {
    const result = this.call(protocol.DISCONNECT).a;
    if (result === 0) {
      this.connected = false;
      this.peerName = NO_NAME;
    }
    return result;
  }

  send(bytes: Uint8Array, offset: number, lengthBytes: number, address: number, port: number): number {
    const payload = bytes.subarray(offset, offset + lengthBytes);
    return this.named(this.callAt(protocol.SEND_TO, address, port, payload));
  }

  sendRow(
    bytes: Uint8Array,
    offset: number,
    lengthBytes: number,
    segmentBytes: number,
    address: number,
    port: number,
  ): number {
    for (let sent = 0; sent < lengthBytes || sent === 0; sent += segmentBytes) {
      const result = this.send(bytes, offset + sent, Math.min(segmentBytes, lengthBytes - sent), address, port);
      if (result < 0) return sent > 0 ? sent : result;
    }
    return lengthBytes;
  }

  receiveRow(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number {
    return this.receive(into, offset, lengthBytes, info);
  }

  receive(into: Uint8Array, offset: number, lengthBytes: number, info: DatagramInfo): number {
    const frame = this.#inbox.shift();
    if (frame === undefined) {
      const { error } = this;
      this.error = 0;
      return error < 0 ? error : -Errno.EAGAIN;
    }
    const count = Math.min(lengthBytes, frame.payload.length);
    into.set(frame.payload.subarray(0, count), offset);
    info.address = this.layer.addressText.name({ address: frame.a, text: frame.texts, port: 0 }).address;
    info.port = frame.b;
    info.fullBytes = frame.c;
    this.#queued -= frame.payload.length;
    this.layer.connection.send(protocol.CONSUMED, this.id, Math.max(frame.payload.length, 1));
    return count;
  }

  joinGroup(group: number, interfaceAddress: number): number {
    return this.#membership(group, 0, interfaceAddress, 0);
  }

  leaveGroup(group: number, interfaceAddress: number): number {
    return this.#membership(group, 0, interfaceAddress, 1);
  }

  joinSourceGroup(group: number, source: number, interfaceAddress: number): number {
    return this.#membership(group, source, interfaceAddress, 2);
  }

  leaveSourceGroup(group: number, source: number, interfaceAddress: number): number {
    return this.#membership(group, source, interfaceAddress, 3);
  }

  #membership(group: number, source: number, interfaceAddress: number, what: number): number {
    const texts = this.textsOf(group, source, interfaceAddress);
    return this.call(protocol.MEMBERSHIP, group, source, interfaceAddress, what, undefined, texts).a;
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
