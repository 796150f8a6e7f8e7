#!/usr/bin/env node
/** Entry of `rump_server`. Thread: the main thread of the command. */

import { startServer } from '../rump-server.ts';

process.exitCode = await startServer(process.argv.slice(2), {
  write: (text) => void process.stdout.write(text),
  error: (text) => void process.stderr.write(text),
});
