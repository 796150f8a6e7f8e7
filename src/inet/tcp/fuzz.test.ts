import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import { type Rng, randomBelow, randomUnit, SeededRng } from '../../base/rng.ts';
import { checkConnection } from './connection/invariants.ts';

const STATES = [
  'synSent',
  'synReceived',
  'established',
  'finWait1',
  'finWait2',
  'closeWait',
  'closing',
  'lastAck',
  'timeWait',
] as const;

function pick<T>(rng: Rng, values: readonly T[]): T {
  return values[randomBelow(rng, values.length)] as T;
}

/** A segment that is nearly right: numbers at the edges of the windows, any flags, any options. */
function nearlyRight(rng: Rng, t: Transcript): string {
  const c = t.conn;
  const rcvNxt = c === null ? 1 : (c.rcv.nxt - c.rcv.irs) | 0;
  const window = c === null ? 65_535 : (c.rcv.adv - c.rcv.nxt) | 0;
  const sndUna = c === null ? 1 : (c.snd.una - c.snd.iss) | 0;
  const sndNxt = c === null ? 1 : (c.snd.nxt - c.snd.iss) | 0;
  const near = (value: number): number =>
    value + pick(rng, [0, 0, 0, 0, -1, 1, 2, 10, -100, 1460, 2920, 70_000, -70_000, 0x7fff_0000]);
  const flags = pick(rng, [
    '.',
    '.',
    '.',
    'P.',
    'F.',
    'F',
    'S',
    'S.',
    'R',
    'R.',
    'RS.',
    'FSRP.UEW',
    '-',
    '.U',
    '.E',
    '.W',
    'SEW',
  ]);
  let text = `${flags} seq ${near(pick(rng, [rcvNxt, rcvNxt, rcvNxt, rcvNxt + window]))}`;
  if (flags.includes('.')) text += ` ack ${near(pick(rng, [sndUna, sndNxt, sndNxt]))}`;
  text += ` win ${pick(rng, [0, 1, 100, 5000, 65_535])}`;
  text += ` len ${pick(rng, [0, 0, 0, 1, 10, 500, 1460, 3000])}`;
  if (randomUnit(rng) < 0.1) text += ` mss ${pick(rng, [0, 1, 88, 1460, 65_535])}`;
  if (randomUnit(rng) < 0.1) text += ` ws ${randomBelow(rng, 256)}`;
  if (randomUnit(rng) < 0.1) text += ' sackok';
  if (randomUnit(rng) < 0.2) text += ` ts ${near(t.peerClock)} ${randomBelow(rng, 100_000)}`;
  else if (randomUnit(rng) < 0.1) text += ' nots';
  if (randomUnit(rng) < 0.3 && !text.includes(' mss') && !text.includes(' ws')) {
    const blocks = Array.from({ length: 1 + randomBelow(rng, 2) }, () => {
      const start = near(sndUna);
      return `${start}-${near(start + 1460)}`;
    });
    text += ` sack ${blocks.join(',')}`;
  }
  if (randomUnit(rng) < 0.05) text += ' badsum';
  if (randomUnit(rng) < 0.1) text += ` tos ${randomBelow(rng, 4)}`;
  return text;
}

function play(seed: number): void {
  const rng = new SeededRng(seed);
  const t = new Transcript({
    heapBytes: 1 << 20,
    seed,
    sysctl: {
      ...{ msl: 100, fin_timeout: 1000, retries: 3, syn_retries: 2 },
      ...{ pacing: seed & 1, pacing_min_rtt: 0, mtu_probing: seed & 2, base_mss: 512 },
    },
  });
  t[pick(rng, STATES)]({ ts: randomUnit(rng) < 0.5, sack: randomUnit(rng) < 0.7, ws: randomBelow(rng, 15) });
  // As though it had been agreed on in the handshake.
  if (t.conn !== null) t.conn.ecn.ok = (seed & 4) !== 0;
  for (let i = 0; i < 150; i++) {
    const what = randomUnit(rng);
    if (what < 0.7) t.send(nearlyRight(rng, t), randomUnit(rng) < 0.7);
    else if (t.conn !== null && what < 0.72) t.writeUrgent(1 + randomBelow(rng, 100));
    else if (t.conn !== null && what < 0.8) t.write(1 + randomBelow(rng, 5000));
    else if (t.conn !== null && what < 0.9) t.read(1 + randomBelow(rng, 5000));
    else t.after(randomBelow(rng, 300));
    t.skip();
    const c = t.conn;
    if (c === null) continue;
    checkConnection(c);
    expect(t.stack.heap.usedBytes).toBeLessThanOrEqual(1 << 20);
  }
  if (t.conn !== null) t.close();
  t.after(3_600_000);
  if (t.listener !== null) {
    for (const c of t.listener.acceptQueue.splice(0)) {
      c.owner = null;
      t.conn = c;
      t.abort();
    }
  }
  t.after(3_600_000);
  const left = [
    t.stack.connectionCount,
    t.stack.synEntryCount,
    t.stack.timeWait.count,
    t.ip.openPaths,
    t.stack.heap.usedBytes,
  ];
  expect(left).toEqual([0, 0, 0, 0, 0]);
  expect(t.callouts.nextDeadlineUs()).toBe(Number.POSITIVE_INFINITY);
}

describe('segments that are nearly right', () => {
  it('never break a connection, in any state: 300 seeds', () => {
    for (let seed = 1; seed <= 300; seed++) {
      try {
        play(seed);
      } catch (cause) {
        throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause });
      }
    }
  });

  it('and bytes that are no segment at all are dropped without reading past their end', () => {
    const rng = new SeededRng(1);
    const t = new Transcript().established({ ts: true });
    const at = t.arena.allocate(256);
    for (let i = 0; i < 20_000; i++) {
      const lengthBytes = randomBelow(rng, 64);
      for (let b = 0; b < lengthBytes; b++) t.arena.bytes[at + b] = rng.next32();
      // The right ports now and then, and a checksum that is not looked at.
      if (lengthBytes >= 4 && i % 2 === 0) t.arena.view.setInt32(at, (t.peerPort << 16) | 80);
      const packet = {
        at,
        lengthBytes,
        src: 0x0a000002,
        dst: 0x0a000001,
        meta: i % 3 === 0 ? 2 : 0,
        tos: 0,
        broadcast: false,
      };
      t.stack.input(packet as never, t.nowUs);
    }
    t.work();
    expect(t.stack.connectionCount).toBeLessThanOrEqual(1);
  });
});
