// A message broker. Requests are lines of JSON: { put: id, text } keeps a message, { take: true } gets the oldest that is not done, as soon as
// there is one, { done: id } says that it was dealt with. What was answered is in the journal, for the next broker when this one is killed.
import { fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

/** Ids of all messages ever, since producers ask again when they got no answer. */
const known = new Set();
const waiting = new Map();
const takers = new Set();

/** Returns whether the request changed anything. */
function apply({ put, text, done }) {
  if (done !== undefined) return waiting.delete(done);
  if (known.has(put)) return false;
  known.add(put);
  waiting.set(put, text);
  return true;
}

const journal = openSync(process.env.JOURNAL, 'a+');
const bytes = readFileSync(journal);
// Half a line at the end was never answered.
const end = bytes.lastIndexOf('\n') + 1;
ftruncateSync(journal, end);
for (const line of bytes.toString('utf8', 0, end).split('\n').slice(0, -1)) apply(JSON.parse(line));

/** Returns whether the request was new; it is on the disk now. */
function keep(request) {
  if (!apply(request)) return false;
  writeSync(journal, `${JSON.stringify(request)}\n`);
  fsyncSync(journal);
  return true;
}

createServer((socket) => {
  const answer = (value) => socket.write(`${JSON.stringify(value)}\n`);
  socket.on('error', () => {});
  socket.on('close', () => takers.delete(answer));
  createInterface(socket).on('line', (line) => {
    const request = JSON.parse(line);
    if (request.take) takers.add(answer);
    else answer({ isNew: keep(request) });
    const [oldest] = waiting;
    if (oldest === undefined) return;
    for (const taker of takers) taker({ id: oldest[0], text: oldest[1] });
    takers.clear();
  });
}).listen(5672);
