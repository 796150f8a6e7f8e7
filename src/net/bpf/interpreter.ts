/**
 * Interpreter of verified filter programs over a frame in memory.
 *
 * Thread: any. A load beyond the bytes that are there ends the program with 0, as does a division by an X of zero. Registers are
 * int32, compared as unsigned numbers. Nothing is allocated. Read first: wire/bpf/instructions.ts, verifier.ts.
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
  OPERATION_MASK,
  OR,
  RET,
  RSH,
  SIZE_MASK,
  ST,
  STX,
  SUB,
  TAX,
  TXA,
  W,
  X,
  XOR,
} from '../../wire/bpf/instructions.ts';
import type { VerifiedProgram } from './verifier.ts';

const SHIFT_MAX = 31;

export class FilterMachine {
  readonly #program: VerifiedProgram;
  readonly #memory: Int32Array = new Int32Array(MEMORY_WORDS);

  constructor(program: VerifiedProgram) {
    this.#program = program;
  }

  /** Bytes to keep of a frame of which `bytes` from `at` are in `view`, and `wireBytes` were on the wire; 0: none. */
  run(view: DataView, at: number, bytes: number, wireBytes: number): number {
    const { code, jt, jf, k: constants } = this.#program;
    const memory = this.#memory;
    let a = 0;
    let x = 0;
    for (let pc = 0; pc < code.length; pc++) {
      const operation = code[pc] as number;
      const k = constants[pc] as number;
      switch (operation) {
        case RET | K:
          return k >>> 0;
        case RET | A:
          return a >>> 0;
        case LD | W | ABS:
        case LD | H | ABS:
        case LD | B | ABS:
        case LD | W | IND:
        case LD | H | IND:
        case LD | B | IND: {
          const offset = (k >>> 0) + ((operation & IND) === 0 ? 0 : x >>> 0);
          const size = operation & SIZE_MASK;
          if (offset + (size === W ? 4 : size === H ? 2 : 1) > bytes) return 0;
          if (size === W) a = view.getInt32(at + offset);
          else a = size === H ? view.getUint16(at + offset) : view.getUint8(at + offset);
          break;
        }
        case LDX | B | MSH:
          if (k >>> 0 >= bytes) return 0;
          x = (view.getUint8(at + (k >>> 0)) & 0xf) << 2;
          break;
        case LD | IMM:
          a = k;
          break;
        case LDX | IMM:
          x = k;
          break;
        case LD | LEN:
          a = wireBytes;
          break;
        case LDX | LEN:
          x = wireBytes;
          break;
        case LD | MEM:
          a = memory[k] as number;
          break;
        case LDX | MEM:
          x = memory[k] as number;
          break;
        case ST:
          memory[k] = a;
          break;
        case STX:
          memory[k] = x;
          break;
        case MISC | TAX:
          x = a;
          break;
        case MISC | TXA:
          a = x;
          break;
        case ALU | NEG:
          a = -a | 0;
          break;
        case JMP | JA:
          pc += k >>> 0;
          break;
        default: {
          const operand = (operation & X) === 0 ? k : x;
          if ((operation & CLASS_MASK) === JMP) {
            pc += holds(operation & OPERATION_MASK, a, operand) ? (jt[pc] as number) : (jf[pc] as number);
            break;
          }
          const what = operation & OPERATION_MASK;
          if (operand === 0 && (what === DIV || what === MOD)) return 0;
          a = computed(what, a, operand);
        }
      }
    }
    return 0;
  }
}

function holds(comparison: number, a: number, operand: number): boolean {
  switch (comparison) {
    case JEQ:
      return a === operand;
    case JGT:
      return a >>> 0 > operand >>> 0;
    case JGE:
      return a >>> 0 >= operand >>> 0;
    case JSET:
      return (a & operand) !== 0;
    default:
      return false;
  }
}

function computed(operation: number, a: number, operand: number): number {
  switch (operation) {
    case ADD:
      return (a + operand) | 0;
    case SUB:
      return (a - operand) | 0;
    case MUL:
      return Math.imul(a, operand);
    case DIV:
      return ((a >>> 0) / (operand >>> 0)) | 0;
    case MOD:
      return ((a >>> 0) % (operand >>> 0)) | 0;
    case OR:
      return a | operand;
    case AND:
      return a & operand;
    case XOR:
      return a ^ operand;
    case LSH:
      return operand >>> 0 > SHIFT_MAX ? 0 : a << operand;
    case RSH:
      return operand >>> 0 > SHIFT_MAX ? 0 : (a >>> operand) | 0;
    default:
      return a;
  }
}
