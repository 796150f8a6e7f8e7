/** The end of a run, as data. Thread: any. */

import type { WireFrame } from './wire-end.ts';

/**
 * `pass`; `fail`: the kernel did something else than the script says; `unsupported`: the script asks for what is not known
 * here; `error`: the script cannot be read, or makes no sense.
 */
export type Outcome = 'pass' | 'fail' | 'unsupported' | 'error';

export interface DrillReport {
  file: string;
  outcome: Outcome;
  /** Line at which it ended; null when it passed. */
  line: number | null;
  /** The whole text, `file:line: ...` first, several lines; empty when it passed. */
  message: string;
  /** Ignored commands, each once; failures that were not fatal. */
  notes: string[];
  warnings: number;
  /** Events line by line, when `verbose`; output of the script's code. */
  output: string[];
  /** Script time at the end. */
  durationUs: number;
  events: number;
  packetsIn: number;
  packetsOut: number;
}

/** The report of a script that passed, before its first event. */
export function newReport(file: string): DrillReport {
  return {
    file,
    outcome: 'pass',
    line: null,
    message: '',
    notes: [],
    warnings: 0,
    output: [],
    durationUs: 0,
    events: 0,
    packetsIn: 0,
    packetsOut: 0,
  };
}

/** Frames that crossed the wire. */
export interface DrillTrace {
  /** Wall-clock time of script time 0, nanoseconds since 1970. */
  epochNs: bigint;
  frames: WireFrame[];
}
