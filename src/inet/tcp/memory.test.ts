/**
 * The memory of buffers: small data takes little, bulk leaves some for others, and nobody fails when it is used up.
 */

import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import { type Side, Wire } from '../../../test/fixtures/tcp-wire.ts';
import type { Connection } from './connection/connection.ts';
import type { PortUse } from './shared/port-use.ts';
import type { Listener } from './tables/listener.ts';
import { receive, send } from './transfer.ts';
import * as user from './user.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const SECOND_US = 1_000_000;

/** Two stacks, `b` listening at port 80, and programs of a few lines. */
class Pair {
  readonly wire: Wire;
  readonly #listener: Listener;
  readonly #scratch = new Uint8Array(64 * KIB);

  constructor(heapBytes: number, sysctl: Record<string, number> = {}) {
    this.wire = new Wire(1, { a: { heapBytes, sysctl }, b: { heapBytes, sysctl } });
    const { stack } = this.wire.b;
    const use = user.bindPort(stack, 0, 80, { reuseAddress: true, reusePort: false }) as PortUse;
    this.#listener = user.listenOn(stack, use, stack.newOptions(), 4096, null) as Listener;
  }

  /** A connection as both ends see it. */
  open(): { client: Connection; server: Connection } {
    const { wire } = this;
    const { a, b } = wire;
    const client = user.connectTo(a.stack, null, b.address, 80, a.stack.newOptions(), null, wire.nowUs) as Connection;
    wire.run(wire.nowUs + 1000);
    return { client, server: user.acceptFrom(this.#listener, () => null) as Connection };
  }

  /** Write up to `bytes` (at most 64 KiB); how many were taken, or a negative errno. */
  write(c: Connection, bytes: number): number {
    return send(c, this.#scratch, 0, bytes, this.wire.nowUs);
  }

  /** Read what is there. */
  read(c: Connection): number {
    return Math.max(receive(c, this.#scratch, 0, this.#scratch.length, this.wire.nowUs), 0);
  }

  run(us: number, condition: () => boolean = () => false): boolean {
    return this.wire.run(this.wire.nowUs + us, condition);
  }
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

describe('small data', () => {
  it('takes small blocks', () => {
    const t = new Transcript().established();
    t.write(11);
    expect(t.stack.heap.usedBytes).toBe(256);
    t.write(300);
    expect(t.stack.heap.usedBytes).toBe(512);
    t.send('P. len 11');
    expect(t.stack.heap.usedBytes).toBe(512 + 256);
    t.send('P. len 1460');
    expect(t.stack.heap.usedBytes).toBe(512 + 4096);
  });

  it('of a thousand connections fits in half a megabyte', () => {
    const pair = new Pair(MIB);
    const connections = times(1000, () => pair.open());
    for (const { client } of connections) expect(pair.write(client, 11)).toBe(11);
    expect(pair.wire.a.heap.usedBytes).toBe(256_000);
    pair.run(1000);
    for (const { server } of connections) expect(pair.write(server, pair.read(server))).toBe(11);
    expect(pair.wire.b.heap.usedBytes).toBe(512_000);
    pair.run(1000);
    for (const { client } of connections) expect(pair.read(client)).toBe(11);
    expect(pair.wire.a.count('droppedNoMemory') + pair.wire.b.count('droppedNoMemory')).toBe(0);
  });
});

describe('bulk', () => {
  /** Streams from the server that nobody reads, until no end takes any more. */
  function fill(pair: Pair, streams: { server: Connection }[]): number {
    let written = 0;
    for (let taken = 1; taken > 0; ) {
      taken = 0;
      for (const { server } of streams) taken += Math.max(pair.write(server, 64 * KIB), 0);
      pair.run(SECOND_US);
      written += taken;
    }
    return written;
  }

  const HEAP_BYTES = 2 * MIB;

  it('leaves small exchanges alone, and all of it arrives when it is read', () => {
    const pair = new Pair(HEAP_BYTES);
    const streams = times(60, () => pair.open());
    let written = fill(pair, streams);
    expect(written).toBeGreaterThan(HEAP_BYTES);
    for (const side of [pair.wire.a, pair.wire.b]) {
      expect(side.heap.usedBytes).toBeGreaterThan(HEAP_BYTES / 2);
      expect(side.heap.usedBytes).toBeLessThan((15 * HEAP_BYTES) / 16);
    }
    const small = times(100, () => pair.open());
    for (const { client } of small) expect(pair.write(client, 200)).toBe(200);
    pair.run(1000);
    for (const { server } of small) expect(pair.write(server, pair.read(server))).toBe(200);
    pair.run(1000);
    for (const { client } of small) expect(pair.read(client)).toBe(200);

    let read = 0;
    const done = pair.run(600 * SECOND_US, () => {
      for (const { client } of streams) read += pair.read(client);
      return read === written;
    });
    expect([done, read]).toEqual([true, written]);
    // Streams that go on have grown to what they can use again.
    written = fill(pair, streams.slice(0, 1));
    expect(written).toBeGreaterThan(HEAP_BYTES / 8);
  });

  it('of one connection has a quarter of what is free, and gives it back for others when it was read', () => {
    const pair = new Pair(256 * KIB);
    const [one, two] = [pair.open(), pair.open()];
    fill(pair, [one]);
    expect([one.client.receiveBuffer.ring.capacity, one.server.sendBuffer.ring.capacity]).toEqual([32 * KIB, 32 * KIB]);
    const kept = pair.wire.a.heap.allocate(128 * KIB);
    expect(kept).toBeGreaterThanOrEqual(0);
    while (pair.read(one.client) > 0);
    expect(one.client.receiveBuffer.ring.capacity).toBe(0);
    fill(pair, [two]);
    expect(two.client.receiveBuffer.ring.capacity).toBe(16 * KIB);
  });
});

describe('memory that is used up', () => {
  /** Take all there is from `side`; gives it back. */
  function exhaust({ heap }: Pick<Side, 'heap'>): () => void {
    const blocks: number[] = [];
    for (let bytes = heap.maxBytes; bytes >= heap.minBytes; bytes >>= 1) {
      for (let at = heap.allocate(bytes); at >= 0; at = heap.allocate(bytes)) blocks.push(at);
    }
    return () => {
      for (const at of blocks) heap.free(at);
    };
  }

  it('closes the window, and opens it when there is some again', () => {
    const t = new Transcript().established();
    const giveBack = exhaust(t.stack);
    t.send('P. len 100');
    t.expect('. ack 1 win 0');
    // The peer asks.
    t.after(300);
    t.send('P. seq 1 len 100');
    t.expect('. ack 1 win 0');
    expect(t.count('droppedNoMemory')).toBe(1);
    giveBack();
    t.after(10);
    t.expect('. ack 1 win 65535');
    t.send('P. seq 1 len 100');
    expect(t.read()).toBe(100);
  });

  it('takes the data for which there is memory', () => {
    const t = new Transcript({ heapBytes: 32 * KIB }).established();
    for (let i = 0; i < 2; i++) t.send('. len 1460');
    expect(t.skip()).toBe(2);
    t.send('. len 1460');
    t.expect('. ack 4097 win 0');
    t.send('. seq 4097 len 1');
    t.expect('. ack 4097 win 0');
    expect(t.read()).toBe(4096);
    t.expect('. ack 4097 win 4096');
    t.send('P. seq 4097 len 1000');
    expect(t.read()).toBe(1000);
  });

  it('lets a write wait: EAGAIN, then the event', () => {
    const t = new Transcript().established();
    const giveBack = exhaust(t.stack);
    expect(t.write(100)).toBe('EAGAIN');
    t.after(1000);
    expect([t.write(1), t.events]).toEqual(['EAGAIN', []]);
    giveBack();
    t.after(10);
    expect(t.events).toEqual(['writable']);
    expect(t.write(100)).toBe(100);
    t.expect('P. seq 1 len 100');
  });

  it('serves those that wait in the order in which they came, as far as there is memory', () => {
    const pair = new Pair(MIB);
    const { a } = pair.wire;
    const connections = times(40, () => pair.open().client);
    const told: number[] = [];
    const giveBack = exhaust(a);
    for (const [i, c] of connections.entries()) {
      c.owner = {
        onReadable() {},
        onWritable() {
          told.push(i);
        },
        onConnected() {},
        onSent() {},
        onError() {},
      };
      expect(pair.write(c, 100)).toBe(-11);
    }
    a.heap.limitBytes = a.heap.usedBytes + 16 * KIB;
    giveBack();
    a.heap.limitBytes = 20 * KIB;
    pair.run(15_000);
    expect(told).toEqual([0, 1, 2, 3, 4]);
    a.heap.limitBytes = MIB;
    pair.run(15_000);
    expect(told).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  it('loses no connection, however long it lasts', () => {
    const pair = new Pair(MIB);
    const { client, server } = pair.open();
    client.owner = { onReadable() {}, onWritable() {}, onConnected() {}, onSent() {}, onError() {} };
    const giveBack = exhaust(pair.wire.b);
    expect(pair.write(client, 5000)).toBe(5000);
    pair.run(24 * 3600 * SECOND_US);
    expect(client.error).toBe(0);
    giveBack();
    let read = 0;
    expect(
      pair.run(200_000, () => {
        read += pair.read(server);
        return read === 5000;
      }),
    ).toBe(true);
  });
});

describe('a window that is taken back', () => {
  it('is probed by the oldest segment, and everything goes again when it opens, as far as it allows', () => {
    const t = new Transcript().established({ win: 8000 });
    t.write(5840);
    expect(t.skip()).toBe(4);
    t.send('. ack 1461 win 0');
    t.after(199);
    t.expectNothing();
    t.after(1000);
    t.expect('. seq 1461 len 1460');
    t.send('. ack 1461 win 0');
    t.skip();
    t.send('. ack 1461 win 3000');
    t.expect('. seq 1461 len 1460');
    t.expect('. seq 2921 len 1460');
    t.expectNothing();
    t.send('. ack 4381 win 3000');
    t.expect('P. seq 4381 len 1460');
    t.send('. ack 5841 win 8000');
    t.write(1460);
    t.expect('P. seq 5841 len 1460');
  });
});
