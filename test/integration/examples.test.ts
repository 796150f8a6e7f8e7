/** Every example that is one program or one lab file is run as its README says. `examples/shop` has a test of its own (lab-cli.test.ts). */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const EXAMPLES = readdirSync(join(ROOT, 'examples')).filter((name) =>
  existsSync(join(ROOT, 'examples', name, 'main.js')),
);
const LINES_MAX = 100;

function run(name: string): string[] {
  const main = join(ROOT, 'examples', name, 'main.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [main], { encoding: 'utf8', timeout: 120_000 });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trimEnd().split('\n');
}

it('are known to this test, short, and explained', () => {
  expect(EXAMPLES).toEqual([
    'broker',
    'circuit-breaker',
    'half-open-pool',
    'host-services',
    'jacobi',
    'kernel-as-library',
    'leader-election',
    'raw-device',
    'remote-counter',
    'retry',
    'sim',
    'slow-client',
    'sockets',
    'websocket-reconnect',
    'work-queue',
  ]);
  for (const name of EXAMPLES) {
    expect(readFileSync(join(ROOT, 'examples', name, 'main.js'), 'utf8').split('\n').length).toBeLessThan(LINES_MAX);
    expect(readFileSync(join(ROOT, 'examples', name, 'README.md'), 'utf8')).toContain(`node examples/${name}/main.js`);
  }
});

it.each(['bridges', 'vlans', 'tunnels', 'two-links'])('%s: the checks of the lab file hold', (name) => {
  const file = join(ROOT, 'examples', name, 'multikernel.yml');
  expect(readFileSync(join(ROOT, 'examples', name, 'README.md'), 'utf8')).toContain(`examples/${name}/multikernel.yml`);
  const command = [join(ROOT, 'dist/cli/main.js'), 'test', file];
  const { status, stdout } = spawnSync(process.execPath, command, { encoding: 'utf8', timeout: 120_000 });
  expect([status, stdout]).toEqual([0, expect.stringMatching(/ok \(\d checks/)]);
});

it('broker: what it has kept outlives it, and what comes twice is recognised on both sides', () => {
  expect(run('broker')).toEqual([
    'consumer: 1, first',
    'consumer: 2, second',
    'the broker dies: no answer for the producer, and the consumer is not done',
    'producer: 2 is known to the next broker',
    'consumer: 2, second, seen before',
    'consumer: 3, third',
  ]);
});

it('circuit-breaker: refuses at once after three failures, and closes when one was let through', () => {
  expect(run('circuit-breaker')).toEqual([
    '1: answer 1; the breaker is closed',
    '2: no answer; the breaker is closed',
    '3: no answer; the breaker is closed',
    '4: no answer; the breaker is open',
    '5: refused at once; the breaker is open',
    '6: answer 6; the breaker is closed',
  ]);
});

it('half-open-pool: connections of a machine that lost its power are thrown away', () => {
  expect(run('half-open-pool')).toEqual([
    'connections in the pool: 2',
    'db has no power; api still shows 2 ESTABLISHED',
    'thrown away: 2; a new connection says hello',
  ]);
});

it.each([
  ['jacobi', '3 strips, 200 steps: differs from one process by 0'],
  ['remote-counter', '4 members added 2000 times each: 8000'],
  ['work-queue', '300 jobs, 300 right results'],
])('%s: %s', (name, line) => {
  expect(run(name)).toEqual([line]);
});

it('leader-election: a leader that is cut off steps down, the majority has one, and never are there two', () => {
  expect(run('leader-election')).toEqual([
    'all three follow one leader',
    'cut off, the leader steps down',
    'the other two follow a new one',
    'healed, all three follow one leader',
    'never did two lead at the same time',
  ]);
});

it('retry: loss is overcome by trying again, and a dead link given up', () => {
  const answers = [1, 2, 3, 4, 5].map((number) => `answer ${number}`);
  expect(run('retry')).toEqual([...answers, 'no answer after 8 tries']);
});

it('slow-client: the server cuts off who does not read, and serves the other', () => {
  expect(run('slow-client')).toEqual(['slow: ECONNRESET', 'fast: still reads']);
});

it('host-services: a port of the host leads into the lab, and a service of the host is a machine of it', () => {
  expect(run('host-services')).toEqual([
    'api: db says 42 rows',
    'api, cut off from db: db does not answer (ECONNREFUSED)',
    'api, healed: db says 42 rows',
  ]);
});

it('kernel-as-library: an echo over TCP between two kernels of one thread', () => {
  expect(run('kernel-as-library')).toEqual(['b: 10.0.0.1 says "hello"', 'a: the echo is "hello"']);
});

it('raw-device: the program answers ARP and echoes UDP, frame by frame', () => {
  const lines = run('raw-device');
  expect(lines).toContain('out ARP, Reply 10.0.0.2 is-at 02:00:00:00:00:02, length 28');
  expect(lines.slice(-3)[0]).toMatch(/^in {2}IP 10\.0\.0\.1\.\d+ > 10\.0\.0\.2\.7: UDP, length 5$/);
  expect(lines.slice(-3)[1]).toMatch(/^out IP 10\.0\.0\.2\.7 > 10\.0\.0\.1\.\d+: UDP, length 5$/);
  expect(lines.at(-1)).toBe('10.0.0.2 port 7: knock');
});

it('sim: loss costs time and retransmissions; equal seeds give equal runs', () => {
  const rows = run('sim').map((line) => {
    const [, loss, seed, seconds, retransmits] =
      /^loss (\S+), seed (\d): 1000000 bytes in (\S+) s, (\d+) retransmissions$/.exec(line) ?? [];
    return { loss, seed, seconds: Number(seconds), retransmits: Number(retransmits) };
  });
  expect(rows).toHaveLength(9);
  for (const start of [0, 3, 6]) expect(rows[start + 1]).toEqual(rows[start + 2]);
  expect(rows[0]?.retransmits).toBe(0);
  expect(rows[3]?.retransmits).toBeGreaterThan(0);
  expect(rows[6]?.seconds).toBeGreaterThan(rows[0]?.seconds as number);
});

it('sockets: counts, errno values and events', () => {
  expect(run('sockets')).toEqual([
    'datagram of 4 bytes from 127.0.0.1: who?',
    'and then: EAGAIN',
    'connect: EINPROGRESS',
    'stream, ESTABLISHED: GET /',
    'port 81: ECONNREFUSED',
  ]);
});

it('websocket-reconnect: a connection that falls silent is given up, and the next goes on where it ended', () => {
  expect(run('websocket-reconnect')).toEqual([
    'numbers come',
    'cut off without a word: the connection is given up',
    'two more are tried in vain',
    'healed: none is missing, none came twice',
  ]);
});
