/** `memory:` of the lab file: what a kernel can hold. When it is used up, windows close and writes wait, and nothing fails. */

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';

const CONNECTIONS = 60;
const EACH_BYTES = 200_000;
const MIB = 1024 * 1024;

/** Reads nothing of port 80 until port 81 is asked to; answers on 82 all the time. */
const SERVER = `
  const net = require('node:net');
  const held = [];
  let reading = false;
  let bytes = 0;
  const read = (socket) => socket.on('data', (data) => { bytes += data.length; }).on('end', () => {
    socket.end();
    if (bytes === ${CONNECTIONS * EACH_BYTES}) console.log('all', bytes);
  }).resume();
  net.createServer({ pauseOnConnect: true }, (socket) => {
    socket.on('error', (e) => console.log(e.code));
    if (reading) read(socket);
    else held.push(socket);
  }).listen(80);
  net.createServer((socket) => {
    socket.end();
    reading = true;
    held.forEach(read);
  }).listen(81);
  net.createServer((socket) => socket.pipe(socket)).listen(82);`;

/** Says what failed when all connections have ended. */
const CLIENT = `
  const net = require('node:net');
  const failed = [];
  let closed = 0;
  for (let n = 0; n < ${CONNECTIONS}; n++) {
    const socket = net.connect(80, 's', () => socket.end(Buffer.alloc(${EACH_BYTES})));
    socket.on('error', (e) => failed.push(e.code)).on('close', () => {
      if (++closed === ${CONNECTIONS}) console.log('closed', failed.length, 'failed');
    }).resume();
  }`;

let net: Facade.Lab | null = null;
let folder = '';
afterEach(async () => {
  await net?.down();
  net = null;
  rmSync(folder, { recursive: true, force: true });
});

it.each(['beside', 'process'] as const)('closes windows when it is used up, with programs %s', async (placement) => {
  const { lab } = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-memory-'));
  writeFileSync(join(folder, 'server.js'), SERVER);
  writeFileSync(join(folder, 'client.js'), CLIENT);
  const nodes = {
    s: { run: 'node server.js', placement, memory: '1MiB' },
    c: { run: 'node client.js', placement, memory: '64MiB', depends_on: { s: 'listening:82' } },
  };
  const up = await lab({ nodes }, { folder });
  net = up;
  const counter = async (name: string): Promise<number> =>
    (await up.counters('s')).find((block) => block.name === 's')?.values[name] ?? 0;
  await up.until(async () => (await counter('memory-refused')) > 0);
  expect(await counter('memory-used')).toBeLessThanOrEqual(MIB);
  const [echo] = await once(up.node('c').connect(82, 's').end('small'), 'data');
  expect(String(echo)).toBe('small');
  await once(up.node('c').connect(81, 's').end().resume(), 'close');
  const said: string[] = [];
  for await (const { node, source, text } of up.logs({ follow: true })) {
    if (source !== 'state') said.push(`${node} | ${text}`);
    if (said.length === 2) break;
  }
  expect(said.sort()).toEqual(['c | closed 0 failed', `s | all ${CONNECTIONS * EACH_BYTES}`]);
  for await (const { nodes: metrics } of up.metrics({ intervalMs: 100 })) {
    expect(metrics.map(({ node, memoryMaxBytes }) => [node, memoryMaxBytes])).toEqual([
      ['s', MIB],
      ['c', 64 * MIB],
    ]);
    break;
  }
});
