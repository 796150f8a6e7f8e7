/**
 * Runs the `checks:` of a lab: each at its time, or again and again until it holds or its time is over.
 *
 * Thread: the supervisor's. Read first: CheckConfig in config.ts.
 */

import { pingStream } from '../tools/ping-stream.ts';
import { TcpConnection } from '../tools/tcp-connection.ts';
import type { CheckConfig } from './config.ts';
import { httpGet } from './http-client.ts';
import type { CheckResult, LabBackend, NodeMetrics } from './operations.ts';
import { formatDuration } from './quantity.ts';
import { withoutBrackets } from './references.ts';
import { stateHolds } from './state.ts';

const AGAIN_MS = 100;
const ATTEMPT_MS = 2000;
const METRIC_INTERVAL_MS = 1000;

type CheckedLab = Pick<LabBackend, 'request' | 'open' | 'kernel'>;

/** '' when the check holds, otherwise why it does not. */
type Verdict = string;

export class CheckRunner {
  readonly #results: CheckResult[];
  readonly #checks: readonly CheckConfig[];
  readonly #lab: CheckedLab;
  readonly #timers: Set<NodeJS.Timeout> = new Set();
  #startedMs = 0;
  #stopped = false;

  constructor(checks: readonly CheckConfig[], lab: CheckedLab) {
    this.#checks = checks;
    this.#lab = lab;
    this.#results = checks.map((check, index) => ({
      index,
      title: checkTitle(check),
      state: 'pending',
      reason: '',
      atMs: null,
    }));
  }

  /** The lab is up: time 0 of the checks. */
  start(): void {
    this.#startedMs = performance.now();
    this.#checks.forEach((check, index) => {
      this.#after(check.atMs ?? 0, () => this.#attempt(check, this.#results[index] as CheckResult));
    });
  }

  /** The lab ends: what has not passed by now never will. */
  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** As they stand. A pending check says why it does not hold yet. */
  results(): CheckResult[] {
    return this.#results.map((result) => ({ ...result }));
  }

  #after(ms: number, what: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      what();
    }, ms);
    timer.unref();
    this.#timers.add(timer);
  }

  async #attempt(check: CheckConfig, result: CheckResult): Promise<void> {
    let verdict: Verdict;
    try {
      verdict = await evaluate(check, this.#lab);
    } catch (error) {
      verdict = error instanceof Error ? error.message : String(error);
    }
    if (this.#stopped) return;
    const elapsedMs = Math.round(performance.now() - this.#startedMs);
    result.reason = verdict;
    if (verdict === '' || check.atMs !== null || elapsedMs >= check.withinMs) {
      result.state = verdict === '' ? 'passed' : 'failed';
      result.atMs = elapsedMs;
    } else {
      this.#after(AGAIN_MS, () => this.#attempt(check, result));
    }
  }
}

/** The check in words. */
export function checkTitle(check: CheckConfig): string {
  const when = check.atMs === null ? `within ${formatDuration(check.withinMs)}` : `at ${formatDuration(check.atMs)}`;
  const limits = [
    check.above === null ? '' : ` above ${check.above}`,
    check.below === null ? '' : ` below ${check.below}`,
  ].join('');
  const body = check.body === null ? '' : ` with "${check.body}"`;
  switch (check.kind) {
    case 'http':
      return `${when}: ${check.target} from ${check.from}: ${check.expect ?? 200}${body}`;
    case 'tcp':
      return `${when}: connect to ${check.target} from ${check.from}: ${check.expect ?? 'open'}`;
    case 'ping':
      return `${when}: ping ${check.target} from ${check.from}: ${check.expect ?? 'reply'}`;
    case 'state':
      return `${when}: ${check.target} is ${check.expect}`;
    case 'metric':
      return `${when}: ${check.target} of ${check.of}${limits}`;
  }
}

async function evaluate(check: CheckConfig, lab: CheckedLab): Promise<Verdict> {
  switch (check.kind) {
    case 'http':
      return checkHttp(check, lab);
    case 'tcp':
      return checkTcp(check, lab);
    case 'ping':
      return checkPing(check, lab);
    case 'state':
      return checkState(check, lab);
    case 'metric':
      return checkMetric(check, lab);
  }
}

async function checkHttp(check: CheckConfig, lab: CheckedLab): Promise<Verdict> {
  const signal = AbortSignal.timeout(ATTEMPT_MS);
  const response = await httpGet(lab.kernel(check.from as string), check.target, { signal });
  const wanted = Number(check.expect ?? 200);
  if (response.status !== wanted) return `status ${response.status}, expected ${wanted}`;
  if (check.body !== null && !response.body.includes(check.body)) return `the body does not contain "${check.body}"`;
  return '';
}

async function checkTcp(check: CheckConfig, lab: CheckedLab): Promise<Verdict> {
  const colon = check.target.lastIndexOf(':');
  const [host, port] = [withoutBrackets(check.target.slice(0, colon)), Number(check.target.slice(colon + 1))];
  const wanted = check.expect ?? 'open';
  const found = await new Promise<string>((resolve) => {
    const socket = new TcpConnection(lab.kernel(check.from as string), host, port);
    const timer = setTimeout(() => socket.destroy(new Error('timeout')), ATTEMPT_MS);
    socket.once('connect', () => resolve('open'));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.message === 'timeout' ? 'timeout' : error.code === 'ECONNREFUSED' ? 'refused' : error.message);
    });
    socket.once('close', () => clearTimeout(timer));
    socket.once('connect', () => socket.destroy());
  });
  return found === wanted ? '' : `${found}, expected ${wanted}`;
}

async function checkPing(check: CheckConfig, lab: CheckedLab): Promise<Verdict> {
  const options = { host: check.target, count: 1, intervalMs: 1000, payloadBytes: 56, ttl: 64, waitMs: 1000 };
  let received = 0;
  for await (const event of pingStream(lab.kernel(check.from as string), options)) {
    if (event.type === 'end') received = event.received;
  }
  const found = received > 0 ? 'reply' : 'none';
  const wanted = check.expect ?? 'reply';
  return found === wanted ? '' : `${found}, expected ${wanted}`;
}

async function checkState(check: CheckConfig, lab: CheckedLab): Promise<Verdict> {
  const { nodes } = await lab.request('info', {});
  const status = nodes.find((node) => node.name === check.target);
  if (status === undefined) return 'no such node';
  return stateHolds(status, check.expect as string) ? '' : status.state;
}

async function checkMetric(check: CheckConfig, lab: CheckedLab): Promise<Verdict> {
  const node = check.of as string;
  const value = await metricOf(node, check.target, lab);
  if (value === null) return `no metric "${check.target}" of ${node}`;
  if (check.above !== null && !(value > check.above)) return `${round(value)} is not above ${check.above}`;
  if (check.below !== null && !(value < check.below)) return `${round(value)} is not below ${check.below}`;
  return '';
}

function round(value: number): number {
  return Number(value.toFixed(3));
}

const METRICS: Readonly<Record<string, (metrics: NodeMetrics) => number | null>> = {
  'requests/s': (metrics) => metrics.requestsPerSec ?? 0,
  p50: (metrics) => metrics.p50Ms,
  p99: (metrics) => metrics.p99Ms,
  connections: (metrics) => metrics.connections,
  retransmits: (metrics) => metrics.retransmits,
  inFlight: (metrics) => metrics.inFlight,
};

/** A metric over one second, or the value of a counter. */
async function metricOf(node: string, metric: string, lab: CheckedLab): Promise<number | null> {
  const read = METRICS[metric];
  if (read === undefined) {
    const blocks = await lab.request('counters', { node });
    return blocks.find((block) => block.values[metric] !== undefined)?.values[metric] ?? null;
  }
  return new Promise((resolve) => {
    let found: number | null = null;
    const handle = lab.open(
      'metrics',
      { intervalMs: METRIC_INTERVAL_MS },
      {
        event: (sample) => {
          const metrics = sample.nodes.find((candidate) => candidate.node === node);
          found = metrics === undefined ? null : read(metrics);
          handle.close();
        },
        end: () => resolve(found),
      },
    );
  });
}
