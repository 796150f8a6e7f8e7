/**
 * A packetdrill script from its text: options, then events, each a time and what happens.
 *
 * Thread: any; a pure function. Errors name file, line and column. Read first: syntax.ts.
 */

import { US_PER_S } from '../base/units.ts';
import { type LexerOptions, tokenize } from './lexer.ts';
import { parseExpression, parseList } from './parse-expression.ts';
import { atPacket, parsePacket } from './parse-packet.ts';
import type { Action, CommandText, EventTime, Script, ScriptCall, ScriptEvent, ScriptOption } from './syntax.ts';
import { TokenReader } from './token-reader.ts';

/** The options alone, which may define words of the rest. Throws ScriptError. */
export function parseOptions(file: string, text: string): ScriptOption[] {
  const reader = new TokenReader(file, tokenize(file, text));
  const options: ScriptOption[] = [];
  while (reader.isKind('option')) options.push(parseOption(reader));
  return options;
}

/** Throws ScriptError. */
export function parseScript(file: string, text: string, options: LexerOptions = {}): Script {
  const reader = new TokenReader(file, tokenize(file, text, options));
  const script: Script = { file, options: [], init: null, events: [], cleanup: null };
  while (reader.isKind('option')) script.options.push(parseOption(reader));
  if (reader.isKind('backquoted')) script.init = parseCommand(reader);
  while (!reader.isKind('end') && !reader.isKind('backquoted')) script.events.push(parseEvent(reader));
  if (reader.isKind('backquoted')) script.cleanup = parseCommand(reader);
  if (!reader.isKind('end')) reader.fail('expected the end after the last command, which has no time');
  if (script.events.length === 0) reader.fail('expected an event');
  return script;
}

function parseOption(reader: TokenReader): ScriptOption {
  const { text, line, column } = reader.take();
  const equals = text.indexOf('=');
  if (equals < 0) return { name: text, value: null, line, column };
  return { name: text.slice(0, equals), value: unquoted(text.slice(equals + 1)), line, column };
}

function unquoted(text: string): string {
  return /^"[^"]*"$/.test(text) ? text.slice(1, -1) : text;
}

function parseCommand(reader: TokenReader): CommandText {
  const { text, line, column } = reader.take();
  return { text, line, column };
}

function parseEvent(reader: TokenReader): ScriptEvent {
  const start = reader.peek();
  const time = parseTime(reader);
  const action = parseAction(reader);
  const outbound = action.kind === 'packet' && action.packet.direction === 'out';
  if (!outbound && time.type !== 'absolute' && time.type !== 'relative') {
    reader.failAt(start, `${time.type === 'any' ? '*' : 'a range of times'} is for outbound packets`);
  }
  return { time, action, line: start.line, column: start.column };
}

function parseTime(reader: TokenReader): EventTime {
  if (reader.accept('*')) return { type: 'any', us: 0, endUs: 0 };
  const relative = reader.accept('+');
  const start = reader.peek();
  const us = parseSeconds(reader);
  if (!reader.accept('~')) return { type: relative ? 'relative' : 'absolute', us, endUs: us };
  if (relative) reader.expect('+');
  const endUs = parseSeconds(reader);
  if (endUs < us) reader.failAt(start, 'the range of times runs backwards');
  return { type: relative ? 'relative-range' : 'absolute-range', us, endUs };
}

function parseSeconds(reader: TokenReader): number {
  if (!reader.isKind('integer') && !reader.isKind('float')) reader.fail('expected a time in seconds');
  const token = reader.take();
  if (token.value < 0) reader.failAt(token, `negative time ${token.text}`);
  return Math.round(token.value * US_PER_S);
}

function parseAction(reader: TokenReader): Action {
  if (atPacket(reader)) return { kind: 'packet', packet: parsePacket(reader) };
  if (reader.isKind('backquoted')) return { kind: 'command', command: parseCommand(reader) };
  if (reader.isKind('code')) return { kind: 'code', text: reader.take().text };
  return { kind: 'call', call: parseCall(reader) };
}

function parseCall(reader: TokenReader): ScriptCall {
  const endUs = reader.accept('...') ? parseSeconds(reader) : null;
  const name = reader.expectKind('word', 'a packet, a system call, a command or code').text;
  reader.expect('(');
  const args = parseList(reader, ')');
  reader.expect('=');
  const result = parseExpression(reader);
  const errno = reader.isKind('word') ? reader.take().text : null;
  if (reader.is('(')) skipNote(reader);
  return { name, endUs, args, result, errno };
}

/** `(Operation now in progress)`: for people. */
function skipNote(reader: TokenReader): void {
  reader.expect('(');
  while (!reader.accept(')')) {
    if (reader.isKind('end')) reader.fail('expected )');
    reader.take();
  }
}
