/**
 * A participant of a vni network in a file (vni-servers.test.ts): `exchange` sends numbered frames to its peer and expects as many, `spoil`
 * takes part, and overwrites its channels and its own entry at full speed. Arguments: role, path, own number, number of the
 * peer, frames. Addresses are 02:00 and the number.
 */

import { SeededRng } from '#src/base/rng';
import { FilePlaces } from '#src/host/node/ffi/file-places';
import { FrameBatch } from '#src/link/device';
import { FileVniDevice } from '#src/link/file-vni';
import { PORT_BYTES, portOffset } from '#src/link/network';
import { networkOfFile, VNI_FILE } from '#src/link/vni-file';
import { Arena } from '#src/mem/arena';
import { createBulk } from '#src/mem/bulk';

const HI = 0x0200;
const FRAME_BYTES = 100;
const RING_BYTES = 1 << 20;
const CHANNEL_BYTES = 2 * RING_BYTES;
const [, , role, path, ...numbers] = process.argv;
const [own, peer, frames] = numbers.map(Number);
const arena = Arena.create(48 << 20);
const { words, view } = arena;
const mac = { hi: HI, lo: own };
const device = new FileVniDevice(arena, createBulk(arena), { name: 'vni0', countersName: 'vni0', mac });
const file = new FilePlaces(arena).open(path, VNI_FILE);
let port = -1;
device.connect(
  {
    ...file,
    claim: (place) => {
      port = place;
      return file.claim(place);
    },
  },
  () => undefined,
);

function write(hi, lo, id) {
  const at = device.reserve(hi, lo, FRAME_BYTES);
  if (at < 0) return false;
  view.setUint16(at, hi);
  view.setInt32(at + 2, lo);
  view.setUint16(at + 6, HI);
  view.setInt32(at + 8, own);
  view.setInt32(at + 14, id);
  device.commit(FRAME_BYTES, 0);
  return true;
}

/** Frames of the peer, by number; those of the bad one may say anything, but lie in our part of the memory. */
function exchange() {
  const batch = new FrameBatch();
  let sent = 0;
  let got = 0;
  let wrong = 0;
  let outside = 0;
  for (let turns = 0; sent < frames || got < frames; turns++) {
    for (let i = 0; i < 32 && sent < frames && write(HI, peer, sent); i++) sent++;
    if (turns % 16 === 0) write(0xffff, -1, -1);
    device.flush();
    const count = device.receive(batch);
    for (let i = 0; i < count; i++) {
      const at = batch.at[i];
      if (at < file.at || at + batch.length[i] > file.at + VNI_FILE.placeBytes) outside++;
      else if (view.getUint16(at + 6) === HI && view.getInt32(at + 8) === peer && view.getInt32(at + 14) >= 0) {
        if (view.getInt32(at + 14) !== got || batch.length[i] !== FRAME_BYTES) wrong++;
        got++;
      }
    }
    if (count > 0) device.release();
    if (turns % 256 === 0) device.pending;
  }
  return { sent, got, wrong, outside, linkUp: device.linkUp };
}

function spoil() {
  const rng = new SeededRng(own);
  const below = (n) => (rng.next32() >>> 0) % n;
  const entry = arena.place(portOffset(networkOfFile(arena, file.at, port), port)) - file.at;
  const channels = VNI_FILE.headBytes;
  const step = () => {
    for (let n = 0; n < 1000; n++) {
      write(0xffff, -1, n);
      if (n % 8 === 0) device.flush();
      const value = rng.next32();
      // Indices, marks and lengths lie at the beginning of a ring; the generation is everybody's.
      const place =
        (value & 3) === 0
          ? entry + below(PORT_BYTES / 2)
          : (value & 3) === 1
            ? 128
            : channels + below(3) * CHANNEL_BYTES + below(2) * RING_BYTES + below((value & 4) === 0 ? 1024 : 65536);
      words[((file.at + place) >> 2) & ((value & 8) === 0 ? -1 : ~15)] =
        (value & 16) === 0 ? value : (value >>> 8) & 0x7ffc0;
    }
    setImmediate(step);
  };
  step();
}

process.on('disconnect', () => process.exit(0));
process.once('message', () => {
  if (role === 'spoil') spoil();
  else process.send?.({ result: exchange() });
});
process.send?.({ ready: true });
