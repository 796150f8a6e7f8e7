import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { choosePlacement } from '../../src/lab/default-placement.ts';
import { readPcapng } from '../../src/wire/index.ts';
import { until } from '../fixtures/fake-workers.ts';
import { isInstalled } from '../fixtures/installed.ts';
import { type Running, SHOP, Terminal } from '../fixtures/mk.ts';

describe('the shop', () => {
  let terminal: Terminal;
  let up: Running;
  beforeAll(async () => {
    terminal = new Terminal();
    up = await terminal.up(SHOP);
    await up.until(/client \| api: 200 OK/);
  });
  afterAll(() => terminal.close());

  it('is shown: name, kind, addresses, placement, program, state', async () => {
    const { placement, reason } = choosePlacement(3);
    const threads = placement === 'process' ? '1 thread' : '4 threads';
    expect(up.out.replace(/\d+ ms/, 'N ms').startsWith(`shop: 4 kernels in ${threads}, up in N ms\n`)).toBe(true);
    const { out, code } = await terminal.run('ps');
    expect(code).toBe(0);
    expect(out).toBe(`NAME    KIND    ADDRESSES                PLACEMENT  PROGRAM         STATE
client  node    10.0.0.10/24             ${placement.padEnd(9)}  node client.js  running
gw      router  10.0.0.1/24 10.0.1.1/24  -          -               ready
api     node    10.0.1.10/24             ${placement.padEnd(9)}  node api.js     running, listening :80
db      node    10.0.1.11/24             ${placement.padEnd(9)}  node db.js      running, listening :80
placement by default: ${placement} (${reason})
`);
    const nodes = JSON.parse((await terminal.run('ps', '--json')).out) as object[];
    const placed = { placement, placementReason: reason };
    expect(nodes).toMatchObject([
      { name: 'client', phase: 'running', ...placed },
      { name: 'gw', phase: 'ready', placement: null, placementReason: null },
      { name: 'api', phase: 'running', ...placed },
      { name: 'db', phase: 'running', ...placed },
    ]);
  });

  it('has live metrics: requests/s, p50, connections, retransmissions', async () => {
    await up.until(
      // A machine with much else to do is slower than our retransmission timers now and then.
      /^ +\d+s {2}client [\d.]+ req\/s p50 [\d.]+ m?s \d+ conns \d+( \(\+\d+\))? rexmt \| gw [\d.]+k? frames\/s \| api [\d.]+ req\/s p50 /m,
    );
    await until(async () => {
      const { out } = await terminal.run('top', '-n', '1', '-i', '0.3', '--json');
      const sample = JSON.parse(out) as { nodes: { node: string; requestsPerSec: number; connections: number }[] };
      const api = sample.nodes.find((metrics) => metrics.node === 'api');
      return api !== undefined && api.requestsPerSec > 0 && api.connections > 1;
    });
  });

  it('is routed: ping from client reaches api over gw', async () => {
    const { out, code } = await terminal.run('exec', 'client', '--', 'ping', '-c', '3', '-i', '0.05', 'api');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^PING api \(10\.0\.1\.10\): 56 data bytes\n(64 bytes from 10\.0\.1\.10: icmp_seq=\d ttl=63 time=[\d.]{8,} ms\n){3}\n/,
    );
    expect(out).toContain(
      '3 packets transmitted, 3 packets received, 0.0% packet loss\nround-trip min/avg/max/stddev = ',
    );
    const expired = terminal.start(['exec', 'client', '--', 'ping', '-T', '1', 'api'], { input: '' });
    await expired.until(/bytes from gw \(10\.0\.0\.1\): Time To Live exceeded/);
    expired.child.kill('SIGINT');
    expect((await expired.done).code).toBe(2);
    expect((await terminal.run('exec', 'client', '--', 'traceroute', 'api')).out).toMatch(
      /^traceroute to api \(10\.0\.1\.10\), 64 hops max, 40 byte packets\n 1 {2}gw \(10\.0\.0\.1\)( {2}[\d.]+ ms){3}\n 2 {2}api \(10\.0\.1\.10\)( {2}[\d.]+ ms){3}\n$/,
    );
  });

  it('is slow where netem says so: set adds, show shows, reset takes all of it away', async () => {
    const set = await terminal.run('netem', 'set', 'client:gw', '--delay', '30ms');
    expect([set.out, set.code]).toEqual(['LINK           NETWORK  IMPAIRED\nclient <-> gw  front    delay 30ms\n', 0]);
    await terminal.run('netem', 'set', 'gw:client', '--jitter', '1ms', '--up');
    expect((await terminal.run('netem', 'show')).out).toBe(
      'LINK          NETWORK  IMPAIRED\nclient -> gw  front    delay 30ms\nclient <- gw  front    delay 30ms jitter 1ms\n',
    );
    // A packet may be later than that, and never earlier.
    const ping = await terminal.run('exec', 'client', '--', 'ping', '-c', '2', '-i', '0.05', 'api');
    expect(Number(/min\/avg\/max\/stddev = ([\d.]+)/.exec(ping.out)?.[1])).toBeGreaterThanOrEqual(59);
    expect(JSON.parse((await terminal.run('netem', 'show', '--json')).out)).toEqual([
      {
        a: 'client',
        aInterface: 'eth0',
        b: 'gw',
        bInterface: 'eth0',
        network: 'front',
        up: { delayUs: 30_000 },
        down: { delayUs: 30_000, jitterUs: 1000 },
      },
    ]);
    expect((await terminal.run('netem', 'reset', 'client:gw')).out).toBe('client:gw: reset\n');
    expect((await terminal.run('netem', 'show')).out).toBe('no link is impaired\n');
    expect((await terminal.run('netem', 'set', 'client:db', '--loss', '1%')).err).toBe(
      'mk netem: client and db are on no network together; name the attachment of one of them, as client and front\n',
    );
    expect((await terminal.run('netem', 'set', 'client', '--loss', '1')).err).toBe(
      'mk netem: impair: loss: expected a share such as 2% (a number is below 1), not "1"\n',
    );
    expect((await terminal.run('netem', 'set', 'client')).err).toBe(
      'mk netem: which values? For example --delay 40ms\n',
    );
  });

  it('shows interfaces, routes, neighbors, sockets', async () => {
    const ifconfig = await terminal.run('exec', 'api', '--', 'ifconfig', '-a');
    expect(ifconfig.out).toMatch(
      /^lo0: flags=0x8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu \d+\n\tinet 127\.0\.0\.1\/8 flags 0x0\n/,
    );
    expect(ifconfig.out).toContain(
      'eth0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n\taddress: 02:6d:6b:00:03:00\n' +
        '\tinet 10.0.1.10/24 broadcast 10.0.1.255 flags 0x0\n',
    );
    const netstat = await terminal.run('exec', 'client', '--', 'netstat', '-rn');
    expect(netstat.out).toMatch(/^default +10\.0\.0\.1 +UGS +- +- +1500 {2}eth0$/m);
    const arp = await terminal.run('exec', 'gw', '--', 'arp', '-an');
    expect(arp.out).toContain(
      '? (10.0.0.10) at 02:6d:6b:00:01:00 on eth0\n? (10.0.1.10) at 02:6d:6b:00:03:00 on eth1\n',
    );
    const sockets = await terminal.run('netstat', '-k', 'api', '-an');
    expect(sockets.out).toMatch(/^tcp6 +0 +0 {2}\*\.80 +\*\.\* +LISTEN$/m);
    expect(sockets.out).toMatch(/^tcp +\d+ +\d+ {2}10\.0\.1\.10\.80 +10\.0\.0\.10\.\d+ +ESTABLISHED$/m);
    expect(sockets.out).toMatch(/^tcp +\d+ +\d+ {2}10\.0\.1\.10\.\d+ +10\.0\.1\.11\.80 +ESTABLISHED$/m);
  });

  it('is captured as pcapng with nanosecond stamps', async () => {
    const capture = terminal.start(['capture', 'api:eth0', '-w', '-', '-c', '50'], { input: '' });
    const { out, code, err } = await capture.done;
    expect([code, err]).toEqual([0, '50 frames captured, 0 dropped\n']);
    const bytes = Buffer.from(out, 'latin1');
    const packets = [...readPcapng(bytes)].filter((block) => block.type === 'packet');
    expect(packets).toHaveLength(50);
  });

  it.skipIf(!isInstalled('tcpdump'))('is captured so that tcpdump reads it (skipped without tcpdump)', async () => {
    const filter = ['tcp', 'port', '80', 'or', 'arp'];
    const capture = terminal.start(['capture', 'api', '-w', '-', '-c', '50', ...filter], { input: '' });
    const { out } = await capture.done;
    const tcpdump = spawnSync('tcpdump', ['-nr', '-'], { input: Buffer.from(out, 'latin1'), encoding: 'utf8' });
    // ARP and IPv6 are among them.
    expect(tcpdump.stdout.split('\n').filter((line) => / (IP|IP6|ARP)\b/.test(line))).toHaveLength(50);
    expect(tcpdump.stdout).toMatch(
      /IP 10\.0\.0\.10\.\d+ > 10\.0\.1\.10\.80: Flags \[P\.\].* HTTP: GET \/stock\/\w+ HTTP\/1\.1/,
    );
  });

  it('is cut and healed: half-open, the retransmission timer doubles, then the same connection goes on', async () => {
    const before = up.out.length;
    const partition = await terminal.run('break', 'api', 'db');
    expect(partition.out).toBe('api x db: blackhole, both ways; heal with: mk heal api db\n');
    await up.until(/client \| api: 504 Gateway Timeout/, before);
    type Row = {
      localPort: number;
      peerPort: number;
      peerAddress: string;
      state: string;
      rtoMs: number;
      retransmits: number;
    };
    const connection = async (): Promise<Row> => {
      const { out } = await terminal.run('netstat', '-k', 'api', '-an', '--json');
      return (JSON.parse(out) as Row[]).find((row) => row.peerAddress === '10.0.1.11' && row.peerPort === 80) as Row;
    };
    const first = await connection();
    await until(async () => (await connection()).rtoMs >= 4 * first.rtoMs);
    const later = await connection();
    expect(later).toMatchObject({ state: 'ESTABLISHED', localPort: first.localPort });
    expect(Math.log2(later.rtoMs / first.rtoMs) % 1).toBeCloseTo(0, 5);
    const healed = up.out.length;
    const again = await terminal.run('heal', 'db', 'api');
    expect(again.out).toBe('api - db: healed\n');
    await up.until(/client \| api: 200 OK/, healed);
    expect((await connection()).localPort).toBe(first.localPort);
    expect(await terminal.run('heal', 'db', 'api')).toMatchObject({
      code: 1,
      err: 'mk heal: nothing is cut between db and api\n',
    });
  });

  it('is cut one way, or as a firewall cuts', async () => {
    await terminal.run('break', 'client', 'gw', '--one-way');
    const lost = await terminal.run('ping', '-k', 'client', '-c', '1', '-w', '0.5', 'gw');
    expect(lost.code).toBe(2);
    await terminal.run('heal', '--all');
    const before = up.out.length;
    await terminal.run('break', 'client', 'api', '--reject');
    await up.until(/client \| api: ECONNREFUSED/, before);
    expect((await terminal.run('heal', '--all', '--json')).out).toContain('"how":"reject"');
  });

  it('has logs and counters', async () => {
    const logs = await terminal.run('logs', 'db', 'api');
    expect(logs.out).toContain('db | ready\n');
    expect(logs.out).not.toContain('client |');
    const stat = await terminal.run('stat', 'api', 'packets-sent');
    expect(stat.out).toMatch(/^BLOCK +COUNTER +VALUE\napi +tcp-packets-sent +\d+\n/);
  });

  it('is reached by hand', async () => {
    const request = 'GET /stock/plum HTTP/1.0\r\n\r\n';
    const nc = terminal.start(['exec', 'client', '--', 'nc', 'api', '80'], { input: request });
    expect(await nc.done).toMatchObject({
      code: 0,
      out: expect.stringMatching(/200 OK[\s\S]*\{"name":"plum","count":31\}$/),
    });
    const closed = await terminal.run('exec', 'client', '--', 'nc', 'api', '81');
    expect(closed).toMatchObject({ code: 1, err: 'nc: connect to api port 81 (tcp) failed: ECONNREFUSED\n' });
  });

  it.each<[string[], number, string]>([
    [['exec', 'client', '--', 'nmap'], 127, 'mk exec: no program nmap; mk help exec lists the tools\n'],
    [['exec', 'nobody', '--', 'arp', '-an'], 2, 'mk exec: no node nobody; there are client, gw, api, db\n'],
    [['arp', '-an'], 2, 'mk arp: which kernel? Say -k NODE (client, gw, api, db)\n'],
    [['break', 'api', 'dc'], 2, 'mk break: no node dc; did you mean db?\n'],
    [['capture', 'api:eth7', '-w', '-'], 2, 'mk capture: '],
    [
      ['capture', 'api', '-w', '-', 'tcp', 'prt', '80'],
      2,
      "mk capture: filter 'tcp prt 80', column 5: 'prt' is not expected here\n",
    ],
    [['capture', 'api', '-w', '-', '-f', 'host dc'], 2, "mk capture: filter 'host dc', column 6: unknown host 'dc'\n"],
    [['up', SHOP], 2, 'mk up: lab shop is already up (process '],
    [['ps', '--lab', 'other'], 2, 'mk ps: no lab other is up\n'],
    [['exec'], 2, "mk exec: missing required argument 'node'\n"],
    [['frob'], 2, "mk: unknown command 'frob'\n"],
    [['ps', '--jason'], 2, "mk ps: unknown option '--jason'; did you mean --json?\n"],
  ])('answers %j with one line', async (args, code, line) => {
    const done = await terminal.run(...args);
    expect(done).toMatchObject({ code, out: '' });
    expect(done.err).toMatch(/^[^\n]+\n$/);
    expect(done.err.startsWith(line)).toBe(true);
  });

  it('goes down when told, leaving nothing', async () => {
    expect(terminal.sockets).toEqual(['shop.kernels', 'shop.sock']);
    expect(await terminal.run('down')).toMatchObject({
      code: 2,
      err: 'mk down: no multikernel.yml here; up: shop; say which: mk down NAME\n',
    });
    expect(await terminal.run('down', 'shop')).toMatchObject({ code: 0, out: 'shop is down\n' });
    const { code, out, err } = await up.done;
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(
      /\nok {3}within 10 s: http:\/\/api\/stock\/apple from client: 200 with "apple"\nok {3}within 10 s: requests\/s of client above 10\n$/,
    );
    expect(terminal.sockets).toEqual([]);
    expect(await terminal.run('ps')).toMatchObject({ code: 2, err: 'mk ps: no lab is up; start one with: mk up\n' });
  });
});

describe('mk up', () => {
  let terminal: Terminal;
  beforeEach(() => {
    terminal = new Terminal();
  });
  afterEach(() => terminal.close());

  function lab(text: string, files: Record<string, string> = {}): void {
    mkdirSync(terminal.folder, { recursive: true });
    writeFileSync(join(terminal.folder, 'multikernel.yml'), text);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(terminal.folder, name), content);
  }

  it('ends by itself with --for, 0 when the checks hold', async () => {
    const { code, out } = await terminal.run('up', SHOP, '--for', '12s', '--json');
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; [key: string]: unknown });
    expect(new Set(lines.map((line) => line.type))).toEqual(new Set(['up', 'state', 'metrics', 'log', 'down']));
    expect(lines.at(-1)).toMatchObject({
      type: 'down',
      exitCode: 0,
      checks: [{ state: 'passed' }, { state: 'passed' }],
    });
    expect(code).toBe(0);
    expect(terminal.sockets).toEqual([]);
  });

  it('exits with 1 when a check does not hold', async () => {
    lab(
      'name: t\nnodes: { a: {}, b: {} }\nchecks:\n  - { within: 2s, tcp: "b:80", from: a }\n  - { at: 1ms, ping: b, from: a }\n  - { within: 10s, tcp: "b:80", from: a, expect: refused }\n  - { at: 1h, state: a, expect: crashed }\n',
    );
    const { code, out } = await terminal.run('up', '--for', '6s');
    expect(code).toBe(1);
    expect(out).toMatch(
      /\nFAIL within 2 s: connect to b:80 from a: open: refused, expected open\nok {3}at 1 ms: ping b from a: reply\nok .*refused\n- {4}at 1 h: a is crashed: the lab ended before\n$/,
    );
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('ends cleanly on %s', async (signal) => {
    lab('name: t\nnodes: { a: { run: node a.js }, b: {} }\n', { 'a.js': 'setInterval(() => {}, 1000)' });
    const up = await terminal.up();
    up.child.kill(signal);
    expect(await up.done).toMatchObject({ code: 0, signal: null, err: '' });
    expect(terminal.sockets).toEqual([]);
  });

  it('goes on when programs end, and says how they did', async () => {
    const programs = {
      'exit.js': 'setTimeout(() => process.exit(3), 50)',
      'crash.js': "setTimeout(() => { throw new TypeError('boom') }, 50)",
      'reject.mjs': "await Promise.reject(new Error('nobody'))",
      'syntax.js': 'let let = 1',
      'oom.js':
        'const keep = []; setInterval(() => { for (let i = 0; i < 200; i++) keep.push(new Array(5000).fill(i)) }, 1)',
      'end.js': "console.log('args', process.argv.slice(2).join(), process.env.COLOUR)",
      'kill.js':
        "process.on('SIGUSR2', () => { console.log('heard on', require('os').hostname()); process.kill(process.pid) }); process.kill(process.pid, 'SIGUSR2')",
      'server.js': "require('net').createServer(() => {}).listen(80)",
    };
    lab(
      `name: t
nodes:
  exit: { run: node exit.js }
  crash: { run: node crash.js }
  reject: { run: node reject.mjs }
  syntax: { run: node syntax.js }
  oom: { run: node oom.js, heap: 16MiB }
  end: { run: "node end.js 1 '2 3'", env: { COLOUR: red } }
  kill: { run: node kill.js }
  server: { run: node server.js }
`,
      programs,
    );
    const up = await terminal.up();
    const states = async (): Promise<Record<string, string>> => {
      const nodes = JSON.parse((await terminal.run('ps', '--json')).out) as { name: string; state: string }[];
      return Object.fromEntries(nodes.map((node) => [node.name, node.state]));
    };
    const ends = {
      exit: 'exited 3',
      crash: 'crashed 1: TypeError: boom',
      reject: 'crashed 1: Error: nobody',
      syntax: expect.stringMatching(/^crashed 1: SyntaxError: /),
      oom: 'out of memory',
      end: 'exited 0',
      kill: 'exited 143',
      server: 'running, listening :80',
    };
    await vi.waitFor(async () => expect(await states()).toEqual(ends), { timeout: 90_000, interval: 10 });
    await up.until(/^end \| args 1,2 3 red$/m);
    await up.until(/^kill \| heard on kill$/m);
    const errors = await terminal.run('ps', '--errors');
    expect(errors.out).toMatch(/\ncrash:\n {2}TypeError: boom\n {6}at .*crash\.js/);
  });

  it('runs programs where the lab file lies', async () => {
    mkdirSync(join(terminal.folder, 'sub'), { recursive: true });
    writeFileSync(join(terminal.folder, 'sub', 'data.txt'), 'found it');
    writeFileSync(
      join(terminal.folder, 'sub', 'a.mjs'),
      "import { readFileSync } from 'node:fs'; console.log(readFileSync('data.txt', 'utf8'), process.cwd());",
    );
    writeFileSync(join(terminal.folder, 'sub', 'lab.yml'), 'nodes: { a: { run: node a.mjs } }\n');
    const up = await terminal.up('sub/lab.yml');
    await up.until(/a \| found it .*sub\n/);
    up.child.kill('SIGINT');
    expect(await up.done).toMatchObject({ code: 0, err: '' });
  });

  it('ends when nobody reads on, and leaves nothing', async () => {
    lab('name: t\nnodes: { a: {}, b: {} }\n');
    const up = await terminal.up();
    up.child.stdout?.destroy();
    await up.done;
    expect(terminal.sockets).toEqual([]);
  });

  it('goes on when a program ends because its port is in use, and shows the stack', async () => {
    lab('name: t\nnodes: { a: { run: node a.js }, b: { run: node b.js } }\n', {
      'a.js': "const http = require('http'); http.createServer().listen(80); http.createServer().listen(80);",
      'b.js': 'setInterval(() => {}, 1000);',
    });
    const up = await terminal.up();
    await up.until(/^a \| Error: listen EADDRINUSE: address already in use [^\n]*:80$/m);
    await up.until(/^a \| +at Server\.listen /m);
    await up.until(/crashed 1: Error: listen EADDRINUSE/);
    const nodes = JSON.parse((await terminal.run('ps', '--json')).out) as { name: string; phase: string }[];
    expect(nodes.map((node) => `${node.name} ${node.phase}`)).toEqual(['a crashed', 'b running']);
    expect((await terminal.run('exec', 'b', '--', 'ifconfig', 'eth0')).code).toBe(0);
    // It was still there to be taken down.
    expect((await terminal.run('down')).code).toBe(0);
    await up.done;
  });

  it.each<[string, string | null, string[], string]>([
    ['no file', null, [], 'mk up: no multikernel.yml here; name a file'],
    ['a file that is not there', null, ['x.yml'], 'mk up: x.yml: no such file'],
    ['a folder', null, ['.'], 'mk up: .: a folder, not a file'],
    [
      'a wrong lab',
      'nodes:\n  a: { kind: gost }\n',
      [],
      'mk up: multikernel.yml:2:14: nodes.a.kind: expected "node" or "router" or "bridge", not "gost"',
    ],
    ['no program', 'nodes:\n  a: { run: node no.js }\n', [], 'mk up: multikernel.yml:2:13: nodes.a.run: no program '],
    [
      'a flag Node does not know',
      'nodes:\n  a: { run: node --frob a.js, placement: beside }\n',
      [],
      'mk up: multikernel.yml:2:13: nodes.a.run: node --frob: ',
    ],
    [
      'a variable that no kernel has',
      'nodes:\n  a: {}\n  b: { sysctl: { net.inet.ip.tll: 3 } }\n',
      [],
      'mk up: multikernel.yml:3:35: nodes.b.sysctl.net.inet.ip.tll: no such variable',
    ],
    [
      'a value that a variable does not take',
      'nodes:\n  a: { sysctl: { net.inet.ip.ttl: 300 } }\n',
      [],
      'mk up: multikernel.yml:2:35: nodes.a.sysctl.net.inet.ip.ttl: 300 is not in 1 to 255',
    ],
    ['a bad time', 'nodes: { a: {} }\n', ['--for', '5'], 'mk up: --for 5: a time with its unit, such as 5s'],
  ])('of %s: one line, exit code 2, nothing left', async (_name, text, args, line) => {
    if (text !== null) lab(text, { 'a.js': '' });
    const { code, err, out } = await terminal.run('up', ...args);
    expect(err).toMatch(/^[^\n]+\n$/);
    expect(err.slice(0, line.length)).toBe(line);
    expect([code, out]).toEqual([2, '']);
    expect(terminal.sockets).toEqual([]);
  });

  it('reports all problems with --all', async () => {
    lab('nodes:\n  a: { kind: gost }\n  b: { mtu: 3 }\n');
    expect((await terminal.run('up')).err).toMatch(/ \(and 1 more problem, see --all\)\n$/);
    expect((await terminal.run('up', '--all')).err).toMatch(
      /^mk up: multikernel.yml:2:14.*\nmk up: multikernel.yml:3:8.*\n$/,
    );
  });

  it('does not begin on a Node that is too old', async () => {
    const fake = join(terminal.folder, 'old.cjs');
    writeFileSync(
      fake,
      "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.4' } })",
    );
    const { code, err } = await terminal.start(['ps'], { nodeFlags: ['-r', fake], input: '' }).done;
    expect([code, err]).toEqual([2, 'mk: Node 18.20.4 is too old: 20.20 or newer is needed\n']);
  });
});

describe('mk run', () => {
  let terminal: Terminal;
  beforeAll(() => {
    terminal = new Terminal();
    const write = (name: string, text: string): void => writeFileSync(join(terminal.folder, name), text);
    write(
      'talk.js',
      `const http = require('http');
       const server = http.createServer((q, r) => r.end('from ' + q.socket.localAddress)).listen(80, async () => {
         console.log(await (await fetch('http://localhost/')).text(), process.argv.slice(2).join(), require.main === module);
         server.closeAllConnections();
         server.close();
         process.exitCode = 7;
       });`,
    );
    write('cat.js', "process.stdin.pipe(process.stdout); process.stderr.write('to stderr')");
    write('term.js', "process.on('SIGTERM', () => process.exit(5)); setInterval(() => {}, 1000); console.log('ready')");
    write('hang.js', "setInterval(() => {}, 1000); console.log('ready')");
    write(
      'out.mjs',
      "import net from 'node:net'; net.connect(80, '93.184.216.34').on('error', (e) => console.log(e.code))",
    );
  });
  afterAll(() => terminal.close());

  it('lets a program talk to itself, and passes arguments and the exit code', async () => {
    expect(await terminal.run('run', '--', 'talk.js', '-a', '--b=c')).toEqual({
      code: 7,
      signal: null,
      out: 'from ::1 -a,--b=c true\n',
      err: '',
    });
  });

  it('passes the standard streams', async () => {
    const cat = terminal.start(['run', 'cat.js'], { input: 'one\ntwo\n' });
    expect(await cat.done).toMatchObject({ code: 0, out: 'one\ntwo\n', err: 'to stderr' });
  });

  it('passes flags on to Node', async () => {
    const done = await terminal.run('run', '--stack-trace-limit=1', '--', '-p', 'Error.stackTraceLimit');
    expect(done).toMatchObject({ code: 0, out: '1\n' });
  });

  it('takes the word node in front of the program and of its flags', async () => {
    const talk = await terminal.run('run', '--', 'node', '--no-warnings', 'talk.js', '--no-warnings');
    expect(talk).toMatchObject({ code: 7, out: 'from ::1 --no-warnings true\n' });
    expect(await terminal.run('run', '--', 'node')).toMatchObject({ code: 2 });
  });

  it('passes signals, and dies of those the program dies of', async () => {
    const term = terminal.start(['run', '--', 'term.js']);
    await term.until(/ready/);
    term.child.kill('SIGTERM');
    expect(await term.done).toMatchObject({ code: 5, signal: null });
    const hang = terminal.start(['run', '--', 'hang.js']);
    await hang.until(/ready/);
    hang.child.kill('SIGTERM');
    expect(await hang.done).toMatchObject({ code: null, signal: 'SIGTERM' });
  });

  it("never reaches the host's network", async () => {
    expect(await terminal.run('run', 'out.mjs')).toMatchObject({ code: 0, out: 'ENETUNREACH\n' });
  });

  it('of nothing is bad input', async () => {
    expect(await terminal.run('run')).toMatchObject({
      code: 2,
      err: 'mk run: no program; say: mk run -- program.js\n',
    });
    const { code, err } = await terminal.run('run', '--', 'nothere.js');
    expect([code, err]).toEqual([2, `mk run: no program ${join(terminal.folder, 'nothere.js')}\n`]);
  });
});

describe('mk help', () => {
  it('explains commands and the lab file', async () => {
    const terminal = new Terminal();
    const [all, file, up, none] = await Promise.all([
      terminal.run(),
      terminal.run('help', 'file'),
      terminal.run('help', 'up'),
      terminal.run('help', 'x'),
    ]);
    expect(all).toMatchObject({ code: 0, out: expect.stringContaining('Usage: mk [options] [command]') });
    expect(file.out).toContain('multikernel.yml');
    expect(up.out).toContain('--for <time>');
    expect(none).toMatchObject({ code: 2, err: 'mk help: no command x; mk help lists them\n' });
    await terminal.close();
  });
});
