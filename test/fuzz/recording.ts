/**
 * Recorded traffic: what two kernels of ours really say to each other, for the fuzzer to change.
 *
 * The honest peer and the kernel under test speak over eth2: handshakes, bulk data with loss (so that SACK, retransmissions
 * and duplicate ACKs occur), both ways of closing, resets, half-close, refused connections, UDP like DNS, fragments, echoes,
 * ICMP errors, ARP, group memberships and their queries.
 */

import type { Kernel } from '../../src/kernel/kernel.ts';
import { DatagramInfo, SocketAddress, type StreamSocket } from '../../src/socket/socket.ts';
import { addressOf } from '../fixtures/socket-address.ts';
import { ETHERTYPE_IPV4, FrameWriter, repair } from './bytes.ts';
import * as cast from './cast.ts';
import * as cast6 from './cast6.ts';
import { Chance } from './chance.ts';
import type { Config } from './config.ts';
import type { DeviceFrame, GuardedDevice } from './guarded-device.ts';
import { type Clock, PeerMachine, RECORDING_SEED, type Site, settle, Target } from './target.ts';

const SECOND_US = 1_000_000;
const CONFIG: Config = {
  seed: RECORDING_SEED,
  mtuBytes: [1500, 1500, 1500],
  capabilities: [0, 0, 0],
  sysctls: [],
  offload: false,
  ipv6: true,
};

/** Two kernels on a wire that loses frames when told to. */
class Wire {
  readonly clock: Clock = { nowUs: SECOND_US };
  readonly target: Target;
  readonly peer: PeerMachine;
  readonly frames: Uint8Array[] = [];
  readonly chance: Chance = new Chance(7);
  loss = 0;

  constructor(site: Site) {
    this.target = new Target(site, CONFIG, this.clock);
    this.peer = new PeerMachine(site, 2, this.clock, true);
  }

  get kernels(): readonly [Kernel, Kernel] {
    return [this.target.kernel, this.peer.kernel];
  }

  /** Let both work for a while. */
  run(us: number): void {
    const endUs = this.clock.nowUs + us;
    for (;;) {
      this.#round();
      const nextUs = Math.min(...this.kernels.map((kernel) => kernel.cpus[0].nextDeadlineUs()));
      if (nextUs > endUs) break;
      this.clock.nowUs = Math.max(this.clock.nowUs, nextUs);
    }
    this.clock.nowUs = endUs;
  }

  #round(): void {
    const mine = this.target.devices[2] as GuardedDevice;
    const theirs = this.peer.device;
    for (let moved = true; moved; ) {
      moved = false;
      for (const kernel of this.kernels) settle(kernel, this.clock);
      for (const [from, to] of [[mine, theirs] as const, [theirs, mine] as const]) {
        for (const frame of from.sent.splice(0)) {
          this.#carry(frame, to);
          moved = true;
        }
      }
      // The other interfaces speak to nobody.
      for (const n of [0, 1]) (this.target.devices[n] as GuardedDevice).sent.length = 0;
    }
  }

  #carry(frame: DeviceFrame, to: GuardedDevice): void {
    this.frames.push(frame.bytes);
    if (!this.chance.yes(this.loss)) to.put(frame.bytes, frame.meta);
  }
}

/** Frames in the order they were sent, both directions. */
export function recordTraffic(site: Site): Uint8Array[] {
  const wire = new Wire(site);
  wire.run(5 * SECOND_US);
  for (const family of [4, 6] as const) {
    recordStreams(wire, family);
    recordDatagrams(wire, family);
  }
  recordGroups(wire);
  // Nobody needs a hundred segments of the same transfer.
  return wire.frames.filter((frame, i) => frame.length < 1000 || i % 4 === 0);
}

function recordStreams(wire: Wire, family: 4 | 6): void {
  const [target, peer] = wire.kernels;
  const listener = target.sockets.stream(family);
  listener.bind(SocketAddress.any(family, cast.PORT_BUSY));
  listener.listen(8);
  const bytes = new Uint8Array(40_000);
  for (const [loss, ending] of [
    [0, 'close'],
    [0.1, 'close'],
    [0.1, 'shutdown'],
    [0, 'abort'],
    [0, 'unread'],
  ] as const) {
    const client = peer.sockets.stream(family);
    client.connect(targetOf(family, cast.PORT_BUSY));
    wire.run(SECOND_US);
    const server = listener.accept() as StreamSocket;
    wire.loss = loss;
    for (let i = 0; i < 20; i++) {
      client.send(bytes, 0, i % 3 === 0 ? bytes.length : 10);
      server.send(bytes, 0, i % 5 === 0 ? 3000 : 5);
      wire.run(SECOND_US / 10);
      client.receive(bytes, 0, bytes.length);
      if (ending !== 'unread') while (server.receive(bytes, 0, bytes.length) > 0);
      wire.run(SECOND_US / 10);
    }
    wire.loss = 0;
    wire.run(SECOND_US);
    if (ending === 'abort') client.abort();
    else if (ending === 'shutdown') client.shutdown();
    else client.close();
    wire.run(SECOND_US);
    server.close();
    client.close();
    wire.run(2 * SECOND_US);
  }
  listener.close();
  const refused = peer.sockets.stream(family);
  refused.connect(targetOf(family, cast.PORT_CLOSED));
  wire.run(SECOND_US);
  refused.close();
}

function recordDatagrams(wire: Wire, family: 4 | 6): void {
  const [target, peer] = wire.kernels;
  const server = target.sockets.datagram(family);
  server.bind(SocketAddress.any(family, cast.UDP_NAMES));
  const client = peer.sockets.datagram(family);
  const info = new DatagramInfo();
  const bytes = new Uint8Array(6000);
  for (const length of [30, 500, 1472, 1473, 5000]) {
    client.send(bytes, 0, length, targetOf(family, cast.UDP_NAMES));
    wire.run(SECOND_US / 10);
    server.receive(bytes, 0, bytes.length, info);
    server.send(bytes, 0, length, info.from);
    wire.run(SECOND_US / 10);
  }
  client.send(bytes, 0, 20, targetOf(family, cast.PORT_CLOSED));
  const request = family === 6 ? 128 : 8;
  const raw = peer.sockets.raw(family === 6 ? 58 : 1, family);
  for (const length of [8, 64, 3000]) {
    bytes.fill(0, 0, length);
    bytes[0] = request;
    raw.send(bytes, 0, length, targetOf(family));
    wire.run(SECOND_US / 10);
  }
  bytes.fill(0, 0, 20);
  bytes[0] = 13;
  if (family === 4) raw.send(bytes, 0, 20, targetOf(family));
  raw.setOption('ttl', 1);
  bytes[0] = request;
  bytes[2] = bytes[3] = 0;
  if (family === 4) raw.send(bytes, 0, 20, SocketAddress.ipv4(cast.ip('8.8.8.8')));
  wire.run(SECOND_US);
  for (const socket of [server, client, raw]) socket.close();
}

/** The kernel under test as the peer calls it. */
function targetOf(family: 4 | 6, port: number = 0): SocketAddress {
  return addressOf(family === 6 ? cast6.text(cast6.globalAddress(2, 1)) : '10.2.0.1', port);
}

/** Index of the interface that has the n-th own address. */
function owner(target: Kernel, n: number): number {
  return target.sockets.interfaceWithAddress(SocketAddress.ipv4(cast.OWN_ADDRESSES[n] as number));
}

function recordGroups(wire: Wire): void {
  const [target] = wire.kernels;
  const socket = target.sockets.datagram();
  socket.bind(SocketAddress.any(4, cast.UDP_GROUP));
  socket.joinGroup(SocketAddress.ipv4(cast.GROUP), owner(target, 2));
  const six = target.sockets.datagram(6);
  six.bind(SocketAddress.any(6, cast.UDP_GROUP + 1));
  six.joinGroup(addressOf(cast6.text(cast6.GROUP)), 4);
  socket.joinSourceGroup(
    SocketAddress.ipv4(cast.SOURCE_GROUP),
    SocketAddress.ipv4(cast.HONEST_ADDRESS),
    owner(target, 2),
  );
  wire.run(3 * SECOND_US);
  for (const group of [0, cast.GROUP]) {
    const query = membershipQuery(group);
    wire.frames.push(query);
    (wire.target.devices[2] as GuardedDevice).put(query, 0);
    wire.run(12 * SECOND_US);
  }
  socket.close();
  six.close();
  wire.run(3 * SECOND_US);
}

function membershipQuery(group: number): Uint8Array {
  const w = new FrameWriter();
  const dst = group === 0 ? cast.ip('224.0.0.1') : group;
  w.mac([0x0100, 0x5e000000 | (dst & 0x7fffff)])
    .mac(cast.HONEST_MAC)
    .u16(ETHERTYPE_IPV4);
  w.u16(0x46c0).u16(36).u32(0).u8(1).u8(2).u16(0).u32(cast.HONEST_ADDRESS).u32(dst).u32(0x94040000);
  w.u8(0x11).u8(100).u16(0).u32(group).u8(2).u8(125).u16(0);
  const frame = w.take();
  repair(frame);
  return frame;
}
