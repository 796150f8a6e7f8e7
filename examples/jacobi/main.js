// The temperature of a plate, cut into strips: each process computes one, and writes its edges into the memory of its neighbors with a signal word.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Mbcf } from 'multikernel/mbcf';

const STRIPS = 3;
const COLUMNS = 32;
const ROWS = 10;
const STEPS = 200;
const ROW_BYTES = COLUMNS * 8;
// A strip's memory: two signal words, then for each of two generations the edge that came from above, the one from below.
const SIGNAL = { above: 0, below: 4 };
const EDGES_AT = 8;
const edgeAt = (side, step) => EDGES_AT + ((step & 1) * 2 + (side === 'above' ? 0 : 1)) * ROW_BYTES;

/** One step of Jacobi's method; `above` and `below` are the rows around the strip. */
function relax(rows, above, below) {
  const grid = [above, ...rows, below];
  return rows.map((row, r) =>
    row.map((old, c) => {
      if (c === 0 || c === COLUMNS - 1) return old;
      return (grid[r][c] + grid[r + 2][c] + row[c - 1] + row[c + 1]) / 4;
    }),
  );
}

const cold = () => new Float64Array(COLUMNS);
const hot = () => new Float64Array(COLUMNS).fill(100);
const blank = () => Array.from({ length: ROWS }, cold);

/** The whole plate in one process. */
function alone() {
  let rows = Array.from({ length: STRIPS * ROWS }, cold);
  for (let step = 0; step < STEPS; step++) rows = relax(rows, hot(), cold());
  return rows.slice(0, ROWS);
}

async function strip(number) {
  const node = await Mbcf.open({ number });
  const task = node.task(1);
  const buffer = new SharedArrayBuffer(EDGES_AT + 4 * ROW_BYTES);
  const registered = task.register(buffer, { rights: ['write', 'atomic'] });
  process.send({ address: node.address, key: Buffer.from(registered.address.key).toString('hex') });
  const strips = await new Promise((told) => process.once('message', told));
  const neighbor = (other) => {
    if (strips[other - 1] === undefined) return null;
    node.addPeer(other, strips[other - 1]);
    return task.attach({ node: other, task: 1, key: Buffer.from(strips[other - 1].key, 'hex') });
  };
  const [above, below] = await Promise.all([neighbor(number - 1), neighbor(number + 1)]);
  const bytes = (row) => new Uint8Array(row.buffer);
  let rows = blank();
  for (let step = 0; step < STEPS; step++) {
    // What is my first row is what my neighbor above has below it.
    const puts = [
      above?.writeSignal(edgeAt('below', step), bytes(rows[0]), SIGNAL.below, 1, 'add'),
      below?.writeSignal(edgeAt('above', step), bytes(rows[ROWS - 1]), SIGNAL.above, 1, 'add'),
    ];
    if (above !== null) await task.waitUntil(registered, SIGNAL.above, 'GE', step + 1);
    if (below !== null) await task.waitUntil(registered, SIGNAL.below, 'GE', step + 1);
    const edge = (side) => new Float64Array(buffer.slice(edgeAt(side, step), edgeAt(side, step) + ROW_BYTES));
    rows = relax(rows, above === null ? hot() : edge('above'), below === null ? cold() : edge('below'));
    await Promise.all(puts);
  }
  if (number === 1) process.send({ rows: rows.map((row) => [...row]) });
  process.once('disconnect', () => node.close());
}

if (process.send !== undefined) {
  await strip(Number(process.argv[2]));
} else {
  const children = Array.from({ length: STRIPS }, (_, i) => fork(fileURLToPath(import.meta.url), [String(i + 1)]));
  const told = await Promise.all(children.map((child) => new Promise((message) => child.once('message', message))));
  const end = new Promise((message) => children[0].once('message', message));
  for (const child of children) child.send(told);
  const { rows } = await end;
  for (const child of children) child.disconnect();
  const difference = Math.max(...alone().flatMap((row, r) => [...row].map((value, c) => Math.abs(value - rows[r][c]))));
  console.log(`${STRIPS} strips, ${STEPS} steps: differs from one process by ${difference}`);
}
