/**
 * `sysctl` with NetBSD's arguments and text. Thread: the command's. Missing: -M, nodes created and destroyed (`//create`), and patterns.
 */

import { readFileSync } from 'node:fs';
import { MultikernelError } from '../base/errors.ts';
import type { VariableNode } from '../sys/control.ts';
import { refusalText } from './error-text.ts';
import { ArgumentError, eachOption, UsageError } from './getopt.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage:	sysctl [-dneq] [-x[x]|-r] variable ...
	sysctl [-ne] [-q] -w variable=value ...
	sysctl [-dne] -a
	sysctl [-dne] -A
	sysctl [-ne] -M
	sysctl [-dne] [-q] -f file`;
const LEVELS: readonly string[] = [
  ...['top', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth', 'eleventh'],
  'twelfth',
];
const INT_MAX = 0xffffffff;
const INT_MIN = -0x80000000;

interface View {
  flags: ReadonlySet<string>;
  /** `-x` so many times. */
  hex: number;
}

/** One call of the tool. */
class Run {
  readonly #context: ToolContext;
  readonly #view: View;
  /** In front of each error: the file and line of -f. */
  #place = '';
  errors = 0;

  constructor(context: ToolContext, view: View) {
    this.#context = context;
    this.#view = view;
  }

  get #quiet(): boolean {
    return this.#view.flags.has('q');
  }

  #complain(text: string): void {
    this.errors++;
    this.#context.out.error(`sysctl: ${this.#place}${text}\n`);
  }

  /** All variables: -a. */
  async all(): Promise<void> {
    this.#show(await this.#context.kernel.sysctlNodes(''));
  }

  async file(path: string): Promise<void> {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      throw new ArgumentError(`${path}: ${refusalText(new MultikernelError(code, code))}`);
    }
    const lines = text.split('\n');
    for (let at = 0; at < lines.length; at++) {
      this.#place = `${path}#${at + 1}: `;
      let line = lines[at] as string;
      while (line.endsWith('\\') && at + 1 < lines.length) line = line.slice(0, -1) + (lines[++at] as string);
      const word = line.replace(/(^|\s)#.*$/, '').trim();
      if (word !== '') await this.word(word.replace(/\s*=\s*/, '='), true);
    }
    this.#place = '';
  }

  /** One `name`, `name=value` or `name?=value`. False: nothing more is done. */
  async word(word: string, write: boolean): Promise<boolean> {
    const equals = word.indexOf('=');
    const optional = equals > 0 && word[equals - 1] === '?';
    const key = equals < 0 ? word : word.slice(0, optional ? equals - 1 : equals);
    const name = key.replaceAll('/', '.').replace(/^\.|\.$/g, '');
    const found = await this.#context.kernel.sysctlNodes(name);
    if (found.length === 0 || name === '') {
      if (optional) return true;
      await this.#unknown(name, key);
      return false;
    }
    if (equals < 0) {
      this.#show(found);
      return true;
    }
    if (!write) {
      this.#complain('Must specify -w to set variables');
      return false;
    }
    const [node] = found as [VariableNode, ...VariableNode[]];
    if (node.name !== name) {
      this.#show(found);
      return true;
    }
    return this.#set(node, word.slice(equals + 1));
  }

  /** The first level of a name that is not there. */
  async #unknown(name: string, key: string): Promise<void> {
    const levels = name.split('.');
    const names = (await this.#context.kernel.sysctlNodes('')).map((node) => node.name);
    const has = (path: string): boolean => names.some((one) => one === path || one.startsWith(`${path}.`));
    let level = 0;
    while (level < levels.length - 1 && has(levels.slice(0, level + 1).join('.'))) level++;
    if (this.#quiet) this.errors++;
    else this.#complain(`${LEVELS[level] ?? 'next'} level name '${levels[level]}' in '${key}' is invalid`);
  }

  async #set(node: VariableNode, text: string): Promise<boolean> {
    const { out, json } = this.#context;
    try {
      const change =
        typeof node.value === 'string' ? await this.#setText(node, text) : await this.#setNumber(node, text);
      if (change === null) return false;
      const { before, after } = change;
      if (json) out.write(`${JSON.stringify({ name: node.name, before, after })}\n`);
      else if (!this.#quiet)
        out.write(
          this.#view.flags.has('n')
            ? `${this.#text(after)}\n`
            : `${node.name}: ${this.#text(before)} -> ${this.#text(after)}\n`,
        );
      return true;
    } catch (error) {
      this.#complain(`${node.name}: ${refusalText(error)}`);
      return false;
    }
  }

  async #setText({ name }: VariableNode, after: string): Promise<{ before: string; after: string }> {
    return { before: await this.#context.kernel.setSysctlText(name, after), after };
  }

  async #setNumber({ name }: VariableNode, text: string): Promise<{ before: number; after: number } | null> {
    const digits = /^\s*([-+]?)(0x[0-9a-f]+|\d+)$/i.exec(text);
    if (digits === null) {
      this.#complain(`${text}: not a number`);
      return null;
    }
    const [, sign, magnitude = ''] = digits;
    // As strtoull(3) with base 0 reads it: a leading 0 is octal.
    const size = Number(/^0[0-7]+$/.test(magnitude) ? `0o${magnitude}` : magnitude);
    const value = sign === '-' ? -size : size;
    if (value > INT_MAX || value < INT_MIN) {
      this.#complain(`${text}: Result too large or too small`);
      return null;
    }
    return this.#context.kernel.setSysctl(name, value);
  }

  #show(nodes: readonly VariableNode[]): void {
    const { out, json } = this.#context;
    const { flags } = this.#view;
    if (json) {
      out.write(`${JSON.stringify(nodes)}\n`);
      return;
    }
    if (this.#quiet) return;
    for (const { name, value, description } of nodes) {
      const described = flags.has('d');
      const front = flags.has('n') ? '' : `${name}${described ? ': ' : flags.has('e') ? '=' : ' = '}`;
      out.write(`${front}${described ? description || '(no description)' : this.#text(value)}\n`);
    }
  }

  #text(value: number | string): string {
    const { hex } = this.#view;
    if (hex === 0) return String(value);
    if (typeof value === 'string') return Buffer.from(`${value}\0`).toString('hex');
    return `0x${(value >>> 0).toString(16).padStart(8, '0')}`;
  }
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const flags = new Set<string>();
  let file: string | null = null;
  let hex = 0;
  const rest = eachOption(args, 'Aabdef:Mnqrwx', (letter, value) => {
    if (letter === 'x') hex++;
    else if (letter === 'f') file = value;
    else flags.add(letter);
  });
  const everything = flags.has('a') || flags.has('A');
  if (flags.has('M') || flags.has('r') || hex > 1) throw new ArgumentError('-M, -r and -xx are not supported');
  if (everything && rest.length > 0) throw new UsageError(USAGE);
  if (!everything && file === null && rest.length === 0) throw new UsageError(USAGE);
  if (flags.has('d') && flags.has('w')) throw new UsageError(USAGE);
  const one = new Run(context, { flags, hex });
  if (everything) await one.all();
  if (file !== null) await one.file(file);
  for (const word of rest) if (!(await one.word(word, flags.has('w')))) return 1;
  return one.errors > 0 ? 1 : 0;
}

export const sysctl: Tool = { name: 'sysctl', about: 'show and set kernel variables', usage: USAGE, run };
