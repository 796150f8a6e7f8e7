import { expect, it } from 'vitest';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { Channel, createChannel } from '../mem/channel.ts';
import { Counters } from '../mem/counters.ts';
import { Doorbell } from '../mem/doorbell.ts';
import { anonymousOwner, OWNER_PROCESS, OwnerTable } from '../mem/owner.ts';
import { wasm } from '../mem/webassembly.ts';
import { createNetwork, listPorts, networkBytes } from './network.ts';
import { openVni } from './open-vni.ts';

/** The bytes of an arena in another memory, at another base: how another process may see it. */
function mapped(arena: Arena, base: number): Arena {
  const pages = (arena.byteLength + base) / 65536;
  const memory = new wasm.Memory({ initial: pages, maximum: pages, shared: true });
  new Uint8Array(memory.buffer).set(arena.bytes.subarray(arena.base, arena.base + arena.byteLength), base);
  return Arena.attach(memory, base);
}

it('an arena and everything in it works at another base: no layout holds a place', () => {
  const options = { ports: 3, ringBytes: 16_384 };
  const arena = Arena.create(networkBytes(options) + (1 << 20));
  const network = createNetwork(arena, options);
  const channel = createChannel(arena, { ringBytes: 4096 });
  const bell = new Doorbell(arena, arena.allocateDoorbell());
  const owner = new OwnerTable(arena).claim({ kind: OWNER_PROCESS, pid: 9, threadId: 0, startTime: 1 });
  Counters.open(arena, 'first').index('n');
  const second = Counters.open(arena, 'second');
  second.add(second.index('n'), 7);
  const device = openVni(arena, createBulk(arena), network, 0, {
    name: 'eth0',
    mac: { hi: 0x0200, lo: 1 },
    owner,
    doorbellAt: bell.at,
  });
  device.setFilter(0);
  const a = Channel.open(arena, channel, 0, { owner: anonymousOwner(1), bellAt: bell.at });
  bell.arm();

  const other = mapped(arena, 3 * 65536);
  expect(Counters.list(other).map((block) => [block.name, block.snapshot()])).toEqual(
    Counters.list(arena).map((block) => [block.name, block.snapshot()]),
  );
  expect(listPorts(other, network)).toEqual(listPorts(arena, network));
  expect(new OwnerTable(other).identity(owner)).toMatchObject({ pid: 9 });
  const farBell = new Doorbell(other, other.place(arena.offset(bell.at)));
  expect(farBell.sleeping).toBe(true);
  const b = Channel.open(other, channel, 1, { owner: anonymousOwner(2) });
  expect(farBell.sleeping).toBe(false);
  expect([b.up, a.up, b.epoch]).toEqual([true, false, a.ownEpoch]);
  farBell.arm();
  const peer = openVni(other, createBulk(other), network, 1, { name: 'eth1', mac: { hi: 0x0200, lo: 2 } });
  const at = peer.reserve(0x0200, 1, 60);
  expect(at).toBeGreaterThan(other.base + network.offset);
  peer.commit(60, 0);
  peer.flush();
  expect(farBell.sleeping).toBe(false);
  expect(other.allocate(64)).toBeGreaterThanOrEqual(other.base);
});
