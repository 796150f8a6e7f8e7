/**
 * Parser of filter expressions: pcap-filter(7), as tcpdump takes it.
 *
 * `and` and `or` have one precedence and associate to the left; `not` binds closer. An id without words in front of it has those of
 * the id before: `tcp port 80 or 443`. Thread: any. Read first: syntax.ts. Cold: once per filter.
 */

import type { MultikernelError } from '../../base/errors.ts';
import { expressionError, type Token, tokensOf } from './lexer.ts';
import { ETHER_TYPES, TRANSPORTS, UNSUPPORTED } from './names.ts';
import type { Arithmetic, Direction, Expression, Id, IdKind, Qualifiers } from './syntax.ts';

const KINDS: ReadonlySet<string> = new Set(['host', 'net', 'port', 'portrange', 'proto']);
const RELATIONS: ReadonlySet<string> = new Set(['=', '==', '!=', '<', '<=', '>', '>=']);
const PRECEDENCE: Readonly<Record<string, number>> = {
  '|': 1,
  '&': 1,
  '^': 1,
  '<<': 2,
  '>>': 2,
  '+': 3,
  '-': 3,
  '*': 4,
  '/': 4,
  '%': 4,
};
/** Parentheses, `not` and operators within each other. */
const DEPTH_MAX = 100;

/** An expression, and the words that an id behind it inherits. */
interface Term {
  node: Expression;
  qualifiers: Qualifiers | null;
}

function isProtocol(token: Token): boolean {
  if (token.kind !== 'word') return false;
  const { text } = token;
  return TRANSPORTS.has(text) || ETHER_TYPES.has(text) || text === 'ether' || text === 'link';
}

class Parser {
  readonly #expression: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(expression: string) {
    this.#expression = expression;
    this.#tokens = tokensOf(expression);
  }

  whole(): Expression | null {
    if (this.#token().kind === 'end') return null;
    const { node } = this.#expressionAfter(null);
    if (this.#token().kind !== 'end') throw this.#unexpected();
    return node;
  }

  #token(ahead = 0): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)] as Token;
  }

  #take(): Token {
    const token = this.#token();
    this.#at++;
    return token;
  }

  #is(...texts: string[]): boolean {
    const { kind, text } = this.#token();
    return (kind === 'word' || kind === 'operator') && texts.includes(text);
  }

  #takeIf(...texts: string[]): boolean {
    if (!this.#is(...texts)) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#takeIf(text)) throw this.#unexpected(`'${text}' is missing`);
  }

  #error(token: Token, what: string): MultikernelError {
    return expressionError(this.#expression, token.column, what);
  }

  #unexpected(wanted?: string): MultikernelError {
    const token = this.#token();
    const found = token.kind === 'end' ? 'the expression ends' : `'${token.text}' is not expected here`;
    return this.#error(token, wanted === undefined ? found : `${wanted}; ${found}`);
  }

  /** One more level; trees of any depth would take any stack. */
  #deeper<T>(parse: () => T): T {
    if (++this.#depth > DEPTH_MAX) throw this.#error(this.#token(), 'too many levels');
    const result = parse();
    this.#depth--;
    return result;
  }

  /** Terms with `and` and `or` between them; `inherited` is what an id at the start has. */
  #expressionAfter(inherited: Qualifiers | null): Term {
    let left = this.#term(inherited);
    for (;;) {
      const kind = this.#takeIf('and', '&&') ? 'and' : this.#takeIf('or', '||') ? 'or' : null;
      if (kind === null) return left;
      const right = this.#term(left.qualifiers);
      left = { node: { kind, left: left.node, right: right.node }, qualifiers: right.qualifiers };
    }
  }

  #term(inherited: Qualifiers | null): Term {
    if (this.#takeIf('not', '!')) {
      const { node, qualifiers } = this.#deeper(() => this.#term(inherited));
      return { node: { kind: 'not', of: node }, qualifiers };
    }
    if (this.#isArithmetic()) return { node: this.#relation(), qualifiers: null };
    if (this.#is('(')) return this.#parentheses(inherited);
    if (this.#isId()) {
      if (inherited === null)
        throw this.#error(this.#token(), `what is '${this.#token().text}'? Say host, net, port ...`);
      return this.#idTerm(inherited);
    }
    return this.#primitive();
  }

  #parentheses(inherited: Qualifiers | null): Term {
    this.#expect('(');
    const inner = this.#deeper(() => this.#expressionAfter(inherited));
    this.#expect(')');
    return { node: inner.node, qualifiers: inherited };
  }

  /** Whether an id stands here, and no keyword. */
  #isId(): boolean {
    const token = this.#token();
    if (token.kind === 'end' || token.kind === 'operator') return false;
    if (token.kind !== 'word') return true;
    const { text } = token;
    const others = [
      'src',
      'dst',
      'broadcast',
      'multicast',
      'less',
      'greater',
      'vlan',
      'and',
      'or',
      'not',
      'mask',
      'len',
      'length',
    ];
    return !(isProtocol(token) || KINDS.has(text) || UNSUPPORTED.has(text) || others.includes(text));
  }

  /** Whether a relation begins here: by its first word, or by what follows the parenthesis. */
  #isArithmetic(): boolean {
    if (this.#is('-', 'len', 'length')) return true;
    const next = this.#token(1);
    if (isProtocol(this.#token())) return next.kind === 'operator' && next.text === '[';
    if (this.#token().kind === 'number') return this.#isOperator(next);
    if (!this.#is('(')) return false;
    let open = 0;
    for (let ahead = 0; this.#token(ahead).kind !== 'end'; ahead++) {
      const { kind, text } = this.#token(ahead);
      if (kind !== 'operator') continue;
      if (text === '(') open++;
      if (text === ')' && --open === 0) return this.#isOperator(this.#token(ahead + 1));
    }
    return false;
  }

  #isOperator({ kind, text }: Token): boolean {
    return kind === 'operator' && (RELATIONS.has(text) || text in PRECEDENCE);
  }

  #primitive(): Term {
    const token = this.#token();
    const none = (node: Expression): Term => ({ node, qualifiers: null });
    if (this.#takeIf('less', 'greater')) {
      return none({ kind: token.text as 'less' | 'greater', bytes: this.#number('a number of bytes') });
    }
    if (this.#takeIf('vlan')) {
      const id = this.#token().kind === 'number' && !this.#isArithmetic() ? this.#take() : null;
      return none({ kind: 'vlan', id });
    }
    const protocol = isProtocol(token) ? this.#take() : null;
    if (this.#is('broadcast', 'multicast')) {
      const what = this.#take();
      return none({ kind: what.text as 'broadcast', protocol: protocol?.text ?? null, token: what });
    }
    const qualifiers = this.#qualifiers(protocol?.text ?? null);
    if (qualifiers !== null) return this.#idTerm(qualifiers);
    if (protocol === null) throw this.#noPrimitive(token);
    return none({ kind: 'protocol', name: protocol });
  }

  #noPrimitive(token: Token): MultikernelError {
    const supported = token.kind !== 'word' || !UNSUPPORTED.has(token.text);
    return supported ? this.#unexpected() : this.#error(token, `'${token.text}' is not supported`);
  }

  /** Direction and kind of an id, null when neither is here. */
  #qualifiers(protocol: string | null): Qualifiers | null {
    const direction = this.#direction();
    const { text } = this.#token();
    if (this.#token().kind === 'word' && KINDS.has(text)) {
      this.#at++;
      return { protocol, direction: direction ?? 'any', kind: text as IdKind };
    }
    if (this.#token().kind === 'word' && UNSUPPORTED.has(text)) throw this.#noPrimitive(this.#token());
    return direction === null ? null : { protocol, direction, kind: 'host' };
  }

  #direction(): Direction | null {
    const first = this.#token().text;
    if (!this.#takeIf('src', 'dst')) return null;
    const { text } = this.#token(1);
    const other = first === 'src' ? 'dst' : 'src';
    if (this.#is('and', '&&', 'or', '||') && text === other) {
      const both = this.#is('and', '&&');
      this.#at += 2;
      return both ? 'both' : 'any';
    }
    return first as Direction;
  }

  /** An id, or several of the same kind in parentheses. */
  #idTerm(qualifiers: Qualifiers): Term {
    if (this.#is('(') || this.#is('not', '!')) {
      const inner = this.#deeper(() => this.#term(qualifiers));
      return { node: inner.node, qualifiers };
    }
    if (!this.#isId()) throw this.#unexpected(`a ${qualifiers.kind} is missing`);
    const token = this.#take();
    const id: Id = { token, prefixLength: null, mask: null };
    if (this.#is('/')) {
      this.#at++;
      id.prefixLength = this.#number('a prefix length');
    } else if (this.#takeIf('mask')) {
      const mask = this.#take();
      if (mask.kind !== 'dotted') throw this.#error(mask, `'${mask.text}' is no mask`);
      id.mask = mask.text;
    }
    return { node: { kind: 'id', qualifiers, id }, qualifiers };
  }

  #number(what: string): number {
    const token = this.#take();
    if (token.kind !== 'number') throw this.#error(token, `'${token.text}' is not ${what}`);
    return token.value;
  }

  #relation(): Expression {
    const left = this.#arithmetic(0);
    const operator = this.#take();
    if (operator.kind !== 'operator' || !RELATIONS.has(operator.text)) {
      this.#at--;
      throw this.#unexpected('a comparison (=, !=, <, >) is missing');
    }
    return { kind: 'relation', operator: operator.text, left, right: this.#arithmetic(0) };
  }

  /** Operators that bind closer than `least`. */
  #arithmetic(least: number): Arithmetic {
    let left = this.#deeper(() => this.#operand());
    for (;;) {
      const operator = this.#token();
      const precedence = operator.kind === 'operator' ? (PRECEDENCE[operator.text] ?? 0) : 0;
      if (precedence <= least) return left;
      this.#at++;
      const right = this.#deeper(() => this.#arithmetic(precedence));
      left = { kind: 'operation', operator, left, right };
    }
  }

  #operand(): Arithmetic {
    const token = this.#take();
    if (token.kind === 'number') return { kind: 'constant', value: token.value };
    if (token.kind === 'operator' && token.text === '-') {
      return { kind: 'negation', of: this.#deeper(() => this.#operand()) };
    }
    if (token.kind === 'operator' && token.text === '(') {
      const inner = this.#arithmetic(0);
      this.#expect(')');
      return inner;
    }
    if (token.kind === 'word' && (token.text === 'len' || token.text === 'length')) return { kind: 'length' };
    if (!isProtocol(token)) {
      this.#at--;
      throw this.#unexpected('a number or a field is missing');
    }
    this.#expect('[');
    const index = this.#arithmetic(0);
    let bytes = 1;
    if (this.#takeIf(':')) {
      const size = this.#token();
      bytes = this.#number('a size');
      if (bytes !== 1 && bytes !== 2 && bytes !== 4) throw this.#error(size, 'a size is 1, 2 or 4');
    }
    this.#expect(']');
    return { kind: 'load', protocol: token, index, bytes };
  }
}

/** The tree of an expression, null for an empty one. Throws MultikernelError `EINVAL` with the column. */
export function parseExpression(expression: string): Expression | null {
  return new Parser(expression).whole();
}
