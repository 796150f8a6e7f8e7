// A participant of a bus whose thread blocks. usage: blocking-participant PATH first|second TOKENS
// Each token goes to the other one, who sends it back; the first begins, and prints the last one, its sleeps and the wake-ups that it sent.
import { FilePlaces } from '#src/host/node/ffi/file-places';
import { BUS_FILE, BusDevice } from '#src/link/bus';
import { FrameBatch } from '#src/link/device';
import { Arena } from '#src/mem/arena';
import { createBulk } from '#src/mem/bulk';

const [, , path, role, tokensText] = process.argv;
const tokens = Number(tokensText);
/** The test ends who waits longer. */
const WATCHDOG_MS = 30_000;
const HEADER_BYTES = 14;

const arena = Arena.create(64 << 20);
const device = new BusDevice(arena, createBulk(arena), {
  name: role,
  countersName: role,
  mac: { hi: 0x0200, lo: process.pid },
  timeUs: () => Date.now() * 1000,
  memoryAt: arena.allocate(BusDevice.memoryBytes, 4096),
});
const batch = new FrameBatch(64);
let sleeps = 0;

function send(number) {
  const at = device.reserve(0xffff, -1, 64);
  arena.view.setUint16(at, 0xffff);
  arena.view.setInt32(at + 2, -1);
  arena.view.setInt32(at + HEADER_BYTES, number);
  device.commit(64, 0);
  device.flush();
}

/** The next token, or -1 when its time is up. */
function take() {
  const until = performance.now() + WATCHDOG_MS;
  for (;;) {
    const received = device.receive(batch);
    if (received > 0) {
      const number = arena.view.getInt32(batch.at[received - 1] + HEADER_BYTES);
      device.release();
      return number;
    }
    if (device.pending) continue;
    sleeps++;
    device.sleep(WATCHDOG_MS);
    if (performance.now() >= until) return -1;
  }
}

device.connect(new FilePlaces(arena).open(path, BUS_FILE), null);
process.stdout.write('there\n');
if (role === 'first') send(1);
for (;;) {
  const token = take();
  if (token < 0) process.exit(1);
  if (role === 'first' && token >= tokens) {
    const { wakeUps } = device.counters.snapshot();
    process.stdout.write(`${JSON.stringify({ last: token, sleeps, wakeUps })}\n`);
    send(tokens + 1);
    process.exit(0);
  }
  if (token > tokens) process.exit(0);
  send(token + 1);
}
