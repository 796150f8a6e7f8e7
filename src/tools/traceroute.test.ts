import { describe, expect, it } from 'vitest';
import { EchoKernel, hostRecord, virtually } from '../../test/fixtures/echo-kernel.ts';
import { toolRun } from '../../test/fixtures/tool-context.ts';
import type { PingEvent } from './echo.ts';
import type { KernelText } from './kernel-text.ts';
import type { Tool } from './tool.ts';
import { traceroute } from './traceroute.ts';
import { traceroute6 } from './traceroute6.ts';

const HOSTS = [
  hostRecord('a', '10.0.0.10'),
  hostRecord('gw', '10.0.0.1', '10.0.1.1'),
  hostRecord('b', '10.0.1.10', 'fd00:1::b'),
];

const error = (from: string, icmpType: number, icmpCode: number): PingEvent => {
  return { type: 'error', from, sequence: 0, text: '', icmpType, icmpCode, timeMs: 0.25 };
};
const reply = (from: string): PingEvent => {
  return { type: 'reply', from, bytes: 20, sequence: 0, ttl: 63, timeMs: 1.5, duplicate: false };
};

/** A kernel whose requests are answered by what `answers` has for their TTL, in turn; `asked` has the requests. */
async function run(tool: Tool, args: string, answers: Record<number, (PingEvent | null)[]>, json = false) {
  const turns: Record<number, number> = {};
  const kernel = new EchoKernel(HOSTS, (_n, { hops }) => {
    turns[hops] = (turns[hops] ?? -1) + 1;
    const row = answers[hops] ?? [];
    const event = row[turns[hops] % Math.max(row.length, 1)] ?? null;
    return event === null ? [] : [event];
  });
  const { context, said } = toolRun({ client: kernel.client } as Partial<KernelText>, HOSTS, json);
  const code = await virtually(() => tool.run(context, args.split(' ')));
  return { ...said, code, asked: kernel.asked };
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
    expect(asked[0]).toEqual({ to: '10.0.1.10', hops: 1, payloadBytes: 12 });
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
    expect(asked[0]).toMatchObject({ to: 'fd00:1::b', payloadBytes: 12 });
    expect((await run(traceroute, '-n fd00:1::b', answers)).text).toContain('traceroute6 to fd00:1::b (fd00:1::b)');
  });

  it('gives the answers as they are with --json', async () => {
    const { text } = await run(traceroute, '-q 1 b', { 1: [reply('10.0.1.10')] }, true);
    expect(JSON.parse(text)).toEqual({ ttl: 1, probe: 0, answer: reply('10.0.1.10') });
  });
});
