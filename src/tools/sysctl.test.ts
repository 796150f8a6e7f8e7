import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Said, ToolBed } from '../../test/fixtures/tool-bed.ts';
import { ArgumentError } from './getopt.ts';
import { sysctl } from './sysctl.ts';

let bed: ToolBed;
beforeEach(() => {
  bed = new ToolBed(1, true);
  const tree = bed.kernel.inet.sysctl;
  tree.constant('hw.testcpus', 2, 'CPUs of a test');
  tree.text('kern.testtype', 'Test', 'a text that stays');
  tree.text('kern.testname', 'one', 'a text that changes', false);
});
const run = (args: string): Promise<Said> => bed.run(sysctl, args);

const shown = (text: string): Said => ({ text, errors: '', code: 0 });
const refused = (errors: string): Said => ({ text: '', errors: `sysctl: ${errors}\n`, code: 1 });

describe('sysctl', () => {
  it('shows numbers, texts and nodes', async () => {
    expect(await run('net.inet.ip.ttl')).toEqual(shown('net.inet.ip.ttl = 64\n'));
    expect(await run('net/inet/ip/ttl')).toEqual(shown('net.inet.ip.ttl = 64\n'));
    expect(await run('-n net.inet.ip.ttl kern.testtype')).toEqual(shown('64\nTest\n'));
    expect(await run('-e hw.testcpus')).toEqual(shown('hw.testcpus=2\n'));
    expect(await run('-x hw.testcpus')).toEqual(shown('hw.testcpus = 0x00000002\n'));
    expect(await run('-q hw.testcpus')).toEqual(shown(''));
    expect(await run('-d hw.testcpus')).toEqual(shown('hw.testcpus: CPUs of a test\n'));
    expect(await run('net.inet.udp')).toEqual(
      shown(`net.inet.udp.checksum = 1
net.inet.udp.maxmemberships = 256
net.inet.udp.maxsockets = 65536
net.inet.udp.maxsources = 128
net.inet.udp.recvspace = 212992
`),
    );
    const all = (await run('-a')).text.split('\n');
    expect(all).toContain('kern.testname = one');
    expect(all).toContain('net.inet6.ip6.forwarding = 0');
    expect((await run('-A')).text).toBe(all.join('\n'));
  });

  it('sets with -w', async () => {
    expect(await run('-w net.inet.ip.forwarding=1')).toEqual(shown('net.inet.ip.forwarding: 0 -> 1\n'));
    expect(await run('-nw net.inet.ip.forwarding=0')).toEqual(shown('0\n'));
    expect(await run('-w -q net.inet.ip.ttl=0x20')).toEqual(shown(''));
    expect(await run('-w net.inet.ip.ttl=010')).toEqual(shown('net.inet.ip.ttl: 32 -> 8\n'));
    expect(await run('-w kern.testname=two')).toEqual(shown('kern.testname: one -> two\n'));
    expect(await run('-w no.such?=1 net.inet.ip.ttl')).toEqual(shown('net.inet.ip.ttl = 8\n'));
  });

  it.each([
    ['-w hw.testcpus=1', 'hw.testcpus: Operation not permitted'],
    ['-w kern.testtype=a', 'kern.testtype: Operation not permitted'],
    ['-w net.inet.ip.forwarding=2', 'net.inet.ip.forwarding: Invalid argument'],
    ['-w net.inet.ip.ttl=6x', '6x: not a number'],
    ['-w net.inet.ip.ttl=4294967296', '4294967296: Result too large or too small'],
    ['net.inet.ip.ttl=1', 'Must specify -w to set variables'],
    ['net.inet.ip.nope', "fourth level name 'nope' in 'net.inet.ip.nope' is invalid"],
    ['net.x', "second level name 'x' in 'net.x' is invalid"],
    ['-w a.b=1', "top level name 'a' in 'a.b' is invalid"],
    ['net.inet.ip.ttl.more', "fifth level name 'more' in 'net.inet.ip.ttl.more' is invalid"],
  ])('refuses %s', async (args, message) => {
    expect(await run(args)).toEqual(refused(message));
  });

  it('says nothing of unknown names with -q, and stops at the first', async () => {
    expect(await run('-q net.x')).toEqual({ text: '', errors: '', code: 1 });
    expect(await run('hw.testcpus net.x hw.testcpus')).toEqual({
      text: 'hw.testcpus = 2\n',
      errors: "sysctl: second level name 'x' in 'net.x' is invalid\n",
      code: 1,
    });
  });

  it('reads a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sysctl-'));
    const path = join(folder, 'sysctl.conf');
    writeFileSync(path, '# a comment\n\nnet.inet.ip.ttl = 9 # more\nnet.x=1\nkern.testname=\\\nthree\n');
    expect(await run(`-f ${path}`)).toEqual({
      text: 'net.inet.ip.ttl: 64 -> 9\nkern.testname: one -> three\n',
      errors: `sysctl: ${path}#4: second level name 'x' in 'net.x' is invalid\n`,
      code: 1,
    });
    rmSync(folder, { recursive: true });
    await expect(run('-f /nowhere/at/all')).rejects.toThrow('/nowhere/at/all: No such file or directory');
  });

  it('has the usage of sysctl(8)', async () => {
    await expect(run('')).rejects.toThrow(
      /^usage:\tsysctl \[-dneq\] \[-x\[x\]\|-r\] variable \.\.\.\n\tsysctl \[-ne\]/,
    );
    await expect(run('-a net')).rejects.toThrow('usage:');
    await expect(run('-M')).rejects.toBeInstanceOf(ArgumentError);
  });
});
