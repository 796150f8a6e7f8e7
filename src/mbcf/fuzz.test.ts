/**
 * Damaged packets at a node: those that nodes really send, with bits, lengths, codes, handles and addresses changed, cut or joined. Nothing is thrown,
 * no byte is written but those that were granted, nothing grows, and an honest user goes on. `MBCF_FUZZ=1000000` for more of them.
 */

import { expect, it } from 'vitest';
import { MbcfWorld } from '../../test/fixtures/mbcf-world.ts';
import { randomBelow, randomUnit, SeededRng } from '../base/rng.ts';

const PACKETS = Number(process.env.MBCF_FUZZ ?? 20_000);
const GRANTED_AT = 4096;
const GRANTED_BYTES = 1024;
const CANARY = 0xa5;

/** Sets the checksum right, so that damage reaches the operations. */
function seal(bytes: Uint8Array): void {
  bytes.fill(0, 2, 4);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  new DataView(bytes.buffer).setUint16(2, ~sum & 0xffff || 0xffff);
}

function damaged(seen: readonly Uint8Array[], rng: SeededRng, expected: number): Uint8Array {
  let bytes = (seen[randomBelow(rng, seen.length)] as Uint8Array).slice();
  for (let changes = 1 + randomBelow(rng, 4); changes > 0; changes--) {
    const at = randomBelow(rng, bytes.length);
    const kind = randomBelow(rng, 6);
    if (kind === 0) bytes[at]! ^= 1 << randomBelow(rng, 8);
    else if (kind === 1) bytes[at] = randomBelow(rng, 256);
    else if (kind === 2) bytes = bytes.slice(0, at + 1);
    else if (kind === 3)
      bytes = Uint8Array.from([...bytes, ...(seen[randomBelow(rng, seen.length)] as Uint8Array).slice(32)]).slice(
        0,
        1500,
      );
    else if (bytes.length >= 52) {
      // A field of the first operation: its code, lengths, handle, tag or address; extremes more often.
      const field = 32 + [0, 1, 2, 3, 7, 11, 12, 15, 16, 19][randomBelow(rng, 10)]!;
      bytes[field] = [0, 1, 0x20, 0x40, 0x7f, 0x80, 0xff, randomBelow(rng, 256)][randomBelow(rng, 8)]!;
    }
  }
  // Mostly the number that the node waits for: others are thrown away unread.
  if (bytes.length >= 32 && randomUnit(rng) < 0.9) new DataView(bytes.buffer).setInt32(20, expected);
  if (bytes.length >= 4 && randomUnit(rng) < 0.95) seal(bytes);
  return bytes;
}

it(`${PACKETS} of them do no harm`, { timeout: 3_600_000 }, async () => {
  const rng = new SeededRng(7);
  const seen: Uint8Array[] = [];
  let recording = true;
  const world = new MbcfWorld({
    onPacket: (bytes, _from, to) => {
      if (recording && to === 1) seen.push(bytes);
    },
  });
  world.boot(1);
  world.boot(2);
  const buffer = new SharedArrayBuffer(3 * 4096);
  const bytes = new Uint8Array(buffer);
  bytes.fill(CANARY);
  const owner = world.task(1, 1);
  const secret = owner.register(buffer, { byteOffset: 0, byteLength: 64, rights: ['read'] });
  const registered = owner.register(buffer, { byteOffset: GRANTED_AT, byteLength: GRANTED_BYTES });
  owner.declareFifo(registered, 512, 32 + 256);
  const user = world.task(2, 1);
  const remote = await world.run(user.attach(registered.address));
  await world.run(user.attach(secret.address));
  await world.run(
    Promise.allSettled([
      remote.write(0, new Uint8Array(100)),
      remote.read(0, 100),
      remote.fill(8, 8, 1),
      remote.fetchAdd(8, 1),
      remote.fetchAdd(16, 1n),
      remote.writeStrided(0, 16, 8, new Uint8Array(64)),
      remote.readStrided(0, 16, 8, 8),
      remote.writeVector([{ address: 0, data: new Uint8Array(10) }]),
      remote.readVector([{ address: 0, byteLength: 10 }]),
      remote.fifoWrite(512, new Uint8Array(20)),
      remote.fifoRead(512),
      remote.fifoStatus(512),
      remote.signal(1, new Uint8Array(8)),
      remote.copyTo(0, 10, registered.address, 20),
      remote.compound((memory) => Promise.all([memory.swap(0, 1), memory.read(0, 4)])),
    ]),
  );
  recording = false;
  expect(seen.length).toBeGreaterThan(2);
  const { node, heap } = world.members.get(1)!;
  const used = heap.usedBytes;
  const pair = node.pairs.get(2)!;
  for (let i = 0; i < PACKETS; i++) {
    world.deliver(1, damaged(seen, rng, pair.expected));
    if (i % 16 === 0) await world.advance(100);
  }
  // Pretenders with a later epoch are forgotten by then.
  await world.advance(25_000_000);
  const outside = [...bytes.subarray(64, GRANTED_AT), ...bytes.subarray(GRANTED_AT + GRANTED_BYTES)];
  expect(outside.filter((byte) => byte !== CANARY)).toEqual([]);
  expect([...bytes.subarray(0, 64)].filter((byte) => byte !== CANARY)).toEqual([]);
  expect(node.pairs.size).toBeLessThanOrEqual(4096);
  expect(node.pending.count).toBeLessThan(100);
  expect(pair.attachments.length).toBeLessThan(PACKETS);
  expect(heap.usedBytes - used).toBeLessThan(4 << 20);
  expect(world.count(1, 'mbcf-malformed') + world.count(1, 'mbcf-bad-length')).toBeGreaterThan(0);
  // Honest users are served as ever.
  world.boot(3);
  const honest = await world.run(world.task(3, 1).attach(registered.address));
  const before = await world.run(honest.swap(8, 40));
  expect(typeof before).toBe('number');
  expect(await world.run(honest.fetchAdd(8, 2))).toBe(40);
  await world.run(remote.quiet().catch(() => {}));
  const again = await world.run(user.attach(registered.address));
  expect(await world.run(again.fetchAdd(8, 2))).toBe(42);
});
