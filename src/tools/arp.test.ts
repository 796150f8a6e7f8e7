import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { refusing, run } from '../../test/fixtures/tool-tables.ts';
import { arp } from './arp.ts';

describe('arp', () => {
  it('prints entries as NetBSD does', async () => {
    expect((await run(arp, '-an')).text).toBe(
      '? (10.0.1.1) at 02:6d:6b:00:02:01 on eth0\n' +
        '? (10.0.1.9) at (incomplete) on eth0\n' +
        '? (10.0.1.8) at 02:00:00:00:00:08 on eth0 permanent published (proxy only)\n',
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
    const refused = async (code: string): Promise<string> =>
      (await run(arp, '-s gw 1:2:3:4:5:6', { addNeighbor: refusing(code) })).errors;
    expect(await refused('EEXIST')).toBe('arp: writing to routing socket: File exists\n');
    expect(await refused('EADDRNOTAVAIL')).toBe('arp: set: can only proxy for gw\n');
    expect(await refused('ENETUNREACH')).toBe('arp: cannot intuit interface index and type for gw\n');
    added.length = 0;
    expect(await run(arp, '-v -s gw 0:1:2:3:4:5 pub proxy', { addNeighbor })).toMatchObject({
      text: 'gw (0:1:2:3:4:5) added\n',
    });
    expect(added).toMatchObject([{ temporary: false, published: true, proxyOnly: true }]);
    expect((await run(arp, '-d gw', { deleteNeighbor: refusing('ENOENT') })).errors).toBe('arp: gw: no entry\n');
    const deleted: string[] = [];
    await run(arp, '-da', { deleteNeighbor: async (address) => void deleted.push(address) });
    expect(deleted).toEqual(['10.0.1.1', '10.0.1.9', '10.0.1.8']);
  });

  it('-f sets the entries of a file, and says which lines are none', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mk-arp-'));
    const file = join(folder, 'entries');
    writeFileSync(file, '# two\n10.0.1.5 0:1:2:3:4:5\n\n10.0.1.6 0:1:2:3:4:6 temp pub # for a day\n10.0.1.7\n');
    const added: object[] = [];
    const addNeighbor = async (entry: object): Promise<void> => void added.push(entry);
    expect(await run(arp, `-f ${file}`, { addNeighbor })).toEqual({
      text: '',
      errors: 'arp: bad line: 10.0.1.7\n',
      code: 1,
    });
    expect(added).toEqual([
      { address: '10.0.1.5', mac: '0:1:2:3:4:5', temporary: false, published: false },
      { address: '10.0.1.6', mac: '0:1:2:3:4:6', temporary: true, published: true },
    ]);
    rmSync(folder, { recursive: true });
    expect((await run(arp, `-f ${file}`)).errors).toBe(`arp: cannot open ${file}\n`);
  });
});
