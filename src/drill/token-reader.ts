/** A place in a list of tokens, with the questions a parser asks. Thread: any. */

import type { Token, TokenKind } from './lexer.ts';
import { type Place, ScriptError } from './syntax.ts';

export class TokenReader {
  readonly file: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(file: string, tokens: readonly Token[]) {
    this.file = file;
    this.#tokens = tokens;
  }

  /** The token `ahead` places on; the last one is `end`. */
  peek(ahead: number = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)] as Token;
  }

  take(): Token {
    const token = this.peek();
    if (token.kind !== 'end') this.#at++;
    return token;
  }

  /** Whether this punctuation or word is next. */
  is(text: string, ahead: number = 0): boolean {
    const token = this.peek(ahead);
    return (token.kind === 'punctuation' || token.kind === 'word') && token.text === text;
  }

  isKind(kind: TokenKind, ahead: number = 0): boolean {
    return this.peek(ahead).kind === kind;
  }

  /** Take it when it is next. */
  accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.#at++;
    return true;
  }

  expect(text: string): Token {
    if (!this.is(text)) this.fail(`expected ${text}`);
    return this.take();
  }

  expectKind(kind: TokenKind, what: string): Token {
    if (!this.isKind(kind)) this.fail(`expected ${what}`);
    return this.take();
  }

  /** An integer from `min` to `max`. */
  integer(what: string, min: number = Number.MIN_SAFE_INTEGER, max: number = Number.MAX_SAFE_INTEGER): number {
    const token = this.expectKind('integer', what);
    if (token.value < min || token.value > max) this.failAt(token, `${what} ${token.text} is not in ${min}..${max}`);
    return token.value;
  }

  /** Throws ScriptError at the next token, which is named. */
  fail(reason: string): never {
    const token = this.peek();
    this.failAt(token, `${reason}, not ${token.kind === 'end' ? token.text : JSON.stringify(token.text)}`);
  }

  failAt(place: Place, reason: string): never {
    throw new ScriptError(this.file, { line: place.line, column: place.column }, reason);
  }
}
