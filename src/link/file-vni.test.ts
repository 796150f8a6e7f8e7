import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Area, spoil, writableBy } from '../../test/fixtures/vandal.ts';
import { VniFiles } from '../../test/fixtures/vni-files.ts';
import { SeededRng } from '../base/rng.ts';
import type { PlacesFile } from '../host/contract.ts';
import { FilePlaces } from '../host/node/ffi/file-places.ts';
import { libc } from '../host/node/ffi/libc.ts';
import { Arena } from '../mem/arena.ts';
import { BUS_BYTES } from '../mem/bus.ts';
import { BUS_FILE } from './bus.ts';
import { FrameBatch } from './device.ts';
import type { FileVniDevice } from './file-vni.ts';
import { FILE_HEAD_BYTES, PORT_BYTES, portOffset } from './network.ts';
import { channelsOf, networkOfFile, VNI_FILE, VNI_FILE_PORTS } from './vni-file.ts';

let files: VniFiles;
afterEach(() => files.close());

function send(device: FileVniDevice, hi: number, lo: number, text: string, flush = true): number {
  const at = device.reserve(hi, lo, 14 + text.length);
  if (at < 0) return at;
  const { view, bytes } = files.arena;
  view.setUint16(at, hi);
  view.setInt32(at + 2, lo);
  for (let i = 0; i < text.length; i++) bytes[at + 14 + i] = text.charCodeAt(i);
  device.commit(14 + text.length, 0);
  if (flush) device.flush();
  return 0;
}

function texts(device: FileVniDevice): string[] {
  const batch = new FrameBatch();
  const found: string[] = [];
  for (let count = device.receive(batch); count > 0; count = device.receive(batch)) {
    for (let i = 0; i < count; i++) {
      const at = batch.at[i] as number;
      found.push(String.fromCharCode(...files.arena.bytes.slice(at + 14, at + (batch.length[i] as number))));
    }
    device.release();
  }
  return found;
}

/** An open file, the names that were rung, and the calls that were asked for. */
function watched(): { file: PlacesFile; rung: string[]; calls: (() => void)[] } {
  const rung: string[] = [];
  const calls: (() => void)[] = [];
  const file = {
    ...files.open(),
    ring: (name: string) => void rung.push(name),
    soon: (c: () => void) => void calls.push(c),
  };
  return { file, rung, calls };
}

describe.skipIf(libc() === null)('a vni device on a network in a file', () => {
  it('finds the layout of docs/layouts/vni-file.md', () => {
    files = new VniFiles(2);
    const { file } = watched();
    files.device().connect(file, () => undefined);
    files.join();
    const { words } = files.arena;
    const word = file.at >> 2;
    expect([...words.slice(word, word + 6)]).toEqual([0x4d4b4e57, 2, 16, 1_048_064, 65_549, 0]);
    expect(words[word + 8] !== 0 || words[word + 9] !== 0).toBe(true);
    // Entry of port 1: owner and life of its first incarnation, awake, 02:00:00:00:00:01, MTU, both capabilities.
    const entry = word + (256 + 256) / 4;
    expect(words[entry]).toBe(1);
    expect(words[entry + 1]).toBe(0x155);
    expect([...words.slice(entry + 4, entry + 9)]).toEqual([0x0200, 1, 1500, 3, 0]);
    expect(words[entry + 16]).toBe(0);
    // Channels of ports 0 and 1, 1 and 2, 15 and 1, as port 1 has them.
    const parts = channelsOf(1);
    const [MIB2, HEAD] = [2 * 1024 * 1024, 65_536];
    expect(parts[0]).toEqual({ offset: HEAD, placeOffset: HEAD, byteLength: MIB2 });
    expect(parts[1]).toEqual({ offset: HEAD + 2 * MIB2, placeOffset: HEAD + MIB2, byteLength: MIB2 });
    expect(parts[14]).toEqual({ offset: HEAD + 106 * MIB2, placeOffset: HEAD + 14 * MIB2, byteLength: MIB2 });
    expect(VNI_FILE.fileBytes).toBe(HEAD + 120 * MIB2);
  });

  it('gives unicast to its owner, broadcast to all, and nothing of others to anybody', () => {
    files = new VniFiles(3);
    const [a, b, c] = [files.join(), files.join(), files.join()];
    send(a, 0x0200, 1, 'for b');
    send(a, 0xffff, -1, 'for all');
    send(c, 0x0200, 0, 'for a');
    expect([texts(a), texts(b), texts(c)]).toEqual([['for a'], ['for b', 'for all'], ['for all']]);
    expect(a.counters.snapshot()).toMatchObject({ txFrames: 2, rxFrames: 1 });
  });

  it('rings those who sleep, and them alone', () => {
    files = new VniFiles(3);
    const { file, rung } = watched();
    const a = files.device();
    a.connect(file, () => undefined);
    const [b, c] = [files.join(), files.join()];
    expect([b.pending, c.pending]).toEqual([false, false]);
    send(a, 0x0200, 1, 'wake up', false);
    expect(rung).toEqual([]);
    a.flush();
    expect(rung).toEqual([expect.stringMatching(/^multikernel-vni-[0-9a-f]{16}-1-1$/)]);
    expect(texts(b)).toEqual(['wake up']);
    send(a, 0x0200, 1, 'awake');
    expect(rung.length).toBe(1);
    expect(b.pending).toBe(true);
    // Room that somebody waits for is rung as frames are.
    c.disconnect();
    const quiet = watched();
    const d = files.device();
    d.connect(quiet.file, () => undefined);
    let sent = 0;
    while (send(d, 0x0200, 0, 'x'.repeat(1000)) === 0) sent++;
    expect(d.awaitRoom(0x0200, 0)).toBe(false);
    expect(d.pending).toBe(false);
    expect(texts(a).length).toBe(sent);
    expect(rung.slice(1)).toEqual([expect.stringMatching(/-2-2$/)]);
  });

  it('hears a ring of another process or of its own over the host', async () => {
    files = new VniFiles(2);
    const a = files.join();
    const b = files.device();
    const rung = new Promise<void>((ring) => b.connect(files.open(), ring));
    expect(b.pending).toBe(false);
    send(a, 0x0200, 1, 'wake up');
    await rung;
    expect(texts(b)).toEqual(['wake up']);
  });

  it('is down without a network or without media, and can leave and come again', () => {
    files = new VniFiles(3);
    const [a, b] = [files.device(), files.join()];
    expect([a.linkUp, a.connected, a.maxFrameBytes, send(a, 0xffff, -1, 'nowhere')]).toEqual([
      false,
      false,
      1514,
      -100,
    ]);
    a.setFilter(1);
    a.connect(files.open(), () => undefined);
    expect(a.linkUp).toBe(true);
    // The filter of before counts.
    send(b, 0x0277, 5, 'unknown');
    expect(texts(a)).toEqual(['unknown']);
    a.setMedia(false);
    send(b, 0xffff, -1, 'not heard');
    expect([a.linkUp, send(a, 0xffff, -1, 'nowhere'), texts(a)]).toEqual([false, -100, []]);
    a.setMedia(true);
    a.disconnect();
    expect([a.linkUp, a.connected]).toEqual([false, false]);
    send(b, 0x0200, 0, 'to nobody');
    expect(b.counters.snapshot().txNoPeer).toBe(1);
    a.connect(files.open(), () => undefined);
    send(b, 0x0200, 0, 'to the next one');
    expect(texts(a)).toEqual(['to the next one']);
  });

  it('refuses files that are none, and one participant more than there are places', () => {
    files = new VniFiles(VNI_FILE_PORTS + 1);
    writeFileSync(files.path, 'this is no network\n');
    const connect = (): void => files.device().connect(files.open(), () => undefined);
    expect(connect).toThrow(expect.objectContaining({ code: 'ENOEXEC', message: `${files.path}: not a vni network` }));
    const arena = Arena.create(BUS_BYTES + (1 << 20));
    const bus = new FilePlaces(arena).open(join(files.folder, 'bus'), BUS_FILE);
    writeFileSync(files.path, new Uint8Array(Int32Array.of(0x4d4b4e57, 2, 8, 64).buffer));
    expect(connect).toThrow(expect.objectContaining({ code: 'EPROTO', message: `${files.path}: other sizes` }));
    bus.close();
    // A maker that died before its last word leaves a file that is made again.
    writeFileSync(files.path, new Uint8Array(Int32Array.of(0, 2, 16, 5).buffer));
    for (let port = 0; port < VNI_FILE_PORTS; port++) connect();
    const before = files.arena.usedBytes;
    expect(connect).toThrow(
      expect.objectContaining({ code: 'EBUSY', message: 'all 16 places of the network are taken' }),
    );
    expect(connect).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    // The place in the arena of one that was refused is used again.
    expect(files.arena.usedBytes - before).toBeLessThan(2 * VNI_FILE.placeBytes);
  });

  it('takes over the port of one that died, and drops what was sent to him', () => {
    files = new VniFiles(4);
    const a = files.join();
    const died = watched();
    const b = files.device();
    b.connect(died.file, () => undefined);
    send(a, 0x0200, 1, 'to the dead');
    send(a, 0xffff, -1, 'to all');
    // The end of a process does that: the lock is gone, the entry says up.
    died.file.close();
    const c = files.join();
    expect(texts(c)).toEqual([]);
    send(a, 0x0200, 2, 'to the next one');
    send(c, 0x0200, 0, 'from the next one');
    expect([texts(c), texts(a)]).toEqual([['to the next one'], ['from the next one']]);
  });

  it('gives a dead reader up who holds no lock any more, and waits for a living one', () => {
    files = new VniFiles(3);
    const { file, calls } = watched();
    let rings = 0;
    const a = files.device();
    a.connect(file, () => rings++);
    const b = watched();
    files.device().connect(b.file, () => undefined);
    const fill = (): number => {
      while (send(a, 0x0200, 1, 'x'.repeat(1000)) === 0);
      return send(a, 0x0200, 1, 'x'.repeat(1000));
    };
    expect([fill(), calls.length]).toEqual([-105, 1]);
    // A living one keeps its port; the look is repeated.
    calls.shift()?.();
    expect([send(a, 0x0200, 1, 'x'.repeat(1000)), calls.length]).toEqual([-105, 1]);
    b.file.close();
    calls.shift()?.();
    expect([calls.length, rings]).toEqual([0, 2]);
    expect(send(a, 0x0200, 1, 'vanishes')).toBe(0);
    expect(a.counters.snapshot().txNoPeer).toBe(1);
    expect(a.linkUp).toBe(true);
  });

  it.each([1, 2, 3, 4])('is not harmed by a participant that writes nonsense: seed %i', (seed) => {
    files = new VniFiles(3);
    const { arena } = files;
    const [a, b] = [files.join(), files.join()];
    const bad = watched();
    const c = files.device();
    c.connect(bad.file, () => undefined);
    const network = networkOfFile(arena, bad.file.at, 2);
    const head: Area[] = [[(bad.file.at + 64) >> 2, (portOffset(network, 3) - network.offset - 64) >> 2]];
    const areas = [...writableBy(network, 2), ...(seed > 2 ? head : [])];
    const rng = new SeededRng(seed);
    const wanted: string[] = [];
    const found: string[] = [];
    for (let i = 0; i < 4000; i++) {
      send(c, 0xffff, -1, 'noise');
      send(a, 0xffff, -1, 'to all');
      spoil(arena.words, areas, rng);
      if (seed <= 2 && send(a, 0x0200, 1, `number ${i}`) === 0) wanted.push(`number ${i}`);
      found.push(...texts(b).filter((text) => text.startsWith('number ')));
      texts(a);
    }
    // Without access to its head, nothing between the others is lost.
    expect(found).toEqual(wanted);
    expect(wanted.length).toBe(seed <= 2 ? 4000 : 0);
    // Entries of others are put right by their holders.
    a.setMtu(1400);
    texts(a);
    texts(b);
    send(a, 0x0200, 1, 'still there');
    send(b, 0x0200, 0, 'so am I');
    expect([texts(b).at(-1), texts(a).at(-1)]).toEqual(['still there', 'so am I']);
    expect([a.linkUp, b.linkUp]).toEqual([true, true]);
  });

  it('has a head that all ports fit into', () => {
    files = new VniFiles(1);
    const network = networkOfFile(files.arena, files.arena.base, 0);
    expect(portOffset(network, VNI_FILE_PORTS) - network.offset).toBeLessThanOrEqual(FILE_HEAD_BYTES);
    expect(PORT_BYTES).toBe(256);
  });
});
