import { describe, expect, it } from 'vitest';
import { run, SOCKETS } from '../../test/fixtures/tool-tables.ts';
import { netstat } from './netstat.ts';
import { formatStatistics } from './netstat-statistics.ts';
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
    await expect(run(netstat, '-f atalk')).rejects.toThrow('atalk: unknown address family');
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
