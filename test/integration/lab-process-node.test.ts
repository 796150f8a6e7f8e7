/** Programs of a lab as processes: what they have of Node and of the system beside the network. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';
import { isInstalled } from '../fixtures/installed.ts';

const PROGRAMS: Readonly<Record<string, string>> = {
  'own.test.js': `
    require('node:test').it('hears the other machine', async () => {
      require('node:assert').equal(await (await fetch('http://b/')).text(), 'hello');
    });`,
  'hello.js': "require('node:http').createServer((q, r) => r.end('hello')).listen(80);",
  'signals.js': `
    const { spawn } = require('node:child_process');
    for (const name of ['SIGUSR2', 'SIGHUP', 'SIGWINCH']) process.on(name, (signal, number) => console.log('heard', signal, number));
    if (process.argv[2] === 'child') {
      process.kill(process.ppid, 'SIGHUP');
      process.on('SIGTERM', () => console.log('child closes') ?? process.exit(4));
      setInterval(() => {}, 1000);
      console.log('child up');
    } else {
      const child = spawn(process.execPath, [__filename, 'child'], { stdio: ['ignore', 'pipe', 'inherit'] });
      child.stdout.on('data', (text) => { process.stdout.write(text); if (String(text).includes('up')) child.kill(); });
      child.on('exit', (code, signal) => console.log('child ended', code, signal));
      require('node:net').createServer((socket) => process.kill(process.pid, 'SIGWINCH')).listen(80, () => console.log('pid', process.pid));
    }`,
  'abort.js': 'process.abort();',
  'code.js': 'process.exitCode = 42;',
  'addon.js': `
    const { add, threaded } = require('./addon.node');
    threaded((sum) => console.log('native', add(40, 2), sum));`,
  'addon.c': `
    #include <node_api.h>
    #include <stdlib.h>
    typedef struct { napi_async_work work; napi_ref done; int sum; } Job;
    static napi_value add(napi_env env, napi_callback_info info) {
      size_t count = 2; napi_value args[2], result; double a, b;
      napi_get_cb_info(env, info, &count, args, NULL, NULL);
      napi_get_value_double(env, args[0], &a);
      napi_get_value_double(env, args[1], &b);
      napi_create_double(env, a + b, &result);
      return result;
    }
    static void work(napi_env env, void *data) { Job *job = data; for (int i = 1; i <= 100; i++) job->sum += i; }
    static void complete(napi_env env, napi_status status, void *data) {
      Job *job = data; napi_value done, global, sum;
      napi_get_reference_value(env, job->done, &done);
      napi_get_global(env, &global);
      napi_create_int32(env, job->sum, &sum);
      napi_call_function(env, global, done, 1, &sum, NULL);
      napi_delete_reference(env, job->done);
      napi_delete_async_work(env, job->work);
      free(job);
    }
    static napi_value threaded(napi_env env, napi_callback_info info) {
      size_t count = 1; napi_value done, name; Job *job = calloc(1, sizeof *job);
      napi_get_cb_info(env, info, &count, &done, NULL, NULL);
      napi_create_reference(env, done, 1, &job->done);
      napi_create_string_utf8(env, "sum", NAPI_AUTO_LENGTH, &name);
      napi_create_async_work(env, NULL, name, work, complete, job, &job->work);
      napi_queue_async_work(env, job->work);
      return NULL;
    }
    static napi_value init(napi_env env, napi_value exports) {
      napi_value one, other;
      napi_create_function(env, "add", NAPI_AUTO_LENGTH, add, NULL, &one);
      napi_create_function(env, "threaded", NAPI_AUTO_LENGTH, threaded, NULL, &other);
      napi_set_named_property(env, exports, "add", one);
      napi_set_named_property(env, exports, "threaded", other);
      return exports;
    }
    NAPI_MODULE(addon, init)`,
};

let mk: typeof Facade;
let folder = '';
let net: Facade.Lab | null = null;

beforeAll(async () => {
  mk = await builtFacade();
  folder = mkdtempSync(join(tmpdir(), 'mk-process-node-'));
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(join(folder, name), text);
});
afterEach(async () => {
  await net?.down();
  net = null;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function up(
  nodes: Record<string, Facade.NodeOptions>,
  placement: Facade.Placement = 'process',
): Promise<Facade.Lab> {
  net = await mk.lab({ nodes, defaults: { node: { placement } } }, { folder });
  return net;
}

/** The first line that a program writes with `text` in it. */
async function line(lab: Facade.Lab, node: string, text: string): Promise<string> {
  for await (const one of lab.logs({ nodes: [node], follow: true })) if (one.text.includes(text)) return one.text;
  throw new Error(`${node} never wrote ${text}`);
}

async function ended(lab: Facade.Lab, node: string): Promise<string> {
  for await (const one of lab.states()) {
    if (one.name === node && (one.phase === 'exited' || one.phase === 'crashed')) return one.state;
  }
  throw new Error(`${node} never ended`);
}

describe('flags of Node that run no script', () => {
  it('are for a process what they are in a shell', async () => {
    const lab = await up({
      a: { run: `node --input-type=module -e "console.log('evaluated', typeof fetch)"` },
      p: { run: "node -p '6 * 7'" },
      v: { run: 'node --version' },
      c: { run: 'node --check hello.js' },
    });
    expect(await line(lab, 'a', 'evaluated')).toBe('evaluated function');
    expect(await line(lab, 'p', '4')).toBe('42');
    expect(await line(lab, 'v', 'v')).toBe(process.version);
    expect(await ended(lab, 'c')).toBe('exited 0');
    expect((await lab.info()).nodes.map(({ hostNetwork }) => hostNetwork)).toEqual([false, false, false, false]);
  });

  it('test a program from its machine', async () => {
    const lab = await up({
      a: { run: 'node --test own.test.js', depends_on: { b: 'listening:80' } },
      b: { run: 'node hello.js' },
    });
    expect(await ended(lab, 'a')).toBe('exited 0');
    expect(await line(lab, 'a', 'pass ')).toMatch(/pass 1$/);
  });

  it('are refused beside a kernel, by name', async () => {
    await expect(up({ a: { run: 'node --no-warnings --test hello.js' } }, 'beside')).rejects.toThrow(
      'lab: nodes.a.run: node --test runs only with "placement: process"',
    );
  });
});

describe('signals', () => {
  it('reach a program from outside, from itself and from its child, and its child from it', async () => {
    const lab = await up({ a: { run: 'node signals.js' }, b: {} });
    const pid = Number((await line(lab, 'a', 'pid ')).split(' ')[1]);
    expect(await line(lab, 'a', 'heard SIGHUP')).toBe('heard SIGHUP 1');
    expect(await line(lab, 'a', 'child closes')).toBe('child closes');
    expect(await line(lab, 'a', 'child ended')).toBe('child ended 4 null');
    process.kill(pid, 'SIGUSR2');
    expect(await line(lab, 'a', 'heard SIGUSR2')).toBe('heard SIGUSR2 12');
    lab
      .node('b')
      .connect(80, 'a')
      .on('error', () => {});
    expect(await line(lab, 'a', 'heard SIGWINCH')).toBe('heard SIGWINCH 28');
    process.kill(pid, 'SIGTERM');
    expect(await ended(lab, 'a')).toBe('exited 143');
  });

  it('and exit codes are the state of the node', async () => {
    const lab = await up({ a: { run: 'node abort.js' }, b: { run: 'node code.js' } });
    expect(await ended(lab, 'a')).toBe('exited 134');
    expect(await ended(lab, 'b')).toBe('exited 42');
  });
});

/** Headers of the Node that runs this. */
const HEADERS = join(dirname(dirname(process.execPath)), 'include', 'node');
const canBuild = process.platform === 'linux' && isInstalled('cc') && existsSync(join(HEADERS, 'node_api.h'));

describe.skipIf(!canBuild)(`a native add-on (skipped without cc and ${HEADERS}/node_api.h)`, () => {
  beforeAll(() => {
    const built = spawnSync('cc', ['-shared', '-fPIC', `-I${HEADERS}`, '-o', 'addon.node', 'addon.c'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect([built.status, built.stderr]).toEqual([0, '']);
  });

  it.each(['process', 'beside'] as const)('works in a program placed %s', async (placement) => {
    const lab = await up({ a: { run: 'node addon.js' } }, placement);
    expect(await line(lab, 'a', 'native')).toBe('native 42 5050');
  });
});
