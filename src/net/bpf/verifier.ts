/**
 * Verifier of filter programs: only what it lets pass may run.
 *
 * A verified program ends: jumps go forward and stay inside, the last instruction returns. It reads no scratch memory that some
 * way through it did not write, divides by no constant zero, shifts by less than 32, and has known instructions alone. Loads from the frame
 * are bounded by the interpreter, which knows the frame.
 *
 * Thread: any. Read first: wire/bpf/instructions.ts. Cold: once per program.
 */

import {
  A,
  ABS,
  ADD,
  ALU,
  AND,
  B,
  CLASS_MASK,
  DIV,
  H,
  IMM,
  IND,
  INSTRUCTION_BYTES,
  INSTRUCTIONS_MAX,
  type Instruction,
  JA,
  JEQ,
  JGE,
  JGT,
  JMP,
  JSET,
  K,
  LD,
  LDX,
  LEN,
  LSH,
  MEM,
  MEMORY_WORDS,
  MISC,
  MOD,
  MSH,
  MUL,
  NEG,
  OR,
  parseProgram,
  RET,
  RSH,
  ST,
  STX,
  SUB,
  TAX,
  TXA,
  W,
  X,
  XOR,
} from '../../wire/bpf/instructions.ts';

/** Longest program as bytes. */
export const PROGRAM_BYTES_MAX: number = INSTRUCTION_BYTES * INSTRUCTIONS_MAX;

const ARITHMETIC: readonly number[] = [ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, MOD, XOR];
const COMPARISONS: readonly number[] = [JEQ, JGT, JGE, JSET];

const KNOWN: ReadonlySet<number> = new Set([
  ...[W, H, B].flatMap((size) => [LD | size | ABS, LD | size | IND]),
  ...[IMM, MEM, LEN].flatMap((mode) => [LD | W | mode, LDX | W | mode]),
  LDX | B | MSH,
  ST,
  STX,
  ...ARITHMETIC.flatMap((operation) => [ALU | operation | K, ALU | operation | X]),
  ALU | NEG,
  JMP | JA,
  ...COMPARISONS.flatMap((operation) => [JMP | operation | K, JMP | operation | X]),
  RET | K,
  RET | A,
  MISC | TAX,
  MISC | TXA,
]);

const ALL_WORDS = 2 ** MEMORY_WORDS - 1;
const SHIFT_MAX = 31;

/** A program that was verified, as numbers by instruction. {@link verifyProgram} makes them. */
export class VerifiedProgram {
  readonly code: Uint16Array;
  readonly jt: Uint8Array;
  readonly jf: Uint8Array;
  readonly k: Int32Array;

  /** @internal */
  constructor(program: readonly Instruction[]) {
    this.code = Uint16Array.from(program, ({ code }) => code);
    this.jt = Uint8Array.from(program, ({ jt }) => jt);
    this.jf = Uint8Array.from(program, ({ jf }) => jf);
    this.k = Int32Array.from(program, ({ k }) => k | 0);
  }
}

/** Fault of one instruction by itself, or null. */
function instructionFault({ code, k }: Instruction): string | null {
  if (!KNOWN.has(code)) return `no instruction 0x${code.toString(16).padStart(2, '0')}`;
  const usesMemory = code === (LD | MEM) || code === (LDX | MEM) || code === ST || code === STX;
  if (usesMemory && k >= MEMORY_WORDS) return `no word M[${k}]`;
  if ((code === (ALU | DIV | K) || code === (ALU | MOD | K)) && k === 0) return 'division by zero';
  if ((code === (ALU | LSH | K) || code === (ALU | RSH | K)) && k > SHIFT_MAX) return `a shift by ${k}`;
  return null;
}

/** Instructions that may follow the one at `index`, none after a return. */
function followers({ code, jt, jf, k }: Instruction, index: number): number[] {
  if (code === (RET | K) || code === (RET | A)) return [];
  if (code === (JMP | JA)) return [index + 1 + k];
  return (code & CLASS_MASK) === JMP ? [index + 1 + jt, index + 1 + jf] : [index + 1];
}

/** Words of M[] that an instruction writes. */
function written({ code, k }: Instruction): number {
  return code === ST || code === STX ? 1 << k : 0;
}

function fault(program: readonly Instruction[]): string | null {
  if (program.length === 0) return 'an empty program';
  if (program.length > INSTRUCTIONS_MAX) return `${program.length} instructions, more than ${INSTRUCTIONS_MAX}`;
  /** Words that every way to an instruction has written. */
  const defined = program.map(() => ALL_WORDS);
  defined[0] = 0;
  for (const [index, instruction] of program.entries()) {
    const own = instructionFault(instruction);
    if (own !== null) return `instruction ${index}: ${own}`;
    const { code, k } = instruction;
    const before = defined[index] as number;
    if ((code === (LD | MEM) || code === (LDX | MEM)) && ((before >> k) & 1) === 0) {
      return `instruction ${index}: M[${k}] is read before it is written`;
    }
    for (const next of followers(instruction, index)) {
      if (next >= program.length) return `instruction ${index}: goes beyond the end`;
      defined[next] = (defined[next] as number) & (before | written(instruction));
    }
  }
  return null;
}

/** A program that may run, or what is wrong with it. Offsets of jumps are unsigned: none goes backward. */
export function verifyProgram(bytes: Uint8Array): VerifiedProgram | string {
  const program = parseProgram(bytes);
  if (program === null) return `${bytes.length} bytes are no whole number of instructions`;
  return fault(program) ?? new VerifiedProgram(program);
}
