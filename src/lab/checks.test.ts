import { describe, expect, it } from 'vitest';
import { until } from '../../test/fixtures/fake-workers.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import { CheckRunner, checkTitle } from './checks.ts';
import type { CheckConfig } from './config.ts';
import type { LabBackend, NodeMetrics, NodeStatus, StreamSink } from './operations.ts';

const BASE: CheckConfig = {
  kind: 'state',
  target: 'a',
  atMs: 0,
  withinMs: 0,
  from: null,
  of: null,
  above: null,
  below: null,
  expect: null,
  body: null,
};

const B = { family: 4, w0: 0, w1: 0, w2: 0, w3: 0x0a000002, scopeId: 0 };

interface Answers {
  state?: Partial<NodeStatus>;
  received?: number;
  metrics?: Partial<NodeMetrics>;
  /** The answer of the connection, or the code it fails with. */
  http?: string | { code: string };
}

/** A lab in which everything there is to check is as told. */
function labOf(answers: Answers): LabBackend {
  const status = {
    name: 'a',
    phase: 'running',
    listening: { tcp: [80], udp: [] },
    exitCode: null,
    state: 'running',
    ...answers.state,
  };
  const open = (operation: string, _params: unknown, sink: StreamSink<never>) => {
    const event = (value: unknown): void => sink.event(value as never);
    queueMicrotask(() => {
      if (operation === 'metrics') event({ atMs: 0, nodes: [{ node: 'a', ...answers.metrics }] });
      else if (operation === 'connection' && typeof answers.http === 'object') {
        sink.end(Object.assign(new Error('no'), answers.http));
      } else if (operation === 'connection') event({ type: 'connected', local: B, localPort: 0 });
    });
    return {
      send: (input: Input) => {
        if (operation === 'raw') echo(input, answers.received ?? 0, event);
        if (input.type !== 'write' || typeof answers.http !== 'string') return;
        event({ type: 'written' });
        event({ type: 'data', bytes: new TextEncoder().encode(answers.http) });
        event({ type: 'end' });
        sink.end(null);
      },
      close: () => sink.end(null),
    };
  };
  const kernel = {
    control: async (operation: string) =>
      operation === 'host.list' ? { name: 'a', hosts: [{ name: 'b', addresses: [B] }] } : [],
    open,
  };
  return {
    request: async (operation: string) =>
      (operation === 'info' ? { nodes: [status] } : [{ name: 'a', values: { 'ip-forwarded': 7 } }]) as never,
    open: open as LabBackend['open'],
    kernel: () => kernel as unknown as KernelClient,
    close: async () => {},
  };
}

interface Input {
  type?: string;
  id: number;
  bytes: Uint8Array;
}

/** The raw socket says that the request went out, and gives it back as a reply of an IPv4 host, if one is to come. */
function echo({ id, bytes }: Input, replies: number, event: (value: unknown) => void): void {
  event({ type: 'sent', id, timeUs: 0, errno: 0, source: null });
  if (replies === 0) return;
  const packet = new Uint8Array(20 + bytes.length);
  packet.set([0x45, 0, 0, packet.length, 0, 0, 0, 0, 64, 1]);
  packet.set(bytes, 20);
  packet[20] = 0;
  event({ type: 'packet', timeUs: 1000, from: B, bytes: packet });
}

/** `passed`, or why it failed. */
async function verdict(check: Partial<CheckConfig>, answers: Answers): Promise<string> {
  const runner = new CheckRunner([{ ...BASE, ...check }], labOf(answers));
  runner.start();
  await until(() => runner.results()[0]?.state !== 'pending');
  const [result] = runner.results();
  runner.stop();
  return result?.state === 'passed' ? 'passed' : (result?.reason ?? '');
}

describe('checks', () => {
  it('of states', async () => {
    expect(await verdict({ expect: 'listening:80' }, {})).toBe('passed');
    expect(await verdict({ expect: 'exited' }, {})).toBe('running');
  });

  it('of pings', async () => {
    const ping: Partial<CheckConfig> = { kind: 'ping', from: 'a', target: 'b' };
    expect(await verdict(ping, { received: 1 })).toBe('passed');
    expect(await verdict(ping, {})).toBe('none, expected reply');
    expect(await verdict({ ...ping, expect: 'none' }, {})).toBe('passed');
  });

  it('of HTTP', async () => {
    const http: Partial<CheckConfig> = { kind: 'http', from: 'a', target: 'http://b/x' };
    const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello';
    expect(await verdict({ ...http, body: 'ell' }, { http: ok })).toBe('passed');
    expect(await verdict({ ...http, body: 'bye' }, { http: ok })).toBe('the body does not contain "bye"');
    expect(await verdict({ ...http, expect: '404' }, { http: ok })).toBe('status 200, expected 404');
    expect(await verdict(http, { http: { code: 'ECONNREFUSED' } })).toContain('connect');
  });

  it('of connections', async () => {
    const tcp: Partial<CheckConfig> = { kind: 'tcp', from: 'a', target: 'b:80' };
    expect(await verdict(tcp, {})).toBe('passed');
  });

  it('of metrics and counters', async () => {
    const metric: Partial<CheckConfig> = { kind: 'metric', of: 'a', target: 'requests/s', above: 10 };
    expect(await verdict(metric, { metrics: { requestsPerSec: 11 } })).toBe('passed');
    expect(await verdict(metric, { metrics: { requestsPerSec: 9.12345 } })).toBe('9.123 is not above 10');
    expect(await verdict({ ...metric, target: 'p50', above: null, below: 5 }, { metrics: { p50Ms: 4 } })).toBe(
      'passed',
    );
    expect(await verdict({ ...metric, target: 'ip-forwarded', above: 7 }, {})).toBe('7 is not above 7');
    expect(await verdict({ ...metric, target: 'nonsense' }, {})).toBe('no metric "nonsense" of a');
  });

  it('look again until they hold', async () => {
    const answers: Answers = { state: { phase: 'waiting', state: 'waiting for b' } };
    const lab = labOf(answers);
    let looks = 0;
    const changing: LabBackend = {
      ...lab,
      request: (operation, params) => {
        looks++;
        return looks < 3 ? lab.request(operation, params) : labOf({}).request(operation, params);
      },
    };
    const runner = new CheckRunner([{ ...BASE, expect: 'running', atMs: null, withinMs: 60_000 }], changing);
    runner.start();
    await until(() => runner.results()[0]?.reason === 'waiting for b');
    await until(() => runner.results()[0]?.state === 'passed');
    runner.stop();
  });

  it('have titles', () => {
    expect(checkTitle({ ...BASE, atMs: 1500, expect: 'running' })).toBe('at 1.5 s: a is running');
    expect(
      checkTitle({ ...BASE, kind: 'metric', target: 'p50', of: 'a', above: 1, below: 2, atMs: null, withinMs: 5000 }),
    ).toBe('within 5 s: p50 of a above 1 below 2');
  });
});
