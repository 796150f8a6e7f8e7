/** Standard input of a program of a lab: that of `mk up` for the one in front, empty for the others. */

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isInstalled } from '../fixtures/installed.ts';
import { MK, Terminal } from '../fixtures/mk.ts';

const READS = `
  process.stdin.setEncoding('utf8').on('data', (text) => console.log('read', JSON.stringify(text)));
  process.stdin.on('end', () => console.log('end of input'));
  require('node:net').createServer().listen(80, () => console.log('up', process.stdin.isTTY === true));`;

let terminal: Terminal;
beforeEach(() => {
  terminal = new Terminal();
  writeFileSync(join(terminal.folder, 'reads.js'), READS);
});
afterEach(() => terminal.close());

function lab(nodes: string): void {
  writeFileSync(join(terminal.folder, 'multikernel.yml'), `name: stdin\nnodes: { ${nodes} }\n`);
}

const PROGRAM = 'run: node reads.js, placement: process';

describe('standard input of mk up', () => {
  it.each(['process', 'beside'])(
    'is that of the only program, to its end, whose placement is %s',
    async (placement) => {
      lab(`a: { run: node reads.js, placement: ${placement} }, b: {}`);
      const up = terminal.start(['up']);
      await up.until(/^a \| up false$/m);
      up.child.stdin?.write('one\n');
      await up.until(/^a \| read "one\\n"$/m);
      expect(up.out).not.toContain('end of input');
      up.child.stdin?.end('two');
      await up.until(/^a \| read "two"$/m);
      await up.until(/^a \| end of input$/m);
      up.child.kill('SIGINT');
      expect(await up.done).toMatchObject({ code: 0, err: '' });
    },
  );

  it('beside its kernel does not keep mk up from its end, and comes to a program that is started again', async () => {
    lab('a: { run: node once.js, placement: beside, restart: always }, b: {}');
    const once = `process.stdin.once('data', (text) => { console.log('read', String(text)); process.exit(); });
      require('node:net').createServer().listen(80, () => console.log('up'));`;
    writeFileSync(join(terminal.folder, 'once.js'), once);
    const up = terminal.start(['up', '--attach', 'a']);
    await up.until(/^a \| up$/m);
    up.child.stdin?.write('one');
    await up.until(/^a \| read one$/m);
    await up.until(/^a \| read one\n(?:.*\n)*a \| up$/m);
    up.child.stdin?.write('two');
    await up.until(/^a \| read two$/m);
    // Its input stays open.
    up.child.kill('SIGINT');
    expect(await up.done).toMatchObject({ code: 0, err: '' });
  });

  it('is that of a program that is not Node', async () => {
    lab(`a: { run: "sh -c 'read line && echo line is \\"$line\\"'", placement: process }`);
    const up = terminal.start(['up'], { input: 'hello\n' });
    await up.until(/^a \| line is hello$/m);
  });

  it('is that of the node that --attach names, and of no other', async () => {
    lab(`a: { ${PROGRAM} }, b: { ${PROGRAM} }, c: { run: node reads.js, placement: beside }`);
    const up = terminal.start(['up', '--attach', 'b']);
    up.child.stdin?.write('for b');
    await up.until(/^b \| read "for b"$/m);
    await up.until(/^a \| end of input$/m);
    await up.until(/^c \| end of input$/m);
    expect(up.out).not.toContain('a | read');
    expect(up.out).not.toContain('b | end of input');
  });

  it("is nobody's where several might read it", async () => {
    lab(`a: { ${PROGRAM} }, b: { ${PROGRAM} }`);
    const up = terminal.start(['up']);
    up.child.stdin?.write('for whom?');
    await up.until(/^a \| end of input$/m);
    await up.until(/^b \| end of input$/m);
  });

  it('says in one line that there is no such node', async () => {
    lab('a: { run: node reads.js }');
    expect(await terminal.run('up', '--attach', 'c')).toMatchObject({
      code: 2,
      out: '',
      err: 'mk up: no node c; there are a\n',
    });
  });

  it.skipIf(process.platform !== 'linux' || !isInstalled('script'))(
    'is a terminal where that of mk up is one (skipped without script)',
    async () => {
      lab(`a: { ${PROGRAM} }`);
      // A shell that waits for its command would be interrupted, too, and say so.
      const command = ['exec', process.execPath, MK, 'up', '--for', '60s'].join(' ');
      const env = { ...process.env, XDG_RUNTIME_DIR: terminal.folder, TERM: 'xterm' };
      const child = spawn('script', ['-qfec', command, '/dev/null'], { cwd: terminal.folder, env, stdio: 'pipe' });
      let out = '';
      child.stdout.on('data', (bytes) => {
        out += bytes;
      });
      const sees = async (text: string): Promise<void> => {
        while (!out.includes(text)) await new Promise((wake) => child.stdout.once('data', wake));
      };
      try {
        await sees('up true');
        child.stdin.write('typed\n');
        await sees('read "typed\\n"');
        // Ctrl-C of the terminal.
        child.stdin.write('\x03');
        expect(await new Promise((done) => child.on('exit', done))).toBe(0);
      } finally {
        child.kill('SIGKILL');
      }
    },
  );
});
