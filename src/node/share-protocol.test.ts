import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressOf } from '../../test/fixtures/socket-address.ts';
import { SocketAddress } from '../socket/socket.ts';
import {
  ADDRESS_BYTES,
  BIND,
  FrameReader,
  frameOf,
  HEADER_BYTES,
  OPTIONS,
  optionValue,
  SEND,
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

  it('end with socket addresses: family, words, zone, port', () => {
    const reader = new FrameReader();
    const addresses = [SocketAddress.ipv4(0x0a000001, 80), addressOf('fe80::2%3', 65535)];
    const bytes = frameOf(BIND, 3, -1, 7, 0, 0, Uint8Array.of(9), ...addresses);
    expect([...bytes.subarray(HEADER_BYTES + 1 + ADDRESS_BYTES)]).toEqual([
      ...[6, 0, 0, 0],
      ...[0, 0, 0x80, 0xfe],
      ...[0, 0, 0, 0],
      ...[0, 0, 0, 0],
      ...[2, 0, 0, 0],
      ...[3, 0, 0, 0],
      ...[0xff, 0xff, 0, 0],
    ]);
    reader.push(bytes);
    expect(reader.next()).toMatchObject({ a: -1, b: 7, payload: Uint8Array.of(9), addresses });
  });

  it('with nonsense for the number of addresses harm nobody', () => {
    const bytes = frameOf(SEND, 1, 0, 0, 0, 0, Uint8Array.of(65, 66));
    const reader = new FrameReader();
    for (const count of [-1, 99]) {
      new DataView(bytes.buffer).setInt32(28, count, true);
      reader.push(bytes.slice());
      expect(reader.next()).toMatchObject({ payload: Uint8Array.of(65, 66), addresses: [] });
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
