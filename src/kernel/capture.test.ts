import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Simulation } from '../host/sim/simulation.ts';
import { createNetwork } from '../link/network.ts';
import { VniDevice } from '../link/vni.ts';
import { Arena } from '../mem/arena.ts';
import { type PcapngBlock, readPcapng } from '../wire/pcapng-reader.ts';
import { Kernel } from './kernel.ts';

const SECOND_US = 1_000_000;

let folder: string;
let simulation: Simulation;
let kernels: Kernel[];

/** Two machines with two cables, and a name for the far end of the first. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'capture-'));
  const arena = Arena.create(64 << 20);
  const networks = [0, 1].map(() => createNetwork(arena, { ports: 2, ringBytes: 1 << 16 }));
  simulation = new Simulation(1);
  kernels = ['a', 'b'].map((name, port) =>
    Kernel.create({
      name,
      arena,
      heapBytes: 3 << 20,
      host: simulation.host(),
      hosts: { peer: ['10.0.0.2'] },
      interfaces: networks.map((network, n) => ({
        name: `vni${n}`,
        device: ({ bulk }) =>
          new VniDevice(arena, bulk, network, port, { name: `${name}${n}`, mac: { hi: 0x0200, lo: 10 * n + port } }),
        addresses: [`10.0.${n}.${port + 1}/24`],
      })),
    }),
  );
  for (const { cpus } of kernels) simulation.add(...cpus);
});

afterEach(() => {
  for (const kernel of kernels) kernel.close();
  rmSync(folder, { recursive: true });
});

const run = (): void => simulation.run(simulation.nowUs() + SECOND_US);

/** One datagram to each address. */
function send(kernel: Kernel, ...addresses: string[]): void {
  const raw = kernel.client.openNow('raw', { family: 4, protocol: 253 }, { event: () => {}, end: () => {} });
  addresses.forEach((text, id) => {
    const w3 = text.split('.').reduce((word, octet) => (word << 8) | Number(octet), 0);
    const to = { family: 4 as const, w0: 0, w1: 0, w2: 0, w3, scopeId: 0 };
    raw.send({ id, to, hops: 64, bytes: new Uint8Array(20) });
  });
  run();
  raw.close();
  run();
}

type Interface = Extract<PcapngBlock, { type: 'interface' }>;
type Packet = Extract<PcapngBlock, { type: 'packet' }>;

/** `interface direction last octet of the destination`, one line per IPv4 packet. */
function linesOf(path: string): string[] {
  const blocks = readPcapng(readFileSync(path));
  const names = blocks.filter((block): block is Interface => block.type === 'interface').map(({ name }) => name);
  return blocks
    .filter((block): block is Packet => block.type === 'packet' && block.bytes[13] === 0)
    .map(
      ({ interfaceIndex, direction, bytes }) =>
        `${names[interfaceIndex]} ${direction} ${bytes.slice(30, 34).join('.')}`,
    );
}

describe('kernel.capture', () => {
  it('writes the frames of all interfaces into one file, in their order', async () => {
    const [a] = kernels as [Kernel, Kernel];
    const path = join(folder, 'all.pcapng');
    const file = await a.capture({ filter: 'ip' }).toFile(path);
    send(a, '10.0.0.2', '10.0.1.2', '127.0.0.1');
    const total = await file.stop();
    const lines = linesOf(path);
    expect(lines).toContain('vni0 out 10.0.0.2');
    expect(lines).toContain('vni1 out 10.0.1.2');
    expect(lines).toContain('lo0 out 127.0.0.1');
    expect(total).toEqual({ frames: lines.length, dropped: 0 });
    const stamps = readPcapng(readFileSync(path)).flatMap((block) => (block.type === 'packet' ? [block.timeNs] : []));
    expect([...stamps].sort((x, y) => (x < y ? -1 : 1))).toEqual(stamps);
    const [first] = readPcapng(readFileSync(path)).filter((block): block is Interface => block.type === 'interface');
    expect(first?.filter).toBe('ip');
  });

  it('takes some of them, and frames by name', async () => {
    const [a] = kernels as [Kernel, Kernel];
    const path = join(folder, 'some.pcapng');
    {
      await using _ = await a.capture({ interfaces: ['vni0', 'vni1'], filter: 'dst host peer' }).toFile(path);
      send(a, '10.0.0.2', '10.0.1.2', '127.0.0.1');
    }
    expect(linesOf(path)).toEqual(['vni0 out 10.0.0.2']);
  });

  it('says what is wrong: at once for an expression, later for what a kernel or a disk knows', async () => {
    const [a] = kernels as [Kernel, Kernel];
    expect(() => a.capture({ filter: 'tcp prt 80' })).toThrow(
      "filter 'tcp prt 80', column 5: 'prt' is not expected here",
    );
    const path = join(folder, 'x.pcapng');
    await expect(a.capture({ interfaces: ['vni7'] }).toFile(path)).rejects.toMatchObject({ code: 'ENODEV' });
    await expect(a.capture({ filter: 'host nobody' }).toFile(path)).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(a.capture().toFile(join(folder, 'no', 'x'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('ends after so many frames, or with its kernel', async () => {
    const [a, b] = kernels as [Kernel, Kernel];
    const one = await a.capture({ filter: 'ip' }).toFile(join(folder, 'one.pcapng'), { count: 1 });
    const other = await b.capture({ filter: 'ip' }).toFile(join(folder, 'other.pcapng'));
    send(a, '10.0.0.2', '10.0.0.2');
    expect(await one.done).toEqual({ frames: 1, dropped: 0 });
    b.close();
    expect((await other.done).frames).toBeGreaterThan(1);
    expect(linesOf(join(folder, 'other.pcapng'))).toContain('vni0 in 10.0.0.2');
  });
});
