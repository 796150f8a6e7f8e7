/**
 * Relations of a filter expression (`tcp[13] & 2 != 0`, `len > 100`) as conditions.
 *
 * Thread: any. Values are 32 bits, unsigned. The protocol of a field is tested first: `tcp[13]` holds of no datagram. As in libpcap, fields
 * of transports are those of IPv4. Read first: assembler.ts. Cold: once per filter.
 */

import type { MultikernelError } from '../../base/errors.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../ethernet.ts';
import { type Condition, instruction } from './assembler.ts';
import { all, any, type FrameTests, no } from './frame-tests.ts';
import * as bpf from './instructions.ts';
import type { Token } from './lexer.ts';
import { ETHER_TYPES, TRANSPORTS } from './names.ts';
import type { Arithmetic } from './syntax.ts';

const HEADER6_BYTES = 40;
const PROTOCOL_ICMP6 = 58;
const NEXT_HEADER_AT = 6;
const SHIFT_MAX = 31;
const ALL_BITS = 0xffff_ffff;

const OPERATIONS: Readonly<Record<string, number>> = {
  '+': bpf.ADD,
  '-': bpf.SUB,
  '*': bpf.MUL,
  '/': bpf.DIV,
  '%': bpf.MOD,
  '&': bpf.AND,
  '|': bpf.OR,
  '^': bpf.XOR,
  '<<': bpf.LSH,
  '>>': bpf.RSH,
};

/** Comparison, and whether its opposite is meant. */
const RELATIONS: Readonly<Record<string, readonly [number, boolean]>> = {
  '=': [bpf.JEQ, false],
  '==': [bpf.JEQ, false],
  '!=': [bpf.JEQ, true],
  '>': [bpf.JGT, false],
  '<=': [bpf.JGT, true],
  '>=': [bpf.JGE, false],
  '<': [bpf.JGE, true],
};

type Refusal = (token: Token, what: string) => MultikernelError;

/** Place of a protocol's bytes. */
interface Base {
  at: number;
  /** Behind an IPv4 header, whose length a program reads. */
  behindHeader: boolean;
  checks: Condition[];
}

function computed(operator: string, left: number, right: number): number {
  switch (operator) {
    case '+':
      return (left + right) >>> 0;
    case '-':
      return (left - right) >>> 0;
    case '*':
      return Math.imul(left, right) >>> 0;
    case '/':
      return Math.floor(left / right);
    case '%':
      return left % right;
    case '&':
      return (left & right) >>> 0;
    case '|':
      return (left | right) >>> 0;
    case '^':
      return (left ^ right) >>> 0;
    case '<<':
      return (left << right) >>> 0;
    default:
      return left >>> right;
  }
}

/** Arithmetic on fields of a frame, compared: `ip[2:2] > 576`. */
export class Relation {
  readonly #tests: FrameTests;
  readonly #refusal: Refusal;
  /** Conditions of the loads, in their order. */
  readonly #checks: Condition[] = [];

  constructor(tests: FrameTests, refusal: Refusal) {
    this.#tests = tests;
    this.#refusal = refusal;
  }

  condition(operator: string, left: Arithmetic, right: Arithmetic): Condition {
    const [comparison, opposite] = RELATIONS[operator] as readonly [number, boolean];
    const k = this.#constant(right);
    const load = k === null ? this.#pair(left, right, 0) : this.#value(left, 0);
    const test: Condition = { kind: 'test', load, comparison, k };
    return all(...this.#checks, opposite ? no(test) : test);
  }

  /** The value of what no frame is needed for, else null. Throws for operators that cannot be. */
  #constant(node: Arithmetic): number | null {
    if (node.kind === 'constant') return node.value;
    if (node.kind === 'negation') {
      const of = this.#constant(node.of);
      return of === null ? null : -of >>> 0;
    }
    if (node.kind !== 'operation') return null;
    const left = this.#constant(node.left);
    const right = this.#constant(node.right);
    const { operator } = node;
    if (right === 0 && (operator.text === '/' || operator.text === '%')) {
      throw this.#refusal(operator, 'division by zero');
    }
    if (right !== null && right > SHIFT_MAX && (operator.text === '<<' || operator.text === '>>')) {
      throw this.#refusal(operator, `a shift by more than ${SHIFT_MAX} bits`);
    }
    return left === null || right === null ? null : computed(operator.text, left, right);
  }

  /** Leaves `left` in A, `right` in X. `depth` words of M[] are in use. */
  #pair(left: Arithmetic, right: Arithmetic, depth: number): bpf.Instruction[] {
    const { ST, LDX, MEM } = bpf;
    // The protocol of the left one is tested first.
    const first = this.#value(left, depth + 1);
    return [...this.#value(right, depth), instruction(ST, depth), ...first, instruction(LDX | MEM, depth)];
  }

  /** Leaves the value in A. */
  #value(node: Arithmetic, depth: number): bpf.Instruction[] {
    const { ALU, IMM, K, LD, LEN, NEG, X } = bpf;
    const constant = this.#constant(node);
    if (constant !== null) return [instruction(LD | IMM, constant)];
    switch (node.kind) {
      case 'constant':
        return [instruction(LD | IMM, node.value)];
      case 'length':
        return [instruction(LD | LEN)];
      case 'negation':
        return [...this.#value(node.of, depth), instruction(ALU | NEG)];
      case 'load':
        return this.#load(node.protocol, node.index, node.bytes, depth);
      case 'operation': {
        const { operator, left, right } = node;
        const operation = ALU | (OPERATIONS[operator.text] as number);
        const k = this.#constant(right);
        if (k !== null) return [...this.#value(left, depth), instruction(operation | K, k)];
        if (depth + 1 >= bpf.MEMORY_WORDS) throw this.#refusal(operator, 'too many values at once');
        return [...this.#pair(left, right, depth), instruction(operation | X)];
      }
    }
  }

  #load(protocol: Token, index: Arithmetic, bytes: number, depth: number): bpf.Instruction[] {
    const { ABS, ADD, ALU, B, H, IND, LD, LDX, MISC, MSH, TAX, W, X } = bpf;
    const size = bytes === 4 ? W : bytes === 2 ? H : B;
    const constant = this.#constant(index);
    const variable = constant === null ? this.#value(index, depth) : [];
    const { at, behindHeader, checks } = this.#base(protocol);
    this.#checks.push(...checks);
    const headerLength = instruction(LDX | B | MSH, this.#tests.networkAt);
    if (constant !== null) {
      const offset = Math.min(at + constant, ALL_BITS);
      return behindHeader
        ? [headerLength, instruction(LD | size | IND, offset)]
        : [instruction(LD | size | ABS, offset)];
    }
    const added = behindHeader ? [headerLength, instruction(ALU | ADD | X)] : [];
    return [...variable, ...added, instruction(MISC | TAX), instruction(LD | size | IND, at)];
  }

  #base(protocol: Token): Base {
    const { networkAt } = this.#tests;
    const { text } = protocol;
    if (text === 'ether' || text === 'link') return { at: 0, behindHeader: false, checks: [] };
    const type = ETHER_TYPES.get(text);
    if (type !== undefined) return { at: networkAt, behindHeader: false, checks: [this.#tests.etherType(type)] };
    if (text === 'icmp6') {
      const at = networkAt + NEXT_HEADER_AT;
      const load = [instruction(bpf.LD | bpf.B | bpf.ABS, at)];
      const isIcmp6: Condition = { kind: 'test', load, comparison: bpf.JEQ, k: PROTOCOL_ICMP6 };
      const checks = [this.#tests.etherType(ETHERTYPE_IPV6), isIcmp6];
      return { at: networkAt + HEADER6_BYTES, behindHeader: false, checks };
    }
    const transport = TRANSPORTS.get(text);
    if (transport === undefined || text === 'ah' || text === 'esp') {
      throw this.#refusal(protocol, `'${text}' has no fields here`);
    }
    const { number, versions } = transport;
    const carried = any(...versions.map((version) => this.#tests.protocol(version, number)));
    const checks = [this.#tests.etherType(ETHERTYPE_IPV4), carried, this.#tests.firstFragment()];
    return { at: networkAt, behindHeader: true, checks };
  }
}
