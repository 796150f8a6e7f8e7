/**
 * The shape of what the façade is given (lab.ts, lab-node.ts), one schema per kind of argument; ranges that a kernel or the
 * supervisor checks are left to them.
 *
 * Thread: any; pure functions.
 */

import * as v from 'valibot';
import type { CaptureRequest } from '../tools/capture-stream.ts';
import type { InterfaceChange, NeighborEntry, RouteChange } from '../tools/change-requests.ts';
import type { PingOptions } from '../tools/echo.ts';
import { checked, environment, flag, integer, number, object, oneOf, text, texts } from './argument-shapes.ts';
import type { ImpairmentOptions } from './config.ts';
import type { HttpOptions } from './http-client.ts';
import { requestOf, seedOf, type Ways, waysOf } from './impairment-values.ts';
import { impairment } from './link-schema.ts';
import type { ExecOptions } from './machine-command.ts';
import type { OwnImpairment } from './messages.ts';

/** Options of `LabNode.run`. */
export interface ProgramOptions {
  /** Arguments behind the script; default: none. */
  argv?: string[];
  /** Flags of Node in front of the script. */
  nodeFlags?: string[];
  /** Environment, on top of that of the node. */
  env?: Record<string, string>;
  /** Folder in which the script and its relative paths start; default: the current folder. Beside its kernel: the lab's folder. */
  cwd?: string;
}

/** Options of `LabNode.stop`. */
export interface StopOptions {
  /** Time that the program has to end before it is ended; default 10 s. */
  graceMs?: number;
}

/** Options of `Lab.partition` and `Lab.split`. */
export interface PartitionOptions {
  /** Frames vanish ("blackhole", default), or are answered as a firewall does ("reject"). */
  how?: 'blackhole' | 'reject';
  /** Cut only what the first side sends to the second. */
  oneWay?: boolean;
}

/** Options of `Lab.metrics`. */
export interface MetricsOptions {
  /** Milliseconds between two samples; default 1000. */
  intervalMs?: number;
}

/** Options of `Lab.logs`. */
export interface LogsOptions {
  /** Names of nodes; default: all. */
  nodes?: string[];
  /** Past lines of each node; default 1000. */
  lines?: number;
  /** Whether later lines follow; default false. */
  follow?: boolean;
}

const address = object({
  address: text,
  prefixLength: number,
  anycast: v.exactOptional(flag),
  preferredSec: v.exactOptional(v.nullable(number)),
  validSec: v.exactOptional(v.nullable(number)),
});

const interfaceChange = object({
  name: text,
  up: v.exactOptional(flag),
  mtuBytes: v.exactOptional(number),
  ipv6: v.exactOptional(flag),
  addAddress: v.exactOptional(address),
  removeAddress: v.exactOptional(object({ address: text })),
});

const route = object({
  destination: text,
  prefixLength: number,
  gateway: text,
  interface: v.exactOptional(text),
  kind: oneOf('unicast', 'reject', 'blackhole'),
});

const neighbor = object({
  address: text,
  mac: text,
  temporary: flag,
  published: flag,
  proxyOnly: v.exactOptional(flag),
});

const family = oneOf('inet', 'inet6');

const pingOptions = object({
  family: v.exactOptional(family),
  count: v.exactOptional(number),
  intervalMs: v.exactOptional(number),
  payloadBytes: v.exactOptional(number),
  ttl: v.exactOptional(number),
  waitMs: v.exactOptional(number),
});

const partitionOptions = object({
  how: v.exactOptional(oneOf('blackhole', 'reject')),
  oneWay: v.exactOptional(flag),
});
const stopOptions = object({ graceMs: v.exactOptional(number) });
const execOptions = object({
  cwd: v.exactOptional(text),
  env: v.exactOptional(environment),
  input: v.exactOptional(v.union([v.string(), v.instance(Uint8Array)], 'not a text or bytes')),
  signal: v.exactOptional(v.instance(AbortSignal, 'not an AbortSignal')),
});
const metricsOptions = object({ intervalMs: v.exactOptional(number) });
const logsOptions = object({
  nodes: v.exactOptional(texts),
  lines: v.exactOptional(number),
  follow: v.exactOptional(flag),
});

const httpOptions = object({
  method: v.exactOptional(text),
  headers: v.exactOptional(environment),
  body: v.exactOptional(v.union([v.string(), v.instance(Uint8Array)], 'not a text or bytes')),
  signal: v.exactOptional(v.instance(AbortSignal, 'not an AbortSignal')),
});

const captureRequest = object({
  interfaces: v.exactOptional(texts),
  filter: v.exactOptional(text),
  snapBytes: v.exactOptional(number),
});

/** Properties that a record must have; nothing has one that does not exist. */
const filter = v.custom<object>((value) => typeof value === 'object' && value !== null, 'not an object');

const port = integer(1, 65_535);

const programOptions = object({
  argv: v.exactOptional(texts),
  nodeFlags: v.exactOptional(texts),
  env: v.exactOptional(environment),
  cwd: v.exactOptional(text),
});

/** Each throws EINVAL with the name of a field that is wrong. */
export const checkText = (subject: string, value: unknown): string => checked(subject, text, value);
export const checkPort = (value: unknown): number => checked('port', port, value);
export const checkFamily = (value: unknown): 'inet' | 'inet6' => checked('family', family, value);
export const checkInterfaceChange = (value: unknown): InterfaceChange =>
  checked('setInterface', interfaceChange, value);
export const checkRoute = (subject: string, value: unknown): RouteChange => checked(subject, route, value);
export const checkNeighbor = (value: unknown): NeighborEntry => checked('addNeighbor', neighbor, value);
export const checkPing = (value: unknown): Partial<PingOptions> => checked('ping', pingOptions, value);
export const checkCapture = (value: unknown): CaptureRequest => checked('capture', captureRequest, value);
export const checkPartition = (value: unknown): PartitionOptions => checked('partition', partitionOptions, value);
export const checkFilter = (subject: string, value: unknown): object => checked(subject, filter, value);
export const checkMetrics = (value: unknown): MetricsOptions => checked('metrics', metricsOptions, value);
/** Numbers of texts, for both ways; null stays null. */
export const checkImpairment = (value: unknown): Ways | null =>
  value === null ? null : waysOf(checked('impair', v.pipe(v.unknown(), impairment), value));
/** Message that impairs lo0 of the kernel of `mk run`; no wrong value gets into it. Throws EINVAL. */
export function ownImpairment(values: ImpairmentOptions, seed: number): OwnImpairment {
  const { up } = checkImpairment(values) as Ways;
  return { values: requestOf(up), seed: seedOf(seed, 'lo0') };
}
export const checkLogs = (value: unknown): LogsOptions => checked('logs', logsOptions, value);
export const checkTexts = (subject: string, value: unknown): string[] => checked(subject, texts, value);
export const checkExec = (value: unknown): ExecOptions => checked('exec', execOptions, value);
export const checkStop = (value: unknown): StopOptions => checked('stop', stopOptions, value);
export const checkHttp = (value: unknown): HttpOptions => checked('fetch', httpOptions, value);
export const checkProgram = (value: unknown): ProgramOptions => checked('run', programOptions, value);
