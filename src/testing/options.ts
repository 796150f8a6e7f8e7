/**
 * Settings of labs as fixtures of tests, the same for every runner.
 *
 * Thread: the test runner's.
 */

import { type Lab, type LabNode, type LabOptions, MultikernelError } from '../index.ts';

/** A lab file, or the same as an object. */
export type LabSource = string | URL | LabOptions;

export interface FixtureOptions {
  /** A lab for each test, or one for all tests of a file. */
  per?: 'test' | 'file';
  /** Seed of the lab; MK_SEED in the environment comes first. Default: that of the lab file, or one by chance. */
  seed?: number;
  /** Folder at which relative paths start when the lab is given as an object; default: the current folder. */
  folder?: string;
  /**
   * States to wait for before the test begins, as in `depends_on`: { api: "listening:80" }, or names of nodes that are to listen.
   * Default: none, and programs may still be starting.
   */
  ready?: readonly string[] | Readonly<Record<string, string>>;
  /** Time for `ready`; default 30 s. */
  readyMs?: number;
  /** Folder for what is kept of failed tests, or false: nothing is. Default: ".multikernel/failed". */
  failures?: string | false;
  /** Newest frames kept per link for a failed test, MiB; default 8, 0: none. */
  captureMiB?: number;
}

/** {@link FixtureOptions} with every default. */
export interface FixtureSettings {
  per: 'test' | 'file';
  seed: number | null;
  folder: string;
  ready: [node: string, state: string][];
  readyMs: number;
  failures: string | false;
  captureBytes: number;
}

const MIB = 1024 * 1024;
const READY_MS = 30_000;
const CAPTURE_MIB = 8;
const CAPTURE_MIB_MAX = 4096;
const FAILURES = '.multikernel/failed';
const STATE = /^(?:running|listening(?::\d+)?|exited(?::\d+)?)$/;

const KEYS: readonly (keyof FixtureOptions)[] = ['per', 'seed', 'folder', 'ready', 'readyMs', 'failures', 'captureMiB'];

function refuse(message: string): never {
  throw new MultikernelError('EINVAL', message);
}

function seedFrom(value: unknown, name: string): number {
  const seed = Number(value);
  if (!Number.isSafeInteger(seed) || seed < 0) refuse(`${name}: ${String(value)} is not a whole number`);
  return seed;
}

function readyStates(ready: FixtureOptions['ready'] = []): [string, string][] {
  const states = Array.isArray(ready)
    ? ready.map((node: string): [string, string] => [node, 'listening'])
    : Object.entries(ready as Record<string, string>);
  for (const [node, state] of states) {
    if (!STATE.test(state)) refuse(`ready.${node}: "${state}" is not running, listening, listening:PORT or exited`);
  }
  return states;
}

/** Throws EINVAL for an option that is none, and for a value that an option has not. */
export function fixtureSettings(options: FixtureOptions = {}): FixtureSettings {
  for (const key of Object.keys(options)) {
    if (!KEYS.includes(key as keyof FixtureOptions)) refuse(`no option ${key}; there are ${KEYS.join(', ')}`);
  }
  const { per = 'test', folder = '.', readyMs = READY_MS, failures = FAILURES, captureMiB = CAPTURE_MIB } = options;
  if (per !== 'test' && per !== 'file') refuse(`per: "${String(per)}" is not test or file`);
  if (!(captureMiB >= 0 && captureMiB <= CAPTURE_MIB_MAX)) refuse(`captureMiB: not 0 to ${CAPTURE_MIB_MAX}`);
  const given = process.env.MK_SEED;
  const own = options.seed === undefined ? null : seedFrom(options.seed, 'seed');
  return {
    per,
    seed: given === undefined || given === '' ? own : seedFrom(given, 'MK_SEED'),
    folder,
    ready: readyStates(options.ready),
    readyMs,
    failures,
    captureBytes: failures === false ? 0 : captureMiB * MIB,
  };
}

/** Names of the nodes that the type of a source tells. */
export type NodeNames<Source> = Source extends { nodes: infer Nodes } ? keyof Nodes & string : never;

/** Fixtures of a lab: itself, and its nodes by their names. */
export type LabFixtures<Node extends string> = { lab: Lab } & { [Name in Node]: LabNode };
