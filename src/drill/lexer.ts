/**
 * The words of a packetdrill script.
 *
 * Thread: any; a pure function. Comments are `//`, C's, and `#` at the start of a line. The place of a word decides
 * whether it is a keyword, so that is left to the parser. `--define` replaces words here, as the tool does.
 */

import { type Place, ScriptError } from './syntax.ts';

export type TokenKind =
  | 'integer'
  | 'float'
  | 'word'
  | 'string'
  | 'backquoted'
  | 'code'
  | 'address'
  | 'option'
  | 'punctuation'
  | 'end';

export interface Token extends Place {
  kind: TokenKind;
  /** As written; without its delimiters for strings, commands and code; `name=value` for options. */
  text: string;
  /** Value of an integer or a float. */
  value: number;
}

/** Longest first where one begins another. */
const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ['address', /[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+/y],
  ['punctuation', /\.\.\./y],
  ['float', /-?[0-9]*\.[0-9]+/y],
  ['integer', /0x[0-9a-fA-F]+(?![0-9a-zA-Z_])/y],
  ['integer', /-?[0-9]+(?![0-9a-zA-Z_])/y],
  ['word', /[A-Za-z0-9_]+#?/y],
  ['punctuation', /[^\s]/y],
];

const BLANK = /(?:[ \t\r\n]+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;
const HASH_COMMENT = /#[^\n]*/y;
const OPTION = /--[A-Za-z0-9_-]+(?:=(?:[A-Za-z_0-9]+=)?(?:"[^"\n]*"|`[^`]*`|[^\s"`]+))?/y;

export interface LexerOptions {
  /** `--define NAME=VALUE`: words replaced; `"..."` makes a string, `` `...` `` a command. */
  defines?: ReadonlyMap<string, string>;
}

/** All tokens of `text`, an `end` token last. Throws ScriptError. */
export function tokenize(file: string, text: string, options: LexerOptions = {}): Token[] {
  const lexer = new Lexer(file, text, options.defines ?? new Map());
  const tokens: Token[] = [];
  for (;;) {
    const token = lexer.next(tokens.length === 0 || (tokens[tokens.length - 1] as Token).kind === 'option');
    tokens.push(token);
    if (token.kind === 'end') return tokens;
  }
}

class Lexer {
  readonly #file: string;
  readonly #text: string;
  readonly #defines: ReadonlyMap<string, string>;
  #at = 0;
  #line = 1;
  #lineAt = 0;

  constructor(file: string, text: string, defines: ReadonlyMap<string, string>) {
    this.#file = file;
    this.#text = text;
    this.#defines = defines;
  }

  /** `optionsMay`: still in the options at the beginning, where `--` is not two minus signs. */
  next(optionsMay: boolean): Token {
    this.#skipBlank();
    const place = this.#place();
    if (this.#at >= this.#text.length) return { kind: 'end', text: 'end of file', value: 0, ...place };
    const char = this.#text[this.#at] as string;
    if (char === '"') return this.#quoted('string', '"', '"', place);
    if (char === '`') return this.#quoted('backquoted', '`', '`', place);
    if (this.#text.startsWith('%{', this.#at)) return this.#quoted('code', '%{', '}%', place);
    if (optionsMay && this.#text.startsWith('--', this.#at)) {
      const option = this.#match(OPTION);
      if (option !== null) return { kind: 'option', text: option.slice(2), value: 0, ...place };
    }
    for (const [kind, pattern] of PATTERNS) {
      const text = this.#match(pattern);
      if (text === null) continue;
      if (kind === 'word') return this.#word(text, place);
      const value = kind === 'integer' || kind === 'float' ? Number(text) : 0;
      return { kind, text, value, ...place };
    }
    throw new ScriptError(this.#file, place, `unexpected character ${JSON.stringify(char)}`);
  }

  #word(text: string, place: Place): Token {
    const value = this.#defines.get(text);
    if (value === undefined) return { kind: 'word', text, value: 0, ...place };
    const inner = value.slice(1, -1);
    if (value.startsWith('"')) return { kind: 'string', text: inner, value: 0, ...place };
    if (value.startsWith('`')) return { kind: 'backquoted', text: inner, value: 0, ...place };
    if (/^-?(0x[0-9a-fA-F]+|[0-9]+)$/.test(value))
      return { kind: 'integer', text: value, value: Number(value), ...place };
    return { kind: 'word', text: value, value: 0, ...place };
  }

  #quoted(kind: TokenKind, open: string, close: string, place: Place): Token {
    const from = this.#at + open.length;
    let end = from;
    for (;;) {
      end = this.#text.indexOf(close, end);
      if (end < 0) throw new ScriptError(this.#file, place, `no ${close} closes this ${open}`);
      if (kind === 'code' || this.#text[end - 1] !== '\\') break;
      end++;
    }
    const text = this.#text.slice(from, end);
    this.#advance(end + close.length);
    return { kind, text, value: 0, ...place };
  }

  #skipBlank(): void {
    for (;;) {
      const before = this.#at;
      this.#match(BLANK);
      if (this.#text.startsWith('/*', this.#at)) {
        throw new ScriptError(this.#file, this.#place(), 'no */ closes this comment');
      }
      if (this.#text[this.#at] === '#' && this.#text.slice(this.#lineAt, this.#at).trim() === '')
        this.#match(HASH_COMMENT);
      if (this.#at === before) return;
    }
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null || found[0] === '') return null;
    this.#advance(this.#at + found[0].length);
    return found[0];
  }

  #advance(to: number): void {
    for (let i = this.#at; i < to; i++) {
      if (this.#text[i] !== '\n') continue;
      this.#line++;
      this.#lineAt = i + 1;
    }
    this.#at = to;
  }

  #place(): Place {
    return { line: this.#line, column: this.#at - this.#lineAt + 1 };
  }
}
