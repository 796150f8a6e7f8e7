import { describe, expect, it } from 'vitest';
import { toolRun } from '../../test/fixtures/tool-context.ts';
import { ETH0, LO0, run, SOCKETS } from '../../test/fixtures/tool-tables.ts';
import { ArgumentError } from './getopt.ts';
import type { InterfaceInfo } from './interface-text.ts';
import { netstat } from './netstat.ts';
import { formatStatistics } from './netstat-statistics.ts';
import { watchTraffic } from './netstat-traffic.ts';
import { networkName } from './route-tables.ts';
import type { SocketInfo } from './socket-text.ts';

describe('netstat', () => {
  it('abbreviates networks to their octets', () => {
    const names = [
      ['10.0.0.0', 8],
      ['10.1.0.0', 16],
      ['10.0.1.0', 24],
      ['10.0.1.0', 25],
      ['10.1.0.0', 9],
    ] as const;
    expect(names.map(([network, length]) => networkName(network, length))).toEqual([
      '10/8',
      '10.1/16',
      '10.0.1/24',
      '10.0.1.0/25',
      '10.1/9',
    ]);
    expect(networkName('0.0.0.0', 0)).toBe('default');
  });

  it('-rn prints the routing table', async () => {
    expect((await run(netstat, '-rn -f inet')).text).toBe(`Routing tables

Internet:
Destination        Gateway            Flags    Refs      Use    Mtu Interface
default            10.0.1.1           UGS         -        -   1500  eth0
10.0.1/24          link#2             UC          -        -      -  eth0
10.0.1.10          link#2             UHl         -        -  33624  lo0
10.0.1.1           02:6d:6b:00:02:01  UHL         -        -      -  eth0
10.0.1.8           02:00:00:00:00:08  UHLSp       -        -      -  eth0
`);
    expect((await run(netstat, '-rnL -f inet')).text.split('\n')).toHaveLength(8);
  });

  it('-an prints all sockets, without -a the connected ones', async () => {
    expect((await run(netstat, '-an')).text).toBe(`Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        State
tcp        0      0  *.80                   *.*                    LISTEN
tcp        0    199  10.0.1.10.80           10.0.1.1.51000         FIN_WAIT_1
udp        0      0  *.53                   *.*
`);
    expect((await run(netstat, '')).text).toBe(`Active Internet connections
Proto Recv-Q Send-Q  Local Address          Foreign Address        State
tcp        0    199  api.80                 gw.51000               FIN_WAIT_1
`);
  });

  it('-v adds timers of our own', async () => {
    const lines = (await run(netstat, '-nv')).text.split('\n');
    expect(lines[1]).toMatch(/State {8}Rexmt {3}RTO,ms {2}SRTT,ms {5}Cwnd$/);
    expect(lines[2]).toMatch(/FIN_WAIT_1 +2 +400 +0\.250 +14480$/);
  });

  it('-i prints interfaces with their links and networks', async () => {
    expect(
      (await run(netstat, '-i')).text,
    ).toBe(`Name  Mtu   Network       Address              Ipkts Ierrs    Opkts Oerrs Colls
lo0   33624 <Link>                                 1     0        2     1     0
lo0   33624 127/8         127.0.0.1                1     0        2     1     0
eth0  1500  <Link>        02:6d:6b:00:03:00        1     0        2     1     0
eth0  1500  10.0.1/24     10.0.1.10                1     0        2     1     0
`);
    expect(
      (await run(netstat, '-bI eth0')).text,
    ).toBe(`Name  Mtu   Network       Address               Ibytes     Obytes
eth0  1500  <Link>        02:6d:6b:00:03:00         60          1
eth0  1500  10.0.1/24     10.0.1.10                 60          1
`);
  });

  it('-i takes -d, -q, -v and -a', async () => {
    expect(
      (await run(netstat, '-d -I eth0')).text,
    ).toBe(`Name  Mtu   Network       Address              Ipkts Ierrs Idrops    Opkts Oerrs Colls Odrops
eth0  1500  <Link>        02:6d:6b:00:03:00        1     0      0        2     1     0      3
eth0  1500  10.0.1/24     10.0.1.10                1     0      0        2     1     0      3
`);
    const long: InterfaceInfo = {
      ...ETH0,
      name: 'vether10',
      flagNames: [],
      addresses: [],
      addresses6: [
        {
          address: 'fe80::1234:5678:9abc:def0%vether10',
          prefixLength: 64,
          state: 'preferred',
          origin: 'manual',
          anycast: false,
          preferredSec: null,
          validSec: null,
        },
      ],
    };
    const silent = { ...LO0, inPackets: 0, inBytes: 0, outPackets: 0, outBytes: 0, outErrors: 0, outDrops: 0 };
    const table = {
      interfaces: async () => [silent, long],
      groups: async () => [
        { interface: 'vether10', address: 'ff02::1%vether10' },
        { interface: 'lo0', address: '224.0.0.1' },
      ],
    };
    expect((await run(netstat, '-nqi', table)).text.split('\n').slice(1)).toEqual([
      'vethe 1500  <Link>        02:6d:6b:00:03:00        1     0        2     1     0',
      'vethe 1500  fe80::/64     fe80::1234:5678:9        1     0        2     1     0',
      '',
    ]);
    expect((await run(netstat, '-nvI vether10', table)).text.split('\n')[2]).toBe(
      'vether10* 1500  fe80::/64     fe80::1234:5678:9abc:def0%vether10        1     0        2     1     0',
    );
    expect((await run(netstat, '-nai', table)).text.split('\n').slice(2)).toEqual([
      'lo0   33624 127/8         127.0.0.1         ',
      '                          224.0.0.1                0     0        0     0     0',
      'vethe 1500  <Link>        02:6d:6b:00:03:00        1     0        2     1     0',
      'vethe 1500  fe80::/64     fe80::1234:5678:9 ',
      '                          ff02::1%vether10         1     0        2     1     0',
      '',
    ]);
  });

  it('takes families and protocols that there are, and prints nothing of empty tables', async () => {
    const none = { sockets: async () => [], counters: async () => ({ 'vni-in-drops': 0 }) };
    expect(await run(netstat, '-an', none)).toEqual({ text: '', errors: '', code: 0 });
    expect(await run(netstat, '-an -f atalk,frob,inet', none)).toEqual({
      text: '',
      errors: 'netstat: frob: unknown address family\n',
      code: 0,
    });
    await expect(run(netstat, '-p frob', none)).rejects.toThrow('frob: unknown or uninstrumented protocol');
    await expect(run(netstat, '-p frob', none)).rejects.toBeInstanceOf(ArgumentError);
    expect((await run(netstat, '-p vni', none)).text).toBe('vni:\n\t0 in drops\n');
    await expect(run(netstat, 'more')).rejects.toThrow(/^usage: netstat \[-Aan\] \[-f address_family/);
    await expect(run(netstat, '-M /dev/mem')).rejects.toThrow('-M is not supported');
    expect(await run(netstat, '-q')).toEqual({ text: '', errors: '', code: 0 });
  });

  it('-s takes a family', async () => {
    const counters = async () => ({ 'ip-forwarded': 1, 'ip6-forwarded': 2, 'tcp-packets-sent': 3, 'arp-in': 4 });
    expect((await run(netstat, '-s -f inet', { counters })).text).toBe(
      'ip:\n\t1 packet forwarded\ntcp:\n\t3 packets sent\n',
    );
    expect((await run(netstat, '-s -f inet6', { counters })).text).toBe(
      'ip6:\n\t2 packets forwarded\ntcp:\n\t3 packets sent\n',
    );
  });

  it('-rs counts redirects and destinations without a route', async () => {
    const counters = async () => ({ 'icmp-redirect-ignored': 1, 'icmp-redirect-accepted': 0, 'ip-out-no-route': 2 });
    expect((await run(netstat, '-rs', { counters })).text).toBe(
      'routing:\n\t1 bad routing redirect\n\t0 dynamically created routes\n\t2 destinations found unreachable\n',
    );
    expect((await run(netstat, '-rs -s', { counters })).text).toBe(
      'routing:\n\t1 bad routing redirect\n\t2 destinations found unreachable\n',
    );
  });

  it('-i and -p do not repeat themselves for each family', async () => {
    const counters = async () => ({ 'tcp-packets-sent': 3 });
    expect((await run(netstat, '-p tcp -f inet,inet6', { counters })).text).toBe('tcp:\n\t3 packets sent\n');
    expect((await run(netstat, '-i -f inet,inet6')).text.match(/^Name/gm)).toHaveLength(1);
  });

  it('-g says that there is no multicast routing', async () => {
    expect((await run(netstat, '-gn -f inet')).text).toBe('no multicast routing compiled into this system\n');
    expect((await run(netstat, '-g')).text.split('\n')).toEqual([
      'no multicast routing compiled into this system',
      'no IPv6 multicast routing compiled into this system',
      '',
    ]);
  });

  it('-w prints the counts since the begin, then those of each interval, until it is interrupted', async () => {
    const interrupt = new AbortController();
    const table = [
      [LO0, ETH0],
      [LO0, { ...ETH0, inPackets: 4, inErrors: 2, outPackets: 7 }],
      [LO0, { ...ETH0, inPackets: 1, inErrors: 0, outPackets: 0 }],
    ];
    const { context, said } = toolRun({ interfaces: async () => table.shift() as InterfaceInfo[] }, [], false);
    const pause = async (): Promise<void> => {
      if (table.length === 0) interrupt.abort();
    };
    expect(await watchTraffic({ ...context, signal: interrupt.signal }, 'eth0', new Set(), pause)).toBe(0);
    expect(said.text.split('\n')).toEqual([
      ' eth0 in       eth0 out              total in      total out            ',
      ' packets  errs  packets  errs colls   packets  errs  packets  errs colls',
      '       1     0        2     1     0         2     0        4     2     0',
      '       3     2        5     0     0         3     2        5     0     0',
      // Counts that went down were set to 0 in between.
      '       1     0        0     0     0         1     0        0     0     0',
      '',
    ]);
    await expect(run(netstat, '-w 1 -I eth9')).rejects.toThrow('eth9: no such interface');
  });

  it('-w counts bytes and drops of one interface alone', async () => {
    const { context, said } = toolRun({ interfaces: async () => [ETH0] }, [], false);
    const signal = AbortSignal.abort();
    await watchTraffic({ ...context, signal }, null, new Set(['b', 'd']), async () => undefined);
    expect(said.text.split('\n')).toEqual([
      '   eth0 in            eth0 out            ',
      '     bytes               bytes       drops',
      '        60                   1           3',
      '',
    ]);
  });

  it('-s prints sentences, and under its own name what NetBSD does not know', async () => {
    const counters = {
      'tcp-packets-sent': 1,
      'tcp-data-packets-sent': 2,
      'tcp-data-bytes-sent': 1,
      'tcp-retransmit-timeouts': 0,
      'igmp-in-queries': 1,
      'ether-in-short': 4,
    };
    expect(formatStatistics(counters, null, false)).toBe(
      'igmp:\n\t1 membership query received\n' +
        'tcp:\n\t1 packet sent\n\t\t2 data packets (1 byte)\n' +
        'ether:\n\t4 in short\n',
    );
    expect(formatStatistics({ 'udp-in': 5, 'udp-in-no-port': 2 }, null, false)).toBe(
      'udp:\n\t7 datagrams received\n\t2 dropped due to no socket\n\t5 delivered\n',
    );
    expect(formatStatistics(counters, 'tcp', true)).toContain('\t0 retransmit timeouts\n');
    const asked = await run(netstat, '-s -p tcp -s', { counters: async () => counters });
    expect(asked.text).toBe('tcp:\n\t1 packet sent\n\t\t2 data packets (1 byte)\n');
  });

  it('-m prints the memory of the kernel that is used, and its limit', async () => {
    const counters = { 'memory-used': 1_500_000, 'memory-max': 4_194_304, 'memory-refused': 1, 'tcp-packets-sent': 3 };
    const asked = await run(netstat, '-m', { counters: async () => counters });
    expect(asked.text).toBe(
      '1465 Kbytes in use by buffers and waiting packets\n' +
        '4096 Kbytes allocated to network (35% in use)\n1 request for memory denied\n',
    );
  });

  it('netstat prints routes and sockets of one family', async () => {
    expect((await run(netstat, '-rn -f inet6')).text).toBe(`Routing tables

Internet6:
Destination                             Gateway                        Flags    Refs      Use    Mtu Interface
default                                 fd00::1                        UGS         -        -   1500  eth0
fd00::/64                               link#2                         UC          -        -   1500  eth0
fe80::%eth0/64                          link#2                         UC          -        -   1500  eth0
fd00::a                                 link#2                         UHl         -        -   1500  lo0
fd00::1                                 02:6d:6b:00:02:01              UHL         -        -      -  eth0
fd00::8                                 02:6d:6b:00:02:01              UHLS        -        -      -  eth0
`);
    const sockets6: SocketInfo[] = (SOCKETS as SocketInfo[]).slice(0, 2).map((socket, i) => ({
      ...socket,
      family: 'inet6',
      localAddress: i === 0 ? '::' : 'fd00::a',
      peerAddress: i === 0 ? '::' : 'fd00::1',
    }));
    const text = (await run(netstat, '-an', { sockets: async () => [...SOCKETS, ...sockets6] })).text;
    expect(text.slice(text.indexOf('Active Internet6'))).toBe(`Active Internet6 connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        State
tcp6       0      0  *.80                   *.*                    LISTEN
tcp6       0    199  fd00::a.80             fd00::1.51000          FIN_WAIT_1
`);
    const counters = async (): Promise<Record<string, number>> => ({
      'ip6-forwarded': 1,
      'icmp6-out-errors': 2,
      'nd6-in-bad': 3,
      'ip-forwarded': 4,
    });
    expect((await run(netstat, '-s -p icmp6', { counters })).text).toBe(
      'icmp6:\n\t2 calls to icmp6_error\nnd6:\n\t3 in bad\n',
    );
    expect((await run(netstat, '-s -f inet6', { counters })).text).toMatch(/^ip6:\n\t1 packet forwarded\nicmp6:/);
  });
});
