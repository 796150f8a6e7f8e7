/**
 * The context of a network tool: a kernel, names, a place to write. Tools take NetBSD's arguments and print NetBSD's text; with
 * `--json` they print the tables of the kernel.
 *
 * Thread: the command's. Read first: kernel-text.ts.
 */

import type { KernelText } from './kernel-text.ts';
import type { Resolver } from './resolver.ts';

/** Standard output and standard error. */
export interface TextSink {
  /** Text as it is, with its line ends. */
  write(text: string): void;
  writeBytes(bytes: Uint8Array): void;
  error(text: string): void;
}

export interface ToolContext {
  kernel: KernelText;
  /** Names of hosts; the kernel is asked for them at the first call. */
  hosts(): Promise<Resolver>;
  out: TextSink;
  json: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** For tools that read it. */
  stdin: NodeJS.ReadableStream;
}

/** Exit code. Throws UsageError for its arguments, MultikernelError for refusals of the kernel. */
export type ToolRun = (context: ToolContext, args: string[]) => Promise<number>;

export interface Tool {
  name: string;
  /** One line for lists. */
  about: string;
  usage: string;
  run: ToolRun;
}
