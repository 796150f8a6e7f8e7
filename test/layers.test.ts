/**
 * The architecture as a test: who may import whom (ARCHITECTURE.md, "Layers"), what each layer may touch, and how large a
 * file may be. Every finding is printed as `file: rule`.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = resolve(import.meta.dirname, '../src');

/** Layer (longest matching prefix of the path) → layers it may import, besides `base` and itself. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: [],
  mem: [],
  wire: [],
  kern: ['mem'],
  link: ['mem', 'wire', 'host/contract'],
  net: ['mem', 'wire', 'kern', 'link'],
  // The device contract's META_* and CAP_* words travel with a packet up to the transport that reads them.
  inet: ['mem', 'wire', 'kern', 'net', 'link/device'],
  socket: ['mem', 'inet'],
  sys: ['mem', 'kern', 'net', 'inet', 'socket'],
  rump: ['mem', 'kern', 'wire', 'sys', 'socket', 'host/contract'],
  mbcf: ['mem', 'kern', 'socket', 'host/contract'],
  lwp: ['mem', 'kern', 'socket', 'host/contract'],
  kernel: ['mem', 'wire', 'kern', 'link', 'net', 'inet', 'socket', 'sys', 'rump', 'mbcf', 'lwp', 'host/contract'],
  node: ['socket', 'rump', 'host/contract'],
  'host/contract': [],
  'host/node': ['host/contract', 'mem'],
  'host/sim': ['host/contract', 'mem'],
  // A script is at once the program above a kernel and the wire below it, and the clock between them.
  drill: ['mem', 'wire', 'link', 'net', 'inet', 'socket', 'kernel', 'host/sim'],
  worker: ['mem', 'wire', 'link', 'socket', 'kernel', 'host/node', 'host/contract', 'node', 'lab/messages'],
  // The supervisor lays out shared memory and reads captures: the public subpaths, and the worker entries by URL.
  lab: ['index', 'mem', 'link', 'wire', 'kernel/control', 'host/node', 'host/contract'],
  cli: ['index', 'wire/index', 'drill/index'],
  index: ['lab', 'mem', 'kernel', 'link', 'wire', 'socket', 'host/node', 'host/sim', 'host/contract'],
};

const NODE_IMPORTS = ['host/node', 'node', 'cli', 'lab', 'worker'];
const ATOMICS = ['mem', 'kern'];
const CLOCKS = ['host/node', 'host/sim'];

/** Files that handle frames: no allocation of views, no exceptions, no async (DESIGN rule 5). */
const DATA_PATH: readonly RegExp[] = [
  /^mem\/(spsc-ring|bulk)\.ts$/,
  /^wire\/(ethernet|arp|ipv4|icmpv4|udp|tcp)\.ts$/,
  /^link\/(vni|loopback)\.ts$/,
  /^net\/ethernet\.ts$/,
  /^inet\/(ip\/output|ip4\/(input|forward)|ip6\/(input|forward))\.ts$/,
  /^inet\/tcp\/(input|send\/(output|segment-writer))\.ts$/,
];

const LINES_MAX = 700;

interface Source {
  path: string;
  text: string;
  code: string;
  layer: string;
}

function layerOf(path: string): string {
  if (path === 'index.ts') return 'index';
  const parts = path.replace(/\.ts$/, '').split('/');
  for (let n = parts.length; n > 0; n--) {
    const prefix = parts.slice(0, n).join('/');
    if (prefix in MAY_IMPORT) return prefix;
  }
  return parts[0] as string;
}

/** Source text without comments, so that a word in a comment is not a finding. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (c) => c.replace(/[^\n]/g, ' ')).replace(/(^|[^:'"`])\/\/.*$/gm, '$1');
}

function sources(): Source[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('wasm/'))
    .filter((path) => statSync(join(SRC, path)).isFile())
    .map((path) => {
      const text = readFileSync(join(SRC, path), 'utf8');
      return { path, text, code: withoutComments(text), layer: layerOf(path) };
    });
}

function importsOf(source: Source): string[] {
  return [...source.code.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] as string);
}

function mayImport(layer: string, target: string): boolean {
  const allowed = [...(MAY_IMPORT[layer] ?? []), 'base', layer];
  return allowed.some((prefix) => target === prefix || target.startsWith(`${prefix}/`));
}

const files = sources();

describe('layers', () => {
  it('knows every folder', () => {
    const unknown = files.filter((file) => !(file.layer in MAY_IMPORT)).map((file) => file.path);
    expect(unknown).toEqual([]);
  });

  it('imports only downwards, as the table says', () => {
    const findings: string[] = [];
    for (const file of files) {
      for (const specifier of importsOf(file).filter((s) => s.startsWith('.'))) {
        const target = relative(SRC, resolve(SRC, dirname(file.path), specifier))
          .replaceAll('\\', '/')
          .replace(/\.ts$/, '');
        if (!mayImport(file.layer, target)) findings.push(`${file.path}: ${file.layer} may not import ${target}`);
      }
    }
    expect(findings).toEqual([]);
  });

  it('keeps node:* , Atomics, clocks and randomness where they belong', () => {
    const findings: string[] = [];
    for (const { path, code, layer } of files) {
      const source = { path, code } as Source;
      if (!NODE_IMPORTS.includes(layer) && importsOf(source).some((s) => s.startsWith('node:')))
        findings.push(`${path}: node:* import in ${layer}`);
      if (!ATOMICS.includes(layer) && /\bAtomics\.|\bnew SharedArrayBuffer\b/.test(code))
        findings.push(`${path}: Atomics or SharedArrayBuffer in ${layer}`);
      const clock =
        /\bDate\.now\b|\bperformance\.now\b|\bhrtime\b|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\(/;
      if (!CLOCKS.includes(layer) && !NODE_IMPORTS.includes(layer) && clock.test(code))
        findings.push(`${path}: clock, timer or randomness in ${layer}`);
    }
    expect(findings).toEqual([]);
  });

  it('keeps the data path free of views, exceptions and closures', () => {
    const findings: string[] = [];
    const banned = /\.subarray\(|\.slice\(|\btry\b|\basync\b|\bawait\b|\.forEach\(|\.map\(|\.filter\(/;
    for (const { path, code } of files) {
      if (!DATA_PATH.some((pattern) => pattern.test(path))) continue;
      code.split('\n').forEach((line, index) => {
        if (banned.test(line)) findings.push(`${path}:${index + 1}: ${line.trim()}`);
      });
    }
    expect(findings).toEqual([]);
  });

  it('has a header in every file, and no file over the limit', () => {
    const findings: string[] = [];
    for (const { path, text } of files) {
      const lines = text.split('\n').length;
      if (lines > LINES_MAX && !path.includes('generated')) findings.push(`${path}: ${lines} lines`);
      if (!/^(#!.*\n)?\/\*\*/.test(text)) findings.push(`${path}: no header comment`);
      if (/(^|\/)(utils?|helpers?|common|manager)(\/|\.ts$|-)/.test(path)) findings.push(`${path}: name says nothing`);
    }
    expect(findings).toEqual([]);
  });
});
