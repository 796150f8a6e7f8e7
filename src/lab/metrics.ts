/**
 * Live metrics of a lab, computed from the counters in shared memory: nobody is asked, so a busy or hung program is seen
 * as it is.
 *
 * Thread: the supervisor's. Read first: messages.ts (metrics of a program), mem/counters.ts.
 */

import { MS_PER_S, US_PER_MS } from '../base/units.ts';
import {
  HTTP_CLIENT_BUCKET,
  HTTP_CLIENT_IN_FLIGHT,
  HTTP_CLIENT_REQUESTS,
  HTTP_SERVER_BUCKET,
  HTTP_SERVER_REQUESTS,
  LATENCY_BUCKETS,
  latencyOfBucketUs,
} from './messages.ts';
import type { CounterBlock, NodeMetrics } from './operations.ts';

type Values = Readonly<Record<string, number>>;

const NONE: Values = {};

/** Counters of the kernel's block (kernel/kernel-cpu.ts, kernel/memory-limit.ts, inet/tcp/shared/counters.ts). */
const CONNECTIONS_OPEN = 'tcp-connections-open';
const MEMORY_USED = 'memory-used';
const MEMORY_MAX = 'memory-max';
const RETRANSMITS = ['tcp-data-packets-retransmitted', 'tcp-syn-acks-retransmitted'];

/** Turns successive readings of the counters into rates; one per reader. */
export class MetricMeter {
  readonly #nodes: readonly string[];
  readonly #isUp: (node: string) => boolean;
  #before: Map<string, Values> = new Map();
  #beforeMs: number | null = null;

  constructor(nodes: readonly string[], isUp: (node: string) => boolean) {
    this.#nodes = nodes;
    this.#isUp = isUp;
  }

  /** The metrics since the last call; rates of the first call are 0. */
  sample(blocks: readonly CounterBlock[], nowMs: number): NodeMetrics[] {
    const now = new Map(blocks.map((block) => [block.name, block.values]));
    const seconds = this.#beforeMs === null ? 0 : Math.max(0.001, (nowMs - this.#beforeMs) / MS_PER_S);
    const metrics = this.#nodes.map((node) => this.#node(node, now, seconds));
    this.#before = now;
    this.#beforeMs = nowMs;
    return metrics;
  }

  #node(node: string, now: Map<string, Values>, seconds: number): NodeMetrics {
    const kernel = now.get(node) ?? NONE;
    const program = now.get(`${node}/program`) ?? NONE;
    const kernelBefore = this.#before.get(node) ?? NONE;
    const programBefore = this.#before.get(`${node}/program`) ?? NONE;
    const rate = (count: number): number => (seconds === 0 ? 0 : count / seconds);
    const retransmits = sum(kernel, RETRANSMITS);
    const role = roleOf(program);
    const requests = role === 'server' ? HTTP_SERVER_REQUESTS : HTTP_CLIENT_REQUESTS;
    const bucket = role === 'server' ? HTTP_SERVER_BUCKET : HTTP_CLIENT_BUCKET;
    const histogram = seconds === 0 ? [] : histogramOf(program, programBefore, bucket);
    const frames = this.#frames(node, now);
    const up = this.#isUp(node);
    return {
      node,
      up,
      requestsPerSec: role === null ? null : rate(grown(program, programBefore, requests)),
      role,
      p50Ms: quantileMs(histogram, 0.5),
      p99Ms: quantileMs(histogram, 0.99),
      inFlight: up ? (program[HTTP_CLIENT_IN_FLIGHT] ?? 0) : 0,
      connections: up ? (kernel[CONNECTIONS_OPEN] ?? 0) : 0,
      memoryBytes: up ? (kernel[MEMORY_USED] ?? 0) : 0,
      memoryMaxBytes: kernel[MEMORY_MAX] ?? 0,
      retransmits,
      retransmitsInInterval: Math.max(0, retransmits - sum(kernelBefore, RETRANSMITS)),
      inPacketsPerSec: rate(frames.in),
      outPacketsPerSec: rate(frames.out),
    };
  }

  /** Frames since the last reading over the interfaces of a node, lo0 not counted. */
  #frames(node: string, now: Map<string, Values>): { in: number; out: number } {
    const frames = { in: 0, out: 0 };
    for (const [name, values] of now) {
      if (!name.startsWith(`${node}/`) || name.endsWith('/lo0') || name.endsWith('/program')) continue;
      const before = this.#before.get(name) ?? NONE;
      frames.in += grown(values, before, 'rxFrames');
      frames.out += grown(values, before, 'txFrames');
    }
    return frames;
  }
}

/** A node that served requests is a server, whatever else it asks of others. */
function roleOf(program: Values): 'server' | 'client' | null {
  if ((program[HTTP_SERVER_REQUESTS] ?? 0) > 0) return 'server';
  return (program[HTTP_CLIENT_REQUESTS] ?? 0) + (program[HTTP_CLIENT_IN_FLIGHT] ?? 0) > 0 ? 'client' : null;
}

/** A counter that is smaller than before belongs to a program that was started anew. */
function grown(now: Values, before: Values, name: string): number {
  const value = now[name] ?? 0;
  const old = before[name] ?? 0;
  return value >= old ? value - old : value;
}

function sum(values: Values, names: readonly string[]): number {
  return names.reduce((total, name) => total + (values[name] ?? 0), 0);
}

function histogramOf(now: Values, before: Values, prefix: string): number[] {
  return Array.from({ length: LATENCY_BUCKETS }, (_, bucket) => grown(now, before, `${prefix}${bucket}`));
}

/** Milliseconds at a quantile of a histogram of {@link LATENCY_BUCKETS}; null when it is empty. */
export function quantileMs(histogram: readonly number[], quantile: number): number | null {
  const total = histogram.reduce((a, b) => a + b, 0);
  if (total === 0) return null;
  let rest = quantile * total;
  for (let bucket = 0; bucket < histogram.length; bucket++) {
    rest -= histogram[bucket] as number;
    if (rest <= 0) return latencyOfBucketUs(bucket) / US_PER_MS;
  }
  return latencyOfBucketUs(histogram.length - 1) / US_PER_MS;
}
