#!/usr/bin/env node
/** Entry of `shmif_pcapin`. Thread: the main thread of the command. */

import { putOnBus } from './put-on-bus.ts';

void putOnBus(process.argv.slice(2), {
  write: (text) => void process.stdout.write(text),
  writeBytes: (bytes) => void process.stdout.write(bytes),
  error: (text) => void process.stderr.write(text),
}).then((code) => {
  process.exitCode = code;
});
