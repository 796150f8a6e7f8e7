/**
 * One world of the fuzzer: two copies of a kernel in lock step, thrown the same frames, beside an honest connection.
 *
 * What must hold: nothing throws; nothing is written beside a frame; both copies send the same bytes and count the same
 * although the memory around their frames and under their buffers differs, so nothing depended on it; every frame sent is
 * sound (check-frame.ts); tables keep their limits; the honest connection delivers every byte; in the end nothing is left.
 * Everything follows from the seed.
 */

import { interfaceRows, neighborRows, routeRows } from '../fixtures/inet-text.ts';
import { textControl } from '../fixtures/text-control.ts';
import { ETHERTYPE_IPV4, get16, get32, repair, set32 } from './bytes.ts';
import * as cast from './cast.ts';
import * as cast6 from './cast6.ts';
import { Chance } from './chance.ts';
import { FrameChecker } from './check-frame.ts';
import { type Config, randomConfig } from './config.ts';
import { fragmentsOf, longDatagram } from './fragments.ts';
import { grammarFrame } from './grammar.ts';
import type { DeviceFrame, GuardedDevice } from './guarded-device.ts';
import { checkLimits } from './limits.ts';
import { mutate, readdress } from './mutate.ts';
import { operate } from './operate.ts';
import { type HonestEcho, Program } from './program.ts';
import { answer, liveSegment } from './puppet.ts';
import { type Clock, HonestPeer, PeerMachine, Site, settle, Target } from './target.ts';

export const FRAMES_PER_WORLD = 2000;

const RECENT = 32;
const PENDING = 64;
const MOST_ROUNDS = 200;
const COMPARE_EVERY = 200;
const SECOND_US = 1_000_000;
const BEGIN_US: number = SECOND_US;
/** When a world ends, how long the honest connection may take to finish, and how long everything else has to end. */
const FINISH_US: number = 3600 * SECOND_US;
const REST_US: number = 3 * 3600 * SECOND_US;

/** Memory for the two copies. */
export class FuzzSites {
  readonly first: Site = new Site(true, 0x5eed);
  readonly second: Site = new Site(false, 0xbad);
}

/** Told about every frame of the interfaces under test. */
export type Trace = (timeUs: number, n: number, direction: 'in' | 'out', bytes: Uint8Array) => void;

export class World {
  readonly seed: number;
  readonly config: Config;
  readonly clock: Clock = { nowUs: BEGIN_US };
  /** Frames thrown in so far. */
  frames = 0;
  readonly #chance: Chance;
  readonly #targets: readonly [Target, Target];
  readonly #programs: readonly [Program, Program];
  readonly #peer: PeerMachine;
  readonly #honest: readonly HonestPeer[];
  readonly #checker: FrameChecker;
  readonly #corpus: readonly Uint8Array[];
  readonly #recent: Uint8Array[] = [];
  readonly #pending: { n: number; frame: Uint8Array }[] = [];
  readonly #trace: Trace | null;
  /** Links are without room now and then; the operator does something now and then. */
  readonly #crowded: boolean;
  readonly #operated: boolean;
  readonly #heapBytes: number;
  readonly #own6: Set<string> = new Set();
  #corpusAt = 0;
  #compareAt = 0;

  constructor(sites: FuzzSites, seed: number, corpus: readonly Uint8Array[], trace: Trace | null = null) {
    const chance = new Chance(seed);
    this.seed = seed;
    this.#chance = chance;
    this.#corpus = corpus;
    this.#trace = trace;
    const config = randomConfig(chance);
    this.config = config;
    this.#crowded = chance.yes(0.2);
    this.#operated = chance.yes(0.4);
    const first = new Target(sites.first, config, this.clock);
    const second = new Target(sites.second, config, this.clock);
    this.#targets = [first, second];
    this.#heapBytes = first.kernel.inet.cpus[0].context.heap.usedBytes;
    this.#programs = [
      new Program(first.kernel, config.seed, config.ipv6),
      new Program(second.kernel, config.seed, config.ipv6),
    ];
    const peer = new PeerMachine(sites.first, config.seed + 1, this.clock, config.ipv6);
    this.#peer = peer;
    this.#honest = config.ipv6 ? [new HonestPeer(peer, 4), new HonestPeer(peer, 6)] : [new HonestPeer(peer, 4)];
    this.#checker = new FrameChecker(
      (address) => cast.isOwn(address) || first.isOwn(address),
      (address) => this.#isOwn6(address),
    );
  }

  /** Play it. Throws with what went wrong. */
  run(frames: number = FRAMES_PER_WORLD): void {
    this.#advance(5 * SECOND_US);
    for (const one of this.#honest) one.connect();
    this.#round();
    this.#pending.length = 0;
    while (this.frames < frames) this.#step();
    this.#end();
  }

  /** Temporary addresses come and go: what was ours once may still be on its way. */
  #isOwn6(address: cast6.Address): boolean {
    const text = cast6.text(address);
    if (this.#own6.has(text)) return true;
    if (!this.#targets[0].isOwn6(address)) return false;
    this.#own6.add(text);
    return true;
  }

  #step(): void {
    const chance = this.#chance;
    const burst = chance.yes(0.05) ? 1 + chance.below(70) : 1;
    for (let i = 0; i < burst; i++) this.#throwIn();
    if (this.#crowded)
      for (const n of [0, 1]) this.#setRoom(n, chance.yes(0.3) ? chance.below(4) : Number.POSITIVE_INFINITY);
    if (chance.yes(0.4)) chance.pick(this.#honest).wanted += chance.small(12);
    this.#round();
    for (const program of this.#programs) program.step();
    this.#round();
    this.clock.nowUs += chance.yes(0.9) ? chance.small(10) : chance.small(17);
    if (chance.yes(0.002)) this.#advance(chance.small(24));
    if (this.#operated && chance.yes(0.01)) {
      operate(
        chance,
        this.#targets.map((target) => target.kernel),
      );
    }
    if (this.frames >= this.#compareAt) this.#compareStates();
  }

  #setRoom(n: number, room: number): void {
    for (const target of this.#targets) (target.devices[n] as GuardedDevice).room = room;
  }

  /** One frame into both copies. */
  #throwIn(): void {
    const chance = this.#chance;
    let n = chance.below(2);
    let frame: Uint8Array | null = null;
    const kind = chance.below(100);
    if (this.config.offload && chance.yes(0.05)) {
      const target = this.#targets[0];
      const long = ((target.devices[n] as GuardedDevice).capabilities & 2) !== 0;
      frame = liveSegment(chance, n, target.kernel, long ? 20_000 : 1460);
      if (frame !== null && chance.yes(0.3)) this.#sendOn(frame, n);
    } else if (kind < 35 && this.#pending.length > 0) {
      const next = this.#pending.shift() as { n: number; frame: Uint8Array };
      n = next.n;
      frame = chance.yes(0.85) ? next.frame : mutate(next.frame, chance, this.#corpus);
    } else if (kind < 50) {
      frame = liveSegment(chance, n, this.#targets[0].kernel, 1400);
    } else if (kind < 70 && this.#corpus.length > 0) {
      frame = this.#fromCorpus(n);
    }
    frame ??= grammarFrame(chance, n, { recent: this.#recent, ipv6: this.config.ipv6 });
    frame = this.#cut(frame, n);
    this.frames++;
    if (this.#speaksOfHonest(frame)) return;
    const meta = this.#meta(n, frame.length);
    this.#trace?.(this.clock.nowUs, n, 'in', frame);
    this.#checker.injected(frame, meta);
    for (const target of this.#targets) (target.devices[n] as GuardedDevice).put(frame, meta);
  }

  /** An IPv4 packet to us, super-frame or not, becomes one that is to be forwarded. */
  #sendOn(frame: Uint8Array, n: number): void {
    if (get16(frame, 12) !== ETHERTYPE_IPV4) return;
    set32(frame, 30, cast.neighbor(this.#chance, 1 - n));
    repair(frame);
  }

  /** Now and then a frame comes in fragments, or a long datagram does; they follow one after the other. */
  #cut(frame: Uint8Array, n: number): Uint8Array {
    const chance = this.#chance;
    const whole = chance.yes(0.01) ? longDatagram(chance, n, this.config.ipv6 && chance.yes(0.5)) : frame;
    if (whole === frame && (frame.length > 1514 || !chance.yes(0.03))) return frame;
    const [first, ...others] = fragmentsOf(chance, whole);
    this.#pending.unshift(...others.map((piece) => ({ n, frame: piece })));
    return first ?? frame;
  }

  /** Recorded frames come mostly in the order they were recorded. */
  #fromCorpus(n: number): Uint8Array {
    const chance = this.#chance;
    if (chance.yes(0.1)) this.#corpusAt = chance.below(this.#corpus.length);
    this.#corpusAt = (this.#corpusAt + 1) % this.#corpus.length;
    const frame = (this.#corpus[this.#corpusAt] as Uint8Array).slice();
    if (chance.yes(0.9)) readdress(frame, chance, n);
    return mutate(frame, chance, this.#corpus);
  }

  /** What a link that was negotiated so may say about a frame. */
  #meta(n: number, lengthBytes: number): number {
    const { capabilities, offload } = this.config;
    if (lengthBytes > 1514) return 1 | (this.#chance.pick([1, 100, 536, 1448, 1460]) << 16);
    if (!offload || this.#chance.yes(0.7)) return 0;
    const can = capabilities[n] as number;
    let meta = this.#chance.yes(0.5) ? 2 : can & 1;
    if (can & 2 && this.#chance.yes(0.5)) meta |= this.#chance.pick([1, 100, 536, 1460, 65535]) << 16;
    return meta;
  }

  /** Whether a frame could be believed to belong to an honest connection: that is somebody else's right. */
  #speaksOfHonest(frame: Uint8Array): boolean {
    let named = false;
    for (let at = 14; at + 4 <= frame.length; at++) {
      const word = get32(frame, at);
      if (word === cast.HONEST_ADDRESS) named = true;
      if (word === cast6.PREFIX && at + 16 <= frame.length && get32(frame, at + 4) === 2) named = true;
    }
    if (!named) return false;
    // The port anywhere in the frame: in a tuple, or quoted.
    for (let at = 14; at + 2 <= frame.length; at++) {
      const port = get16(frame, at);
      if (port === cast.HONEST_PORT || port === cast6.HONEST_PORT) return true;
    }
    return false;
  }

  /** Let everybody work until no frame moves. */
  #round(): void {
    for (let round = 0; round < MOST_ROUNDS; round++) {
      for (const target of this.#targets) settle(target.kernel, this.clock);
      let moved = this.#collect();
      for (const one of this.#honest) one.step();
      for (const program of this.#programs) program.stepHonest();
      settle(this.#peer.kernel, this.clock);
      for (const { bytes, meta } of this.#peer.device.sent.splice(0)) {
        for (const target of this.#targets) (target.devices[2] as GuardedDevice).put(bytes, meta);
        moved = true;
      }
      if (!moved) return;
    }
    throw new Error(`frames go round and round at ${this.clock.nowUs} us`);
  }

  /** Compare and check what both copies sent. */
  #collect(): boolean {
    let moved = false;
    const [first, second] = this.#targets;
    for (let n = 0; n < first.devices.length; n++) {
      const device = first.devices[n] as GuardedDevice;
      const mine = device.sent.splice(0);
      const other = (second.devices[n] as GuardedDevice).sent.splice(0);
      if (mine.length !== other.length) {
        throw new Error(`${device.name}: one copy sent ${mine.length} frames, the other ${other.length}`);
      }
      for (let i = 0; i < mine.length; i++) this.#sent(n, device, mine[i] as DeviceFrame, other[i] as DeviceFrame);
      if (mine.length > 0) moved = true;
    }
    return moved;
  }

  #sent(n: number, device: GuardedDevice, frame: DeviceFrame, other: DeviceFrame): void {
    const { bytes, meta } = frame;
    this.#trace?.(this.clock.nowUs, n, 'out', bytes);
    if (meta !== other.meta || !same(bytes, other.bytes)) {
      throw new Error(`${device.name}: what is sent depends on memory that is not the frame's`);
    }
    this.#checker.check(frame, device);
    if (n === 2) {
      this.#peer.device.put(bytes, meta);
      return;
    }
    const chance = this.#chance;
    if (get16(bytes, 12) !== 0x0806) {
      if (this.#recent.length >= RECENT) this.#recent.shift();
      this.#recent.push(bytes.slice(14));
    }
    if (this.#pending.length >= PENDING || chance.yes(0.2)) return;
    const reply = answer(chance, n, bytes);
    if (reply !== null && reply.length <= 1514) this.#pending.push({ n, frame: reply });
  }

  #compareStates(): void {
    this.#compareAt = this.frames + COMPARE_EVERY;
    const [first, second] = this.#targets;
    const one = stateOf(first);
    const two = stateOf(second);
    if (one !== two) throw new Error(`the states of the copies differ:\n${firstDifference(one, two)}`);
    checkLimits(first.kernel);
  }

  /** Move the clock, stopping whenever something is due. */
  #advance(us: number, done: () => boolean = () => false): void {
    const endUs = this.clock.nowUs + us;
    for (;;) {
      this.#round();
      if (done()) return;
      const kernels = [...this.#targets.map((target) => target.kernel), this.#peer.kernel];
      const nextUs = Math.min(...kernels.map((kernel) => kernel.cpus[0].nextDeadlineUs()));
      if (nextUs > endUs) break;
      this.clock.nowUs = Math.max(this.clock.nowUs, nextUs);
    }
    this.clock.nowUs = endUs;
    this.#round();
  }

  #end(): void {
    for (const n of [0, 1]) this.#setRoom(n, Number.POSITIVE_INFINITY);
    for (const one of this.#honest) one.finish();
    this.#advance(FINISH_US, () => this.#honest.every((one, i) => one.finished && this.#ended(i)));
    this.#honest.forEach((one, i) => {
      const arrived = (this.#programs[0].honest[i] as HonestEcho).heard;
      if (one.finished && arrived === one.said && one.heard === one.said) return;
      throw new Error(`honest connection ${i}: ${one.said} bytes said, ${arrived} arrived, ${one.heard} came back`);
    });
    this.#compareStates();
    for (const program of this.#programs) program.close();
    this.#advance(REST_US);
    this.#compareStates();
    this.#checkEmpty(this.#targets[0]);
  }

  #ended(i: number): boolean {
    return this.#programs.every((program) => (program.honest[i] as HonestEcho).ended);
  }

  /** Nothing is left of what was there for a while. */
  #checkEmpty(target: Target): void {
    const { inet } = target.kernel;
    const { tcp } = target.kernel.cpus[0];
    const left = {
      connections: tcp.connectionCount,
      halfOpen: tcp.synEntryCount,
      timeWait: tcp.timeWait.count,
      endpoints: inet.cpus[0].udp.endpointCount,
      raw: inet.cpus[0].raw.count,
      fragments: inet.cpus[0].ip4.input.reassembly.count,
      fragments6: inet.cpus[0].ip6.input.reassembly.count,
      neighbors: [...neighborRows(inet, 4), ...neighborRows(inet, 6)].filter((one) => one.state !== 'permanent').length,
      waiting: inet.ip4.neighbors.pendingBytes + inet.ip6.neighbors.pendingBytes,
      dynamicRoutes: routeRows(inet).filter((route) => route.flags.includes('D')).length,
      heapBytes: inet.cpus[0].context.heap.usedBytes - this.#heapBytes,
    };
    const what = Object.entries(left).filter(([, count]) => count !== 0);
    if (what.length === 0) return;
    const rows = JSON.stringify([
      tcp.sockets(),
      neighborRows(inet, 4),
      neighborRows(inet, 6),
      routeRows(inet, 6),
      this.config.sysctls,
    ]);
    throw new Error(`left behind: ${what.map(([name, count]) => `${count} ${name}`).join(', ')}: ${rows}`);
  }
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function stateOf(target: Target): string {
  const { kernel } = target;
  return JSON.stringify({
    counters: kernel.cpus[0].cpu.counters.snapshot(),
    heap: kernel.inet.cpus[0].context.heap.usedBytes,
    callouts: kernel.cpus[0].cpu.callouts.size,
    sockets: textControl(kernel, 'sockets', {}),
    neighbors: [neighborRows(kernel.inet, 4), neighborRows(kernel.inet, 6)],
    routes: [routeRows(kernel.inet, 4), routeRows(kernel.inet, 6)],
    addresses: kernel.inet.shared.interner.count,
    interfaces: interfaceRows(kernel.inet),
  });
}

function firstDifference(a: string, b: string): string {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return `  ${a.slice(Math.max(0, at - 80), at + 80)}\n  ${b.slice(Math.max(0, at - 80), at + 80)}`;
}
