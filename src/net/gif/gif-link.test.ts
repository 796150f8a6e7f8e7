import { beforeEach, describe, expect, it } from 'vitest';
import { ether, hex, ip4, toHex } from '../../../test/fixtures/packets.ts';
import { icmp6, packet6 } from '../../../test/fixtures/packets6.ts';
import { ToolBed } from '../../../test/fixtures/tool-bed.ts';
import { arp } from '../../tools/arp.ts';
import { ifconfig } from '../../tools/ifconfig.ts';
import { ndp } from '../../tools/ndp.ts';
import { route } from '../../tools/route.ts';

const OWN = 'b2a000000001';
const PEER = '020000000002';

let bed: ToolBed;

beforeEach(async () => {
  bed = new ToolBed(1, true);
  await bed.quietly(ifconfig, 'shmif0 10.0.0.1/24');
  await bed.quietly(ifconfig, 'shmif0 inet6 fc00::1/64');
  await bed.quietly(arp, '-s 10.0.0.2 2:0:0:0:0:2');
  await bed.quietly(ndp, '-s fc00::2 2:0:0:0:0:2');
  await bed.quietly(ifconfig, 'gif0 create');
  await bed.quietly(ifconfig, 'gif0 172.16.0.1/24');
  await bed.quietly(ifconfig, 'gif0 inet6 fd16::1/64');
  bed.seconds(10);
});

/** An echo request from the other end, and the reply, both inside the tunnel. */
function inner4(reply: boolean): Uint8Array {
  const ends = { src: '172.16.0.2', dst: '172.16.0.1' };
  const body = hex(reply ? '0000fffd00010001' : '0800f7fd00010001');
  return ip4({ ...(reply ? { src: ends.dst, dst: ends.src } : ends), protocol: 1, id: 0 }, body);
}

function inner6(reply: boolean): Uint8Array {
  const [src, dst] = reply ? ['fd16::1', 'fd16::2'] : ['fd16::2', 'fd16::1'];
  return packet6(
    { src: src as string, dst: dst as string, next: 58 },
    icmp6(src as string, dst as string, reply ? 129 : 128, 0, hex('00010001')),
  );
}

function outer4(protocol: number, payload: Uint8Array): Uint8Array {
  return ether(OWN, PEER, 0x0800, ip4({ src: '10.0.0.2', dst: '10.0.0.1', protocol }, payload));
}

function outer6(protocol: number, payload: Uint8Array): Uint8Array {
  return ether(OWN, PEER, 0x86dd, packet6({ src: 'fc00::2', dst: 'fc00::1', next: protocol }, payload));
}

function sent(): string[] {
  return (bed.devices[0]?.take() ?? []).map(toHex);
}

describe('gif', () => {
  it('carries IPv4 in IPv4', async () => {
    await bed.quietly(ifconfig, 'gif0 tunnel 10.0.0.1 10.0.0.2');
    sent();
    bed.receive(0, outer4(4, inner4(false)));
    const [frame, ...more] = sent() as [string];
    expect(more).toEqual([]);
    // TTL 30, protocol 4, and the addresses of the tunnel.
    expect(frame.slice(0, 28)).toBe(`${PEER}${OWN}0800`);
    expect(frame.slice(28 + 16, 28 + 20)).toBe('1e04');
    expect(frame.slice(28 + 24, 28 + 40)).toBe('0a0000010a000002');
    expect(frame.slice(28 + 40 + 24)).toBe(toHex(inner4(true)).slice(24));
  });

  it('carries IPv6 in IPv4', async () => {
    await bed.quietly(ifconfig, 'gif0 tunnel 10.0.0.1 10.0.0.2');
    sent();
    bed.receive(0, outer4(41, inner6(false)));
    const frame = sent().find((text) => text.slice(28 + 18, 28 + 20) === '29') as string;
    expect(frame.slice(28 + 40 + 16)).toBe(toHex(inner6(true)).slice(16));
  });

  it.each([
    ['IPv4', 4, inner4, 24],
    ['IPv6', 41, inner6, 16],
  ] as const)('carries %s in IPv6', async (_family, protocol, inner, from) => {
    await bed.quietly(ifconfig, 'gif0 tunnel fc00::1 fc00::2');
    sent();
    bed.receive(0, outer6(protocol, inner(false)));
    const next = protocol.toString(16).padStart(2, '0');
    const frame = sent().find((text) => text.startsWith(`${PEER}${OWN}86dd`) && text.slice(40, 42) === next) as string;
    expect(frame.slice(42, 44)).toBe('1e');
    expect(frame.slice(28 + 80 + from)).toBe(toHex(inner(true)).slice(from));
  });

  it('takes nothing from elsewhere, nor of the other family, nor while it is down', async () => {
    await bed.quietly(ifconfig, 'gif0 tunnel 10.0.0.1 10.0.0.2');
    sent();
    const stranger = ip4({ src: '10.0.0.3', dst: '10.0.0.1', protocol: 4 }, inner4(false));
    bed.receive(0, ether(OWN, PEER, 0x0800, stranger), outer4(41, inner4(false)));
    expect(sent().filter((text) => text.slice(46, 48) === '04')).toEqual([]);
    await bed.quietly(ifconfig, 'gif0 down');
    bed.receive(0, outer4(4, inner4(false)));
    expect(sent()).toEqual([]);
  });

  it('does not go into itself', async () => {
    await bed.quietly(ifconfig, 'gif0 tunnel 172.16.0.1 172.16.0.9');
    const { counters } = bed.kernel.cpus[0].cpu;
    await bed.quietly(ifconfig, 'gif1 create');
    await bed.quietly(ifconfig, 'gif1 tunnel 172.16.0.1 172.16.0.8');
    await bed.quietly(ifconfig, 'gif1 172.17.0.1/24');
    bed.receive(
      0,
      ether(OWN, PEER, 0x0800, ip4({ src: '172.17.0.2', dst: '172.17.0.1', protocol: 1 }, hex('0800f7fd00010001'))),
    );
    expect(counters.get(counters.index('gif-nested'))).toBeGreaterThan(0);
  });

  it('is shown and refused as NetBSD does', async () => {
    await bed.quietly(ifconfig, 'gif0 tunnel 10.0.0.1 10.0.0.2');
    expect((await bed.run(ifconfig, 'gif0 inet')).text).toBe(
      `gif0: flags=0x8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1280
	tunnel inet 10.0.0.1 --> 10.0.0.2
	inet 172.16.0.1/24 flags 0x0
`,
    );
    await bed.quietly(ifconfig, 'gif0 172.16.0.1 172.16.0.9');
    await bed.quietly(ifconfig, 'gif0 inet6 fd17::1 fd17::9');
    expect((await bed.run(ifconfig, 'gif0')).text).toMatch(
      /\tinet 172\.16\.0\.1\/32 -> 172\.16\.0\.9 flags 0x0\n(.*\n)*\tinet6 fd17::1\/128 -> fd17::9 flags 0x0\n/,
    );
    const routes = async (): Promise<string> => (await bed.run(route, '-nL show')).text;
    expect(await routes()).toMatch(/^172\.16\.0\.9 +172\.16\.0\.1 +UH .* gif0\n/m);
    expect(await routes()).toMatch(/^fd17::9 +fd17::1 +UH .* gif0\n/m);
    await bed.quietly(ifconfig, 'gif0 delete');
    await bed.quietly(ifconfig, 'gif0 inet6 fd17::1 delete');
    expect(await routes()).not.toMatch(/172\.16|fd17/);
    await bed.quietly(ifconfig, 'gif1 create');
    expect((await bed.run(ifconfig, 'gif1 tunnel 10.0.0.1 10.0.0.2')).errors).toMatch(
      /Can't assign requested address\n$/,
    );
    expect((await bed.run(ifconfig, 'gif1 tunnel 10.0.0.1 fc00::2')).errors).toMatch(/Invalid argument\n$/);
    await bed.quietly(ifconfig, 'gif0 deletetunnel');
    expect((await bed.run(ifconfig, 'gif0')).text.split('\n')[0]).toBe(
      'gif0: flags=0x8011<UP,POINTOPOINT,MULTICAST> mtu 1280',
    );
    const { heap } = bed.kernel.cpus[0].cpu;
    const held = heap.usedBytes;
    await bed.quietly(ifconfig, 'gif1 destroy');
    expect(heap.usedBytes).toBeLessThan(held - 128_000);
  });
});
