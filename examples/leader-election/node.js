// One of three nodes that elect a leader by leases. A node promises itself to one candidate at a time, for LEASE_MS; who has the promises
// of two leads until they run out, and asks again in time. Who leads can tell by its own clock when it no longer does.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';

const NAMES = ['a', 'b', 'c'];
const PORT = 7000;
const LEASE_MS = 500;
const HEARTBEAT_MS = 50;

const name = process.argv[2];
// Each waits for another time before it asks, so that one is first; longer than a heartbeat, so that a leader is heard before.
const waitMs = 2 * HEARTBEAT_MS * (1 + NAMES.indexOf(name));

let promise = { to: '', untilMs: Date.now() };
/** Per node: when the newest request that it granted was sent. Its promise lasts LEASE_MS from when that arrived, which is later. */
const grantedMs = new Map(NAMES.map((peer) => [peer, 0]));
/** Times for which this node was leader. */
const leases = [];

// The second of three: two nodes have promised at least that long.
const leaseUntilMs = () => [...grantedMs.values()].sort((x, y) => x - y)[1] + LEASE_MS;
const leads = () => Date.now() < leaseUntilMs();

const socket = createSocket('udp4');
const send = (peer, message) => socket.send(JSON.stringify({ from: name, ...message }), PORT, peer, () => {});

function ask() {
  const sentMs = Date.now();
  promise = { to: name, untilMs: sentMs + LEASE_MS };
  grantedMs.set(name, sentMs);
  for (const peer of NAMES) if (peer !== name) send(peer, { ask: sentMs });
}

function granted(peer, sentMs) {
  const led = leads();
  grantedMs.set(peer, Math.max(sentMs, grantedMs.get(peer)));
  if (!leads()) return;
  if (!led) leases.push({ fromMs: Date.now(), untilMs: 0 });
  leases[leases.length - 1].untilMs = leaseUntilMs();
}

socket.on('message', (bytes) => {
  const { from, ask: askedMs, grant: grantedMs } = JSON.parse(bytes.toString());
  if (grantedMs !== undefined) granted(from, grantedMs);
  else if (promise.to === from || Date.now() >= promise.untilMs) {
    promise = { to: from, untilMs: Date.now() + LEASE_MS };
    send(from, { grant: askedMs });
  }
});
socket.bind(PORT);

setInterval(() => {
  if (leads() || Date.now() >= promise.untilMs + waitMs) ask();
}, HEARTBEAT_MS);

createServer((_request, response) => {
  const follows = Date.now() < promise.untilMs ? promise.to : '';
  response.end(JSON.stringify({ name, leads: leads(), follows, leases }));
}).listen(80);
