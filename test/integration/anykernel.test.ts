/**
 * The anykernel: the same kernel in a lab, as a server of its own process, and as a library of a process. One program, which knows of none of
 * this, sees the same under each, byte for byte.
 */

import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { builtFacade } from '../fixtures/built.ts';
import { RumpServers } from '../fixtures/rump-servers.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PROGRAM = join(ROOT, 'test/fixtures/anykernel/program.cjs');
const TRANSCRIPT = `lo0: 127.0.0.1/8
listen at 7 again: EADDRINUSE
client: connected to 127.0.0.1:7
server: 300000 bytes, and the end
client: thank you
connect to 7, closed: ECONNREFUSED
datagram from 127.0.0.1:53: not who?
datagram to 53, closed: ECONNREFUSED
done
`;

let bed: RumpServers;
beforeAll(() => {
  bed = new RumpServers();
});
afterAll(() => bed.close());

it.each(['beside', 'process'] as const)('in a lab, the program %s its kernel', async (placement) => {
  const mk = await builtFacade();
  const lab = await mk.lab({ nodes: { one: { run: `node ${PROGRAM}`, placement } } });
  try {
    const lines: string[] = [];
    for await (const { source, text } of lab.logs({ nodes: ['one'], follow: true })) {
      if (source !== 'state') lines.push(`${text}\n`);
      if (text === 'done') break;
    }
    expect(lines.join('')).toBe(TRANSCRIPT);
  } finally {
    await lab.down();
  }
});

it('as a server, the program in another process', async () => {
  const url = `unix://${join(bed.folder, 'server')}`;
  await bed.ok('rump_server', `-lrumpnet ${url}`);
  const hijack = join(ROOT, 'dist/worker/hijack.js');
  expect(await bed.node(['--import', hijack, PROGRAM], url).done).toMatchObject({ code: 0, out: TRANSCRIPT, err: '' });
  await bed.ok('rump.halt', '', url);
});

it('as a library, in the process of the program', async () => {
  const library = join(ROOT, 'test/fixtures/anykernel/library.mjs');
  expect(await bed.node([library, PROGRAM]).done).toMatchObject({ code: 0, out: TRANSCRIPT, err: '' });
});
