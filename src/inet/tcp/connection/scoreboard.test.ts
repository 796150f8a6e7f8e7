import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Scoreboard } from './scoreboard.ts';

const MSS = 100;

/** Byte by byte: what each outstanding byte is. */
class Model {
  una = 0;
  nxt = 0;
  readonly sacked: Set<number> = new Set();
  readonly lost: Set<number> = new Set();

  /** RFC 6675 section 4 on bytes: lost when enough is sacked above. */
  detectLost(): void {
    for (let seq = this.una; seq < this.nxt; seq++) {
      if (this.sacked.has(seq)) continue;
      let bytes = 0;
      let ranges = 0;
      let inside = false;
      for (let above = seq; above < this.nxt; above++) {
        const is = this.sacked.has(above);
        if (is) bytes++;
        if (is && !inside) ranges++;
        inside = is;
      }
      if (bytes > 2 * MSS || ranges >= 3) this.lost.add(seq);
    }
  }
}

type Step =
  | { op: 'send'; segments: number; length: number }
  | { op: 'ack'; part: number }
  | { op: 'sack'; from: number; to: number }
  | { op: 'timeout' }
  | { op: 'resend'; join: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant('send' as const),
      segments: fc.integer({ min: 1, max: 20 }),
      length: fc.constantFrom(MSS, MSS, MSS, 30, 5 * MSS),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('ack' as const), part: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('sack' as const),
      from: fc.double({ min: 0, max: 1, noNaN: true }),
      to: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ op: 'timeout' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('resend' as const), join: fc.integer({ min: 0, max: 4 * MSS }) }),
  },
);

function run(base: number, steps: Step[]): void {
  const board = new Scoreboard();
  const model = new Model();
  const at = (seq: number): number => (base + seq) | 0;
  let resent = 0;
  let nowUs = 1;
  for (const s of steps) {
    nowUs++;
    if (s.op === 'send') {
      for (let i = 0; i < s.segments; i++) {
        board.push(at(model.nxt), s.length, nowUs);
        model.nxt += s.length;
      }
    } else if (s.op === 'ack') {
      const ack = model.una + Math.floor((model.nxt - model.una) * s.part);
      board.acknowledge(at(ack), nowUs, -1, Number.POSITIVE_INFINITY);
      for (let seq = model.una; seq < ack; seq++) {
        model.sacked.delete(seq);
        model.lost.delete(seq);
      }
      model.una = ack;
    } else if (s.op === 'sack') {
      const span = model.nxt - model.una - 1;
      const [low, high] = [s.from, s.to].sort((x, y) => x - y) as [number, number];
      const start = model.una + 1 + Math.floor(span * low);
      const end = model.una + 1 + Math.floor(span * high);
      if (span <= 0 || start >= end) continue;
      let news = 0;
      for (let seq = start; seq < end; seq++) {
        if (!model.sacked.has(seq)) news++;
        model.sacked.add(seq);
        model.lost.delete(seq);
      }
      expect(board.sack(at(start), at(end), nowUs, -1, Number.POSITIVE_INFINITY)).toBe(news);
      board.detectLost(MSS);
      model.detectLost();
    } else if (s.op === 'timeout') {
      board.markAllLost();
      for (let seq = model.una; seq < model.nxt; seq++) if (!model.sacked.has(seq)) model.lost.add(seq);
      resent = 0;
    } else {
      const index = board.nextLost();
      if (index < 0) continue;
      const seq = (board.seqOf(index) - base) | 0;
      expect(model.lost.has(seq)).toBe(true);
      const length = board.lengthOf(index);
      board.joinLost(index, s.join);
      expect(board.lengthOf(index)).toBeLessThanOrEqual(Math.max(length, s.join));
      board.retransmitted(index, nowUs);
      resent++;
    }
    expect(board.sackedBytes).toBe(model.sacked.size);
    // Whole records are judged, so a record may be lost a little before or after its bytes would be.
    expect(board.lostBytes).toBeGreaterThanOrEqual(0);
    expect(board.retransmittedBytes).toBeGreaterThanOrEqual(0);
    let seq = model.una;
    let lost = 0;
    for (let index = board.first; index >= 0 && index <= board.last; index++) {
      expect((board.seqOf(index) - base) | 0).toBe(seq);
      seq += board.lengthOf(index);
    }
    expect(seq).toBe(model.nxt);
    for (const one of model.lost) if (one >= model.una) lost++;
    expect(Math.abs(board.lostBytes - lost)).toBeLessThanOrEqual(5 * MSS);
    if (resent === 0) expect(board.retransmittedBytes).toBe(0);
  }
  board.acknowledge(at(model.nxt), nowUs, -1, Number.POSITIVE_INFINITY);
  expect([board.count, board.sackedBytes, board.lostBytes, board.retransmittedBytes]).toEqual([0, 0, 0, 0]);
}

describe('Scoreboard', () => {
  it('agrees with a scoreboard of single bytes, across the wrap of sequence numbers', () => {
    fc.assert(fc.property(fc.constantFrom(0, 0x7fff_ff00, -200), fc.array(step, { maxLength: 60 }), run), {
      numRuns: 300,
    });
  });

  it('resends lost records once, in order', () => {
    const board = new Scoreboard();
    for (let i = 0; i < 10; i++) board.push(i * MSS, MSS, 1);
    board.sack(4 * MSS, 8 * MSS, 2, -1, 1);
    board.detectLost(MSS);
    expect(board.lostBytes).toBe(4 * MSS);
    for (let i = 0; i < 4; i++) {
      const index = board.nextLost();
      expect(board.seqOf(index)).toBe(i * MSS);
      board.retransmitted(index, 2);
    }
    expect(board.nextLost()).toBe(-1);
    expect(board.retransmittedBytes).toBe(4 * MSS);
  });

  it('gives the oldest record that was sent once for a round-trip sample', () => {
    const board = new Scoreboard();
    for (let i = 0; i < 4; i++) board.push(i * MSS, MSS, 10 + i);
    board.retransmitted(0, 50);
    board.acknowledge(3 * MSS, 60, -1, Number.POSITIVE_INFINITY);
    expect(board.sampleSentUs).toBe(11);
    expect(board.ackedRetransmitted).toBe(true);
    board.acknowledge(4 * MSS, 60, -1, Number.POSITIVE_INFINITY);
    expect(board.sampleSentUs).toBe(13);
    expect(board.ackedRetransmitted).toBe(false);
  });
});
