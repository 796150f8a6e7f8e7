/**
 * Python's expressions as far as assertions need them: arithmetic, comparison (chained too), and/or/not, bits, strings with
 * `%`, conditional expressions, and a few functions.
 *
 * Thread: any. Evaluated while read: a snippet runs once. Integers are JavaScript numbers (exact to 2^53); bit operations go
 * through BigInt, so that 64-bit masks are right.
 */

import { CodeError, type CodeToken, CodeUnknown, tokenizeCode } from './code-lexer.ts';

export type CodeValue = number | string | boolean | null | CodeValue[];

/** Values of names. Throws CodeError for an unknown name. */
export type Lookup = (name: string) => CodeValue;

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);

export function truth(value: CodeValue): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== null && value !== false && value !== 0 && value !== '';
}

/** As print shows it. */
export function valueText(value: CodeValue): string {
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (Array.isArray(value)) return `(${value.map(valueText).join(', ')})`;
  return String(value);
}

function numberIn(value: CodeValue, what: string): number {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value !== 'number') throw new CodeError(`${what} needs numbers, not ${valueText(value)}`);
  return value;
}

export class ExpressionReader {
  readonly #tokens: CodeToken[];
  readonly #lookup: Lookup;
  #at = 0;
  /** Inside the branch of and/or/if that is not taken: names need not be known. */
  #skipping = 0;

  constructor(line: string, lookup: Lookup) {
    this.#tokens = tokenizeCode(line);
    this.#lookup = lookup;
  }

  get next(): CodeToken {
    return this.#tokens[this.#at] as CodeToken;
  }

  get atEnd(): boolean {
    return this.next.kind === 'end';
  }

  take(): CodeToken {
    const token = this.next;
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  accept(text: string): boolean {
    const { kind, text: found } = this.next;
    if ((kind !== 'operator' && kind !== 'name') || found !== text) return false;
    this.#at++;
    return true;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw new CodeError(`expected ${text}, not ${JSON.stringify(this.next.text)}`);
  }

  expectEnd(): void {
    if (!this.atEnd) throw new CodeError(`unexpected ${JSON.stringify(this.next.text)}`);
  }

  /** An expression; `a, b` is not read. */
  value(): CodeValue {
    const first = this.#or();
    if (!this.accept('if')) return first;
    const condition = truth(this.#or());
    this.expect('else');
    const other = this.#unless(condition, () => this.value());
    return condition ? first : other;
  }

  /** Read `rest`, whose value does not matter when `skip`. */
  #unless<T>(skip: boolean, rest: () => T): T {
    if (!skip) return rest();
    this.#skipping++;
    try {
      return rest();
    } finally {
      this.#skipping--;
    }
  }

  #or(): CodeValue {
    let left = this.#and();
    while (this.accept('or')) {
      const decided = truth(left);
      const right = this.#unless(decided, () => this.#and());
      if (!decided) left = right;
    }
    return left;
  }

  #and(): CodeValue {
    let left = this.#not();
    while (this.accept('and')) {
      const decided = !truth(left);
      const right = this.#unless(decided, () => this.#not());
      if (!decided) left = right;
    }
    return left;
  }

  #not(): CodeValue {
    return this.accept('not') ? !truth(this.#not()) : this.#comparison();
  }

  #comparison(): CodeValue {
    let left = this.#bits(0);
    let holds: boolean | null = null;
    for (;;) {
      let operator = this.next.text;
      if (this.next.kind === 'name' && (operator === 'in' || operator === 'not')) {
        this.take();
        if (operator === 'not') {
          this.expect('in');
          operator = 'not in';
        }
      } else if (this.next.kind === 'operator' && COMPARISONS.has(operator)) this.take();
      else return holds ?? left;
      const right = this.#bits(0);
      holds = (holds ?? true) && this.#compare(operator, left, right);
      left = right;
    }
  }

  #compare(operator: string, left: CodeValue, right: CodeValue): boolean {
    if (operator === 'in' || operator === 'not in') {
      const inside = Array.isArray(right)
        ? right.some((item) => equal(item, left))
        : String(right).includes(String(left));
      return inside === (operator === 'in');
    }
    if (operator === '==') return equal(left, right);
    if (operator === '!=') return !equal(left, right);
    if (this.#skipping > 0) return false;
    const strings = typeof left === 'string' && typeof right === 'string';
    const a = strings ? left : numberIn(left, operator);
    const b = strings ? right : numberIn(right, operator);
    if (operator === '<') return a < b;
    if (operator === '<=') return a <= b;
    return operator === '>' ? a > b : a >= b;
  }

  /** Binary operators by precedence, loosest first. */
  #bits(level: number): CodeValue {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#bits(level + 1);
    while (this.next.kind === 'operator' && operators.includes(this.next.text)) {
      const operator = this.take().text;
      left = this.#binary(operator, left, this.#bits(level + 1));
    }
    return left;
  }

  #binary(operator: string, left: CodeValue, right: CodeValue): CodeValue {
    if (this.#skipping > 0) return 0;
    if (operator === '%' && typeof left === 'string') return formatted(left, Array.isArray(right) ? right : [right]);
    if (operator === '+' && typeof left === 'string' && typeof right === 'string') return left + right;
    const a = numberIn(left, operator);
    const b = numberIn(right, operator);
    if ((operator === '/' || operator === '//' || operator === '%') && b === 0) throw new CodeError('division by zero');
    return (ARITHMETIC[operator] as (a: number, b: number) => number)(a, b);
  }

  #unary(): CodeValue {
    if (this.accept('-')) return this.#skipping > 0 ? 0 : -numberIn(this.#unary(), '-');
    if (this.accept('+')) return this.#unary();
    if (this.accept('~')) return this.#skipping > 0 ? 0 : Number(~BigInt(numberIn(this.#unary(), '~')));
    const base = this.#primary();
    if (!this.accept('**')) return base;
    return numberIn(base, '**') ** numberIn(this.#unary(), '**');
  }

  #primary(): CodeValue {
    const token = this.take();
    if (token.kind === 'number') return Number(token.text);
    if (token.kind === 'string') {
      let text = token.text;
      while (this.next.kind === 'string') text += this.take().text;
      return text;
    }
    if (token.kind === 'operator' && (token.text === '(' || token.text === '[')) return this.#tuple(token.text);
    if (token.kind !== 'name') throw new CodeError(`unexpected ${JSON.stringify(token.text)}`);
    if (token.text === 'True') return true;
    if (token.text === 'False') return false;
    if (token.text === 'None') return null;
    if (this.accept('(')) return this.#call(token.text);
    return this.#skipping > 0 ? 0 : this.#lookup(token.text);
  }

  /** After the opening bracket. `(x)` is x. */
  #tuple(open: string): CodeValue {
    const close = open === '(' ? ')' : ']';
    const items: CodeValue[] = [];
    let comma = open === '[';
    while (!this.accept(close)) {
      items.push(this.value());
      if (this.accept(',')) comma = true;
      else {
        this.expect(close);
        break;
      }
    }
    return comma || items.length !== 1 ? items : (items[0] as CodeValue);
  }

  #call(name: string): CodeValue {
    const args: CodeValue[] = [];
    while (!this.accept(')')) {
      args.push(this.value());
      if (!this.accept(',')) {
        this.expect(')');
        break;
      }
    }
    const run = FUNCTIONS[name];
    if (run === undefined) throw new CodeUnknown(`function ${name} is not known here`);
    return this.#skipping > 0 ? 0 : run(args);
  }
}

function equal(a: CodeValue, b: CodeValue): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, i) => equal(item, b[i] as CodeValue));
  }
  const plain = (value: CodeValue): CodeValue => (typeof value === 'boolean' ? Number(value) : value);
  return plain(a) === plain(b);
}

const LEVELS: readonly (readonly string[])[] = [['|'], ['^'], ['&'], ['<<', '>>'], ['+', '-'], ['*', '/', '//', '%']];

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '//': (a, b) => Math.floor(a / b),
  '%': (a, b) => a - b * Math.floor(a / b),
  '|': (a, b) => Number(BigInt(a) | BigInt(b)),
  '^': (a, b) => Number(BigInt(a) ^ BigInt(b)),
  '&': (a, b) => Number(BigInt(a) & BigInt(b)),
  '<<': (a, b) => Number(BigInt(a) << BigInt(b)),
  '>>': (a, b) => Number(BigInt(a) >> BigInt(b)),
};

function numbers(args: readonly CodeValue[], name: string): number[] {
  const list = args.length === 1 && Array.isArray(args[0]) ? args[0] : args;
  return list.map((value) => numberIn(value, name));
}

const FUNCTIONS: Readonly<Record<string, (args: CodeValue[]) => CodeValue>> = {
  abs: (args) => Math.abs(numberIn(args[0] ?? null, 'abs')),
  min: (args) => Math.min(...numbers(args, 'min')),
  max: (args) => Math.max(...numbers(args, 'max')),
  int: (args) => Math.trunc(Number(args[0])),
  float: (args) => Number(args[0]),
  round: (args) => Math.round(numberIn(args[0] ?? null, 'round')),
  bool: (args) => truth(args[0] ?? null),
  str: (args) => valueText(args[0] ?? null),
  hex: (args) => `0x${numberIn(args[0] ?? null, 'hex').toString(16)}`,
  len: (args) => (args[0] as string | CodeValue[]).length,
};

/** The `%` operator of strings: %d %i %u %x %s %f %r %%. */
function formatted(format: string, args: readonly CodeValue[]): string {
  let used = 0;
  return format.replace(
    /%[-+ 0#]*\d*(?:\.(\d+))?[ld]?([diuxXsrf%])/g,
    (_, digits: string | undefined, letter: string) => {
      if (letter === '%') return '%';
      const value = args[used++];
      if (value === undefined) throw new CodeError('not enough arguments for format string');
      if (letter === 's' || letter === 'r') return valueText(value);
      const number = numberIn(value, `%${letter}`);
      if (letter === 'f') return number.toFixed(digits === undefined ? 6 : Number(digits));
      if (letter === 'x' || letter === 'X') return Math.trunc(number).toString(16);
      return String(Math.trunc(number));
    },
  );
}
