/**
 * Arguments and results of system calls: integers, symbols, strings, `...`, lists and structures.
 *
 * Thread: any. A structure is read by its form (`{name=value, name(args)=value, value}`), so that every one of C's
 * structures is readable here; which of them mean something is the business of whoever evaluates them.
 */

import type { Expression, StructField } from './syntax.ts';
import type { TokenReader } from './token-reader.ts';

export function parseExpression(reader: TokenReader): Expression {
  const { line, column } = reader.peek();
  const first = parsePrimary(reader);
  if (!reader.is('|')) return first;
  const parts = [first];
  while (reader.accept('|')) parts.push(parsePrimary(reader));
  return { kind: 'or', parts, line, column };
}

/** Up to `close`, which is taken. */
export function parseList(reader: TokenReader, close: string): Expression[] {
  const items: Expression[] = [];
  while (!reader.accept(close)) {
    if (items.length > 0) reader.expect(',');
    items.push(parseExpression(reader));
  }
  return items;
}

function parsePrimary(reader: TokenReader): Expression {
  const { line, column, kind, text, value } = reader.peek();
  const place = { line, column };
  if (reader.accept('...')) return { kind: 'ellipsis', ...place };
  if (reader.accept('[')) return { kind: 'list', items: parseList(reader, ']'), ...place };
  if (reader.is('{')) return { kind: 'struct', fields: parseStruct(reader), ...place };
  switch (kind) {
    case 'integer':
      reader.take();
      return { kind: 'integer', value, ...place };
    case 'string':
      return { kind: 'string', value: parseString(reader), ...place };
    case 'word':
      reader.take();
      if (reader.accept('(')) return { kind: 'call', name: text, args: parseList(reader, ')'), ...place };
      return { kind: 'word', name: text, ...place };
    default:
      return reader.fail('expected a value');
  }
}

/** Neighbouring strings are one; `"abc"...` is a string of which only the beginning is written. */
function parseString(reader: TokenReader): string {
  let text = '';
  while (reader.isKind('string')) text += reader.take().text;
  reader.accept('...');
  return text;
}

function parseStruct(reader: TokenReader): StructField[] {
  reader.expect('{');
  const fields: StructField[] = [];
  while (!reader.accept('}')) {
    if (fields.length > 0) reader.expect(',');
    fields.push(parseField(reader));
  }
  return fields;
}

function parseField(reader: TokenReader): StructField {
  const value = parseExpression(reader);
  if (!reader.is('=')) return { name: null, args: [], value };
  if (value.kind !== 'word' && value.kind !== 'call') reader.fail('expected a field name before =');
  reader.take();
  const args = value.kind === 'call' ? value.args : [];
  return { name: (value as { name: string }).name, args, value: parseExpression(reader) };
}
