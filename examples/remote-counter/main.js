// Four processes count in the memory of one of them, and meet at a barrier in each other's: no lock, no server, no message that a program reads.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Barrier, Mbcf } from 'multikernel/mbcf';

const MEMBERS = 4;
const ADDITIONS = 2000;
// Each member's memory: a counter of 64 bits, and the words of the barrier behind it.
const BARRIER_AT = 8;
const BYTES = 64;

if (process.send === undefined) {
  // The parent only introduces the members to each other: where they are, and the keys of their memories.
  const children = Array.from({ length: MEMBERS }, (_, i) => fork(fileURLToPath(import.meta.url), [String(i + 1)]));
  const introductions = await Promise.all(children.map((child) => new Promise((told) => child.once('message', told))));
  for (const child of children) child.send(introductions);
  await Promise.all(children.map((child) => new Promise((ended) => child.once('exit', ended))));
} else {
  const number = Number(process.argv[2]);
  const node = await Mbcf.open({ number });
  const task = node.task(1);
  const buffer = new SharedArrayBuffer(BYTES);
  const registered = task.register(buffer, { rights: ['read', 'atomic'] });
  const { key } = registered.address;
  process.send({ number, address: node.address, key: Buffer.from(key).toString('hex') });
  const introductions = await new Promise((told) => process.once('message', told));
  for (const other of introductions) if (other.number !== number) node.addPeer(other.number, other);
  const members = introductions.map((one) => ({ node: one.number, task: 1, key: Buffer.from(one.key, 'hex') }));
  const barrier = await Barrier.join(task, registered, BARRIER_AT, number - 1, members);
  const counter = await task.attach(members[0]);

  await barrier.wait();
  const before = await Promise.all(Array.from({ length: ADDITIONS }, () => counter.fetchAdd(0, 1n)));
  await barrier.wait();
  // No two members were ever given the same value.
  const own = new Set(before).size;
  if (number === 1) console.log(`${MEMBERS} members added ${ADDITIONS} times each: ${new BigInt64Array(buffer)[0]}`);
  if (own !== ADDITIONS) console.log(`member ${number} was given a value twice`);
  await barrier.wait();
  await node.close();
  process.disconnect();
}
