/**
 * Classic BPF: the instruction set, and programs as bytes.
 *
 *      0        2    3    4        8
 *     +--------+----+----+--------+
 *     | code   | jt | jf | k      |      struct bpf_insn, little-endian
 *     +--------+----+----+--------+
 *
 * An accumulator A, an index register X, 16 words M[] of scratch memory; jumps go forward. The result of a program is the
 * number of bytes to keep of the frame, 0 for none.
 *
 * Thread: any. Read first: bpf(4), S. McCanne and V. Jacobson, "The BSD Packet Filter" (1993). The verifier and the
 * interpreter are in net/bpf/, the compiler of expressions is compile.ts. Missing: the coprocessor calls of NetBSD (BPF_COP).
 */

/** Classes: the low three bits of a code. */
export const CLASS_MASK = 0x07;
/** Load into A. */
export const LD = 0x00;
/** Load into X. */
export const LDX = 0x01;
/** Store A into M[k]. */
export const ST = 0x02;
/** Store X into M[k]. */
export const STX = 0x03;
/** Compute on A. */
export const ALU = 0x04;
/** Jump forward. */
export const JMP = 0x05;
/** End: the result is the number of bytes to keep. */
export const RET = 0x06;
/** Move between A and X. */
export const MISC = 0x07;

/** Sizes of loads. */
export const SIZE_MASK = 0x18;
/** Word of 32 bits. */
export const W = 0x00;
/** Half-word of 16 bits. */
export const H = 0x08;
/** Byte. */
export const B = 0x10;

/** Sources of loads. `MSH`: 4 * (P[k] & 0xf), the length of an IPv4 header. */
export const MODE_MASK = 0xe0;
/** The constant k. */
export const IMM = 0x00;
/** P[k], a place of the frame. */
export const ABS = 0x20;
/** P[X + k]. */
export const IND = 0x40;
/** M[k]. */
export const MEM = 0x60;
/** Length of the frame. */
export const LEN = 0x80;
/** 4 * (P[k] & 0xf), the length of an IPv4 header; into X only. */
export const MSH = 0xa0;

/** Arithmetic on A, unsigned, modulo 2^32. */
export const OPERATION_MASK = 0xf0;
/** A + operand. */
export const ADD = 0x00;
/** A - operand. */
export const SUB = 0x10;
/** A * operand. */
export const MUL = 0x20;
/** A / operand; an operand of 0 ends the program with 0. */
export const DIV = 0x30;
/** A | operand. */
export const OR = 0x40;
/** A & operand. */
export const AND = 0x50;
/** A << operand. */
export const LSH = 0x60;
/** A >>> operand. */
export const RSH = 0x70;
/** -A. */
export const NEG = 0x80;
/** A % operand; an operand of 0 ends the program with 0. */
export const MOD = 0x90;
/** A ^ operand. */
export const XOR = 0xa0;

/** Jumps; comparisons are unsigned. */
export const JA = 0x00;
/** A === operand. */
export const JEQ = 0x10;
/** A > operand. */
export const JGT = 0x20;
/** A >= operand. */
export const JGE = 0x30;
/** (A & operand) !== 0. */
export const JSET = 0x40;

/** Source of an operand, or of the result of `RET`. */
export const K = 0x00;
/** The index register. */
export const X = 0x08;
/** The accumulator; of `RET` only. */
export const A = 0x10;

/** A to X. */
export const TAX = 0x00;
/** X to A. */
export const TXA = 0x80;

/** Length of an instruction in a program as bytes. */
export const INSTRUCTION_BYTES = 8;
/** BPF_MAXINSNS of NetBSD. */
export const INSTRUCTIONS_MAX = 512;
/** BPF_MEMWORDS: words of scratch memory. */
export const MEMORY_WORDS = 16;
/** Farthest target of a conditional jump. */
export const JUMP_MAX = 0xff;

/**
 * One instruction; its code is a class and, by the class, a size and a source, an operation and an operand, or a jump and an
 * operand.
 */
export interface Instruction {
  code: number;
  /** Instructions to skip when a comparison holds, and when not. */
  jt: number;
  jf: number;
  /** Unsigned. */
  k: number;
}

/** A program as bytes. */
export function emitProgram(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jt, jf, k }, index) => {
    const at = index * INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jt);
    view.setUint8(at + 3, jf);
    view.setUint32(at + 4, k, true);
  });
  return bytes;
}

/** A whole number of instructions, or null. Nothing else is checked (net/bpf/verifier.ts). */
export function parseProgram(bytes: Uint8Array): Instruction[] | null {
  if (bytes.length % INSTRUCTION_BYTES !== 0) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const program: Instruction[] = [];
  for (let at = 0; at < bytes.length; at += INSTRUCTION_BYTES) {
    const code = view.getUint16(at, true);
    program.push({ code, jt: view.getUint8(at + 2), jf: view.getUint8(at + 3), k: view.getUint32(at + 4, true) });
  }
  return program;
}
