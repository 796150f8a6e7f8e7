import { describe, expect, it } from 'vitest';
import { ROUTES, refusing, run } from '../../test/fixtures/tool-tables.ts';
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
