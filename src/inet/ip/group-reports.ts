/**
 * The host side of IGMP and MLD: the reports about the groups of one interface. Both protocols are this one state machine with
 * other addresses; inet/ip4/igmp.ts and inet/ip6/mld.ts write its reports as messages.
 *
 * Thread: the one that runs the kernel. Changes are reported at once and again until the robustness variable is reached;
 * answers to queries wait a random part of the time that the query grants. After a query of an older version the interface
 * speaks that version, without sources, until such queries have stayed away. The owner calls `run` at `deadlineUs`.
 * Read first: RFC 3376 sections 5 and 7.2, or RFC 3810 sections 6 and 8.2; RFC 2236 section 3 for the older ways.
 * Cold: membership reports.
 */

import { type Rng, randomUnit } from '../../base/rng.ts';
import { US_PER_S } from '../../base/units.ts';
import { admits, isEmpty, NO_SOURCE, type SourceFilter } from '../../net/source-filter.ts';
import {
  type GroupRecord,
  RECORD_ALLOW,
  RECORD_BLOCK,
  RECORD_IS_EXCLUDE,
  RECORD_IS_INCLUDE,
  RECORD_TO_EXCLUDE,
  RECORD_TO_INCLUDE,
} from './group-records.ts';

const DEFAULT_ROBUSTNESS = 2;
const DEFAULT_QUERY_INTERVAL_US: number = 125 * US_PER_S;
/** RFC 3376 8.11 and RFC 3810 9.11; for the older versions RFC 2236 8.10 and RFC 2710 7.10. */
const UNSOLICITED_US: number = US_PER_S;
const OLD_UNSOLICITED_US: number = 10 * US_PER_S;

/** Writes messages. `version` counts from the newest: 0 has sources; IGMP has 1 (version 2) and 2 (version 1), MLD 1. */
export interface ReportWriter {
  /** All in one report, or in as many as it takes. */
  records(records: readonly GroupRecord[], nowUs: number): void;
  /** A report without sources, of an older version. */
  oldReport(group: number, version: number, nowUs: number): void;
  /** The leave message of an older version; version 1 of IGMP has none. */
  oldLeave(group: number, version: number, nowUs: number): void;
}

interface Group {
  filter: SourceFilter;
  /** Time of the answer to a query about this group, and the sources it asks for; null for all. */
  answerUs: number;
  asked: Set<number> | null;
  /** Time of the next report of a change; the reports left as a change of mode, and those left for each source. */
  changeUs: number;
  modeLeft: number;
  readonly sourcesLeft: Map<number, number>;
  /** Older versions: reports of joining still to come; whether ours was the last report on the link. */
  oldLeft: number;
  lastReporter: boolean;
}

export interface GroupQuery {
  /** 0: all groups. */
  group: number;
  /** Empty: about the group with any source. */
  sources: readonly number[];
  maxDelayUs: number;
  /** 0: not given. Robustness variable and query interval, which hosts take over from the querier. */
  robustness: number;
  intervalUs: number;
}

export class GroupReports {
  readonly #rng: Rng;
  readonly #writer: ReportWriter;
  /** Most sources of one query that are kept; with more, the answer is about all. */
  readonly #maxSources: () => number;
  /** A query named more. */
  readonly #tooMany: () => void;
  readonly #groups: Map<number, Group> = new Map();
  /** Time of the answer to a general query. */
  #generalUs = Infinity;
  #robustness = DEFAULT_ROBUSTNESS;
  #queryIntervalUs = DEFAULT_QUERY_INTERVAL_US;
  /** By version: end of the older version querier present time. */
  readonly #oldUntilUs: number[] = [];
  #version = 0;
  /** Next time at which `run` has work. */
  deadlineUs: number = Infinity;

  constructor(rng: Rng, writer: ReportWriter, maxSources: () => number, tooMany: () => void = () => {}) {
    this.#rng = rng;
    this.#writer = writer;
    this.#maxSources = maxSources;
    this.#tooMany = tooMany;
  }

  /** 0 for the newest; see {@link ReportWriter}. */
  version(nowUs: number): number {
    let version = this.#oldUntilUs.length - 1;
    while (version > 0 && !(nowUs < (this.#oldUntilUs[version] ?? 0))) version--;
    return Math.max(0, version);
  }

  /** Groups with reports to send; groups that were left stay until their last report. */
  get size(): number {
    return this.#groups.size;
  }

  /** Most sources that one group's pending answer is about. */
  get askedSources(): number {
    let most = 0;
    for (const { asked } of this.#groups.values()) if (asked !== null && asked.size > most) most = asked.size;
    return most;
  }

  /** Call `mark` with every address kept here. */
  markAddresses(mark: (address: number) => void): void {
    for (const [group, state] of this.#groups) {
      mark(group);
      for (const source of state.filter.sources) mark(source);
      for (const source of state.sourcesLeft.keys()) mark(source);
      for (const source of state.asked ?? []) mark(source);
    }
  }

  /** The source filter of a group changed on the interface (RFC 3376 5.1). The filter is kept and must not change. */
  changed(group: number, filter: SourceFilter, nowUs: number): void {
    this.#settleVersion(nowUs);
    let state = this.#groups.get(group);
    if (state === undefined) {
      state = newGroup();
      this.#groups.set(group, state);
    }
    const before = state.filter;
    state.filter = filter;
    if (this.#version > 0) this.#changedOld(group, state, before, nowUs);
    else this.#changedNow(group, state, before, nowUs);
    this.#tidy(group, state);
    this.#renewDeadline();
  }

  #changedNow(group: number, state: Group, before: SourceFilter, nowUs: number): void {
    const { filter, sourcesLeft } = state;
    if (before.exclude !== filter.exclude) {
      state.modeLeft = this.#robustness;
      sourcesLeft.clear();
    } else {
      for (const source of filter.sources) if (!before.sources.has(source)) sourcesLeft.set(source, this.#robustness);
      for (const source of before.sources) if (!filter.sources.has(source)) sourcesLeft.set(source, this.#robustness);
    }
    const records: GroupRecord[] = [];
    this.#reportChange(group, state, records, nowUs);
    if (records.length > 0) this.#writer.records(records, nowUs);
  }

  /** Older versions know members only: RFC 2236 3, RFC 2710 4. */
  #changedOld(group: number, state: Group, before: SourceFilter, nowUs: number): void {
    const left = isEmpty(state.filter);
    if (left === isEmpty(before)) return;
    state.answerUs = Infinity;
    if (left) {
      state.oldLeft = 0;
      if (state.lastReporter) this.#writer.oldLeave(group, this.#version, nowUs);
      return;
    }
    state.lastReporter = true;
    state.oldLeft = this.#robustness - 1;
    this.#writer.oldReport(group, this.#version, nowUs);
    if (state.oldLeft > 0) state.answerUs = nowUs + randomUnit(this.#rng) * OLD_UNSOLICITED_US;
  }

  /** A query of the newest version. An interface that speaks an older one answers as that (RFC 3376 7.2.1). */
  query(query: GroupQuery, nowUs: number): void {
    this.#settleVersion(nowUs);
    if (query.robustness > 0) this.#robustness = query.robustness;
    if (query.intervalUs > 0) this.#queryIntervalUs = query.intervalUs;
    const atUs = nowUs + randomUnit(this.#rng) * query.maxDelayUs;
    if (this.#version > 0) this.#askOld(query.group, query.maxDelayUs, nowUs);
    else if (query.group === 0) this.#generalUs = Math.min(this.#generalUs, atUs);
    else this.#askGroup(query, atUs);
    this.#renewDeadline();
  }

  /** RFC 3376 5.2, rules 1 and 3 to 5. */
  #askGroup(query: GroupQuery, atUs: number): void {
    const state = this.#groups.get(query.group);
    if (state === undefined || this.#generalUs <= atUs) return;
    const { sources } = query;
    if (state.answerUs === Infinity) {
      state.asked = sources.length === 0 ? null : new Set(sources);
    } else if (sources.length === 0) {
      state.asked = null;
    } else if (state.asked !== null) {
      for (const source of sources) state.asked.add(source);
    }
    if (state.asked !== null && state.asked.size > this.#maxSources()) {
      state.asked = null;
      this.#tooMany();
    }
    state.answerUs = Math.min(state.answerUs, atUs);
  }

  /** A query of an older version: the interface reports in it from now on (RFC 3376 7.2.1, RFC 3810 8.2.1). */
  oldQuery(version: number, group: number, maxDelayUs: number, nowUs: number): void {
    this.#oldUntilUs[version] = nowUs + this.#robustness * this.#queryIntervalUs + maxDelayUs;
    this.#settleVersion(nowUs);
    this.#askOld(group, maxDelayUs, nowUs);
    this.#renewDeadline();
  }

  #askOld(asked: number, maxDelayUs: number, nowUs: number): void {
    for (const [group, state] of this.#groups) {
      if (asked !== 0 && asked !== group) continue;
      if (state.answerUs - nowUs <= maxDelayUs) continue;
      state.answerUs = nowUs + randomUnit(this.#rng) * maxDelayUs;
    }
  }

  /** Another host reported the group in an older version: one report on the link is enough. */
  reportReceived(group: number, nowUs: number): void {
    this.#settleVersion(nowUs);
    const state = this.#groups.get(group);
    if (this.#version === 0 || state === undefined || state.answerUs === Infinity) return;
    state.answerUs = Infinity;
    state.oldLeft = 0;
    state.lastReporter = false;
    this.#renewDeadline();
  }

  /** Report every group as if it had just been joined: routers ignored the earlier reports, which came from `::`. */
  repeat(nowUs: number): void {
    for (const [group, state] of this.#groups) {
      if (isEmpty(state.filter)) continue;
      state.modeLeft = 0;
      state.sourcesLeft.clear();
      if (this.#version > 0) this.#changedOld(group, state, NO_SOURCE, nowUs);
      else this.#changedNow(group, state, NO_SOURCE, nowUs);
    }
    this.#renewDeadline();
  }

  /** Send what is due. */
  run(nowUs: number): void {
    this.#settleVersion(nowUs);
    const records: GroupRecord[] = [];
    if (this.#generalUs <= nowUs) {
      this.#generalUs = Infinity;
      for (const [group, state] of this.#groups) addCurrent(records, group, state.filter, null);
    }
    for (const [group, state] of this.#groups) {
      if (state.answerUs <= nowUs) this.#answer(group, state, records, nowUs);
      if (state.changeUs <= nowUs) this.#reportChange(group, state, records, nowUs);
      this.#tidy(group, state);
    }
    if (records.length > 0) this.#writer.records(records, nowUs);
    this.#renewDeadline();
  }

  #answer(group: number, state: Group, records: GroupRecord[], nowUs: number): void {
    state.answerUs = Infinity;
    if (this.#version === 0) {
      addCurrent(records, group, state.filter, state.asked);
      return;
    }
    if (isEmpty(state.filter)) return;
    state.lastReporter = true;
    this.#writer.oldReport(group, this.#version, nowUs);
    if (state.oldLeft > 0 && --state.oldLeft > 0) {
      state.answerUs = nowUs + randomUnit(this.#rng) * OLD_UNSOLICITED_US;
    }
  }

  /** One report of a change, and when the next one follows (RFC 3376 5.1). */
  #reportChange(group: number, state: Group, records: GroupRecord[], nowUs: number): void {
    const { filter, sourcesLeft } = state;
    if (state.modeLeft > 0) {
      state.modeLeft--;
      const type = filter.exclude ? RECORD_TO_EXCLUDE : RECORD_TO_INCLUDE;
      records.push({ type, group, sources: [...filter.sources] });
    } else {
      const sources = [...sourcesLeft.keys()];
      const allowed = sources.filter((source) => admits(filter, source));
      const blocked = sources.filter((source) => !admits(filter, source));
      if (allowed.length > 0) records.push({ type: RECORD_ALLOW, group, sources: allowed });
      if (blocked.length > 0) records.push({ type: RECORD_BLOCK, group, sources: blocked });
    }
    for (const [source, left] of sourcesLeft) {
      if (left > 1) sourcesLeft.set(source, left - 1);
      else sourcesLeft.delete(source);
    }
    const more = state.modeLeft > 0 || sourcesLeft.size > 0;
    state.changeUs = more ? nowUs + randomUnit(this.#rng) * UNSOLICITED_US : Infinity;
  }

  /** The version in use changed: pending answers and reports are dropped. */
  #settleVersion(nowUs: number): void {
    const version = this.version(nowUs);
    if (version === this.#version) return;
    this.#version = version;
    this.#generalUs = Infinity;
    for (const [group, state] of this.#groups) {
      state.answerUs = state.changeUs = Infinity;
      state.modeLeft = state.oldLeft = 0;
      state.asked = null;
      state.sourcesLeft.clear();
      state.lastReporter = true;
      this.#tidy(group, state);
    }
  }

  #tidy(group: number, state: Group): void {
    if (isEmpty(state.filter) && state.changeUs === Infinity) this.#groups.delete(group);
  }

  #renewDeadline(): void {
    let deadlineUs = this.#generalUs;
    for (const { answerUs, changeUs } of this.#groups.values()) deadlineUs = Math.min(deadlineUs, answerUs, changeUs);
    this.deadlineUs = deadlineUs;
  }
}

function newGroup(): Group {
  return {
    filter: NO_SOURCE,
    answerUs: Infinity,
    asked: null,
    changeUs: Infinity,
    modeLeft: 0,
    sourcesLeft: new Map(),
    oldLeft: 0,
    lastReporter: true,
  };
}

/** RFC 3376 5.2: the current state, or what it says about the sources asked for. */
function addCurrent(records: GroupRecord[], group: number, filter: SourceFilter, asked: Set<number> | null): void {
  if (asked !== null) {
    const sources = [...asked].filter((source) => admits(filter, source));
    if (sources.length > 0) records.push({ type: RECORD_IS_INCLUDE, group, sources });
  } else if (!isEmpty(filter)) {
    const type = filter.exclude ? RECORD_IS_EXCLUDE : RECORD_IS_INCLUDE;
    records.push({ type, group, sources: [...filter.sources] });
  }
}
