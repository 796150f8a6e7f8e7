/** BSD getopt(3) over an argument list: clusters (`-an`), values joined or apart (`-c3`, `-c 3`), `--`. Thread: any. */

/** A mistake in the arguments of a tool. */
export class UsageError extends Error {}

export interface Options {
  flags: Set<string>;
  values: Map<string, string>;
  rest: string[];
}

/** `spec` as getopt takes it: letters, a colon behind those with a value. Stops at the first word that is no option. */
export function getopt(args: readonly string[], spec: string): Options {
  const options: Options = { flags: new Set(), values: new Map(), rest: [] };
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
        options.flags.add(letter);
        continue;
      }
      const value = i + 1 < word.length ? word.slice(i + 1) : args[++at];
      if (value === undefined) throw new UsageError(`option requires an argument -- ${letter}`);
      options.values.set(letter, value);
      break;
    }
  }
  options.rest = args.slice(at);
  return options;
}

/** The value of an option as a number, `fallback` when it was not given. */
export function numberOption(options: Options, letter: string, fallback: number, min: number): number {
  const text = options.values.get(letter);
  if (text === undefined) return fallback;
  const value = Number(text);
  if (text.trim() === '' || !(value >= min)) throw new UsageError(`-${letter} ${text}: not a number of ${min} or more`);
  return value;
}
