/** Every operation over every transport, with addresses of both widths. */

import { describe, expect, it } from 'vitest';
import { MbcfWorld } from '../../test/fixtures/mbcf-world.ts';
import type { AttachedMemory } from './attached-memory.ts';
import { Barrier } from './barrier.ts';
import { STATUS_DONE, STATUS_OUT_OF_RANGE, STATUS_PENDING, STATUS_TOO_LONG } from './protocol/status.ts';
import type { MemoryAddress } from './protocol/task-record.ts';
import type { RegisteredMemory, RegisterOptions, Task } from './task.ts';

interface Bed {
  world: MbcfWorld;
  owner: Task;
  user: Task;
  registered: RegisteredMemory;
  bytes: Uint8Array;
  remote: AttachedMemory;
  run: <T>(promise: Promise<T>) => Promise<T>;
}

const TRANSPORTS = [
  ['the same node', 'local', true],
  ['packets, 64-bit addresses', 'packets', true],
  ['packets, 32-bit addresses', 'packets', false],
] as const;

async function bed(
  kind: 'local' | 'packets',
  wide: boolean,
  options: RegisterOptions = {},
  bytes = 4096,
): Promise<Bed> {
  const world = new MbcfWorld({ settings: { wide } });
  world.boot(1);
  if (kind === 'packets') world.boot(2);
  const owner = world.task(1, 10);
  const user = world.task(kind === 'packets' ? 2 : 1, 20);
  const buffer = new SharedArrayBuffer(bytes);
  const registered = owner.register(buffer, options);
  const run = <T>(promise: Promise<T>): Promise<T> => world.run(promise);
  const remote = await run(user.attach(registered.address));
  return { world, owner, user, registered, bytes: new Uint8Array(buffer), remote, run };
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

describe.each(TRANSPORTS)('over %s', (_name, kind, wide) => {
  it('writes and reads', async () => {
    const { remote, bytes, run } = await bed(kind, wide);
    await run(remote.write(5, ascii('hello')));
    expect(text(bytes.slice(4, 11))).toBe('\0hello\0');
    expect(text(await run(remote.read(6, 3)))).toBe('ell');
    await run(remote.write(4096, new Uint8Array()));
    expect(await run(remote.read(0, 0))).toEqual(new Uint8Array());
  });

  it('writes and reads more than a packet', async () => {
    const { remote, bytes, run } = await bed(kind, wide, {}, 100_000);
    const data = Uint8Array.from({ length: 99_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
    await run(remote.write(1000, data));
    expect(Buffer.compare(bytes.slice(1000), data)).toBe(0);
    expect(Buffer.compare(await run(remote.read(1000, 99_000)), data)).toBe(0);
  });

  it('fills', async () => {
    const { remote, bytes, run } = await bed(kind, wide);
    await run(remote.fill(2, 3, 0x41));
    expect(text(bytes.slice(0, 6))).toBe('\0\0AAA\0');
  });

  it('writes and reads blocks that lie apart', async () => {
    const { remote, bytes, run } = await bed(kind, wide);
    await run(remote.writeStrided(1, 5, 2, ascii('aabbcc')));
    expect(text(bytes.slice(0, 14))).toBe('\0aa\0\0\0bb\0\0\0cc\0');
    expect(text(await run(remote.readStrided(1, 5, 2, 3)))).toBe('aabbcc');
    expect(await run(remote.readStrided(1, 5, 2, 0))).toEqual(new Uint8Array());
    await expect(run(remote.writeStrided(1, 1, 2, ascii('aabb')))).rejects.toMatchObject({ code: 'EBADMSG' });
    await expect(run(remote.writeStrided(4090, 5, 2, ascii('aabb')))).rejects.toMatchObject({ code: 'EFAULT' });
  });

  it('writes and reads several pieces, all or none', async () => {
    const { remote, bytes, run } = await bed(kind, wide);
    const pieces = [
      { address: 8, data: ascii('one') },
      { address: 0, data: ascii('four') },
    ];
    await run(remote.writeVector(pieces));
    expect(text(bytes.slice(0, 12))).toBe('four\0\0\0\0one\0');
    const parts = [
      { address: 0, byteLength: 2 },
      { address: 9, byteLength: 2 },
    ];
    expect(text(await run(remote.readVector(parts)))).toBe('fone');
    const outside = [
      ...pieces.map(({ address }) => ({ address, data: ascii('xxx') })),
      { address: 4095, data: ascii('xx') },
    ];
    await expect(run(remote.writeVector(outside))).rejects.toMatchObject({ code: 'EFAULT' });
    expect(text(bytes.slice(0, 12))).toBe('four\0\0\0\0one\0');
  });

  it('changes words of 32 bits', async () => {
    const { remote, bytes, run } = await bed(kind, wide);
    const word = new Int32Array(bytes.buffer, 8, 1);
    const values: [Promise<number>, number, number][] = [];
    const step = async (change: Promise<number>, was: number, is: number): Promise<void> => {
      expect([await run(change), word[0]]).toEqual([was, is]);
      values.push([change, was, is]);
    };
    await step(remote.swap(8, 5), 0, 5);
    await step(remote.compareAndSwap(8, 4, 9), 5, 5);
    await step(remote.compareAndSwap(8, 5, 9), 5, 9);
    await step(remote.compareAndSwap(8, 9, 1, 'NE'), 9, 9);
    await step(remote.compareAndSwap(8, 10, 1, 'LT'), 9, 1);
    await step(remote.compareAndSwap(8, 1, 2, 'LE'), 1, 2);
    await step(remote.compareAndSwap(8, 1, 3, 'GT'), 2, 3);
    await step(remote.compareAndSwap(8, 3, 4, 'GE'), 3, 4);
    await step(remote.maskedSwap(8, 0xff00, 0x1234), 4, 0x1204);
    await step(remote.fetchAdd(8, -0x1204), 0x1204, 0);
    await step(remote.fetchOr(8, 0b1100), 0, 0b1100);
    await step(remote.fetchAnd(8, 0b0110), 0b1100, 0b0100);
    await step(remote.fetchXor(8, 0b0101), 0b0100, 0b0001);
    await step(remote.fetchMin(8, -7), 1, -7);
    await step(remote.fetchMax(8, 0), -7, 0);
    expect(await run(remote.testAndSet(8))).toBe(true);
    expect(await run(remote.testAndSet(8))).toBe(false);
    expect(word[0]).toBe(1);
  });

  it('changes words of 64 bits', async () => {
    const { remote, bytes, run } = await bed(kind, wide);
    const word = new BigInt64Array(bytes.buffer, 16, 1);
    const big = 0x1234_5678_9abc_def0n;
    expect(await run(remote.swap(16, big))).toBe(0n);
    expect(await run(remote.fetchAdd(16, 16n))).toBe(big);
    expect(word[0]).toBe(big + 16n);
    expect(await run(remote.compareAndSwap(16, big, 1n))).toBe(big + 16n);
    expect(await run(remote.compareAndSwap(16, big, -1n, 'GT'))).toBe(big + 16n);
    expect(await run(remote.fetchMax(16, -2n))).toBe(-1n);
    expect(await run(remote.maskedSwap(16, 0xffn << 56n, 0n))).toBe(-1n);
    expect(word[0]).toBe(0x00ff_ffff_ffff_ffffn);
  });

  it('queues records, refuses what finds no room, and gives them out', async () => {
    const { remote, owner, registered, run, world } = await bed(kind, wide);
    const fifo = owner.declareFifo(registered, 64, 32 + 64);
    expect(fifo.fifo.capacityBytes).toBe(64);
    await expect(run(remote.fifoRead(64))).rejects.toMatchObject({ code: 'EAGAIN' });
    const late = fifo.next();
    await run(remote.fifoWrite(64, ascii('one')));
    expect(text(await run(late))).toBe('one');
    for (const record of ['', 'a', 'four', 'x'.repeat(40)]) await run(remote.fifoWrite(64, ascii(record)));
    await expect(run(remote.fifoWrite(64, ascii('no room')))).rejects.toMatchObject({ code: 'ENOBUFS' });
    await expect(run(remote.fifoWrite(64, ascii('y'.repeat(61))))).rejects.toMatchObject({ code: 'EMSGSIZE' });
    expect(await run(remote.fifoStatus(64))).toEqual({ usedBytes: 64, capacityBytes: 64, written: 5, refused: 1 });
    expect(text(await run(remote.fifoRead(64)))).toBe('');
    expect(text(fifo.read()!)).toBe('a');
    await run(remote.fifoWrite(64, ascii('around')));
    expect([fifo.read()!, fifo.read()!, fifo.read()!].map(text)).toEqual(['four', 'x'.repeat(40), 'around']);
    expect(fifo.read()).toBeNull();
    await expect(run(remote.fifoWrite(72, ascii('?')))).rejects.toMatchObject({ code: 'ENXIO' });
    await world.advance(1000);
  });

  it('lets records wait for room, in their order, behind which others find none', async () => {
    const { remote, owner, registered, run, world } = await bed(kind, wide);
    const fifo = owner.declareFifo(registered, 64, 32 + 64);
    await run(remote.fifoWrite(64, ascii('0'.repeat(40))));
    const ends: string[] = [];
    const waiting = ['1'.repeat(30), '2'.repeat(12), '3'].map((record) =>
      remote.fifoWrite(64, ascii(record), { wait: true }).then(() => ends.push(record[0]!)),
    );
    await world.advance(100_000);
    await expect(run(remote.fifoWrite(64, ascii('4')))).rejects.toMatchObject({ code: 'ENOBUFS' });
    expect(ends).toEqual([]);
    const taken = [text(await run(remote.fifoRead(64)))[0]];
    await run(Promise.all(waiting));
    expect(ends).toEqual(['1', '2', '3']);
    for (let record = fifo.read(); record !== null; record = fifo.read()) taken.push(text(record)[0]);
    expect(taken).toEqual(['0', '1', '2', '3']);
    const late = Array.from({ length: 300 }, () => remote.fifoWrite(64, ascii('x'.repeat(60)), { wait: true }));
    const [first, ...rest] = late;
    await run(first!);
    await expect(run(rest.at(-1)!)).rejects.toMatchObject({ code: 'ENOBUFS' });
    for (const one of rest) one.catch(() => {});
    let read = 0;
    for (;;) {
      if (fifo.read() === null) break;
      read++;
    }
    expect(read).toBe(257);
  });

  it('signals, after what was written before, and not while the signal is masked', async () => {
    const { remote, owner, bytes, run, world } = await bed(kind, wide);
    const seen: string[] = [];
    owner.maskSignals([3]);
    owner.onSignal = ({ number, node, task, data }) => {
      seen.push(`${number} ${node} ${task} ${text(data)} ${bytes[0]}`);
    };
    await run(remote.signal(3, ascii('masked')));
    await run(Promise.all([remote.write(0, Uint8Array.of(7)), remote.signal(1, ascii('data'))]));
    await world.advance(1000);
    const from = kind === 'local' ? 1 : 2;
    expect(seen).toEqual([`1 ${from} 20 data 7`]);
    owner.maskSignals([]);
    await world.advance(1000);
    expect(seen[1]).toBe(`3 ${from} 20 masked 7`);
    owner.onSignal = null;
    for (let i = 0; i < 256; i++) await run(remote.signal(0));
    await expect(run(remote.signal(0))).rejects.toMatchObject({ code: 'ENOBUFS' });
    await expect(run(remote.signal(32))).rejects.toMatchObject({ code: 'EINVAL' });
  });

  it('writes with a signal word, for which its owner waits', async () => {
    const { remote, owner, registered, bytes, run } = await bed(kind, wide);
    const arrived = owner.waitUntil(registered, 0, 'GE', 2).then(() => text(bytes.slice(100, 105)));
    const some = owner.waitUntilSome(registered, [0, 4, 8], 'NE', [0, 0, 0]);
    const everything = owner.waitUntilAll(registered, [0, 8], 'GT', 0);
    await run(remote.writeSignal(100, ascii('first'), 0, 1, 'add'));
    expect(await run(some)).toEqual([0]);
    await run(remote.writeSignal(100, ascii('later'), 0, 1, 'add'));
    expect(await run(arrived)).toBe('later');
    await run(remote.writeSignal(200, ascii('x'), 8, 1n));
    await run(everything);
    expect(await run(owner.waitUntilAny(registered, [4, 8], 'EQ', 1))).toBe(1);
  });

  it('executes what was called before a quiet, and in that order', async () => {
    const { remote, bytes, run } = await bed(kind, wide);
    void remote.write(0, ascii('aaaa'));
    remote.fence();
    void remote.write(1, ascii('bb'));
    await run(remote.quiet());
    expect(text(bytes.slice(0, 4))).toBe('abba');
  });

  it('executes several operations with nothing in between, or none', async () => {
    const { remote, run, bytes } = await bed(kind, wide);
    const word = new Int32Array(bytes.buffer);
    const others = Promise.all([1, 2, 3].map(() => remote.fetchAdd(0, 1)));
    const both = remote.compound((memory) =>
      Promise.all([memory.swap(0, 100), memory.fetchAdd(0, 1), memory.read(0, 4)]),
    );
    const after = remote.fetchAdd(0, 1);
    const [before, added, read] = await run(both);
    expect([await run(others), before, added, [...read], await run(after)]).toEqual([
      [0, 1, 2],
      3,
      100,
      [101, 0, 0, 0],
      101,
    ]);
    const long = remote.compound((memory) =>
      Promise.allSettled([
        memory.swap(4, 1),
        memory.write(8, new Uint8Array(1300)),
        memory.read(8, 1000),
        memory.read(8, 1000),
      ]),
    );
    expect((await run(long)).map((end) => end.status === 'rejected' && end.reason.code)).toEqual(
      new Array(4).fill('EMSGSIZE'),
    );
    expect(word[1]).toBe(0);
    const partly = remote.compound((memory) =>
      Promise.allSettled([memory.swap(8, 1), memory.swap(9, 1), memory.swap(12, 1)]),
    );
    expect((await run(partly)).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await run(remote.compound(() => 'empty'))).toBe('empty');
  });

  it('reports to a status word', async () => {
    const { remote, run, user } = await bed(kind, wide);
    const buffer = new SharedArrayBuffer(16);
    const own = user.register(buffer);
    const word = new Int32Array(buffer);
    word[1] = 99;
    const reporting = remote.reporting(own, 4);
    const written = reporting.write(0, ascii('data'));
    expect(word[1]).toBe(kind === 'local' ? STATUS_DONE : STATUS_PENDING);
    await run(written);
    expect(word[1]).toBe(STATUS_DONE);
    await expect(run(reporting.read(4096, 1))).rejects.toMatchObject({ code: 'EFAULT' });
    expect(word[1]).toBe(STATUS_OUT_OF_RANGE);
    await expect(run(reporting.writeStrided(0, 3000, 3000, new Uint8Array(3000)))).rejects.toMatchObject({
      code: 'EMSGSIZE',
    });
    expect(word[1]).toBe(STATUS_TOO_LONG);
    expect(() => remote.reporting(own, 14)).toThrow('no word at 14');
  });

  it('copies to the memory of a third task', async () => {
    const { remote, run, bytes, world } = await bed(kind, wide);
    world.boot(3);
    const buffer = new SharedArrayBuffer(8192);
    const third = world.task(3, 30).register(buffer, { rights: ['write'] });
    bytes.set(Uint8Array.from({ length: 4096 }, (_, i) => i * 3));
    await run(remote.copyTo(8, 4000, third.address, 100));
    expect(Buffer.compare(new Uint8Array(buffer, 100, 4000), bytes.slice(8, 4008))).toBe(0);
    await expect(run(remote.copyTo(8, 4000, third.address, 8000))).rejects.toMatchObject({ code: 'EFAULT' });
    await expect(run(remote.copyTo(4000, 100, third.address, 0))).rejects.toMatchObject({ code: 'EFAULT' });
    const wrong = { ...third.address, key: new Uint8Array(16) };
    await expect(run(remote.copyTo(8, 8, wrong, 0))).rejects.toMatchObject({ code: 'EKEYREJECTED' });
  });

  it('refuses with one code per cause, and counts it', async () => {
    const { registered, user, remote, run, world, owner, bytes } = await bed(kind, wide, { byteLength: 1024 });
    const refusal = async (promise: Promise<unknown>, code: string): Promise<void> => {
      await expect(run(promise)).rejects.toMatchObject({ code });
    };
    await refusal(remote.write(1020, ascii('12345')), 'EFAULT');
    await refusal(remote.read(1025, 0), 'EFAULT');
    await refusal(remote.fetchAdd(1022, 1), 'EINVAL');
    await refusal(remote.fetchAdd(12, 1n), 'EINVAL');
    await refusal(remote.fetchAdd(1024, 1), 'EFAULT');
    await refusal(remote.fill(0, 1025, 1), 'EFAULT');
    expect(registered.counts).toEqual({ operations: 0, denied: 4 });
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    const address = registered.address;
    await refusal(user.attach({ ...address, key: new Uint8Array(16) }), 'EKEYREJECTED');
    await refusal(user.attach({ ...address, task: 99 }), 'ESRCH');
    const readOnly = owner.register(bytes.buffer as unknown as SharedArrayBuffer, { rights: ['read'], expiresMs: 50 });
    const reader = await run(user.attach(readOnly.address));
    await run(reader.read(0, 4));
    await refusal(reader.write(0, ascii('x')), 'EACCES');
    await refusal(reader.fetchAdd(0, 1), 'EACCES');
    await refusal(reader.signal(1), 'EACCES');
    await world.advance(60_000);
    await refusal(reader.read(0, 4), 'EKEYEXPIRED');
    await refusal(user.attach(readOnly.address), 'EKEYEXPIRED');
    registered.revoke();
    await refusal(remote.read(0, 4), 'EKEYREVOKED');
    await refusal(user.attach(address), 'EKEYREVOKED');
    owner.end();
    await refusal(remote.read(0, 4), 'ESRCH');
  });

  it('grants to one task of one node alone, if its owner says so', async () => {
    const { owner, user, run, bytes } = await bed(kind, wide);
    const node = kind === 'local' ? 1 : 2;
    const give = (grantee: { node?: number; task?: number }): MemoryAddress =>
      owner.register(bytes.buffer as unknown as SharedArrayBuffer, { grantee }).address;
    await run(user.attach(give({ node, task: 20 })));
    await expect(run(user.attach(give({ node, task: 21 })))).rejects.toMatchObject({ code: 'EKEYREJECTED' });
    await expect(run(user.attach(give({ node: 7 })))).rejects.toMatchObject({ code: 'EKEYREJECTED' });
  });

  it('gives a handle back', async () => {
    const { remote, run, bytes } = await bed(kind, wide);
    await run(remote.detach());
    await run(remote.write(0, ascii('again')));
    expect(text(bytes.slice(0, 5))).toBe('again');
  });
});

describe('a wire without room', () => {
  it('holds operations back until it has some, in their order', async () => {
    const { remote, run, world, bytes } = await bed('packets', true);
    world.full = true;
    const ends = Promise.all([1, 2, 3].map((value) => remote.swap(0, value)));
    await world.advance(5_000);
    expect(bytes[0]).toBe(0);
    world.full = false;
    for (const { node } of world.members.values()) node.resume();
    await world.advance(1_000);
    expect(await run(ends)).toEqual([0, 1, 2]);
    expect(world.count(2, 'mbcf-timeouts')).toBe(0);
  });
});

describe('a task that has moved', () => {
  it('is found by those who use its memory', async () => {
    const world = new MbcfWorld();
    for (const number of [1, 2, 3]) world.boot(number);
    const before = world.task(1, 10);
    const registered = before.register(new SharedArrayBuffer(64));
    const remote = await world.run(world.task(3, 30).attach(registered.address));
    await world.run(remote.write(0, ascii('there')));
    const buffer = new SharedArrayBuffer(64);
    const after = world.task(2, 11);
    after.register(buffer, { key: registered.address.key });
    before.moveTo({ node: 2, task: 11 });
    await world.run(Promise.all([remote.write(0, ascii('here')), remote.fetchAdd(8, 3), remote.fetchAdd(8, 4)]));
    expect(text(new Uint8Array(buffer, 0, 4))).toBe('here');
    expect(new Int32Array(buffer)[2]).toBe(7);
    expect(remote.target).toEqual({ node: 2, task: 11 });
    const fresh = await world.run(world.task(3, 31).attach(registered.address));
    expect(await world.run(fresh.fetchAdd(8, 0))).toBe(7);
  });
});

describe('a node that is killed and comes back', () => {
  it('is another one for those who used its memory, and can be used again', async () => {
    const world = new MbcfWorld();
    world.boot(1);
    world.boot(2);
    const lives = (): RegisteredMemory => world.task(1, 10).register(new SharedArrayBuffer(64));
    const user = world.task(2, 20);
    const first = lives();
    const remote = await world.run(user.attach(first.address));
    await world.run(remote.fetchAdd(0, 1));
    world.kill(1);
    const asked = remote.fetchAdd(0, 1);
    asked.catch(() => {});
    await world.advance(1_000_000);
    world.boot(1);
    const second = lives();
    await expect(world.run(asked)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(world.run(remote.fetchAdd(0, 1))).rejects.toMatchObject({ code: 'EKEYREJECTED' });
    const again = await world.run(user.attach(second.address));
    expect(await world.run(again.fetchAdd(0, 1))).toBe(0);
  });

  it('is unreachable when it does not come back, and no operation waits for ever', async () => {
    const world = new MbcfWorld();
    world.boot(1);
    world.boot(2);
    const user = world.task(2, 20);
    const { address } = world.task(1, 10).register(new SharedArrayBuffer(64));
    const remote = await world.run(user.attach(address));
    world.kill(1);
    const beganUs = world.nowUs;
    await expect(world.run(remote.fetchAdd(0, 1))).rejects.toMatchObject({ code: 'EHOSTUNREACH' });
    expect(world.nowUs - beganUs).toBeGreaterThan(10_000_000);
    expect(world.nowUs - beganUs).toBeLessThan(12_000_000);
    await expect(world.run(user.attach(address))).rejects.toMatchObject({ code: 'EHOSTUNREACH' });
    world.boot(1);
    await expect(world.run(user.attach(address))).rejects.toMatchObject({ code: 'ESRCH' });
  });
});

describe('a barrier', () => {
  it('lets nobody out before all have come, again and again', async () => {
    const world = new MbcfWorld({ faults: { loss: 0.05, reorder: 0.1 } });
    const MEMBERS = 5;
    const tasks = Array.from({ length: MEMBERS }, (_, i) => {
      world.boot(i + 1);
      return world.task(i + 1, 1);
    });
    const registered = tasks.map((task) => task.register(new SharedArrayBuffer(Barrier.byteLength(MEMBERS) + 4)));
    const members = registered.map(({ address }) => address);
    const barriers = await world.run(
      Promise.all(tasks.map((task, i) => Barrier.join(task, registered[i]!, 0, i, members))),
    );
    const entered = new Array<number>(MEMBERS).fill(0);
    const left: number[] = [];
    const life = async (i: number): Promise<void> => {
      for (let round = 1; round <= 20; round++) {
        entered[i] = round;
        await barriers[i]!.wait();
        expect(Math.min(...entered)).toBeGreaterThanOrEqual(round);
        left.push(round);
      }
    };
    const late = life(0);
    const rest = [1, 2, 3].map(life);
    await world.advance(5_000_000);
    expect(left).toEqual([]);
    await world.run(Promise.all([late, ...rest, life(4)]));
    expect(left.length).toBe(20 * MEMBERS);
    await expect(Barrier.join(tasks[0]!, registered[0]!, 0, 5, members)).rejects.toMatchObject({ code: 'EINVAL' });
  });
});
