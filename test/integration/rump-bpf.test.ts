/** A bpf device of a rump_server, for a program in another process. */

import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type * as KernelEntry from '../../src/kernel/index.ts';
import type { BpfFrame } from '../../src/tools/bpf-device.ts';
import { hex, toHex } from '../fixtures/packets.ts';
import { RumpServers } from '../fixtures/rump-servers.ts';

const { bpfFrames, openBpf } = (await import('#src/kernel/index')) as typeof KernelEntry;

const servers = new RumpServers();
afterAll(() => servers.close());

/** Who has 10.0.0.2? Tell 10.0.0.9. Broadcast; the source becomes that of the interface. */
const REQUEST = hex(
  'ffffffffffff' +
    '000000000000' +
    '0806' +
    '0001080006040001' +
    '020000000009' +
    '0a000009' +
    '000000000000' +
    '0a000002',
);

describe('a bpf device of a server', () => {
  it('reads, writes, counts and ends over a connection', async () => {
    const url = await servers.serve(1, 'shmif', 'bus');
    await servers.serve(2, 'shmif', 'bus');
    const place = `unix://${join(servers.folder, 's1')}`;
    const bpf = await openBpf(place, 'shmif0', {
      // Replies alone: a server asks for 10.0.0.9 some seconds later.
      filter: 'arp and src host 10.0.0.2 and arp[6:2] = 2',
      immediate: true,
      promiscuous: true,
      seeSent: false,
    });
    const read = bpf.read();
    bpf.write(REQUEST);
    const [frame] = [...bpfFrames(await read)] as [BpfFrame];
    // An ARP reply of 10.0.0.2 to 10.0.0.9, sent to the station that the request names.
    expect(toHex(frame.bytes.subarray(0, 6))).toBe('020000000009');
    expect(toHex(frame.bytes.subarray(12, 22))).toBe('08060001080006040002');
    expect(toHex(frame.bytes.subarray(28, 32))).toBe('0a000002');
    expect(Math.abs(Number(frame.timeNs / 1_000_000n) - Date.now())).toBeLessThan(60_000);
    expect((await bpf.stats()).captured).toBe(1);
    expect(await servers.ok('rump.netstat', '-B', url)).toMatch(/^\d+ +shmif0 +\d+ +0 +1 +IPRS- {2}32768 {4}bpf$/m);
    expect(await servers.ok('rump.ifconfig', 'shmif0', url)).toContain('PROMISC');
    const last = bpf.read();
    bpf.close();
    await expect(last).rejects.toMatchObject({ code: 'EBADF' });
    expect(await servers.ok('rump.netstat', '-B', url)).not.toContain('shmif0');
    const lo0 = await openBpf(place, 'lo0');
    lo0.write(REQUEST);
    await expect(lo0.read()).rejects.toMatchObject({ code: 'EOPNOTSUPP' });
    await expect((await openBpf(place, 'shmif9')).read()).rejects.toMatchObject({ code: 'ENXIO' });
    await expect(openBpf(place, 'shmif0', { filter: 'tcp and and' })).rejects.toMatchObject({ code: 'EINVAL' });
    await expect(openBpf(`${place}-none`, 'shmif0')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('captures by an expression behind -f', async () => {
    const capture = (...args: string[]) => servers.start('rump.capture', args, 'unix://s1').done;
    const refused = await capture('-w', 'none.pcapng', '-f', 'tcp and and');
    expect(refused.code).not.toBe(0);
    expect(refused.err).toContain("filter 'tcp and and', column 9");
    expect((await capture('-w', 'none.pcapng', '-f', 'tcp', 'udp')).err).toContain('usage: rump.capture');
  });
});
