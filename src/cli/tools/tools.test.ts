import { describe, expect, it } from 'vitest';
import { toolRun } from '../../../test/fixtures/tool-context.ts';
import {
  type Address6Info,
  type InterfaceInfo,
  type LabInfo,
  type LabNode,
  MultikernelError,
  type NeighborInfo,
  type PingEvent,
  type RouteInfo,
  type SocketInfo,
} from '../../index.ts';
import { arp } from './arp.ts';
import { getopt, UsageError } from './getopt.ts';
import { changes, ifconfig } from './ifconfig.ts';
import { ndp } from './ndp.ts';
import { netstat, networkName } from './netstat.ts';
import { formatStatistics } from './netstat-statistics.ts';
import { ping, ping6 } from './ping.ts';
import { lookup, route } from './route.ts';
import { sysctl } from './sysctl.ts';
import type { Tool } from './tool.ts';

/** Of an error of IPv4. */
const EXPIRED = { icmpType: 11, icmpCode: 0, timeMs: 0.25 };
const COUNTS = {
  inPackets: 1,
  inBytes: 60,
  inErrors: 0,
  inDrops: 0,
  outPackets: 2,
  outBytes: 1,
  outErrors: 1,
  outDrops: 3,
};
const ETH0: InterfaceInfo = {
  name: 'eth0',
  index: 2,
  kind: 'vni',
  flags: 0x8843,
  flagNames: ['UP', 'BROADCAST', 'RUNNING', 'SIMPLEX', 'MULTICAST'],
  mtuBytes: 1500,
  mac: '02:6d:6b:00:03:00',
  linkState: 'up',
  downReason: '',
  addresses6: [],
  addresses: [{ address: '10.0.1.10', prefixLength: 24, broadcast: '10.0.1.255' }],
  ...COUNTS,
};
const LO0: InterfaceInfo = {
  ...ETH0,
  name: 'lo0',
  index: 1,
  kind: 'loopback',
  flags: 0x8049,
  flagNames: ['UP', 'LOOPBACK', 'RUNNING', 'MULTICAST'],
  mtuBytes: 33624,
  mac: null,
  addresses: [{ address: '127.0.0.1', prefixLength: 8, broadcast: null }],
};
const ROUTES: RouteInfo[] = [
  {
    destination: '0.0.0.0',
    prefixLength: 0,
    gateway: '10.0.1.1',
    flags: 'UGS',
    interface: 'eth0',
    mtuBytes: 1500,
    uses: 3,
  },
  {
    destination: '10.0.1.0',
    prefixLength: 24,
    gateway: 'link#2',
    flags: 'UC',
    interface: 'eth0',
    mtuBytes: 0,
    uses: 0,
  },
  {
    destination: '10.0.1.10',
    prefixLength: 32,
    gateway: 'link#2',
    flags: 'UHl',
    interface: 'lo0',
    mtuBytes: 33624,
    uses: 0,
  },
];
const ROUTE6 = { interface: 'eth0', mtuBytes: 1500, uses: 0 };
const ROUTES6: RouteInfo[] = [
  { ...ROUTE6, destination: '::', prefixLength: 0, gateway: 'fd00::1', flags: 'UGS' },
  { ...ROUTE6, destination: 'fd00::', prefixLength: 64, gateway: 'link#2', flags: 'UC' },
  { ...ROUTE6, destination: 'fe80::%eth0', prefixLength: 64, gateway: 'link#2', flags: 'UC' },
  { ...ROUTE6, destination: 'fd00::a', prefixLength: 128, gateway: 'link#2', flags: 'UHl', interface: 'lo0' },
];
const NEIGHBOR6 = { interface: 'eth0', published: false, router: false, mac: '02:6d:6b:00:02:01' };
const NEIGHBORS6: NeighborInfo[] = [
  { ...NEIGHBOR6, address: 'fd00::1', state: 'reachable', router: true, expiresSec: 86_398 },
  { ...NEIGHBOR6, address: 'fe80::9%eth0', mac: null, state: 'incomplete', expiresSec: 1 },
  { ...NEIGHBOR6, address: 'fd00::8', state: 'permanent', expiresSec: null },
];
const ETH6: InterfaceInfo = {
  ...ETH0,
  addresses6: [
    {
      state: 'preferred',
      origin: 'link-local',
      anycast: false,
      preferredSec: null,
      validSec: null,
      address: 'fe80::1%eth0',
      prefixLength: 64,
    },
    {
      state: 'tentative',
      origin: 'manual',
      anycast: false,
      preferredSec: null,
      validSec: null,
      address: 'fd00::a',
      prefixLength: 64,
    },
    {
      state: 'deprecated',
      origin: 'temporary',
      anycast: false,
      preferredSec: 0,
      validSec: 90_061,
      address: 'fd00::b',
      prefixLength: 64,
    },
  ],
};
const NEIGHBORS: NeighborInfo[] = [
  {
    address: '10.0.1.1',
    mac: '02:6d:6b:00:02:01',
    interface: 'eth0',
    state: 'reachable',
    published: false,
    router: false,
    expiresSec: 9,
  },
  {
    address: '10.0.1.9',
    mac: null,
    interface: 'eth0',
    state: 'incomplete',
    published: false,
    router: false,
    expiresSec: 1,
  },
  {
    address: '10.0.1.8',
    mac: '02:00:00:00:00:08',
    interface: 'eth0',
    state: 'permanent',
    published: true,
    router: false,
    expiresSec: null,
  },
];
const TCP = { retransmits: 2, rtoMs: 400, srttMs: 0.25, cwndBytes: 14480, receiveQueueBytes: 0, sendQueueBytes: 199 };
const SOCKETS: SocketInfo[] = [
  {
    ...TCP,
    protocol: 'tcp',
    family: 'inet',
    localAddress: '0.0.0.0',
    localPort: 80,
    peerAddress: '0.0.0.0',
    peerPort: 0,
    state: 'LISTEN',
    sendQueueBytes: 0,
  },
  {
    ...TCP,
    protocol: 'tcp',
    family: 'inet',
    localAddress: '10.0.1.10',
    localPort: 80,
    peerAddress: '10.0.1.1',
    peerPort: 51000,
    state: 'FIN-WAIT-1',
  },
  {
    ...TCP,
    protocol: 'udp',
    family: 'inet',
    localAddress: '0.0.0.0',
    localPort: 53,
    peerAddress: '0.0.0.0',
    peerPort: 0,
    state: '',
    sendQueueBytes: 0,
  },
];
const LAB = {
  domain: 'shop.lan',
  networks: [{ name: 'back', domain: 'back.lan' }],
  nodes: [
    {
      name: 'gw',
      addresses: [
        { address: '10.0.1.1', network: 'back' },
        { address: 'fd00::1', network: 'back' },
      ],
    },
    { name: 'api', addresses: [{ address: '10.0.1.10', network: 'back' }] },
  ],
} as unknown as LabInfo;

/** Run a tool against a kernel that answers with the tables above; what it printed, said on stderr, returned. */
async function run(tool: Tool, args: string, kernel: Partial<LabNode> = {}, json = false) {
  const table: Partial<LabNode> = {
    name: 'api',
    interfaces: async () => [LO0, ETH0],
    routes: async (family) => (family === 'inet6' ? ROUTES6 : ROUTES),
    neighbors: async (family) => (family === 'inet6' ? NEIGHBORS6 : NEIGHBORS),
    sockets: async () => SOCKETS,
    ...kernel,
  };
  const { context, said } = toolRun(table, LAB, json);
  const code = await tool.run(
    context,
    args.split(' ').filter((word) => word !== ''),
  );
  return { ...said, code };
}

function refusing(code: string): () => Promise<never> {
  return () => Promise.reject(new MultikernelError(code, code));
}

describe('getopt', () => {
  it('takes clusters, joined and separate values, and stops at the first word', () => {
    const { flags, values, rest } = getopt(['-an', '-c3', '-i', '2', '-q', 'host', '-x'], 'anqc:i:');
    expect([[...flags], [...values], rest]).toEqual([
      ['a', 'n', 'q'],
      [
        ['c', '3'],
        ['i', '2'],
      ],
      ['host', '-x'],
    ]);
    expect(getopt(['-a', '--', '-n'], 'an').rest).toEqual(['-n']);
    expect(() => getopt(['-z'], 'a')).toThrow(new UsageError('unknown option -- z'));
    expect(() => getopt(['-c'], 'c:')).toThrow(new UsageError('option requires an argument -- c'));
  });
});

describe('ifconfig', () => {
  const eth0 = 'eth0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n\taddress: 02:6d:6b:00:03:00\n';
  const inet = '\tinet 10.0.1.10/24 broadcast 10.0.1.255 flags 0x0\n';
  const lo0 = 'lo0: flags=0x8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 33624\n\tinet 127.0.0.1/8 flags 0x0\n';

  it('prints interfaces as NetBSD does', async () => {
    expect(await run(ifconfig, '-a')).toEqual({ text: lo0 + eth0 + inet, errors: '', code: 0 });
    expect((await run(ifconfig, '')).text).toBe(lo0 + eth0 + inet);
    expect((await run(ifconfig, 'eth0')).text).toBe(eth0 + inet);
    expect((await run(ifconfig, '-l')).text).toBe('lo0 eth0\n');
    expect((await run(ifconfig, '-l -b')).text).toBe('eth0\n');
    expect((await run(ifconfig, '-a -d')).text).toBe('');
    expect((await run(ifconfig, 'eth0 link')).text).toBe(eth0);
  });

  it('prints traffic with -v: one is singular', async () => {
    const traffic =
      '\tlinkstate: up\n\tinput: 1 packet, 60 bytes\n\toutput: 2 packets, 1 byte, 1 error, 3 queue drops\n';
    expect((await run(ifconfig, '-v eth0')).text).toBe(eth0 + traffic + inet);
  });

  it('says what does not exist', async () => {
    expect(await run(ifconfig, 'eth9')).toEqual({ text: '', errors: 'ifconfig: eth9: no such interface\n', code: 1 });
  });

  it('changes what it is told', async () => {
    const asked: object[] = [];
    const setInterface = async (change: object): Promise<void> => void asked.push(change);
    await run(ifconfig, 'eth0 inet 10.0.5.1 netmask 0xffff0000 broadcast 10.0.255.255 alias up mtu 9000', {
      setInterface,
    });
    expect(asked).toEqual([
      { name: 'eth0', up: true },
      { name: 'eth0', mtuBytes: 9000 },
      { name: 'eth0', addAddress: { address: '10.0.5.1', prefixLength: 16 } },
    ]);
    expect(changes('eth0', ['10.0.5.1/28', '-alias'])).toEqual([
      { name: 'eth0', removeAddress: { address: '10.0.5.1' } },
    ]);
    expect(changes('eth0', ['192.168.1.1'])).toEqual([
      { name: 'eth0', addAddress: { address: '192.168.1.1', prefixLength: 24 } },
    ]);
    expect(() => changes('eth0', ['frob'])).toThrow('frob: not understood');
    expect(await run(ifconfig, 'eth0 down', { setInterface: refusing('EBUSY') })).toEqual({
      text: '',
      errors: 'ifconfig: SIOCAIFADDR: Device busy\n',
      code: 1,
    });
  });

  it('gives data with --json', async () => {
    expect(JSON.parse((await run(ifconfig, 'eth0', {}, true)).text)).toEqual(ETH0);
  });
});

describe('IPv6', () => {
  it('ifconfig prints zones, flags, and lifetimes with -L', async () => {
    const interfaces = async (): Promise<InterfaceInfo[]> => [ETH6];
    const heading = 'eth0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n';
    expect((await run(ifconfig, 'eth0 inet6', { interfaces })).text).toBe(
      `${heading}\tinet6 fe80::1%eth0/64 flags 0x0 scopeid 0x2\n\tinet6 fd00::a/64 flags 0x2<TENTATIVE>\n` +
        '\tinet6 fd00::b/64 flags 0xd0<DEPRECATED,AUTOCONF,TEMPORARY>\n',
    );
    const long = (await run(ifconfig, '-L eth0', { interfaces })).text;
    expect(long).toContain('fd00::a/64 flags 0x2<TENTATIVE> pltime infty vltime infty\n');
    expect(long).toContain('TEMPORARY> pltime 0s vltime 1d1h1m1s\n');
    const shared = { ...(ETH6.addresses6[2] as Address6Info), origin: 'manual' as const, anycast: true };
    const one = async (): Promise<InterfaceInfo[]> => [{ ...ETH6, addresses6: [shared] }];
    expect((await run(ifconfig, 'eth0 inet6', { interfaces: one })).text).toContain(
      '\tinet6 fd00::b/64 flags 0x11<ANYCAST,DEPRECATED>\n',
    );
  });

  it('ifconfig sets and deletes addresses', async () => {
    expect(changes('eth0', ['inet6', 'FD00::0:5/48', 'alias'])).toEqual([
      { name: 'eth0', addAddress: { address: 'fd00::5', prefixLength: 48 } },
    ]);
    expect(changes('eth0', ['inet6', 'fd00::5', 'prefixlen', '80'])).toMatchObject([
      { addAddress: { prefixLength: 80 } },
    ]);
    expect(changes('eth0', ['inet6', 'fe80::5'])).toMatchObject([{ addAddress: { prefixLength: 64 } }]);
    expect(changes('eth0', ['inet6', 'fd00::5', 'delete'])).toEqual([
      { name: 'eth0', removeAddress: { address: 'fd00::5' } },
    ]);
    const timed = 'inet6 fd00::5 prefixlen 80 anycast pltime 60 vltime 4294967295 alias'.split(' ');
    expect(changes('eth0', timed)).toEqual([
      {
        name: 'eth0',
        addAddress: { address: 'fd00::5', prefixLength: 80, anycast: true, preferredSec: 60, validSec: null },
      },
    ]);
    expect(() => changes('eth0', ['inet6', 'fd00::5', 'pltime', 'soon'])).toThrow('pltime: not understood');
    expect(() => changes('eth0', ['inet6', 'fd00::5/129'])).toThrow('fd00::5/129: bad prefix length');
    expect((await run(ifconfig, 'eth0 inet6 fd00::5/64', { setInterface: refusing('EEXIST') })).errors).toBe(
      'ifconfig: SIOCAIFADDR_IN6: File exists\n',
    );
  });

  it('netstat prints routes and sockets of one family', async () => {
    expect((await run(netstat, '-rn -f inet6')).text).toBe(`Routing tables

Internet6:
Destination                        Gateway                        Flags    Refs      Use    Mtu Interface
default                            fd00::1                        UGS         -        -   1500  eth0
fd00::/64                          link#2                         UC          -        -   1500  eth0
fe80::%eth0/64                     link#2                         UC          -        -   1500  eth0
fd00::a                            link#2                         UHl         -        -   1500  lo0
`);
    const six: SocketInfo[] = (SOCKETS as SocketInfo[]).slice(0, 2).map((socket, i) => ({
      ...socket,
      family: 'inet6',
      localAddress: i === 0 ? '::' : 'fd00::a',
      peerAddress: i === 0 ? '::' : 'fd00::1',
    }));
    const text = (await run(netstat, '-an', { sockets: async () => [...SOCKETS, ...six] })).text;
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

  it('ndp prints, deletes, and flushes all but what was set by hand', async () => {
    const deleted: string[] = [];
    const deleteNeighbor = async (address: string): Promise<void> => void deleted.push(address);
    expect((await run(ndp, '-an')).text).toBe(
      `Neighbor                                Linklayer Address  Netif Expire    S Flags
fd00::1                                 02:6d:6b:00:02:01   eth0 23h59m58s R R
fe80::9%eth0                            (incomplete)        eth0 1s        I
fd00::8                                 02:6d:6b:00:02:01   eth0 permanent R
`,
    );
    expect((await run(ndp, '-d gw', { deleteNeighbor })).text).toBe('gw (fd00::1) deleted\n');
    await run(ndp, '-c', { deleteNeighbor });
    expect(deleted).toEqual(['fd00::1', 'fd00::1', 'fe80::9%eth0']);
    expect(await run(ndp, 'fd00::77')).toMatchObject({ errors: 'ndp: fd00::77 (fd00::77) -- no entry\n', code: 1 });
    expect((await run(ndp, '-n 10.0.1.1')).errors).toBe('ndp: 10.0.1.1: Unknown host\n');
  });

  it('route takes -inet6, lengths apart or joined, and finds the longest prefix', async () => {
    const asked: object[] = [];
    const addRoute = async (change: object): Promise<void> => void asked.push(change);
    expect((await run(route, 'add -inet6 default gw', { addRoute })).text).toBe('add net default: gateway gw\n');
    await run(route, 'add -inet6 fd00:9:: -prefixlen 48 fd00::1', { addRoute });
    await run(route, 'add fd00:9::1 fd00::1', { addRoute });
    expect(asked).toEqual([
      { destination: '::', prefixLength: 0, gateway: 'fd00::1', kind: 'unicast' },
      { destination: 'fd00:9::', prefixLength: 48, gateway: 'fd00::1', kind: 'unicast' },
      { destination: 'fd00:9::1', prefixLength: 128, gateway: 'fd00::1', kind: 'unicast' },
    ]);
    expect((await run(route, 'get -inet6 fd00::7')).text).toContain(
      'destination: fd00::\n       mask: ffff:ffff:ffff:ffff::\n',
    );
    expect(lookup(ROUTES6, 'fe80::9%eth0')?.destination).toBe('fe80::%eth0');
    expect(lookup(ROUTES6, 'fe80::9%eth1')?.destination).toBe('::');
    expect((await run(route, '-n show -inet6')).text).toContain('fd00::a                            link#2');
  });

  it('ping6 speaks its own dialect, and ping too of an IPv6 address', async () => {
    const events: PingEvent[] = [
      { type: 'start', host: 'gw', address: 'fd00::1', payloadBytes: 8, source: 'fd00::a' },
      { type: 'reply', from: 'fd00::1', bytes: 16, sequence: 0, ttl: 64, timeMs: 0.5, duplicate: false },
      { type: 'error', from: 'fd00::1', sequence: 1, text: 'Time to live exceeded', ...EXPIRED },
      { type: 'end', transmitted: 2, received: 1, duplicates: 0, timesMs: [0.5] },
    ];
    const asked: object[] = [];
    const kernel: Partial<LabNode> = {
      ping: (host, options) => {
        asked.push({ host, ...options });
        const stream = (async function* () {
          yield* events;
        })();
        return Object.assign(stream, { close: () => {} }) as unknown as ReturnType<LabNode['ping']>;
      },
    };
    const text = (host: string): string => `PING6(56=40+8+8 bytes) fd00::a --> fd00::1
16 bytes from fd00::1, icmp_seq=0 hlim=64 time=0.500 ms
error from fd00::1: Time to live exceeded for icmp_seq=1

--- ${host} ping6 statistics ---
2 packets transmitted, 1 packets received, 50.0% packet loss
round-trip min/avg/max/std-dev = 0.500/0.500/0.500/0.000 ms
`;
    expect(await run(ping6, '-c 2 -h 3 gw', kernel)).toEqual({ text: text('gw'), errors: '', code: 0 });
    expect((await run(ping, 'fd00::1', kernel)).text).toBe(text('fd00::1'));
    expect(asked).toMatchObject([
      { host: 'gw', family: 'inet6', ttl: 3 },
      { host: 'fd00::1', family: 'inet6', ttl: 64 },
    ]);
    expect((await run(ping6, '10.0.1.1', kernel)).errors).toBe('ping6: Cannot resolve "10.0.1.1" (Unknown host)\n');
  });
});

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
`);
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
});

describe('arp', () => {
  it('prints entries as NetBSD does', async () => {
    expect((await run(arp, '-an')).text).toBe(
      '? (10.0.1.1) at 02:6d:6b:00:02:01 on eth0\n' +
        '? (10.0.1.9) at (incomplete) on eth0\n' +
        '? (10.0.1.8) at 02:00:00:00:00:08 on eth0 permanent published\n',
    );
    expect((await run(arp, 'gw.back.lan')).text).toBe('gw (10.0.1.1) at 02:6d:6b:00:02:01 on eth0\n');
    expect((await run(arp, 'gw')).text).toBe('gw (10.0.1.1) at 02:6d:6b:00:02:01 on eth0\n');
    expect(await run(arp, '-n 10.0.1.77')).toEqual({
      text: '',
      errors: 'arp: 10.0.1.77 (10.0.1.77) -- no entry\n',
      code: 1,
    });
    expect((await run(arp, 'nobody')).errors).toBe('arp: nobody: Unknown host\n');
    await expect(run(arp, '')).rejects.toThrow(/^usage: arp/);
  });

  it('sets and deletes', async () => {
    const added: object[] = [];
    const addNeighbor = async (entry: object): Promise<void> => void added.push(entry);
    await run(arp, '-s gw 0:1:2:3:4:5 temp pub', { addNeighbor });
    expect(added).toEqual([{ address: '10.0.1.1', mac: '0:1:2:3:4:5', temporary: true, published: true }]);
    expect((await run(arp, '-s gw 1:2:3:4:5:6', { addNeighbor: refusing('EEXIST') })).errors).toBe(
      'arp: gw: File exists\n',
    );
    expect((await run(arp, '-d gw', { deleteNeighbor: refusing('ENOENT') })).errors).toBe('arp: gw: no entry\n');
    const deleted: string[] = [];
    await run(arp, '-da', { deleteNeighbor: async (address) => void deleted.push(address) });
    expect(deleted).toEqual(['10.0.1.1', '10.0.1.9', '10.0.1.8']);
  });
});

describe('ping', () => {
  function answers(...events: PingEvent[]): Partial<LabNode> {
    const stream = Object.assign(
      (async function* () {
        yield* events;
      })(),
      { close: () => {} },
    );
    return { ping: () => stream as unknown as ReturnType<LabNode['ping']> };
  }
  const start: PingEvent = { type: 'start', host: 'gw', address: '10.0.1.1', payloadBytes: 56 };
  const reply: PingEvent = {
    type: 'reply',
    from: '10.0.1.1',
    bytes: 64,
    sequence: 0,
    ttl: 255,
    timeMs: 0.5,
    duplicate: false,
  };

  it('prints replies and statistics, and exits with 0', async () => {
    const end: PingEvent = { type: 'end', transmitted: 2, received: 2, duplicates: 1, timesMs: [0.5, 1.5] };
    const { text, code } = await run(ping, '-c 2 gw', answers(start, reply, { ...reply, duplicate: true }, end));
    expect(code).toBe(0);
    expect(text).toBe(`PING gw (10.0.1.1): 56 data bytes
64 bytes from 10.0.1.1: icmp_seq=0 ttl=255 time=0.500000 ms
64 bytes from 10.0.1.1: icmp_seq=0 DUP! ttl=255 time=0.500000 ms

----gw PING Statistics----
2 packets transmitted, 2 packets received, +1 duplicates, 0.0% packet loss
round-trip min/avg/max/stddev = 0.500000/1.000000/1.500000/0.707107 ms
`);
  });

  it('exits with 2 when nobody answers, and says why', async () => {
    const end: PingEvent = { type: 'end', transmitted: 3, received: 0, duplicates: 0, timesMs: [] };
    const error: PingEvent = {
      type: 'error',
      from: '10.0.1.1',
      sequence: 1,
      text: 'Time To Live exceeded',
      ...EXPIRED,
    };
    const events = answers(start, error, { type: 'sendError', sequence: 2, code: 'EHOSTUNREACH' }, end);
    expect(await run(ping, '-c 3 gw', events)).toEqual({
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

describe('route', () => {
  it('show prints the table, get the route with labels right-aligned', async () => {
    expect((await run(route, '-n show')).text).toContain('default            10.0.1.1           UGS');
    expect((await run(route, 'get 10.9.9.9')).text).toBe(`   route to: 10.9.9.9
destination: default
       mask: default
    gateway: 10.0.1.1
 local addr: 10.0.1.10
  interface: eth0
      flags: 0x843<UP,GATEWAY,DONE,STATIC>
 recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire
        0         0         0         0         0         0     1500          0 
`);
    expect((await run(route, 'get gw')).text).toContain(
      'destination: 10.0.1.0\n       mask: 255.255.255.0\n local addr',
    );
  });

  it('finds the longest prefix', () => {
    expect(lookup(ROUTES, '10.0.1.10')?.prefixLength).toBe(32);
    expect(lookup(ROUTES, '10.0.1.11')?.prefixLength).toBe(24);
    expect(lookup(ROUTES.slice(1), '10.0.2.1')).toBeNull();
  });

  it('add and delete say what they did, or why not', async () => {
    const asked: object[] = [];
    const addRoute = async (change: object): Promise<void> => void asked.push(change);
    expect((await run(route, 'add -net 10.9/16 gw -blackhole', { addRoute })).text).toBe(
      'add net 10.9/16: gateway gw\n',
    );
    expect((await run(route, 'add default 10.0.1.1', { addRoute })).text).toBe('add net default: gateway 10.0.1.1\n');
    expect((await run(route, '-q add 10.9.0.1 gw', { addRoute })).text).toBe('');
    expect(asked).toEqual([
      { destination: '10.9.0.0', prefixLength: 16, gateway: '10.0.1.1', kind: 'blackhole' },
      { destination: '0.0.0.0', prefixLength: 0, gateway: '10.0.1.1', kind: 'unicast' },
      { destination: '10.9.0.1', prefixLength: 32, gateway: '10.0.1.1', kind: 'unicast' },
    ]);
    expect(await run(route, 'delete 10.9.0.0/16', { deleteRoute: refusing('ENOENT') })).toEqual({
      text: '',
      errors: 'delete net 10.9.0.0/16: not in table\n',
      code: 1,
    });
  });
});

describe('sysctl', () => {
  const table: Partial<LabNode> = {
    sysctl: async (name) => {
      if (name !== 'net.inet.ip.ttl') throw new MultikernelError('ENOENT', name);
      return [{ name, value: 64 }];
    },
    setSysctl: async () => ({ before: 0, after: 1 }),
  };

  it('shows and sets', async () => {
    expect((await run(sysctl, 'net.inet.ip.ttl', table)).text).toBe('net.inet.ip.ttl = 64\n');
    expect((await run(sysctl, '-n net.inet.ip.ttl', table)).text).toBe('64\n');
    expect((await run(sysctl, '-w net.inet.ip.forwarding=1', table)).text).toBe('net.inet.ip.forwarding: 0 -> 1\n');
    expect((await run(sysctl, '-qw net.inet.ip.forwarding=1', table)).text).toBe('');
    expect(await run(sysctl, 'net.inet.ip.nope', table)).toEqual({
      text: '',
      errors: "sysctl: second level name 'nope' in 'net.inet.ip.nope' is invalid\n",
      code: 1,
    });
    expect((await run(sysctl, '-w a.b=x', table)).errors).toBe('sysctl: a.b: x: not an integer\n');
  });
});
