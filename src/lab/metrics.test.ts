import { describe, expect, it } from 'vitest';
import { LATENCY_BUCKETS, latencyBucket, latencyOfBucketUs } from './messages.ts';
import { MetricMeter, quantileMs } from './metrics.ts';

describe('latency buckets', () => {
  it('hold durations within 6 %', () => {
    for (const us of [1.5, 10, 333, 5000, 1e6, 9e6]) {
      expect(Math.abs(latencyOfBucketUs(latencyBucket(us)) / us - 1)).toBeLessThan(0.0601);
    }
    expect([latencyBucket(0), latencyBucket(Number.NaN), latencyBucket(1e12)]).toEqual([0, 0, LATENCY_BUCKETS - 1]);
  });

  it('give quantiles', () => {
    const histogram = new Array(LATENCY_BUCKETS).fill(0);
    expect(quantileMs(histogram, 0.5)).toBeNull();
    histogram[latencyBucket(1000)] = 90;
    histogram[latencyBucket(50_000)] = 10;
    expect(quantileMs(histogram, 0.5)).toBeCloseTo(1, 1);
    expect((quantileMs(histogram, 0.99) as number) / 50).toBeCloseTo(1, 1);
  });
});

describe('metrics', () => {
  const blocks = (requests: number, extra: Record<string, number> = {}, frames = requests) => [
    {
      name: 'api',
      values: {
        'tcp-connections-open': 3,
        'tcp-data-packets-retransmitted': requests / 10,
        'memory-used': 5,
        'memory-max': 9,
      },
    },
    { name: 'api/eth0', values: { rxFrames: frames * 2, txFrames: frames } },
    { name: 'api/lo0', values: { rxFrames: 999, txFrames: 999 } },
    {
      name: 'api/program',
      values: { 'http.server.requests': requests, [`http.server.us.${latencyBucket(2000)}`]: requests, ...extra },
    },
  ];

  it('are rates since the last look', () => {
    const meter = new MetricMeter(['api', 'gw'], () => true);
    expect(meter.sample(blocks(100), 1000)[0]).toMatchObject({ requestsPerSec: 0, p50Ms: null, retransmits: 10 });
    const [api, gw] = meter.sample(blocks(300), 3000);
    expect(api).toMatchObject({
      requestsPerSec: 100,
      role: 'server',
      connections: 3,
      memoryBytes: 5,
      memoryMaxBytes: 9,
      retransmits: 30,
      retransmitsInInterval: 20,
      inPacketsPerSec: 200,
      outPacketsPerSec: 100,
    });
    expect(api?.p50Ms).toBeCloseTo(2, 0);
    expect(gw).toMatchObject({ requestsPerSec: null, role: null, connections: 0 });
  });

  it('survive a program that was started anew', () => {
    const meter = new MetricMeter(['api'], () => true);
    meter.sample(blocks(1000), 0);
    expect(meter.sample(blocks(50), 1000)[0]?.requestsPerSec).toBe(50);
  });

  it('take the client side of a program that serves nobody', () => {
    const meter = new MetricMeter(['api'], () => true);
    const client = {
      'http.client.requests': 7,
      'http.client.inFlight': 2,
      [`http.client.us.${latencyBucket(9000)}`]: 7,
    };
    meter.sample(blocks(0), 0);
    const [api] = meter.sample(blocks(0, client), 1000);
    expect(api).toMatchObject({ role: 'client', requestsPerSec: 7, inFlight: 2 });
    expect(api?.p50Ms).toBeCloseTo(9, 0);
  });

  it('count no connections of a machine that is off', () => {
    const meter = new MetricMeter(['api'], () => false);
    expect(meter.sample(blocks(0), 0)[0]).toMatchObject({ up: false, connections: 0 });
  });
});
