import { describe, expect, it } from 'vitest';
import { startPing } from '../../test/fixtures/kernel-ping.ts';
import { addressOf } from '../../test/fixtures/socket-address.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES, type Device } from '../link/device.ts';
import { createNetwork, networkBytes, openVni } from '../link/index.ts';
import { Arena } from '../mem/index.ts';
import type { DeviceLink } from '../net/device-link.ts';
import type { Interface } from '../net/interface.ts';
import { SocketAddress, type StreamSocket } from '../socket/socket.ts';
import type { ImpairmentValues } from '../sys/control.ts';
import type { PingEvent } from '../tools/echo.ts';
import type { KernelMemory } from './create.ts';
import { Kernel } from './kernel.ts';

const HEAP_BYTES = 16 << 20;
const ETH0 = 2;
const NOTHING: ImpairmentValues = {
  delayUs: 0,
  jitterUs: 0,
  distribution: 0,
  loss: 0,
  burstEnter: 0,
  burstLeave: 0,
  burstLossInside: 1,
  burstLossOutside: 0,
  duplicate: 0,
  reorder: 0,
  corrupt: 0,
  rateBps: 0,
  queueFrames: 0,
  queueBytes: 0,
};

/** Three kernels on one Ethernet that takes super-frames, on the virtual clock. */
function bring(): { simulation: Simulation; kernels: [Kernel, Kernel, Kernel] } {
  const ports = { ports: 3 };
  const arena = Arena.create(networkBytes(ports) + 3 * HEAP_BYTES + (32 << 20));
  const network = createNetwork(arena, ports);
  const simulation = new Simulation(1);
  const kernels = [0, 1, 2].map((port) => {
    const device = ({ bulk }: KernelMemory) =>
      openVni(arena, bulk, network, port, {
        name: `k${port}/eth0`,
        mac: { hi: 0x0200, lo: port + 1 },
        capabilities: CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES,
      });
    const heap = { at: arena.allocate(HEAP_BYTES, 4096), bytes: HEAP_BYTES };
    const interfaces = [{ device, addresses: [`10.0.0.${port + 1}/24`] }];
    const kernel = Kernel.create({ name: `k${port}`, arena, host: simulation.host(), heap, interfaces });
    simulation.add(...kernel.cpus);
    return kernel;
  });
  return { simulation, kernels: kernels as [Kernel, Kernel, Kernel] };
}

/** Round trips of three pings, in milliseconds; fewer when some were lost. */
function ping(simulation: Simulation, from: Kernel, host: string): number[] {
  const events: PingEvent[] = [];
  const options = { host, count: 3, intervalMs: 1000, payloadBytes: 56, ttl: 64, waitMs: 2000 };
  startPing(from, options, (event) => events.push(event));
  simulation.runUntil(() => events.at(-1)?.type === 'end', simulation.nowUs() + 60e6);
  return events.flatMap((event) => (event.type === 'reply' ? [event.timeMs] : []));
}

function impair(
  kernel: Kernel,
  values: Partial<ImpairmentValues> | null,
  from: number[] | null = null,
  out = true,
): void {
  const wanted = values === null ? null : { ...NOTHING, ...values };
  kernel.control('impairment.set', { index: ETH0, direction: out ? 1 : 0, from, values: wanted, seed: 7 });
}

function eth0(kernel: Kernel): Device {
  const { link } = kernel.inet.interface('eth0') as Interface;
  return (link as DeviceLink).device;
}

function deviceOf(kernel: Kernel): string {
  return eth0(kernel).constructor.name;
}

describe('impairments of a kernel', () => {
  it('delay what it sends, what it receives, and what one peer sends it', () => {
    const { simulation, kernels } = bring();
    const [a] = kernels;
    impair(a, { delayUs: 40_000 });
    expect(ping(simulation, a, '10.0.0.2')).toEqual([40, 40, 40]);
    impair(a, { delayUs: 3000 }, null, false);
    expect(ping(simulation, a, '10.0.0.2')).toEqual([43, 43, 43]);
    impair(a, { delayUs: 200_000 }, [2, 0, 0, 0, 0, 2], false);
    expect(ping(simulation, a, '10.0.0.2')).toEqual([243, 243, 243]);
    // The first waits for ARP.
    expect(ping(simulation, a, '10.0.0.3')).toEqual([86, 43, 43]);
    impair(a, { loss: 1 }, [2, 0, 0, 0, 0, 2], false);
    expect(ping(simulation, a, '10.0.0.2')).toEqual([]);
    expect(ping(simulation, a, '10.0.0.3')).toEqual([43, 43, 43]);
  });

  it('leave the interface as it was once all are healed', () => {
    const { simulation, kernels } = bring();
    const [a] = kernels;
    expect(deviceOf(a)).toBe('VniDevice');
    impair(a, { delayUs: 40_000 });
    impair(a, { delayUs: 40_000 }, [2, 0, 0, 0, 0, 2], false);
    expect(deviceOf(a)).toBe('ImpairedDevice');
    ping(simulation, a, '10.0.0.2');
    impair(a, null);
    expect(ping(simulation, a, '10.0.0.2')).toEqual([40, 40, 40]);
    expect(deviceOf(a)).toBe('ImpairedDevice');
    impair(a, null, [2, 0, 0, 0, 0, 2], false);
    expect(ping(simulation, a, '10.0.0.2')).toEqual([0, 0, 0]);
    expect(deviceOf(a)).toBe('VniDevice');
    impair(a, null);
    expect(deviceOf(a)).toBe('VniDevice');
  });

  it('damage bytes that TCP sends again: none arrives damaged', () => {
    const { simulation, kernels } = bring();
    const [a, b] = kernels;
    impair(a, { corrupt: 0.05, loss: 0.01, duplicate: 0.01, reorder: 0.02, delayUs: 1000, rateBps: 1e8 });
    impair(b, { corrupt: 0.05 }, [2, 0, 0, 0, 0, 1], false);
    const data = Uint8Array.from({ length: 400_000 }, (_, i) => (i * 31 + (i >> 9)) & 0xff);
    const received = new Uint8Array(data.length + 1);
    const listener = b.sockets.stream(4);
    expect(listener.bind(SocketAddress.any(4, 7))).toBe(0);
    listener.listen(1);
    const socket = a.sockets.stream(4);
    socket.connect(addressOf('10.0.0.2', 7));
    let accepted: StreamSocket | null = null;
    let [sent, got] = [0, 0];
    const step = (): boolean => {
      accepted ??= listener.accept();
      const taken = socket.send(data, sent, data.length - sent);
      if (taken > 0) sent += taken;
      for (let n = 1; n > 0; got += Math.max(n, 0)) n = accepted?.receive(received, got, received.length - got) ?? 0;
      return got >= data.length;
    };
    simulation.runUntil(step, simulation.nowUs() + 120e6);
    expect(Buffer.from(received.subarray(0, got)).equals(Buffer.from(data))).toBe(true);
    const counted = eth0(a).counters.snapshot();
    expect(counted.outCorrupted).toBeGreaterThan(5);
    expect(counted.outLost).toBeGreaterThan(0);
    expect(b.control('counter.list', {})['tcp-discarded-bad-checksum'] ?? 0).toBeGreaterThan(5);
  });
});
