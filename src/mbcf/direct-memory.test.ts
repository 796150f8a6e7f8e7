/** Memory of another task, used by the thread itself: operations, refusals, revocation. Threads: test/integration/mbcf-threads.test.ts. */

import { describe, expect, it } from 'vitest';
import { MbcfWorld } from '../../test/fixtures/mbcf-world.ts';
import { DirectMemory } from './direct-memory.ts';
import type { RegisteredMemory, RegisterOptions, Task } from './task.ts';

interface Bed {
  world: MbcfWorld;
  owner: Task;
  registered: RegisteredMemory;
  bytes: Uint8Array;
  direct: DirectMemory;
}

function attach(world: MbcfWorld, { shared, address }: RegisteredMemory, key = address.key): DirectMemory {
  return new DirectMemory(shared, key, () => world.nowUs);
}

function bed(options: RegisterOptions = {}): Bed {
  const world = new MbcfWorld();
  world.boot(1);
  const owner = world.task(1, 1);
  const buffer = new SharedArrayBuffer(4096);
  const registered = owner.register(buffer, options);
  return { world, owner, registered, bytes: new Uint8Array(buffer), direct: attach(world, registered) };
}

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const refused = (call: () => unknown, code: string): void =>
  expect(call).toThrow(expect.objectContaining({ code }) as unknown as Error);

describe('memory of another task, directly', () => {
  it('is written and read at any alignment', () => {
    const { direct, bytes } = bed({ byteOffset: 8 });
    for (const n of [0, 1, 31, 32, 33, 1000]) {
      for (let address = 0; address < 9; address++) {
        const data = Uint8Array.from({ length: n }, (_, i) => i + n + address);
        direct.write(address, data);
        expect(bytes.slice(8 + address, 8 + address + n)).toEqual(data);
        expect(direct.read(address, n)).toEqual(data);
      }
    }
    direct.fill(3, 2, 0x41);
    expect(text(bytes.slice(11, 13))).toBe('AA');
  });

  it('has its words changed', () => {
    const { direct, bytes } = bed();
    const word = new Int32Array(bytes.buffer);
    const long = new BigInt64Array(bytes.buffer);
    expect([direct.swap(0, 5), direct.fetchAdd(0, 2), direct.compareAndSwap(0, 7, 9), direct.load(0)]).toEqual([
      0, 5, 7, 9,
    ]);
    expect([direct.compareAndSwap(0, 10, 1, 'LT'), direct.maskedSwap(0, 0xf0, 0x50), word[0]]).toEqual([9, 1, 0x51]);
    expect([direct.fetchAnd(0, 0x50), direct.fetchOr(0, 1), direct.fetchXor(0, 3), word[0]]).toEqual([
      0x51, 0x50, 0x51, 0x52,
    ]);
    expect([direct.fetchMin(0, -1), direct.fetchMax(0, 4), word[0]]).toEqual([0x52, -1, 4]);
    expect([direct.testAndSet(4), direct.testAndSet(4)]).toEqual([true, false]);
    expect([direct.swap(8, 1n << 40n), direct.fetchAdd(8, 1n), long[1]]).toEqual([0n, 1n << 40n, (1n << 40n) + 1n]);
  });

  it('signals, and is waited for', () => {
    const { direct, bytes } = bed();
    direct.writeSignal(100, ascii('data'), 0, 2, 'add');
    expect([text(bytes.slice(100, 104)), direct.test(0, 'GE', 2), direct.waitUntil(0, 'EQ', 2)]).toEqual([
      'data',
      true,
      true,
    ]);
    expect(direct.waitUntil(0, 'EQ', 3, 0)).toBe(false);
  });

  it('is refused with one code per cause, and each refusal is counted', () => {
    const { world, owner, registered, direct, bytes } = bed({ byteLength: 64 });
    refused(() => direct.write(60, ascii('12345')), 'EFAULT');
    refused(() => direct.read(-1, 1), 'EFAULT');
    refused(() => direct.fetchAdd(64, 1), 'EFAULT');
    refused(() => direct.fetchAdd(2, 1), 'EINVAL');
    refused(() => direct.fetchAdd(4, 1n), 'EINVAL');
    expect(registered.counts).toEqual({ operations: 0, denied: 3 });
    expect(bytes.every((byte) => byte === 0)).toBe(true);
    refused(() => attach(world, registered, new Uint8Array(16)), 'EKEYREJECTED');
    refused(
      () =>
        new DirectMemory({ ...registered.shared, record: new SharedArrayBuffer(128) }, registered.address.key, () => 0),
      'EPROTO',
    );
    const reading = owner.register(bytes.buffer as SharedArrayBuffer, { rights: ['read'], expiresMs: 10 });
    const reader = attach(world, reading);
    reader.read(0, 1);
    refused(() => reader.write(0, ascii('x')), 'EACCES');
    refused(() => reader.writeSignal(8, ascii('x'), 0, 1), 'EACCES');
    world.nowUs += 10_000;
    refused(() => reader.read(0, 1), 'EKEYEXPIRED');
    registered.revoke();
    refused(() => direct.load(0), 'EKEYREVOKED');
    refused(() => attach(world, registered), 'EKEYREVOKED');
  });

  it('ends with its task', () => {
    const one = bed();
    one.owner.end();
    refused(() => one.direct.load(0), 'ESRCH');
    const other = bed();
    other.owner.moveTo({ node: 2, task: 1 });
    refused(() => other.direct.load(0), 'EREMCHG');
  });
});
