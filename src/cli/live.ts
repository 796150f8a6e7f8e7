/**
 * A region at the bottom of the terminal that is drawn over and over, with lines that scroll away above it.
 *
 * Thread: the command's.
 */

import { type Output, shownText } from './output.ts';

export class LiveRegion {
  readonly #out: Output;
  #lines: string[] = [];
  #drawn = 0;

  constructor(out: Output) {
    this.#out = out;
  }

  /** Characters of a line that are shown. */
  get columns(): number {
    return Math.max(20, this.#out.columns - 1);
  }

  /** Replace the text of the region. Lines beyond the terminal's size are cut, because they could not be redrawn. */
  show(text: string): void {
    this.#lines = shownText(text).replace(/\n$/, '').split('\n');
    this.#out.control(this.#erase() + this.#draw());
  }

  /** A line above the region, for good. */
  print(line: string): void {
    this.#out.control(`${this.#erase()}${shownText(line).replace(/\n$/, '')}\n${this.#draw()}`);
  }

  /** Take the region away. */
  clear(): void {
    this.#out.control(this.#erase());
    this.end();
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
    const width = this.columns;
    const height = Math.max(4, this.#out.rows - 2);
    const rest = this.#lines.length - height;
    const shown = rest > 0 ? [...this.#lines.slice(0, height), `... and ${rest} more`] : this.#lines;
    this.#drawn = shown.length;
    return shown.map((line) => `${line.slice(0, width)}\n`).join('');
  }
}
