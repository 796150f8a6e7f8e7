/**
 * A region at the bottom of the terminal that is drawn over and over, with lines that scroll away above it.
 *
 * Thread: the command's.
 */

import type { Output } from './output.ts';

export class LiveRegion {
  readonly #out: Output;
  #lines: string[] = [];
  #drawn = 0;

  constructor(out: Output) {
    this.#out = out;
  }

  /** Replace what the region shows. Lines longer than the terminal are cut: a wrapped line could not be redrawn. */
  show(text: string): void {
    this.#lines = text.replace(/\n$/, '').split('\n');
    this.#out.write(this.#erase() + this.#draw());
  }

  /** A line above the region, for good. */
  print(line: string): void {
    this.#out.write(`${this.#erase()}${line.replace(/\n$/, '')}\n${this.#draw()}`);
  }

  /** Leave the region as it stands. */
  end(): void {
    this.#drawn = 0;
    this.#lines = [];
  }

  #erase(): string {
    return this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A\r\x1b[J`;
  }

  #draw(): string {
    this.#drawn = this.#lines.length;
    const width = Math.max(20, this.#out.columns - 1);
    return this.#lines.map((line) => `${line.slice(0, width)}\n`).join('');
  }
}
