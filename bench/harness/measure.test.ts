import { describe, expect, it } from 'vitest';
import { type Instruments, type Measured, type MeasureOptions, measure, type Subject } from './measure.ts';
import { checkRow } from './row.ts';

/** Instruments with a scripted round trip and load; the clock advances by `stepMs` at each reading. */
function instruments(
  script: { rttNs?: (number | null)[]; foreignCores?: number[]; stepMs?: number; waits?: number[] } = {},
): Instruments {
  const rtts = [...(script.rttNs ?? [])];
  const loads = [...(script.foreignCores ?? [])];
  let nowMs = 0;
  let readings = 0;
  let busyTicks = 0;
  return {
    roundTripNs: async () => (rtts.length > 0 ? (rtts.shift() as number | null) : 100),
    load: () => {
      if (readings++ % 2 === 1) busyTicks += 100 * (loads.shift() ?? 0);
      return { atMs: readings * 1000, busyTicks, ownTicks: 0 };
    },
    quiet: async (maxMs) => void script.waits?.push(maxMs),
    nowMs: () => {
      nowMs += script.stepMs ?? 0;
      return nowMs;
    },
  };
}

function options(change: Partial<MeasureOptions> = {}): MeasureOptions {
  return {
    bench: 'test',
    repetitions: 3,
    retries: 0,
    budgetMs: 1e9,
    signal: new AbortController().signal,
    instruments: instruments(),
    ...change,
  };
}

function subject(name: string, values: (number | Error)[], log: string[] = [], change: Partial<Subject> = {}): Subject {
  const queue = [...values];
  return {
    name,
    system: 'C',
    metrics: [{ key: 'v', metric: name, unit: 'ns' }],
    async run(): Promise<Measured> {
      log.push(name);
      const value = queue.shift() ?? 0;
      if (value instanceof Error) throw value;
      return { values: { v: value } };
    },
    ...change,
  };
}

describe('measure', () => {
  it('takes subjects in turn, each first once, and reports medians in their order', async () => {
    const log: string[] = [];
    const rows = await measure([subject('A', [1, 3, 2], log), subject('B', [10, 30, 20], log)], options());
    expect(log).toEqual(['A', 'B', 'B', 'A', 'A', 'B']);
    expect(rows.map(({ metric, value, samples, low, high }) => ({ metric, value, samples, low, high }))).toEqual([
      { metric: 'A', value: 2, samples: [1, 3, 2], low: 1, high: 3 },
      { metric: 'B', value: 20, samples: [10, 30, 20], low: 10, high: 30 },
    ]);
    rows.map(checkRow);
  });

  it('repeats what ran on far cores, and then counts the near ones alone', async () => {
    // before and after of each repetition: near, far, mixed, near
    const rttNs = [100, 110, 500, 510, 100, 500, 100, 100];
    const rows = await measure(
      [subject('A', [1, 999, 999, 2])],
      options({ repetitions: 2, retries: 5, instruments: instruments({ rttNs }) }),
    );
    expect(rows[0]).toMatchObject({
      samples: [1, 2],
      placement: 'near',
      note: '2 far or disturbed repetitions left out',
    });
    expect(rows[0]?.runs?.[0]).toEqual({ rttBeforeNs: 100, rttAfterNs: 110, placement: 'near', foreignCores: 0 });
  });

  it('counts far ones when there is nothing else, and says far', async () => {
    const rttNs = Array.from({ length: 40 }, () => 500);
    const rows = await measure([subject('A', [5, 6, 7])], options({ retries: 0, instruments: instruments({ rttNs }) }));
    expect(rows[0]).toMatchObject({ samples: [5, 6, 7], placement: 'far' });
  });

  it('does not repeat a far one where placement hardly matters', async () => {
    const rttNs = Array.from({ length: 40 }, () => 500);
    const log: string[] = [];
    const rows = await measure(
      [subject('A', [5, 6, 7], log, { placementMatters: false })],
      options({ retries: 9, instruments: instruments({ rttNs }) }),
    );
    expect(log).toHaveLength(3);
    expect(rows[0]).toMatchObject({ placement: 'far' });
  });

  it('repeats beside strangers, and names them when it never was quiet', async () => {
    const quietAtLast = instruments({ foreignCores: [1.5, 0] });
    const [first] = await measure(
      [subject('A', [9, 4])],
      options({ repetitions: 1, retries: 3, instruments: quietAtLast }),
    );
    expect(first).toMatchObject({ value: 4, note: '1 far or disturbed repetition left out' });
    const never = instruments({ foreignCores: [1.5, 1.5] });
    const [second] = await measure([subject('A', [9, 4])], options({ repetitions: 1, retries: 1, instruments: never }));
    expect(second).toMatchObject({ samples: [9, 4], note: 'strangers used 1.5 cores' });
  });

  it('waits for quiet after a repetition that strangers disturbed, and only then', async () => {
    const waits: number[] = [];
    const busyOnce = instruments({ foreignCores: [0, 1.5, 0, 0], waits });
    await measure([subject('A', [1, 2, 3, 4])], options({ retries: 3, patienceMs: 700, instruments: busyOnce }));
    expect(waits).toEqual([700]);
  });

  it("takes the subject's own round trips before its own", async () => {
    const own: Subject = {
      ...subject('A', []),
      run: async () => ({ values: { v: 1 }, rttBeforeNs: 555, rttAfterNs: null }),
    };
    const [row] = await measure([own], options({ repetitions: 1 }));
    expect(row?.runs?.[0]).toMatchObject({ rttBeforeNs: 555, rttAfterNs: null, placement: 'unknown' });
  });

  it('does not run what is missing, and passes its reason on for every metric', async () => {
    const log: string[] = [];
    const metrics = [
      { key: 'a', metric: 'A', unit: 'Gbit/s' },
      { key: 'b', metric: 'B', unit: 'Mpps', paper: 3 },
    ] as const;
    const rows = await measure([subject('A', [], log, { missing: 'iperf3: not installed', metrics })], options());
    expect(log).toEqual([]);
    expect(rows).toHaveLength(2);
    expect(rows[1]).toMatchObject({ metric: 'B', value: null, samples: [], note: 'iperf3: not installed', paper: 3 });
    rows.map(checkRow);
  });

  it('gives up a subject after two failures, and goes on with the others', async () => {
    const log: string[] = [];
    const failing = subject('A', [new Error('first\nat somewhere'), new Error('second'), 3], log);
    const rows = await measure([failing, subject('B', [1, 2, 3], log)], options());
    expect(log.filter((name) => name === 'A')).toHaveLength(2);
    expect(rows[0]).toMatchObject({ value: null, note: 'first' });
    expect(rows[1]).toMatchObject({ value: 2 });
  });

  it('names a failure beside the repetitions that went well', async () => {
    const rows = await measure([subject('A', [7, new Error('3 damaged'), 8])], options({ repetitions: 2, retries: 2 }));
    expect(rows[0]).toMatchObject({ samples: [7, 8], note: '1 failed: 3 damaged' });
  });

  it('starts nothing after the time allowed, and says so', async () => {
    const rows = await measure(
      [subject('A', [1]), subject('B', [2])],
      options({ budgetMs: 15, instruments: instruments({ stepMs: 10 }) }),
    );
    expect(rows[0]).toMatchObject({ value: 1, samples: [1] });
    expect(rows[1]).toMatchObject({ value: null, note: 'the time allowed was used up before its turn' });
  });

  it('starts nothing that took too long before to end in the time allowed, but what is shorter', async () => {
    const log: string[] = [];
    const clock = { nowMs: 0 };
    const lasting = (name: string, ms: number): Subject => ({
      ...subject(name, [], log),
      run: async () => {
        log.push(name);
        clock.nowMs += ms;
        return { values: { v: 1 } };
      },
    });
    const still = { ...instruments(), nowMs: () => clock.nowMs };
    await measure([lasting('A', 60), lasting('B', 10)], options({ budgetMs: 125, instruments: still }));
    // A B (70 ms), B (80); A would end at 140.
    expect(log).toEqual(['A', 'B', 'B', 'B']);
  });

  it('says which figure a measurement did not give', async () => {
    const rows = await measure([{ ...subject('A', []), run: async () => ({ values: {} }) }], options());
    expect(rows[0]).toMatchObject({ value: null, note: 'the measurement gave no such figure' });
  });

  it('ends when interrupted', async () => {
    const interrupt = new AbortController();
    const stopping: Subject = {
      ...subject('A', []),
      run: async () => {
        interrupt.abort(new Error('interrupted'));
        throw new Error('killed');
      },
    };
    await expect(measure([stopping], options({ signal: interrupt.signal }))).rejects.toThrow('interrupted');
  });
});
