import { describe, expect, it } from 'vitest';
import { ToolBed } from '../../test/fixtures/tool-bed.ts';
import { refusing, run } from '../../test/fixtures/tool-tables.ts';
import { arp } from './arp.ts';
import { ifconfig } from './ifconfig.ts';
import { ndp } from './ndp.ts';
import { route } from './route.ts';

describe('route', () => {
  it('show prints the table', async () => {
    expect((await run(route, '-n show')).text).toContain('default            10.0.1.1           UGS');
    expect((await run(route, '-n show -inet6')).text).toContain(
      'fd00::a                                 link#2                         UHl',
    );
    expect((await run(route, '-nT show -inet -host')).text).toBe(
      `Routing tables

Internet:
Destination        Gateway            Flags    Refs      Use    Mtu     Tag Interface
10.0.1.10          link#2             UHl         -        -  33624       - lo0
10.0.1.1           02:6d:6b:00:02:01  UHL         -        -      -       - eth0
10.0.1.8           02:00:00:00:00:08  UHLSp       -        -      -       - eth0
`,
    );
  });

  it('add and delete say what they did, or why not', async () => {
    const asked: object[] = [];
    const addRoute = async (change: object): Promise<void> => void asked.push(change);
    expect((await run(route, 'add -net 10.9/16 gw -blackhole', { addRoute })).text).toBe('add net 10.9: gateway gw\n');
    expect((await run(route, 'add default 10.0.1.1', { addRoute })).text).toBe('add net default: gateway 10.0.1.1\n');
    expect((await run(route, '-q add 10.9.0.1 gw', { addRoute })).text).toBe('');
    expect((await run(route, 'add 10.9.0.0/16 10.0.1.1 -proxy', { addRoute })).text).toBe(
      'add net 10.9.0.0: gateway 10.0.1.1\n',
    );
    expect(
      (await run(route, 'add -net 10.0.5.0 -netmask 255.255.255.0 127.0.0.1 -iface -reject', { addRoute })).text,
    ).toBe('add net 10.0.5.0: gateway 127.0.0.1\n');
    expect((await run(route, 'add -net 10.8.1.0/24 -link -iface eth0 -nostatic', { addRoute })).text).toBe(
      'add net 10.8.1.0: gateway eth0\n',
    );
    await run(route, 'add default -ifa 10.0.1.10 -ifp eth0 10.0.1.1 -lock -mtu 1400 -hopcount 3', { addRoute });
    const unicast = { kind: 'unicast' };
    expect(asked).toEqual([
      { destination: '10.9.0.0', prefixLength: 16, gateway: '10.0.1.1', flags: 0x1802, ...unicast },
      { destination: '0.0.0.0', prefixLength: 0, gateway: '10.0.1.1', flags: 0x802, ...unicast },
      { destination: '10.9.0.1', prefixLength: 32, gateway: '10.0.1.1', flags: 0x802, ...unicast },
      { destination: '10.9.0.0', prefixLength: 16, gateway: '10.0.1.1', flags: 0x20802, ...unicast },
      { destination: '10.0.5.0', prefixLength: 24, gateway: '127.0.0.1', flags: 0x808, ...unicast },
      { destination: '10.8.1.0', prefixLength: 24, gateway: '', interface: 'eth0', flags: 0, ...unicast },
      {
        destination: '0.0.0.0',
        prefixLength: 0,
        gateway: '10.0.1.1',
        interface: 'eth0',
        source: '10.0.1.10',
        flags: 0x802,
        metrics: expect.objectContaining({ locks: 1, mtuBytes: 1400, hopCount: 3, rttUs: 0 }),
        ...unicast,
      },
    ]);
    expect(await run(route, 'delete 10.9.0.0/16', { deleteRoute: refusing('ENOENT') })).toEqual({
      text: 'delete net 10.9.0.0: not in table\n',
      errors: 'route: writing to routing socket: not in table\n',
      code: 1,
    });
    expect(await run(route, '-q add default 10.0.1.1', { addRoute: refusing('EEXIST') })).toEqual({
      text: '',
      errors: 'route: writing to routing socket: File exists\n',
      code: 1,
    });
  });

  it('says what is wrong with its words', async () => {
    const refused = (what: string) => ({ text: '', errors: `route: ${what}\n`, code: 1 });
    expect(await run(route, 'add nobody 10.0.1.1')).toEqual(refused('nobody: bad value'));
    expect(await run(route, 'add 10.0.0.0/33 10.0.1.1')).toEqual(refused('33: bad value'));
    expect(await run(route, 'add -host 10.0.0.1')).toEqual(refused('missing gateway specification'));
    expect(await run(route, 'delete -net')).toEqual(refused('missing destination specification'));
    expect(await run(route, 'add -net -host 10.0.0.1 10.0.1.1')).toEqual(refused('-host and -net conflict'));
    await expect(run(route, 'add 10.0.0.1 10.0.1.1 -frob')).rejects.toThrow('botched keyword: frob');
    await expect(run(route, 'frob')).rejects.toThrow('botched keyword: frob');
  });

  it('takes -inet6, lengths apart or joined', async () => {
    const asked: object[] = [];
    const addRoute = async (change: object): Promise<void> => void asked.push(change);
    expect((await run(route, 'add -inet6 default gw', { addRoute })).text).toBe('add net default: gateway gw\n');
    await run(route, 'add -inet6 fd00:9:: -prefixlen 48 fd00::1', { addRoute });
    expect((await run(route, 'add -inet6 -net fd00:9::/48 fd00::1', { addRoute })).text).toBe(
      'add net fd00:9::/48: gateway fd00::1\n',
    );
    expect((await run(route, 'add fd00:9::1 fd00::1', { addRoute })).text).toBe(
      'add host fd00:9::1: gateway fd00::1\n',
    );
    expect(asked).toMatchObject([
      { destination: '::', prefixLength: 0, gateway: 'fd00::1' },
      { destination: 'fd00:9::', prefixLength: 48, gateway: 'fd00::1' },
      { destination: 'fd00:9::', prefixLength: 48, gateway: 'fd00::1' },
      { destination: 'fd00:9::1', prefixLength: 128, gateway: 'fd00::1' },
    ]);
  });
});

describe('route over a kernel', () => {
  async function kernel(): Promise<ToolBed> {
    const bed = new ToolBed(1);
    await bed.quietly(ifconfig, 'shmif0 10.0.0.1/24');
    await bed.run(route, 'add default 10.0.0.9');
    return bed;
  }

  it('change gives another gateway, or says that there is no route', async () => {
    const bed = await kernel();
    expect((await bed.run(route, 'change default 10.0.0.8')).text).toBe('change net default: gateway 10.0.0.8\n');
    expect((await bed.run(route, '-nL show -inet')).text).toContain('default            10.0.0.8           UGS');
    expect(await bed.run(route, 'change 10.7.0.0/16 10.0.0.8')).toEqual({
      text: 'change net 10.7.0.0: gateway 10.0.0.8: not in table\n',
      errors: 'route: writing to routing socket: not in table\n',
      code: 1,
    });
    // A gateway that cannot be reached leaves the route as it was.
    expect((await bed.run(route, 'change default 192.168.0.1')).text).toBe(
      'change net default: gateway 192.168.0.1: Network is unreachable\n',
    );
    expect((await bed.run(route, '-nL show -inet')).text).toContain('default            10.0.0.8           UGS');
  });

  it('get tells the route, its mask and gateway, and the own address', async () => {
    const bed = await kernel();
    const heading = ' recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire\n';
    const zeros = '       0         0         0         0         0         0         0         0 \n';
    expect((await bed.run(route, '-n get 10.9.9.9')).text).toBe(
      `   route to: 10.9.9.9
destination: default
       mask: default
    gateway: 10.0.0.9
 local addr: 10.0.0.1
  interface: shmif0
      flags: 0x843<UP,GATEWAY,DONE,STATIC>
${heading}${zeros}`,
    );
    expect((await bed.run(route, '-n get 10.0.0.1')).text).toBe(
      `   route to: 10.0.0.1
destination: 10.0.0.1
 local addr: 10.0.0.1
  interface: lo0
      flags: 0x40045<UP,HOST,DONE,LOCAL>
${heading}${zeros}`,
    );
    expect((await bed.run(route, '-n get 10.0.0.7')).text).toBe(
      `   route to: 10.0.0.7
destination: 10.0.0.0
       mask: 255.255.255.0
 local addr: 10.0.0.1
  interface: shmif0
      flags: 0x141<UP,DONE,CONNECTED>
${heading}${zeros}`,
    );
    await bed.run(route, 'add 10.5.0.0/16 10.0.0.9 -lock -mtu 1400 -hopcount 2 -rtt 5000 -recvpipe 65536');
    expect((await bed.run(route, '-n get 10.5.0.0/16')).text.split('\n').at(-2)).toBe(
      '   65536         0         0         5         0         2      1400L        0 ',
    );
    expect((await bed.run(route, '-s get 10.5.0.1')).text).toBe('10.0.0.9\n');
    await bed.run(route, '-q delete default');
    expect(await bed.run(route, 'get 10.9.9.9')).toEqual({
      text: '',
      errors: 'route: writing to routing socket: not in table\n',
      code: 1,
    });
  });

  it('change keeps what is not named, and flags follow the words', async () => {
    const bed = await kernel();
    const line = async (): Promise<string> =>
      (await bed.run(route, '-nL show -inet')).text.split('\n').find((row) => row.startsWith('10.7/16')) ?? '';
    await bed.run(route, 'add -net 10.7.0.0/16 10.0.0.8 -mtu 1300');
    expect(await line()).toBe('10.7/16            10.0.0.8           UGS         -        -   1300  shmif0');
    expect((await bed.run(route, 'change 10.7.0.0/16 -reject')).text).toBe('change net 10.7.0.0\n');
    expect(await line()).toBe('10.7/16            10.0.0.8           UGRS        -        -   1300  shmif0');
    await bed.run(route, 'change 10.7.0.0/16 -noreject -blackhole');
    expect(await line()).toMatch(/ UGBS /);
    await bed.run(route, 'change 10.7.0.0/16 10.0.0.7 -lock -mtu 1200');
    expect(await line()).toBe('10.7/16            10.0.0.7           UGS         -        -   1200L shmif0');
    await bed.quietly(ifconfig, 'shmif0 10.0.0.2/24 alias');
    // An address that is not ours stands for ours on an interface, and for nothing without one.
    expect((await bed.run(route, 'change 10.7.0.0/16 -ifa 10.0.0.8')).errors).toContain('Network is unreachable');
    expect((await bed.run(route, 'change 10.7.0.0/16 -ifa 10.0.0.8 -ifp shmif0')).text).toBe('change net 10.7.0.0\n');
    expect((await bed.run(route, '-n get 10.7.0.1')).text).toContain(' local addr: 10.0.0.1\n  interface: shmif0\n');
    await bed.run(route, 'change 10.7.0.0/16 -ifa 10.0.0.2');
    expect((await bed.run(route, '-n get 10.7.0.1')).text).toContain(' local addr: 10.0.0.2\n');
    expect((await bed.run(route, 'change 10.7.0.0/16 -ifa 10.0.0.9')).text).toContain(': Network is unreachable\n');
  });

  it('leads to places on a link, and over them to gateways of no subnet', async () => {
    const bed = await kernel();
    expect((await bed.run(route, 'add default2 10.0.0.8')).code).toBe(1);
    expect((await bed.run(route, 'add -net 192.168.0.1/32 -link -cloning -iface shmif0')).text).toBe(
      'add net 192.168.0.1: gateway shmif0\n',
    );
    expect((await bed.run(route, 'change default -ifa 10.0.0.1 192.168.0.1')).text).toBe(
      'change net default: gateway 192.168.0.1\n',
    );
    await bed.run(route, 'add -host 10.8.0.1 127.0.0.1 -iface -reject');
    expect((await bed.run(route, '-nL show -inet')).text).toMatch(
      /^default +192\.168\.0\.1 +UGS .* shmif0\n(.*\n)*10\.8\.0\.1 +127\.0\.0\.1 +UHRS .* lo0\n(.*\n)*192\.168\.0\.1 +link#2 +UHCS .* shmif0\n/m,
    );
  });

  it('flush takes the routes over gateways', async () => {
    const bed = await kernel();
    await bed.run(route, 'add 10.7.0.0/16 10.0.0.8');
    expect((await bed.run(route, '-n flush -inet')).text).toBe(
      'default              10.0.0.9             done\n10.7.0.0             10.0.0.8             done\n',
    );
    expect(await bed.run(route, '-q flush')).toEqual({ text: '', errors: '', code: 0 });
    expect((await bed.run(route, '-nL show -inet')).text).toContain('10.0.0/24          link#2             UC');
  });

  it('monitor prints messages as they come, and ends after so many', async () => {
    const bed = await kernel();
    const monitor = bed.run(route, '-n monitor -c 3');
    await bed.run(route, 'add 10.7.0.0/16 10.0.0.8');
    await bed.run(route, 'delete 10.7.0.0/16');
    await bed.run(route, 'add -host 10.8.0.1 10.0.0.8');
    await bed.run(route, 'add -host 10.8.0.2 10.0.0.8');
    const { text } = await monitor;
    const time = /^(got message of size \d+ on )[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/gm;
    expect(text.replace(time, '$1NOW')).toBe(`got message of size 160 on NOW
RTM_ADD: Add Route: len 160, pid 0, seq 0, errno 0, flags: <UP,GATEWAY,DONE,STATIC>
locks:  inits: 
sockaddrs: <DST,GATEWAY,NETMASK>
 10.7.0.0 10.0.0.8 /16
got message of size 160 on NOW
RTM_DELETE: Delete Route: len 160, pid 0, seq 0, errno 0, flags: <UP,GATEWAY,DONE,STATIC>
locks:  inits: 
sockaddrs: <DST,GATEWAY,NETMASK>
 10.7.0.0 10.0.0.8 /16
got message of size 152 on NOW
RTM_ADD: Add Route: len 152, pid 0, seq 0, errno 0, flags: <UP,GATEWAY,HOST,DONE,STATIC>
locks:  inits: 
sockaddrs: <DST,GATEWAY>
 10.8.0.1 10.0.0.8
`);
  });

  it('monitor tells of a new IPv6 neighbor by its link, of one that goes by its link-layer address', async () => {
    const bed = new ToolBed(1);
    await bed.quietly(ifconfig, 'shmif0 inet6 fc00::1/64');
    const monitor = bed.run(route, '-n monitor -c 2');
    await bed.quietly(ndp, '-s fc00::9 2:0:0:0:0:9 temp');
    await bed.run(ndp, '-d fc00::9');
    const lines = (await monitor).text.split('\n');
    expect(lines[1]).toMatch(/^RTM_ADD: .* flags: <UP,HOST,DONE,LLINFO,CLONED>$/);
    expect(lines[4]).toBe(' fc00::9 link#2');
    expect(lines[6]).toMatch(/^RTM_DELETE: .* flags: <HOST,DONE,LLINFO,CLONED>$/);
    expect(lines[9]).toBe(' fc00::9 02:00:00:00:00:09');
  });

  it('change to another interface takes the neighbors that are not there any more', async () => {
    const bed = new ToolBed(2);
    await bed.quietly(ifconfig, 'shmif0 10.0.0.1/24');
    await bed.quietly(ifconfig, 'shmif1 10.1.0.1/24');
    await bed.quietly(arp, '-s 10.0.0.5 2:0:0:0:0:5 temp');
    await bed.quietly(arp, '-s 10.0.0.6 2:0:0:0:0:6');
    await bed.quietly(arp, '-s 10.1.0.5 2:0:0:0:0:7 temp');
    await bed.run(route, 'change -net 10.0.0.0/24 10.1.0.1 -ifp shmif1');
    const left = (await bed.run(arp, '-an')).text.split('\n');
    expect(left.map((line) => line.split(' ')[1])).toEqual(['(10.0.0.6)', '(10.1.0.5)', undefined]);
  });

  it('a point-to-point link has the address of another interface, and each keeps it when the other loses it', async () => {
    const bed = new ToolBed(2);
    const rows = async (): Promise<string[]> =>
      (await bed.run(route, '-nL show -inet')).text
        .split('\n')
        .filter((line) => line.startsWith('10.0.0.'))
        .map((line) => line.replace(/ +/g, ' '));
    await bed.quietly(ifconfig, 'shmif0 10.0.0.1/24');
    await bed.quietly(ifconfig, 'gif0 create');
    expect((await bed.run(ifconfig, 'gif0 10.0.0.1')).errors).toBe('ifconfig: SIOCAIFADDR: File exists\n');
    await bed.quietly(ifconfig, 'gif0 10.0.0.1 10.0.0.2 up');
    const both = ['10.0.0.1 link#2 UHl - - 16384 lo0', '10.0.0.2 10.0.0.1 UH - - 1280 gif0'];
    expect(await rows()).toEqual(both);
    await bed.quietly(ifconfig, 'shmif0 10.0.0.1 delete');
    expect((await rows()).map((line) => line.split(' ')[0])).toEqual(['10.0.0.1', '10.0.0.2']);
    await bed.quietly(ifconfig, 'shmif1 10.0.0.1/24');
    await bed.quietly(ifconfig, 'gif0 10.0.0.1 delete');
    expect((await rows())[0]).toMatch(/^10\.0\.0\.1 .* lo0$/);
  });

  it('show has the neighbor cache behind the routes, without with -L', async () => {
    const bed = await kernel();
    await bed.quietly(arp, '-s 10.0.0.5 2:0:0:0:0:5');
    await bed.quietly(arp, '-s 10.0.0.6 2:0:0:0:0:6 temp pub');
    const lines = (await bed.run(route, '-n show -inet')).text.split('\n');
    expect(lines.slice(-3)).toEqual([
      '10.0.0.5           02:00:00:00:00:05  UHLS        -        -      -  shmif0',
      '10.0.0.6           02:00:00:00:00:06  UHLp        -        -      -  shmif0',
      '',
    ]);
    expect((await bed.run(route, '-nL show -inet')).text).not.toContain('UHL');
    expect((await bed.run(arp, '-s 10.0.0.5 2:0:0:0:0:7')).errors).toBe(
      'arp: writing to routing socket: File exists\n',
    );
    await bed.quietly(arp, '-s 10.0.0.6 2:0:0:0:0:7');
    expect((await bed.run(arp, '-n 10.0.0.1')).errors).toBe('arp: 10.0.0.1 (10.0.0.1) -- no entry\n');
  });
});
