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

/** Text that nobody has read may take so much memory; what comes beyond it is left out. */
const UNREAD_BYTES_MAX = 64 * 1024 * 1024;
/** A reader that has taken nothing for so long takes nothing any more. */
const UNREAD_MS = 200;

let leftOut = 0;

function put(text: string): void {
  const { stdout } = process;
  if (stdout.writableLength > UNREAD_BYTES_MAX) {
    leftOut++;
    return;
  }
  if (leftOut > 0) stdout.write(`mk: ${leftOut} writes were left out: nobody read them\n`);
  leftOut = 0;
  stdout.write(text);
}

/** The part of Node's streams that knows of the system's. */
interface Handle {
  setBlocking?(on: boolean): number;
  readonly writeQueueSize?: number;
}

function handleOf(stream: object): Handle | undefined {
  return (stream as { _handle?: Handle })._handle;
}

/** Let text wait in memory, and not this thread, when a terminal is stopped (Ctrl-S). */
export function waitInMemory(): void {
  for (const stream of [process.stdout, process.stderr]) if (stream.isTTY) handleOf(stream)?.setBlocking?.(false);
}

function unreadBytes(): number {
  const streams = [process.stdout, process.stderr];
  return streams.reduce((sum, one) => sum + one.writableLength + (handleOf(one)?.writeQueueSize ?? 0), 0);
}

/** The command has nothing more to do: end the process once nobody reads on. */
export function endWhenUnread(): void {
  let before = -1;
  const look = (): void => {
    const unread = unreadBytes();
    if (unread > 0 && unread === before) process.exit();
    before = unread;
  };
  // Unread text alone keeps the process alive.
  setInterval(look, UNREAD_MS).unref();
}

export const output: Output = {
  write: (text) => put(output.terminal ? shownText(text) : text),
  error: (text) => {
    process.stderr.write(process.stderr.isTTY === true ? shownText(text) : text);
  },
  control: put,
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

/** A last column is given so much of a line at most: it may be cut, or go on in the next line. */
const LAST_COLUMN_CHARACTERS = 24;

/**
 * As {@link formatTable}, without columns that do not fit into a line, in the order of their names in `dispensable`, until the rest
 * does.
 */
export function formatFitting(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
  dispensable: readonly string[],
): string {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)) + 2);
  const last = heading.length - 1;
  widths[last] = Math.min((widths[last] as number) - 2, LAST_COLUMN_CHARACTERS);
  let total = widths.reduce((sum, width) => sum + width, 0);
  const left = new Set<number>();
  for (const name of dispensable) {
    if (total <= columns) break;
    const column = heading.indexOf(name);
    if (column < 0) continue;
    left.add(column);
    total -= widths[column] as number;
  }
  const shown = (row: readonly string[]): string[] => row.filter((_, column) => !left.has(column));
  return formatTable(shown(heading), rows.map(shown));
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
