/**
 * `mk run -- program.js`: one program as a process, on a kernel that has lo0 only and is a thread of the command (run-kernel.ts), or with
 * `--server` on one that works elsewhere.
 *
 * Thread: the command's. Node itself runs the program; what is preloaded (worker/preload.ts, worker/hijack.ts) connects it to the
 * kernel. Streams, arguments, signals and the exit code pass through; should the command be killed, sockets fail with
 * ENETDOWN.
 */

import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { moduleUrl } from '../base/module-url.ts';
import { isScriptless, takesNextWord } from '../base/node-flags.ts';
import { ownImpairment } from '../index.ts';
import { MACHINE_VARIABLE, SHARE_VARIABLE } from '../rump/process-environment.ts';
import { kernelAtUrl } from '../tools/bin/kernel-at.ts';
import { CommandFailure } from './failure.ts';
import { type LineArguments, lineOptions, lineValues } from './netem.ts';
import { endAs, runChild } from './pass-through.ts';
import { runKernelUrl } from './run-kernel.ts';
import { labOption, parseSeed, serverUrl } from './target.ts';

const PRELOAD: URL = moduleUrl('../worker/preload', import.meta.url);
const HIJACK: URL = moduleUrl('../worker/hijack', import.meta.url);
/** No such kernel. */
const EXIT_NO_KERNEL = 1;

interface RunOptions extends LineArguments {
  server?: string;
  lab?: string;
  seed?: number;
}

export function runCommand(): Command {
  const command = new Command('run')
    .summary('run one program on a kernel of its own, or on one that is there')
    .description(
      'Run a program on a kernel of its own, with lo0 (127.0.0.1, localhost) and nothing else: it can talk to itself over ' +
        'the network, and to nobody else. With --server it runs on a kernel that is there, as one more program of that machine. ' +
        'What stands before -- goes to Node. --delay and those below it impair lo0: each packet that the program sends to itself.',
    )
    .usage('[--server URL|NODE | --delay TIME ...] [--node-flag ...] [--] program.js [arguments]')
    .argument('[words...]', 'flags for Node, then --, then the program and its arguments')
    .option('--server <kernel>', 'URL of a kernel (unix://PATH, tcp://HOST:PORT/), or node of a lab that is up')
    .addOption(labOption())
    .addHelpText(
      'after',
      '\nThe key of a kernel stands in its URL (?key=DIGITS) or in RUMP_KEY. Exit code 1: no such kernel.',
    );
  for (const option of lineOptions()) command.addOption(option);
  return command
    .addOption(new Option('--seed <number>', 'of the chances of --loss and others; default 0').argParser(parseSeed))
    .helpOption('--help', 'display help for command')
    .passThroughOptions()
    .allowUnknownOption()
    .action(async (_words: string[], options: RunOptions) => {
      const { server, lab, seed = 0 } = options;
      const values = lineValues(options);
      const impaired = Object.keys(values).length > 0;
      if (impaired && server !== undefined) throw new CommandFailure('that kernel is impaired by mk netem, not here');
      const impairment = impaired ? ownImpairment(values, seed) : null;
      const { nodeFlags, program } = withoutNode(divide(rawWords(command)));
      if (program.length === 0) throw new CommandFailure('no program; say: mk run -- program.js');
      checkScript(program);
      process.exitCode =
        server === undefined
          ? await runProgram(PRELOAD, await ownEnvironment(impairment), nodeFlags, program)
          : await runProgram(HIJACK, await serverEnvironment(server, lab), nodeFlags, program);
    });
}

/** The URL is hidden from the program, and known to the processes and threads that it starts. */
async function ownEnvironment(impairment: object | null): Promise<NodeJS.ProcessEnv> {
  const url = await runKernelUrl(impairment);
  return { ...process.env, [SHARE_VARIABLE]: url, [MACHINE_VARIABLE]: `${randomUUID()}/${hostname()}` };
}

/** RUMP_SERVER is what the program, and tools that it starts, find their kernel by. */
async function serverEnvironment(server: string, lab: string | undefined): Promise<NodeJS.ProcessEnv> {
  try {
    const url = await serverUrl(server, lab);
    await checkAnswers(url);
    return { ...process.env, RUMP_SERVER: url };
  } catch (error) {
    throw new CommandFailure((error as Error).message, EXIT_NO_KERNEL);
  }
}

/** A kernel that stands still would have the program wait without a word. The program itself says what else is wrong. */
async function checkAnswers(url: string): Promise<void> {
  try {
    await (await kernelAtUrl(url, process.env.RUMP_KEY)).close();
  } catch (error) {
    if ((error as { code?: string }).code === 'ETIMEDOUT') throw error;
  }
}

/** The words behind `run` and its own options as typed: commander drops the `--` that parts them. */
function rawWords(command: Command): string[] {
  const words = process.argv.slice(process.argv.indexOf('run', 2) + 1);
  // Every option of the command has a value.
  const own = new Set(command.options.map(({ long }) => long));
  let at = 0;
  for (let word = words[0]; word !== undefined && own.has(word.split('=', 1)[0]); word = words[at])
    at += word.includes('=') ? 1 : 2;
  return words.slice(at);
}

interface Division {
  readonly nodeFlags: readonly string[];
  readonly program: readonly string[];
}

/** `node program.js`, as mk exec and lab files have it: the word is not the program, unless a script has that name. */
function withoutNode({ nodeFlags, program }: Division): Division {
  if (program[0] !== 'node' || scriptOf('node') !== null) return { nodeFlags, program };
  const behind = divide(program.slice(1));
  return { nodeFlags: [...nodeFlags, ...behind.nodeFlags], program: behind.program };
}

/**
 * Flags for Node and the program, which begins with the first word that is no flag and no value of one, or behind `--`. A flag by
 * which Node runs no script begins the program, and Node divides what follows.
 */
export function divide(words: readonly string[]): Division {
  let at = 0;
  while (at < words.length) {
    const word = words[at] as string;
    if (word === '--' || !word.startsWith('-') || isScriptless(word)) break;
    at += takesNextWord(word) ? 2 : 1;
  }
  return { nodeFlags: words.slice(0, at), program: words.slice(words[at] === '--' ? at + 1 : at) };
}

/** Node would say it in twelve lines. */
export function checkScript(program: readonly string[]): void {
  const name = program[0] as string;
  if (!isScriptless(name) && scriptOf(name) === null) throw new CommandFailure(`no program ${resolve(name)}`);
}

/** The file that Node would run for this word, null when there is none. */
function scriptOf(name: string): string | null {
  const path = resolve(name);
  try {
    return createRequire(path).resolve(path);
  } catch {
    return null;
  }
}

/** The preload as a path or a URL: `--require` leaves the program the main module of an ordinary start. */
function preloadFlags(preload: URL): string[] {
  const features = process.features as { require_module?: boolean };
  return features.require_module === true ? ['--require', fileURLToPath(preload)] : ['--import', preload.href];
}

async function runProgram(
  preload: URL,
  env: NodeJS.ProcessEnv,
  nodeFlags: readonly string[],
  program: readonly string[],
): Promise<number> {
  return endAs(await runChild(process.execPath, [...preloadFlags(preload), ...nodeFlags, ...program], env));
}
