/** Views of `mk up` on a terminal and in a pipe, character by character. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { nodeStatus } from '../../test/fixtures/node-status.ts';
import type { MetricsSample, NodeStatus, PartitionInfo } from '../index.ts';
import { formatLab, formatLive } from './lab-table.ts';
import type { Output } from './output.ts';
import { PipeView, TerminalView } from './up-views.ts';

/** One whose program serves. */
function node(name: string, more: Partial<NodeStatus> = {}): NodeStatus {
  const serves: Partial<NodeStatus> = {
    program: 'node server.js',
    placement: 'process',
    phase: 'running',
    state: 'running, listening :80',
  };
  return nodeStatus(name, { ...serves, ...more });
}

const NODES = [
  node('api'),
  node('database', { state: 'crashed 1: TypeError: cannot read properties of undefined' }),
  node('gw', { kind: 'router', program: null, placement: null, state: 'ready' }),
];

function terminal(columns: number): Output & { text: string } {
  const out = {
    text: '',
    terminal: true,
    columns,
    rows: 24,
    write: (part: string) => void (out.text += part),
    error: () => {},
    control: (part: string) => void (out.text += part),
  };
  return out;
}

const SAMPLE: MetricsSample = {
  atMs: 3000,
  nodes: [
    {
      node: 'api',
      up: true,
      requestsPerSec: 812,
      role: 'server',
      p50Ms: 3.14,
      p99Ms: 9,
      inFlight: 0,
      connections: 9,
      memoryBytes: 830_000,
      memoryMaxBytes: 64 << 20,
      retransmits: 7,
      retransmitsInInterval: 0,
      inPacketsPerSec: 10,
      outPacketsPerSec: 5,
    },
  ],
};

describe('the table of a lab', () => {
  it('shows names and states in 40 columns', () => {
    expect(formatLab(NODES, 40)).toBe(
      'NAME      STATE\n' +
        'api       running, listening :80\n' +
        'database  crashed 1: TypeError: cannot read properties of undefined\n' +
        'gw        ready\n',
    );
    expect(formatLive(NODES.slice(0, 1), SAMPLE, [], 40)).toBe(
      'NAME  REQ/S  STATE\napi   812    running, listening :80\n',
    );
    expect(formatLive(NODES, SAMPLE, [], 40)).toBe(
      'NAME      STATE\n' +
        'api       running, listening :80\n' +
        'database  crashed 1: TypeError: cannot read properties of undefined\n' +
        'gw        ready\n',
    );
  });

  it('leaves out no more than it must', () => {
    expect(formatLab(NODES.slice(0, 1), 78)).toBe(
      'NAME  KIND  ADDRESSES     PLACEMENT  PROGRAM         STATE\n' +
        'api   node  10.0.0.10/24  process    node server.js  running, listening :80\n',
    );
    expect(formatLab(NODES.slice(0, 1), 70)).toBe(
      'NAME  KIND  ADDRESSES     PROGRAM         STATE\n' +
        'api   node  10.0.0.10/24  node server.js  running, listening :80\n',
    );
  });
});

describe('mk up on a terminal', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('shows each node as it comes up, then the lab', () => {
    const out = terminal(40);
    const view = new TerminalView(out);
    const coming = (name: string, phase: NodeStatus['phase'], state: string): void =>
      view.coming(node(name, { phase, state }));
    coming('api', 'booting', 'booting');
    coming('gw', 'booting', 'booting');
    expect(out.text).toBe('');
    vi.advanceTimersByTime(40);
    expect(out.text).toBe(
      '0 of 2 kernels up\nNAME  ADDRESSES     STATE\napi   10.0.0.10/24  booting\ngw    10.0.0.10/24  booting\n',
    );
    out.text = '';
    coming('gw', 'ready', 'ready');
    vi.advanceTimersByTime(40);
    expect(out.text).toBe(
      '\x1b[4A\r\x1b[J1 of 2 kernels up\nNAME  ADDRESSES     STATE\napi   10.0.0.10/24  booting\ngw    10.0.0.10/24  ready\n',
    );
    out.text = '';
    coming('api', 'running', 'running');
    view.up('shop: 2 kernels', [node('api')]);
    expect(out.text).toBe(
      '\x1b[4A\r\x1b[Jshop: 2 kernels; Ctrl-C ends it\nNAME  REQ/S  STATE\napi   -      running, listening :80\n',
    );
    out.text = '';
    vi.advanceTimersByTime(1000);
    expect(out.text).toBe('');
  });

  it('takes the nodes away when the lab does not come up', () => {
    const out = terminal(40);
    const view = new TerminalView(out);
    view.coming(node('api', { phase: 'booting', state: 'booting' }));
    vi.advanceTimersByTime(40);
    out.text = '';
    view.fallen();
    expect(out.text).toBe('\x1b[3A\r\x1b[J');
  });

  it('shows no figures where none are wanted', () => {
    const out = terminal(60);
    const view = new TerminalView(out, false);
    view.up('shop: 1 kernel', [node('api')]);
    out.text = '';
    view.metrics(null, []);
    expect(out.text).toBe(
      '\x1b[3A\r\x1b[Jshop: 1 kernel; Ctrl-C ends it\n' +
        'NAME  ADDRESSES     PROGRAM         STATE\n' +
        'api   10.0.0.10/24  node server.js  running, listening :80\n',
    );
  });
});

describe('mk up in a pipe', () => {
  it('writes changes alone where no figures are wanted', () => {
    const out = terminal(80);
    const view = new PipeView(out);
    view.up('shop: 1 kernel', [node('api')]);
    out.text = '';
    const partition: PartitionInfo = { id: 'p', a: ['api'], b: ['db'], oneWay: false, how: 'blackhole' };
    view.metrics(null, [partition]);
    view.metrics(null, []);
    view.state(node('api', { state: 'exited 0' }));
    expect(out.text).toBe(
      'api x db: blackhole, both ways; heal with: mk heal api db\napi - db: healed\napi: exited 0\n',
    );
  });
});
