/** The end of `mk up`: it comes whatever programs do and whoever reads, and takes along what programs started. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../fixtures/fake-workers.ts';
import { isInstalled } from '../fixtures/installed.ts';
import { MK, type Running, Terminal } from '../fixtures/mk.ts';

/** Programs that do not want to end, each in its way; they say `stands` first. */
const STUBBORN: Readonly<Record<string, string>> = {
  loop: "process.stdout.write('stands\\n', () => { for (;;); });",
  wait: "process.stdout.write('stands\\n', () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));",
  deaf: "for (const s of ['SIGTERM', 'SIGINT']) process.on(s, () => {}); setInterval(() => {}, 1000); console.log('stands');",
  sync: "process.stdout.write('stands\\n', () => require('node:child_process').spawnSync('sleep', ['1000']));",
  shell: "process.stdout.write('stands\\n', () => require('node:child_process').execSync('sleep 1000; true'));",
  chatter: `
    const say = () => { for (let i = 0; i < 50; i++) console.log('stands', 'x'.repeat(200)); setImmediate(say); };
    say();`,
};

/** Its children, each of another kind, write their numbers to files. */
const PARENT = `
  const { fork, spawn } = require('node:child_process');
  fork('./child.js', ['fork']);
  spawn(process.execPath, ['child.js', 'busy'], { stdio: 'ignore' });
  spawn(process.execPath, ['child.js', 'detached'], { stdio: 'ignore', detached: true }).unref();
  spawn('sh', ['-c', 'sh -c "echo \\\\$\\\\$ > shell.pid; sleep 1000; true" & wait'], { stdio: 'ignore' });
  setInterval(() => {}, 1000);`;
const CHILD = `
  const { renameSync, writeFileSync } = require('node:fs');
  const kind = process.argv[2];
  writeFileSync(kind + '.tmp', String(process.pid));
  renameSync(kind + '.tmp', kind + '.pid');
  if (kind === 'busy') for (;;); else setInterval(() => {}, 1000);`;
const CHILDREN = ['fork', 'busy', 'detached', 'shell'];

let terminal: Terminal;
afterEach(() => terminal.close());

function file(name: string): string {
  return join(terminal.folder, name);
}

function labOf(placement: string, nodes: Readonly<Record<string, string>>): void {
  const lines = Object.keys(nodes).map((name) => `  ${name}: { run: node ${name}.js }\n`);
  for (const [name, text] of Object.entries(nodes)) writeFileSync(file(`${name}.js`), text);
  writeFileSync(
    file('multikernel.yml'),
    `name: end\ndefaults: { node: { placement: ${placement} } }\nnodes:\n${lines.join('')}`,
  );
}

/** Whether a process runs; one that ended and was not waited for does not. */
function runs(pid: number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout.trim() !== '' && !stdout.startsWith('Z');
}

async function stand(up: Running, names: readonly string[]): Promise<void> {
  for (const name of names) await up.until(new RegExp(`^${name} \\| stands`, 'm'));
}

const ENDS: readonly [string, (up: Running) => unknown][] = [
  ['SIGINT', (up) => up.child.kill('SIGINT')],
  ['SIGTERM', (up) => up.child.kill('SIGTERM')],
  ['mk down', () => terminal.run('down', 'end')],
  ['--for', () => undefined],
];

describe.each(['beside', 'process'])('mk up with programs placed %s', (placement) => {
  it.each(ENDS)('ends by %s whatever they do', async (how, end) => {
    terminal = new Terminal();
    labOf(placement, STUBBORN);
    const up = await terminal.up(...(how === '--for' ? ['--for', '3s'] : []));
    if (how !== '--for') await stand(up, Object.keys(STUBBORN));
    await end(up);
    expect(await up.done).toMatchObject({ code: 0, err: '' });
    expect(terminal.sockets).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux').each(['SIGTERM', 'SIGKILL'] as const)(
    'takes along what they started, by %s',
    async (signal) => {
      terminal = new Terminal();
      labOf(placement, { parent: PARENT });
      writeFileSync(file('child.js'), CHILD);
      const up = await terminal.up();
      await until(() => CHILDREN.every((kind) => existsSync(file(`${kind}.pid`)) && pidOf(kind) > 0));
      up.child.kill(signal);
      await up.done;
      await until(() => !CHILDREN.map(pidOf).some(runs));
    },
  );

  it('lets them close what they have', async () => {
    terminal = new Terminal();
    labOf(placement, {
      server: `
        const { writeFileSync } = require('node:fs');
        process.on('SIGTERM', () => { console.log('closing'); process.exit(); });
        process.on('exit', () => writeFileSync('ended.txt', 'in order'));
        require('node:net').createServer().listen(80);`,
    });
    const up = await terminal.up();
    await up.until(/listening :80/);
    up.child.kill('SIGINT');
    expect((await up.done).out).toMatch(/^server \| closing$/m);
    expect(readFileSync(file('ended.txt'), 'utf8')).toBe('in order');
  });

  it('shows all lines that they write at their start', async () => {
    terminal = new Terminal();
    labOf(placement, {
      early: "for (let i = 0; i < 5000; i++) console.log('line', i); console.log('last'); setInterval(() => {}, 1000);",
    });
    const up = await terminal.up();
    await up.until(/^early \| last$/m);
    expect(up.out.match(/^early \| line \d+$/gm)).toHaveLength(5000);
  });
});

function pidOf(kind: string): number {
  return Number(readFileSync(file(`${kind}.pid`), 'utf8'));
}

describe.skipIf(process.platform !== 'linux' || !isInstalled('mkfifo'))(
  'a thread in a call that nothing interrupts',
  () => {
    it('is named, and ends with the process', async () => {
      terminal = new Terminal();
      labOf('beside', { a: "process.stdout.write('stands\\n', () => require('node:fs').openSync('fifo'));" });
      spawnSync('mkfifo', [file('fifo')]);
      const up = await terminal.up('--for', '3s');
      const { signal, err } = await up.done;
      expect(err).toBe('mk up: a: its program stands in a call that nothing interrupts; killed\n');
      expect(signal).toBe('SIGTERM');
      expect(terminal.sockets).toEqual([]);
    });
  },
);

/** A reader that reads nothing: of a pipe, or of a terminal, which is stopped as by Ctrl-S. */
const READERS: readonly [string, (args: string[]) => [string, string[]]][] = [
  ['a pipe', (args) => ['sh', ['-c', `echo $$ > pid; exec "$@"`, 'sh', process.execPath, MK, ...args]]],
  [
    'a terminal',
    (args) => ['script', ['-qfec', `echo $$ > pid; exec ${[process.execPath, MK, ...args].join(' ')}`, '/dev/null']],
  ],
];

const hasScript = process.platform === 'linux' && isInstalled('script');

describe.skipIf(!hasScript).each(READERS)('mk up on %s that nobody reads (skipped without script)', (_, commandOf) => {
  const ends: readonly [string, (pid: number) => unknown][] = [
    ['SIGTERM', (pid) => process.kill(pid, 'SIGTERM')],
    ['mk down', () => terminal.run('down', 'end')],
    ['--for', () => undefined],
    [
      'a second SIGINT',
      (pid) => {
        process.kill(pid, 'SIGINT');
        process.kill(pid, 'SIGINT');
      },
    ],
  ];

  it.each(ends)('answers mk ps, and ends by %s', async (how, end) => {
    terminal = new Terminal();
    const line = `const line = 'x'.repeat(1000); setInterval(() => { for (let i = 0; i < 20; i++) console.log(line); }, 10);`;
    labOf('process', { noisy: line, deaf: STUBBORN.deaf as string });
    const [command, args] = commandOf(['up', ...(how === '--for' ? ['--for', '4s'] : [])]);
    const env = { ...process.env, XDG_RUNTIME_DIR: terminal.folder, TERM: 'xterm' };
    // Standard output is a pipe without a reader.
    const child = spawn(command, args, { cwd: terminal.folder, env, stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await until(async () => (await terminal.run('ps', '--lab', 'end')).out.includes('noisy'));
      // A log of so many lines fills every buffer on the way to the reader.
      await until(async () => (await terminal.run('logs', '--lab', 'end', '-n', '1000', 'noisy')).out.length > 900_000);
      const pid = Number(readFileSync(file('pid'), 'utf8'));
      expect(runs(pid)).toBe(true);
      expect(await terminal.run('ps', '--lab', 'end')).toMatchObject({ code: 0 });
      await end(pid);
      await until(() => !runs(pid));
    } finally {
      child.kill('SIGKILL');
    }
  });
});
