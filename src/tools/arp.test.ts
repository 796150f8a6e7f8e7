import { describe, expect, it } from 'vitest';
import { refusing, run } from '../../test/fixtures/tool-tables.ts';
import { arp } from './arp.ts';

describe('arp', () => {
  it('prints entries as NetBSD does', async () => {
    expect((await run(arp, '-an')).text).toBe(
      '? (10.0.1.1) at 02:6d:6b:00:02:01 on eth0\n' +
        '? (10.0.1.9) at (incomplete) on eth0\n' +
        '? (10.0.1.8) at 02:00:00:00:00:08 on eth0 permanent published\n',
    );
    expect((await run(arp, 'gw.back.lan')).text).toBe('gw (10.0.1.1) at 02:6d:6b:00:02:01 on eth0\n');
    expect((await run(arp, 'gw')).text).toBe('gw (10.0.1.1) at 02:6d:6b:00:02:01 on eth0\n');
    expect(await run(arp, '-n 10.0.1.77')).toEqual({
      text: '',
      errors: 'arp: 10.0.1.77 (10.0.1.77) -- no entry\n',
      code: 1,
    });
    expect((await run(arp, 'nobody')).errors).toBe('arp: nobody: Unknown host\n');
    await expect(run(arp, '')).rejects.toThrow(/^usage: arp/);
  });

  it('sets and deletes', async () => {
    const added: object[] = [];
    const addNeighbor = async (entry: object): Promise<void> => void added.push(entry);
    await run(arp, '-s gw 0:1:2:3:4:5 temp pub', { addNeighbor });
    expect(added).toEqual([{ address: '10.0.1.1', mac: '0:1:2:3:4:5', temporary: true, published: true }]);
    expect((await run(arp, '-s gw 1:2:3:4:5:6', { addNeighbor: refusing('EEXIST') })).errors).toBe(
      'arp: gw: File exists\n',
    );
    expect((await run(arp, '-d gw', { deleteNeighbor: refusing('ENOENT') })).errors).toBe('arp: gw: no entry\n');
    const deleted: string[] = [];
    await run(arp, '-da', { deleteNeighbor: async (address) => void deleted.push(address) });
    expect(deleted).toEqual(['10.0.1.1', '10.0.1.9', '10.0.1.8']);
  });
});
