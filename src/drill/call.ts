/**
 * The form of a system call under way: tried until it has a result, as a blocked thread would be woken.
 *
 * Thread: the caller's.
 */

import type { Descriptors } from './descriptors.ts';
import type { Flow } from './flow.ts';
import type { Machine } from './machine.ts';
import type { DrillSettings } from './settings.ts';
import type { Expression, ScriptCall } from './syntax.ts';
import { CallMistake, numberOf } from './values.ts';

export interface CallResult {
  /** As internal calls return it: a count, a descriptor, or a negative errno. */
  value: number;
  /** Difference between the arguments that the call filled and the script; null when there is none. */
  mismatch: string | null;
}

export interface PendingCall {
  /** Null: it would block now; try again when something has happened, or at `deadlineUs`. */
  attempt(): CallResult | null;
  /** Script time at which a time-out of the call itself ends it; Infinity when none does. */
  deadlineUs: number;
}

export interface CallContext {
  readonly machine: Machine;
  readonly settings: DrillSettings;
  readonly descriptors: Descriptors;
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
  return { attempt: () => ({ value, mismatch }), deadlineUs: Infinity };
}

/** A call that is tried until it returns something other than null. */
export function retried(attempt: () => number | null): PendingCall {
  const tryOnce = (): CallResult | null => {
    const value = attempt();
    return value === null ? null : { value, mismatch: null };
  };
  return { attempt: tryOnce, deadlineUs: Infinity };
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
