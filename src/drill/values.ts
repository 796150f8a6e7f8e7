/**
 * Values of the arguments of a system call.
 *
 * Thread: any; pure functions. A mistake of the script throws CallMistake; what is right and cannot be played here throws
 * Unsupported. Both end the run at the line of the event.
 */

import { symbolValue } from './symbols.ts';
import type { Expression, StructField } from './syntax.ts';

/** The script asks for something this interpreter or this stack does not have. */
export class Unsupported extends Error {}

/** The script's call makes no sense. */
export class CallMistake extends Error {}

/** An integer, a symbol, or several joined by `|`. */
export function numberOf(expression: Expression): number {
  switch (expression.kind) {
    case 'integer':
      return expression.value;
    case 'word': {
      const value = symbolValue(expression.name);
      if (value === undefined) throw new Unsupported(`${expression.name} is not known here`);
      return value;
    }
    case 'or': {
      let bits = 0n;
      for (const part of expression.parts) bits |= BigInt(numberOf(part));
      return Number(bits);
    }
    case 'call':
      return callValue(expression.name, expression.args);
    default:
      throw new CallMistake(`expected a number, not ${describe(expression)}`);
  }
}

function callValue(name: string, args: readonly Expression[]): number {
  const [argument] = args;
  if (name === 'htons' && argument !== undefined) return numberOf(argument);
  throw new Unsupported(`${name}() is not known here`);
}

/** The number in `[n]`; null for `...` or an empty list. */
export function listedNumber(expression: Expression): number | null {
  if (expression.kind === 'ellipsis') return null;
  if (expression.kind !== 'list') return numberOf(expression);
  const [first] = expression.items;
  return first === undefined || first.kind === 'ellipsis' ? null : numberOf(first);
}

/** A symbol's name, where the number does not matter. */
export function wordOf(expression: Expression): string {
  if (expression.kind === 'word') return expression.name;
  if (expression.kind === 'integer') return String(expression.value);
  throw new CallMistake(`expected a name, not ${describe(expression)}`);
}

export function fieldsOf(expression: Expression): readonly StructField[] {
  if (expression.kind !== 'struct') throw new CallMistake(`expected {...}, not ${describe(expression)}`);
  return expression.fields;
}

/** The value of a named field; undefined when the structure has none. */
export function fieldOf(expression: Expression, name: string): Expression | undefined {
  return fieldsOf(expression).find((field) => field.name === name)?.value;
}

export interface GivenAddress {
  family: number;
  /** Text; null: any. */
  address: string | null;
  port: number;
}

/** `{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("1.2.3.4")}`; null for `...`. */
export function socketAddressOf(expression: Expression | undefined): GivenAddress | null {
  if (expression === undefined || expression.kind === 'ellipsis') return null;
  const family = fieldOf(expression, 'sa_family') ?? fieldOf(expression, 'sin_family');
  const port = fieldOf(expression, 'sin_port');
  const address = fieldOf(expression, 'sin_addr');
  const part = (value: Expression | undefined): number =>
    value === undefined || value.kind === 'ellipsis' ? 0 : numberOf(value);
  return { family: part(family), port: part(port), address: addressText(address) };
}

/** The text of the address in `inet_addr("1.2.3.4")` or `inet6_addr("::1")`. */
function addressText(expression: Expression | undefined): string | null {
  if (expression === undefined || expression.kind === 'ellipsis') return null;
  if (expression.kind === 'word' && expression.name === 'INADDR_ANY') return null;
  if (expression.kind === 'string') return expression.value;
  if (expression.kind === 'call' && /^inet6?_addr$/.test(expression.name)) {
    const [text] = expression.args;
    if (text?.kind === 'string') return text.value;
  }
  throw new CallMistake(`expected inet_addr("..."), not ${describe(expression)}`);
}

/** Lengths of `[{..., 1000}, {..., 20}]`. */
export function iovecLengths(expression: Expression): number[] {
  if (expression.kind !== 'list') throw new CallMistake(`expected [{..., length}], not ${describe(expression)}`);
  return expression.items.map((item) => {
    const fields = fieldsOf(item);
    const length = fields[fields.length - 1];
    if (length === undefined) throw new CallMistake('an iovec needs a length');
    return numberOf(length.value);
  });
}

export function describe(expression: Expression): string {
  switch (expression.kind) {
    case 'ellipsis':
      return '...';
    case 'integer':
      return String(expression.value);
    case 'word':
      return expression.name;
    case 'string':
      return JSON.stringify(expression.value);
    case 'or':
      return expression.parts.map(describe).join('|');
    case 'list':
      return `[${expression.items.map(describe).join(', ')}]`;
    case 'call':
      return `${expression.name}(${expression.args.map(describe).join(', ')})`;
    case 'struct':
      return `{${expression.fields.map(({ name, value }) => (name === null ? '' : `${name}=`) + describe(value)).join(', ')}}`;
  }
}
