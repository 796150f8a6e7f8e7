/**
 * Output of the programs of a lab and changes of state of its nodes: the last lines of each, and all lines to followers.
 *
 * Thread: the supervisor's.
 */

import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import type { LogLine } from './operations.ts';

const LINES_KEPT = 1000;
/** A program that writes no newline is cut into lines of this length. */
const LINE_CHARACTERS_MAX = 8192;

export class LogBook {
  readonly #lines: Map<string, LogLine[]> = new Map();
  readonly #followers: Set<(line: LogLine) => void> = new Set();

  add(node: string, source: LogLine['source'], text: string): void {
    const line: LogLine = { atMs: Date.now(), node, source, text };
    let lines = this.#lines.get(node);
    if (lines === undefined) this.#lines.set(node, (lines = []));
    lines.push(line);
    if (lines.length > LINES_KEPT * 1.25) lines.splice(0, lines.length - LINES_KEPT);
    for (const follower of this.#followers) follower(line);
  }

  /** The last `count` lines of each of `nodes` (empty: all), in the order they were written. */
  last(nodes: readonly string[], count: number): LogLine[] {
    const chosen = [...this.#lines].filter(([node]) => nodes.length === 0 || nodes.includes(node));
    const lines = chosen.flatMap(([, own]) => (count > 0 ? own.slice(-count) : []));
    return lines.sort((a, b) => a.atMs - b.atMs);
  }

  /** Returns how to stop following. */
  follow(nodes: readonly string[], take: (line: LogLine) => void): () => void {
    const follower = (line: LogLine): void => {
      if (nodes.length === 0 || nodes.includes(line.node)) take(line);
    };
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** Take a stream of text apart into lines of this node, until it ends. `seen`: called with each. */
  read(node: string, source: 'stdout' | 'stderr', stream: Readable, seen: (line: string) => void = () => {}): void {
    const decoder = new StringDecoder('utf8');
    let rest = '';
    stream.on('data', (chunk: Buffer) => {
      const parts = (rest + decoder.write(chunk)).split(/\r?\n/);
      rest = parts.pop() as string;
      while (rest.length > LINE_CHARACTERS_MAX) {
        parts.push(rest.slice(0, LINE_CHARACTERS_MAX));
        rest = rest.slice(LINE_CHARACTERS_MAX);
      }
      for (const part of parts) {
        this.add(node, source, part);
        seen(part);
      }
    });
    stream.on('end', () => {
      rest += decoder.end();
      if (rest !== '') this.add(node, source, rest);
      rest = '';
    });
  }
}
