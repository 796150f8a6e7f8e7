/** BSD getopt(3) over an argument list: clusters (`-an`), values joined or apart (`-c3`, `-c 3`), `--`. Thread: any. */

/** A mistake in the arguments of a tool: the usage follows. */
export class UsageError extends Error {}

/** A value that a tool refuses, in one line without the usage. */
export class ArgumentError extends Error {}

export interface Options {
  flags: Set<string>;
  values: Map<string, string>;
  rest: string[];
}

/**
 * The options of a command in their order, and the words behind them. `spec` as getopt takes it: letters, a colon behind those with a
 * value. Stops at the first word that is no option. Throws {@link UsageError}.
 */
export function eachOption(
  args: readonly string[],
  spec: string,
  take: (letter: string, value: string | null) => void,
): string[] {
  let at = 0;
  for (; at < args.length; at++) {
    const word = args[at] as string;
    if (word === '--') {
      at++;
      break;
    }
    if (!word.startsWith('-') || word === '-') break;
    for (let i = 1; i < word.length; i++) {
      const letter = word[i] as string;
      const found = letter === ':' ? -1 : spec.indexOf(letter);
      if (found < 0) throw new UsageError(`unknown option -- ${letter}`);
      if (spec[found + 1] !== ':') {
        take(letter, null);
        continue;
      }
      const value = i + 1 < word.length ? word.slice(i + 1) : args[++at];
      if (value === undefined) throw new UsageError(`option requires an argument -- ${letter}`);
      take(letter, value);
      break;
    }
  }
  return args.slice(at);
}

/** As {@link eachOption}; of an option that stands twice, the last value holds. */
export function getopt(args: readonly string[], spec: string): Options {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const rest = eachOption(args, spec, (letter, value) => {
    if (value === null) flags.add(letter);
    else values.set(letter, value);
  });
  return { flags, values, rest };
}

/** The value of an option as a number, `fallback` when it was not given. */
export function numberOption(options: Options, letter: string, fallback: number, min: number): number {
  const text = options.values.get(letter);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() === '' || !(value >= min)) throw new UsageError(`-${letter} ${text}: not a number of ${min} or more`);
  return value;
}
