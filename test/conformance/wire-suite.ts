/**
 * What every format of src/wire owes: literal bytes are read and written back the same, each malformed form has its reason,
 * what is emitted is parsed again, and no read goes outside the bytes that were given, whatever they are.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex, toHex } from '../fixtures/hex.ts';

/** The part of a format's namespace that the suite drives. */
export interface WireFormat<R> {
  readonly CHECK_REASONS: readonly string[];
  check(view: DataView, at: number, lengthBytes: number): number;
  parse(view: DataView, at: number, lengthBytes: number): R | null;
  lengthOf(repr: R): number;
  emit(repr: R, view: DataView, at: number): number;
}

export interface WireCases<R> {
  /** Written by hand or taken from an RFC; emitted again they give the same bytes, after `seal`. */
  valid: Record<string, { bytes: string; repr: R }>;
  /** Name of the case → reason → bytes. */
  malformed: Record<string, { reason: string; bytes: string }>;
  /** Any Repr that `emit` takes. */
  arbitrary: fc.Arbitrary<R>;
  /** Calls every accessor that a `check` of 0 permits. */
  read(view: DataView, at: number, lengthBytes: number): void;
  /** What `emit` leaves to the caller, such as a checksum over a pseudo-header. */
  seal?(view: DataView, at: number, lengthBytes: number): void;
  /** Makes random bytes pass the first hurdles of `check` (such as a checksum), so that the later ones are met. */
  mend?(view: DataView, at: number, lengthBytes: number): void;
}

/** A view that throws when anything outside `[start, end)` is touched, although the buffer goes on there. */
export class GuardedView extends DataView<ArrayBuffer> {
  readonly #start: number;
  readonly #end: number;

  constructor(bytes: Uint8Array<ArrayBuffer>, start: number, end: number) {
    super(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#start = start;
    this.#end = end;
  }

  #guard(at: number, lengthBytes: number): void {
    if (at < this.#start || at + lengthBytes > this.#end) {
      throw new Error(`touched [${at}, ${at + lengthBytes}), allowed is [${this.#start}, ${this.#end})`);
    }
  }

  override getUint8(at: number): number {
    this.#guard(at, 1);
    return super.getUint8(at);
  }

  override getUint16(at: number, littleEndian?: boolean): number {
    this.#guard(at, 2);
    return super.getUint16(at, littleEndian);
  }

  override getInt32(at: number, littleEndian?: boolean): number {
    this.#guard(at, 4);
    return super.getInt32(at, littleEndian);
  }

  override getUint32(at: number, littleEndian?: boolean): number {
    this.#guard(at, 4);
    return super.getUint32(at, littleEndian);
  }

  override setUint8(at: number, value: number): void {
    this.#guard(at, 1);
    super.setUint8(at, value);
  }

  override setUint16(at: number, value: number, littleEndian?: boolean): void {
    this.#guard(at, 2);
    super.setUint16(at, value, littleEndian);
  }

  override setInt32(at: number, value: number, littleEndian?: boolean): void {
    this.#guard(at, 4);
    super.setInt32(at, value, littleEndian);
  }

  override setUint32(at: number, value: number, littleEndian?: boolean): void {
    this.#guard(at, 4);
    super.setUint32(at, value, littleEndian);
  }
}

const MARGIN = 64;

/** The bytes between margins, and a view that allows only them. */
export function guarded(bytes: Uint8Array): { view: GuardedView; at: number; whole: Uint8Array<ArrayBuffer> } {
  const whole = new Uint8Array(bytes.length + 2 * MARGIN).fill(0xa5);
  whole.set(bytes, MARGIN);
  return { view: new GuardedView(whole, MARGIN, MARGIN + bytes.length), at: MARGIN, whole };
}

/** Emit into a slot that held something else before; returns exactly the bytes written. */
export function emitted<R>(format: WireFormat<R>, repr: R, seal?: WireCases<R>['seal']): Uint8Array<ArrayBuffer> {
  const length = format.lengthOf(repr);
  const { view, at, whole } = guarded(new Uint8Array(length).fill(0xff));
  expect(format.emit(repr, view, at)).toBe(length);
  seal?.(view, at, length);
  return whole.slice(MARGIN, MARGIN + length);
}

/** A valid packet with some bytes changed, and cut or made longer. */
function damaged(valid: readonly Uint8Array[]): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const change = fc.record({ at: fc.nat(), value: fc.nat(255) });
  return fc
    .record({
      bytes: fc.constantFrom(...valid),
      changes: fc.array(change, { maxLength: 4 }),
      cut: fc.oneof(fc.constant(0), fc.nat()),
      more: fc.oneof(fc.constant(new Uint8Array(0)), fc.uint8Array({ maxLength: 40 })),
    })
    .map(({ bytes, changes, cut, more }) => {
      const kept = bytes.length - (cut % (bytes.length + 1));
      const result = new Uint8Array(kept + more.length);
      result.set(bytes.subarray(0, kept));
      result.set(more, kept);
      for (const { at, value } of changes) if (result.length > 0) result[at % result.length] = value;
      return result;
    });
}

function survives<R>(format: WireFormat<R>, cases: WireCases<R>, bytes: Uint8Array): void {
  const { view, at, whole } = guarded(bytes);
  const before = whole.slice();
  const reason = format.check(view, at, bytes.length);
  expect(format.CHECK_REASONS[reason]).toBeTypeOf('string');
  if (reason === 0) cases.read(view, at, bytes.length);
  const repr = format.parse(view, at, bytes.length);
  if (reason !== 0) expect(repr).toBeNull();
  expect(whole).toEqual(before);
  if (repr === null) return;
  // Whatever was understood can be said again and is understood the same.
  const again = emitted(format, repr, cases.seal);
  expect(format.parse(new DataView(again.buffer), 0, again.length)).toEqual(repr);
}

export function describeWireFormat<R>(name: string, format: WireFormat<R>, cases: WireCases<R>): void {
  describe(name, () => {
    for (const [title, { bytes, repr }] of Object.entries(cases.valid)) {
      it(`reads and writes: ${title}`, () => {
        const { view, at } = guarded(hex(bytes));
        const length = hex(bytes).length;
        expect(format.CHECK_REASONS[format.check(view, at, length)]).toBe('');
        cases.read(view, at, length);
        expect(format.parse(view, at, length)).toEqual(repr);
        expect(toHex(emitted(format, repr, cases.seal))).toBe(toHex(hex(bytes)));
      });
    }

    for (const [title, { reason, bytes }] of Object.entries(cases.malformed)) {
      it(`refuses as ${reason}: ${title}`, () => {
        const { view, at } = guarded(hex(bytes));
        expect(format.CHECK_REASONS[format.check(view, at, hex(bytes).length)]).toBe(reason);
        expect(format.parse(view, at, hex(bytes).length)).toBeNull();
      });
    }

    it('has a malformed form for every reason', () => {
      const tested = new Set(Object.values(cases.malformed).map((one) => one.reason));
      expect(format.CHECK_REASONS.filter((reason) => reason !== '' && !tested.has(reason))).toEqual([]);
    });

    it('reads back what it writes', () => {
      fc.assert(
        fc.property(cases.arbitrary, (repr) => {
          const bytes = emitted(format, repr, cases.seal);
          const { view, at } = guarded(bytes);
          expect(format.CHECK_REASONS[format.check(view, at, bytes.length)]).toBe('');
          cases.read(view, at, bytes.length);
          expect(format.parse(view, at, bytes.length)).toEqual(repr);
        }),
      );
    });

    const samples = Object.values(cases.valid).map((one) => hex(one.bytes));

    it('neither throws nor reads outside, whatever the bytes', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => survives(format, cases, bytes)),
        { numRuns: 500 },
      );
    });

    it('neither throws nor reads outside when a good packet is damaged', () => {
      fc.assert(
        fc.property(damaged(samples), fc.boolean(), (bytes, mend) => {
          if (mend) cases.mend?.(new DataView(bytes.buffer), 0, bytes.length);
          survives(format, cases, bytes);
        }),
        { numRuns: 1000 },
      );
    });

    it('neither throws nor reads outside, wherever a good packet ends', () => {
      for (const sample of samples) {
        for (let length = 0; length < sample.length; length++) survives(format, cases, sample.slice(0, length));
      }
    });
  });
}
