/**
 * Whether something happened when the script says.
 *
 * Thread: any; pure functions. The tolerance is the larger of a fixed one and a share of the time since the event before,
 * as in the tool: timers of real kernels are coarse, and scripts are written for those.
 */

import { secondsText } from './packet-text.ts';
import type { DrillSettings } from './settings.ts';
import type { EventTime } from './syntax.ts';

/** Times of an event on the script's clock, relative ones added up. */
export interface Due {
  type: EventTime['type'];
  us: number;
  endUs: number;
  /** When the event before happened; what relative times count from. */
  sinceUs: number;
}

export function toleranceUs(settings: DrillSettings, due: Due): number {
  return Math.max(settings.toleranceUs, (settings.tolerancePercent / 100) * (due.us - due.sinceUs));
}

/** Null when `actualUs` will do, else the complaint. */
export function differenceTime(what: string, due: Due, actualUs: number, settings: DrillSettings): string | null {
  if (due.type === 'any') return null;
  const tolerance = toleranceUs(settings, due);
  if (actualUs >= due.us - tolerance && actualUs <= due.endUs + tolerance) return null;
  const within = `tolerance ${secondsText(tolerance)} sec`;
  if (due.type === 'absolute-range') {
    const range = `${secondsText(due.us)}~${secondsText(due.endUs)}`;
    return `timing error: expected ${what} in time range ${range} sec but happened at ${secondsText(actualUs)} sec; ${within}`;
  }
  if (due.type === 'relative-range') {
    const since = (us: number): string => `+${secondsText(us - due.sinceUs)}`;
    const range = `${since(due.us)}~${since(due.endUs)}`;
    return `timing error: expected ${what} in relative time range ${range} sec but happened at ${since(actualUs)} sec; ${within}`;
  }
  return `timing error: expected ${what} at ${secondsText(due.us)} sec but happened at ${secondsText(actualUs)} sec; ${within}`;
}
