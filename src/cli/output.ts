/**
 * Output of a command: text, tables, JSON. A reader that goes away (`| head`) ends the command quietly.
 *
 * Thread: the command's.
 */

export interface Output {
  /** Text as it is, with its line ends. */
  write(text: string): void;
  error(text: string): void;
  readonly terminal: boolean;
  /** Characters in a line of the terminal. */
  readonly columns: number;
  readonly rows: number;
}

export const output: Output = {
  write: (text) => {
    process.stdout.write(text);
  },
  error: (text) => {
    process.stderr.write(text);
  },
  get terminal() {
    return process.stdout.isTTY === true;
  },
  get columns() {
    return process.stdout.columns ?? 80;
  },
  get rows() {
    return process.stdout.rows ?? 24;
  },
};

/** Let EPIPE on stdout end the process without a word. Once per process. */
export function quietOnClosedPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
    throw error;
  });
}

/** One JSON value, indented for people on a terminal, on one line for programs. */
export function printJson(out: Output, value: unknown): void {
  out.write(`${JSON.stringify(value, null, out.terminal ? 2 : undefined)}\n`);
}

/** Rows under a heading, columns two spaces apart, nothing behind the last one. */
export function formatTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd();
  return all.map((row) => `${line(row)}\n`).join('');
}
