import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Done, type Running, Terminal } from '../fixtures/mk.ts';

let terminal: Terminal;
beforeEach(() => {
  terminal = new Terminal();
});
afterEach(() => terminal.close());

function folder(name: string): string {
  return join(terminal.folder, name);
}

/** Run `mk ARGS` in a folder. */
function at(name: string, ...args: string[]): Promise<Done> {
  return terminal.start(args, { cwd: folder(name), input: '' }).done;
}

/** Bring a lab of one node up in a folder of its own. */
async function up(name: string, text: string = `name: ${name}\nnodes: { a: {} }\n`): Promise<Running> {
  mkdirSync(folder(name));
  writeFileSync(join(folder(name), 'multikernel.yml'), text);
  const running = terminal.start(['up'], { cwd: folder(name) });
  await running.until(/^NAME .*\n/m);
  return running;
}

describe('mk down without a name', () => {
  it('takes down the lab of this folder and no other', async () => {
    await up('one');
    const two = await up('two');
    mkdirSync(folder('elsewhere'));
    expect(await at('elsewhere', 'down')).toMatchObject({
      code: 2,
      out: '',
      err: 'mk down: no multikernel.yml here; up: one, two; say which: mk down NAME\n',
    });
    expect(await at('two', 'down')).toMatchObject({ code: 0, out: 'two is down\n' });
    expect((await two.done).code).toBe(0);
    expect(await at('two', 'down')).toMatchObject({
      code: 2,
      out: '',
      err: 'mk down: two, the lab of multikernel.yml, is not up; up: one; say which: mk down NAME\n',
    });
    writeFileSync(join(folder('one'), 'multikernel.yml'), 'nodes: {\n');
    expect((await at('one', 'down')).err).toMatch(
      /^mk down: multikernel\.yml:\d+:\d+: [^\n]*; up: one; say which: mk down NAME\n$/,
    );
    expect(await at('elsewhere', 'down', 'one', '--json')).toMatchObject({ out: '{"lab":"one","state":"down"}\n' });
    expect(await at('elsewhere', 'down')).toMatchObject({
      code: 2,
      err: 'mk down: no multikernel.yml here, and no lab is up\n',
    });
  });
});

describe('a lab whose process stands still', () => {
  it('holds up no command about another', async () => {
    const one = await up('one');
    const two = await up('two');
    one.child.kill('SIGSTOP');
    try {
      const silent = 'lab one does not answer (waited 5 s)';
      const [named, all, here, stuck, again] = await Promise.all([
        at('.', 'ps', '--lab', 'two'),
        at('.', 'ps'),
        at('two', 'ps'),
        at('.', 'down', 'one'),
        at('one', 'up'),
      ]);
      expect(named.out).toMatch(/^a .* ready$/m);
      expect(all).toMatchObject({
        code: 2,
        out: '',
        err: 'mk ps: several labs are up (two, one without an answer): say which with --lab\n',
      });
      expect(here.out).toMatch(/^a .* ready$/m);
      expect(stuck).toMatchObject({ code: 2, out: '', err: `mk down: ${silent}\n` });
      expect(again).toMatchObject({
        code: 2,
        err: 'mk up: lab one is already up; take it down with: mk down one\n',
      });
      expect(await at('two', 'down')).toMatchObject({ code: 0, out: 'two is down\n' });
      await two.done;
      await up('three');
      expect(await at('one', 'ps')).toMatchObject({ code: 2, err: 'mk ps: lab one does not answer\n' });
      expect(await at('three', 'down')).toMatchObject({ code: 0 });
      const [only, lost] = await Promise.all([at('.', 'ps'), at('.', 'down')]);
      expect(only).toMatchObject({ code: 2, err: 'mk ps: lab one does not answer\n' });
      expect(lost.err).toBe('mk down: no multikernel.yml here; up: one (does not answer); say which: mk down NAME\n');
    } finally {
      one.child.kill('SIGCONT');
    }
    expect(await at('one', 'down')).toMatchObject({ code: 0, out: 'one is down\n' });
  });
});
