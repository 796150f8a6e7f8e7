import { describe, expect, it } from 'vitest';
import { EchoKernel, virtually } from '../../test/fixtures/echo-kernel.ts';
import { HOSTS, run } from '../../test/fixtures/tool-tables.ts';
import type { PingEvent, PingOptions } from './echo.ts';
import { ping, ping6 } from './ping.ts';
import { pingStream } from './ping-stream.ts';
import type { Tool } from './tool.ts';

const REPLY: PingEvent = {
  type: 'reply',
  from: '10.0.1.1',
  bytes: 64,
  sequence: 0,
  ttl: 255,
  timeMs: 0.5,
  duplicate: false,
};
/** Fields of an error of IPv4. */
const EXPIRED = { icmpType: 11, icmpCode: 0, timeMs: 0.25 };

/** Run against a kernel that answers the n-th request with the n-th list. */
async function pinged(tool: Tool, args: string, answers: readonly (readonly PingEvent[])[], source?: string) {
  const kernel = new EchoKernel(HOSTS, (n) => answers[n] ?? [], source ?? null);
  const said = await virtually(() => run(tool, args, { client: kernel.client }));
  return { said, asked: kernel.asked };
}

describe('ping', () => {
  it('prints replies and statistics, and exits with 0', async () => {
    const answers = [[REPLY, { ...REPLY, duplicate: true }], [{ ...REPLY, timeMs: 1.5 }]];
    const { said } = await pinged(ping, '-c 2 gw', answers);
    expect(said.code).toBe(0);
    expect(said.text).toBe(`PING gw (10.0.1.1): 56 data bytes
64 bytes from 10.0.1.1: icmp_seq=0 ttl=255 time=0.500000 ms
64 bytes from 10.0.1.1: icmp_seq=0 DUP! ttl=255 time=0.500000 ms
64 bytes from 10.0.1.1: icmp_seq=1 ttl=255 time=1.500000 ms

----gw PING Statistics----
2 packets transmitted, 2 packets received, +1 duplicates, 0.0% packet loss
round-trip min/avg/max/stddev = 0.500000/1.000000/1.500000/0.707107 ms
`);
  });

  it('exits with 2 when nobody answers, and says why', async () => {
    const text = 'Time To Live exceeded';
    const error: PingEvent = { type: 'error', from: '10.0.1.1', sequence: 1, text, ...EXPIRED };
    const answers = [[], [error], [{ type: 'sendError', sequence: 2, code: 'EHOSTUNREACH' }]] as const;
    expect((await pinged(ping, '-c 3 gw', answers)).said).toEqual({
      code: 2,
      errors: 'ping: sendto: No route to host\n',
      text: `PING gw (10.0.1.1): 56 data bytes
36 bytes from 10.0.1.1: Time To Live exceeded for icmp_seq=1

----gw PING Statistics----
3 packets transmitted, 0 packets received, 100.0% packet loss
`,
    });
  });

  it('exits with 1 for a name nobody has', async () => {
    expect(await run(ping, 'nobody')).toEqual({
      text: '',
      errors: 'ping: Cannot resolve "nobody" (Unknown host)\n',
      code: 1,
    });
    await expect(run(ping, '-c x gw')).rejects.toThrow('-c x: not a number of 1 or more');
  });
});

describe('a ping of wrong options', () => {
  const right: PingOptions = { host: 'gw', count: 1, intervalMs: 1, payloadBytes: 8, ttl: 64, waitMs: 1 };

  it.each([
    [{ count: -1 }, 'count: not a positive integer'],
    [{ intervalMs: Number.NaN }, 'intervalMs: not a time from 0 to 2147483647'],
    [{ waitMs: -1 }, 'waitMs: not a time from 0 to 2147483647'],
    [{ payloadBytes: 65_500 }, 'payloadBytes: not an integer from 0 to 65499'],
    [{ payloadBytes: 1.5 }, 'payloadBytes: not an integer from 0 to 65499'],
    [{ ttl: 0 }, 'ttl: not an integer from 1 to 255'],
  ])('%j ends with one error, and sends nothing', async (wrong, message) => {
    const kernel = new EchoKernel(HOSTS, () => [], null);
    const events = pingStream(kernel.client, { ...right, ...wrong });
    await expect(events.next()).rejects.toMatchObject({ code: 'EINVAL', message });
    expect(kernel.asked).toEqual([]);
  });
});

describe('ping6', () => {
  it('speaks its own dialect, and ping too of an IPv6 address', async () => {
    const answers: PingEvent[][] = [
      [{ type: 'reply', from: 'fd00::1', bytes: 16, sequence: 0, ttl: 64, timeMs: 0.5, duplicate: false }],
      [
        {
          type: 'error',
          from: 'fd00::1',
          sequence: 1,
          text: 'Time to live exceeded',
          icmpType: 3,
          icmpCode: 0,
          timeMs: 1,
        },
      ],
    ];
    const text = (host: string): string => `PING6(56=40+8+8 bytes) fd00::a --> fd00::1
16 bytes from fd00::1, icmp_seq=0 hlim=64 time=0.500 ms
error from fd00::1: Time to live exceeded for icmp_seq=1

--- ${host} ping6 statistics ---
2 packets transmitted, 1 packets received, 50.0% packet loss
round-trip min/avg/max/std-dev = 0.500/0.500/0.500/0.000 ms
`;
    const one = await pinged(ping6, '-c 2 -h 3 gw', answers, 'fd00::a');
    expect(one.said).toEqual({ text: text('gw'), errors: '', code: 0 });
    expect(one.asked).toMatchObject([{ to: 'fd00::1', hops: 3, payloadBytes: 8 }, { hops: 3 }]);
    const other = await pinged(ping, '-c 2 fd00::1', answers, 'fd00::a');
    expect(other.said.text).toBe(text('fd00::1'));
    expect(other.asked[0]).toEqual({ to: 'fd00::1', hops: 64, payloadBytes: 8 });
    expect((await run(ping6, '10.0.1.1')).errors).toBe('ping6: Cannot resolve "10.0.1.1" (Unknown host)\n');
  });
});
