/**
 * Role: the one line of progress, redrawn on a terminal; nothing at all in a pipe.
 * Thread: the harness's main thread.
 */

export interface ProgressStream {
  isTTY?: boolean | undefined;
  columns?: number | undefined;
  write(text: string): unknown;
}

export class Progress {
  private readonly stream: ProgressStream;
  private shown = false;

  constructor(stream: ProgressStream) {
    this.stream = stream;
  }

  show(text: string): void {
    if (this.stream.isTTY !== true) return;
    const width = (this.stream.columns ?? 80) - 1;
    this.stream.write(`\r\u001b[K${text.length > width ? `${text.slice(0, width - 1)}…` : text}`);
    this.shown = true;
  }

  /** Removes the line, before anything else is printed. */
  clear(): void {
    if (this.shown) this.stream.write('\r\u001b[K');
    this.shown = false;
  }
}
