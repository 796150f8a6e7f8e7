/**
 * How fast TCP goes through a link that loses, beside what is published; and how fairly connections share a link.
 *
 * One or more connections send without end over a simulated wire. Buffers are larger than any window that the loss allows,
 * so that congestion control alone governs; acknowledgements are not lost.
 */

import type { Connection } from '../../src/inet/tcp/connection/connection.ts';
import type { PortUse } from '../../src/inet/tcp/shared/port-use.ts';
import type { Listener } from '../../src/inet/tcp/tables/listener.ts';
import * as transfer from '../../src/inet/tcp/transfer.ts';
import * as user from '../../src/inet/tcp/user.ts';
import { PERFECT, Wire } from '../fixtures/tcp-wire.ts';

const CHUNK_BYTES = 65_536;
const BUFFER_BYTES = 1 << 24;
const HEAP_BYTES = 160 << 20;
/** Between the starts of two flows, so that they do not march in step. */
const STAGGER_US = 137_000;
/** Ethernet's, with timestamps. */
const MSS_BYTES = 1448;

export interface GoodputOptions {
  seed: number;
  flows: number;
  /** Probability that a data segment is lost. */
  loss: number;
  rttUs: number;
  /** 0: no limit. */
  rateBps: number;
  queueBytes: number;
  /** Measured after `warmUs` have passed, for `measureUs`. */
  warmUs: number;
  measureUs: number;
  sysctl?: Record<string, number>;
}

export interface Goodput {
  /** Megabits per second of payload, by flow. */
  mbps: number[];
  timeouts: number;
  /** Of each flow on average: how much of its window arrives in a round trip, segments. */
  windowSegments: number;
}

export function measureGoodput(options: GoodputOptions): Goodput {
  const { rttUs, flows } = options;
  const sysctl = {
    sendspace: BUFFER_BYTES,
    sendbuf_max: BUFFER_BYTES,
    recvspace: BUFFER_BYTES,
    recvbuf_max: BUFFER_BYTES,
    ...options.sysctl,
  };
  const wire = new Wire(options.seed, { a: { sysctl, heapBytes: HEAP_BYTES }, b: { sysctl, heapBytes: HEAP_BYTES } });
  const delayUs = rttUs / 2;
  wire.a.wire = {
    ...PERFECT,
    delayUs,
    loss: options.loss,
    rateBps: options.rateBps,
    queueBytes: options.queueBytes,
  };
  wire.b.wire = { ...PERFECT, delayUs };
  const use = user.bindPort(wire.b.stack, 0, 80, { reuseAddress: true, reusePort: false }) as PortUse;
  const listener = user.listenOn(wire.b.stack, use, wire.b.stack.newOptions(), 64, null) as Listener;
  const from = wire.a.arena.allocate(CHUNK_BYTES);
  const senders: Connection[] = [];
  const receivers: Connection[] = [];
  const received: number[] = Array.from({ length: flows }, () => 0);
  const startUs = wire.nowUs;
  wire.onWork = () => {
    while (senders.length < flows && wire.nowUs >= startUs + senders.length * STAGGER_US) {
      const c = user.connectTo(wire.a.stack, null, wire.b.address, 80, wire.a.stack.newOptions(), null, wire.nowUs);
      senders.push(c as Connection);
    }
    for (const sender of senders) while (transfer.sendFrom(sender, from, CHUNK_BYTES, wire.nowUs) > 0);
    for (let c = user.acceptFrom(listener, () => null); c !== null; c = user.acceptFrom(listener, () => null)) {
      receivers.push(c);
    }
    for (const [i, receiver] of receivers.entries()) {
      for (let count = transfer.peek(receiver); count > 0; count = transfer.peek(receiver)) {
        transfer.consume(receiver, count, wire.nowUs);
        received[i] = (received[i] as number) + count;
      }
    }
  };
  for (let i = 0; i < flows; i++) wire.run(startUs + i * STAGGER_US + 1);
  wire.run(startUs + options.warmUs);
  const before = [...received];
  const timeoutsBefore = wire.a.count('retransmitTimeouts');
  wire.run(startUs + options.warmUs + options.measureUs);
  const mbps = received.map((bytes, i) => ((bytes - (before[i] as number)) * 8) / options.measureUs);
  const total = mbps.reduce((sum, one) => sum + one, 0);
  return {
    mbps,
    timeouts: wire.a.count('retransmitTimeouts') - timeoutsBefore,
    windowSegments: (total * rttUs) / 8 / MSS_BYTES / flows,
  };
}
