/**
 * The package as npm packs it, unpacked in another folder: its files, its commands, its entries for ES modules, CommonJS, types and jest.
 * Dependencies are linked, so nothing is downloaded.
 */

import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Manifest {
  version: string;
  bin: Record<string, string>;
  main: string;
  types: string;
  typesVersions: { '*': Record<string, string[]> };
  exports: Record<string, string | Record<'import' | 'require', { types: string; default: string }>>;
  dependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
}

const ROOT = resolve(import.meta.dirname, '../..');
const FILES = join(ROOT, 'test/package');
const INSTALLED = join(FILES, 'node_modules');
const INSTALL = 'npm ci --prefix test/package --ignore-scripts';
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;

const installed = existsSync(INSTALLED);
if (!installed) console.log(`the package under jest and TypeScript 5: skipped, ${INSTALL} installs them`);

let folder = '';
let packed = '';

beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'mk-package-')));
  run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], ROOT);
  const modules = join(folder, 'node_modules');
  packed = join(modules, 'multikernel');
  mkdirSync(modules);
  run('tar', ['-xzf', `multikernel-${manifest.version}.tgz`], folder);
  renameSync(join(folder, 'package'), packed);
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) {
    const linked = join(ROOT, 'node_modules', name);
    if (existsSync(linked)) symlinkSync(linked, join(modules, name));
  }
  mkdirSync(join(modules, '@types'));
  symlinkSync(join(ROOT, 'node_modules/@types/node'), join(modules, '@types/node'));
  for (const name of ['multikernel.yml', 'server.cjs', 'lab.mjs', 'lab.cjs', 'package.json']) {
    cpSync(join(FILES, name), join(folder, name));
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Standard output of a command that succeeds. */
function run(command: string, args: readonly string[], cwd: string = folder): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: 200_000 });
  if (error !== undefined) throw error;
  expect([status, stdout + stderr]).toEqual([0, expect.any(String)]);
  return stdout;
}

function node(...args: string[]): string {
  return run(process.execPath, args);
}

describe('its files', () => {
  it('are all that package.json names', () => {
    const entries = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(Object.values),
    ) as string[];
    const types = Object.values(manifest.typesVersions['*']).flat();
    for (const path of [manifest.main, manifest.types, ...entries, ...types]) accessSync(join(packed, path));
    for (const path of Object.values(manifest.bin)) {
      accessSync(join(packed, path), constants.X_OK);
      expect(readFileSync(join(packed, path), 'utf8').split('\n', 1)).toEqual(['#!/usr/bin/env node']);
    }
  });

  it('are all that its README names', () => {
    const readme = readFileSync(join(packed, 'README.md'), 'utf8');
    const named = new Set(readme.match(/\b(?:docs|examples|bench|test)\/[\w./-]*\w|\b[A-Z]+\.md\b/g));
    expect(named.size).toBeGreaterThan(8);
    for (const path of named) expect([path, existsSync(join(packed, path))]).toEqual([path, true]);
  });
});

describe('its commands', () => {
  const mk = (...args: string[]): string => node(join(packed, manifest.bin.multikernel as string), ...args);

  it('print the version and the list of benches, and run scripts', () => {
    expect(mk('--version')).toBe(`${manifest.version}\n`);
    expect(mk('bench')).toContain('mint');
    expect(mk('packetdrill', '-q', join(packed, 'test/packetdrill'))).toMatch(
      /^\d+ scripts: \d+ pass, \d+ as meant\n$/,
    );
  });

  it('say of a script that was meant to fail what it did instead', () => {
    const script = '// fail 2: unknown\n0 socket(..., SOCK_STREAM, 0) = 3\n';
    writeFileSync(join(folder, 'passes.pkt'), script);
    const args = [join(packed, manifest.bin.mk as string), 'packetdrill', 'passes.pkt'];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    expect([status, stdout.split('\n')[1]]).toEqual([1, '  note: meant to end as fail in line 2: unknown']);
  });

  it('run a program on a kernel of its own', () => {
    writeFileSync(
      join(folder, 'self.cjs'),
      "const s = require('http').createServer((q, r) => r.end('own')).listen(80, async () => {\n" +
        "console.log(await (await fetch('http://127.0.0.1/')).text()); s.close(); s.closeAllConnections(); });\n",
    );
    expect(mk('run', '--', 'self.cjs')).toBe('own\n');
  });
});

describe('its entries', () => {
  it('bring a lab up from an ES module; require gives the same classes', () => {
    expect(node('lab.mjs')).toBe('200 hello\ntrue\n');
  });

  it('bring a lab up from CommonJS', () => {
    expect(node('lab.cjs')).toBe('200 hello\n');
  });

  it('are all there for require', () => {
    const names = { kernel: 'Kernel', link: 'RawDevice', mem: 'Arena', sim: 'Simulation', wire: 'pcapng' };
    const lines = Object.entries(names).map(([entry, name]) => `typeof require('multikernel/${entry}').${name}`);
    expect(node('-p', `[${lines.join()}, typeof require('multikernel/socket').EVENT_READABLE].join()`)).toBe(
      'function,function,function,function,object,number\n',
    );
  });

  it.each(['--import', '--require'])('%s multikernel/hijack asks for a kernel in one line', (flag) => {
    const env = { PATH: process.env.PATH };
    const args = [flag, 'multikernel/hijack', '-e', ''];
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env });
    expect([status, stderr]).toEqual([1, 'multikernel: RUMP_SERVER names no kernel, e.g. unix:///run/lab/api.sock\n']);
  });
});

describe('its types', () => {
  const STRICT = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,esnext.disposable', '--types', 'node'];

  beforeAll(() => {
    const consumer = join(FILES, 'consumer.txt');
    for (const name of ['consumer.mts', 'consumer.cts', 'consumer.ts']) cpSync(consumer, join(folder, name));
  });

  const check = (compiler: string, ...args: string[]): string =>
    node(join(compiler, 'typescript/bin/tsc'), ...STRICT, '--ignoreConfig', ...args);

  it.each([
    ['ES module, nodenext', ['--module', 'nodenext', 'consumer.mts']],
    ['CommonJS, nodenext', ['--module', 'nodenext', 'consumer.cts']],
    ['bundler', ['--module', 'esnext', '--moduleResolution', 'bundler', 'consumer.ts']],
  ])('%s', (_name, args) => {
    expect(check(join(ROOT, 'node_modules'), ...args)).toBe('');
  });

  it.each(['mts', 'cts'])('fixtures of vitest, .%s', (extension) => {
    const linked = join(folder, 'node_modules/vitest');
    if (!existsSync(linked)) symlinkSync(join(ROOT, 'node_modules/vitest'), linked);
    const file = `consumer-vitest.${extension}`;
    cpSync(join(FILES, 'consumer-vitest.txt'), join(folder, file));
    expect(check(join(ROOT, 'node_modules'), '--module', 'nodenext', '--skipLibCheck', file)).toBe('');
  });

  it.skipIf(!installed).each([
    ['node16', ['--module', 'node16', '--skipLibCheck', 'consumer.cts']],
    ['node10', ['--module', 'commonjs', '--moduleResolution', 'node10', '--skipLibCheck', 'consumer.ts']],
  ])('CommonJS, %s of TypeScript 5', (_name, args) => {
    expect(node(join(INSTALLED, 'typescript/bin/tsc'), ...STRICT, ...args)).toBe('');
  });
});

describe.skipIf(!installed)(`jest loads it (skipped without: ${INSTALL})`, () => {
  const REQUIRED =
    "const { resolve } = require('node:path');\nconst { lab, LabFileError, MultikernelError } = require('multikernel');\n" +
    "const { useLab } = require('multikernel/jest');\n";
  const IMPORTED =
    "import { resolve } from 'node:path';\nimport { lab, LabFileError, MultikernelError } from 'multikernel';\n" +
    "import { useLab } from 'multikernel/jest';\n";

  it.each([
    ['CommonJS', 'plain.test.js', REQUIRED, {}],
    [
      'babel',
      'babel.test.js',
      IMPORTED,
      {
        '\\.js$': [
          join(INSTALLED, 'babel-jest'),
          { presets: [[join(INSTALLED, '@babel/preset-env'), { targets: { node: 'current' } }]] },
        ],
      },
    ],
    [
      'ts-jest',
      'typed.test.ts',
      IMPORTED,
      {
        '\\.ts$': [
          join(INSTALLED, 'ts-jest'),
          {
            tsconfig: {
              module: 'commonjs',
              moduleResolution: 'node10',
              target: 'es2022',
              strict: true,
              skipLibCheck: true,
              typeRoots: [join(INSTALLED, '@types')],
              types: ['jest', 'node'],
            },
          },
        ],
      },
    ],
  ])('%s', (_name, file, head, transform) => {
    writeFileSync(join(folder, file), head + readFileSync(join(FILES, 'jest-tests.txt'), 'utf8'));
    const config = join(folder, `${file}.config.json`);
    writeFileSync(config, JSON.stringify({ rootDir: folder, testMatch: [`**/${file}`], transform }));
    node(join(INSTALLED, 'jest/bin/jest.js'), '--config', config, '--no-cache');
  });
});
