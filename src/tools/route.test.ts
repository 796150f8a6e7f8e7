import { describe, expect, it } from 'vitest';
import { ToolBed } from '../../test/fixtures/tool-bed.ts';
import { ROUTES, refusing, run } from '../../test/fixtures/tool-tables.ts';
import { arp } from './arp.ts';
import { ifconfig } from './ifconfig.ts';
import { route } from './route.ts';

/** The route of `route get`, as data. */
async function found(address: string): Promise<object> {
  return JSON.parse((await run(route, `get ${address}`, {}, true)).text);
}

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

  it('finds the longest prefix', async () => {
    expect(await found('10.0.1.10')).toMatchObject({ prefixLength: 32 });
    expect(await found('10.0.1.11')).toMatchObject({ prefixLength: 24 });
    expect(await run(route, 'get 10.0.2.1', { routes: async () => ROUTES.slice(1) })).toEqual({
      text: '',
      errors: 'route: writing to routing socket: not in table\n',
      code: 1,
    });
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
    expect(await found('fe80::9%eth0')).toMatchObject({ destination: 'fe80::%eth0' });
    expect(await found('fe80::9%eth1')).toMatchObject({ destination: '::' });
    expect((await run(route, '-n show -inet6')).text).toContain('fd00::a                            link#2');
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
      text: '',
      errors: 'change net 10.7.0.0/16: gateway 10.0.0.8: not in table\n',
      code: 1,
    });
    // A gateway that cannot be reached leaves the route as it was.
    expect((await bed.run(route, 'change default 192.168.0.1')).errors).toBe(
      'change net default: gateway 192.168.0.1: Network is unreachable\n',
    );
    expect((await bed.run(route, '-nL show -inet')).text).toContain('default            10.0.0.8           UGS');
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
    expect((await monitor).text).toBe(`RTM_ADD: Add Route: pid 0, seq 0, errno 0, flags: <UP,GATEWAY,DONE,STATIC>
locks:  inits: 
sockaddrs: <DST,GATEWAY,NETMASK>
 10.7.0.0 10.0.0.8 /16
RTM_DELETE: Delete Route: pid 0, seq 0, errno 0, flags: <UP,GATEWAY,DONE,STATIC>
locks:  inits: 
sockaddrs: <DST,GATEWAY,NETMASK>
 10.7.0.0 10.0.0.8 /16
RTM_ADD: Add Route: pid 0, seq 0, errno 0, flags: <UP,GATEWAY,HOST,DONE,STATIC>
locks:  inits: 
sockaddrs: <DST,GATEWAY>
 10.8.0.1 10.0.0.8
`);
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
    expect((await bed.run(arp, '-s 10.0.0.5 2:0:0:0:0:7')).errors).toBe('arp: 10.0.0.5: File exists\n');
    await bed.quietly(arp, '-s 10.0.0.6 2:0:0:0:0:7');
    expect((await bed.run(arp, '-n 10.0.0.1')).errors).toBe('arp: 10.0.0.1 (10.0.0.1) -- no entry\n');
  });
});
