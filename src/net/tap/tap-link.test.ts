import { beforeEach, describe, expect, it } from 'vitest';
import { ether, hex, ip4, toHex } from '../../../test/fixtures/packets.ts';
import { ToolBed } from '../../../test/fixtures/tool-bed.ts';
import { errnoName } from '../../base/errors.ts';
import { arp } from '../../tools/arp.ts';
import { brconfig } from '../../tools/brconfig.ts';
import type { DeviceStream } from '../../tools/device-stream.ts';
import { ifconfig } from '../../tools/ifconfig.ts';

const BROADCAST = 'ffffffffffff';
const PEER = '020000000002';

let bed: ToolBed;
beforeEach(() => {
  bed = new ToolBed(1);
});

/** The echo request to `dst`, and the reply from there; ICMP with their checksums. */
const ECHO = { request: hex('0800f7fd00010001'), reply: '0000fffd00010001' };
const request = (src: string, dst: string): Uint8Array => ip4({ src, dst, protocol: 1 }, ECHO.request);
const arpRequest = (senderIp: string, targetIp: string): Uint8Array =>
  ether(BROADCAST, PEER, 0x0806, hex(`0001080006040001${PEER}${senderIp}000000000000${targetIp}`));

/** Frames that the device has given so far. */
async function taken(device: DeviceStream, count: number): Promise<string[]> {
  const frames: string[] = [];
  while (frames.length < count) frames.push(toHex((await device.next()).value as Uint8Array));
  return frames;
}

async function macOf(name: string): Promise<string> {
  const { text } = await bed.run(ifconfig, name);
  return (/address: (\S+)/.exec(text)?.[1] ?? '').replaceAll(':', '');
}

describe('tap', () => {
  beforeEach(async () => {
    await bed.quietly(ifconfig, 'tap0 create');
    await bed.quietly(ifconfig, 'tap0 10.1.0.1/24');
  });

  it('is an Ethernet interface with an address of its own', async () => {
    const { text } = await bed.run(ifconfig, 'tap0');
    expect(text.replace(/(f2:0b:a4)(:[0-9a-f]{2}){3}/, '$1')).toBe(
      `tap0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	address: f2:0b:a4
	inet 10.1.0.1/24 broadcast 10.1.0.255 flags 0x0
`,
    );
    await bed.quietly(ifconfig, 'tap0 destroy');
    expect((await bed.run(ifconfig, '-l')).text).toBe('lo0 shmif0\n');
  });

  it('gives its frames to a program, and takes those that it writes', async () => {
    const device = bed.kernel.openTap('tap0');
    const own = await macOf('tap0');
    device.write(arpRequest('0a010002', '0a010001'));
    bed.simulation.settle();
    device.write(ether(own, PEER, 0x0800, request('10.1.0.2', '10.1.0.1')));
    bed.simulation.settle();
    const [answer = '', echo = ''] = await taken(device, 2);
    expect(answer).toBe(`${PEER}${own}0806` + `0001080006040002${own}0a010001${PEER}0a010002`);
    expect(echo.slice(0, 28)).toBe(`${PEER}${own}0800`);
    expect(echo.slice(28 + 24)).toBe(`0a0100010a010002${ECHO.reply}`);
    device.close();
  });

  it('is had by one program at a time, and by none when it is of another kind', async () => {
    const device = bed.kernel.openTap('tap0');
    await expect(bed.kernel.openTap('tap0').next()).rejects.toMatchObject({ code: 'EBUSY' });
    await expect(bed.kernel.openTap('tap1').next()).rejects.toMatchObject({ code: 'ENXIO' });
    await expect(bed.kernel.openTap('shmif0').next()).rejects.toMatchObject({ code: 'ENXIO' });
    expect(() => device.write(new Uint8Array(13))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    expect(() => device.write(new Uint8Array(1519))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    await bed.quietly(ifconfig, 'tap0 down');
    expect(() => device.write(new Uint8Array(60))).toThrow(expect.objectContaining({ code: 'ENETDOWN' }));
    await bed.quietly(ifconfig, 'tap0 destroy');
    expect(() => device.write(new Uint8Array(60))).toThrow(expect.objectContaining({ code: 'ENXIO' }));
    device.close();
  });

  it('drops frames while nobody reads, and the first reader sees none of them', async () => {
    await bed.quietly(arp, '-s 10.1.0.2 2:0:0:0:0:2');
    const raw = bed.kernel.client.openNow('raw', { family: 4, protocol: 1 }, { event: () => {}, end: () => {} });
    const send = (id: number): void => {
      const to = { family: 4 as const, w0: 0, w1: 0, w2: 0, w3: 0x0a010002, scopeId: 0 };
      raw.send({ id, to, hops: id, bytes: ECHO.request });
      bed.simulation.settle();
    };
    send(1);
    const device = bed.kernel.openTap('tap0');
    send(2);
    const [frame = ''] = await taken(device, 1);
    expect(frame.slice(28 + 16, 28 + 18)).toBe('02');
    device.close();
    raw.close();
  });

  it('answers as the member of a bridge', async () => {
    await bed.quietly(ifconfig, 'bridge0 create');
    await bed.quietly(ifconfig, 'bridge0 up');
    await bed.quietly(brconfig, 'bridge0 add shmif0 add tap0');
    bed.seconds(1);
    bed.devices[0]?.take();
    bed.receive(0, arpRequest('0a010002', '0a010001'));
    const own = await macOf('tap0');
    expect((bed.devices[0]?.take() ?? []).map(toHex)).toContain(
      `${PEER}${own}0806` + `0001080006040002${own}0a010001${PEER}0a010002`,
    );
  });
});

describe('tun', () => {
  beforeEach(async () => {
    await bed.quietly(ifconfig, 'tun0 create');
    await bed.quietly(ifconfig, 'tun0 10.2.0.1 10.2.0.2');
  });

  it('is a point-to-point interface', async () => {
    expect((await bed.run(ifconfig, 'tun0')).text).toBe(
      `tun0: flags=0x8051<UP,POINTOPOINT,RUNNING,MULTICAST> mtu 1500
	inet 10.2.0.1/32 -> 10.2.0.2 flags 0x0
`,
    );
    const { heap } = bed.kernel.cpus[0].cpu;
    const held = heap.usedBytes;
    await bed.quietly(ifconfig, 'tun0 destroy');
    expect(heap.usedBytes).toBeLessThan(held - 256_000);
  });

  it('gives its packets to a program, and takes those that it writes', async () => {
    const device = bed.kernel.openTap('tun0');
    device.write(request('10.2.0.2', '10.2.0.1'));
    bed.simulation.settle();
    const [packet = ''] = await taken(device, 1);
    expect(packet.slice(24)).toBe(`0a0200010a020002${ECHO.reply}`);
    expect(() => device.write(new Uint8Array(19))).toThrow(expect.objectContaining({ code: 'EINVAL' }));
    device.close();
  });

  it('says that the host is down while no program has it', () => {
    let errno = 0;
    const raw = bed.kernel.client.openNow(
      'raw',
      { family: 4, protocol: 1 },
      { event: (event) => void (errno = event.type === 'sent' ? event.errno : 0), end: () => {} },
    );
    const to = { family: 4 as const, w0: 0, w1: 0, w2: 0, w3: 0x0a020002, scopeId: 0 };
    raw.send({ id: 1, to, hops: 1, bytes: ECHO.request });
    expect(errnoName(errno)).toBe('EHOSTDOWN');
    raw.close();
  });
});
