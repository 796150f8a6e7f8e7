/**
 * The architecture as a test: who may import whom (ARCHITECTURE.md, "Layers"), what each layer may touch, and how large a
 * file may be. Every finding is printed as `file: rule`.
 */

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dataPathFindings } from './fixtures/data-path.ts';
import { danglingNames } from './fixtures/file-names.ts';
import { riddles } from './fixtures/prose.ts';
import { circles, readSources, unusedExports } from './fixtures/source-tree.ts';

const SRC = resolve(import.meta.dirname, '../src');

const BELOW_TCP = ['mem', 'wire', 'kern', 'inet/ip', 'net/packet-meta'];

/** Below every network layer. */
const BELOW_IP = ['mem', 'wire', 'kern', 'net'];

/** Layer (longest matching prefix of the path) → layers it may import, besides `base` and itself. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  base: [],
  mem: [],
  wire: [],
  kern: ['mem'],
  link: ['mem', 'wire', 'host/contract'],
  net: ['mem', 'wire', 'kern', 'link'],
  // What both families share knows neither of them; the families and the transports do not know each other.
  'inet/ip': BELOW_IP,
  'inet/ip4': [...BELOW_IP, 'inet/ip'],
  'inet/ip6': [...BELOW_IP, 'inet/ip'],
  'inet/ip6/autoconf': [...BELOW_IP, 'inet/ip', 'inet/ip6'],
  'inet/udp': [...BELOW_IP, 'inet/ip'],
  'inet/tcp': [...BELOW_IP, 'inet/ip', 'inet/tcp'],
  // The assembly: the only files that know all of it.
  inet: [...BELOW_IP, 'inet'],
  // The floors of TCP: the connection knows nobody above it; arrival and sending do not know each other.
  'inet/tcp/shared': [...BELOW_TCP],
  'inet/tcp/connection': [...BELOW_TCP, 'inet/tcp/shared'],
  'inet/tcp/tables': [...BELOW_TCP, 'inet/tcp/shared', 'inet/tcp/connection'],
  'inet/tcp/recovery': [...BELOW_TCP, 'inet/tcp/shared', 'inet/tcp/connection'],
  'inet/tcp/arrive': [...BELOW_TCP, 'inet/tcp/shared', 'inet/tcp/connection', 'inet/tcp/recovery'],
  'inet/tcp/send': [...BELOW_TCP, 'inet/tcp/shared', 'inet/tcp/connection', 'inet/tcp/recovery'],
  socket: ['mem', 'wire', 'inet'],
  sys: ['mem', 'kern', 'net', 'inet', 'socket'],
  rump: ['mem', 'kern', 'wire', 'sys', 'socket', 'host/contract'],
  'mbcf/protocol': ['mem', 'kern', 'wire'],
  // What tasks call: promises over the protocol.
  mbcf: ['mem', 'wire', 'mbcf/protocol'],
  // A public subpath: a node, and the loop and the datagrams of a Node program.
  'mbcf/index': ['mbcf', 'mbcf/protocol', 'host/contract', 'host/node/event-loop', 'host/node/datagram-peers'],
  'mbcf/open': [
    'mbcf',
    'mbcf/protocol',
    'mem',
    'kern',
    'wire',
    'host/contract',
    'host/node/buffer-copy',
    'host/node/clock',
    'host/node/event-loop',
    'host/node/datagram-peers',
  ],
  // `Kernel.capture` is a tool over the kernel's own client.
  kernel: [
    'mem',
    'wire',
    'kern',
    'link',
    'net',
    'inet',
    'socket',
    'sys',
    'rump',
    'host/contract',
    'tools/bpf-device',
    'tools/device-stream',
    'tools/frame-capture',
    'tools/capture-stream',
  ],
  // A public subpath: kernels, and the loop that runs them beside a Node program.
  'kernel/index': [
    'kernel',
    'sys',
    'host/contract',
    'host/node/event-loop',
    'host/node/thread-loop',
    'host/node/ffi/file-places',
    'tools/bin/bpf-at',
    'tools/bpf-device',
    'tools/device-stream',
    'tools/frame-capture',
    'tools/capture-stream',
  ],
  node: ['socket', 'rump', 'host/contract'],
  'host/contract': [],
  'host/agent-group': ['host/contract'],
  'host/node': ['host/contract', 'host/agent-group', 'mem'],
  'host/sim': ['host/contract', 'host/agent-group', 'mem'],
  // A script is at once the program above a kernel and the wire below it, and the clock between them.
  drill: ['mem', 'wire', 'link', 'net', 'inet', 'socket', 'sys', 'kernel', 'host/sim'],
  worker: [
    'mem',
    'wire',
    'link',
    'socket',
    'sys/control',
    'rump',
    'kernel',
    'host/node',
    'host/contract',
    'node',
    'lab/messages',
  ],
  // A kernel by its client, its requests by their types and numbers: no lab, no kernel, no command line.
  tools: ['rump/kernel-client', 'rump/late-stream', 'sys/control', 'wire'],
  // Commands of their own: a tool, and the connection that RUMP_SERVER names.
  // Those of buses take part in one, or read it.
  'tools/bin': ['tools', 'rump', 'host/node', 'host/contract', 'link', 'mem', 'wire'],
  // The supervisor lays out shared memory and reads captures: the public subpaths, and the worker entries by URL.
  lab: ['index', 'mem', 'link', 'wire', 'sys/control', 'rump', 'tools', 'host/node', 'host/contract'],
  // A thread starts before the façade is loaded.
  cli: ['index', 'tools', 'wire/index', 'drill/index', 'lab/spare-thread', 'rump/process-environment'],
  // Public subpaths: labs as fixtures of test runners, over the façade.
  testing: ['index', 'tools', 'wire/index', 'lab/spare-thread', 'lab/state'],
  index: [
    'lab',
    'tools',
    'rump/kernel-client',
    'mem',
    'kernel',
    'link',
    'wire',
    'socket',
    'host/node',
    'host/sim',
    'host/contract',
  ],
};

/** A call of a device or a queue: only link/ and net/ make any. The queues of datagrams that sockets have are others. */
const DEVICE_CALL =
  /\b(?:device|(?<!endpoint\.)queue)\??\.(?:reserve|commit|cancel|flush|awaitRoom|receive|release|reserveRun|commitRun|setFilter|joinMulticast|leaveMulticast|setMtu)\(|\.queues\b/;
/** Frames are made and read in net/ alone; a network layer names EtherTypes. */
const FRAME_KNOWLEDGE = /\bethernet\.(?!ETHERTYPE_|ts\b)\w+|\bETHERNET_HEADER_BYTES\b|\bheaderAt - \d|\bETHERNET_[A-Z]/;

/** Files that send for a TCP connection or end one: procedures mark what is due instead (connection/due.ts). */
const TCP_SENDS = /^src\/inet\/tcp\/(send\/|end\.ts)/;
/** Functions there that answer a segment for which there is no connection. */
const TCP_REPLIES = ['reject', 'sendControl'];

const NODE_IMPORTS = ['host/node', 'node', 'tools', 'tools/bin', 'cli', 'lab', 'worker', 'testing'];
/** Files that wait, publish or own across threads; the data path calls them once per batch, at locked slot pools once per frame. */
const ATOMICS =
  /^mem\/(arena|bell|bulk-staging|bus|cells|channel|channel-end|counters|doorbell|futex-bell|layout|lock|nap|native-load|owner|ring-consumer|ring-pair|ring-producer|slot-pool|spin-budget|thread-bell|unread-bytes|word-changes)\.ts$/;
/** Files that may use atomic cells: a CPU's turn, ports and what they tell each other. */
const ATOMIC_CELLS = /^(kern\/cpu|link\/(port-map|vni-port|vni|file-vni|network))\.ts$/;
const CLOCKS = ['host/node', 'host/sim'];

/** Folders every function of which handles frames or calls, unless it is marked cold (fixtures/data-path.ts). */
const DATA_PATH = ['kern', 'net', 'link', 'inet', 'socket', 'mem', 'sys', 'mbcf/protocol'];
/** Constructs in functions of the data path that are neither removed nor marked yet. May fall, never rise. */
const DATA_PATH_DEBT = 0;
/** Formats: values for tests, traces and control are read and written by functions of these names and files. */
const WIRE_COLD = /^(parse|emit|format)/;
const WIRE_COLD_FILES = /^src\/wire\/(pretty|pcap|bytes)/;

/** Files in circles that types close, each within one folder. May fall, never rise. */
const TYPE_CIRCLE_DEBT = 22;

/** Names of exported types that stand in several files; `wire` is read by namespace (`tcp.Repr`). May fall, never rise. */
const SAME_NAME_DEBT = 0;
/** Exports that nothing imports, and those that tests alone import. May fall, never rise. */
const UNUSED_DEBT = 0;
const TESTS_ONLY_DEBT = 34;
/** Public subpaths (package.json, `exports`): their exports are used by others. */
const PUBLIC = [
  ...['src', 'src/kernel', 'src/socket', 'src/host/sim', 'src/wire', 'src/mem', 'src/link', 'src/mbcf'].map(
    (folder) => `${folder}/index.ts`,
  ),
  ...['jest', 'node-test', 'vitest'].map((runner) => `src/testing/${runner}.ts`),
];

/** Sentences of comments that begin with a relative clause. May fall, never rise. */
const PROSE_DEBT = 0;

/** State that the CPUs of a kernel share, and its keepers: they may know the context of a CPU, but none of its parts. */
const KERNEL_HALF = [
  /^inet\/ip\/(shared|context|family|address-interner|address-boundary|path-mtu|ports|ingress-filter|multicast)$/,
  /^inet\/ip4\/(ip4|addresses|groups|address-conflict|arp-output|redirect|igmp)$/,
  /^inet\/ip6\/(ip6|addresses|groups|link|link-control|link-output|address-detection|address-lifetimes|source-selector)$/,
  /^inet\/ip6\/(mld|neighbor-discovery|neighbor-output|redirect|autoconfiguration|autoconf\/.*)$/,
  /^inet\/tcp\/tables\/listener-table$/,
  /^net\/(neighbor-cache|route-table6?|connected-routes|path-epoch|table-events)$/,
  /^kern\/(context|sysctl|limits)$/,
];
/** Parts of one CPU: its way in, its way out, its sockets. */
const CPU_HALF = [
  /-cpu$/,
  /^inet\/ip\/(ip|output|run-output|transmit|path-table|parts|protocols|reassembly|raw-sockets|reject|datagram-queue)$/,
  /^inet\/ip[46]\/(input|forward|icmp|icmp-error|path|arp|reassembly)$/,
  /^inet\/(udp\/.*|tcp\/(?!shared\/|tables\/listener).*)$/,
  /^net\/link-(poller|input)$/,
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
  if (layerOf(`${target}.ts`) === layer) return true;
  const allowed = [...(MAY_IMPORT[layer] ?? []), 'base'];
  return allowed.some((prefix) => target === prefix || target.startsWith(`${prefix}/`));
}

/** Modules that loading `path` loads at once: files of src/, and names of packages. */
function loadedBy(path: string, byPath: ReadonlyMap<string, Source>): Set<string> {
  const loaded = new Set([path]);
  for (const from of loaded) {
    const code = byPath.get(from)?.code ?? '';
    for (const [, specifier] of code.matchAll(/^(?:import|export) (?!type\b)(?:[^;']*?\bfrom )?'([^']+)'/gm)) {
      const name = specifier as string;
      loaded.add(name.startsWith('.') ? relative(SRC, resolve(SRC, dirname(from), name)).replaceAll('\\', '/') : name);
    }
  }
  return loaded;
}

const files = sources();
const everything = ['src', 'bench', 'test', 'examples', 'scripts'].flatMap(readSources);
const all = everything.filter(({ path }) => path.startsWith('src/') && !path.endsWith('.test.ts'));
const tests = everything.filter(({ path }) => path.startsWith('src/') && path.endsWith('.test.ts'));
const bench = everything.filter(({ path }) => path.startsWith('bench/') && !path.endsWith('.test.ts'));

describe('layers', () => {
  it('knows every folder', () => {
    const unknown = files.filter((file) => !(file.layer in MAY_IMPORT)).map((file) => file.path);
    expect(unknown).toEqual([]);
  });

  it('imports only downwards, as the table says', () => {
    const findings: string[] = [];
    for (const file of files) {
      const specifiers = importsOf(file);
      if (specifiers.some((s) => s.startsWith('#'))) findings.push(`${file.path}: names a file of src/ by its path`);
      for (const specifier of specifiers.filter((s) => s.startsWith('.'))) {
        const target = relative(SRC, resolve(SRC, dirname(file.path), specifier))
          .replaceAll('\\', '/')
          .replace(/\.ts$/, '');
        if (!mayImport(file.layer, target)) findings.push(`${file.path}: ${file.layer} may not import ${target}`);
      }
    }
    expect(findings).toEqual([]);
  });

  it('keeps the state that CPUs share from knowing parts of a CPU', () => {
    const findings: string[] = [];
    const halves = { kernel: 0, cpu: 0 };
    for (const file of files) {
      const name = file.path.replace(/\.ts$/, '');
      if (CPU_HALF.some((half) => half.test(name))) {
        halves.cpu++;
        if (file.text.includes('Thread: the one that runs the kernel')) findings.push(`${name}: is run by a CPU`);
      }
      if (!KERNEL_HALF.some((half) => half.test(name))) continue;
      halves.kernel++;
      for (const specifier of importsOf(file).filter((s) => s.startsWith('.'))) {
        const target = join(dirname(name), specifier).replaceAll('\\', '/').replace(/\.ts$/, '');
        if (CPU_HALF.some((half) => half.test(target))) findings.push(`${name}: is the kernel's, knows ${target}`);
      }
    }
    expect(findings).toEqual([]);
    expect(Math.min(halves.kernel, halves.cpu)).toBeGreaterThan(30);
  });

  it('keeps the numbers of IPv6 addresses in inet', () => {
    const interner = /inet\/ip\/address-interner(\.ts)?$/;
    const findings = files
      .filter(({ path, layer }) => !path.startsWith('inet/') && layer !== 'inet')
      .filter((file) => importsOf(file).some((specifier) => interner.test(specifier)))
      .map(({ path }) => `${path}: socket addresses are words (inet/ip/address-boundary.ts)`);
    expect(findings).toEqual([]);
  });

  it('calls devices in net/ and link/ only, and knows frames there alone', () => {
    const findings: string[] = [];
    for (const { path, code } of files) {
      if (!/^(inet|socket|sys|kernel|rump|node|tools)\//.test(path)) continue;
      code.split('\n').forEach((line, index) => {
        if (DEVICE_CALL.test(line)) findings.push(`${path}:${index + 1}: calls a device: ${line.trim()}`);
        if (/^(inet|socket|sys|kernel)\//.test(path) && FRAME_KNOWLEDGE.test(line))
          findings.push(`${path}:${index + 1}: knows a frame: ${line.trim()}`);
      });
    }
    expect(findings).toEqual([]);
  });

  it('keeps node:* , Atomics, clocks and randomness where they belong', () => {
    const findings: string[] = [];
    for (const { path, code, layer } of files) {
      const source = { path, code } as Source;
      if (!NODE_IMPORTS.includes(layer) && importsOf(source).some((s) => s.startsWith('node:')))
        findings.push(`${path}: node:* import in ${layer}`);
      if (!ATOMICS.test(path) && /\bAtomics\b|\bSharedArrayBuffer\(/.test(code))
        findings.push(`${path}: Atomics or SharedArrayBuffer in ${layer}`);
      if (!ATOMIC_CELLS.test(path) && importsOf(source).some((s) => s.endsWith('/cells.ts')))
        findings.push(`${path}: atomic cells in ${layer}`);
      if (!path.startsWith('host/node/ffi/') && code.includes("'koffi'"))
        findings.push(`${path}: foreign functions outside host/node/ffi`);
      const clock =
        /\bDate\.now\b|\bperformance\.now\b|\bhrtime\b|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\(/;
      if (!CLOCKS.includes(layer) && !NODE_IMPORTS.includes(layer) && clock.test(code))
        findings.push(`${path}: clock, timer or randomness in ${layer}`);
    }
    expect(findings).toEqual([]);
  });

  it('allocates, waits and throws nothing on the data path', () => {
    const findings = all
      .filter(({ path }) => DATA_PATH.some((folder) => path.startsWith(`src/${folder}/`)))
      .flatMap((file) => dataPathFindings(file))
      .map(({ path, line, construct }) => `${path}:${line}: ${construct}`);
    if (findings.length > DATA_PATH_DEBT) expect(findings).toEqual([]);
  });

  it('reads formats without allocating', () => {
    const findings = all
      .filter(({ path }) => path.startsWith('src/wire/') && !WIRE_COLD_FILES.test(path))
      .flatMap((file) => dataPathFindings(file, (name) => WIRE_COLD.test(name)))
      .map(({ path, line, construct }) => `${path}:${line}: ${construct}`);
    expect(findings).toEqual([]);
  });

  it('has no circle of value imports', () => {
    const found = [all, bench].flatMap((tree) => circles(tree, (one) => !one.typeOnly));
    expect(found).toEqual([]);
  });

  it('closes circles by types within a folder only, and few', () => {
    const found = [all, bench].flatMap((tree) => circles(tree, () => true));
    expect(found.filter((circle) => new Set(circle.map(dirname)).size > 1)).toEqual([]);
    if (found.flat().length > TYPE_CIRCLE_DEBT) expect(found).toEqual([]);
  });

  it('gives the name of a type to one type', () => {
    const places = new Map<string, string[]>();
    for (const { path, exports } of [...all, ...bench]) {
      if (path.startsWith('src/wire/')) continue;
      for (const { name, kind } of exports) {
        if (kind === 'type' || kind === 'class') places.set(name, [...(places.get(name) ?? []), path]);
      }
    }
    const twice = [...places].filter(([, paths]) => paths.length > 1).map(([name, paths]) => `${name}: ${paths}`);
    if (twice.length > SAME_NAME_DEBT) expect(twice).toEqual([]);
  });

  it('exports nothing that nobody imports', () => {
    const { unused, testsOnly } = unusedExports(everything, PUBLIC);
    if (unused.length > UNUSED_DEBT) expect(unused).toEqual([]);
    if (testsOnly.length > TESTS_ONLY_DEBT) expect(testsOnly).toEqual([]);
  });

  it('begins sentences with their subject', () => {
    const found = [...all, ...tests, ...bench].flatMap(riddles);
    if (found.length > PROSE_DEBT) expect(found).toEqual([]);
  });

  it('names files that exist, in comments and in documents', () => {
    const root = resolve(SRC, '..');
    const wasm = readdirSync(join(SRC, 'wasm'), { encoding: 'utf8' }).map((name) => `src/wasm/${name}`);
    const paths = [...everything.map(({ path }) => path), ...wasm];
    const comments = [...all, ...bench].flatMap(({ path, comments }) =>
      comments.map(({ text, line }) => ({ path, text, line })),
    );
    const documents = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
      .map((name) => `docs/${name.replaceAll('\\', '/')}`)
      .concat('ARCHITECTURE.md', 'CONTRIBUTING.md', 'README.md')
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) =>
        readFileSync(join(root, path), 'utf8')
          .split('\n')
          .map((text, index) => ({ path, text, line: index + 1 })),
      );
    expect([...comments, ...documents].flatMap((prose) => danglingNames(prose, paths))).toEqual([]);
    // A name that is no file's is found.
    expect(danglingNames({ path: 'src/inet/tcp/input.ts', text: 'tcp/nowhere.ts, ack.ts', line: 7 }, paths)).toEqual([
      'src/inet/tcp/input.ts:7: tcp/nowhere.ts',
    ]);
  });

  it('lets a tool of its own load no other tool, nothing of a lab, a kernel or the command line, and no package', () => {
    const byPath = new Map(files.map((file) => [file.path, file]));
    const isTool = (path: string): boolean =>
      /^tools\/\w+\.ts$/.test(path) && / (\w+): Tool = \{/.test(byPath.get(path)?.text ?? '');
    for (const { path } of files.filter((file) =>
      /^tools\/bin\/(?!main|kernel-at|bpf-at|rump-server|shmif-|dump-bus|put-on-bus)/.test(file.path),
    )) {
      const loaded = loadedBy(path, byPath);
      const strange = [...loaded].filter(
        (name) => /^(lab|cli|node|kernel|worker|inet|net|link|mem)\//.test(name) || !/^(node:|\w+\/)/.test(name),
      );
      expect([path, strange, [...loaded].filter(isTool).length]).toEqual([path, [], 1]);
    }
  });

  it('starts and loads modules that exist', () => {
    const started = files.flatMap(({ path, text }) =>
      [...text.matchAll(/\b(?:module|command)Url\('([^']+)', import\.meta\.url\)/g)].map(([, name]) => ({
        path,
        name: name as string,
      })),
    );
    const missing = started.filter(({ path, name }) => {
      const module = join(SRC, dirname(path), `${name}.ts`);
      // The benches are built into the package's folder of that name.
      return !existsSync(module) && !existsSync(module.replace(`${SRC}/bench/`, `${SRC}/../bench/`));
    });
    expect(started.length).toBeGreaterThan(3);
    expect(missing).toEqual([]);
  });

  it('sends for a TCP connection in one place, and ends it in one place', () => {
    const findings: string[] = [];
    for (const { path, imports } of all) {
      if (TCP_SENDS.test(path) || path === 'src/inet/tcp/dispatch.ts') continue;
      for (const { target, names } of imports) {
        if (!TCP_SENDS.test(target ?? '') || names.every((name) => TCP_REPLIES.includes(name))) continue;
        findings.push(`${path}: sends or ends without dispatch.ts: ${target}`);
      }
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
