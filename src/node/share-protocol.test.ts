import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOOPBACK6 } from './address.ts';
import {
  BIND,
  FrameReader,
  frameOf,
  HEADER_BYTES,
  OPTIONS,
  optionValue,
  SEND,
  splitTexts,
  textsOf,
} from './share-protocol.ts';

describe('frames', () => {
  it('are a header of eight words and a payload', () => {
    const bytes = frameOf(BIND, 3, -1, 2, 1, 0, Uint8Array.of(9, 8));
    expect([...bytes]).toEqual([
      ...[2, 0, 0, 0],
      ...[12, 0, 0, 0],
      ...[3, 0, 0, 0],
      ...[255, 255, 255, 255],
      ...[2, 0, 0, 0],
      ...[1, 0, 0, 0],
      ...[0, 0, 0, 0],
      ...[0, 0, 0, 0],
      ...[9, 8],
    ]);
  });

  it('come out whole, however they arrive', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer(), fc.uint8Array({ maxLength: 40 })), { maxLength: 10 }),
        fc.integer({ min: 1, max: 64 }),
        (sent, chunkBytes) => {
          const all = sent.flatMap(([a, payload]) => [...frameOf(SEND, 1, a, 0, 0, 0, payload)]);
          const reader = new FrameReader();
          const got: [number, Uint8Array][] = [];
          for (let at = 0; at < all.length; at += chunkBytes) {
            reader.push(Uint8Array.from(all.slice(at, at + chunkBytes)));
            for (let frame = reader.next(); frame !== null; frame = reader.next())
              got.push([frame.a, Uint8Array.from(frame.payload)]);
          }
          expect(got).toEqual(sent);
        },
      ),
    );
  });

  it('carry IPv6 addresses as text', () => {
    const texts = textsOf((address) => (address === LOOPBACK6 ? '::1' : 'fe80::2%eth0'), LOOPBACK6, 7, LOOPBACK6 + 1);
    expect(texts).toBe('::1 fe80::2%eth0');
    const reader = new FrameReader();
    reader.push(frameOf(BIND, 3, LOOPBACK6, 7, LOOPBACK6 + 1, 0, Uint8Array.of(9), texts));
    const frame = reader.next();
    expect(frame).toMatchObject({ a: LOOPBACK6, b: 7, payload: Uint8Array.of(9), texts });
    expect(splitTexts(texts, LOOPBACK6, 7, LOOPBACK6 + 1)).toEqual(['::1', '', 'fe80::2%eth0']);
  });

  it('with nonsense for the length of the texts harm nobody', () => {
    const bytes = frameOf(SEND, 1, 0, 0, 0, 0, Uint8Array.of(65, 66));
    const reader = new FrameReader();
    for (const length of [-1, 99]) {
      new DataView(bytes.buffer).setInt32(28, length, true);
      reader.push(bytes.slice());
      expect(reader.next()?.texts).toBe(length < 0 ? '' : 'AB');
    }
  });

  it('wait for the rest', () => {
    const reader = new FrameReader();
    const bytes = frameOf(SEND, 1, 0, 0, 0, 0, new Uint8Array(10));
    reader.push(bytes.subarray(0, HEADER_BYTES + 9));
    expect(reader.next()).toBe(null);
    reader.push(bytes.subarray(HEADER_BYTES + 9));
    expect(reader.next()?.payload.length).toBe(10);
    expect(reader.next()).toBe(null);
  });
});

it('numbers options as numbers or yes and no', () => {
  expect(optionValue('noDelay', 1)).toBe(true);
  expect(optionValue('keepAlive', 0)).toBe(false);
  expect(optionValue('ttl', 64)).toBe(64);
  expect(OPTIONS.length).toBe(new Set(OPTIONS).size);
});
