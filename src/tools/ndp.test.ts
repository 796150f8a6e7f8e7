import { describe, expect, it } from 'vitest';
import { run } from '../../test/fixtures/tool-tables.ts';
import { ndp } from './ndp.ts';

describe('ndp', () => {
  it('ndp prints, deletes, and flushes all but what was set by hand', async () => {
    const deleted: string[] = [];
    const deleteNeighbor = async (address: string): Promise<void> => void deleted.push(address);
    expect((await run(ndp, '-an')).text).toBe(
      `Neighbor                                Linklayer Address  Netif Expire    S Flags
fd00::1                                 02:6d:6b:00:02:01   eth0 23h59m58s R R
fe80::9%eth0                            (incomplete)        eth0 1s        I
fd00::8                                 02:6d:6b:00:02:01   eth0 permanent R
`,
    );
    expect((await run(ndp, '-d gw', { deleteNeighbor })).text).toBe('gw (fd00::1) deleted\n');
    await run(ndp, '-c', { deleteNeighbor });
    expect(deleted).toEqual(['fd00::1', 'fd00::1', 'fe80::9%eth0']);
    expect(await run(ndp, 'fd00::77')).toMatchObject({ errors: 'ndp: fd00::77 (fd00::77) -- no entry\n', code: 1 });
    expect((await run(ndp, '-n 10.0.1.1')).errors).toBe('ndp: 10.0.1.1: Unknown host\n');
    expect((await run(ndp, '-tn fd00::1')).text).toMatch(
      /^\d\d:\d\d:\d\d\.\d{6} fd00::1 +02:6d:6b:00:02:01 +eth0 23h59m58s R R\n$/,
    );
    await expect(run(ndp, '-a -c')).rejects.toThrow(/^usage: ndp/);
    await expect(run(ndp, '-a fd00::1')).rejects.toThrow(/^usage: ndp/);
  });
});
