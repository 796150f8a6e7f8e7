/** One run of ping(8) or ping6(8): events become text, and the counts an exit code. Thread: the command's. */

import { MultikernelError } from '../base/errors.ts';
import type { AddressFamily } from './address-text.ts';
import type { PingEvent, PingOptions } from './echo.ts';
import type { EchoView } from './echo-text.ts';
import { ERROR_TEXT } from './error-text.ts';
import { ArgumentError, type Options } from './getopt.ts';
import { pingStream } from './ping-stream.ts';
import type { ToolContext } from './tool.ts';

/** A preload of so many, and patterns of so many bytes, at most. */
const PATTERN_DIGITS_MAX = 32;
/** Without answers the end comes so many intervals after the last request. */
const LAST_INTERVALS = 10;
/** Exit code without an answer. */
const EXIT_SILENT = 2;
/** Interval of -f, and the least one. */
export const FLOOD_SEC = 0.01;

export interface PingRun {
  name: 'ping' | 'ping6';
  family: AddressFamily;
  format(event: PingEvent, view: EchoView): string;
  /** System call that failed, in errors of sending. */
  sendCall: string;
  /** Text of a socket that cannot be had. */
  socketCall: string;
}

/** A number as strtol(3) and strtod(3) read it; {@link ArgumentError} with `refusal` where it is none, or not from `min` to `max`. */
export function checkedValue(
  options: Options,
  letter: string,
  fallback: number,
  [min, max]: readonly [number, number],
  refusal: string,
): number {
  const text = options.values.get(letter);
  if (text === undefined) return fallback;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= min && value <= max)) throw new ArgumentError(`${refusal}${text}`);
  return value;
}

/** `-p`: one byte for two digits; the last may be one digit. */
export function patternOf(text: string, refusal: string): number[] {
  if (!/^[0-9a-f]+$/i.test(text) || text.length > PATTERN_DIGITS_MAX) throw new ArgumentError(refusal);
  return (text.match(/../g) ?? [text]).map((digits) => Number.parseInt(digits, 16));
}

/** The wait behind the last request of that interval. */
export function lastWaitMs(intervalMs: number): number {
  return Math.min(LAST_INTERVALS * intervalMs, 0x7fffffff);
}

/** ping6 looks for its source by a datagram socket first: without a route, or the zone of a link-local address, that is all it does. */
async function isCutOff(
  { kernel, json }: ToolContext,
  { name }: PingRun,
  request: PingOptions,
  { address, source }: Extract<PingEvent, { type: 'start' }>,
): Promise<boolean> {
  if (name !== 'ping6' || json || source !== undefined || request.source !== undefined) return false;
  try {
    await kernel.routeTo(address, null);
    return false;
  } catch (error) {
    if (error instanceof MultikernelError) return true;
    throw error;
  }
}

/** Ping until the end, and print. Exit code. */
export async function runPing(
  context: ToolContext,
  run: PingRun,
  request: PingOptions,
  options: Options,
): Promise<number> {
  const { out } = context;
  const { host, payloadBytes, pattern } = request;
  const { flags } = options;
  const hosts = await context.hosts();
  const numeric = flags.has('n') || run.name === 'ping6';
  const name = (address: string): string => {
    const found = numeric ? null : hosts.nameOf(address);
    return found === null ? address : `${found} (${address})`;
  };
  const [quiet, semiQuiet, verbose] = [flags.has('q'), flags.has('Q'), flags.has('v')];
  const view: EchoView = { host, quiet, semiQuiet, verbose, payloadBytes, name };
  if (pattern !== undefined && !quiet && !context.json) {
    out.write(`PATTERN: 0x${pattern.map((byte) => byte.toString(16).padStart(2, '0')).join('')}\n`);
  }
  const events = pingStream(context.kernel.client, { ...request, family: run.family, verbose });
  const stop = (): void => events.close();
  context.signal.addEventListener('abort', stop, { once: true });
  let code = 1;
  try {
    for await (const event of events) {
      if (event.type === 'start' && (await isCutOff(context, run, request, event))) {
        out.error('ping6: UDP connect: No route to host\n');
        return 1;
      }
      if (event.type === 'reply' && flags.has('o')) events.close();
      if (event.type === 'end') code = event.received > 0 ? 0 : EXIT_SILENT;
      if (context.json) {
        out.write(`${JSON.stringify(event)}\n`);
        continue;
      }
      if (event.type === 'sendError')
        out.error(`${run.name}: ${run.sendCall}: ${ERROR_TEXT[event.code] ?? event.code}\n`);
      out.write(run.format(event, view));
    }
  } catch (error) {
    if (!(error instanceof MultikernelError)) throw error;
    const text = ERROR_TEXT[error.code];
    if (text === undefined || error.code === 'EINVAL') throw error;
    const call = error.message.startsWith('bind') ? 'bind' : run.socketCall;
    out.error(`${run.name}: ${call}: ${text}\n`);
    return 1;
  } finally {
    context.signal.removeEventListener('abort', stop);
  }
  return code;
}
