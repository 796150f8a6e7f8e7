/**
 * URLs of modules that are not imported but started (threads, preloads) or loaded later. Thread: any.
 *
 * test/layers.test.ts checks that each name is a source file.
 */

/** URL of the module `name`, a path without extension from the module `base` (its `import.meta.url`): .ts where sources run unbuilt. */
export function moduleUrl(name: string, base: string): URL {
  return new URL(`${name}${base.endsWith('.ts') ? '.ts' : '.js'}`, base);
}

/** URL of a command of package.json (`bin`), as {@link moduleUrl}: .cjs once it is built into one file (scripts/bundle.js). */
export function commandUrl(name: string, base: string): URL {
  return new URL(`${name}${base.endsWith('.ts') ? '.ts' : '.cjs'}`, base);
}
