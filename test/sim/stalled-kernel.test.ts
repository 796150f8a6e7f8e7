/**
 * One of three kernels takes no turn for a while (its thread is blocked): what is sent to it stops, is told so or counted;
 * what the other two have to do with each other goes on; afterwards it catches up and nothing of a stream is lost.
 */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errors.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import type { Impairment } from '../../src/link/impairment.ts';
import {
  DatagramInfo,
  EVENT_CONNECTED,
  EVENT_READABLE,
  EVENT_WRITABLE,
  SocketAddress,
  type StreamSocket,
} from '../../src/socket/socket.ts';
import { parseAddress } from '../../src/wire/ipv4.ts';
import { SimNetwork } from './network.ts';

const SECOND_US = 1_000_000;
const NAMES = ['a', 'b', 'c'] as const;
const CHUNK_BYTES = 10_000;
const WINDOW_BYTES = 128 * 1024;

function addressOf(name: (typeof NAMES)[number]): number {
  return parseAddress(SimNetwork.address(NAMES.indexOf(name))) as number;
}

/** Sends a counted pattern without end, as much as goes; the other end checks it. */
class Stream {
  sent = 0;
  received = 0;
  wrong = 0;
  /** What `send` said last when it took nothing. */
  refusal = 0;
  readonly source: StreamSocket;
  sink: StreamSocket | null = null;
  #stopped = false;

  constructor(from: Kernel, to: Kernel, target: number, port: number) {
    const listener = to.sockets.stream();
    // A window a round trip: what a stream carries does not depend on the others.
    listener.setOption('receiveBufferBytes', WINDOW_BYTES);
    listener.bind(SocketAddress.any(4, port));
    listener.listen(1);
    listener.onEvents = () => {
      this.sink = listener.accept();
      if (this.sink !== null) this.sink.onEvents = (events) => void (events & EVENT_READABLE && this.#read());
    };
    this.source = from.sockets.stream();
    this.source.onEvents = (events) => void (events & (EVENT_CONNECTED | EVENT_WRITABLE) && this.write());
    this.source.connect(SocketAddress.ipv4(target, port));
  }

  /** No more than what was sent already. */
  stop(): void {
    this.#stopped = true;
  }

  write(): void {
    const bytes = new Uint8Array(CHUNK_BYTES);
    while (!this.#stopped) {
      for (let i = 0; i < CHUNK_BYTES; i++) bytes[i] = (this.sent + i) % 251;
      const count = this.source.send(bytes, 0, CHUNK_BYTES);
      if (count <= 0) {
        this.refusal = count;
        return;
      }
      this.sent += count;
    }
  }

  #read(): void {
    const bytes = new Uint8Array(CHUNK_BYTES);
    for (;;) {
      const count = this.sink?.receive(bytes, 0, CHUNK_BYTES) ?? 0;
      if (count <= 0) return;
      for (let i = 0; i < count; i++) if (bytes[i] !== (this.received + i) % 251) this.wrong++;
      this.received += count;
    }
  }
}

function world(full: 'wait' | 'drop', impairment: Impairment) {
  const network = new SimNetwork({
    seed: 1,
    kernels: NAMES,
    full,
    ringBytes: 64 * 1024,
    impairment,
  });
  const [a, b, c] = NAMES.map((name) => network.kernel(name)) as [Kernel, Kernel, Kernel];
  const { simulation } = network;
  const runFor = (us: number): void => simulation.run(simulation.nowUs() + us);
  const counter = (name: string): number => network.links.get('a')?.counters.snapshot()[name] as number;
  return { simulation, a, b, c, runFor, counter };
}

describe.each(['wait', 'drop'] as const)('a kernel that takes no turns, rings that %s when full', (full) => {
  it('stops streams to it, loses nothing, and leaves the others alone', () => {
    // Streams take virtual time, as on a wire.
    const { simulation, a, b, c, runFor } = world(full, { delayUs: 5000 });
    const toC = new Stream(a, c, addressOf('c'), 1);
    const toB = new Stream(a, b, addressOf('b'), 1);
    const backToA = new Stream(b, a, addressOf('a'), 1);
    runFor(SECOND_US / 10);
    expect(Math.min(toC.received, toB.received, backToA.received)).toBeGreaterThan(50_000);
    const before = [toB.received, backToA.received];
    // Long enough to cover the ups and downs of congestion control where rings drop.
    runFor(SECOND_US);
    const usual = [toB.received - (before[0] as number), backToA.received - (before[1] as number)];

    simulation.remove(...c.cpus);
    runFor(SECOND_US / 10);
    toC.write();
    const stalled = [toC.sent, toC.received];
    expect(toC.refusal).toBe(-Errno.EAGAIN);
    expect(toC.source.writableBytes).toBe(0);
    const atStall = [toB.received, backToA.received];
    runFor(SECOND_US);
    expect([toC.sent, toC.received]).toEqual(stalled);
    expect(toC.source.state).toBe('ESTABLISHED');
    // On the virtual clock: what the others get done in the same time.
    expect((toB.received - (atStall[0] as number)) / (usual[0] as number)).toBeGreaterThan(0.9);
    expect((backToA.received - (atStall[1] as number)) / (usual[1] as number)).toBeGreaterThan(0.9);

    simulation.add(...c.cpus);
    runFor(SECOND_US);
    expect(toC.received).toBeGreaterThan(stalled[0] as number);
    for (const stream of [toC, toB, backToA]) stream.stop();
    runFor(SECOND_US);
    for (const stream of [toC, toB, backToA]) {
      expect([stream.wrong, stream.received]).toEqual([0, stream.sent]);
    }
  });

  it.each([{}, { delayUs: 500 }])('drops datagrams to it, counted, or refuses them, and no others: wire %j', (wire) => {
    const { simulation, a, b, c, runFor, counter } = world(full, wire);
    const bytes = new Uint8Array(1000);
    const info = new DatagramInfo();
    const got = { b: 0, c: 0 };
    for (const [name, kernel] of [
      ['b', b],
      ['c', c],
    ] as const) {
      const sink = kernel.sockets.datagram();
      sink.bind(SocketAddress.any(4, 9));
      sink.onEvents = () => {
        while (sink.receive(bytes, 0, bytes.length, info) >= 0) got[name]++;
      };
    }
    const source = a.sockets.datagram();
    const results = { b: [] as number[], c: [] as number[] };
    const burst = (): void => {
      for (let i = 0; i < 10; i++) {
        for (const name of ['b', 'c'] as const)
          results[name].push(source.send(bytes, 0, bytes.length, SocketAddress.ipv4(addressOf(name), 9)));
      }
      runFor(1000);
    };
    // Who has which hardware address is known before.
    burst();
    expect(got).toEqual({ b: 10, c: 10 });
    simulation.remove(...c.cpus);
    const counted = full === 'wait' ? 'txBlocked' : 'txFull';
    const other = full === 'wait' ? 'txFull' : 'txBlocked';
    const before = counter(counted);
    for (let i = 0; i < 50; i++) burst();
    expect(counter(counted) - before).toBeGreaterThan(0);
    expect(counter(other)).toBe(0);
    expect(results.b).toEqual(new Array(510).fill(1000));
    expect(got).toEqual({ b: 510, c: 10 });
    const refused = results.c.filter((result) => result === -Errno.EAGAIN).length;
    expect(results.c.filter((result) => result === 1000).length + refused).toBe(510);
    if (full === 'drop') expect(refused).toBe(0);
    simulation.add(...c.cpus);
    runFor(SECOND_US);
    // What was taken and did not arrive was counted.
    expect(got.c).toBe(510 - refused - counter('txFull') - counter('outQueueFull'));
    expect(got.c).toBeGreaterThan(10);
    burst();
    expect(results.c.slice(-10)).toEqual(new Array(10).fill(1000));
  });
});
