/** Reports of a host about a group, second by second (RFC 3376 5 and 7.2, RFC 3810 6 and 8.2). */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../base/rng.ts';
import { admits, mergeFilters, NO_SOURCE, type SourceFilter } from '../../net/source-filter.ts';
import { type GroupRecord, packRecords, RECORD_IS_EXCLUDE, RECORD_IS_INCLUDE } from './group-records.ts';
import { type GroupQuery, GroupReports } from './group-reports.ts';

const S = 1_000_000;
const G = 0xe8000001 | 0;
const H = 0xe8000002 | 0;
const TYPES = ['', 'IS_IN', 'IS_EX', 'TO_IN', 'TO_EX', 'ALLOW', 'BLOCK'];

const include = (...sources: number[]): SourceFilter => ({ exclude: false, sources: new Set(sources) });
const exclude = (...sources: number[]): SourceFilter => ({ exclude: true, sources: new Set(sources) });

/** One link; every random wait is `part` of the longest. */
class Link {
  part = 0.5;
  readonly said: string[] = [];
  readonly reports: GroupReports = new GroupReports(
    { next32: () => (this.part * 2 ** 32) | 0 },
    {
      records: (records, nowUs) => {
        const text = records.map(({ type, group, sources }) => `${TYPES[type]}${name(group)}(${sources.join(' ')})`);
        this.said.push(`${nowUs / S}s ${text.join(' ')}`);
      },
      oldReport: (group, version, nowUs) => this.said.push(`${nowUs / S}s report${version}${name(group)}`),
      oldLeave: (group, version, nowUs) => this.said.push(`${nowUs / S}s leave${version}${name(group)}`),
    },
    () => 3,
  );

  /** Run every timer until `sec`; what was said since last asked. */
  until(sec: number): string[] {
    while (this.reports.deadlineUs <= sec * S) this.reports.run(this.reports.deadlineUs);
    return this.said.splice(0);
  }

  query(sec: number, fields: Partial<GroupQuery> = {}): void {
    const query = { group: 0, sources: [], maxDelayUs: 10 * S, robustness: 2, intervalUs: 125 * S, ...fields };
    this.reports.query(query, sec * S);
  }
}

function name(group: number): string {
  return group === G ? 'g' : 'h';
}

describe('Filters of an interface (RFC 3376 3.2)', () => {
  it('follow from those of its sockets, as the examples there have it', () => {
    expect(mergeFilters([exclude(1, 2, 3, 4), exclude(2, 3, 4, 5), include(4, 5, 6)])).toEqual(exclude(2, 3));
    expect(mergeFilters([include(1, 2, 3), include(2, 3, 4)])).toEqual(include(1, 2, 3, 4));
    expect(mergeFilters([])).toEqual(NO_SOURCE);
  });

  it('admit what any socket admits, and nothing that every socket refuses', () => {
    const filter = fc.record({ exclude: fc.boolean(), sources: fc.array(fc.nat(7)).map((list) => new Set(list)) });
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 5 }), fc.nat(8), (members, source) => {
        const wanted = members.some((one) => admits(one, source));
        expect(admits(mergeFilters(members), source)).toBe(wanted);
      }),
    );
  });
});

describe('Changes (RFC 3376 5.1)', () => {
  it('are reported at once and once more', () => {
    const link = new Link();
    link.reports.changed(G, exclude(), 1 * S);
    expect(link.until(60)).toEqual(['1s TO_EXg()', '1.5s TO_EXg()']);
    link.reports.changed(G, NO_SOURCE, 60 * S);
    expect(link.until(90)).toEqual(['60s TO_INg()', '60.5s TO_INg()']);
    expect(link.reports.size).toBe(0);
  });

  it('name sources that come and go', () => {
    const link = new Link();
    link.reports.changed(G, include(1, 2), 0);
    expect(link.until(9)).toEqual(['0s ALLOWg(1 2)', '0.5s ALLOWg(1 2)']);
    link.reports.changed(G, include(2, 3), 10 * S);
    expect(link.until(19)).toEqual(['10s ALLOWg(3) BLOCKg(1)', '10.5s ALLOWg(3) BLOCKg(1)']);
    link.reports.changed(G, exclude(2), 20 * S);
    expect(link.until(29)).toEqual(['20s TO_EXg(2)', '20.5s TO_EXg(2)']);
    link.reports.changed(G, exclude(2, 4), 30 * S);
    expect(link.until(39)).toEqual(['30s BLOCKg(4)', '30.5s BLOCKg(4)']);
    link.reports.changed(G, NO_SOURCE, 40 * S);
    expect(link.until(49)).toEqual(['40s TO_INg()', '40.5s TO_INg()']);
    link.reports.changed(G, include(1), 50 * S);
    link.until(59);
    link.reports.changed(G, NO_SOURCE, 60 * S);
    expect(link.until(69)).toEqual(['60s BLOCKg(1)', '60.5s BLOCKg(1)']);
  });

  it('that follow each other are merged, and each is said often enough', () => {
    const link = new Link();
    link.reports.changed(G, include(1), 0);
    link.reports.changed(G, include(1, 2), 0.2 * S);
    expect(link.until(9)).toEqual(['0s ALLOWg(1)', '0.2s ALLOWg(1 2)', '0.7s ALLOWg(2)']);
    link.reports.changed(G, exclude(), 10 * S);
    link.reports.changed(G, exclude(5), 10.1 * S);
    // The source rides in reports of the mode until those are through.
    expect(link.until(19)).toEqual(['10s TO_EXg()', '10.1s TO_EXg(5)', '10.6s BLOCKg(5)']);
    link.reports.changed(G, NO_SOURCE, 20 * S);
    link.reports.changed(G, exclude(), 20.1 * S);
    expect(link.until(29)).toEqual(['20s TO_INg()', '20.1s TO_EXg()', '20.6s TO_EXg()']);
  });

  it('are repeated as often as the querier asks (RFC 3376 4.1.6)', () => {
    const link = new Link();
    link.query(0, { robustness: 4 });
    link.reports.changed(G, exclude(), 1 * S);
    expect(link.until(4)).toEqual(['1s TO_EXg()', '1.5s TO_EXg()', '2s TO_EXg()', '2.5s TO_EXg()']);
  });
});

describe('Said again (RFC 3590 4)', () => {
  it('every group, as if it had just been joined', () => {
    const link = new Link();
    link.reports.changed(G, exclude(1), 0);
    link.reports.changed(H, include(1), 0.1 * S);
    link.reports.repeat(0.2 * S);
    expect(link.until(9).slice(2)).toEqual(['0.2s TO_EXg(1)', '0.2s ALLOWh(1)', '0.7s TO_EXg(1) ALLOWh(1)']);
  });
});

describe('Queries (RFC 3376 5.2)', () => {
  function member(): Link {
    const link = new Link();
    link.reports.changed(G, exclude(9), 0);
    link.reports.changed(H, include(1, 2), 0);
    link.until(9);
    return link;
  }

  it('general ones: everything in one report, within the time granted', () => {
    const link = member();
    link.query(10);
    expect(link.until(59)).toEqual(['15s IS_EXg(9) IS_INh(1 2)']);
  });

  it('a second general query does not put the answer off', () => {
    const link = member();
    link.query(10);
    link.query(14);
    link.query(14.1, { maxDelayUs: 1 * S });
    expect(link.until(59)).toEqual(['14.6s IS_EXg(9) IS_INh(1 2)']);
  });

  it('about a group: its state; about one that nobody is in: nothing', () => {
    const link = member();
    link.query(10, { group: G });
    link.query(10, { group: 0xe8000077 | 0 });
    expect(link.until(59)).toEqual(['15s IS_EXg(9)']);
  });

  it('about sources: those of them that are heard', () => {
    const link = member();
    link.query(10, { group: H, sources: [2, 3] });
    link.query(10, { group: G, sources: [9, 3], maxDelayUs: 8 * S });
    expect(link.until(59)).toEqual(['14s IS_INg(3)', '15s IS_INh(2)']);
    link.query(60, { group: H, sources: [7] });
    expect(link.until(99)).toEqual([]);
  });

  it('about sources and then others of the same group: all of them, at the earlier time', () => {
    const link = member();
    link.query(10, { group: H, sources: [1] });
    link.query(11, { group: H, sources: [2], maxDelayUs: 2 * S });
    expect(link.until(59)).toEqual(['12s IS_INh(1 2)']);
    link.query(60, { group: H, sources: [1] });
    link.query(61, { group: H });
    link.query(62, { group: H, sources: [2] });
    expect(link.until(99)).toEqual(['65s IS_INh(1 2)']);
  });

  it('about more sources than are remembered: the whole group', () => {
    const link = member();
    link.query(10, { group: H, sources: [1, 5, 6, 7] });
    expect(link.until(59)).toEqual(['15s IS_INh(1 2)']);
  });

  it('are not answered twice when a general one is answered sooner', () => {
    const link = member();
    link.query(10, { maxDelayUs: 2 * S });
    link.query(10, { group: G });
    expect(link.until(59)).toEqual(['11s IS_EXg(9) IS_INh(1 2)']);
  });
});

describe('Older versions (RFC 3376 7.2.1, RFC 2236 3)', () => {
  it('are spoken after a query of theirs, and given up 260 s later', () => {
    const link = new Link();
    link.reports.changed(G, exclude(1), 0);
    link.until(9);
    link.reports.oldQuery(1, 0, 10 * S, 10 * S);
    expect(link.until(20)).toEqual(['15s report1g']);
    link.reports.changed(H, include(1), 20 * S);
    expect(link.until(40)).toEqual(['20s report1h', '25s report1h']);
    link.reports.changed(H, include(2), 40 * S);
    link.reports.changed(H, NO_SOURCE, 41 * S);
    expect(link.until(50)).toEqual(['41s leave1h']);
    expect([link.reports.version(269 * S), link.reports.version(270 * S)]).toEqual([1, 0]);
    link.reports.changed(H, exclude(), 270 * S);
    expect(link.until(299)).toEqual(['270s TO_EXh()', '270.5s TO_EXh()']);
  });

  it('end what was planned in the newer one', () => {
    const link = new Link();
    link.reports.changed(G, exclude(), 0);
    link.reports.oldQuery(1, 0, 2 * S, 0.1 * S);
    expect(link.until(9)).toEqual(['0s TO_EXg()', '1.1s report1g']);
  });

  it('the oldest one heard counts; a query of a newer one is answered in the older', () => {
    const link = new Link();
    link.reports.changed(G, exclude(), 0);
    link.until(9);
    link.reports.oldQuery(2, 0, 10 * S, 10 * S);
    link.reports.oldQuery(1, 0, 10 * S, 11 * S);
    expect(link.until(19)).toEqual(['15s report2g']);
    link.query(20, { group: G, sources: [1], maxDelayUs: 2 * S });
    expect(link.until(29)).toEqual(['21s report2g']);
    link.reports.changed(G, NO_SOURCE, 30 * S);
    expect(link.until(39)).toEqual(['30s leave2g']);
  });

  it('one report on the link is enough; who did not send it does not say that it leaves', () => {
    const link = new Link();
    link.reports.oldQuery(1, 0, 10 * S, 0);
    link.reports.changed(G, exclude(), 1 * S);
    link.until(9);
    link.reports.oldQuery(1, G, 10 * S, 10 * S);
    link.reports.reportReceived(G, 12 * S);
    expect(link.until(29)).toEqual([]);
    link.reports.changed(G, NO_SOURCE, 30 * S);
    expect(link.until(39)).toEqual([]);
  });

  it('a query that grants less time makes the answer come sooner, one that grants more does not put it off', () => {
    const link = new Link();
    link.reports.oldQuery(1, 0, 10 * S, 0);
    link.reports.changed(G, exclude(), 0);
    link.until(9);
    link.reports.oldQuery(1, 0, 10 * S, 10 * S);
    link.reports.oldQuery(1, 0, 2 * S, 11 * S);
    link.reports.oldQuery(1, 0, 10 * S, 11.5 * S);
    expect(link.until(29)).toEqual(['12s report1g']);
  });

  it('the time they are believed follows what the last querier said of itself', () => {
    const link = new Link();
    link.query(0, { robustness: 3, intervalUs: 20 * S });
    link.reports.oldQuery(1, 0, 10 * S, 0);
    expect([link.reports.version(69.9 * S), link.reports.version(70 * S)]).toEqual([1, 0]);
  });
});

describe('Records in messages (RFC 3376 4.2.16)', () => {
  const record = (type: number, group: number, count: number): GroupRecord => ({
    type,
    group,
    sources: Array.from({ length: count }, (_, i) => i),
  });

  it('share a message while there is room', () => {
    const records = [record(1, G, 1), record(1, H, 2), record(1, G, 3)];
    expect(packRecords(records, 28, 8, 4).map((message) => message.length)).toEqual([2, 1]);
  });

  it('that are too long go on in further ones, or are cut where they would not add up', () => {
    const whole = packRecords([record(RECORD_IS_INCLUDE, G, 7)], 20, 8, 4);
    expect(whole.map(([one]) => one?.sources)).toEqual([[0, 1, 2], [3, 4, 5], [6]]);
    const cut = packRecords([record(RECORD_IS_EXCLUDE, G, 7)], 20, 8, 4);
    expect(cut.map(([one]) => one?.sources)).toEqual([[0, 1, 2]]);
  });
});

describe('Whatever happens', () => {
  it('a member is reported after the next general query, and nothing is kept of groups that were left', () => {
    const event = fc.record({ kind: fc.nat(5), group: fc.constantFrom(G, H), a: fc.nat(4), waitUs: fc.nat(3 * S) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), fc.nat(), (events, seed) => {
        const rng = new SeededRng(seed);
        const filters = new Map<number, SourceFilter>();
        let said: number[] = [];
        const writer = {
          records: (records: readonly GroupRecord[]) => said.push(...records.map((one) => one.group)),
          oldReport: (group: number) => said.push(group),
          oldLeave: () => {},
        };
        const reports = new GroupReports(rng, writer, () => 3);
        let nowUs = 0;
        const run = (toUs: number): void => {
          for (; reports.deadlineUs <= toUs; ) reports.run(reports.deadlineUs);
          nowUs = toUs;
        };
        for (const { kind, group, a, waitUs } of events) {
          run(nowUs + waitUs);
          if (kind <= 1) {
            const filter = kind === 0 ? exclude(...(a > 2 ? [a] : [])) : include(...(a > 0 ? [a] : []));
            filters.set(group, filter);
            reports.changed(group, filter, nowUs);
          } else if (kind === 2) reports.oldQuery(1 + (a & 1), 0, 10 * S, nowUs);
          else if (kind === 3) reports.reportReceived(group, nowUs);
          else reports.query({ group, sources: [a], maxDelayUs: S, robustness: 0, intervalUs: 0 }, nowUs);
        }
        run(nowUs + 1000 * S);
        said = [];
        reports.query({ group: 0, sources: [], maxDelayUs: S, robustness: 0, intervalUs: 0 }, nowUs);
        run(nowUs + 2 * S);
        const members = [...filters].filter(([, filter]) => filter.exclude || filter.sources.size > 0);
        expect(said.sort()).toEqual(members.map(([group]) => group).sort());
        expect(reports.size).toBe(members.length);
      }),
    );
  });
});
