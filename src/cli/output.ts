/**
 * Output of a command: text, tables, JSON. A reader that goes away (`| head`) ends the command quietly.
 *
 * Text of programs, lab files and errors may hold sequences that a terminal obeys: on a terminal control characters are shown,
 * in a pipe or a file they stay as they are.
 *
 * Thread: the command's.
 */

export interface Output {
  /** Text with its line ends; a terminal shows the other control characters as {@link shownText}. */
  write(text: string): void;
  error(text: string): void;
  /** Sequences of our own for a terminal, and text that was made harmless. */
  control(text: string): void;
  readonly terminal: boolean;
  /** Characters in a line of the terminal. */
  readonly columns: number;
  readonly rows: number;
}

/** Control characters of C0 and C1, and delete; but tabs and line feeds. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/** Text that a terminal shows and does not obey: `\x1b` for an escape, `\x0d` for a carriage return. */
export function shownText(text: string): string {
  return text.replace(CONTROL, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

export const output: Output = {
  write: (text) => {
    process.stdout.write(output.terminal ? shownText(text) : text);
  },
  error: (text) => {
    process.stderr.write(process.stderr.isTTY === true ? shownText(text) : text);
  },
  control: (text) => {
    process.stdout.write(text);
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
