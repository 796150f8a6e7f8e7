import { describe, expect, it } from 'vitest';
import { Progress } from './progress.ts';
import { missingRow, type Row } from './row.ts';
import { shown, table } from './table.ts';

describe('progress', () => {
  it('says nothing in a pipe', () => {
    const written: string[] = [];
    const progress = new Progress({ write: (text) => written.push(text) });
    progress.show('half way');
    progress.clear();
    expect(written).toEqual([]);
  });

  it('redraws one line on a terminal, cut to its width, and removes it', () => {
    const written: string[] = [];
    const progress = new Progress({ isTTY: true, columns: 10, write: (text) => written.push(text) });
    progress.clear();
    progress.show('0123456789abc');
    progress.clear();
    expect(written).toEqual(['\r\u001b[K01234567…', '\r\u001b[K']);
  });
});

describe('table', () => {
  it('shows value, range, marks, comparison and reasons', () => {
    const rows: Row[] = [
      {
        bench: 'b',
        metric: 'UDP 1500 B',
        system: 'multikernel',
        unit: 'Gbit/s',
        value: 81.234,
        samples: [80, 81.234, 83],
        placement: 'near',
        quiet: true,
        low: 80,
        high: 83,
        runs: [100, 120, 90].map((rttBeforeNs) => ({
          rttBeforeNs,
          rttAfterNs: null,
          placement: 'near' as const,
          foreignCores: 0,
        })),
        baseline: 'C ring',
        ratio: 0.25,
        paper: 78.79,
      },
      missingRow('b', 'Linux', { key: '', metric: 'iperf3', unit: 'Gbit/s' }, 'iperf3: not installed'),
    ];
    expect(table(rows)).toBe(
      [
        'METRIC      VALUE  UNIT     LOW–HIGH  N  PLACEMENT        RTT  VERSUS                    NOTE',
        'UDP 1500 B   81.2  Gbit/s  80.0–83.0  3  near       90–120 ns  0.25× C ring, paper 78.8',
        'iperf3          -  Gbit/s                                                                iperf3: not installed',
        '',
      ].join('\n'),
    );
  });

  it('writes numbers as people read them', () => {
    expect([123456.7, 123.4, 12.34, 1.234, 0.1234, 0.01234, 0].map(shown)).toEqual([
      '123457',
      '123',
      '12.3',
      '1.23',
      '0.12',
      '0.012',
      '0.00',
    ]);
  });
});
