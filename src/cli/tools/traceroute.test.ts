import { describe, expect, it } from 'vitest';
import { toolRun } from '../../../test/fixtures/tool-context.ts';
import type { LabInfo, LabNode, PingEvent } from '../../index.ts';
import type { Tool } from './tool.ts';
import { traceroute, traceroute6 } from './traceroute.ts';

const address = (network: string, text: string): { network: string; address: string; prefixLength: number } => ({
  network,
  address: text,
  prefixLength: 24,
});
const LAB = {
  domain: 'lab',
  networks: [],
  nodes: [
    { name: 'a', addresses: [address('front', '10.0.0.10')] },
    { name: 'gw', addresses: [address('front', '10.0.0.1'), address('back', '10.0.1.1')] },
    { name: 'b', addresses: [address('back', '10.0.1.10'), address('back', 'fd00:1::b')] },
  ],
} as unknown as LabInfo;

const error = (from: string, icmpType: number, icmpCode: number): PingEvent => {
  return { type: 'error', from, sequence: 0, text: '', icmpType, icmpCode, timeMs: 0.25 };
};
const reply = (from: string): PingEvent => {
  return { type: 'reply', from, bytes: 20, sequence: 0, ttl: 63, timeMs: 1.5, duplicate: false };
};

/** A kernel whose pings are answered by what `answers` has for their TTL, in turn; `asked` has what was asked for. */
async function run(tool: Tool, args: string, answers: Record<number, (PingEvent | null)[]>, json = false) {
  const asked: object[] = [];
  const turns: Record<number, number> = {};
  const ping = (host: string, options: { ttl: number }): unknown => {
    const { ttl } = options;
    asked.push({ host, ...options });
    turns[ttl] = (turns[ttl] ?? -1) + 1;
    const row = answers[ttl] ?? [];
    const event = row[turns[ttl] % Math.max(row.length, 1)] ?? null;
    const stream = (async function* () {
      yield { type: 'start' };
      if (event !== null) yield event;
      yield { type: 'end' };
    })();
    return Object.assign(stream, { close: () => {} });
  };
  const { context, said } = toolRun({ name: 'a', ping } as unknown as LabNode, LAB, json);
  const code = await tool.run(context, args.split(' '));
  return { ...said, code, asked };
}

describe('traceroute', () => {
  it('prints who says that the TTL was used up, then the host, three probes each', async () => {
    const { text, code, asked } = await run(traceroute, 'b', {
      1: [error('10.0.0.1', 11, 0)],
      2: [reply('10.0.1.10')],
    });
    expect(text).toBe(`traceroute to b (10.0.1.10), 64 hops max, 40 byte packets
 1  gw (10.0.0.1)  0.250 ms  0.250 ms  0.250 ms
 2  b (10.0.1.10)  1.500 ms  1.500 ms  1.500 ms
`);
    expect(code).toBe(0);
    expect(asked.length).toBe(6);
    expect(asked[0]).toEqual({ host: 'b', count: 1, family: 'inet', payloadBytes: 12, ttl: 1, waitMs: 5000 });
  });

  it('prints stars for silence, addresses alone with -n, others that answer by themselves, and ends at -m', async () => {
    const { text, code } = await run(traceroute, '-n -q 2 -f 2 -m 4 -w 1 b 100', {
      2: [],
      3: [error('10.0.9.1', 11, 0), error('10.0.9.2', 11, 0)],
      4: [null, error('10.0.9.3', 11, 0)],
    });
    expect(text).toBe(`traceroute to b (10.0.1.10), 4 hops max, 100 byte packets
 2  * *
 3  10.0.9.1  0.250 ms 10.0.9.2  0.250 ms
 4  * 10.0.9.3  0.250 ms
`);
    expect(code).toBe(0);
  });

  it('marks errors, and goes no further when nearly all probes end so', async () => {
    const refused = { 1: [error('10.0.0.1', 11, 0)], 2: [error('10.0.1.1', 3, 1)] };
    expect((await run(traceroute, '-n b', refused)).text.split('\n').slice(2)).toEqual([
      ' 2  10.0.1.1  0.250 ms !H  0.250 ms !H  0.250 ms !H',
      '',
    ]);
    const once = { 1: [error('10.0.0.1', 3, 13), error('10.0.0.1', 11, 0), null], 2: [reply('10.0.1.10')] };
    expect((await run(traceroute, '-n b', once)).text.split('\n').slice(1, 3)).toEqual([
      ' 1  10.0.0.1  0.250 ms !X  0.250 ms *',
      ' 2  10.0.1.10  1.500 ms  1.500 ms  1.500 ms',
    ]);
  });

  it('says why nothing goes out, and what is wrong', async () => {
    const failed: PingEvent = { type: 'sendError', sequence: 0, code: 'EHOSTUNREACH' };
    expect(await run(traceroute, 'b', { 1: [failed] })).toMatchObject({
      errors: 'traceroute: sendto: No route to host\n',
      code: 1,
    });
    expect(await run(traceroute, 'nobody', {})).toMatchObject({ errors: 'traceroute: unknown host nobody\n', code: 1 });
    await expect(run(traceroute, '-q x b', {})).rejects.toThrow('-q x: not a number of 1 or more');
    await expect(run(traceroute, 'b 20', {})).rejects.toThrow('packet length 20: not 28 or more');
  });

  it('speaks IPv6 as traceroute6, or when the address is one', async () => {
    const answers = { 1: [error('fe80::1%eth0', 3, 0)], 2: [error('fd00:1::b', 1, 4)] };
    const { text, asked } = await run(traceroute6, '-n b', answers);
    expect(text).toBe(`traceroute6 to b (fd00:1::b), 64 hops max, 12 byte packets
 1  fe80::1%eth0  0.250 ms  0.250 ms  0.250 ms
 2  fd00:1::b  0.250 ms  0.250 ms  0.250 ms
`);
    expect(asked[0]).toMatchObject({ family: 'inet6', payloadBytes: 12 });
    expect((await run(traceroute, '-n fd00:1::b', answers)).text).toContain('traceroute6 to fd00:1::b (fd00:1::b)');
  });

  it('gives the answers as they are with --json', async () => {
    const { text } = await run(traceroute, '-q 1 b', { 1: [reply('10.0.1.10')] }, true);
    expect(JSON.parse(text)).toEqual({ ttl: 1, probe: 0, answer: reply('10.0.1.10') });
  });
});
