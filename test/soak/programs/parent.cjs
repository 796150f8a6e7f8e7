// Child processes and threads, one of each at a time, that ask the server and end.
const { fork } = require('node:child_process');
const { join } = require('node:path');
const { Worker } = require('node:worker_threads');
const { forever } = require('./load.cjs');

const CHILD = join(__dirname, 'child.cjs');

function ended(one) {
  return new Promise((done, failed) => {
    one.on('error', failed);
    one.on('exit', (code) => (code === 0 ? done() : failed(new Error(`exit code ${code}`))));
  });
}

forever('forks', () => ended(fork(CHILD, { silent: true })));
forever('threads', () => ended(new Worker(CHILD)));
