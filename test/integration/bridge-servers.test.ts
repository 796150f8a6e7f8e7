/** Layer 2 between real servers: a bridge over two buses, vlans on one. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { libc } from '../../src/host/node/ffi/libc.ts';
import { RumpServers } from '../fixtures/rump-servers.ts';

const LIBRARIES = '-lrumpnet -lrumpnet_net -lrumpnet_netinet -lrumpnet_shmif';

let servers: RumpServers;
beforeEach(() => {
  servers = new RumpServers();
});
afterEach(() => servers.close());

/** A server with `interfaces` on the buses named, by their order. */
async function serve(name: string, libraries: string, ...buses: string[]): Promise<string> {
  const url = `unix://${name}`;
  await servers.ok('rump_server', `${LIBRARIES} ${libraries} ${url}`);
  await servers.ok('rump.sysctl', '-w -q net.inet.ip.dad_count=0', url);
  for (const [n, bus] of buses.entries()) {
    await servers.ok('rump.ifconfig', `shmif${n} create`, url);
    await servers.ok('rump.ifconfig', `shmif${n} linkstr ${bus}`, url);
    await servers.ok('rump.ifconfig', `shmif${n} up`, url);
  }
  return url;
}

async function answers(to: string, url: string): Promise<number | null> {
  return (await servers.run('rump.ping', `-n -w 1 -c 1 ${to}`, url)).code;
}

describe.skipIf(libc() === null)('servers', () => {
  it('reach each other through a bridge over two buses, and only as long as it has both', async () => {
    const [one, two, middle] = await Promise.all([
      serve('s1', '', 'bus1'),
      serve('s2', '', 'bus2'),
      serve('s3', '-lrumpnet_bridge', 'bus1', 'bus2'),
    ]);
    await servers.ok('rump.ifconfig', 'shmif0 10.0.0.1/24', one);
    await servers.ok('rump.ifconfig', 'shmif0 10.0.0.2/24', two);
    expect(await answers('10.0.0.2', one)).toBe(2);
    await servers.ok('rump.ifconfig', 'bridge0 create', middle);
    await servers.ok('rump.ifconfig', 'bridge0 up', middle);
    await servers.ok('brconfig', 'bridge0 add shmif0 add shmif1', middle);
    expect(await answers('10.0.0.2', one)).toBe(0);
    const mac = async (url: string): Promise<string> =>
      /address: (\S+)/.exec(await servers.ok('rump.ifconfig', 'shmif0', url))?.[1] as string;
    const cache = await servers.ok('brconfig', 'bridge0 addr', middle);
    expect(cache).toMatch(new RegExp(`^\\t${await mac(one)} shmif0 \\d+ flags=0<>$`, 'm'));
    expect(cache).toMatch(new RegExp(`^\\t${await mac(two)} shmif1 \\d+ flags=0<>$`, 'm'));
    expect(await servers.ok('rump.ifconfig', 'shmif1', middle)).toContain(
      '<UP,BROADCAST,RUNNING,PROMISC,SIMPLEX,MULTICAST>',
    );
    await servers.ok('brconfig', 'bridge0 delete shmif1', middle);
    expect(await answers('10.0.0.2', one)).toBe(2);
    await servers.ok('brconfig', 'bridge0 add shmif1 protect shmif0 protect shmif1', middle);
    expect(await answers('10.0.0.2', one)).toBe(2);
  });

  it('reach each other in one vlan, and not across two', async () => {
    const [one, two] = await Promise.all([
      serve('s1', '-lrumpnet_vlan', 'bus1'),
      serve('s2', '-lrumpnet_vlan', 'bus1'),
    ]);
    for (const [n, url] of [one, two].entries()) {
      await servers.ok('rump.ifconfig', 'vlan0 create', url);
      await servers.ok('rump.ifconfig', 'vlan0 vlan 10 vlanif shmif0', url);
      await servers.ok('rump.ifconfig', `vlan0 10.0.0.${n + 1}/24`, url);
    }
    expect(await answers('10.0.0.2', one)).toBe(0);
    await servers.ok('rump.ifconfig', 'vlan0 -vlanif shmif0', two);
    await servers.ok('rump.ifconfig', 'vlan0 vlan 11 vlanif shmif0', two);
    expect(await answers('10.0.0.2', one)).toBe(2);
  });
});
