import { describe, expect, it } from 'vitest';
import { EchoKernel, virtually } from '../../test/fixtures/echo-kernel.ts';
import { ToolBed } from '../../test/fixtures/tool-bed.ts';
import { HOSTS, run } from '../../test/fixtures/tool-tables.ts';
import type { PingEvent, PingOptions } from './echo.ts';
import { ArgumentError } from './getopt.ts';
import { ping } from './ping.ts';
import { pingStream } from './ping-stream.ts';
import { ping6 } from './ping6.ts';
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
92 bytes from gw (10.0.1.1): Time To Live exceeded for icmp_seq=1

----gw PING Statistics----
3 packets transmitted, 0 packets received, 100.0% packet loss
`,
    });
  });

  it('exits with 1 for a name nobody has', async () => {
    await expect(run(ping, 'nobody')).rejects.toThrow('Cannot resolve "nobody" (Unknown host)');
  });

  it.each([
    ['-c x gw', 'Bad/invalid number of packets: x'],
    ['-c 0 gw', 'Bad/invalid number of packets: 0'],
    ['-i 0 gw', 'Bad/invalid interval: 0'],
    ['-l -1 gw', 'Bad/invalid preload value: -1'],
    ['-s 65468 gw', 'packet size is too large'],
    ['-s x gw', 'Bad/invalid packet size: x'],
    ['-T 256 gw', 'ttl out of range: 256'],
    ['-t 256 gw', 'bad tos value: 256'],
    ['-w 0 gw', 'Bad/invalid maxwait time: 0'],
    ['-p xyz gw', '"-p xyz": patterns must be specified with 1-32 hex digits'],
    ['-P -p 1 gw', 'Only one of -P and -p allowed'],
  ])('refuses %s', async (args, message) => {
    await expect(run(ping, args)).rejects.toThrow(message);
    await expect(run(ping, args)).rejects.toBeInstanceOf(ArgumentError);
  });

  it('has the usage of ping(8)', async () => {
    const usage = `usage: 
ping [-aCDdfLnoPQqRrv] [-c count] [-g gateway] [-h host] [-I addr] [-i interval]
     [-l preload] [-p pattern] [-s size] [-T ttl] [-t tos] [-w maxwait] host`;
    await expect(run(ping, '')).rejects.toThrow(usage);
    await expect(run(ping, 'gw gw')).rejects.toThrow(usage);
    await expect(run(ping, '-Z gw')).rejects.toThrow('unknown option -- Z');
  });

  it('ends at -w, however many requests -c wants, and after the first answer with -o', async () => {
    const waited = await pinged(ping, '-n -q -c 9 -w 2.5 gw', []);
    expect(waited.said.text.split('\n')[3]).toBe('3 packets transmitted, 0 packets received, 100.0% packet loss');
    const once = await pinged(ping, '-n -q -o gw', [[], [REPLY]]);
    expect(once.said).toMatchObject({ code: 0 });
    expect(once.said.text.split('\n')[3]).toBe('2 packets transmitted, 1 packets received, 50.0% packet loss');
  });

  it('prints the packet that an error quotes with -v', async () => {
    const text = 'Time To Live exceeded';
    const error: PingEvent = { type: 'error', from: '10.0.1.1', sequence: 0, text, ...EXPIRED };
    const { said } = await pinged(ping, '-v -n -c 1 -s 0 gw', [[error]]);
    expect(
      said.text.replace(/ID=\d+/, 'ID=1').replace(/ [0-9a-f]{4} {8}10/, ' cccc        10'),
    ).toBe(`PING gw (10.0.1.1): 0 data bytes
Time To Live exceeded
 Vr HL TOS  Len   ID Flg  off TTL Pro  cks      Src\t     Dst
  4  5  00 001c 0001   0 0000  01  01 cccc        10.0.0.1  10.0.0.2 
  ID=1 icmp_seq=0

----gw PING Statistics----
1 packets transmitted, 0 packets received, 100.0% packet loss
`);
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
  it('says that there is no route to a host, or to one on a link that it does not name', async () => {
    const bed = new ToolBed(1, true);
    for (const host of ['fe80::9', 'fd00::9']) {
      expect(await bed.run(ping6, `-n -c 1 ${host}`)).toEqual({
        text: '',
        errors: 'ping6: UDP connect: No route to host\n',
        code: 1,
      });
    }
  });

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
    expect((await pinged(ping6, '-c 1 gw', answers, 'fd00::a')).said.code).toBe(0);
    expect((await pinged(ping6, '-c 1 gw', [[]], 'fd00::a')).said.code).toBe(2);
    await expect(run(ping6, '10.0.1.1')).rejects.toThrow('hostname nor servname provided, or not known');
  });

  it('sends to a link-local address without a zone on the link of the default route', async () => {
    const to = async (words: string) => (await pinged(ping6, `-n -c 1 ${words}`, [[]], 'fe80::a%eth0')).asked[0];
    expect(await to('fe80::9')).toMatchObject({ to: 'fe80::9%eth0' });
    expect(await to('fd00::9')).toMatchObject({ to: 'fd00::9' });
  });
});
