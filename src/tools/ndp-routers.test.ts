/** ndp(8) on a host that heeds a router: its prefixes, its routers, and neighbor discovery of a link. */

import { describe, expect, it } from 'vitest';
import { type Bytes, ether, hex, toHex } from '../../test/fixtures/packets.ts';
import { icmp6, ip6, packet6 } from '../../test/fixtures/packets6.ts';
import { ToolBed } from '../../test/fixtures/tool-bed.ts';
import { ifconfig } from './ifconfig.ts';
import { ndp } from './ndp.ts';
import { sysctl } from './sysctl.ts';

const ROUTER = 'fe80::99';
const ROUTER_MAC = 'b20a00000099';
/** MTU of 1300, the router's link-layer address, and a prefix of an hour, half of it preferred, on the link and autonomous. */
const OPTIONS = `0501 0000 00000514 0101 ${ROUTER_MAC} 0304 40c0 00000e10 00000708 00000000 ${toHex(ip6('2001:db8::'))}`;

/** A router with a hop limit of 9, a lifetime of 1800 s, and the flags O and high preference. */
function advertisement(options = OPTIONS): Bytes {
  const rest = hex(`09 48 0708 00000000 00000000 ${options}`);
  const packet = packet6({ src: ROUTER, dst: 'ff02::1', next: 58, hops: 255 }, icmp6(ROUTER, 'ff02::1', 134, 0, rest));
  return ether('333300000001', ROUTER_MAC, 0x86dd, packet);
}

async function host(): Promise<ToolBed> {
  const bed = new ToolBed(1, true);
  await bed.quietly(ifconfig, 'shmif0 up');
  bed.seconds(3);
  await bed.run(sysctl, '-w net.inet6.ip6.accept_rtadv=1');
  bed.receive(0, advertisement());
  return bed;
}

async function shown(bed: ToolBed, args: string): Promise<string> {
  return (await bed.run(ndp, args)).text;
}

const AUTO = /2001:db8::[0-9a-f:]+/;

describe('ndp on a host with a router', () => {
  it('shows the prefix with its routers, and the default router', async () => {
    const bed = await host();
    expect(await shown(bed, '-n -p')).toBe(
      `2001:db8::/64 if=shmif0
flags=LAO vltime=3600, pltime=1800, expire=1h0m0s, ref=1
  advertised by
    fe80::99%shmif0 (reachable)
`,
    );
    expect(await shown(bed, '-r')).toBe('fe80::99%shmif0 if=shmif0, flags=O, pref=high, expire=30m0s\n');
    bed.seconds(600);
    expect(await shown(bed, '-p')).toContain('vltime=3600, pltime=1800, expire=50m0s');
    expect(await shown(bed, '-nr')).toContain('expire=20m0s\n');
  });

  it('forgets routers: the prefix stays, without one', async () => {
    const bed = await host();
    await bed.quietly(ndp, '-R');
    expect(await shown(bed, '-r')).toBe('');
    expect(await shown(bed, '-p')).toMatch(/^2001:db8::\/64 if=shmif0\nflags=LAO .*\n {2}No advertising router\n$/);
    expect((await bed.run(ifconfig, 'shmif0 inet6')).text).toMatch(AUTO);
    bed.receive(0, advertisement());
    expect(await shown(bed, '-p')).toContain('  advertised by\n    fe80::99%shmif0 (reachable)\n');
  });

  it('forgets prefixes with the addresses made of them, until they are advertised again', async () => {
    const bed = await host();
    expect((await bed.run(ifconfig, 'shmif0 inet6')).text).toMatch(AUTO);
    await bed.quietly(ndp, '-P');
    expect(await shown(bed, '-p')).toBe('');
    expect((await bed.run(ifconfig, 'shmif0 inet6')).text).not.toMatch(AUTO);
    expect(await shown(bed, '-r')).toContain('if=shmif0');
    bed.receive(0, advertisement());
    expect(await shown(bed, '-p')).toContain('expire=1h0m0s, ref=1');
  });

  it('shows what routers said of the link', async () => {
    const bed = await host();
    expect(await shown(bed, '-i shmif0')).toBe(
      `linkmtu=1300, maxmtu=1500, curhlim=9, basereachable=30s0ms, reachable=30s, retrans=1s0ms
Flags: nud accept_rtadv auto_linklocal 
`,
    );
  });
});

describe('ndp -i', () => {
  it('sets values and flags, and shows them', async () => {
    const bed = new ToolBed(1, true);
    expect(await shown(bed, '-n -i shmif0 basereachable=20500 retrans=500 curhlim=9 -nud')).toBe(
      `linkmtu=0, maxmtu=1500, curhlim=9, basereachable=20s500ms, reachable=20s, retrans=0s500ms
Flags: accept_rtadv auto_linklocal 
`,
    );
    expect(await shown(bed, '-i shmif0 -- nud disabled -accept_rtadv -auto_linklocal')).toContain(
      '\nFlags: nud disabled \n',
    );
  });

  it('heeds routers where the flag overrides the variable, and not without the flag', async () => {
    const bed = new ToolBed(1, true);
    await bed.quietly(ifconfig, 'shmif0 up');
    bed.seconds(3);
    bed.receive(0, advertisement());
    expect(await shown(bed, '-r')).toBe('');
    await bed.run(ndp, '-i shmif0 override_rtadv');
    bed.receive(0, advertisement());
    expect(await shown(bed, '-r')).toContain('if=shmif0');
    await bed.quietly(ndp, '-R');
    await bed.run(ndp, '-i shmif0 -accept_rtadv');
    bed.receive(0, advertisement());
    expect(await shown(bed, '-r')).toBe('');
  });

  it('makes no link-local address without auto_linklocal, and one with it', async () => {
    const bed = new ToolBed(1, true);
    await bed.run(ndp, '-i shmif0 -auto_linklocal');
    await bed.quietly(ifconfig, 'shmif0 inet6 fe80::b0a0:ff:fe00:1%shmif0 delete');
    await bed.quietly(ifconfig, 'shmif0 down');
    await bed.quietly(ifconfig, 'shmif0 up');
    expect((await bed.run(ifconfig, 'shmif0 inet6')).text).not.toContain('fe80::');
    await bed.run(ndp, '-i shmif0 auto_linklocal');
    expect((await bed.run(ifconfig, 'shmif0 inet6')).text).toContain('fe80::');
  });

  it('asks a neighbor in use again, but not without nud', async () => {
    for (const flag of ['nud', '-nud']) {
      const bed = await host();
      await bed.run(ndp, `-i shmif0 ${flag}`);
      const { neighbors } = bed.kernel.inet.ip6;
      const [router] = neighbors.list();
      neighbors.use(router!, bed.simulation.nowUs());
      expect(router!.state).toBe('delay');
      bed.seconds(6);
      expect(router!.state).toBe(flag === 'nud' ? 'probe' : 'stale');
    }
  });

  it('says what is wrong with a word, and that there is no such interface', async () => {
    const bed = new ToolBed(1, true);
    expect(await bed.run(ndp, '-i shmif9').catch(({ message }: Error) => message)).toBe(
      'ioctl(SIOCGIFINFO_IN6): Device not configured',
    );
    for (const [word, text] of [
      ['fast', 'fast: neither a flag nor a value of an interface'],
      ['retrans', 'syntax error in retrans field'],
      ['retrans=soon', "syntax error in retrans's value"],
      ['retrans=0', 'ioctl(SIOCSIFINFO_IN6): Invalid argument'],
    ]) {
      await expect(bed.run(ndp, `-i shmif0 ${word}`)).rejects.toThrow(text);
    }
  });
});
