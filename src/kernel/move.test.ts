import { describe, expect, it } from 'vitest';
import { Simulation } from '../host/sim/simulation.ts';
import { ImpairedDevice } from '../link/impair.ts';
import { createNetwork } from '../link/network.ts';
import { VniDevice } from '../link/vni.ts';
import { Arena } from '../mem/arena.ts';
import type { Interface } from '../net/interface.ts';
import { Kernel } from './kernel.ts';

const OWN = 0x0a000001;
const PEER = 0x0a000002;
const PORT = 7;

/** Two kernels joined by a segment, and a third one that has nothing; links may be made late. */
function setUp() {
  const simulation = new Simulation(1);
  const arena = Arena.create(96 << 20);
  const segment = createNetwork(arena, { ports: 2 });
  const kernels = ['one', 'peer', 'other'].map((name) => {
    const kernel = Kernel.create({ name, arena, host: simulation.host(), heapBytes: 8 << 20 });
    simulation.add(...kernel.cpus);
    return kernel;
  }) as [Kernel, Kernel, Kernel];
  const links = [0, 1].map((port) => {
    const { cpus, host } = kernels[port] as Kernel;
    const { bulk } = cpus[0].cpu;
    const device = new VniDevice(arena, bulk, segment, port, { name: `eth${port}`, mac: { hi: 0x0200, lo: port + 1 } });
    return new ImpairedDevice(device, arena, bulk, { clock: host, rng: host.rng });
  }) as [ImpairedDevice, ImpairedDevice];
  const [eth0, eth1] = links.map((link, i) => (kernels[i] as Kernel).attach(link, 'eth0')) as [Interface, Interface];
  kernels[0].inet.configure(eth0, OWN, 24);
  kernels[1].inet.configure(eth1, PEER, 24);
  let heard = 0;
  const server = kernels[1].inet.cpus[0].udp.open();
  server.bind(0, PORT);
  server.onDatagram = () => heard++;
  const send = (kernel: Kernel): number => {
    const endpoint = kernel.inet.cpus[0].udp.open();
    const said = endpoint.send(new Uint8Array(8), 0, 8, PEER, PORT);
    endpoint.close();
    return said;
  };
  return { simulation, kernels, links, eth0, send, heard: () => heard };
}

describe('Kernel.detach and moveTo', () => {
  it('gives an interface to another kernel, new there, with the time of its device', () => {
    const { simulation, kernels, links, eth0, send, heard } = setUp();
    const [one, , other] = kernels;
    expect(send(one)).toBe(8);
    simulation.run(1_000_000);
    expect(heard()).toBe(1);
    const moved = one.moveTo(other, eth0, 'eth7');
    expect([eth0.attached, moved.name, moved.up, moved.addresses, moved.outPackets]).toEqual([
      false,
      'eth7',
      true,
      [],
      0,
    ]);
    expect(one.inet.list().map(({ name }) => name)).toEqual(['lo0']);
    expect(send(one)).toBeLessThan(0);
    other.inet.configure(moved, OWN, 24);
    links[0].impair('out', { delayUs: 50_000 });
    expect(send(other)).toBe(8);
    simulation.run(1_040_000);
    expect(heard()).toBe(1);
    simulation.run(1_300_000);
    expect(heard()).toBe(2);
    expect(one.cpus[0].nextDeadlineUs()).toBe(Infinity);
  });

  it('lets nothing go that must stay, and changes nothing then', () => {
    const { kernels, eth0 } = setUp();
    const [one, peer, other] = kernels;
    const code = (what: () => unknown): string => {
      try {
        what();
        return '';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    const lo0 = one.inet.interface('lo0') as Interface;
    const elsewhere = Kernel.create({ name: 'far', host: new Simulation(2).host() });
    expect(code(() => one.detach(lo0))).toBe('EINVAL');
    expect(code(() => one.moveTo(other, lo0, 'lo1'))).toBe('EINVAL');
    expect(code(() => peer.detach(eth0))).toBe('ENXIO');
    expect(code(() => one.moveTo(peer, eth0))).toBe('EEXIST');
    expect(code(() => one.moveTo(elsewhere, eth0))).toBe('EINVAL');
    expect(code(() => one.moveTo(other, eth0, 'a b'))).toBe('EINVAL');
    expect(eth0.attached).toBe(true);
    expect(eth0.addresses).toHaveLength(1);
  });
});
