/**
 * The code of scripts, `%{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%`: statements of Python over the fields of tcp_info.
 *
 * Thread: the caller's. Known statements: assert, print, assignment (augmented too), pass, and if/elif/else with a single
 * statement behind the colon. Names keep their values from snippet to snippet. Unlike the tool, which runs all code at the
 * end, a snippet runs where it stands, so a failed assertion ends the script there.
 */

import { type CodeValue, ExpressionReader, truth, valueText } from './code-expression.ts';
import { CodeError, CodeUnknown, statementsOf } from './code-lexer.ts';

const AUGMENTED: ReadonlySet<string> = new Set(['+=', '-=', '*=', '/=', '//=', '%=', '|=', '&=', '^=', '<<=', '>>=']);

export class CodeRunner {
  readonly #variables: Map<string, CodeValue> = new Map();
  readonly #print: (line: string) => void;
  #info: ReadonlyMap<string, number> = new Map();
  #connected = false;
  /** Whether a branch of the if that is open was taken; null: none is open. */
  #branchTaken: boolean | null = null;

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  /**
   * Run a snippet with these fields; `connected`: there was a connection to take them from. Throws CodeError: a failed
   * assertion, or code that is not understood.
   */
  run(code: string, info: ReadonlyMap<string, number>, connected: boolean): void {
    this.#info = info;
    this.#connected = connected;
    this.#branchTaken = null;
    for (const statement of statementsOf(code.trim())) this.#statement(statement);
  }

  #lookup(name: string): CodeValue {
    const value = this.#variables.get(name) ?? this.#info.get(name);
    if (value !== undefined) return value;
    if (name.startsWith('tcpi_') && !this.#connected) throw new CodeError(`there is no connection to ask for ${name}`);
    throw new CodeUnknown(`${name} is not known here`);
  }

  #statement(text: string): void {
    const line = text.trimStart();
    if (line !== text && this.#branchTaken !== null) throw new CodeUnknown('indented blocks are not supported');
    const reader = new ExpressionReader(line, (name) => this.#lookup(name));
    const { kind, text: word } = reader.next;
    if (kind === 'name' && (word === 'if' || word === 'elif' || word === 'else')) {
      this.#branch(line, word);
      return;
    }
    this.#branchTaken = null;
    if (kind === 'name' && word === 'assert') this.#assert(reader, line);
    else if (kind === 'name' && word === 'print') this.#printStatement(reader);
    else if (kind === 'name' && word === 'pass') return;
    else this.#assignment(reader, line);
  }

  #branch(line: string, word: string): void {
    const colon = branchColon(line);
    if (colon < 0) throw new CodeError(`expected : after ${word}`);
    const rest = line.slice(colon + 1).trim();
    if (rest === '') throw new CodeUnknown('indented blocks are not supported');
    if (word !== 'if' && this.#branchTaken === null) throw new CodeError(`${word} without if`);
    const before = word === 'if' ? false : (this.#branchTaken as boolean);
    let taken = !before;
    if (taken && word !== 'else') {
      const reader = new ExpressionReader(line.slice(word.length, colon), (name) => this.#lookup(name));
      taken = truth(reader.value());
      reader.expectEnd();
    }
    if (taken) this.#statement(rest);
    this.#branchTaken = before || taken;
  }

  #assert(reader: ExpressionReader, line: string): void {
    reader.take();
    const condition = reader.value();
    const message = reader.accept(',') ? reader.value() : null;
    reader.expectEnd();
    if (truth(condition)) return;
    const what = line.replace(/^assert\s*/, '');
    throw new CodeError(
      `assertion failed: ${what}${message === null ? '' : ` (${valueText(message)})`}${this.#used(line)}`,
    );
  }

  /** The fields a statement names, with their values. */
  #used(line: string): string {
    const names = new Set(line.match(/\btcpi_\w+/g) ?? []);
    const texts = [...names].filter((name) => this.#info.has(name)).map((name) => `${name} = ${this.#info.get(name)}`);
    return texts.length === 0 ? '' : `; ${texts.join(', ')}`;
  }

  /** Both the statement of Python 2 and the function of 3. */
  #printStatement(reader: ExpressionReader): void {
    reader.take();
    const values: CodeValue[] = [];
    while (!reader.atEnd) {
      const value = reader.value();
      if (Array.isArray(value)) values.push(...value);
      else values.push(value);
      if (!reader.accept(',')) break;
    }
    reader.expectEnd();
    this.#print(values.map(valueText).join(' '));
  }

  #assignment(reader: ExpressionReader, line: string): void {
    const name = reader.take();
    const operator = reader.next.text;
    if (name.kind !== 'name' || (operator !== '=' && !AUGMENTED.has(operator))) {
      if (/^(import|from|def|class|for|while|try|with|return)\b/.test(line)) {
        throw new CodeUnknown(`${name.text} is not known here`);
      }
      const whole = new ExpressionReader(line, (word) => this.#lookup(word));
      whole.value();
      whole.expectEnd();
      return;
    }
    reader.take();
    if (operator === '=') {
      const value = reader.value();
      reader.expectEnd();
      this.#variables.set(name.text, value);
      return;
    }
    const rest = line.slice(line.indexOf(operator) + operator.length);
    const sum = new ExpressionReader(`${name.text} ${operator.slice(0, -1)} (${rest})`, (word) => this.#lookup(word));
    this.#variables.set(name.text, sum.value());
  }
}

/** End of the condition: the first colon outside strings and brackets. */
function branchColon(line: string): number {
  let depth = 0;
  let quote = '';
  for (let i = 0; i < line.length; i++) {
    const char = line[i] as string;
    if (quote !== '') {
      if (char === '\\') i++;
      else if (char === quote) quote = '';
    } else if (char === "'" || char === '"') quote = char;
    else if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char)) depth--;
    else if (char === ':' && depth === 0) return i;
  }
  return -1;
}
