/** Errors of the façade begin at the caller's line: in their stack the first frame is that of the call. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'mk-caller-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Each call stands in a line of its own; `seen` prints the code of its error and the line in the first frame. */
const PROGRAM = `import { attach, lab, readLab } from '${pathToFileURL(resolve('dist/index.js')).href}';
const lines = [];
const seen = (call) => (error) => lines.push(call + ' ' + error.code + ' ' + (error.stack.split('\\n').find((line) => /^ +at /.test(line)) ?? '').replace(/^.*main[.]js:([0-9]+):.*$/, '$1'));
const sync = (call, run) => { try { run(); } catch (error) { seen(call)(error); } };
await lab({ node: {} }).catch(seen('lab'));
await lab('none.yml').catch(seen('lab file'));
sync('readLab', () => readLab({ nodes: { a: { memory: 1 } } }));
await attach('nobody').catch(seen('attach'));
const net = await lab({ nodes: { a: {}, b: {} } });
const a = net.node('a');
sync('node', () => net.node('c'));
sync('logs', () => net.logs({ lines: 'x' }));
sync('capture', () => a.capture({ filter: 'tcp prt 80' }));
sync('connect', () => a.connect(0, 'b'));
await net.partition('a', 'c').catch(seen('partition'));
await net.link('a', 'b').impair({ loss: 'much' }).catch(seen('impair'));
await a.sysctl('net.none').catch(seen('sysctl'));
await a.addRoute({ destination: '10.9.0.0', prefixLength: 16, gateway: '10.8.0.1', kind: 'unicast' }).catch(seen('addRoute'));
await a.capture({ interfaces: ['eth9'] }).toFile('x.pcapng').catch(seen('toFile'));
await a.run('none.js').catch(seen('run'));
await a.kill().catch(seen('kill'));
async function later() {
  await null;
  await a.forward('none');
}
await later().catch(seen('forward'));
await net.until(() => a.sysctl('net.nothing')).catch(seen('until'));
await net.down();
await a.interfaces().catch(seen('interfaces'));
console.log(lines.join('\\n'));
`;

it('names the line of the call, also of one that fails later', () => {
  const main = join(folder, 'main.js');
  writeFileSync(main, PROGRAM);
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const env = { ...process.env, XDG_RUNTIME_DIR: folder };
  const { stdout, stderr } = spawnSync(process.execPath, [main], {
    encoding: 'utf8',
    cwd: folder,
    env,
    timeout: 60_000,
  });
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual([
    'lab EINVAL 5',
    'lab file EINVAL 6',
    'readLab EINVAL 7',
    'attach ENOENT 8',
    'node ENOENT 11',
    'logs EINVAL 12',
    'capture EINVAL 13',
    'connect EINVAL 14',
    'partition ENOENT 15',
    'impair EINVAL 16',
    'sysctl ENOENT 17',
    'addRoute ENETUNREACH 18',
    'toFile ENODEV 19',
    'run ENOENT 20',
    'kill ESRCH 21',
    'forward EINVAL 24',
    'until ENOENT 27',
    'interfaces EHOSTDOWN 29',
  ]);
});
