import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Terminal } from '../fixtures/mk.ts';

const LISTENS = "require('node:net').createServer().listen(7); setInterval(() => {}, 1000);";

let terminal: Terminal;
beforeEach(() => {
  terminal = new Terminal();
});
afterEach(async () => {
  await terminal.run('down', '--all');
  await terminal.close();
});

/** Write a lab into a folder of its own; the path of its file. */
function labFile(name: string, text: string, programs: Record<string, string>): string {
  const folder = join(terminal.folder, name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'multikernel.yml'), text);
  for (const [file, source] of Object.entries(programs)) writeFileSync(join(folder, file), source);
  return join(folder, 'multikernel.yml');
}

describe('a lab that is detached', () => {
  it('is up when the command returns, is listed, and goes with all others', async () => {
    const one = labFile('one', 'nodes: { a: { run: node a.js } }', { 'a.js': LISTENS });
    const two = labFile('two', 'nodes: { a: {}, b: {} }', {});
    const up = await terminal.run('up', '-d', one);
    expect(up).toMatchObject({ code: 0, err: '' });
    expect(up.out).toMatch(/^one: 1 kernels in 1 thread, up in \d+ ms\nNAME .*\na +node .* running(, listening :7)?\n/);
    expect(await terminal.run('up', '-d', two)).toMatchObject({ code: 0, err: '' });
    const { out } = await terminal.run('ls', '--json');
    const listed = JSON.parse(out) as { name: string; nodes: number; file: string }[];
    expect(listed.map(({ name, nodes, file }) => [name, nodes, realpathSync(file)]).sort()).toEqual([
      ['one', 1, realpathSync(one)],
      ['two', 2, realpathSync(two)],
    ]);
    expect((await terminal.run('ls')).out).toMatch(/^NAME +PID +NODES +AGE +FILE\n(one|two) +\d+ +[12] +\d+ /);
    expect(await terminal.run('down', '--all')).toMatchObject({ code: 0, out: 'one is down\ntwo is down\n' });
    expect((await terminal.run('ls', '--json')).out).toBe('[]\n');
  });

  it('says why it did not come up', async () => {
    const file = labFile('bad', 'nodes: { a: { run: node gone.js } }', {});
    const { code, err, out } = await terminal.run('up', '-d', file);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(/^mk up: .*multikernel\.yml:1:\d+: nodes\.a\.run: no program .*gone\.js\n$/);
  });
});

describe('a lab that ends by itself', () => {
  const CHECKED = `
nodes: { a: {}, b: { run: node b.js } }
checks:
  - { within: 20s, tcp: "b:7", from: a }
`;
  const FAILING = `
nodes: { a: {}, b: { run: node b.js } }
checks:
  - { within: 100ms, tcp: "b:99", from: a }
`;

  it('ends when its checks have settled, with their verdict', async () => {
    const good = labFile('good', CHECKED, { 'b.js': LISTENS });
    const bad = labFile('bad', FAILING, { 'b.js': LISTENS });
    const passed = await terminal.run('up', '--until-checked', good);
    expect(passed.code).toBe(0);
    expect(passed.out).toContain('\nok   within 20 s: connect to b:7 from a: open\n');
    const failed = await terminal.run('up', '--until-checked', bad);
    expect(failed.code).toBe(1);
    expect(failed.out).toContain('\nFAIL within 100 ms: connect to b:99 from a: open: refused, expected open\n');
    const none = labFile('none', 'nodes: { a: {} }', {});
    expect(await terminal.run('up', '--until-checked', none)).toMatchObject({
      code: 2,
      err: `mk up: --until-checked: ${none} has no checks\n`,
    });
  });

  it('ends when a program fails', async () => {
    const file = labFile('three', 'nodes: { a: { run: node a.js }, b: { run: node b.js } }', {
      'a.js': LISTENS,
      'b.js': 'process.exit(3);',
    });
    const { code, out } = await terminal.run('up', '--exit-on-failure', file);
    expect(code).toBe(1);
    expect(out).toMatch(/^b(: | .*)exited 3$/m);
  });

  it('shows the stack of a crash, of a process and of a thread, and no figures where none are wanted', async () => {
    const nodes = 'a: { run: node a.js, placement: process }, b: { run: node a.js, placement: beside }';
    const file = labFile('four', `nodes: { ${nodes} }`, {
      'a.js': "function inner() { throw new TypeError('boom'); }\nsetTimeout(inner, 10);",
    });
    const { code, out } = await terminal.run('up', '--for', '2s', '--quiet-figures', file);
    expect(code).toBe(0);
    for (const node of ['a', 'b']) {
      const lines = out.split('\n').filter((line) => line.startsWith(`${node} | `));
      const at = lines.indexOf(`${node} | TypeError: boom`);
      expect(lines[at + 1]).toMatch(/^. \| {5}at .*\(.*a\.js:1:26\)$/);
      expect(out).toMatch(new RegExp(`^${node}(:| .*) crashed 1: TypeError: boom$`, 'm'));
    }
    expect(out).not.toMatch(/^ +\d+s /m);
  });

  it('is tested with one seed after the other', async () => {
    const good = labFile('good', CHECKED, { 'b.js': LISTENS });
    const bad = labFile('bad', FAILING, { 'b.js': LISTENS });
    const { code, out } = await terminal.run('test', '--seed', '7', '--seeds', '2', good);
    expect(code).toBe(0);
    expect(out).toMatch(
      /^seed 7: ok \(1 check, [\d.]+ m?s\)\nseed 8: ok \(1 check, [\d.]+ m?s\)\n2 passed, 0 failed\n$/,
    );
    const failed = await terminal.run('test', bad);
    expect(failed.code).toBe(1);
    expect(failed.out).toMatch(
      /^seed 1: FAILED \(1 check, .*\)\n {2}within 100 ms: connect to b:99 from a: open: refused, expected open\n$/,
    );
    expect((await terminal.run('test', '--seeds', '0', good)).err).toBe(
      'mk test: --seeds 0: a whole number from 1 to 1000000\n',
    );
  });
});
