/** packetdrill scripts against a kernel of ours on the virtual clock. Used by `mk packetdrill`. */

export { type DrillOptions, drill } from './drill.ts';
export { parseScript } from './parser.ts';
export type { DrillReport, DrillTrace, Outcome } from './report.ts';
export type { DrillResult } from './run.ts';
export { OptionError, type OptionText } from './settings.ts';
export { ScriptError } from './syntax.ts';
export type { WireFrame } from './wire-end.ts';
