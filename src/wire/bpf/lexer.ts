/** Words of a filter expression. Thread: any. Cold: once per filter. */

import { MultikernelError } from '../../base/errors.ts';
import { parseIp } from '../ip-address.ts';
import { CONSTANTS } from './names.ts';

/**
 * `escaped`: a name behind a backslash, which is no keyword. `dotted`: the begin of an IPv4 address, two to four numbers.
 * `operator` has brackets too.
 */
export type TokenKind = 'word' | 'escaped' | 'number' | 'dotted' | 'address6' | 'mac' | 'operator' | 'end';

/** A word of an expression, with its place for messages. */
export interface Token {
  kind: TokenKind;
  text: string;
  /** Value of a number. */
  value: number;
  /** From 1. */
  column: number;
}

const MAC = /^(?:[0-9a-f]{1,2}(?:[:-][0-9a-f]{1,2}){5}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}|[0-9a-f]{12})(?![\w.:-])/i;
const ADDRESS6 = /^[0-9a-f]*:[0-9a-f:.]*/i;
const WORD = /^[a-z0-9](?:[-_.a-z0-9]*[.a-z0-9])?/i;
const ESCAPED = /^\\[^ !()\n\t]+/;
const OPERATOR = /^(?:&&|\|\||==|!=|<=|>=|<<|>>|[!=<>()[\]:+\-*/%&|^])/;
const NUMBER = /^(?:0x[0-9a-f]+|[0-9]+)$/i;
const OCTAL = /^0[0-7]+$/;
const DOTTED = /^\d+(?:\.\d+){1,3}$/;
const UINT32_MAX = 0xffff_ffff;

/** An error that shows where in the expression. */
export function expressionError(expression: string, column: number, what: string): MultikernelError {
  return new MultikernelError('EINVAL', `filter '${expression}', column ${column}: ${what}`);
}

function numberOf(text: string): number {
  return OCTAL.test(text) ? Number.parseInt(text, 8) : Number(text);
}

function wordToken(expression: string, text: string, column: number): Token {
  const constant = CONSTANTS.get(text.toLowerCase());
  if (constant !== undefined) return { kind: 'number', text, value: constant, column };
  if (DOTTED.test(text)) return { kind: 'dotted', text, value: 0, column };
  if (!NUMBER.test(text)) return { kind: 'word', text, value: 0, column };
  const value = numberOf(text);
  if (value > UINT32_MAX) throw expressionError(expression, column, `${text} has more than 32 bits`);
  return { kind: 'number', text, value, column };
}

function tokenAt(expression: string, at: number): Token {
  const rest = expression.slice(at);
  const column = at + 1;
  const mac = MAC.exec(rest)?.[0];
  if (mac !== undefined) return { kind: 'mac', text: mac, value: 0, column };
  const address = ADDRESS6.exec(rest)?.[0];
  if (address !== undefined && parseIp(address)?.family === 6) {
    return { kind: 'address6', text: address, value: 0, column };
  }
  const word = WORD.exec(rest)?.[0];
  if (word !== undefined) return wordToken(expression, word, column);
  const escaped = ESCAPED.exec(rest)?.[0];
  if (escaped !== undefined) return { kind: 'escaped', text: escaped.slice(1), value: 0, column };
  const operator = OPERATOR.exec(rest)?.[0];
  if (operator !== undefined) return { kind: 'operator', text: operator, value: 0, column };
  throw expressionError(expression, column, `'${rest[0]}' means nothing here`);
}

/** All words, then one of kind `end`. Throws MultikernelError `EINVAL` for what is none. */
export function tokensOf(expression: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < expression.length; ) {
    if (/\s/.test(expression[at] as string)) {
      at++;
      continue;
    }
    const token = tokenAt(expression, at);
    tokens.push(token);
    at += token.text.length + (token.kind === 'escaped' ? 1 : 0);
  }
  tokens.push({ kind: 'end', text: '', value: 0, column: expression.length + 1 });
  return tokens;
}
