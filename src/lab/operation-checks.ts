/**
 * The shape of each request to a lab, one schema per operation and stream of operations.ts: neither the façade nor a client of the
 * control socket is believed.
 *
 * Thread: the supervisor's. The supervisor looks names of nodes up.
 */

import * as v from 'valibot';
import { MultikernelError } from '../base/errors.ts';
import { JITTER_DISTRIBUTIONS } from '../link/impairment.ts';
import { checked, environment, flag, integer, object, oneOf, range, text, texts } from './argument-shapes.ts';
import type { LabOperation, LabRequests, LabStreamOperation, LabStreams } from './operations.ts';

/** setInterval takes no longer time. */
const INTERVAL_MS_MAX = 0x7fffffff;
const LINES_MAX = 1_000_000;
/** The bounds of control requests. */
const DELAY_US_MAX = 3_600_000_000;
const RATE_BPS_MAX = 1e15;
const QUEUE_MAX = 0x7fffffff;

const nothing = object({});

const share = range(0, 1);
const impairment = object({
  delayUs: v.exactOptional(range(0, DELAY_US_MAX)),
  jitterUs: v.exactOptional(range(0, DELAY_US_MAX)),
  distribution: v.exactOptional(oneOf(...JITTER_DISTRIBUTIONS)),
  loss: v.exactOptional(share),
  burst: v.exactOptional(
    object({
      enter: share,
      leave: share,
      lossInside: v.exactOptional(share),
      lossOutside: v.exactOptional(share),
    }),
  ),
  duplicate: v.exactOptional(share),
  reorder: v.exactOptional(share),
  corrupt: v.exactOptional(share),
  rateBps: v.exactOptional(range(0, RATE_BPS_MAX)),
  queueFrames: v.exactOptional(integer(0, QUEUE_MAX)),
  queueBytes: v.exactOptional(integer(0, QUEUE_MAX)),
});

const REQUESTS: { readonly [Op in LabOperation]: v.GenericSchema<unknown, LabRequests[Op]['params']> } = {
  info: nothing,
  counters: object({ node: v.nullable(text) }),
  partition: object({ a: texts, b: texts, oneWay: flag, how: oneOf('blackhole', 'reject') }),
  heal: object({ id: v.nullable(text), between: v.nullable(object({ a: texts, b: texts })) }),
  impair: object({
    a: text,
    b: v.nullable(text),
    ways: v.nullable(object({ up: impairment, down: impairment })),
  }),
  resetLinks: nothing,
  run: object({ node: text, script: text, argv: texts, nodeFlags: texts, env: environment, cwd: text }),
  environment: object({ node: text }),
  kill: object({ node: text }),
  pause: object({ node: text }),
  resume: object({ node: text }),
  restart: object({ node: text }),
  start: object({ node: text }),
  stop: object({ node: text, graceMs: integer(0, INTERVAL_MS_MAX) }),
  powerOff: object({ node: text }),
  checks: nothing,
  down: nothing,
};

const STREAMS: { readonly [Op in LabStreamOperation]: v.GenericSchema<unknown, LabStreams[Op]['params']> } = {
  metrics: object({ intervalMs: integer(0, INTERVAL_MS_MAX) }),
  logs: object({ nodes: texts, lines: integer(0, LINES_MAX), follow: flag }),
  states: nothing,
  flows: nothing,
  forward: object({ node: text, port: text }),
};

/** An own key: `constructor` is no operation. */
function known(kind: string, table: object, name: string): void {
  if (!Object.hasOwn(table, name)) throw new MultikernelError('EOPNOTSUPP', `no ${kind} ${name}`);
}

/** Throws EOPNOTSUPP for an operation that there is not, EINVAL with the name of a field that is wrong. */
export function checkRequest<Op extends LabOperation>(operation: Op, params: unknown): LabRequests[Op]['params'] {
  known('operation', REQUESTS, operation);
  return checked<LabRequests[Op]['params']>(operation, REQUESTS[operation], params);
}

/** As {@link checkRequest}, for streams. */
export function checkStream<Op extends LabStreamOperation>(operation: Op, params: unknown): LabStreams[Op]['params'] {
  known('stream', STREAMS, operation);
  return checked<LabStreams[Op]['params']>(operation, STREAMS[operation], params);
}
