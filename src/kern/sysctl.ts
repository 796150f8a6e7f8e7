/**
 * The tunable values of one kernel, under the names sysctl(8) knows from NetBSD.
 *
 * Thread: the one that runs the kernel. Cold: declarations and configuration. Every module declares its variables once, with a range, and keeps the variable:
 * reading one on the data path is reading a field. Values are integers; switches are 0 and 1; times name their unit in
 * the description. Texts are a kind of their own. Missing: nodes created at run time.
 */

import { assert } from '../base/assert.ts';
import { Errno } from '../base/errors.ts';
import { Limits } from './limits.ts';

export class SysctlVariable {
  readonly name: string;
  readonly description: string;
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  readonly readOnly: boolean;
  /** Called after the value changed. */
  onChange: ((value: number) => void) | null = null;
  value: number;

  constructor(name: string, initial: number, min: number, max: number, description: string, readOnly: boolean) {
    assert(initial >= min && initial <= max, `sysctl ${name}: default outside its range`);
    this.name = name;
    this.description = description;
    this.initial = initial;
    this.min = min;
    this.max = max;
    this.readOnly = readOnly;
    this.value = initial;
  }
}

/** A variable that is a text: kern.hostname. */
class SysctlText {
  readonly name: string;
  readonly description: string;
  readonly readOnly: boolean;
  value: string;

  constructor(name: string, value: string, description: string, readOnly: boolean) {
    this.name = name;
    this.value = value;
    this.description = description;
    this.readOnly = readOnly;
  }
}

/** Longest text, as MAXHOSTNAMELEN. */
const TEXT_LENGTH_MAX = 255;

export class Sysctl {
  /** Tables and rates that variables bound. */
  readonly limits: Limits = new Limits();
  readonly #variables: Map<string, SysctlVariable> = new Map();
  readonly #texts: Map<string, SysctlText> = new Map();

  /** Declare an integer in [min, max], or get it when it was declared before. */
  integer(name: string, initial: number, min: number, max: number, description: string): SysctlVariable {
    return this.#declare(new SysctlVariable(name, initial, min, max, description, false));
  }

  /** Declare a switch: 0 or 1. */
  toggle(name: string, initial: boolean, description: string): SysctlVariable {
    return this.integer(name, initial ? 1 : 0, 0, 1, description);
  }

  /** Declare a value that only the kernel itself changes. */
  constant(name: string, value: number, description: string): SysctlVariable {
    return this.#declare(new SysctlVariable(name, value, value, value, description, true));
  }

  /** Declare a text; one that is there gets the value. */
  text(name: string, value: string, description: string, readOnly: boolean = true): void {
    this.#texts.set(name, new SysctlText(name, value, description, readOnly));
  }

  get(name: string): SysctlVariable | undefined {
    return this.#variables.get(name);
  }

  /** The variable of that name, or all below that node ('net.inet.ip'), or all for '': sorted by name. */
  list(name: string): SysctlVariable[] {
    const found: SysctlVariable[] = [];
    for (const variable of this.#variables.values()) {
      if (isBelow(variable.name, name)) found.push(variable);
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** As {@link list}, of texts. */
  texts(name: string): SysctlText[] {
    const found = [...this.#texts.values()].filter((text) => isBelow(text.name, name));
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Returns 0, or `-ENOENT` (no such text), `-EPERM` (read only), `-EINVAL` (too long). */
  setText(name: string, value: string): number {
    const text = this.#texts.get(name);
    if (text === undefined) return -Errno.ENOENT;
    if (text.readOnly) return -Errno.EPERM;
    if (value.length > TEXT_LENGTH_MAX) return -Errno.EINVAL;
    text.value = value;
    return 0;
  }

  /** Returns 0, or `-ENOENT` (no such name), `-EPERM` (read only), `-EINVAL` (not an integer in the range). */
  set(name: string, value: number): number {
    const variable = this.#variables.get(name);
    if (variable === undefined) return -Errno.ENOENT;
    if (variable.readOnly) return -Errno.EPERM;
    if (!Number.isInteger(value) || value < variable.min || value > variable.max) return -Errno.EINVAL;
    variable.value = value;
    variable.onChange?.(value);
    return 0;
  }

  /** Hide the variable of that name, and all below that node, for good; their modules keep their values. */
  remove(name: string): void {
    for (const { name: found } of this.list(name)) this.#variables.delete(found);
  }

  #declare(variable: SysctlVariable): SysctlVariable {
    const known = this.#variables.get(variable.name);
    if (known !== undefined) return known;
    this.#variables.set(variable.name, variable);
    return variable;
  }
}

/** Whether a variable is the one of that name, or below that node. */
function isBelow(variable: string, name: string): boolean {
  return name === '' || variable === name || variable.startsWith(`${name}.`);
}
