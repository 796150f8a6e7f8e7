import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CompiledPeers, findTool, runTool } from '../harness/tools.ts';
import { cSubjects } from './c-peers.ts';
import { iperfRates, iperfSubjects } from './iperf3.ts';
import { messagePortSubjects } from './messageport.ts';
import { namespacesMissing, VethPair } from './namespaces.ts';

const emptyPath = mkdtempSync(join(tmpdir(), 'mk-bench-test-'));
afterAll(() => rmSync(emptyPath, { recursive: true, force: true }));
const signal = new AbortController().signal;

describe('with a PATH without tools', () => {
  const peers = new CompiledPeers(emptyPath);

  it('every C row says that there is no compiler', () => {
    for (const quick of [false, true]) {
      const subjects = cSubjects(peers, { ms: 1, quick });
      expect(subjects.length).toBeGreaterThan(10);
      expect(new Set(subjects.map((subject) => subject.missing))).toEqual(new Set(['cc: no C compiler installed']));
    }
  });

  it('every iperf3 row says that it is not installed', () => {
    const subjects = iperfSubjects(peers, { seconds: 1, quick: true, path: emptyPath });
    expect(new Set(subjects.map((subject) => subject.missing))).toEqual(new Set(['iperf3: not installed']));
  });

  it.runIf(process.platform === 'linux')('namespaces need ip', () => {
    expect(namespacesMissing(emptyPath)).toBe('ip: not installed');
  });
});

describe('what iperf3 reports', () => {
  it('is what the receiver got', () => {
    const tcp = { end: { sum_received: { bits_per_second: 24e9, seconds: 1 } } };
    expect(iperfRates(JSON.stringify(tcp), false)).toEqual({ gbps: 24 });
    const udp = { end: { sum: { bits_per_second: 4e9, seconds: 2, packets: 800_000, lost_packets: 200_000 } } };
    expect(iperfRates(JSON.stringify(udp), true)).toEqual({ gbps: 3, mpps: 0.3 });
  });

  it('or its own error', () => {
    expect(() => iperfRates('{"error":"unable to connect to server"}', false)).toThrow(
      'iperf3: unable to connect to server',
    );
    expect(() => iperfRates('{"end":{}}', true)).toThrow('iperf3: no result');
    expect(() => iperfRates('{"end":{}}', false)).toThrow('iperf3: no result');
  });
});

describe.runIf(namespacesMissing() === undefined)('veth pair', () => {
  it('is made with real 1500-byte packets, and removed', async () => {
    const peers = new CompiledPeers();
    const pair = new VethPair(peers);
    const ip = (...args: string[]): Promise<string> => runTool('ip', args, { limitMs: 60_000, signal });
    try {
      expect(await ip('-n', pair.server, '-o', 'address', 'show', 'veth0')).toContain('198.18.0.1/30');
      expect(await ip('-n', pair.client, '-o', 'address', 'show', 'veth0')).toContain('198.18.0.2/30');
      if (findTool('ethtool') !== null || peers.missing() === undefined) pair.offloadsOff();
    } finally {
      pair.remove();
      peers.remove();
    }
    expect(await ip('netns', 'list')).not.toContain(pair.server);
  });
});

it('messages over a port arrive whole', async () => {
  for (const subject of messagePortSubjects({ ms: 5 })) {
    const { values } = await subject.run(signal);
    expect(values.value).toBeGreaterThan(0);
  }
});
