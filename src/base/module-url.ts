/**
 * URLs of modules that are not imported but started (threads, preloads) or loaded later. Thread: any.
 *
 * test/layers.test.ts checks that each name is a source file.
 */

/** URL of the module `name`, a path without extension from the module `base` (its `import.meta.url`): .ts where sources run unbuilt. */
export function moduleUrl(name: string, base: string): URL {
  return new URL(`${name}${base.endsWith('.ts') ? '.ts' : '.js'}`, base);
}
