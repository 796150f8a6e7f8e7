/**
 * System calls of a script: made for the process under test by number, with their structures laid out in its memory.
 *
 * Thread: the caller's. A call that waits is tried again in every turn, as a blocked thread would be woken.
 */

import type { SocketAddress } from '../socket/socket.ts';
import { ArrayMemory } from '../sys/copy.ts';
import type { DatagramFile, StreamFile } from '../sys/socket-file.ts';
import { SYS, systemCall } from '../sys/syscalls.ts';
import { BLOCKED, type CallHandler, SystemCall } from '../sys/system-call.ts';
import { storeAddress } from '../sys/user-struct.ts';
import type { ScriptProcess } from './descriptors.ts';
import type { Flow } from './flow.ts';
import type { Machine } from './machine.ts';
import type { DrillSettings } from './settings.ts';
import type { Expression, ScriptCall } from './syntax.ts';
import { CallMistake, numberOf } from './values.ts';

/** Sockets of scripts. */
export type TransportFile = StreamFile | DatagramFile;

export interface CallResult {
  /** As internal calls return it: a count, a descriptor, or a negative errno. */
  value: number;
  /** Difference between what the call gave back in its arguments and the script; null when there is none. */
  mismatch: string | null;
}

export interface PendingCall {
  /** Null: it would block now; try again when something has happened. */
  attempt(): CallResult | null;
}

export interface CallContext {
  readonly machine: Machine;
  readonly settings: DrillSettings;
  readonly process: ScriptProcess;
  /** From now on the script's packets are this flow's. */
  watch(flow: Flow): void;
  /** The flow whose far end is at this address and port. */
  flowOf(address: number, port: number): Flow | null;
  /** Tell the reader of the report something that is no failure. */
  note(text: string): void;
}

export type ScriptCallHandler = (context: CallContext, call: ScriptCall) => PendingCall;

/** A call that has its result at once. */
export function done(value: number, mismatch: string | null = null): PendingCall {
  return { attempt: () => ({ value, mismatch }) };
}

/** Structures of a call are laid out below this address of its memory, data from it on. */
export const DATA: number = 64 * 1024;

/** Memory of the process for one call: `dataBytes` of data, all zero. */
export class ScriptMemory extends ArrayMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(dataBytes: number = 0) {
    const bytes = new Uint8Array(DATA + dataBytes);
    super(bytes);
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }

  /** Lay out a `struct sockaddr` at an address. */
  putAddress(at: number, address: SocketAddress): void {
    storeAddress(this, at, address.family === 4 ? 16 : 28, address);
  }
}

/** Turns the result of a call into the script's view of it. */
export type Judge = (result: number) => number | CallResult;

/** A system call of the process under test, by name. */
export function made(
  context: CallContext,
  memory: ScriptMemory,
  name: string,
  args: readonly number[],
  judge: Judge = (result) => result,
): PendingCall {
  const call = new SystemCall(context.process.process, memory);
  const [a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0] = args;
  return pending(call, () => systemCall(call, SYS[name] as number, a0, a1, a2, a3, a4, a5), judge);
}

/** A call of the process under test that has no number: the handler does what epoll(7) does. */
export function madeBy(context: CallContext, handler: CallHandler, judge: Judge): PendingCall {
  const call = new SystemCall(context.process.process, new ScriptMemory());
  return pending(call, () => call.run(handler), judge);
}

function pending(call: SystemCall, begin: () => number, judge: Judge): PendingCall {
  let begun = false;
  const attempt = (): CallResult | null => {
    const result = begun ? call.retry() : begin();
    begun = true;
    if (result === BLOCKED) return null;
    const judged = judge(result);
    return typeof judged === 'number' ? { value: judged, mismatch: null } : judged;
  };
  return { attempt };
}

export function argument(call: ScriptCall, index: number): Expression {
  const expression = call.args[index];
  if (expression === undefined) throw new CallMistake(`${call.name}() needs more than ${call.args.length} arguments`);
  return expression;
}

/** The number of an address in the script; `fallback` where it says none, or "any". */
export function addressNumber(context: CallContext, text: string | null, fallback: number): number {
  if (text === null) return fallback;
  const address = context.machine.book.parse(text);
  if (address === null) throw new CallMistake(`${text} is not an address`);
  return address === 0 ? fallback : address;
}

export function numberArgument(call: ScriptCall, index: number): number {
  return numberOf(argument(call, index));
}

/** A flag word that scripts may leave out or write as `...`. */
export function flagsArgument(call: ScriptCall, index: number): number {
  const expression = call.args[index];
  return expression === undefined || expression.kind === 'ellipsis' ? 0 : numberOf(expression);
}

/** The descriptor the script expects as the result; -1 when it expects an error or does not say. */
export function expectedDescriptor(call: ScriptCall): number {
  return call.result.kind === 'integer' ? call.result.value : -1;
}
