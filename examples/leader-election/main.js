// Three nodes elect a leader. When it is cut off, it steps down, and the other two have a new one; healed, all three have one.

import { fileURLToPath } from 'node:url';
import { lab } from '../../dist/index.js';

const NAMES = ['a', 'b', 'c'];

const folder = fileURLToPath(new URL('.', import.meta.url));
const nodes = Object.fromEntries(NAMES.map((name) => [name, { run: `node node.js ${name}` }]));
const net = await lab({ nodes }, { folder, seed: 7 });
try {
  // Each machine asks itself, so that it answers while it is cut off, too.
  const views = (names) =>
    Promise.all(names.map(async (name) => (await net.node(name).fetch('http://localhost/')).json()));

  /** The leader that all of `names` follow, once there is one. */
  async function leaderOf(names) {
    let leader;
    await net.until(async () => {
      const seen = await views(names);
      leader = seen.find((view) => view.leads)?.name;
      return leader !== undefined && seen.every((view) => view.follows === leader);
    });
    return leader;
  }

  await net.until(async () => (await net.info()).nodes.every((node) => node.listening.tcp.includes(80)));
  const first = await leaderOf(NAMES);
  console.log('all three follow one leader');

  const majority = NAMES.filter((name) => name !== first);
  const cut = await net.partition(first, majority);
  await net.until(async () => !(await views([first]))[0].leads);
  console.log('cut off, the leader steps down');
  await leaderOf(majority);
  console.log('the other two follow a new one');

  await cut.heal();
  await leaderOf(NAMES);
  console.log('healed, all three follow one leader');

  // All programs of a lab read the same clock.
  const leases = (await views(NAMES)).flatMap((view) => view.leases).sort((x, y) => x.fromMs - y.fromMs);
  const overlap = leases.some((lease, i) => i > 0 && lease.fromMs < leases[i - 1].untilMs);
  console.log(overlap ? 'two led at the same time' : 'never did two lead at the same time');
} finally {
  await net.down();
}
