import { describe, expect, it } from 'vitest';
import { nodeStatus } from '../../test/fixtures/node-status.ts';
import type { MetricsSample, NodeMetrics, PartitionInfo } from '../index.ts';
import { formatPartition } from './break.ts';
import { describeFailure } from './failure.ts';
import { formatLive, formatMetricsLine, latencyText, rateText } from './lab-table.ts';
import { LiveRegion } from './live.ts';
import { formatTable } from './output.ts';
import { createProgram } from './program.ts';
import { divide } from './run.ts';
import { countersNamed, formatCounters } from './stat.ts';

describe('help', () => {
  it('is published as docs/generated/cli.md (vitest -u writes it)', async () => {
    const program = createProgram();
    const commands = program.commands.flatMap((one) => [one, ...one.commands]);
    const sections = [program, ...commands].map((command) => {
      let text = '';
      command.configureOutput({ writeOut: (part) => void (text += part), getOutHelpWidth: () => 100 });
      command.outputHelp();
      const parent = command.parent === program ? '' : `${command.parent?.name()} `;
      const title = command === program ? '`mk`, `multikernel`' : `\`mk ${parent}${command.name()}\``;
      return `## ${title}\n\n\`\`\`\n${text.trimEnd()}\n\`\`\`\n`;
    });
    const page = `# The command line\n\nWritten from the help texts of the commands.\n\n${sections.join('\n')}`;
    await expect(page).toMatchFileSnapshot('../../docs/generated/cli.md');
  });

  it('has a summary for every command, and --json on all that print data', () => {
    const commands = createProgram().commands;
    expect(commands.filter((command) => command.summary() === '').map((command) => command.name())).toEqual([]);
    const withJson = commands.filter((c) => c.options.some((o) => o.long === '--json')).map((c) => c.name());
    expect(withJson).toEqual([
      'up',
      'test',
      'down',
      'ls',
      'ps',
      'logs',
      'forward',
      'break',
      'heal',
      'start',
      'stop',
      'restart',
      'kill',
      'pause',
      'resume',
      'stat',
      'top',
      'packetdrill',
      'bench',
      'doctor',
    ]);
  });
});

describe('tables', () => {
  const metrics = (name: string, more: Partial<NodeMetrics> = {}): NodeMetrics => ({
    node: name,
    up: true,
    requestsPerSec: null,
    role: null,
    p50Ms: null,
    p99Ms: null,
    inFlight: 0,
    connections: 0,
    memoryBytes: 1_200_000,
    memoryMaxBytes: 64 << 20,
    retransmits: 0,
    retransmitsInInterval: 0,
    inPacketsPerSec: 10,
    outPacketsPerSec: 5,
    ...more,
  });
  const busy = metrics('api', {
    requestsPerSec: 812.4,
    p50Ms: 3.14,
    connections: 9,
    memoryBytes: 830_000,
    retransmits: 7,
    retransmitsInInterval: 2,
  });
  const sample: MetricsSample = { atMs: 3001, nodes: [busy, metrics('gw'), metrics('db', { up: false })] };

  it('line up and end without blanks', () => {
    expect(
      formatTable(
        ['A', 'LONG'],
        [
          ['aaa', 'b'],
          ['c', ''],
        ],
      ),
    ).toBe('A    LONG\naaa  b\nc\n');
  });

  it('show metrics in a line and in a table', () => {
    expect(formatMetricsLine(sample)).toBe(
      '  3s  api 812 req/s p50 3.1 ms 9 conns 7 (+2) rexmt | gw 15 frames/s | db down\n',
    );
    const partition: PartitionInfo = { id: 'partition1', a: ['api'], b: ['db'], oneWay: true, how: 'blackhole' };
    expect(
      formatLive([nodeStatus('api'), nodeStatus('db', { phase: 'exited', state: 'exited 0' })], sample, [partition]),
    ).toBe(
      'NAME  KIND  ADDRESSES     PLACEMENT  PROGRAM  REQ/S  P50     CONNS  MEM       REXMT   STATE\n' +
        'api   node  10.0.0.10/24  -          -        812    3.1 ms  9      811K/64M  7 (+2)  ready\n' +
        'db    node  10.0.0.10/24  -          -        -      -       -      -         -       exited 0\n' +
        'api -> db: blackhole, one way, from api; heal with: mk heal api db\n',
    );
  });

  it('round as people read', () => {
    expect([null, 0, 3.21, 999.7, 12_345, 123_456].map(rateText)).toEqual(['-', '0', '3.2', '1000', '12.3k', '123k']);
    expect([null, 0.4242, 3.14, 250.4, 1234].map(latencyText)).toEqual(['-', '0.42 ms', '3.1 ms', '250 ms', '1.2 s']);
  });

  it('name partitions and how to heal them', () => {
    const partition: PartitionInfo = { id: 'c', a: ['a', 'b'], b: ['c'], oneWay: false, how: 'reject' };
    expect(formatPartition(partition)).toBe('a,b x c: reject, both ways; heal with: mk heal a,b c\n');
  });

  it('list counters that are not 0', () => {
    const blocks = [{ name: 'api', values: { 'tcp-in': 3, 'tcp-out': 0, 'http.server.us.4': 9 } }];
    expect(formatCounters(blocks, '', false)).toBe('BLOCK  COUNTER  VALUE\napi    tcp-in   3\n');
    expect(formatCounters(blocks, 'out', true)).toContain('tcp-out  0\n');
    expect(formatCounters(blocks, 'tcp', false)).not.toContain('tcp-out');
  });

  it('list counters asked for by name that are all 0', () => {
    const blocks = [{ name: 'api', values: { 'tcp-in': 3, 'tcp-out': 0 } }];
    expect(formatCounters(blocks, 'tcp-out', false)).toBe('BLOCK  COUNTER  VALUE\napi    tcp-out  0\n');
  });

  it('take the counters of a name out of the blocks that have them', () => {
    const blocks = [
      { name: 'api', values: { 'tcp-in': 3, 'tcp-out': 0 } },
      { name: 'api/eth0', values: { rxFrames: 1 } },
    ];
    expect(countersNamed(blocks, 'tcp-o')).toEqual([{ name: 'api', values: { 'tcp-out': 0 } }]);
  });
});

describe('the live region', () => {
  it('redraws in place, lets lines scroll by, and cuts what does not fit', () => {
    let text = '';
    const region = new LiveRegion({
      write: () => {},
      error: () => {},
      control: (t) => void (text += t),
      terminal: true,
      columns: 21,
      rows: 6,
    });
    region.show('one\ntwo\n');
    expect(text).toBe('one\ntwo\n');
    text = '';
    region.print('a log');
    expect(text).toBe('\x1b[2A\r\x1b[Ja log\none\ntwo\n');
    text = '';
    region.print('a \x1b[2J\x1b]0;title\x07 \x9b5A bottom\rOVER\tTAB\n');
    region.show('a\x1b[2J\n\x7f\r\n');
    expect(text).toBe(
      '\x1b[2A\r\x1b[Ja \\x1b[2J\\x1b]0;title\\x07 \\x9b5A bottom\\x0dOVER\tTAB\none\ntwo\n' +
        '\x1b[2A\r\x1b[Ja\\x1b[2J\n\\x7f\\x0d\n',
    );
    text = '';
    region.show(`${'x'.repeat(50)}\n2\n3\n4\n5\n6\n`);
    expect(text).toBe(`\x1b[2A\r\x1b[J${'x'.repeat(20)}\n2\n3\n4\n... and 2 more\n`);
  });
});

describe('mk run', () => {
  it.each([
    ['-- a.js -x', [], ['a.js', '-x']],
    ['a.js -- -x', [], ['a.js', '--', '-x']],
    ['--inspect a.js', ['--inspect'], ['a.js']],
    ['-r x.js -- a.js', ['-r', 'x.js'], ['a.js']],
    ['-r x.js -- a.js -- b', ['-r', 'x.js'], ['a.js', '--', 'b']],
    ['--cpu-prof-interval 200 a.js 3', ['--cpu-prof-interval', '200'], ['a.js', '3']],
    ['--cpu_prof_interval 200 a.js', ['--cpu_prof_interval', '200'], ['a.js']],
    ['--title=x --stack-trace-limit 5 -- a.js', ['--title=x', '--stack-trace-limit', '5'], ['a.js']],
    ['--enable-source-maps a.js --title b', ['--enable-source-maps'], ['a.js', '--title', 'b']],
    ['--import x.js -e 1 -- -x', ['--import', 'x.js'], ['-e', '1', '--', '-x']],
    ['--test --test-reporter tap a.js', [], ['--test', '--test-reporter', 'tap', 'a.js']],
    ['--title', ['--title'], []],
    ['', [], []],
  ])('%j is divided between Node and the program', (line, nodeFlags, program) => {
    const words = line.split(' ').filter((word) => word !== '');
    expect(divide(words)).toEqual({ nodeFlags, program });
  });
});

describe('failures', () => {
  it('are one line', () => {
    expect(describeFailure(new Error('first\nsecond'))).toEqual({ line: 'first', exitCode: 2 });
    expect(describeFailure('text')).toEqual({ line: 'text', exitCode: 2 });
  });
});
