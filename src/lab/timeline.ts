/**
 * The timeline of a lab: faults that happen at times after it is up, each a request that anybody could make by hand.
 *
 * Thread: the supervisor's. Names are looked up when the lab is planned; a request that is refused when its time comes is told in the log
 * of its node, and the others go on.
 */

import type { TimelineOptions } from './config.ts';
import { waysOf } from './impairment-values.ts';
import type { KeyPath } from './lab-file.ts';
import { placesOf } from './link-places.ts';
import { STOP_GRACE_MS } from './operations.ts';
import { pairsOf } from './partitions.ts';
import type { LabPlan, LabRequest, TimelinePlan } from './plan.ts';
import { findScript, parseProgramCommand } from './program-command.ts';
import { durationMs } from './quantity.ts';
import { unknownName } from './references.ts';
import { TIMELINE_ACTIONS } from './timeline-schema.ts';

type Report = (path: KeyPath, message: string) => void;
type Places = Pick<LabPlan, 'nodes' | 'networks' | 'folder'>;

function list(side: string | string[]): string[] {
  return typeof side === 'string' ? [side] : side;
}

/** Entries in the order of their times. */
export function planTimeline(entries: readonly TimelineOptions[], lab: Places, report: Report): TimelinePlan[] {
  const names = lab.nodes.map(({ name }) => name);
  const plans = entries.flatMap((entry, index) => {
    const action = TIMELINE_ACTIONS.find((one) => entry[one] !== undefined) as (typeof TIMELINE_ACTIONS)[number];
    const path = ['timeline', index, action];
    const named = namesOf(entry, action);
    const stranger = named.find((name) => !names.includes(name));
    if (stranger !== undefined) {
      const at = action === 'run' ? ['timeline', index, 'on'] : path;
      report(at, unknownName(at, 'node', stranger, names).message);
      return [];
    }
    const atMs = durationMs(entry.at);
    const node = named[0] ?? (names[0] as string);
    const tell = (message: string): void => report(path, message);
    if (action === 'break' || (action === 'heal' && entry.heal !== 'all')) {
      return cutRequests(entry, action, tell).map((cut) => ({ ...cut, atMs, node }));
    }
    const request = requestOf(entry, action, lab, tell);
    if (request === null) return [];
    const what = action === 'run' ? `${entry.run} on ${entry.on}` : String(entry[action]).replaceAll(',', ', ');
    return [{ ...request, atMs, title: `${action} ${what}`, node }];
  });
  return plans.sort((a, b) => a.atMs - b.atMs);
}

/** Nodes that an entry names; links name their own. */
function namesOf(entry: TimelineOptions, action: (typeof TIMELINE_ACTIONS)[number]): string[] {
  if (action === 'netem') return [];
  if (action === 'run') return [entry.on as string];
  const value = entry[action];
  if (value === undefined || (action === 'heal' && value === 'all')) return [];
  return (typeof value === 'string' ? [value] : value).flatMap(list);
}

/** One request for each two of the sides; none: a problem was reported. */
function cutRequests(
  entry: TimelineOptions,
  action: 'break' | 'heal',
  report: (message: string) => void,
): (LabRequest & { title: string })[] {
  const { one_way: oneWay = false, how = 'blackhole' } = entry;
  const sides = (entry[action] as (string | string[])[]).map(list);
  try {
    return pairsOf(sides, oneWay).map(({ a, b }) => {
      const title = `${action} ${[...a, ...b].join(', ')}`;
      if (action === 'heal') return { operation: 'heal', params: { id: null, between: { a, b } }, title };
      return { operation: 'partition', params: { a, b, oneWay, how }, title };
    });
  } catch (error) {
    report((error as Error).message);
    return [];
  }
}

/** Null: a problem was reported. */
function requestOf(
  entry: TimelineOptions,
  action: Exclude<(typeof TIMELINE_ACTIONS)[number], 'break'>,
  lab: Places,
  report: (message: string) => void,
): LabRequest | null {
  switch (action) {
    case 'heal':
      return { operation: 'heal', params: { id: null, between: null } };
    case 'netem': {
      const [a, b = null] = list(entry.netem as string | string[]) as [string, string?];
      try {
        placesOf(lab, a, b);
      } catch (error) {
        report((error as Error).message);
        return null;
      }
      const { impair } = entry;
      return { operation: 'impair', params: { a, b, ways: typeof impair === 'object' ? waysOf(impair) : null } };
    }
    case 'run':
      return runRequest(entry, lab, report);
    case 'stop':
      return { operation: 'stop', params: { node: entry.stop as string, graceMs: STOP_GRACE_MS } };
    case 'power_off':
      return { operation: 'powerOff', params: { node: entry.power_off as string } };
    default:
      return { operation: action, params: { node: entry[action] as string } };
  }
}

function runRequest(entry: TimelineOptions, lab: Places, report: (message: string) => void): LabRequest | null {
  const command = parseProgramCommand(entry.run as string);
  if (typeof command === 'string') return null;
  const { executable, script, nodeFlags, argv } = command;
  const found = executable === null ? findScript(script, lab.folder) : null;
  if (found === null) {
    report(executable === null ? `no program ${script}` : `'${executable}': only Node runs here`);
    return null;
  }
  const params = { node: entry.on as string, script: found, argv, nodeFlags, env: {}, cwd: lab.folder };
  return { operation: 'run', params };
}

export class Timeline {
  readonly #plans: readonly TimelinePlan[];
  readonly #request: (plan: TimelinePlan) => Promise<unknown>;
  readonly #tell: (node: string, text: string) => void;
  readonly #timers: Set<NodeJS.Timeout> = new Set();
  /** One request after the other: a heal does not overtake its break. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    plans: readonly TimelinePlan[],
    request: (plan: TimelinePlan) => Promise<unknown>,
    tell: (node: string, text: string) => void,
  ) {
    this.#plans = plans;
    this.#request = request;
    this.#tell = tell;
  }

  /** The lab is up. */
  start(): void {
    for (const plan of this.#plans) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#last = this.#last.then(() => this.#happen(plan));
      }, plan.atMs);
      timer.unref();
      this.#timers.add(timer);
    }
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  async #happen(plan: TimelinePlan): Promise<void> {
    this.#tell(plan.node, `timeline: ${plan.title}`);
    try {
      await this.#request(plan);
    } catch (error) {
      this.#tell(plan.node, `timeline: ${plan.title}: ${(error as Error).message}`);
    }
  }
}
