import { describe, expect, it } from 'vitest';
import type { Connection, PortUse } from '../../src/inet/tcp/connection.ts';
import type { Listener } from '../../src/inet/tcp/listen.ts';
import * as user from '../../src/inet/tcp/user.ts';
import { PERFECT, type SideOptions, Wire, type WireOptions } from '../fixtures/tcp-wire.ts';

const MB = 1_000_000;

interface Transfer {
  wire: Wire;
  sender: Connection;
  receiver: Connection;
  /** Megabits per second of payload, from first to last byte received, after `skipBytes`. */
  mbps: number;
}

/** Send `bytes` one way over a wire of that character; both programs are always ready. */
function transfer(
  bytes: number,
  line: Partial<WireOptions>,
  options: { a?: SideOptions; b?: SideOptions; skipBytes?: number; seed?: number } = {},
): Transfer {
  const wire = new Wire(options.seed ?? 1, options);
  wire.a.wire = { ...PERFECT, ...line };
  // Acknowledgements take the same time but are never lost here.
  wire.b.wire = { ...PERFECT, delayUs: wire.a.wire.delayUs };
  const use = user.bindPort(wire.b.stack, 0, 80, { reuseAddress: true, reusePort: false }) as PortUse;
  const listener = user.listenOn(wire.b.stack, use, wire.b.stack.newOptions(), 8, null) as Listener;
  const sender = user.connectTo(
    wire.a.stack,
    null,
    wire.b.address,
    80,
    wire.a.stack.newOptions(),
    null,
    wire.nowUs,
  ) as Connection;
  let receiver: Connection | null = null;
  const from = wire.a.arena.allocate(65_536);
  let sent = 0;
  let received = 0;
  let firstUs = 0;
  let skipped = 0;
  wire.onWork = () => {
    while (sent < bytes) {
      const count = user.sendFrom(sender, from, Math.min(65_536, bytes - sent), wire.nowUs);
      if (count <= 0) break;
      sent += count;
    }
    receiver ??= user.acceptFrom(listener, () => null);
    if (receiver === null) return;
    for (;;) {
      const count = user.peek(receiver);
      if (count <= 0) return;
      user.consume(receiver, count, wire.nowUs);
      received += count;
      if (firstUs === 0 && received >= (options.skipBytes ?? 1)) {
        firstUs = wire.nowUs;
        skipped = received;
      }
    }
  };
  const arrived = wire.run(wire.nowUs + 600 * MB, () => received === bytes);
  if (!arrived) throw new Error(`only ${received} of ${bytes} arrived`);
  const mbps = ((received - skipped) * 8) / (wire.nowUs - firstUs);
  return { wire, sender, receiver: receiver as unknown as Connection, mbps };
}

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
