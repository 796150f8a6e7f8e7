import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CompiledPeers, findTool, jsonLine, lacking, numberOf, runTool } from './tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'mk-bench-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const signal = new AbortController().signal;
const node = process.execPath;

describe('finding tools', () => {
  it('takes executables on the path, in order, and nothing else', () => {
    const [first, second] = [join(folder, 'first'), join(folder, 'second')];
    for (const each of [first, second]) mkdirSync(each);
    writeFileSync(join(first, 'plain'), '');
    mkdirSync(join(first, 'a-folder'));
    writeFileSync(join(second, 'plain'), '#!/bin/sh\n');
    chmodSync(join(second, 'plain'), 0o755);
    const path = ['', first, second, join(folder, 'absent')].join(delimiter);
    expect(findTool('plain', path)).toBe(join(second, 'plain'));
    expect(findTool('a-folder', path)).toBeNull();
    expect(lacking(['plain', 'iperf3'], path)).toBe('iperf3: not installed');
    expect(lacking(['plain'], path)).toBeUndefined();
  });

  it('has no C peers without a compiler', () => {
    const peers = new CompiledPeers(folder);
    expect(peers.missing()).toBe('cc: no C compiler installed');
    expect(() => peers.build('ring')).toThrow('cc: no C compiler installed');
  });

  it("passes the compiler's own words on", () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'cc'), '#!/bin/sh\necho "ring.c:1: error: no such header" >&2\nexit 1\n');
    chmodSync(join(bin, 'cc'), 0o755);
    const peers = new CompiledPeers(bin);
    expect(() => peers.build('ring')).toThrow('cc: ring.c: ring.c:1: error: no such header');
    peers.remove();
  });
});

describe.runIf(new CompiledPeers().missing() === undefined)('C peers', () => {
  it('compile, run, check what they copied, and leave nothing', async () => {
    const peers = new CompiledPeers();
    const run = async (name: string, args: string): Promise<Record<string, unknown>> =>
      jsonLine(await runTool(peers.build(name), args.split(' '), { limitMs: 30_000, signal }));
    expect(await run('ring', '1500 1536 64 16 5')).toMatchObject({ damaged: 0 });
    expect(await run('memcpy', '1500 196608 5')).toHaveProperty('nsPerCopy');
    for (const kind of ['spin busy', 'unix block', 'udp busy', 'tcp block']) {
      expect(await run('rtt', `${kind} 4 100 50`)).toHaveProperty('p50Ns');
    }
    const built = peers.build('ring');
    expect(peers.build('ring')).toBe(built);
    peers.remove();
    expect(existsSync(dirname(built))).toBe(false);
  });

  it('refuse what makes no sense with a line on stderr', async () => {
    const peers = new CompiledPeers();
    const ring = peers.build('ring');
    await expect(runTool(ring, ['1500', '64', '64', '16', '5'], { limitMs: 30_000, signal })).rejects.toThrow(
      /^ring: a slot holds/,
    );
    await expect(runTool(ring, [], { limitMs: 30_000, signal })).rejects.toThrow(/^ring: usage: ring /);
    peers.remove();
  });
});

describe('running tools', () => {
  it('returns the output', async () => {
    expect(await runTool(node, ['-e', 'console.log(6 * 7)'], { limitMs: 30_000, signal })).toBe('42\n');
  });

  it('kills what takes too long', async () => {
    const endless = runTool(node, ['-e', 'setInterval(() => {}, 1000)'], { limitMs: 200, signal });
    await expect(endless).rejects.toThrow('node: no result within 0.2 s');
  });

  it('kills what is interrupted', async () => {
    const interrupt = new AbortController();
    const running = runTool(node, ['-e', 'console.log("up"); setInterval(() => {}, 1000)'], {
      limitMs: 30_000,
      signal: interrupt.signal,
      onOutput: () => interrupt.abort(),
    });
    await expect(running).rejects.toThrow('node: interrupted');
    await expect(runTool(node, ['-e', ''], { limitMs: 30_000, signal: interrupt.signal })).rejects.toThrow(
      'interrupted',
    );
  });

  it('gives the last words of what failed, or how it ended', async () => {
    const run = (code: string): Promise<string> => runTool(node, ['-e', code], { limitMs: 30_000, signal });
    await expect(run('console.error("first\\nport in use"); process.exit(2)')).rejects.toThrow('node: port in use');
    await expect(run('process.exit(7)')).rejects.toThrow('node: ended by 7');
    await expect(run('process.kill(process.pid, "SIGKILL")')).rejects.toThrow('node: ended by SIGKILL');
    await expect(runTool(join(folder, 'absent'), [], { limitMs: 30_000, signal })).rejects.toThrow(/^absent: .*ENOENT/);
  });

  it('finds the result among other output', () => {
    expect(jsonLine('hello\n{"a":1}\n{"b":2}\n')).toEqual({ b: 2 });
    expect(() => jsonLine('hello\n')).toThrow('the program printed no result');
    expect(numberOf({ a: 1 }, 'a')).toBe(1);
    expect(() => numberOf({ a: null }, 'a')).toThrow('the result has no a');
  });
});
