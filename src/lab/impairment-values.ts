/**
 * Impairments in three forms: texts of people ({@link LineOptions}), numbers ({@link Impairment}), and those of a control request.
 *
 * Thread: any; pure functions. Texts were checked (link-schema.ts).
 */

import { type Impairment, JITTER_DISTRIBUTIONS } from '../link/impairment.ts';
import type { ImpairmentValues } from '../sys/control.ts';
import type { ImpairmentOptions, LineOptions } from './config.ts';
import { durationMs, formatDelay, formatRate, formatShare, rateBps, share, sizeBytes } from './quantity.ts';

const US_PER_MS = 1000;

/** Both ways of a link; a way without values is not touched. */
export interface Ways {
  up: Impairment;
  down: Impairment;
}

/** Packets or bytes that may wait; null: neither. */
export function queueLimit(queue: number | string): { queueFrames: number } | { queueBytes: number } | null {
  const isCount = typeof queue === 'number' || /^\d+$/.test(queue.trim());
  const limit = isCount ? Number(queue) : sizeBytes(queue);
  if (!(Number.isInteger(limit) && limit > 0 && limit <= 0x7fffffff)) return null;
  return isCount ? { queueFrames: limit } : { queueBytes: limit };
}

/** Only values that are given. */
function lineOf(options: LineOptions): Impairment {
  const line: Impairment = {};
  if (options.delay !== undefined) line.delayUs = durationMs(options.delay) * US_PER_MS;
  if (options.jitter !== undefined) line.jitterUs = durationMs(options.jitter) * US_PER_MS;
  if (options.distribution !== undefined) line.distribution = options.distribution;
  if (options.rate !== undefined) line.rateBps = rateBps(options.rate);
  for (const key of ['loss', 'duplicate', 'corrupt', 'reorder'] as const) {
    const value = options[key];
    if (value !== undefined) line[key] = share(value);
  }
  const { burst, queue } = options;
  if (burst !== undefined) {
    line.burst = {
      enter: share(burst.enter),
      leave: share(burst.leave),
      lossInside: share(burst.inside ?? '100%'),
      lossOutside: share(burst.outside ?? '0%'),
    };
  }
  return queue === undefined ? line : { ...line, ...queueLimit(queue) };
}

export function waysOf({ both: _both, up, down, ...common }: ImpairmentOptions): Ways {
  const all = lineOf(common);
  const single = (up === true) !== (down === true);
  const way = (own: ImpairmentOptions['up']): Impairment => {
    if (typeof own === 'object') return { ...all, ...lineOf(own) };
    return single && own !== true ? {} : all;
  };
  return { up: way(up), down: way(down) };
}

/** The values of `now`, but those that `change` has. Values that do nothing are left out. */
export function merged(now: Impairment, change: Impairment): Impairment {
  const result: Impairment = { ...now, ...change };
  if (change.queueFrames !== undefined) delete result.queueBytes;
  if (change.queueBytes !== undefined) delete result.queueFrames;
  for (const key of Object.keys(result) as (keyof Impairment)[]) if (result[key] === 0) delete result[key];
  if (result.burst?.enter === 0 && (result.burst.lossOutside ?? 0) === 0) delete result.burst;
  return result;
}

export function isNothing(line: Impairment): boolean {
  return Object.keys(line).length === 0;
}

/** As a kernel takes them. */
export function requestOf(line: Impairment): ImpairmentValues {
  return {
    delayUs: line.delayUs ?? 0,
    jitterUs: line.jitterUs ?? 0,
    distribution: JITTER_DISTRIBUTIONS.indexOf(line.distribution ?? 'uniform'),
    loss: line.loss ?? 0,
    burstEnter: line.burst?.enter ?? 0,
    burstLeave: line.burst?.leave ?? 0,
    burstLossInside: line.burst?.lossInside ?? 1,
    burstLossOutside: line.burst?.lossOutside ?? 0,
    duplicate: line.duplicate ?? 0,
    reorder: line.reorder ?? 0,
    corrupt: line.corrupt ?? 0,
    rateBps: line.rateBps ?? 0,
    queueFrames: line.queueFrames ?? 0,
    queueBytes: line.queueBytes ?? 0,
  };
}

/** "delay 40ms jitter 5ms loss 2% rate 1mbit". */
export function formatImpairment(line: Impairment): string {
  const words: string[] = [];
  const word = (name: string, value: number | undefined, format: (value: number) => string): void => {
    if (value !== undefined) words.push(`${name} ${format(value)}`);
  };
  word('delay', line.delayUs, formatDelay);
  word('jitter', line.jitterUs, formatDelay);
  if (line.distribution !== undefined) words.push(`distribution ${line.distribution}`);
  word('loss', line.loss, formatShare);
  if (line.burst !== undefined) {
    const { enter, leave, lossInside = 1, lossOutside = 0 } = line.burst;
    words.push(`burst ${[enter, leave, lossInside, lossOutside].map(formatShare).join(',')}`);
  }
  word('duplicate', line.duplicate, formatShare);
  word('corrupt', line.corrupt, formatShare);
  word('reorder', line.reorder, formatShare);
  word('rate', line.rateBps, formatRate);
  word('queue', line.queueFrames, (frames) => `${frames}`);
  word('queue', line.queueBytes, (bytes) => `${bytes}B`);
  return words.join(' ');
}

/** FNV-1a: chances of each direction have a seed of their own, which other links do not change. */
export function seedOf(seed: number, text: string): number {
  let hash = 0x811c9dc5 ^ seed ^ Math.floor(seed / 0x1_0000_0000);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
