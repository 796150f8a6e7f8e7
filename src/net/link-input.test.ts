import { expect, it } from 'vitest';
import { FakeDevice } from '../../test/fixtures/fake-device.ts';
import { FrameBatch } from '../link/device.ts';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { Counters } from '../mem/counters.ts';
import * as ethernet from '../wire/ethernet.ts';
import { EthernetLink } from './ethernet.ts';
import { Interface } from './interface.ts';
import { LinkInput, type PacketInput, RUN_SCRATCH_BYTES, type RunInput } from './link-input.ts';

const SCRATCH_BYTES = RUN_SCRATCH_BYTES;
const RUN_FRAME_BYTES = RUN_SCRATCH_BYTES - 2;
const STRIDE = 32_768;
const GUARD = 0x5a;

/** Three frames of that length in a row: where the packets lay that were handed on, and how often a run began. */
function receive(lengthBytes: number) {
  const arena = Arena.create(8 << 20);
  const { view, bytes } = arena;
  const scratchAt = arena.allocate(2 * SCRATCH_BYTES, 64);
  const framesAt = arena.allocate(4 * STRIDE, 64) + 2;
  bytes.fill(GUARD, scratchAt, scratchAt + 2 * SCRATCH_BYTES);
  const seen: number[] = [];
  let begun = 0;
  const runs: RunInput = { begin: () => begun++, take: () => 0 };
  const ipv4: PacketInput = { runs, input: ({ at }) => seen.push(at) };
  const counters = Counters.open(arena, 'test');
  const device = new FakeDevice(arena, 'eth0', { hi: 0x0200, lo: 1 });
  const iface = new Interface('eth0', 1, new EthernetLink(device, view));
  const input = new LinkInput(createBulk(arena), scratchAt, counters, [iface], iface);
  input.register(ethernet.ETHERTYPE_IPV4, ipv4);
  const batch = new FrameBatch();
  for (let i = 0; i < 3; i++) {
    const at = framesAt + i * STRIDE;
    bytes.fill(i + 1, at, at + lengthBytes);
    view.setUint16(at, 0x0200);
    view.setInt32(at + 2, 1);
    view.setUint16(at + 12, ethernet.ETHERTYPE_IPV4);
    batch.at[i] = at;
    batch.length[i] = lengthBytes;
    batch.meta[i] = 0;
  }
  input.batch(iface, batch, 3, 0);
  const beyond = bytes.slice(scratchAt + SCRATCH_BYTES, scratchAt + 2 * SCRATCH_BYTES);
  return { iface, begun, places: seen.map((at) => at - 14 - (at < framesAt ? scratchAt : framesAt)), beyond };
}

it('copies the first frame of a run to private memory', () => {
  const { places, begun, iface } = receive(1514);
  expect(begun).toBe(1);
  expect(places).toEqual([2, STRIDE, 2 * STRIDE]);
  expect(iface).toMatchObject({ inPackets: 3, inBytes: 3 * 1514, inDrops: 0 });
});

it('copies up to the end of that memory, and no frame that is longer', () => {
  for (const lengthBytes of [RUN_FRAME_BYTES, RUN_FRAME_BYTES + 1, 30_000]) {
    const { beyond, begun, places } = receive(lengthBytes);
    expect(begun).toBe(lengthBytes === RUN_FRAME_BYTES ? 1 : 0);
    expect(places[1]).toBe(STRIDE);
    expect(beyond.every((byte) => byte === GUARD)).toBe(true);
  }
});
