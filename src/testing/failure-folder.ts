/**
 * The folder that a failed test leaves: frames of every link, logs, sockets, the lab as it was, the command that repeats it.
 *
 *     .multikernel/failed/survives-a-cut-1f0c/
 *       error.txt              of the test
 *       repeat.txt             command that runs the test again, with the seed
 *       lab.yml                the lab as it was resolved: seed, prefixes, addresses
 *       api.log                output of a node's program, and what became of the node
 *       api.sockets.txt        its sockets, as `netstat -anv` shows them
 *       api-eth0.pcapng        the newest frames of its interface
 *
 * Thread: the test runner's. Loaded when a test has failed. A part that cannot be had is a line that says why.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, stringify } from 'yaml';
import type { Lab, LabInfo, LabOptions, LogLine, NetworkOptions, NodeOptions } from '../index.ts';
import { KernelText } from '../tools/kernel-text.ts';
import { netstat } from '../tools/netstat.ts';
import type { TextSink } from '../tools/tool.ts';
import { pcapng } from '../wire/index.ts';
import type { FrameRing } from './frame-ring.ts';
import type { LinkRecorder } from './link-recorder.ts';
import type { LabSource } from './options.ts';
import type { TestCase } from './test-case.ts';

const SLUG_CHARACTERS_MAX = 80;
const HASH_DIGITS = 4;
/** As many as a lab keeps. */
const LINES_MAX = 1_000_000;
/** A blocked machine answers nobody; the others are not waited for longer than this. */
const PATIENCE_MS = 1500;

/** A failed test, its lab, and all that is known of both. */
export interface Remains {
  test: TestCase;
  error: unknown;
  source: LabSource;
  /** Folder at which relative paths of the lab start. */
  folder: string;
  lab: Lab;
  recorder: LinkRecorder | null;
  seed: number;
}

/** Folder of a test below `failures`: the same for each of its runs. */
export function failureFolder(failures: string, { file, names }: TestCase): string {
  const name = names.join(' ');
  const slug = name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')
    .slice(0, SLUG_CHARACTERS_MAX);
  const hash = createHash('sha256').update(`${file}\0${name}`).digest('hex').slice(0, HASH_DIGITS);
  return join(failures, slug === '' ? hash : `${slug}-${hash}`);
}

/** Take away what an earlier run left, and folders that become empty. */
export function forgetFailure(failures: string, test: TestCase): void {
  const folder = failureFolder(failures, test);
  rmSync(folder, { recursive: true, force: true });
  for (const empty of [failures, dirname(failures)]) {
    try {
      if (empty !== '.') rmdirSync(empty);
    } catch {
      return;
    }
  }
}

/** Write the folder, in place of one that is there. Returns its path. */
export async function keepFailure(failures: string, remains: Remains): Promise<string> {
  const { test, lab, recorder, seed } = remains;
  const folder = failureFolder(failures, test);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const write = (name: string, content: string | Uint8Array): void => writeFileSync(join(folder, name), content);
  write('error.txt', `${errorText(remains.error)}\n`);
  write('repeat.txt', `${repeatCommand(test, seed)}\n`);
  await recorder?.settle();
  const info = await lab.info();
  write('lab.yml', labText(remains, info));
  const lines: LogLine[] = [];
  for await (const line of lab.logs({ lines: LINES_MAX })) lines.push(line);
  await Promise.all(
    lab.nodes.map(async (node) => {
      const own = lines.filter((line) => line.node === node.name);
      write(`${node.name}.log`, own.map(logText).join(''));
      write(`${node.name}.sockets.txt`, await socketText(node.client));
    }),
  );
  for (const link of recorder?.links ?? []) {
    write(`${link.node}-${link.interface}.pcapng`, captureBytes(`${link.node}:${link.interface}`, link.ring));
  }
  return folder;
}

function errorText(error: unknown): string {
  const { message, stack } = (error ?? {}) as Partial<Error>;
  if (stack === undefined) return message ?? String(error);
  const cause = (error as Error).cause;
  return cause === undefined ? stack : `${stack}\ncause: ${errorText(cause)}`;
}

function logText({ atMs, source, text }: LogLine): string {
  return `${new Date(atMs).toISOString()} ${source.padEnd(6)} ${text}\n`;
}

async function socketText(client: Lab['nodes'][number]['client']): Promise<string> {
  let text = '';
  const out: TextSink = {
    write: (piece) => {
      text += piece;
    },
    writeBytes: () => {},
    error: () => {},
  };
  const hosts = (): never => {
    throw new Error('addresses stay numbers');
  };
  const signal = new AbortController().signal;
  const context = { kernel: new KernelText(client), hosts, out, json: false, signal, stdin: process.stdin };
  try {
    await inPatience(netstat.run(context, ['-anv']));
    return text;
  } catch (error) {
    return `${(error as Error).message}\n`;
  }
}

async function inPatience(answer: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  });
  try {
    await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function captureBytes(name: string, ring: FrameRing): Uint8Array {
  const { mac, snapBytes } = ring;
  const description = { linkType: pcapng.LINKTYPE_ETHERNET, snapBytes, name, ...(mac === null ? {} : { mac }) };
  const blocks = [pcapng.sectionBlock({ application: 'multikernel' }), pcapng.interfaceBlock(description)];
  let droppedFrames = ring.lostFrames;
  for (const frame of ring.frames) {
    blocks.push(pcapng.packetBlock({ interfaceIndex: 0, ...frame, ...(droppedFrames > 0 ? { droppedFrames } : {}) }));
    droppedFrames = 0;
  }
  return Buffer.concat(blocks);
}

// ---- the lab and the command ---------------------------------------------------------------------------------------

/** The lab file with what was left to the plan: seed, prefixes, addresses. */
function labText({ source, folder, seed }: Remains, { name, networks, nodes }: LabInfo): string {
  const path = typeof source === 'string' ? source : source instanceof URL ? fileURLToPath(source) : null;
  const written = (path === null ? structuredClone(source) : parse(readFileSync(path, 'utf8'))) as LabOptions;
  const start = resolve(path === null ? folder : dirname(path));
  const options: LabOptions = { ...written, name, seed };
  const named = written.networks ?? { lan: {} };
  options.networks = Object.fromEntries(
    Object.entries(named).map(([network, given]): [string, NetworkOptions] => {
      const found = networks.find((candidate) => candidate.name === network);
      const prefix = found === undefined || found.prefixes.length === 0 ? {} : { prefix: found.prefixes };
      return [network, { ...given, ...prefix }];
    }),
  );
  options.nodes = Object.fromEntries(
    Object.entries(written.nodes).map(([node, given]): [string, NodeOptions] => {
      const status = nodes.find((candidate) => candidate.name === node);
      const addresses: Record<string, string[]> = {};
      const twice = (network: string): boolean => (given?.networks ?? []).filter((one) => one === network).length > 1;
      for (const { network, interface: iface, address } of status?.addresses ?? []) {
        const key = twice(network) ? iface : network;
        if (network in named) addresses[key] = [...(addresses[key] ?? []), address];
      }
      const placed = status?.placement === 'process' ? { placement: status.placement } : {};
      const cwd = status?.placement === 'process' ? { cwd: resolve(start, given?.cwd ?? '.') } : {};
      return [node, { ...given, ...placed, ...cwd, addresses }];
    }),
  );
  return `# The lab of the failed test, as it was resolved. Its paths start at ${start}\n${stringify(options)}`;
}

/** A word as a POSIX shell takes it. */
function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function repeatCommand({ command, file }: TestCase, seed: number): string {
  const words = command(relative(process.cwd(), file) || file);
  return `MK_SEED=${seed} ${words.map(shellWord).join(' ')}`;
}
