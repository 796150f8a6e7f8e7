import { afterAll } from 'vitest';
import { SeededRng } from '../../src/base/rng.ts';
import { libc } from '../../src/host/node/ffi/libc.ts';
import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES, type Device, type FrameBatch } from '../../src/link/device.ts';
import { ImpairedDevice } from '../../src/link/impair.ts';
import { LoopbackDevice } from '../../src/link/loopback.ts';
import { createNetwork, type NetworkDescriptor } from '../../src/link/network.ts';
import { openVni } from '../../src/link/open-vni.ts';
import { RawDevice } from '../../src/link/raw-device.ts';
import { VniDevice } from '../../src/link/vni.ts';
import { Arena } from '../../src/mem/arena.ts';
import { type Bulk, createBulk } from '../../src/mem/bulk.ts';
import { Counters } from '../../src/mem/counters.ts';
import { TwoQueueDevice } from '../fixtures/two-queue-device.ts';
import { VniFiles } from '../fixtures/vni-files.ts';
import { type DevicesUnderTest, deviceSuite } from './device-suite.ts';

const clock = { nowUs: () => 1000 };

function vni(ports: number, capabilities = 0, ringBytes = 256 * 1024, base = 0): DevicesUnderTest & { bulk: Bulk } {
  const arena = Arena.create(48 * 1024 * 1024, { base });
  const bulk = createBulk(arena);
  const network = createNetwork(arena, { ports, ringBytes });
  const device = (port: number): Device =>
    new VniDevice(arena, bulk, network, port, { name: `eth${port}`, mac: { hi: 0x0200, lo: port }, capabilities });
  return { arena, bulk, sender: device(0), receiver: device(ports - 1) };
}

function shared(ports: number, frameBytes: number, base = 0): DevicesUnderTest {
  const arena = Arena.create(48 * 1024 * 1024, { base });
  const bulk = createBulk(arena);
  const network = createNetwork(arena, { ports, buffers: 'shared', frameBytes });
  const capabilities = frameBytes > 1514 ? CAP_SUPER_FRAMES : 0;
  const device = (port: number): Device =>
    openVni(arena, bulk, network, port, { name: `eth${port}`, mac: { hi: 0x0200, lo: port }, capabilities });
  return { arena, sender: device(0), receiver: device(ports - 1) };
}

function twoQueues(): DevicesUnderTest {
  const arena = Arena.create(48 * 1024 * 1024);
  const bulk = createBulk(arena);
  const networks = [0, 1].map(() => createNetwork(arena, { ports: 2, ringBytes: 256 * 1024 }));
  const device = (port: number): Device => {
    const options = { name: `eth${port}`, mac: { hi: 0x0200, lo: port }, counters: Counters.open(arena, `eth${port}`) };
    const half = (network: number): Device =>
      new VniDevice(arena, bulk, networks[network] as NetworkDescriptor, port, options);
    return new TwoQueueDevice(half(0), half(1));
  };
  return { arena, sender: device(0), receiver: device(1) };
}

function loopback(): DevicesUnderTest & { bulk: Bulk } {
  const arena = Arena.create(8 * 1024 * 1024);
  const device = new LoopbackDevice(arena);
  return { arena, bulk: createBulk(arena), sender: device, receiver: device };
}

/** Frames of the sender go into the receiver, and wait in the sender while the receiver has no room. */
function raw(): DevicesUnderTest & { bulk: Bulk } {
  const arena = Arena.create(16 * 1024 * 1024);
  const sender = new RawDevice(arena, { name: 'raw0', mac: { hi: 0x0200, lo: 0 } });
  const receiver = new (class extends RawDevice {
    override receive(batch: FrameBatch): number {
      sender.resume();
      return super.receive(batch);
    }
  })(arena, { name: 'raw1', mac: { hi: 0x0200, lo: 1 } });
  sender.onFrame = (frame, meta) => receiver.inject(frame, meta);
  return { arena, bulk: createBulk(arena), sender, receiver };
}

const opened: VniFiles[] = [];
function closeFiles(): void {
  for (const files of opened.splice(0)) files.close();
}
afterAll(closeFiles);

/** Two participants of a network in a file. */
function inFile(capabilities: number): DevicesUnderTest {
  closeFiles();
  const files = new VniFiles(2);
  opened.push(files);
  return { arena: files.arena, sender: files.join({ capabilities }), receiver: files.join({ capabilities }) };
}

function impaired(devices: DevicesUnderTest & { bulk: Bulk }, impair: boolean): DevicesUnderTest {
  const { arena, bulk } = devices;
  const options = { clock, rng: new SeededRng(1) };
  const sender = new ImpairedDevice(devices.sender, arena, bulk, options);
  const receiver =
    devices.receiver === devices.sender ? sender : new ImpairedDevice(devices.receiver, arena, bulk, options);
  // Nothing goes wrong and nothing is late, but every frame takes the way of those for which something would.
  if (impair) {
    sender.impair('out', { loss: 0 });
    receiver.impair('in', { loss: 0 });
  }
  return { arena, sender, receiver };
}

const STATIONS = { filters: true, doorbells: true };
const RINGS = { ...STATIONS, runs: true };

deviceSuite('vni, 2 ports', () => vni(2), RINGS);
deviceSuite('vni, 2 ports, the 392,200 bytes of papers/003', () => vni(2, 0, 392_200), RINGS);
deviceSuite('vni, 2 ports, super-frames', () => vni(2, CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES, 3 << 20), RINGS);
deviceSuite('vni, 12 ports', () => vni(12), RINGS);
deviceSuite('vni, in an arena at another base', () => vni(2, 0, 256 * 1024, 5 << 16), RINGS);
deviceSuite('vni, shared buffer, in an arena at another base', () => shared(2, 1514, 5 << 16), STATIONS);
deviceSuite('vni, shared buffer', () => shared(2, 1514), STATIONS);
deviceSuite('vni, shared buffer, 20 ports, super-frames', () => shared(20, 65_549), STATIONS);
if (libc() !== null) {
  deviceSuite('vni in a file', () => inFile(0), { filters: true, runs: true });
  deviceSuite('vni in a file, super-frames', () => inFile(CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES), {
    filters: true,
    runs: true,
  });
}
deviceSuite('two queues', twoQueues, { ...RINGS, queues: 2 });
deviceSuite('loopback', loopback);
deviceSuite('raw', raw, STATIONS);
deviceSuite('impair around vni, healed', () => impaired(vni(2), false), STATIONS);
deviceSuite('impair around vni', () => impaired(vni(2), true), STATIONS);
deviceSuite('impair around raw', () => impaired(raw(), true), STATIONS);
deviceSuite('impair around loopback', () => impaired(loopback(), true));
