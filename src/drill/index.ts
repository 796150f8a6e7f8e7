/** packetdrill scripts against a kernel of ours on the virtual clock. Used by `mk packetdrill`. */

export { drill } from './drill.ts';
export type { DrillReport, DrillTrace, Outcome } from './report.ts';
export { OptionError, type OptionText } from './settings.ts';
