/**
 * Role: where worker entries and the files beside the sources lie, whether the harness runs built or from its sources.
 * Thread: any. Node 20 runs no TypeScript in a worker: from the sources (vitest), the built entry in dist/bench/ is taken.
 */

/** URL of the worker entry `name` (without extension) beside the module `base` (its import.meta.url). */
export function entryUrl(name: string, base: string): URL {
  const url = new URL(`./${name}.js`, base);
  if (base.endsWith('.ts')) url.pathname = url.pathname.replace(/\/bench\/(?!.*\/bench\/)/, '/dist/bench/');
  return url;
}
