/**
 * How much of a packet's path V8 compiles as one function.
 *
 * Thread: any; holds for all threads of the process, for functions compiled from then on. A packet passes a dozen short
 * functions in as many layers. V8 stops inlining after 920 bytes of bytecode per compiled function, halfway down the layers;
 * every call that is left costs 1 to 3 ns per packet (docs/notes/rings.md).
 */

import { setFlagsFromString } from 'node:v8';

/** Bytes of bytecode inlined into one function. */
const INLINED_BYTES = 3000;

/** For processes that are ours: a lab, `mk run`, a benchmark. A library does not change how its host's process compiles. */
export function raiseInliningBudget(): void {
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${INLINED_BYTES}`);
}
