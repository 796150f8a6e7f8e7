/** Programs of a lab that are not Node: processes like the others, on the network of the host. */

import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Running, Terminal } from '../fixtures/mk.ts';

let terminal: Terminal;
beforeEach(() => {
  terminal = new Terminal();
});
afterEach(() => terminal.close());

const HELLO = `require('node:http').createServer((q, r) => r.end('from ' + require('node:os').hostname())).listen(80);`;

/** Bring up a lab whose node `a` runs `run`, beside a server. */
function up(run: string, script: string, env: Record<string, string> = {}): Promise<Running> {
  const nodes = {
    a: { run, placement: 'process', env: { NODE: process.execPath, ...env }, depends_on: { b: 'listening:80' } },
    b: { run: 'node hello.js' },
  };
  writeFileSync(join(terminal.folder, 'script.sh'), script, { mode: 0o755 });
  writeFileSync(join(terminal.folder, 'hello.js'), HELLO);
  writeFileSync(join(terminal.folder, 'multikernel.yml'), JSON.stringify({ name: 'foreign', nodes }));
  return terminal.up();
}

/** Wait until `mk ps` tells the state of `a`. */
async function state(wanted: string): Promise<void> {
  for (;;) {
    const { out } = await terminal.run('ps', '--json');
    const [a] = JSON.parse(out) as { state: string }[];
    if (a?.state === wanted) return;
    if (a?.state.startsWith('crashed')) throw new Error(a.state);
  }
}

describe('a program that is not Node', () => {
  it('has its arguments, folder, environment, output and exit code; mk up says that it has the network of the host', async () => {
    const lab = await up("./script.sh one 'two words'", '#!/bin/sh\necho "$#:$2:$WHO:$(pwd)"; echo oops >&2; exit 3', {
      WHO: 'me',
    });
    const line = "a: ./script.sh one 'two words' has the host's network; Node programs that it starts have a's\n";
    await lab.until(/has the host's network/);
    expect(lab.out).toContain(line);
    expect(lab.out).not.toContain('b: node hello.js has');
    await state('exited 3');
    const { out } = await terminal.run('logs', 'a');
    expect(out.split('\n').sort()).toEqual(
      ['', `a | 2:two words:me:${realpathSync(terminal.folder)}`, 'a | [exited 3]', 'a | oops'].sort(),
    );
  });

  it('starts Node programs that are on its machine, while its own network is that of the host', async () => {
    const host = createServer((_request, reply) => reply.end('the host')).listen(0, '127.0.0.1');
    await new Promise((done) => host.once('listening', done));
    const { port } = host.address() as { port: number };
    const ask = `fetch('http://b/').then((r) => r.text()).then((t) => console.log(require('node:os').hostname(), 'hears', t))`;
    const lab = await up('sh script.sh', `"$NODE" -e "${ask}"`);
    await lab.until(/a hears from b/);
    // What is not Node reaches the host itself.
    const bash = `exec 3<>/dev/tcp/127.0.0.1/${port} && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3`;
    writeFileSync(join(terminal.folder, 'ask.bash'), bash);
    expect((await terminal.run('down', 'foreign')).code).toBe(0);
    await lab.done;
    const again = await up('bash ask.bash', '');
    await again.until(/a \| the host/);
    host.close();
  });

  it('is killed, restarted, told of signals, and asked to end with the lab', async () => {
    const script = `trap 'echo asked > asked.txt; exit 0' TERM\necho began\nwhile :; do sleep 0.1; done`;
    const lab = await up('sh script.sh', script);
    await lab.until(/a \| began/);
    expect((await terminal.run('kill', 'a')).out).toBe('a: exited 137\n');
    const start = lab.out.length;
    expect((await terminal.run('restart', 'a')).out).toBe('a: running\n');
    await lab.until(/a \| began/, start);
    expect(existsSync(join(terminal.folder, 'asked.txt'))).toBe(false);
    expect((await terminal.run('down', 'foreign')).code).toBe(0);
    await lab.done;
    expect(readFileSync(join(terminal.folder, 'asked.txt'), 'utf8')).toBe('asked\n');
    const other = await up('sh script.sh', 'kill -TERM $$');
    await state('exited 143');
    other.child.kill();
    await other.done;
  });

  it('that does not begin says why', async () => {
    const lab = await up('./script.sh', '#!/no/such/interpreter\n');
    await lab.until(/a .*crashed|^a: crashed/m);
    const { out } = await terminal.run('ps', '--json');
    expect(JSON.parse(out)[0]).toMatchObject({ phase: 'crashed', hostNetwork: true, lastError: { code: 'ENOENT' } });
  });
});
