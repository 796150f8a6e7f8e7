import { describe, expect, it } from 'vitest';
import { hex } from '../../test/fixtures/packets.ts';
import { ToolBed } from '../../test/fixtures/tool-bed.ts';
import { ETH0, ETH6, refusing, run } from '../../test/fixtures/tool-tables.ts';
import { ifconfig } from './ifconfig.ts';
import { readWords } from './ifconfig-words.ts';
import type { Address6Info, InterfaceInfo } from './interface-text.ts';
import { sysctl } from './sysctl.ts';

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
    expect((await run(ifconfig, '-N lo0 inet')).text).toBe(lo0.replace('127.0.0.1', 'localhost'));
  });

  it('prints traffic with -v: one is singular', async () => {
    const traffic =
      '\tlinkstate: up\n\tinput: 1 packet, 60 bytes\n\toutput: 2 packets, 1 byte, 1 error, 3 queue drops\n';
    expect((await run(ifconfig, '-v eth0')).text).toBe(eth0 + traffic + inet);
  });

  it('says what does not exist', async () => {
    const refused = (call: string) => ({ text: '', errors: `ifconfig: ${call}: Device not configured\n`, code: 1 });
    expect(await run(ifconfig, 'eth9')).toEqual(refused('SIOCGIFFLAGS eth9'));
    expect(await run(ifconfig, 'eth9 up')).toEqual(refused('exec_matches'));
    expect(await run(ifconfig, 'eth9 10.0.0.1/24')).toEqual(refused('SIOCGIFFLAGS eth9'));
  });

  it('prints nothing for the index of an interface, and knows no other number', async () => {
    expect(await run(ifconfig, '2')).toEqual({ text: '', errors: '', code: 0 });
    const refused = { text: '', errors: 'ifconfig: SIOCGIFFLAGS 0: Device not configured\n', code: 1 };
    expect(await run(ifconfig, '0')).toEqual(refused);
  });

  it('changes what it is told', async () => {
    const asked: object[] = [];
    const setInterface = async (change: object): Promise<void> => void asked.push(change);
    await run(ifconfig, 'eth0 inet 10.0.5.1 netmask 0xffff0000 broadcast 10.0.255.255 alias up mtu 9000', {
      setInterface,
    });
    expect(asked.splice(0)).toEqual([
      { name: 'eth0', up: true },
      { name: 'eth0', mtuBytes: 9000 },
      { name: 'eth0', addAddress: { address: '10.0.5.1', prefixLength: 16, broadcast: '10.0.255.255' } },
    ]);
    await run(ifconfig, 'eth0 10.0.5.1/28 -alias', { setInterface });
    await run(ifconfig, 'eth0 delete', { setInterface });
    await run(ifconfig, 'eth0 192.168.1.1 alias', { setInterface });
    // Without a word for it an address takes the place of the first.
    await run(ifconfig, 'eth0 172.16.0.1 255.255.255.128 172.16.0.99', { setInterface });
    expect(asked).toEqual([
      { name: 'eth0', removeAddress: { address: '10.0.5.1' } },
      { name: 'eth0', removeAddress: { address: '10.0.1.10' } },
      { name: 'eth0', addAddress: { address: '192.168.1.1', prefixLength: 24 } },
      { name: 'eth0', removeAddress: { address: '10.0.1.10' } },
      { name: 'eth0', addAddress: { address: '172.16.0.1', prefixLength: 25, broadcast: '172.16.0.99' } },
    ]);
    await expect(run(ifconfig, 'eth0 frob')).rejects.toThrow('frob: not understood');
    expect(await run(ifconfig, 'eth0 down', { setInterface: refusing('EBUSY') })).toEqual({
      text: '',
      errors: 'ifconfig: SIOCSIFFLAGS: Device busy\n',
      code: 1,
    });
  });

  it('lists cloners, creates and destroys', async () => {
    const asked: string[] = [];
    const kernel = {
      cloners: async () => ['bridge', 'lo'],
      createInterface: async (name: string) => {
        asked.push(`+${name}`);
        return name === 'lo' ? 'lo1' : name;
      },
      destroyInterface: async (name: string) => void asked.push(`-${name}`),
    };
    const done = { text: '', errors: '', code: 0 };
    expect(await run(ifconfig, '-C', kernel)).toEqual({ ...done, text: 'bridge lo\n' });
    expect((await run(ifconfig, '-C', kernel, true)).text).toBe('["bridge","lo"]\n');
    expect(await run(ifconfig, 'lo2 create', kernel)).toEqual(done);
    expect(await run(ifconfig, 'lo create', kernel)).toEqual({ ...done, text: 'lo1\n' });
    expect(await run(ifconfig, 'lo2 destroy', kernel)).toEqual(done);
    expect(asked).toEqual(['+lo2', '+lo', '-lo2']);
    await expect(run(ifconfig, 'lo2 destroy up', kernel)).rejects.toThrow('up: not understood');
  });

  it.each([
    ['EEXIST', 'File exists'],
    ['EINVAL', 'Invalid argument'],
    ['ENXIO', 'Device not configured'],
    ['EPERM', 'Operation not permitted'],
  ])('says what creating and destroying are refused with: %s', async (code, text) => {
    const errors = `ifconfig: clone_command: ${text}\nifconfig: exec_matches: ${text}\n`;
    const failed = { text: '', errors, code: 1 };
    expect(await run(ifconfig, 'lo0 create', { createInterface: refusing(code) })).toEqual(failed);
    expect(await run(ifconfig, 'lo0 destroy', { destroyInterface: refusing(code) })).toEqual(failed);
  });

  it('tells that an MTU, a metric or a tunnel is refused, and goes on; another refusal ends it', async () => {
    const asked: unknown[] = [];
    const refusingAll = {
      setInterface: (change: { mtuBytes?: number; up?: boolean }) => {
        asked.push(change);
        return change.up ? Promise.resolve() : refusing('EINVAL')();
      },
    };
    expect(await run(ifconfig, 'eth0 mtu 9999 up', refusingAll)).toEqual({
      text: '',
      errors: 'ifconfig: SIOCSIFMTU: Invalid argument\n',
      code: 0,
    });
    expect(asked).toEqual([
      { name: 'eth0', mtuBytes: 9999 },
      { name: 'eth0', up: true },
    ]);
    expect(await run(ifconfig, 'eth0 tunnel 10.0.0.1 10.0.0.2', refusingAll)).toMatchObject({
      errors: 'ifconfig: SIOCSLIFPHYADDR: Invalid argument\n',
      code: 0,
    });
    expect(await run(ifconfig, 'eth0 vlan 5 vlanif eth1', refusingAll)).toMatchObject({
      errors: 'ifconfig: SIOCSETVLAN: Invalid argument\n',
      code: 1,
    });
  });

  it('has no AppleTalk', async () => {
    expect(await run(ifconfig, 'eth0 atalk')).toEqual({
      text: '',
      errors: 'ifconfig: getsock: Address family not supported by protocol family\n',
      code: 1,
    });
  });

  it('gives data with --json', async () => {
    expect(JSON.parse((await run(ifconfig, 'eth0', {}, true)).text)).toEqual(ETH0);
  });

  it('ifconfig prints zones, flags, and lifetimes with -L', async () => {
    const interfaces = async (): Promise<InterfaceInfo[]> => [ETH6];
    const heading = 'eth0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n';
    expect((await run(ifconfig, 'eth0 inet6', { interfaces })).text).toBe(
      `${heading}\taddress: 02:6d:6b:00:03:00\n\tinet6 fe80::1%eth0/64 flags 0x0 scopeid 0x2\n\tinet6 fd00::a/64 flags 0x2<TENTATIVE>\n` +
        '\tinet6 fd00::b/64 flags 0xd0<DEPRECATED,AUTOCONF,TEMPORARY>\n',
    );
    const long = (await run(ifconfig, '-L eth0', { interfaces })).text;
    expect(long).toContain('fd00::a/64 flags 0x2<TENTATIVE>\n');
    expect(long).toContain('TEMPORARY> pltime 0 vltime 90061\n');
    const shared = { ...(ETH6.addresses6[2] as Address6Info), origin: 'manual' as const, anycast: true };
    const one = async (): Promise<InterfaceInfo[]> => [{ ...ETH6, addresses6: [shared] }];
    expect((await run(ifconfig, 'eth0 inet6', { interfaces: one })).text).toContain(
      '\tinet6 fd00::b/64 flags 0x11<ANYCAST,DEPRECATED>\n',
    );
  });

  it('sets and deletes IPv6 addresses', async () => {
    const asked: object[] = [];
    const setInterface = async (change: object): Promise<void> => void asked.push(change);
    const interfaces = async (): Promise<InterfaceInfo[]> => [ETH6];
    const eth0 = (words: string) => run(ifconfig, `eth0 inet6 ${words}`, { setInterface, interfaces });
    await eth0('FD00::0:5/48 alias');
    await eth0('fd00::5 prefixlen 80');
    await eth0('fe80::5');
    await eth0('fd00::5 delete');
    await eth0('fd00::5 prefixlen 80 anycast pltime 60 vltime 4294967295 alias');
    await eth0('fd00::5 deprecated');
    await eth0('fd00::5 -deprecated');
    await eth0('fd00::5 vltime 60');
    await eth0('fd00:1:: eui64');
    expect(asked).toEqual([
      { name: 'eth0', addAddress: { address: 'fd00::5', prefixLength: 48 } },
      { name: 'eth0', addAddress: { address: 'fd00::5', prefixLength: 80 } },
      { name: 'eth0', addAddress: { address: 'fe80::5', prefixLength: 64 } },
      { name: 'eth0', removeAddress: { address: 'fd00::5' } },
      {
        name: 'eth0',
        addAddress: { address: 'fd00::5', prefixLength: 80, anycast: true, preferredSec: 60, validSec: null },
      },
      { name: 'eth0', addAddress: { address: 'fd00::5', prefixLength: 64, preferredSec: 0 } },
      { name: 'eth0', addAddress: { address: 'fd00::5', prefixLength: 64, preferredSec: null } },
      { name: 'eth0', addAddress: { address: 'fd00::5', prefixLength: 64, preferredSec: null, validSec: 60 } },
      { name: 'eth0', addAddress: { address: 'fd00:1::1', prefixLength: 64 } },
    ]);
    await expect(eth0('fd00::5 pltime soon')).rejects.toThrow('pltime: not understood');
    await expect(eth0('fd00::5/129')).rejects.toThrow('fd00::5/129: bad prefix length');
    expect((await eth0('fd00::5 eui64')).errors).toBe('ifconfig: interface index is already filled, :: | fd00::5\n');
    expect((await run(ifconfig, 'eth0 inet6 fd00::5/64', { setInterface: refusing('EEXIST') })).errors).toBe(
      'ifconfig: SIOCAIFADDR_IN6: File exists\n',
    );
  });

  it('takes a second address as the other end where there are no broadcasts', () => {
    const { address } = readWords('gif0', ['10.0.0.1', '10.0.0.2', 'up'], { broadcasts: false });
    expect(address).toMatchObject({ address: '10.0.0.1', destination: '10.0.0.2', prefixLength: null });
  });
});

describe('ifconfig over a kernel', () => {
  it('makes vlans, and shows them as NetBSD does', async () => {
    const bed = new ToolBed(1);
    await bed.quietly(ifconfig, 'vlan0 create');
    expect((await bed.run(ifconfig, 'vlan0')).text).toBe(
      'vlan0: flags=0x8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500\n\taddress: 00:00:00:00:00:00\n',
    );
    await bed.quietly(ifconfig, 'vlan0 vlan 10 vlanif shmif0');
    await bed.quietly(ifconfig, 'vlan0 10.0.0.1/24');
    expect((await bed.run(ifconfig, 'vlan0')).text).toBe(
      `vlan0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1496
	vlan: 10 parent: shmif0
	address: b2:a0:00:00:00:01
	inet 10.0.0.1/24 broadcast 10.0.0.255 flags 0x0
`,
    );
    // The other parent need not be there.
    for (const other of ['vlan 11 vlanif shmif0', 'vlan 10 vlanif shmif7'])
      expect(await bed.run(ifconfig, `vlan0 ${other}`)).toEqual({
        text: '',
        errors: 'ifconfig: SIOCSETVLAN: Device busy\n',
        code: 1,
      });
    await bed.quietly(ifconfig, 'vlan0 -vlanif shmif0');
    await bed.quietly(ifconfig, 'vlan0 vlan 11 vlanif shmif0');
    expect((await bed.run(ifconfig, 'vlan0 link')).text.split('\n')[1]).toBe('\tvlan: 11 parent: shmif0');
    await bed.quietly(ifconfig, 'vlan0 destroy');
    expect((await bed.run(ifconfig, '-l')).text).toBe('lo0 shmif0\n');
    await expect(bed.run(ifconfig, 'shmif0 vlan 5')).rejects.toThrow('vlan and vlanif belong together');
    for (const id of ['-1', '65536'])
      await expect(bed.run(ifconfig, `shmif0 vlan ${id} vlanif lo0`)).rejects.toThrow(`vlan: not understood: ${id}`);
    expect((await bed.run(ifconfig, 'shmif0 vlan 5 vlanif lo0')).errors).toBe(
      'ifconfig: SIOCSETVLAN: Invalid argument\n',
    );
  });

  it('-z prints the counts, and begins again', async () => {
    const bed = new ToolBed(1);
    bed.receive(0, hex('ffffffffffff 020000000a01 88b5 0102'));
    const first = (await bed.run(ifconfig, '-z shmif0')).text;
    expect(first).toContain('\tinput: 1 packet, 16 bytes, 1 multicast, 1 queue drop\n\toutput: 0 packets, 0 bytes\n');
    expect((await bed.run(ifconfig, '-v shmif0')).text).toContain('\tinput: 0 packets, 0 bytes\n');
  });

  it('-v counts frames to groups; of those that are sent, broadcasts are none', async () => {
    const bed = new ToolBed(1, true);
    bed.seconds(5);
    const sent = /\toutput: (\d+) packets, \d+ bytes, (\d+) multicasts\n/;
    const [, packets, multicasts] = sent.exec((await bed.run(ifconfig, '-v shmif0')).text) ?? [];
    expect(packets).toBe(multicasts);
    await bed.quietly(ifconfig, 'shmif0 10.0.0.1/24');
    bed.seconds(1);
    const after = sent.exec((await bed.run(ifconfig, '-v shmif0')).text) ?? [];
    expect([Number(after[1]) - Number(after[2])]).toEqual([1]);
    bed.receive(0, hex('01005e000001 020000000a01 88b5 0102'), hex('b2a000000001 020000000a01 88b5 0102'));
    expect((await bed.run(ifconfig, '-v shmif0')).text).toContain('\tinput: 2 packets, 32 bytes, 1 multicast, 2 queue');
  });

  it('-s tells the carrier by its exit code, and says nothing', async () => {
    const bed = new ToolBed(1);
    expect(await bed.run(ifconfig, '-s shmif0')).toEqual({ text: '', errors: '', code: 0 });
    (bed.devices[0] as { linkUp: boolean }).linkUp = false;
    expect(await bed.run(ifconfig, '-s shmif0')).toEqual({ text: '', errors: '', code: 1 });
  });

  it('shows addresses of an interface that is down as detached; they are probed when it is up again', async () => {
    const bed = new ToolBed(1, true);
    await bed.quietly(ifconfig, 'shmif0 10.0.0.1/24');
    await bed.quietly(ifconfig, 'shmif0 inet6 fc00::1/64');
    bed.seconds(5);
    await bed.run(sysctl, '-w net.inet6.ip6.dad_count=1 net.inet.ip.dad_count=3');
    const shown = async (): Promise<string> => (await bed.run(ifconfig, 'shmif0')).text.split('\n').slice(2).join('\n');
    const lines = (four: string, six: string): string =>
      `\tinet 10.0.0.1/24 broadcast 10.0.0.255 flags ${four}
\tinet6 fe80::b0a0:ff:fe00:1%shmif0/64 flags ${six} scopeid 0x2
\tinet6 fc00::1/64 flags ${six}
`;
    expect(await shown()).toBe(lines('0x0', '0x0'));
    await bed.quietly(ifconfig, 'shmif0 down');
    expect(await shown()).toBe(lines('0x4<DETACHED>', '0x8<DETACHED>'));
    expect(await bed.run(ifconfig, '-w 1')).toEqual({ text: '', errors: '', code: 0 });
    await bed.quietly(ifconfig, 'shmif0 up');
    expect(await shown()).toBe(lines('0x1<TENTATIVE>', '0x2<TENTATIVE>'));
    bed.seconds(20);
    expect(await shown()).toBe(lines('0x0', '0x0'));
  });

  it('refuses media that there are not, and options of media', async () => {
    for (const [words, text] of [
      ['media foo', 'unknown Ethernet media subtype: foo'],
      ['media 100baseTX', 'SIOCSIFMEDIA: Device not configured'],
      ['mediaopt full-duplex', 'SIOCSIFMEDIA: Device not configured'],
      ['-mediaopt fast', 'unknown Ethernet media option: fast'],
    ]) {
      await expect(run(ifconfig, `eth0 ${words}`)).rejects.toThrow(text);
    }
  });

  it('-w waits for addresses that are probed, so long at most', async () => {
    const bed = new ToolBed(1, true);
    await bed.run(sysctl, '-w net.inet6.ip6.dad_count=1');
    await bed.quietly(ifconfig, 'shmif0 inet6 fc00::1/64');
    expect(await bed.run(ifconfig, '-w 1')).toEqual({ text: '', errors: 'ifconfig: timed out\n', code: 1 });
    bed.seconds(5);
    expect(await bed.run(ifconfig, '-w 10')).toEqual({ text: '', errors: '', code: 0 });
    expect((await bed.run(ifconfig, '-w soon')).errors).toBe('ifconfig: soon: not a number\n');
  });

  it('makes an address anew, keeps one of each, and shows metric and broadcast', async () => {
    const bed = new ToolBed(1, true);
    await bed.quietly(ifconfig, 'shmif0 10.0.0.1/24');
    await bed.quietly(ifconfig, 'shmif0 10.0.0.1/24');
    await bed.quietly(ifconfig, 'shmif0 10.0.1.1/24 broadcast 255.255.255.255 alias');
    await bed.quietly(ifconfig, 'shmif0 metric 5 mtu 1400');
    const shown = async (): Promise<string> => (await bed.run(ifconfig, 'shmif0 inet')).text;
    expect(await shown()).toBe(
      `shmif0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> metric 5 mtu 1400
	address: b2:a0:00:00:00:01
	inet 10.0.0.1/24 broadcast 10.0.0.255 flags 0x0
	inet 10.0.1.1/24 broadcast 255.255.255.255 flags 0x0
`,
    );
    await bed.quietly(ifconfig, 'shmif0 10.0.2.1/24');
    expect((await shown()).match(/inet \S+/g)).toEqual(['inet 10.0.1.1/24', 'inet 10.0.2.1/24']);
    await bed.quietly(ifconfig, 'shmif0 delete');
    expect((await shown()).match(/inet \S+/g)).toEqual(['inet 10.0.2.1/24']);
    await bed.quietly(ifconfig, 'shmif0 10.0.2.1 delete');
    const none = "Can't assign requested address\n";
    expect((await bed.run(ifconfig, 'shmif0 10.0.2.1 delete')).errors).toBe(`ifconfig: SIOCDIFADDR: ${none}`);
    expect((await bed.run(ifconfig, 'shmif0 delete')).errors).toBe(`ifconfig: SIOCGIFADDR: ${none}`);
  });

  it('gives an interface further link-layer addresses, and makes one the active one', async () => {
    const bed = new ToolBed(1);
    await bed.quietly(ifconfig, 'shmif0 link b2:a0:75:00:00:02');
    const heading = 'shmif0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n';
    expect((await bed.run(ifconfig, 'shmif0')).text).toBe(
      `${heading}\taddress: b2:a0:00:00:00:01\n\tlink b2:a0:75:00:00:02\n`,
    );
    await bed.quietly(ifconfig, 'shmif0 link b2:a0:75:00:00:02 active');
    expect((await bed.run(ifconfig, 'shmif0 link')).text).toBe(
      `${heading}\taddress: b2:a0:75:00:00:02\n\tlink b2:a0:00:00:00:01\n`,
    );
    expect((await bed.run(ifconfig, 'shmif0 link b2:a0:75:00:00:02 delete')).errors).toBe(
      'ifconfig: SIOCDLIFADDR: Device busy\n',
    );
    await bed.quietly(ifconfig, 'shmif0 link b2:a0:00:00:00:01 -alias');
    expect((await bed.run(ifconfig, 'shmif0 link')).text).toBe(`${heading}\taddress: b2:a0:75:00:00:02\n`);
    // Frames carry the new address, and those to the old one are none of ours.
    await bed.quietly(ifconfig, 'shmif0 10.0.0.1/24');
    const request = bed.devices[0]?.take().at(-1)?.slice(6, 12);
    expect(Buffer.from(request ?? []).toString('hex')).toBe('b2a075000002');
  });

  it('-h writes bytes in powers of 1024', async () => {
    const bed = new ToolBed(1);
    for (let i = 0; i < 2; i++) bed.receive(0, hex(`ffffffffffff 020000000a01 88b5 ${'00'.repeat(986)}`));
    expect((await bed.run(ifconfig, '-h -v shmif0')).text).toContain(
      '\tinput: 2 packets, 2.0K bytes, 2 multicasts, 2 queue drops\n',
    );
  });

  it("sets the flags that are the administrator's", async () => {
    const bed = new ToolBed(1);
    await bed.quietly(ifconfig, 'shmif0 -arp debug link0 link2');
    const line = async (): Promise<string> => (await bed.run(ifconfig, 'shmif0')).text.split('\n')[0] as string;
    expect(await line()).toBe(
      'shmif0: flags=0xd8c7<UP,BROADCAST,DEBUG,RUNNING,NOARP,SIMPLEX,LINK0,LINK2,MULTICAST> mtu 1500',
    );
    await bed.quietly(ifconfig, 'shmif0 arp -debug -link0 -link2');
    expect(await line()).toBe('shmif0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500');
  });
});
