/**
 * Reads `multikernel.yml`: text → YAML → shape (schema.ts) → {@link LabConfig}. Every problem has a line, a column and a key.
 *
 * Thread: any. Read first: config.ts.
 */

import * as v from 'valibot';
import { type Document, isMap, isNode, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { MultikernelError } from '../base/errors.ts';
import type {
  CheckConfig,
  CheckKind,
  CheckOptions,
  Dependency,
  HostOptions,
  LabConfig,
  LabOptions,
  LinkConfig,
  LinkOptions,
  NetworkConfig,
  NetworkOptions,
  NodeConfig,
  NodeOptions,
  TunnelConfig,
  TunnelOptions,
} from './config.ts';
import { waysOf } from './impairment-values.ts';
import { type PortConfig, parsePort, parseService, type ServiceConfig } from './port-text.ts';
import { durationMs, sizeBytes } from './quantity.ts';
import { NO_RESTART, parseRestart } from './restart-policy.ts';
import { LAB_SCHEMA } from './schema.ts';
import { documentValue, keyText, ValueError } from './yaml-values.ts';

export type KeyPath = readonly (string | number)[];

/** A fault of a lab file. */
export interface Problem {
  /** Keys that lead to the fault, e.g. ["nodes", "api", "run"]; empty: the file as a whole. */
  path: KeyPath;
  /** The fault in words. */
  message: string;
  /** The key is at fault, not its value. */
  atKey?: boolean;
}

/** From 1; 0 when the lab was not read from a file. */
export interface Position {
  /** Line of the file. */
  line: number;
  /** Column of the line. */
  column: number;
}

export type Locate = (problem: Problem) => Position;

const NOWHERE: Position = { line: 0, column: 0 };
const FILE_BYTES_MAX = 1024 * 1024;
const TOO_DEEP = 'nested too deep';
const DEFAULT_WITHIN_MS = 10_000;
const DEFAULT_MTU_BYTES = 1500;
/** GIF_MTU. */
const TUNNEL_MTU_BYTES = 1280;

/** A lab that is wrong, or asks for what the host refuses (`code`). `message` is one line about the first problem: `FILE:LINE:COLUMN: key.path: what`. */
export class LabFileError extends MultikernelError {
  /** The file, or the name that stands for it. */
  readonly file: string;
  /** Every fault, in the order of the file. */
  readonly problems: readonly (Problem & Position)[];

  /** Made when a lab file is read: its faults, each with the place that `locate` finds; the message shows the first. */
  constructor(file: string, problems: readonly Problem[], locate: Locate, code = 'EINVAL') {
    const located = problems
      .map((problem) => ({ ...problem, ...locate(problem) }))
      .sort((a, b) => a.line - b.line || a.column - b.column);
    super(code, formatProblem(file, located[0] as Problem & Position));
    this.name = 'LabFileError';
    this.file = file;
    this.problems = located;
  }
}

function formatPath(path: KeyPath): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${key}`))
    .join('')
    .replace(/^\./, '');
}

/** One line, as compilers print it. */
export function formatProblem(file: string, problem: Problem & Position): string {
  const place = problem.line > 0 ? `${file}:${problem.line}:${problem.column}` : file;
  const key = formatPath(problem.path);
  return [place, key, problem.message].filter((part) => part !== '').join(': ');
}

export interface ParsedLab {
  config: LabConfig;
  locate: Locate;
}

/** Throws {@link LabFileError}. `file` is only a name here. */
export function parseLabFile(text: string, file: string): ParsedLab {
  const lines = new LineCounter();
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  if (text.length > FILE_BYTES_MAX) {
    throw new LabFileError(file, [{ path: [], message: 'larger than 1 MiB' }], () => NOWHERE);
  }
  const document = parseText(text, file, lines);
  const error = document.errors[0];
  if (error !== undefined) {
    const text = error.message.replace(/\s+/g, ' ').replace(/[.:]?\s*$/, '');
    const message = text.startsWith('Maximum call stack') ? TOO_DEEP : text;
    throw new LabFileError(file, [{ path: [], message }], () => at(error.pos[0]));
  }
  const locate: Locate = (problem) => positionOf(document, problem, at);
  let value: unknown;
  try {
    value = documentValue(document, isVariable);
  } catch (cause) {
    if (!(cause instanceof ValueError)) throw cause;
    throw new LabFileError(file, [{ path: [], message: cause.message }], () => at(cause.offset));
  }
  return { config: checkLab(value, file, locate), locate };
}

function parseText(text: string, file: string, lineCounter: LineCounter): Document {
  try {
    // Its own look for keys that are there twice takes time in the square of the keys; documentValue finds them too.
    const options = { lineCounter, prettyErrors: false, merge: true, uniqueKeys: false };
    return parseDocument(text.replace(/^\ufeff/, ''), options);
  } catch (cause) {
    // The parser calls itself for each level of a list in a list.
    if (!(cause instanceof RangeError)) throw cause;
    throw new LabFileError(file, [{ path: [], message: TOO_DEEP }], () => ({ line: 1, column: 1 }));
  }
}

/** Environment variables are texts: 1.10 and 007 stay as they are written. */
function isVariable(path: KeyPath): boolean {
  const [first, second, third] = path;
  return path.length === 4 && third === 'env' && (first === 'nodes' || (first === 'defaults' && second === 'node'));
}

/** An object of {@link LabOptions} shape, checked and with its defaults. Throws {@link LabFileError}. */
export function checkLab(value: unknown, file: string, locate: Locate = () => NOWHERE): LabConfig {
  if (Array.isArray(value)) {
    throw new LabFileError(file, [{ path: [], message: 'expected a map, not a list' }], locate);
  }
  const result = v.safeParse(LAB_SCHEMA, value);
  if (!result.success) throw new LabFileError(file, withoutEchoes(result.issues.map(problemOf)), locate);
  return normalize(result.output);
}

function problemOf(issue: v.BaseIssue<unknown>): Problem {
  const path = (issue.path ?? []).map((item) => item.key as string | number);
  const last = issue.path?.[issue.path.length - 1];
  const atKey = last?.origin === 'key' || issue.expected === 'never';
  return { path, message: issue.message, atKey };
}

/** A key that is misspelt is not missing as well. */
function withoutEchoes(problems: Problem[]): Problem[] {
  const meant = new Set<string>();
  for (const { path, message } of problems) {
    const match = /^unknown key; did you mean "([^"]*)"\?$/.exec(message);
    if (match !== null) meant.add(formatPath([...path.slice(0, -1), match[1] as string]));
  }
  return problems.filter(({ path, message }) => message !== 'missing' || !meant.has(formatPath(path)));
}

/** Position of a path in the text: its value, its key, or the nearest thing around it. */
function positionOf(document: Document, problem: Problem, at: (offset: number) => Position): Position {
  let node: unknown = document.contents;
  let offset = offsetOf(node);
  for (let i = 0; i < problem.path.length; i++) {
    const key = problem.path[i] as string | number;
    const last = i === problem.path.length - 1;
    if (isMap(node)) {
      const pair = node.items.find((item) => isPair(item) && isKey(item.key, key));
      if (pair === undefined) break;
      const keyOffset = offsetOf(pair.key) ?? offset;
      const empty = !isNode(pair.value) || (pair.value.range?.[0] ?? 0) === (pair.value.range?.[1] ?? 0);
      offset = (last && problem.atKey === true) || empty ? keyOffset : offsetOf(pair.value);
      node = isNode(pair.value) ? pair.value : null;
    } else if (isSeq(node)) {
      const item: unknown =
        typeof key === 'number' ? node.items[key] : node.items.find((candidate) => isKey(candidate, key));
      if (!isNode(item)) break;
      offset = offsetOf(item);
      node = item;
    } else {
      break;
    }
  }
  return at(offset ?? 0);
}

function offsetOf(node: unknown): number | undefined {
  return isNode(node) ? ((node as Node).range?.[0] ?? undefined) : undefined;
}

function isKey(node: unknown, key: string | number): boolean {
  return (node === null || isScalar(node)) && keyText(node) === String(key);
}

function normalize(options: LabOptions): LabConfig {
  const networks = options.networks ?? { lan: {} };
  return {
    name: options.name ?? null,
    domain: options.domain ?? null,
    seed: options.seed ?? null,
    networks: Object.entries(networks).map(([name, network]) => networkConfig(name, network, options)),
    nodes: [
      ...Object.entries(options.nodes).map(([name, node]) => nodeConfig(name, node, options.defaults?.node ?? {})),
      ...Object.entries(options.hosts ?? {}).map(([name, host]) => hostConfig(name, host)),
    ],
    links: (options.links ?? []).map(linkConfig),
    tunnels: (options.tunnels ?? []).map(tunnelConfig),
    timeline: options.timeline ?? [],
    checks: (options.checks ?? []).map(checkConfig),
  };
}

function networkConfig(name: string, own: NetworkOptions, { defaults }: LabOptions): NetworkConfig {
  const network = { ...defaults?.network, ...own };
  const isVlan = network.on !== undefined;
  return {
    name,
    path: ['networks', name],
    kind: isVlan ? 'vlan' : 'ethernet',
    vlan: network.vlan ?? 0,
    on: network.on ?? null,
    prefix: network.prefix ?? null,
    mtuBytes: isVlan ? (own.mtu ?? null) : (network.mtu ?? DEFAULT_MTU_BYTES),
    ringBytes: network.ring === undefined ? null : sizeBytes(String(network.ring)),
    full: network.full ?? 'wait',
    offload: network.offload ?? true,
    domain: network.dns ?? null,
  };
}

function nodeConfig(name: string, own: NodeOptions, defaults: NodeOptions): NodeConfig {
  const node = { ...defaults, ...own };
  const env = { ...defaults.env, ...own.env };
  const kind = node.kind ?? 'node';
  return {
    name,
    kind,
    run: node.run ?? null,
    placement: node.placement ?? null,
    inspectPort: inspectPort(node.inspect),
    cwd: node.cwd ?? null,
    env: Object.fromEntries(Object.entries(env).map(([key, value]) => [key, String(value)])),
    networks: node.networks ?? null,
    addresses: node.addresses ?? {},
    forwarding: node.forwarding ?? kind === 'router',
    bridge: node.bridge ?? {},
    dependsOn: dependencies(node.depends_on),
    restart: (node.restart === undefined ? null : parseRestart(node.restart)) ?? NO_RESTART,
    memoryBytes: bytesOf(node.memory),
    programHeapBytes: bytesOf(node.heap),
    ports: (node.ports ?? []).map((port) => parsePort(String(port)) as PortConfig),
    services: [],
    sysctl: Object.entries({ ...defaults.sysctl, ...own.sysctl }),
  };
}

function bytesOf(size: number | string | undefined): number | null {
  return size === undefined ? null : sizeBytes(String(size));
}

/** A machine without a program. */
function hostConfig(name: string, value: string | string[] | HostOptions): NodeConfig {
  const host: HostOptions = typeof value === 'string' || Array.isArray(value) ? { to: value } : value;
  const { to, memory, networks = null, addresses = {} } = host;
  const services = [to].flat().map((text) => parseService(text) as ServiceConfig);
  const none = nodeConfig(name, memory === undefined ? {} : { memory }, {});
  return { ...none, kind: 'host', networks, addresses, services };
}

function inspectPort(value: NodeOptions['inspect']): number | null {
  if (value === undefined || value === false) return null;
  return value === true ? 0 : value;
}

function dependencies(value: NodeOptions['depends_on']): Dependency[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value.map((node) => ({ node, state: 'running' }));
  return Object.entries(value).map(([node, state]) => ({ node, state }));
}

function linkConfig(link: LinkOptions): LinkConfig {
  const { endpoints, impair = {}, prefix = null, mtu = DEFAULT_MTU_BYTES } = link;
  return { endpoints: endpoints as [string, string], ...waysOf(impair), prefix, mtuBytes: mtu };
}

function tunnelConfig({ endpoints, prefix, mtu, over, routes }: TunnelOptions): TunnelConfig {
  return {
    endpoints: endpoints as [string, string],
    prefix: prefix ?? null,
    mtuBytes: mtu ?? TUNNEL_MTU_BYTES,
    over: over ?? null,
    routes: routes ?? null,
  };
}

function checkConfig(check: CheckOptions): CheckConfig {
  const kind = (['http', 'tcp', 'ping', 'state', 'metric'] as const).find((k) => check[k] !== undefined) as CheckKind;
  return {
    kind,
    target: check[kind] as string,
    atMs: check.at === undefined ? null : durationMs(check.at),
    withinMs: check.within === undefined ? DEFAULT_WITHIN_MS : durationMs(check.within),
    from: check.from ?? null,
    of: check.of ?? null,
    above: check.above ?? null,
    below: check.below ?? null,
    expect: check.expect === undefined ? null : String(check.expect),
    body: check.body ?? null,
  };
}
