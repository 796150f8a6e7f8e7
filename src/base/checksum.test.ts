/** Checksums: the example of RFC 1071, folds at their limits, incremental updates against full sums. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hexView } from '../../test/fixtures/hex.ts';
import { checksumOf, foldSum, pseudoSum4, sumView, updateChecksum } from './checksum.ts';

describe('checksums', () => {
  it('sums the example of RFC 1071 section 3', () => {
    const view = hexView('0001 f203 f4f5 f6f7');
    expect(sumView(view, 0, 8)).toBe(0xddf2);
    expect(checksumOf(sumView(view, 0, 8))).toBe(0x220d);
  });

  it('pads an odd last byte on the right and starts anywhere', () => {
    expect(sumView(hexView('ff 0102 03'), 1, 3)).toBe(0x0402);
    expect(sumView(hexView('ab'), 0, 1)).toBe(0xab00);
    expect(sumView(hexView(''), 0, 0)).toBe(0);
  });

  it('sums any bytes, at any place, as 16-bit words one by one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(3), (bytes, at) => {
        const view = new DataView(new ArrayBuffer(at + bytes.length));
        let sum = 0;
        bytes.forEach((byte, index) => {
          view.setUint8(at + index, byte);
          sum += (index & 1) === 0 ? byte << 8 : byte;
        });
        expect(sumView(view, at, bytes.length)).toBe(foldSum(sum));
      }),
    );
    expect(sumView(new DataView(new Uint8Array(65535).fill(255).buffer), 0, 65535)).toBe(0xff00);
  });

  it('folds sums up to 2^32 - 1', () => {
    expect([0, 0xffff, 0x10000, 0x1ffff, 0xffffffff].map(foldSum)).toEqual([0, 0xffff, 1, 1, 0xffff]);
    expect(checksumOf(0xffff)).toBe(0);
  });

  it('sums the pseudo-header of addresses with high bits and long segments', () => {
    const words = hexView('c0a80001 ffffffff 0006 0001 0002');
    expect(foldSum(pseudoSum4(0xc0a80001 | 0, -1, 6, 0x10002))).toBe(sumView(words, 0, words.byteLength));
  });

  it('updates as if everything were summed again (RFC 1624)', () => {
    const words = fc.array(fc.nat(0xffff), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(words, fc.nat(), fc.nat(0xffff), (data, index, value) => {
        const view = new DataView(new ArrayBuffer(2 * data.length));
        data.forEach((word, i) => {
          view.setUint16(2 * i, word);
        });
        const at = 2 * (index % data.length);
        const before = view.getUint16(at);
        const updated = updateChecksum(checksumOf(sumView(view, 0, view.byteLength)), before, value);
        view.setUint16(at, value);
        // All-zero data is the one case with two representations of the same sum.
        const full = sumView(view, 0, view.byteLength);
        if (full !== 0) expect(updated).toBe(checksumOf(full));
      }),
    );
  });
});
