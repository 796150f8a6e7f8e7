// Jobs wait in a FIFO in the memory of the master; workers in processes of their own take them out from afar, and write results into its memory.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Mbcf } from 'multikernel/mbcf';

const WORKERS = 3;
const JOBS = 300;
// The master's memory: results done, the results, the FIFO.
const DONE_AT = 0;
const RESULTS_AT = 8;
const FIFO_AT = 8192;
const FIFO_BYTES = 512 + 32;

async function master() {
  const children = Array.from({ length: WORKERS }, (_, i) => fork(fileURLToPath(import.meta.url), [String(i + 2)]));
  const node = await Mbcf.open({ number: 1 });
  const task = node.task(1);
  const buffer = new SharedArrayBuffer(FIFO_AT + FIFO_BYTES);
  const registered = task.register(buffer);
  task.declareFifo(registered, FIFO_AT, FIFO_BYTES);
  const key = Buffer.from(registered.address.key).toString('hex');
  children.forEach((child, i) => {
    child.once('message', (/** @type {string} */ address) => {
      node.addPeer(i + 2, { address });
      child.send({ master: node.address, key });
    });
  });
  // The master writes to its queue as anybody would; records wait where there is no room.
  const queue = await task.attach(registered.address);
  for (let job = 0; job < JOBS; job++) {
    await queue.fifoWrite(FIFO_AT, Uint8Array.of(job & 0xff, job >> 8), { wait: true });
  }
  await task.waitUntil(registered, DONE_AT, 'GE', JOBS);
  const results = new Int32Array(buffer, RESULTS_AT, JOBS);
  console.log(`${JOBS} jobs, ${results.filter((result, job) => result === job * job).length} right results`);
  const ends = children.map((child) => new Promise((ended) => child.once('exit', ended)));
  for (const child of children) child.disconnect();
  await Promise.all(ends);
  await node.close();
}

async function worker(number) {
  const node = await Mbcf.open({ number });
  process.send(node.address);
  const { master, key } = await new Promise((told) => process.once('message', told));
  process.once('disconnect', () => node.close());
  node.addPeer(1, { address: master });
  const queue = await node.task(1).attach({ node: 1, task: 1, key: Buffer.from(key, 'hex') });
  while (process.connected) {
    const job = await queue.fifoRead(FIFO_AT).catch(({ code }) => code);
    if (typeof job === 'string') {
      if (job !== 'EAGAIN') return;
      await new Promise((soon) => setTimeout(soon, 1));
      continue;
    }
    const n = job[0] | (job[1] << 8);
    // The result, and with it one more that is done: the master sees the count after the result.
    const result = new Uint8Array(Int32Array.of(n * n).buffer);
    await queue.writeSignal(RESULTS_AT + 4 * n, result, DONE_AT, 1, 'add');
  }
}

if (process.send === undefined) await master();
else await worker(Number(process.argv[2]));
