/**
 * Flags of Node and variables of the environment for a program that is a thread: those that hold for a whole process are refused,
 * modules to preload are loaded once the kernel is under the program, limits of the heap are limits of the thread.
 *
 * Thread: the supervisor's. Sources: `node --help`, lib/internal/worker.js, the options that Node has per process and per environment.
 */

import type { WorkerOptions } from 'node:worker_threads';
import { takesNextWord } from '../base/node-flags.ts';
import type { Preload } from './messages.ts';

type Limits = NonNullable<WorkerOptions['resourceLimits']>;

/** Flags of V8 that are limits of a thread. */
const LIMIT_FLAGS: Readonly<Record<string, keyof Limits>> = {
  '--max-old-space-size': 'maxOldGenerationSizeMb',
  '--max-semi-space-size': 'maxYoungGenerationSizeMb',
};

const PRELOAD_FLAGS: Readonly<Record<string, Preload['how']>> = {
  '-r': 'require',
  '--require': 'require',
  '--import': 'import',
};

/** Flags that Node takes for a process only, and those that it takes for a thread and that do nothing there. */
const PROCESS_FLAGS = new RegExp(
  `^--(no-)?(${[
    'abort-on-uncaught-exception',
    'build-snapshot(-config)?',
    'debug(-.*)?',
    'disable-(proto|wasm-trap-handler)',
    'disallow-code-generation-from-strings',
    'enable-etw-stack-walking',
    '(enable|force)-fips',
    'env-file(-if-exists)?',
    'experimental-(permission|policy|sea-config|shadow-realm)',
    'expose-gc',
    'heapsnapshot-signal',
    'huge-max-old-generation-size',
    'icu-data-dir',
    'inspect(-.*)?',
    'interpreted-frames-native-stack',
    'jitless',
    'node-(memory-debug|snapshot)',
    'openssl-.*',
    'perf-.*',
    'permission',
    'policy-integrity',
    'prof(-process)?',
    'report-.*',
    'secure-heap(-min)?',
    'snapshot-blob',
    'stack-trace-limit',
    'test(-.*)?',
    'title',
    'tls-cipher-list',
    'trace-(event.*|sigint)',
    'use-(bundled-ca|openssl-ca|system-ca|largepages)',
    'v8-.*',
    'watch(-.*)?',
    'zero-fill-buffers',
  ].join('|')})$`,
);

/** Variables that a process reads at its start: Node, libuv, ICU, OpenSSL, the loader of the system. */
const PROCESS_VARIABLES =
  /^(TZ|LANG|LANGUAGE|LC_.*|NODE_EXTRA_CA_CERTS|NODE_ICU_DATA|NODE_NO_WARNINGS|NODE_PENDING_DEPRECATION|NODE_PRESERVE_SYMLINKS(_MAIN)?|NODE_REDIRECT_WARNINGS|NODE_V8_COVERAGE|UV_(THREADPOOL_SIZE|USE_IO_URING)|SSL_CERT_(FILE|DIR)|OPENSSL_CONF|LD_PRELOAD|LD_LIBRARY_PATH|DYLD_.*)$/;

interface Flag {
  /** With dashes, without its value. */
  name: string;
  value: string | null;
  /** As written, in one word or two. */
  words: string[];
}

function flagsOf(words: readonly string[]): Flag[] {
  const flags: Flag[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    const at = word.indexOf('=');
    const name = (at < 0 ? word : word.slice(0, at)).replaceAll('_', '-');
    const next = at < 0 && takesNextWord(name) ? words[++i] : undefined;
    const value = at < 0 ? (next ?? null) : word.slice(at + 1);
    flags.push({ name, value, words: next === undefined ? [word] : [word, next] });
  }
  return flags;
}

/** Words of NODE_OPTIONS: parted by spaces, but within double quotes; `\` takes the next character as it is. */
export function optionWords(text: string): string[] {
  const words = text.match(/(?:"(?:\\.|[^"\\])*"?|[^\s"])+/g) ?? [];
  return words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"?/g, (_, quoted: string) => quoted.replace(/\\(.)/g, '$1')),
  );
}

function isOfProcess({ name }: Flag): boolean {
  if (Object.hasOwn(LIMIT_FLAGS, name) || Object.hasOwn(PRELOAD_FLAGS, name)) return false;
  // Flags that are not Node's are V8's, which has one set of them for all threads.
  return PROCESS_FLAGS.test(name) || !process.allowedNodeEnvironmentFlags.has(name);
}

export interface ThreadProblem {
  /** Below the node. */
  key: readonly ['run'] | readonly ['env', string];
  message: string;
}

/** End of the message about a setting that a program beside its kernel cannot have. */
export const ONLY_PROCESS = 'only with "placement: process"';

/** Flags and variables of a program that a thread cannot have. A variable that the process has anyway is no problem. */
export function threadProblems(
  nodeFlags: readonly string[],
  env: Readonly<Record<string, string>>,
  ofProcess: Readonly<Record<string, string | undefined>> = process.env,
): ThreadProblem[] {
  const problems: ThreadProblem[] = [];
  for (const flag of flagsOf(nodeFlags)) {
    if (isOfProcess(flag)) problems.push({ key: ['run'], message: `node ${flag.words.join(' ')}: ${ONLY_PROCESS}` });
  }
  for (const [name, value] of Object.entries(env)) {
    if (value === ofProcess[name]) continue;
    const key = ['env', name] as const;
    if (PROCESS_VARIABLES.test(name)) problems.push({ key, message: `read once per process: ${ONLY_PROCESS}` });
    if (name !== 'NODE_OPTIONS') continue;
    for (const flag of flagsOf(optionWords(value)).filter(isOfProcess))
      problems.push({ key, message: `${flag.words.join(' ')}: ${ONLY_PROCESS}` });
  }
  return problems;
}

export interface ThreadFlags {
  execArgv: string[];
  limits: Limits;
  preloads: Preload[];
}

/** Flags of the command and of NODE_OPTIONS, sorted out. Flags that the process has from its own NODE_OPTIONS are left to it. */
export function threadFlags(nodeFlags: readonly string[], nodeOptions: string): ThreadFlags {
  const found: ThreadFlags = { execArgv: [], limits: {}, preloads: [] };
  const options = flagsOf(optionWords(nodeOptions)).filter((flag) => !isOfProcess(flag));
  for (const { name, value, words } of [...options, ...flagsOf(nodeFlags)]) {
    const limit = LIMIT_FLAGS[name];
    const how = PRELOAD_FLAGS[name];
    if (limit !== undefined && value !== null) found.limits[limit] = Number(value);
    else if (how !== undefined && value !== null) found.preloads.push({ how, module: value });
    else found.execArgv.push(...words);
  }
  // Node loads the program by its loader of ES modules, whose hooks a preload may set, when it is started with this flag.
  if (found.preloads.some(({ how }) => how === 'import')) found.execArgv.push('--import', 'data:text/javascript,');
  return found;
}
