import { describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';
import { AWAKE, BLOCKED, SLEEPING } from './bell.ts';
import { BUS_BYTES, BUS_FRAME_BYTES_MAX, BusMembers, BusReader, BusWriter, prepareBus } from './bus.ts';
import type { Region } from './region.ts';

function bus(): Region {
  const arena = Arena.create(BUS_BYTES + (1 << 20));
  const region = arena.part(arena.offset(arena.allocate(BUS_BYTES, 65_536)), BUS_BYTES);
  expect(prepareBus(region, 7, 8)).toBe('');
  return region;
}

function send(region: Region, writer: BusWriter, text: string, lengthBytes: number = text.length): void {
  const at = writer.reserve(lengthBytes);
  expect(at % 16).toBe(2);
  region.bytes.fill(0, at, at + lengthBytes);
  region.bytes.set(new TextEncoder().encode(text), at);
  writer.commit(lengthBytes, 1_000_000);
}

function read(region: Region, reader: BusReader): string[] {
  const texts: string[] = [];
  if (!reader.begin()) return texts;
  for (let at = reader.next(); at >= 0; at = reader.next())
    texts.push(new TextDecoder().decode(region.bytes.slice(at, at + reader.lengthBytes)).replace(/\0+$/, ''));
  return reader.end() ? texts : [];
}

describe('a bus', () => {
  it('is what docs/layouts/bus.md draws', () => {
    const region = bus();
    const word = region.base >> 2;
    expect([...region.words.slice(word, word + 6)]).toEqual([0x4d4b4253, 1, 64, 524_288, 7, 8]);
    const writer = new BusWriter(region, 2);
    writer.join(region);
    send(region, writer, 'fourteen bytes');
    writer.publish();
    // Head of lane 2: holder 1 is up; two grains of 16 bytes written, a chunk of 4096 claimed, one frame.
    const head = (region.base + 4096 + 2 * 256) >> 2;
    expect(region.words[head]).toBe(0x155);
    expect([...region.words.slice(head + 32, head + 35)]).toEqual([2, 4096, 1]);
    const record = region.base + 65_536 + 2 * 524_288;
    expect([region.words[record >> 2], region.words[(record >> 2) + 1]]).toEqual([14, 0]);
    expect(region.floats[(record + 8) >> 3]).toBe(1_000_000);
    expect(region.bytes[record + 18]).toBe('f'.charCodeAt(0));
    expect(new BusMembers(region).bellName(2, 1)).toBe('multikernel-bus-0000000700000008-2-1');
  });

  it('is found and not made again, unless its maker died before it was one', () => {
    const region = bus();
    expect(prepareBus(region, 1, 2)).toBe('');
    expect(region.words[(region.base >> 2) + 4]).toBe(7);
    region.words[(region.base >> 2) + 1] = 9;
    expect(prepareBus(region, 1, 2)).toBe('version 9, expected 1');
    region.words[region.base >> 2] = 0x1234;
    expect(prepareBus(region, 1, 2)).toBe('wrong magic number');
  });

  it('gives frames to every reader once they are published, in their order', () => {
    const region = bus();
    const readers = [new BusReader(region, 0), new BusReader(region, 0)];
    const writer = new BusWriter(region, 0);
    send(region, writer, 'the first frame');
    send(region, writer, 'the second frame');
    expect(readers.map((reader) => reader.pending)).toEqual([false, false]);
    expect(writer.publish()).toBe(true);
    expect(writer.publish()).toBe(false);
    for (const reader of readers) expect(read(region, reader)).toEqual(['the first frame', 'the second frame']);
    expect(readers.map((reader) => reader.pending)).toEqual([false, false]);
  });

  it('keeps records within chunks of 64 KiB, up to the longest frame', () => {
    const region = bus();
    const reader = new BusReader(region, 0);
    const writer = new BusWriter(region, 0);
    for (let i = 0; i < 40; i++) {
      send(region, writer, `short frame ${i}`, 100);
      send(region, writer, `longest frame ${i}`, BUS_FRAME_BYTES_MAX);
      writer.publish();
      expect(read(region, reader)).toEqual([`short frame ${i}`, `longest frame ${i}`]);
    }
    expect([reader.lost, reader.corrupt]).toEqual([0, 0]);
  });

  it('counts what a reader missed exactly, and goes on with newer frames', () => {
    const region = bus();
    const reader = new BusReader(region, 0);
    const writer = new BusWriter(region, 0);
    send(region, writer, 'the frame before');
    writer.publish();
    read(region, reader);
    const sent = 3000;
    for (let i = 0; i < sent; i++) {
      send(region, writer, `frame number ${i}`, 1500);
      if (i % 7 === 0) writer.publish();
    }
    writer.publish();
    const texts = read(region, reader);
    expect(texts.at(-1)).toBe(`frame number ${sent - 1}`);
    expect(texts.length).toBeGreaterThan(100);
    expect(texts.length + reader.lost).toBe(sent);
  });

  it('does not hand out a copy that the writer came round to meanwhile', () => {
    const region = bus();
    const reader = new BusReader(region, 0);
    const writer = new BusWriter(region, 0);
    let sent = 0;
    const more = (count: number): void => {
      for (let i = 0; i < count; i++) send(region, writer, `frame number ${sent++}`, 1500);
      writer.publish();
    };
    more(10);
    expect(read(region, reader).length).toBe(10);
    more(10);
    expect(reader.begin()).toBe(true);
    expect(reader.next()).toBeGreaterThan(0);
    more(400);
    expect(reader.end()).toBe(false);
    const texts = read(region, reader);
    expect(texts.at(-1)).toBe(`frame number ${sent - 1}`);
    expect(texts.length + reader.lost).toBe(410);
    more(1);
    expect(read(region, reader)).toEqual([`frame number ${sent - 1}`]);
  });

  it('goes on behind a writer that died before it had published', () => {
    const region = bus();
    const reader = new BusReader(region, 3);
    const dead = new BusWriter(region, 3);
    dead.join(region);
    send(region, dead, 'frame that counts');
    dead.publish();
    send(region, dead, 'frame that was never published', 1500);
    const next = new BusWriter(region, 3);
    next.join(region);
    expect(next.holder).toBe(dead.holder + 1);
    send(region, next, 'frame of the heir');
    next.publish();
    expect(read(region, reader)).toEqual(['frame that counts', 'frame of the heir']);
    expect([reader.lost, reader.corrupt]).toEqual([0, 0]);
  });

  it('believes nothing of a lane that makes no sense, and hears it again afterwards', () => {
    const region = bus();
    const reader = new BusReader(region, 0);
    const writer = new BusWriter(region, 0);
    for (const [word, value] of [
      [0, -1],
      [0, 3],
      [0, 70_000],
      [1, -5],
    ] as const) {
      send(region, writer, 'the frame before');
      const at = writer.reserve(60) - 18;
      writer.commit(60, 0);
      region.words[(at >> 2) + word] = value;
      writer.publish();
      expect(read(region, reader)).toEqual(['the frame before']);
      expect(reader.corrupt).toBe(1);
      reader.corrupt = 0;
      send(region, writer, 'the frame after');
      writer.publish();
      expect(read(region, reader)).toEqual(['the frame after']);
    }
    // A head and a claim that no writer has: nothing is read outside, and nothing throws.
    const head = (region.base + 4096) >> 2;
    for (const value of [0x7fffffff, -1, 12_345]) {
      region.words[head + 32] = value;
      region.words[head + 33] = value;
      read(region, reader);
      read(region, reader);
    }
  });

  it('counts positions beyond 2^32 grains', () => {
    const region = bus();
    const head = (region.base + 4096) >> 2;
    region.words[head + 32] = -4096;
    region.words[head + 33] = -4096;
    const reader = new BusReader(region, 0);
    const writer = new BusWriter(region, 0);
    for (let i = 0; i < 100; i++) {
      send(region, writer, `frame number ${i}`, 1500);
      writer.publish();
      expect(read(region, reader)).toEqual([`frame number ${i}`]);
    }
    expect(region.words[head + 32]).toBeGreaterThan(0);
  });

  it('has members that others see and wake', () => {
    const region = bus();
    const members = new BusMembers(region);
    expect([members.used, members.holder(5)]).toEqual([0, -1]);
    const writer = new BusWriter(region, 5);
    writer.join(region);
    expect([members.used, members.holder(5), members.sleep(5)]).toEqual([6, 1, AWAKE]);
    writer.arm(false);
    expect(members.sleep(5)).toBe(SLEEPING);
    writer.arm(true);
    expect(members.sleep(5)).toBe(BLOCKED);
    expect(region.words[members.bellAt(5) >> 2]).toBe(BLOCKED);
    writer.leave();
    expect([members.used, members.holder(5), members.sleep(5)]).toEqual([6, -1, AWAKE]);
  });
});
