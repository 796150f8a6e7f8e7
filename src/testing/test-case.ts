/** A test as its runner names it. Thread: the test runner's. */

export interface TestCase {
  /** Path of its file. */
  file: string;
  /** Names of the groups that it stands in, then its own. */
  names: readonly string[];
  /** Words of the command that runs this test alone; `file` as the current folder sees it. */
  command(file: string): string[];
}

/** A regular expression that matches the text alone. */
export function literalPattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}
