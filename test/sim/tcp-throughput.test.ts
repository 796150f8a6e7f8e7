import { describe, expect, it } from 'vitest';
import { transfer } from '../fixtures/tcp-transfer.ts';

const MB = 1_000_000;

describe('throughput on the virtual clock', () => {
  it('grows to more than 100 Mbit/s at a round trip of 100 ms', () => {
    const { mbps, sender, receiver } = transfer(60 * MB, { delayUs: 50_000 }, { skipBytes: 10 * MB });
    expect(mbps).toBeGreaterThan(250);
    expect(receiver.receiveBuffer.limitBytes).toBe(4 << 20);
    expect(sender.sendBuffer.limitBytes).toBe(4 << 20);
  });

  it('keeps small buffers where the round trip is short', () => {
    const { receiver } = transfer(2 * MB, { delayUs: 1000, rateBps: 20 * MB, queueBytes: 30_000 });
    expect(receiver.receiveBuffer.limitBytes).toBeLessThan(1 << 20);
  });

  it.each([0, 1])('fills a bottleneck of 100 Mbit/s with a queue of one round trip (congctl %i)', (congctl) => {
    const line = { delayUs: 10_000, rateBps: 100 * MB, queueBytes: 250_000 };
    const { mbps, wire } = transfer(30 * MB, line, { a: { sysctl: { congctl } }, skipBytes: 2 * MB });
    expect(mbps).toBeGreaterThan(85);
    // Slow start overshoots, and what is resent into a full queue may be lost again.
    expect(wire.a.count('retransmitTimeouts')).toBeLessThan(3);
  });

  it.each([0, 1])('needs no timeout for losses of one in a hundred with SACK (congctl %i)', (congctl) => {
    const line = { delayUs: 5000, loss: 0.01 };
    const { wire } = transfer(10 * MB, line, { a: { sysctl: { congctl } } });
    expect(wire.a.count('sackRecoveries')).toBeGreaterThan(10);
    // A resent segment that is lost again waits for the timer (until RACK): that is one in ten thousand segments.
    expect(wire.a.count('retransmitTimeouts')).toBeLessThan(15);
  });

  it('survives a link with little room', () => {
    const { mbps } = transfer(5 * MB, { delayUs: 100, slots: 8 });
    expect(mbps).toBeGreaterThan(100);
  });

  it('uses super-frames when both ends can', () => {
    const both = { capabilities: 3 };
    const { wire } = transfer(20 * MB, { delayUs: 100 }, { a: both, b: both });
    expect(wire.packets).toBeLessThan((20 * MB) / 20_000);
  });
});
