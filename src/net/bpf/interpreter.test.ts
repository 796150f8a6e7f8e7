import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hex } from '../../../test/fixtures/hex.ts';
import * as bpf from '../../wire/bpf/instructions.ts';
import { FilterMachine } from './interpreter.ts';
import { VerifiedProgram, verifyProgram } from './verifier.ts';

type Line = readonly [code: number, k?: number, jt?: number, jf?: number];

function program(...lines: Line[]): Uint8Array {
  return bpf.emitProgram(lines.map(([code, k = 0, jt = 0, jf = 0]) => ({ code, jt, jf, k: k >>> 0 })));
}

function machine(bytes: Uint8Array): FilterMachine {
  const verified = verifyProgram(bytes);
  if (typeof verified === 'string') throw new Error(verified);
  return new FilterMachine(verified);
}

const FRAME = hex('00112233 44556677 8899aabb');
const { A, ABS, ALU, B, H, IMM, IND, JMP, K, LD, LDX, LEN, MEM, MISC, MSH, RET, ST, STX, W, X } = bpf;

function run(...lines: Line[]): number {
  return machine(program(...lines)).run(new DataView(FRAME.buffer), 0, FRAME.length, 1500);
}

const RETURN: Line = [RET | A];

describe('the interpreter', () => {
  it('loads from the frame, the length and scratch memory', () => {
    expect(run([LD | W | ABS, 2], RETURN)).toBe(0x22334455);
    expect(run([LD | H | ABS, 10], RETURN)).toBe(0xaabb);
    expect(run([LD | B | ABS, 11], RETURN)).toBe(0xbb);
    expect(run([LDX | IMM, 4], [LD | W | IND, 4], RETURN)).toBe(0x8899aabb);
    expect(run([LDX | B | MSH, 2], [MISC | bpf.TXA], RETURN)).toBe(8);
    expect(run([LD | LEN], RETURN)).toBe(1500);
    expect(run([LD | IMM, 7], [ST, 15], [LD | IMM, 0], [LD | MEM, 15], RETURN)).toBe(7);
    expect(run([LDX | LEN], [STX, 0], [LD | MEM, 0], RETURN)).toBe(1500);
    expect(run([LD | IMM, 9], [MISC | bpf.TAX], [LD | IMM, 1], [ALU | bpf.ADD | X], RETURN)).toBe(10);
  });

  it('ends with 0 at a load beyond the bytes, and at a division by an index of 0', () => {
    expect(run([LD | W | ABS, 9], [RET | K, 1])).toBe(0);
    expect(run([LD | H | ABS, 11], [RET | K, 1])).toBe(0);
    expect(run([LD | B | ABS, 12], [RET | K, 1])).toBe(0);
    expect(run([LD | B | ABS, 0xffffffff], [RET | K, 1])).toBe(0);
    expect(run([LDX | IMM, 0xffffffff], [LD | B | IND, 1], [RET | K, 1])).toBe(0);
    expect(run([LDX | B | MSH, 12], [RET | K, 1])).toBe(0);
    expect(run([LD | IMM, 5], [ALU | bpf.DIV | X], [RET | K, 1])).toBe(0);
    expect(run([LD | IMM, 5], [ALU | bpf.MOD | X], [RET | K, 1])).toBe(0);
  });

  it('reads the frame where it lies, and nothing around it', () => {
    const arena = hex('ffffffff 00112233 ffffffff');
    const one = machine(program([LD | B | ABS, 3], RETURN));
    expect(one.run(new DataView(arena.buffer), 4, 4, 4)).toBe(0x33);
    expect(one.run(new DataView(arena.buffer), 4, 3, 4)).toBe(0);
  });

  it('computes with 32 unsigned bits', () => {
    const operations: Record<string, (a: bigint, b: bigint) => bigint> = {
      ADD: (a, b) => a + b,
      SUB: (a, b) => a - b,
      MUL: (a, b) => a * b,
      DIV: (a, b) => a / b,
      MOD: (a, b) => a % b,
      OR: (a, b) => a | b,
      AND: (a, b) => a & b,
      XOR: (a, b) => a ^ b,
      LSH: (a, b) => a << b,
      RSH: (a, b) => a >> b,
    };
    const word = fc.oneof(fc.constantFrom(0, 1, 2, 31, 0x7fffffff, 0x80000000, 0xffffffff), fc.nat(0xffffffff));
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(operations)), word, word, (name, left, right) => {
        const shift = name === 'LSH' || name === 'RSH';
        const b = shift ? right & 31 : right;
        if (b === 0 && (name === 'DIV' || name === 'MOD')) return;
        const expected = Number(
          BigInt.asUintN(32, (operations[name] as (typeof operations)['ADD'])(BigInt(left), BigInt(b))),
        );
        const operation = ALU | (bpf as unknown as Record<string, number>)[name]!;
        expect(run([LD | IMM, left], [operation | K, b], RETURN)).toBe(expected);
        expect(run([LDX | IMM, b], [LD | IMM, left], [operation | X], RETURN)).toBe(expected);
      }),
      { seed: 7 },
    );
    expect(run([LD | IMM, 1], [ALU | bpf.NEG], RETURN)).toBe(0xffffffff);
    expect(run([LDX | IMM, 32], [LD | IMM, 1], [ALU | bpf.LSH | X], RETURN)).toBe(0);
    expect(run([LDX | IMM, 0x80000000], [LD | IMM, 1], [ALU | bpf.RSH | X], RETURN)).toBe(0);
  });

  it('compares without sign, and jumps', () => {
    const verdict = (comparison: number, a: number, k: number): number =>
      run([LD | IMM, a], [JMP | comparison | K, k, 0, 1], [RET | K, 1], [RET | K, 2]);
    expect(verdict(bpf.JEQ, 0xffffffff, 0xffffffff)).toBe(1);
    expect(verdict(bpf.JGT, 0xffffffff, 1)).toBe(1);
    expect(verdict(bpf.JGT, 1, 1)).toBe(2);
    expect(verdict(bpf.JGE, 1, 1)).toBe(1);
    expect(verdict(bpf.JGE, 1, 0x80000000)).toBe(2);
    expect(verdict(bpf.JSET, 6, 2)).toBe(1);
    expect(verdict(bpf.JSET, 6, 1)).toBe(2);
    expect(run([JMP | bpf.JA, 1], [RET | K, 1], [RET | K, 2])).toBe(2);
    expect(run([LDX | IMM, 3], [LD | IMM, 3], [JMP | bpf.JEQ | X, 0, 0, 1], [RET | K, 1], [RET | K, 2])).toBe(1);
  });
});

describe('the verifier', () => {
  it.each<[string, Uint8Array]>([
    ['an empty program', program()],
    ['7 bytes are no whole number of instructions', new Uint8Array(7)],
    ['513 instructions, more than 512', program(...Array.from({ length: 513 }, (): Line => [RET | K]))],
    ['instruction 0: goes beyond the end', program([LD | IMM, 1])],
    ['instruction 0: goes beyond the end', program([JMP | bpf.JA, 1], [RET | K])],
    ['instruction 0: goes beyond the end', program([JMP | bpf.JA, 0xffffffff], [RET | K])],
    ['instruction 0: goes beyond the end', program([JMP | bpf.JEQ | K, 0, 0, 1], [RET | K])],
    ['instruction 0: no instruction 0x70', program([LD | B | MEM, 0], [RET | K])],
    ['instruction 0: no instruction 0xff', program([0xff], [RET | K])],
    ['instruction 0: no instruction 0x106', program([0x106], [RET | K])],
    ['instruction 0: no word M[16]', program([ST, 16], [RET | K])],
    ['instruction 0: no word M[4294967295]', program([STX, 0xffffffff], [RET | K])],
    ['instruction 0: division by zero', program([ALU | bpf.DIV | K, 0], [RET | K])],
    ['instruction 0: division by zero', program([ALU | bpf.MOD | K, 0], [RET | K])],
    ['instruction 0: a shift by 32', program([ALU | bpf.LSH | K, 32], [RET | K])],
    ['instruction 0: M[0] is read before it is written', program([LD | MEM, 0], [RET | A])],
    // Only one of two ways writes M[1].
    [
      'instruction 2: M[1] is read before it is written',
      program([JMP | bpf.JEQ | K, 0, 1, 0], [ST, 1], [LDX | MEM, 1], [RET | A]),
    ],
  ])('refuses: %s', (fault, bytes) => {
    expect(verifyProgram(bytes)).toBe(fault);
  });

  it('takes what bpf(4) may be given', () => {
    expect(verifyProgram(program([RET | K, 0]))).toBeInstanceOf(VerifiedProgram);
    expect(verifyProgram(program([ST, 0], [LDX | MEM, 0], [MISC | bpf.TXA], [RET | A]))).toBeInstanceOf(
      VerifiedProgram,
    );
  });

  it('lets nothing pass that throws, hangs or reads outside of the frame', () => {
    const codes = fc.constantFrom(
      ...[0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x00, 0x01, 0x60, 0x61, 0x80, 0x81, 0xb1, 0x02, 0x03, 0x04, 0x0c, 0x14],
      ...[0x24, 0x2c, 0x34, 0x3c, 0x44, 0x54, 0x64, 0x6c, 0x74, 0x7c, 0x84, 0x94, 0x9c, 0xa4, 0x05, 0x15, 0x1d, 0x25],
      ...[0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x06, 0x16, 0x07, 0x87],
    );
    const line = fc.record({ code: codes, jt: fc.nat(6), jf: fc.nat(6), k: fc.oneof(fc.nat(24), fc.nat(0xffffffff)) });
    const end = { code: RET | A, jt: 0, jf: 0, k: 0 };
    let passed = 0;
    fc.assert(
      fc.property(fc.array(line, { maxLength: 24 }), fc.uint8Array({ maxLength: 40 }), (lines, frame) => {
        const verified = verifyProgram(bpf.emitProgram([...lines, ...Array.from({ length: 7 }, () => end)]));
        if (typeof verified === 'string') return;
        passed++;
        const one = new FilterMachine(verified);
        // The view is the frame: a read outside throws.
        const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
        const verdict = one.run(view, 0, frame.length, frame.length);
        expect(verdict).toBe(one.run(view, 0, frame.length, frame.length));
        expect(verdict).toBe(verdict >>> 0);
      }),
      { seed: 7, numRuns: 3000 },
    );
    expect(passed).toBeGreaterThan(300);
  });
});
