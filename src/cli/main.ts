#!/usr/bin/env node
/**
 * Entry of `mk` and `multikernel`: looks at Node's version before anything else is loaded, because what follows does not
 * even parse on an old one.
 *
 * Thread: the main thread of the command.
 */

// Written for the oldest Node that has dynamic import.
const NEEDED = 20.2;
const HAVE = process.versions.node;
const [major, minor] = HAVE.split('.') as [string, string];

if (Number(major) + Number(minor) / 100 < NEEDED) {
  process.stderr.write(`mk: Node ${HAVE} is too old: 20.20 or newer is needed\n`);
  process.exitCode = 2;
} else {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const args = process.argv.slice(2);
  import(`./early.${ending}`)
    .then(({ begin }: typeof import('./early.ts')) => {
      begin(args);
      return import(`./program.${ending}`);
    })
    .then(({ main }: typeof import('./program.ts')) => main(args));
}
