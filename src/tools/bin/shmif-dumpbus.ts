#!/usr/bin/env node
/** Entry of `shmif_dumpbus`. Thread: the main thread of the command. */

import { dumpBus } from './dump-bus.ts';

process.exitCode = dumpBus(process.argv.slice(2), {
  write: (text) => void process.stdout.write(text),
  writeBytes: (bytes) => void process.stdout.write(bytes),
  error: (text) => void process.stderr.write(text),
});
