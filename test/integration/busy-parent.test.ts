/** Threads and processes that a program starts while it computes or waits: they begin at once, and have sockets once it goes on. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Terminal } from '../fixtures/mk.ts';

const PROGRAMS: Readonly<Record<string, string>> = {
  // As synckit and esbuild do it.
  'waits.js': `
    const { Worker } = require('node:worker_threads');
    const word = new Int32Array(new SharedArrayBuffer(4));
    const text = 'const { workerData: w } = require("node:worker_threads"); Atomics.store(w, 0, 1); Atomics.notify(w, 0);';
    new Worker(text, { eval: true, workerData: word }).unref();
    console.log('found', Atomics.wait(word, 0, 0), word[0]);
    process.exit();`,
  'computes.js': `
    const { existsSync } = require('node:fs');
    const { fork } = require('node:child_process');
    const { Worker } = require('node:worker_threads');
    const name = 'computes' + process.pid;
    new Worker('require("node:fs").writeFileSync("' + name + '.thread", "")', { eval: true });
    fork('./child.js', [name]);
    while (!existsSync(name + '.thread') || !existsSync(name + '.child'));
    console.log('found both');
    process.exit();`,
  'child.js': `require('node:fs').writeFileSync(process.argv[2] + '.child', '');`,
  // The thread needs the kernel, which stands still; the program ends meanwhile.
  'leaves.js': `
    const { Worker } = require('node:worker_threads');
    const word = new Int32Array(new SharedArrayBuffer(4));
    const text = 'const { workerData: w } = require("node:worker_threads"); Atomics.store(w, 0, 1); Atomics.notify(w, 0);' +
      'require("node:net").createServer().listen(7);';
    new Worker(text, { eval: true, workerData: word });
    Atomics.wait(word, 0, 0);
    Atomics.wait(word, 0, 1, 100);
    console.log('found its end');
    process.exit();`,
  // A thread of a thread serves, both and a process ask.
  'serves.js': `
    const { fork } = require('node:child_process');
    const { Worker, isMainThread, parentPort, threadId, workerData } = require('node:worker_threads');
    const get = (port, who) => new Promise((done) => require('node:http').get({ port }, (r) => r.on('data', (d) => done(who + ' ' + d))));
    if (process.argv[2]) get(process.argv[2], 'process').then((text) => process.send(text));
    else if (workerData === 'inner') {
      const server = require('node:http').createServer((q, r) => r.end('served')).listen(0, () => parentPort.postMessage(server.address().port));
    } else if (workerData === 'outer') {
      const inner = new Worker(__filename, { workerData: 'inner' });
      inner.on('message', async (port) => parentPort.postMessage([port, await get(port, 'thread')]));
    } else {
      const outer = new Worker(__filename, { workerData: 'outer' });
      outer.on('message', async ([port, text]) => {
        const own = await get(port, 'main');
        fork(__filename, [port]).on('message', (other) => { console.log('found', text, own, other); process.exit(); });
      });
    }`,
};
const FOUND: readonly [string, string][] = [
  ['waits.js', 'found ok 1'],
  ['computes.js', 'found both'],
  ['leaves.js', 'found its end'],
  ['serves.js', 'found thread served main served process served'],
];

let terminal: Terminal;
beforeAll(() => {
  terminal = new Terminal();
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(terminal.folder, name), text);
});
afterAll(() => terminal.close());

describe('under mk run', () => {
  it.each(FOUND)('%s', async (program, found) => {
    const { code, out } = await terminal.run('run', '--', program);
    // Atomics.wait says "not-equal" to a program whose thread was quicker.
    expect({ code, out: out.replace('not-equal', 'ok') }).toEqual({ code: 0, out: `${found}\n` });
  });
});

describe.each(['beside', 'process'])('in a lab, placed %s', (placement) => {
  it('they do the same', async () => {
    const nodes = FOUND.map(([program]) => `  ${program.split('.')[0]}: { run: node ${program} }\n`);
    const file = `${placement}.yml`;
    writeFileSync(
      join(terminal.folder, file),
      `name: ${placement}\ndefaults: { node: { placement: ${placement} } }\nnodes:\n${nodes.join('')}`,
    );
    const up = await terminal.up(file);
    for (const [program, found] of FOUND) {
      const node = program.split('.')[0];
      await up.until(new RegExp(`^${node} \\| ${found.replace('ok', '(ok|not-equal)')}$`, 'm'));
      await up.until(new RegExp(`^${node}: exited 0$`, 'm'));
    }
    up.child.kill('SIGTERM');
    expect(await up.done).toMatchObject({ code: 0 });
  });
});
