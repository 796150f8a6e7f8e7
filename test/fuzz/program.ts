/**
 * The program on the kernel under test: sockets of every kind, read and written in its own way. What it does follows from
 * its seed alone, so two copies of it do the same as long as their kernels do.
 */

import type { Kernel } from '../../src/kernel/kernel.ts';
import {
  DatagramInfo,
  type DatagramSocket,
  type RawSocket,
  SocketAddress,
  type StreamSocket,
} from '../../src/socket/socket.ts';
import { addressOf } from '../fixtures/socket-address.ts';
import * as cast from './cast.ts';
import * as cast6 from './cast6.ts';
import { Chance } from './chance.ts';

const MOST_STREAMS = 24;
const SCRATCH_BYTES = 4096;

/** Byte `i` of what one side of the honest connection sends. */
export function pattern(i: number): number {
  return (i * 131 + (i >> 8) * 17) & 255;
}

interface Stream {
  readonly socket: StreamSocket;
  /** Never read. */
  readonly deaf: boolean;
  age: number;
}

/** The kernel's end of the honest connection: says back what it hears. */
export class HonestEcho {
  socket: StreamSocket | null = null;
  heard = 0;
  said = 0;
  ended = false;
  readonly #scratch: Uint8Array = new Uint8Array(SCRATCH_BYTES);

  step(listener: StreamSocket): void {
    if (this.socket === null) this.socket = listener.accept();
    const { socket } = this;
    if (socket === null || this.ended) return;
    for (;;) {
      const count = socket.receive(this.#scratch, 0, SCRATCH_BYTES);
      if (count <= 0) {
        if (count === 0) this.#finish(socket);
        else if (count !== -11) throw new Error(`honest connection: receive gave ${count} after ${this.heard} bytes`);
        break;
      }
      for (let i = 0; i < count; i++) {
        if (this.#scratch[i] !== pattern(this.heard + i))
          throw new Error(`honest connection: wrong byte ${this.heard + i}`);
      }
      this.heard += count;
    }
    this.#say(socket);
  }

  #say(socket: StreamSocket): void {
    while (!this.ended && this.said < this.heard) {
      const count = Math.min(this.heard - this.said, SCRATCH_BYTES);
      for (let i = 0; i < count; i++) this.#scratch[i] = pattern(this.said + i);
      const sent = socket.send(this.#scratch, 0, count);
      if (sent === -11 || sent === -105) return;
      if (sent < 0) throw new Error(`honest connection: send gave ${sent}`);
      this.said += sent;
    }
  }

  #finish(socket: StreamSocket): void {
    this.#say(socket);
    if (this.said < this.heard) return;
    this.ended = true;
    socket.close();
  }
}

/** The same host, another port. */
function at(address: SocketAddress, port: number): SocketAddress {
  const named = address.clone();
  named.port = port;
  return named;
}

export class Program {
  /** One for each family, as the peer has. */
  readonly honest: HonestEcho[] = [];
  readonly #kernel: Kernel;
  readonly #chance: Chance;
  readonly #listeners: StreamSocket[] = [];
  /** Nobody accepts here. */
  readonly #deafListener: StreamSocket;
  readonly #honestListeners: StreamSocket[] = [];
  readonly #ipv6: boolean;
  readonly #streams: Stream[] = [];
  readonly #datagrams: DatagramSocket[] = [];
  readonly #raws: RawSocket[] = [];
  readonly #info: DatagramInfo = new DatagramInfo();
  readonly #scratch: Uint8Array = new Uint8Array(SCRATCH_BYTES);

  constructor(kernel: Kernel, seed: number, ipv6: boolean) {
    this.#kernel = kernel;
    this.#chance = new Chance(seed);
    this.#ipv6 = ipv6;
    this.#openHonest(cast.HONEST_PORT, 4);
    if (ipv6) this.#openHonest(cast6.HONEST_PORT, 6);
    this.#deafListener = this.#listen(cast.PORT_DEAF, 2, 0);
    this.#listeners.push(this.#listen(cast.PORT_BUSY, 64, 0), this.#listen(cast.PORT_NARROW, 8, 4096));
    this.#openDatagrams();
    this.#raws.push(kernel.sockets.raw(1), kernel.sockets.raw(cast.RAW_PROTOCOL));
    if (ipv6) this.#raws.push(kernel.sockets.raw(58, 6), kernel.sockets.raw(cast.RAW_PROTOCOL, 6));
  }

  #openHonest(port: number, family: 4 | 6): void {
    this.#honestListeners.push(this.#listen(port, 4, 0, family));
    this.honest.push(new HonestEcho());
  }

  /** With IPv6, listeners hear both. */
  #listen(port: number, backlog: number, bufferBytes: number, family: 4 | 6 = this.#ipv6 ? 6 : 4): StreamSocket {
    const socket = this.#kernel.sockets.stream(family);
    must(socket.bind(SocketAddress.any(family, port)));
    if (bufferBytes > 0) {
      socket.setOption('receiveBufferBytes', bufferBytes);
      socket.setOption('sendBufferBytes', bufferBytes);
    }
    must(socket.listen(backlog));
    return socket;
  }

  #openDatagrams(): void {
    const both = this.#ipv6 ? 6 : 4;
    for (const port of [cast.UDP_ECHO, cast.UDP_NAMES, cast.UDP_DEAF, cast.UDP_GROUP]) {
      const family = port === cast.UDP_ECHO || port === cast.UDP_NAMES ? both : 4;
      const socket = this.#kernel.sockets.datagram(family);
      must(socket.bind(SocketAddress.any(family, port)));
      socket.setOption('broadcast', true);
      if (port === cast.UDP_DEAF) socket.setOption('receiveBufferBytes', 20000);
      if (port === cast.UDP_GROUP) {
        socket.joinGroup(SocketAddress.ipv4(cast.GROUP), this.#owner(0));
        socket.joinSourceGroup(
          SocketAddress.ipv4(cast.SOURCE_GROUP),
          SocketAddress.ipv4(cast.ip('10.0.0.5')),
          this.#owner(0),
        );
      }
      this.#datagrams.push(socket);
    }
    const connected = this.#kernel.sockets.datagram();
    must(connected.bind(SocketAddress.any(4, cast.UDP_CONNECTED)));
    // Refused while the address is still being probed.
    connected.connect(SocketAddress.ipv4(cast.ip('10.0.0.2'), 1024));
    this.#datagrams.push(connected);
    if (!this.#ipv6) return;
    const group = this.#kernel.sockets.datagram(6);
    must(group.bind(SocketAddress.any(6, cast.UDP_GROUP + 1)));
    group.joinGroup(this.#named(cast6.GROUP, 'eth0'), 1);
    this.#datagrams.push(group);
  }

  /** The honest connection alone. */
  stepHonest(): void {
    this.honest.forEach((one, i) => {
      one.step(this.#honestListeners[i] as StreamSocket);
    });
  }

  /** One turn: everything that waits, and sometimes something new. */
  step(): void {
    const chance = this.#chance;
    for (const listener of this.#listeners) {
      if (this.#streams.length >= MOST_STREAMS || chance.yes(0.5)) continue;
      const socket = listener.accept();
      if (socket !== null) this.#streams.push({ socket, deaf: chance.yes(0.2), age: 0 });
    }
    for (const stream of this.#streams) this.#stepStream(stream);
    for (let i = this.#streams.length - 1; i >= 0; i--)
      if ((this.#streams[i] as Stream).age < 0) this.#streams.splice(i, 1);
    this.#stepDatagrams();
    if (chance.yes(0.02)) this.#begin();
  }

  #stepStream(stream: Stream): void {
    const chance = this.#chance;
    const { socket } = stream;
    stream.age++;
    if (!stream.deaf && chance.yes(0.5)) {
      const count = socket.receive(this.#scratch, 0, 1 + chance.below(SCRATCH_BYTES));
      if (count === 0 && chance.yes(0.5)) this.#end(stream);
      if (count < 0 && count !== -11 && count !== -107) this.#end(stream);
    }
    if (stream.age > 0 && chance.yes(0.2)) {
      if (chance.yes(0.05)) socket.sendUrgent(this.#scratch, 0, chance.small(6));
      else socket.send(this.#scratch, 0, chance.small(12));
    }
    if (stream.age > 0 && chance.yes(0.02)) socket.shutdown();
    if (stream.age > 0 && (chance.yes(0.01) || stream.age > 400)) this.#end(stream);
  }

  #end(stream: Stream): void {
    if (stream.age < 0) return;
    stream.age = -1;
    if (this.#chance.yes(0.2)) stream.socket.abort();
    else stream.socket.close();
  }

  #stepDatagrams(): void {
    const chance = this.#chance;
    const info = this.#info;
    for (let i = 0; i < this.#datagrams.length; i++) {
      const socket = this.#datagrams[i] as DatagramSocket;
      if (i === 2 && chance.yes(0.99)) continue;
      for (let k = 0; k < 4; k++) {
        const count =
          i === 1
            ? socket.receiveSegments(this.#scratch, 0, SCRATCH_BYTES, info)
            : socket.receive(this.#scratch, 0, SCRATCH_BYTES, info);
        if (count < 0) break;
        if (i === 0) socket.send(this.#scratch, 0, count, info.from);
        if (i === 1) socket.send(this.#scratch, 0, 100 + chance.below(500), info.from);
      }
    }
    for (const raw of this.#raws) if (chance.yes(0.3)) raw.receive(this.#scratch, 0, SCRATCH_BYTES, info);
  }

  /** Index of the interface that has the n-th own address. */
  #owner(n: number): number {
    return this.#kernel.sockets.interfaceWithAddress(SocketAddress.ipv4(cast.OWN_ADDRESSES[n] as number));
  }

  #named(address: cast6.Address, zone: string): SocketAddress {
    const scoped = address[0] >>> 16 === 0xfe80 || address[0] >>> 16 === 0xff02;
    const text = scoped ? `${cast6.text(address)}%${zone}` : cast6.text(address);
    return SocketAddress.from(text, 0, this.#kernel.sockets) ?? SocketAddress.any(4);
  }

  /** Somebody on a link, of either family. */
  #somebody(): SocketAddress {
    const chance = this.#chance;
    const n = chance.below(2);
    if (!this.#ipv6 || chance.yes(0.5)) return SocketAddress.ipv4(cast.neighbor(chance, n));
    return this.#named(cast6.neighbor(chance, n), cast.INTERFACES[n] as string);
  }

  /** Something of its own accord: a connection, a datagram, a ping. */
  #begin(): void {
    const chance = this.#chance;
    const to = this.#somebody();
    switch (chance.below(6)) {
      case 0:
      case 1: {
        if (this.#streams.length >= MOST_STREAMS) return;
        const socket = this.#kernel.sockets.stream(this.#ipv6 ? 6 : 4);
        socket.setOption('noDelay', chance.yes(0.5));
        if (chance.yes(0.3)) {
          socket.setOption('keepIdleMs', 1000);
          socket.setOption('keepIntervalMs', 1000);
          socket.setOption('keepAlive', true);
        }
        const own = chance.yes(0.1);
        const port = own ? cast.PORT_BUSY : cast.PORT_PUPPET;
        if (socket.connect(own ? addressOf('127.0.0.1', port) : at(to, port)) === -115)
          this.#streams.push({ socket, deaf: false, age: 0 });
        else socket.close();
        return;
      }
      case 2:
        if (chance.yes(0.5))
          (this.#datagrams[1] as DatagramSocket).send(this.#scratch, 0, this.#someBytes(), at(to, 1024));
        else this.#sendSegments(to);
        return;
      case 3:
        (this.#datagrams[4] as DatagramSocket).send(this.#scratch, 0, chance.small(8), null);
        return;
      case 4:
        this.#changeMembership(chance.pick([cast.GROUP, cast.SOURCE_GROUP, cast.ip('239.0.0.0') | chance.below(64)]));
        return;
      default: {
        const request = new Uint8Array(8 + chance.small(11));
        const six = to.family === 6;
        request[0] = six ? 128 : 8;
        (this.#raws[six ? 2 : 0] as RawSocket).send(request, 0, request.length, to);
      }
    }
  }

  /** The length of a datagram: any, or one about which a link of 1500, 1280 or 576 bytes has to think. */
  #someBytes(): number {
    const chance = this.#chance;
    return chance.yes(0.7) ? chance.small(12) : chance.pick([1472, 1452, 1252, 1232, 548]) + chance.below(17) - 8;
  }

  /** Datagrams of one size in one call. */
  #sendSegments(to: SocketAddress): void {
    const segmentBytes = 1 + this.#chance.small(11);
    (this.#datagrams[1] as DatagramSocket).sendSegments(this.#scratch, 0, SCRATCH_BYTES, segmentBytes, at(to, 1024));
  }

  #changeMembership(group: number): void {
    const chance = this.#chance;
    const socket = this.#datagrams[chance.below(this.#datagrams.length)] as DatagramSocket;
    const iface = chance.pick([0, ...cast.OWN_ADDRESSES.map((_, n) => this.#owner(n))]);
    const source = cast.neighbor(chance, 0);
    const change = chance.below(4);
    if (change === 0) socket.joinGroup(SocketAddress.ipv4(group), iface);
    else if (change === 1) socket.leaveGroup(SocketAddress.ipv4(group), iface);
    else if (change === 2) socket.joinSourceGroup(SocketAddress.ipv4(group), SocketAddress.ipv4(source), iface);
    else socket.leaveSourceGroup(SocketAddress.ipv4(group), SocketAddress.ipv4(source), iface);
  }

  /** Close everything. */
  close(): void {
    for (const { socket } of this.#streams) socket.abort();
    for (const listener of this.#listeners) listener.close();
    for (const socket of this.#datagrams) socket.close();
    for (const raw of this.#raws) raw.close();
    this.#deafListener.close();
    for (const listener of this.#honestListeners) listener.close();
    for (const one of this.honest) one.socket?.close();
  }
}

function must(result: number): void {
  if (result < 0) throw new Error(`a socket call gave ${result}`);
}
