/**
 * A server, an honest client, and somebody who floods the server.
 *
 * The model. Three ports of one Ethernet segment. The client's link carries 100 Mbit/s and a TCP connection of its own fills
 * it. The server's processor handles {@link BUDGET_FRAMES} frames a second of virtual time, received and sent together
 * (metered-device.ts); the honest connection needs a little less than half of them. The flooder's link is as fast as
 * the server reads: its ring is bounded and always full, so it takes whatever part of the budget the server lets it have. What
 * an answer costs counts against the same budget. So the honest goodput holds only if frames are taken fairly from
 * both links, if those of the flood are cheap, and if they are answered less often than they come.
 */

import type { Kernel } from '../../src/kernel/kernel.ts';
import { type Device, FrameBatch } from '../../src/link/device.ts';
import { VniDevice } from '../../src/link/index.ts';
import { createBulk } from '../../src/mem/bulk.ts';
import { SocketAddress, type StreamSocket } from '../../src/socket/socket.ts';
import { addressOf } from '../fixtures/socket-address.ts';
import { textControl } from '../fixtures/text-control.ts';
import { ETHERTYPE_ARP, ETHERTYPE_IPV6, FrameWriter, get16, get32, repair } from '../fuzz/bytes.ts';
import { text } from '../fuzz/cast6.ts';
import { Chance } from '../fuzz/chance.ts';
import { ATTACKER_MAC, CLIENT, type Flood, type FloodTarget, GATEWAY, SERVER, SERVER_MAC } from './flood-frames.ts';
import { CLIENT6, GATEWAY6, SERVER6 } from './flood-frames-6.ts';
import { MeteredDevice } from './metered-device.ts';
import { SimNetwork } from './network.ts';

export const BUDGET_FRAMES = 20_000;
const CLIENT_BPS = 100e6;
const CLIENT_DELAY_US = 100;
const PORT = 80;
const SECOND_US = 1_000_000;
const EAGAIN = -11;

/** Sends frames of a flood as long as the ring takes any, and answers questions for the addresses it makes up. */
class Flooder {
  readonly device: VniDevice;
  sent = 0;
  /** Frames the server sent here: answers, broadcasts. */
  heard = 0;
  flood: Flood | null = null;
  target: FloodTarget = { serverPort: PORT, clientPort: 0 };
  /** Claims every address the server asks for. */
  claims = false;
  readonly #network: SimNetwork;
  readonly #chance: Chance;
  readonly #batch: FrameBatch = new FrameBatch();
  readonly #waiting: Uint8Array[] = [];
  #next: Uint8Array | null = null;
  /** When the server's ring was full last. */
  #fullUs = -1;
  readonly #txFull: number;

  constructor(network: SimNetwork, seed: number) {
    this.#network = network;
    this.#chance = new Chance(seed);
    const { arena } = network;
    const [hi, lo] = ATTACKER_MAC;
    const options = { name: `flooder${seed}`, mac: { hi, lo } };
    this.device = new VniDevice(arena, createBulk(arena), network.segment, 2, options);
    this.#txFull = this.device.counters.index('txFull');
  }

  doWork(nowUs: number): number {
    const { bytes } = this.#network.arena;
    const count = this.device.receive(this.#batch);
    for (let i = 0; i < count; i++) {
      const at = this.#batch.at[i] as number;
      this.#hear(bytes.slice(at, at + (this.#batch.length[i] as number)));
    }
    if (count > 0) this.device.release();
    let work = count;
    const { counters } = this.device;
    const lostBefore = counters.get(this.#txFull);
    while (this.#fullUs !== nowUs && (this.flood !== null || this.#waiting.length > 0)) {
      this.#next ??= this.#waiting.shift() ?? (this.flood as Flood)(this.#chance, this.target, this.sent);
      const frame = this.#next;
      const at = this.device.reserve(get16(frame, 0), get32(frame, 2), frame.length);
      if (at < 0) break;
      bytes.set(frame, at);
      this.device.commit(frame.length, 0);
      this.#next = null;
      // A group frame finds no room without the sender being told, but it is counted: enough for now.
      if (counters.get(this.#txFull) > lostBefore) this.#fullUs = nowUs;
      this.sent++;
      work++;
    }
    this.device.flush();
    return work;
  }

  #hear(frame: Uint8Array): void {
    this.heard++;
    if (get16(frame, 12) === ETHERTYPE_IPV6) this.#hear6(frame);
    if (get16(frame, 12) !== ETHERTYPE_ARP || get16(frame, 20) !== 1) return;
    const target = get32(frame, 38);
    if (target === SERVER || target === CLIENT || (!this.claims && target !== GATEWAY)) return;
    const w = new FrameWriter().mac(SERVER_MAC).mac(ATTACKER_MAC).u16(ETHERTYPE_ARP).u32(0x00010800).u16(0x0604).u16(2);
    this.#waiting.push(w.mac(ATTACKER_MAC).u32(target).mac(SERVER_MAC).u32(get32(frame, 28)).take());
  }

  /** The same for neighbor solicitations. */
  #hear6(frame: Uint8Array): void {
    if (frame.length < 78 || frame[20] !== 58 || frame[54] !== 135 || get32(frame, 22) === 0) return;
    const target = [62, 66, 70, 74].map((at) => get32(frame, at));
    const is = (address: readonly number[]): boolean => address.every((word, i) => word === target[i]);
    if (is(SERVER6) || is(CLIENT6) || (!this.claims && !is(GATEWAY6))) return;
    const w = new FrameWriter().mac(SERVER_MAC).mac(ATTACKER_MAC).u16(ETHERTYPE_IPV6).u32(0x60000000).u32(0x00203aff);
    for (const word of target) w.u32(word);
    w.copy(frame.subarray(22, 38))
      .u32(0x88000000 | 0)
      .u32(0x60000000);
    for (const word of target) w.u32(word);
    const answer = w.u16(0x0201).mac(ATTACKER_MAC).take();
    repair(answer);
    this.#waiting.push(answer);
  }

  flush(): void {}

  nextDeadlineUs(): number {
    return Number.POSITIVE_INFINITY;
  }

  workPending(): boolean {
    return false;
  }
}

export class FloodWorld {
  readonly network: SimNetwork;
  readonly server: Kernel;
  readonly client: Kernel;
  readonly flooder: Flooder;
  readonly metered: MeteredDevice;
  /** Bytes of the honest connection that the server has read. */
  received = 0;
  readonly #upload: StreamSocket;
  readonly #listener: StreamSocket;
  readonly #chunk: Uint8Array = new Uint8Array(65536);
  readonly #streams: StreamSocket[] = [];
  readonly #family: 4 | 6;

  /** `family`: of the honest connection, and of the flood. */
  constructor(seed: number, claims: boolean, family: 4 | 6) {
    this.#family = family;
    const ipv6 = family === 6;
    let metered: MeteredDevice | null = null;
    // The clock is made inside, after the device wants it.
    const clock = { nowUs: (): number => this.network?.simulation.nowUs() ?? 0 };
    const wrap = (device: Device, index: number): Device => {
      if (index !== 0) return device;
      metered = new MeteredDevice(device, BUDGET_FRAMES, clock);
      return metered;
    };
    this.network = new SimNetwork({ seed, kernels: ['server', 'client'], strangers: 1, wrap, ringBytes: 65536, ipv6 });
    this.metered = metered as unknown as MeteredDevice;
    this.server = this.network.kernel('server');
    this.client = this.network.kernel('client');
    this.network.links
      .get('client')
      ?.impair('out', { rateBps: CLIENT_BPS, delayUs: CLIENT_DELAY_US, queueFrames: 200 });
    this.flooder = new Flooder(this.network, seed);
    this.flooder.claims = claims;
    this.network.simulation.add(this.flooder);
    textControl(this.server, 'route.add', {
      destination: ipv6 ? '::' : '0.0.0.0',
      prefixLength: 0,
      gateway: ipv6 ? text(GATEWAY6) : '10.0.0.254',
      kind: 'unicast',
      ...(ipv6 ? { interface: 'eth0' } : {}),
    });
    if (ipv6) textControl(this.server, 'sysctl.set', { name: 'net.inet6.ip6.accept_rtadv', value: 1 });
    this.#listener = this.server.sockets.stream(family);
    this.#listener.bind(SocketAddress.any(family, PORT));
    this.#listener.listen(128);
    this.#listener.onEvents = () => this.#accept();
    const deaf = this.server.sockets.datagram(family);
    deaf.bind(SocketAddress.any(family, 5000));
    const member = this.server.sockets.datagram(family);
    member.bind(SocketAddress.any(family, 5353));
    const iface = this.server.sockets.interfaceWithAddress(SocketAddress.ipv4(SERVER));
    for (let group = 1; group <= 20; group++) {
      if (ipv6) member.joinGroup(addressOf(`ff05::${group}`), 0);
      else member.joinGroup(SocketAddress.ipv4(0xef010200 | group), iface);
    }
    this.network.simulation.run(5 * SECOND_US);
    this.#upload = this.connect();
    this.#upload.onEvents = () => this.#write();
    this.network.simulation.run(6 * SECOND_US);
    this.#write();
    this.flooder.target.clientPort = this.#upload.local.port;
  }

  /** A further connection of the client. */
  connect(): StreamSocket {
    const socket = this.client.sockets.stream(this.#family);
    socket.connect(this.#family === 6 ? addressOf(text(SERVER6), PORT) : SocketAddress.ipv4(SERVER, PORT));
    return socket;
  }

  #accept(): void {
    for (let one = this.#listener.accept(); one !== null; one = this.#listener.accept()) {
      const stream = one;
      this.#streams.push(stream);
      stream.onEvents = () => this.#read(stream);
      this.#read(stream);
    }
  }

  #read(stream: StreamSocket): void {
    for (;;) {
      const count = stream.receive(this.#chunk, 0, this.#chunk.length);
      if (count <= 0) return;
      this.received += count;
    }
  }

  #write(): void {
    while (this.#upload.send(this.#chunk, 0, this.#chunk.length) !== EAGAIN) if (this.#upload.error !== 0) return;
  }

  /** End the honest connection. */
  stop(): void {
    this.#upload.abort();
  }

  get uploadState(): string {
    return this.#upload.state;
  }

  /** Bytes a second that arrive in the next `seconds`. */
  goodput(seconds: number): number {
    const before = this.received;
    const { simulation } = this.network;
    simulation.run(simulation.nowUs() + seconds * SECOND_US);
    return (this.received - before) / seconds;
  }

  /** Whether a new connection comes about within `seconds`. */
  connects(seconds: number): boolean {
    const { simulation } = this.network;
    const socket = this.connect();
    const done = simulation.runUntil(() => socket.state === 'ESTABLISHED', simulation.nowUs() + seconds * SECOND_US);
    socket.abort();
    return done;
  }
}
