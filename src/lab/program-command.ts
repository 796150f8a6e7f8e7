/**
 * The `run:` line of a node, `node [flags] script [arguments]` or `program [arguments]`, taken apart as a shell would, without a shell.
 *
 * Thread: any. Missing: shell syntax (pipes, variables, globs), which is refused.
 */

import { accessSync, constants, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join, resolve } from 'node:path';
import { isScriptless, takesNextWord } from '../base/node-flags.ts';

export interface ProgramCommand {
  /** As written; null: Node itself, with a script. */
  executable: string | null;
  /** Flags for Node, in front of the script. */
  nodeFlags: string[];
  /** As written; '' where Node is not what runs. */
  script: string;
  argv: string[];
}

/** Node where it runs no script, or not by itself. */
export const NODE = 'node';

/** Flags under which Node starts the script in a process of its own, which loads `node:net` before anything else. */
const FLAGS_REFUSED = /^--watch(-path|-preserve-output)?(=|$)/;

/** The words of a command line. A string is an error message. */
export function splitWords(text: string): string[] | string {
  const words: string[] = [];
  let word: string | null = null;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (c === "'" || c === '"') {
      const close = text.indexOf(c, i + 1);
      if (close < 0) return `quote ${c} is not closed`;
      word = (word ?? '') + text.slice(i + 1, close);
      i = close;
    } else if (c === '\\' && i + 1 < text.length) {
      word = (word ?? '') + text[++i];
    } else if (/\s/.test(c)) {
      if (word !== null) words.push(word);
      word = null;
    } else if ('|&;<>`$*'.includes(c)) {
      return `'${c}': there is no shell here (quote it if it is meant literally)`;
    } else {
      word = (word ?? '') + c;
    }
  }
  if (word !== null) words.push(word);
  return words;
}

/** `run:` taken apart. A string is an error message. */
export function parseProgramCommand(text: string): ProgramCommand | string {
  const words = splitWords(text);
  if (typeof words === 'string') return words;
  const first = words[0];
  if (first === undefined) return 'nothing to run';
  if (/\.[cm]?[jt]s$/.test(first)) return { executable: null, nodeFlags: [], script: first, argv: words.slice(1) };
  if (first !== 'node') return { executable: first, nodeFlags: [], script: '', argv: words.slice(1) };
  const nodeFlags: string[] = [];
  let at = 1;
  for (; at < words.length; at++) {
    const word = words[at] as string;
    if (!word.startsWith('-')) break;
    if (word === '--') {
      at++;
      break;
    }
    if (FLAGS_REFUSED.test(word))
      return `node ${word}: Node loads its network there before a kernel can be put under it`;
    if (isScriptless(word)) return { executable: NODE, nodeFlags: [], script: '', argv: words.slice(1) };
    nodeFlags.push(word);
    if (takesNextWord(word)) {
      const value = words[++at];
      if (value === undefined) return `node ${word}: a value is missing`;
      nodeFlags.push(value);
    }
  }
  const script = words[at];
  if (script === undefined) return 'no script after "node"';
  return { executable: null, nodeFlags, script, argv: words.slice(at + 1) };
}

/** Path of a program as a shell finds it, or null. `path`: the variable of that name. */
export function findExecutable(name: string, cwd: string, path: string): string | null {
  const folders = name.includes('/') ? [cwd] : path.split(delimiter);
  return folders.map((folder) => resolve(cwd, folder, name)).find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Path of a script as `node SCRIPT` would find it, or null. */
export function findScript(script: string, cwd: string): string | null {
  const path = resolve(cwd, script);
  try {
    return createRequire(join(cwd, 'noop.js')).resolve(path);
  } catch {
    return null;
  }
}
