/**
 * A random world for two TCP stacks: a wire with a random character, connections of random shape, programs that write and
 * read in their own way, now and then a partition. What must hold whatever happens: what arrives is what was sent, every
 * connection ends with an outcome both sides can explain, and nothing is left behind. Equal seeds give equal packets.
 */

import { Errno, errnoName } from '../../src/base/errors.ts';
import { type Rng, randomBelow, randomUnit, SeededRng } from '../../src/base/rng.ts';
import { abortConnection, closeConnection, shutdownWrite } from '../../src/inet/tcp/close.ts';
import type { Connection } from '../../src/inet/tcp/connection/connection.ts';
import { startKeepAlive } from '../../src/inet/tcp/connection/timers.ts';
import type { PortUse } from '../../src/inet/tcp/shared/port-use.ts';
import type { Listener } from '../../src/inet/tcp/tables/listener.ts';
import * as transfer from '../../src/inet/tcp/transfer.ts';
import * as user from '../../src/inet/tcp/user.ts';
import { PERFECT, type Side, Wire, type WireOptions } from '../fixtures/tcp-wire.ts';

const PORT = 80;

/** What is written or read at the moment. */
const scratch: Uint8Array = new Uint8Array(1 << 18);

/** Byte `i` of stream `id`. */
function pattern(id: number, i: number): number {
  return (i * 131 + (i >> 8) * 17 + id * 29) & 255;
}

/** One end of a connection: writes `total` bytes, reads and checks what comes, then closes. */
class Peer {
  readonly wire: Wire;
  readonly c: Connection;
  readonly rng: Rng;
  readonly sendId: number;
  readonly receiveId: number;
  readonly total: number;
  readonly chunk: number;
  readonly readMost: number;
  readonly closing: 'close' | 'shutdown' | 'abort';
  sent = 0;
  received = 0;
  ended = false;
  closed = false;
  error = 0;
  #nextReadUs = 0;
  readonly #pauseUs: number;

  constructor(wire: Wire, c: Connection, rng: Rng, id: number, client: boolean, total: number) {
    this.wire = wire;
    this.c = c;
    this.rng = rng;
    this.sendId = client ? id * 2 : id * 2 + 1;
    this.receiveId = client ? id * 2 + 1 : id * 2;
    this.total = total;
    this.chunk = 1 + randomBelow(rng, 1 << (4 + randomBelow(rng, 12)));
    this.readMost = 64 + randomBelow(rng, 1 << (6 + randomBelow(rng, 12)));
    this.#pauseUs = randomUnit(rng) < 0.2 ? 1 + randomBelow(rng, 200_000) : 0;
    this.closing = randomUnit(rng) < 0.1 ? 'abort' : 'shutdown';
    c.options.noDelay = randomUnit(rng) < 0.5;
    // A peer that gave up while the wire was cut leaves the other side waiting: only keep-alive finds out.
    c.options.keepAlive = true;
    c.owner = { onReadable() {}, onWritable() {}, onConnected() {}, onSent() {}, onError() {} };
    startKeepAlive(c, wire.nowUs);
  }

  /** Whether this side waits to read later: the simulation must come back then. */
  get wakeUs(): number {
    return this.closed || this.#nextReadUs <= this.wire.nowUs ? Number.POSITIVE_INFINITY : this.#nextReadUs;
  }

  work(): void {
    if (this.closed || this.c.state === 2) return;
    this.#write();
    this.#read();
    if (this.error !== 0 || (this.ended && this.sent === this.total)) this.#close();
  }

  #write(): void {
    const { nowUs } = this.wire;
    while (this.sent < this.total && this.error === 0) {
      const length = Math.min(this.chunk, this.total - this.sent, this.c.sendBuffer.freeBytes || 1);
      for (let i = 0; i < length; i++) scratch[i] = pattern(this.sendId, this.sent + i);
      const result = transfer.send(this.c, scratch, 0, length, nowUs);
      if (result === -Errno.EAGAIN || result === -Errno.ENOBUFS) return;
      if (result < 0) this.error = result;
      else this.sent += result;
    }
    if (this.sent === this.total && !this.c.snd.finQueued && this.error === 0) {
      if (this.closing === 'abort' && this.total > 0) {
        this.error = -Errno.ECANCELED;
        abortConnection(this.c);
      } else {
        shutdownWrite(this.c, nowUs);
      }
    }
  }

  #read(): void {
    const { nowUs } = this.wire;
    if (nowUs < this.#nextReadUs || this.closed) return;
    for (;;) {
      const result = transfer.receive(this.c, scratch, 0, this.readMost, nowUs);
      if (result === -Errno.EAGAIN) return;
      if (result === 0) {
        this.ended = true;
        return;
      }
      if (result < 0) {
        if (this.error === 0) this.error = result;
        return;
      }
      for (let i = 0; i < result; i++) {
        if (scratch[i] !== pattern(this.receiveId, this.received + i)) {
          throw new Error(`stream ${this.receiveId}: wrong byte at ${this.received + i}`);
        }
      }
      this.received += result;
      if (this.#pauseUs > 0) {
        this.#nextReadUs = nowUs + this.#pauseUs;
        return;
      }
    }
  }

  #close(): void {
    this.closed = true;
    closeConnection(this.c, this.wire.nowUs);
  }
}

function randomWire(rng: Rng): WireOptions {
  const often = (p: number, most: number): number => (randomUnit(rng) < p ? randomUnit(rng) * most : 0);
  const rateBps = randomUnit(rng) < 0.3 ? 1e6 * 10 ** (randomUnit(rng) * 3) : 0;
  return {
    ...PERFECT,
    delayUs: 1 + randomBelow(rng, randomUnit(rng) < 0.5 ? 200 : 60_000),
    jitterUs: randomUnit(rng) < 0.3 ? randomBelow(rng, 5000) : 0,
    loss: often(0.6, 0.15),
    duplicate: often(0.3, 0.1),
    corrupt: often(0.3, 0.05),
    reorder: often(0.4, 0.3),
    reorderUs: 1 + randomBelow(rng, 20_000),
    rateBps,
    queueBytes: 20_000 + randomBelow(rng, 200_000),
    slots: randomUnit(rng) < 0.2 ? 4 + randomBelow(rng, 60) : 0,
  };
}

function randomSysctl(rng: Rng): Record<string, number> {
  const bit = (p: number): number => (randomUnit(rng) < p ? 1 : 0);
  return {
    timestamps: bit(0.7),
    'sack.enable': bit(0.7),
    win_scale: bit(0.8),
    congctl: bit(0.5),
    limited_transmit: bit(0.8),
    rack: bit(0.8),
    'ecn.enable': randomBelow(rng, 3),
    tlp: bit(0.8),
    prr: bit(0.8),
    frto: bit(0.8),
    ack_batch: 2 + randomBelow(rng, 64),
    quickack: randomBelow(rng, 20),
    sendspace: 4096 << randomBelow(rng, 6),
    recvspace: 4096 << randomBelow(rng, 6),
    sendbuf_max: 1 << 20,
    recvbuf_max: 1 << 20,
    msl: 500,
    fin_timeout: 5000,
    keepidle: 5000,
    keepintvl: 1000,
  };
}

function randomSide(rng: Rng): {
  sysctl: Record<string, number>;
  mtuBytes: number;
  capabilities: number;
  heapBytes: number;
} {
  return {
    sysctl: randomSysctl(rng),
    mtuBytes: randomUnit(rng) < 0.7 ? 1500 : 300 + randomBelow(rng, 8700),
    capabilities: randomBelow(rng, 3) === 0 ? 2 : 0,
    heapBytes: 16 << 20,
  };
}

export interface Outcome {
  digest: number;
  packets: number;
}

/** A random world; throws with what went wrong. */
export function world(seed: number): Outcome {
  const rng = new SeededRng(seed);
  const wire = new Wire(rng.next32(), { a: randomSide(rng), b: randomSide(rng) });
  wire.a.wire = randomWire(rng);
  wire.b.wire = randomWire(rng);
  let digest = 0;
  wire.onTransmit = (_, bytes) => {
    for (let i = 0; i < bytes.length; i++) digest = (Math.imul(digest, 31) + (bytes[i] as number)) | 0;
  };
  const peers: Peer[] = [];
  const reuse = { reuseAddress: true, reusePort: false };
  const use = user.bindPort(wire.b.stack, 0, PORT, reuse) as PortUse;
  const listener = user.listenOn(wire.b.stack, use, wire.b.stack.newOptions(), 64, null) as Listener;
  const count = 1 + randomBelow(rng, 5);
  // Mostly small, so that hundreds of worlds take seconds.
  const total = (): number => (randomUnit(rng) < 0.1 ? 0 : randomBelow(rng, 1 << (6 + randomBelow(rng, 12))));
  const ids = new Map<number, number>();
  const startUs: number[] = Array.from({ length: count }, () => wire.nowUs + randomBelow(rng, 300_000));
  const totals = startUs.map(() => [total(), total()] as const);
  let started = 0;
  startUs.sort((x, y) => x - y);

  const work = (): void => {
    while (started < count && (startUs[started] as number) <= wire.nowUs) {
      const options = wire.a.stack.newOptions();
      const c = user.connectTo(wire.a.stack, null, wire.b.address, PORT, options, null, wire.nowUs) as Connection;
      ids.set(c.localPort, started);
      peers.push(new Peer(wire, c, rng, started, true, (totals[started] as readonly [number, number])[0]));
      started++;
    }
    for (let c = user.acceptFrom(listener, () => null); c !== null; c = user.acceptFrom(listener, () => null)) {
      const id = ids.get(c.peerPort) as number;
      peers.push(new Peer(wire, c, rng, id, false, (totals[id] as readonly [number, number])[1]));
    }
    for (const peer of peers) peer.work();
  };
  // A partition now and then, healed after a while.
  let cutUs = randomUnit(rng) < 0.3 ? wire.nowUs + randomBelow(rng, 2_000_000) : Number.POSITIVE_INFINITY;
  let healUs = Number.POSITIVE_INFINITY;
  const done = (): boolean =>
    started === count &&
    peers.every((p) => p.closed) &&
    wire.a.stack.connectionCount + wire.b.stack.connectionCount === 0;
  const limitUs = wire.nowUs + 3_600_000_000;
  while (!done() && wire.nowUs < limitUs) {
    work();
    wire.settle();
    work();
    let next = Math.min(wire.nextUs(), cutUs, healUs, startUs[started] ?? Number.POSITIVE_INFINITY);
    for (const peer of peers) next = Math.min(next, peer.wakeUs);
    if (next === Number.POSITIVE_INFINITY) break;
    wire.nowUs = Math.max(wire.nowUs, next);
    if (wire.nowUs >= cutUs) {
      cutUs = Number.POSITIVE_INFINITY;
      healUs = wire.nowUs + randomBelow(rng, 20_000_000);
      wire.a.cut = true;
      wire.b.cut = randomUnit(rng) < 0.7;
    }
    if (wire.nowUs >= healUs) {
      healUs = Number.POSITIVE_INFINITY;
      wire.a.cut = wire.b.cut = false;
    }
  }
  work();
  check(wire, peers, count, done());
  user.closeListener(wire.b.stack, listener);
  wire.run(wire.nowUs + 600_000_000);
  checkEmpty(wire.a);
  checkEmpty(wire.b);
  return { digest, packets: wire.packets };
}

function check(wire: Wire, peers: Peer[], count: number, done: boolean): void {
  const describe = (p: Peer): string =>
    `${p.sendId}: state ${p.c.state} sent ${p.sent}/${p.total} received ${p.received} error ${p.error ? errnoName(p.error) : ''}`;
  if (!done) {
    throw new Error(`connections did not end by ${wire.nowUs}:\n  ${peers.map(describe).join('\n  ')}`);
  }
  for (let id = 0; id < count; id++) {
    const client = peers.find((p) => p.sendId === id * 2) as Peer;
    const server = peers.find((p) => p.sendId === id * 2 + 1);
    if (server === undefined) {
      if (client.error === 0) throw new Error(`connection ${id}: client saw no error, server no connection`);
      continue;
    }
    const clean = client.error === 0 && server.error === 0;
    if (clean && (client.received !== server.total || server.received !== client.total)) {
      throw new Error(`connection ${id}: not everything arrived\n  ${describe(client)}\n  ${describe(server)}`);
    }
    if (client.received > server.sent || server.received > client.sent) throw new Error(`connection ${id}: too much`);
    const unexpected = [client, server].filter(
      (p) =>
        p.error !== 0 && ![Errno.ECANCELED, Errno.ECONNRESET, Errno.EPIPE, Errno.ETIMEDOUT].includes(-p.error as never),
    );
    if (unexpected.length > 0) throw new Error(`connection ${id}: ${describe(unexpected[0] as Peer)}`);
  }
}

function checkEmpty(side: Side): void {
  const { stack } = side;
  const left = {
    connections: stack.connectionCount,
    synEntries: stack.synEntryCount,
    timeWait: stack.timeWait.count,
    paths: side.openPaths,
    heapBytes: side.heap.usedBytes,
    timers: side.callouts.nextDeadlineUs() === Number.POSITIVE_INFINITY ? 0 : 1,
    sockets: stack.sockets().length,
  };
  const sum = Object.values(left).reduce((a, b) => a + b, 0);
  if (sum !== 0) throw new Error(`left behind: ${JSON.stringify(left)}`);
}
