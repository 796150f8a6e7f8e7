import { beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../test/fixtures/packets.ts';
import { ToolBed } from '../../test/fixtures/tool-bed.ts';
import { arp } from '../tools/arp.ts';
import { ifconfig } from '../tools/ifconfig.ts';
import type { IpAddress, RawEvent, RawRequest } from './control.ts';

const PEER = 0x0a000002;
const four = (w3: number): IpAddress => ({ family: 4, w0: 0, w1: 0, w2: 0, w3, scopeId: 0 });
const BYTES = Uint8Array.of(8, 0, 0, 0, 0, 1, 0, 2);

let bed: ToolBed;
beforeEach(async () => {
  bed = new ToolBed(1);
  await bed.quietly(ifconfig, 'shmif0 10.0.0.1/24');
  await bed.quietly(ifconfig, 'shmif0 10.0.0.9/24 alias');
  await bed.quietly(arp, '-s 10.0.0.2 2:0:0:0:0:2');
  bed.seconds(10);
});

/** IP headers that a raw socket of ICMP sends for one message, and the errno of that. */
function sent(request: Partial<RawRequest>): [headers: string[], errno: number] {
  bed.devices[0]?.take();
  let errno = 0;
  const event = (one: RawEvent): void => {
    if (one.type === 'sent') errno = one.errno;
  };
  const raw = bed.kernel.client.openNow('raw', { family: 4, protocol: 1, ...request }, { event, end: () => {} });
  raw.send({ id: 1, to: four(PEER), hops: 7, bytes: BYTES });
  bed.simulation.settle();
  raw.close();
  const frames = (bed.devices[0]?.take() ?? []).map(toHex);
  return [frames.map((frame) => frame.slice(28, 28 + 2 * 4 * Number(frame[29]))), errno];
}

/** Without identification and checksum. */
const fixed = (header: string): string => `${header.slice(0, 8)} ${header.slice(12, 20)} ${header.slice(24)}`;

describe('a raw socket for tools', () => {
  it('has the own address, type of service and DF that it is opened with', () => {
    const [[plain = '']] = sent({});
    expect(fixed(plain)).toBe('4500001c 00000701 0a0000010a000002');
    const [[header = '']] = sent({ from: four(0x0a000009), tos: 0x10, dontFragment: true });
    expect(fixed(header)).toBe('4510001c 40000701 0a0000090a000002');
  });

  it('sends the options that it is opened with', () => {
    // Record route of three addresses, and the end of options.
    const options = Uint8Array.of(7, 15, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const [[header = '']] = sent({ options });
    expect(fixed(header)).toBe('4900002c 00000701 0a0000010a000002070f0400000000000000000000000000');
  });

  it('sends to a broadcast address', () => {
    const event = (one: RawEvent): void => expect(one).toMatchObject({ errno: 0 });
    const raw = bed.kernel.client.openNow('raw', { family: 4, protocol: 1 }, { event, end: () => {} });
    raw.send({ id: 1, to: four(0x0a0000ff), hops: 7, bytes: BYTES });
    raw.close();
  });

  it.each([
    [{ from: four(0x0a000003) }, 'EADDRNOTAVAIL'],
    [{ options: new Uint8Array(3) }, 'EINVAL'],
    [{ options: new Uint8Array(44) }, 'EINVAL'],
    [{ tos: 256 }, 'EINVAL'],
    [{ dontFragment: 1 as never }, 'EINVAL'],
    [{ from: 'x' as never }, 'EINVAL'],
  ])('refuses %j', (request, code) => {
    expect(() => sent(request)).toThrow(expect.objectContaining({ code }));
    expect(bed.kernel.processes.count).toBe(1);
  });
});
