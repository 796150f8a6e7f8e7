import { expect, it } from 'vitest';
import { decodeValue, encodeValue } from './value-codec.ts';

it('values carry bytes and big integers', () => {
  const value = {
    bytes: new Uint8Array([0, 255]),
    time: 2n ** 63n,
    list: [new Uint8Array(0)],
    text: '\n',
    none: null,
  };
  expect(decodeValue(encodeValue(value))).toEqual(value);
  expect(decodeValue(encodeValue({ b: Buffer.from('hi') }))).toEqual({ b: new Uint8Array([104, 105]) });
});
