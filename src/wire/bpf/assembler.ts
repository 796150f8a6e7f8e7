/**
 * Instructions of a tree of conditions. A test loads a value into A and compares it; what follows a test is chosen by jumps,
 * so that no value of truth is ever stored.
 *
 * Programs are put together from their end: where a jump goes is known when it is made. Thread: any. Read first:
 * instructions.ts. Cold: once per filter.
 */

import { type Instruction, JA, JMP, JUMP_MAX, K, RET, X } from './instructions.ts';

/** A comparison of a loaded value with a number, or with another loaded value. */
export interface Test {
  kind: 'test';
  /** Instructions that leave the value in A, and the other in X when `k` is null. */
  load: readonly Instruction[];
  /** `JEQ`, `JGT`, `JGE` or `JSET`. */
  comparison: number;
  k: number | null;
}

/** Tree of tests. */
export type Condition = Test | { kind: 'and' | 'or'; parts: readonly Condition[] } | { kind: 'not'; of: Condition };

/** An instruction without jumps; `k` is stored as uint32. */
export function instruction(code: number, k = 0): Instruction {
  return { code, jt: 0, jf: 0, k: k >>> 0 };
}

class Assembler {
  /** Last instruction first. A place is the number of instructions from it to the end. */
  readonly #reversed: Instruction[] = [];

  add(one: Instruction): number {
    return this.#reversed.push(one);
  }

  program(): Instruction[] {
    return [...this.#reversed].reverse();
  }

  /** Place at which `condition` begins, which goes on at `yes` or `no`. */
  condition(condition: Condition, yes: number, no: number): number {
    switch (condition.kind) {
      case 'test':
        return this.#test(condition, yes, no);
      case 'not':
        return this.condition(condition.of, no, yes);
      case 'and':
        return condition.parts.reduceRight((next, part) => this.condition(part, next, no), yes);
      case 'or':
        return condition.parts.reduceRight((next, part) => this.condition(part, yes, next), no);
    }
  }

  #test({ load, comparison, k }: Test, yes: number, no: number): number {
    // A target that is too far is reached by way of a jump that is not conditional; two of them lie behind the test at most.
    const reach = (place: number): number =>
      this.#reversed.length + 1 - place < JUMP_MAX
        ? place
        : this.add(instruction(JMP | JA, this.#reversed.length - place));
    const far = reach(yes);
    const near = reach(no);
    const at = this.#reversed.length;
    const code = JMP | comparison | (k === null ? X : K);
    let place = this.add({ code, jt: at - far, jf: at - near, k: (k ?? 0) >>> 0 });
    for (const one of [...load].reverse()) place = this.add(one);
    return place;
  }
}

/** A program that keeps `keepBytes` of frames for which `condition` holds, of all when it is null. */
export function assemble(condition: Condition | null, keepBytes: number): Instruction[] {
  const assembler = new Assembler();
  if (condition === null) {
    assembler.add(instruction(RET | K, keepBytes));
    return assembler.program();
  }
  const no = assembler.add(instruction(RET | K, 0));
  const yes = assembler.add(instruction(RET | K, keepBytes));
  assembler.condition(condition, yes, no);
  return assembler.program();
}
