import { describe, expect, it } from 'vitest';
import type { PingEvent } from '../../src/tools/echo.ts';
import { startPing } from '../fixtures/kernel-ping.ts';
import { textControl } from '../fixtures/text-control.ts';
import { SimNetwork } from './network.ts';

const SECOND_US = 1_000_000;
const OPTIONS = { count: 3, intervalMs: 1000, payloadBytes: 56, ttl: 64, waitMs: 2000 };

function ping(network: SimNetwork, from: string, host: string, options = {}): PingEvent[] {
  const events: PingEvent[] = [];
  startPing(network.kernel(from), { host, ...OPTIONS, ...options }, (event) => events.push(event));
  network.simulation.runUntil(() => events.at(-1)?.type === 'end', network.simulation.nowUs() + 60 * SECOND_US);
  return events;
}

describe('ping on the virtual clock', () => {
  it('takes the time the link takes', () => {
    const network = new SimNetwork({ seed: 1, kernels: ['a', 'b'], impairment: { delayUs: 10_000 } });
    const events = ping(network, 'a', 'b');
    expect(events[0]).toMatchObject({ type: 'start', host: 'b', address: '10.0.0.2', payloadBytes: 56 });
    const replies = events.filter((event) => event.type === 'reply');
    // No packet waits for ARP: each machine announced its address when it got it (RFC 5227).
    expect(replies.map((reply) => reply.timeMs)).toEqual([20, 20, 20]);
    expect(replies.map((reply) => [reply.sequence, reply.ttl, reply.bytes, reply.from])).toEqual([
      [0, 64, 64, '10.0.0.2'],
      [1, 64, 64, '10.0.0.2'],
      [2, 64, 64, '10.0.0.2'],
    ]);
    expect(events.at(-1)).toMatchObject({ type: 'end', transmitted: 3, received: 3, duplicates: 0 });
  });

  it('reaches itself by name and by 127.0.0.1', () => {
    const network = new SimNetwork({ seed: 2, kernels: ['a', 'b'] });
    expect(ping(network, 'a', 'localhost', { count: 1 }).at(-1)).toMatchObject({ received: 1 });
    expect(ping(network, 'a', 'a', { count: 1 }).at(-1)).toMatchObject({ received: 1 });
  });

  it('carries 20000 bytes in fragments', () => {
    const network = new SimNetwork({ seed: 3, kernels: ['a', 'b'] });
    const events = ping(network, 'a', 'b', { count: 1, payloadBytes: 20_000 });
    expect(events.filter((event) => event.type === 'reply')).toMatchObject([{ bytes: 20_008 }]);
  });

  it('hears nothing across a cut, and again when it is healed', () => {
    const network = new SimNetwork({ seed: 4, kernels: ['a', 'b'] });
    textControl(network.kernel('b'), 'filter.add', { id: 'cut', from: ['10.0.0.1'], action: 'drop' });
    expect(ping(network, 'a', 'b').at(-1)).toMatchObject({ received: 0 });
    textControl(network.kernel('b'), 'filter.remove', { id: 'cut' });
    network.simulation.run(network.simulation.nowUs() + 60 * SECOND_US);
    expect(ping(network, 'a', 'b').at(-1)).toMatchObject({ received: 3 });
  });

  it('reports an address that nobody has', () => {
    const network = new SimNetwork({ seed: 5, kernels: ['a', 'b'] });
    const events = ping(network, 'a', '10.0.0.77');
    expect(events.at(-1)).toMatchObject({ received: 0 });
    const far = ping(network, 'a', '192.0.2.1', { count: 1 });
    expect(far.filter((event) => event.type === 'sendError')).toMatchObject([{ code: 'EHOSTUNREACH' }]);
  });

  it('gives the same events for the same seed', () => {
    const run = (): PingEvent[] =>
      ping(
        new SimNetwork({ seed: 6, kernels: ['a', 'b'], impairment: { delayUs: 5000, jitterUs: 4000, loss: 0.3 } }),
        'a',
        'b',
        { count: 20, intervalMs: 100 },
      );
    expect(run()).toEqual(run());
  });
});
