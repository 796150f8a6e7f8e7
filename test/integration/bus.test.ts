/** The bus between real processes: servers on it, and its frames in files. */

import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { libc } from '../../src/host/node/ffi/libc.ts';
import { until } from '../fixtures/fake-workers.ts';
import { RumpServers } from '../fixtures/rump-servers.ts';

const LIBRARIES = '-lrumpnet -lrumpnet_net -lrumpnet_netinet -lrumpnet_netinet6 -lrumpnet_shmif';
/** As many as a run by hand wants: MK_SERVERS=8. */
const SERVERS = Number(process.env.MK_SERVERS ?? 3);

let servers: RumpServers;
beforeEach(() => {
  servers = new RumpServers();
});
afterEach(() => servers.close());

/** A server with one interface: 10.0.0.N, fc00::N. */
function serve(n: number): Promise<string> {
  return servers.serve(n, 'shmif', 'bus1');
}

describe.skipIf(libc() === null)('servers on a bus', () => {
  it('have its interfaces by clone, with the texts and refusals of the original', async () => {
    const url = 'unix://sock';
    const refused = async (args: string) => {
      const { code, err } = await servers.run('rump.ifconfig', args, url);
      return [code, err];
    };
    await servers.ok('rump_server', `${LIBRARIES} ${url}`);
    await servers.ok('rump.ifconfig', 'shmif0 create', url);
    expect(await servers.ok('rump.ifconfig', '-l', url)).toBe('lo0 shmif0\n');
    expect(await servers.ok('rump.ifconfig', '-C', url)).toBe('shmif lo\n');
    const down = await servers.ok('rump.ifconfig', 'shmif0', url);
    expect(down).toMatch(
      /^shmif0: flags=0x8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500\n\taddress: b2:a0(:[0-9a-f]{2}){4}\n/,
    );
    expect(down).not.toContain('linkstr');
    expect(await refused('shmif0 up')).toEqual([1, 'ifconfig: SIOCSIFFLAGS: Device not configured\n']);
    writeFileSync(join(servers.folder, 'text'), 'this is no bus\n');
    expect(await refused('shmif0 linkstr text')).toEqual([1, 'ifconfig: SIOCSLINKSTR: Exec format error\n']);
    expect(readFileSync(join(servers.folder, 'text'), 'utf8')).toBe('this is no bus\n');
    expect(await refused('shmif0 linkstr no/such/folder')).toEqual([
      1,
      'ifconfig: SIOCSLINKSTR: No such file or directory\n',
    ]);
    expect(await refused('lo0 linkstr bus1')).toEqual([1, 'ifconfig: SIOCSLINKSTR: Device busy\n']);
    await servers.ok('rump.ifconfig', 'shmif0 linkstr bus1', url);
    // In the folder of the server, and its owner's alone.
    expect(statSync(join(servers.folder, 'bus1')).mode & 0o777).toBe(0o600);
    await servers.ok('rump.ifconfig', 'shmif0 up', url);
    expect(await servers.ok('rump.ifconfig', '-v shmif0', url)).toMatch(
      /^shmif0: flags=0x8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n.*\n\tlinkstr: bus1\n\tmedia: Ethernet autoselect\n\tlinkstate: up\n/,
    );
    expect(await refused('shmif0 linkstr bus2')).toEqual([1, 'ifconfig: SIOCSLINKSTR: Device busy\n']);
    await servers.ok('rump.ifconfig', 'shmif0 media none', url);
    const without = await servers.ok('rump.ifconfig', '-v shmif0', url);
    expect(without).toContain('flags=0x8803<UP,BROADCAST,SIMPLEX,MULTICAST>');
    expect(without).toContain('\tmedia: Ethernet none\n\tlinkstate: down\n');
    await servers.ok('rump.ifconfig', 'shmif0 media auto', url);
    await servers.ok('rump.ifconfig', 'shmif0 down', url);
    await servers.ok('rump.ifconfig', 'shmif0 -linkstr', url);
    expect(await servers.ok('rump.ifconfig', 'shmif0', url)).not.toContain('linkstr');
    await servers.ok('rump.ifconfig', 'shmif0 destroy', url);
    expect(await servers.ok('rump.ifconfig', '-l', url)).toBe('lo0\n');
  });

  it('reach each other by IPv4 and IPv6, also after a kill, and over a bus whose file was removed', async () => {
    const urls: string[] = [];
    urls.push(await serve(1));
    const [first] = servers.pids() as [number];
    for (let n = 2; n <= SERVERS; n++) urls.push(await serve(n));
    const ping = async (from: number, to: number): Promise<void> => {
      const url = urls[from - 1];
      expect(await servers.ok('rump.ping', `-o -n -q -w 20 10.0.0.${to}`, url)).toContain(' 0.0% packet loss');
      expect(await servers.ok('rump.ping6', `-n -q -c 1 -X 20 fc00::${to}`, url)).toContain(' 0.0% packet loss');
    };
    for (let from = 1; from <= SERVERS; from++) for (let to = 1; to <= SERVERS; to++) await ping(from, to);
    process.kill(first, 'SIGKILL');
    await until(() => !servers.pids().includes(first));
    await serve(1);
    await ping(1, SERVERS);
    rmSync(join(servers.folder, 'bus1'));
    await ping(SERVERS, 1);
  });
});

/** An ARP request and a frame of an experimental EtherType, as a pcap file of tcpdump holds them. */
const ARP = 'ffffffffffff0200000000010806000108000604000102000000000' + '10a0000010000000000000a000002';
/** Header of an ARP reply. */
const REPLY = '08060001080006040002';
const OTHER = `ffffffffffff02000000000188b5${'41'.repeat(46)}`;

function pcapFile(...frames: string[]): Buffer {
  const header = Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000', 'hex');
  const records = frames.map((frame) => {
    const bytes = Buffer.from(frame, 'hex');
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1, 0);
    record.writeUInt32LE(bytes.length, 8);
    record.writeUInt32LE(bytes.length, 12);
    return Buffer.concat([record, bytes]);
  });
  return Buffer.concat([header, ...records]);
}

describe.skipIf(libc() === null)('the frames of a bus', () => {
  it('come from a pcap file, are answered by a server, and are printed and saved as pcap', async () => {
    await serve(2);
    writeFileSync(join(servers.folder, 'in.pcap'), pcapFile(ARP, OTHER));
    expect(await servers.ok('shmif_pcapin', 'in.pcap bus1')).toBe('');
    let lines: string[] = [];
    let saved = Buffer.alloc(0);
    await until(async () => {
      lines = (await servers.ok('shmif_dumpbus', '-p out.pcap bus1')).split('\n');
      saved = readFileSync(join(servers.folder, 'out.pcap'));
      return saved.includes(Buffer.from(REPLY, 'hex'));
    });
    expect(lines[0]).toMatch(/^bus version 1, places: 64, used: 2, packets: \d+$/);
    expect(lines[1]).toMatch(/^place 0: holder 1, offset: 0x[0-9a-f]{4}, sent: \d+$/);
    expect(lines[2]).toMatch(/^place 1: free, offset: 0x0009, sent: 2$/);
    expect(lines.find((line) => line.includes('place 1, length'))).toMatch(
      /^packet \d+, place 1, length 0x002a, ts \d{10}\/\d{6}$/,
    );
    expect(await servers.ok('shmif_dumpbus', '-h bus1')).not.toContain('packet ');
    expect(saved.subarray(0, 24).toString('hex')).toBe('d4c3b2a1020004000000000000000000ffff000001000000');
    expect(saved.includes(Buffer.from(ARP, 'hex'))).toBe(true);
    const piped = await servers.run('shmif_dumpbus', '-p - bus1');
    expect(Buffer.from(piped.out, 'latin1').includes(Buffer.from(ARP, 'hex'))).toBe(true);
    expect(piped.err).toMatch(/^bus version 1, places: 64, used: 2, packets: \d+\nplace 0: /);
    const { stdout, error } = spawnSync('tcpdump', ['-n', '-r', join(servers.folder, 'out.pcap')], {
      encoding: 'utf8',
    });
    if (error === undefined) {
      expect(stdout).toContain('ARP, Request who-has 10.0.0.2 tell 10.0.0.1');
      expect(stdout).toContain('ARP, Reply 10.0.0.2 is-at b2:a0:');
    }
  });

  it('are refused in one line where there is no bus', async () => {
    writeFileSync(join(servers.folder, 'text'), 'this is no bus\n');
    expect(await servers.run('shmif_dumpbus', 'text')).toMatchObject({
      code: 1,
      err: 'shmif_dumpbus: text not a shmif bus: wrong magic number\n',
    });
    expect(await servers.run('shmif_dumpbus', '')).toMatchObject({
      code: 1,
      err: 'usage: shmif_dumpbus [-h] [-p pcapfile] buspath\n',
    });
    expect(await servers.run('shmif_pcapin', 'text bus1')).toMatchObject({
      code: 1,
      err: 'shmif_pcapin: pcap: no magic number\n',
    });
    expect(await servers.run('shmif_pcapin', 'text')).toMatchObject({
      code: 1,
      err: 'usage: shmif_pcapin pcapfile buspath\n',
    });
  });
});
