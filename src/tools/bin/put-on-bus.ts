/**
 * `shmif_pcapin FILE BUS`: the frames of a capture, put on a bus. Thread: the command's.
 *
 * The command takes a place on the bus as long as it sends, so that all others hear it. Pauses between pieces let receivers follow.
 * Read first: shmif_pcapin(1), link/bus.ts.
 */

import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { MultikernelError } from '../../base/errors.ts';
import { US_PER_MS } from '../../base/units.ts';
import { FilePlaces } from '../../host/node/ffi/file-places.ts';
import { BUS_FILE, BusDevice } from '../../link/bus.ts';
import { Arena } from '../../mem/arena.ts';
import { createBulk } from '../../mem/bulk.ts';
import { BUS_BYTES, BUS_FRAME_BYTES_MAX } from '../../mem/bus.ts';
import { HEADER_BYTES } from '../../wire/ethernet.ts';
import { readPcap } from '../../wire/pcap.ts';
import type { TextSink } from '../tool.ts';

const NAME = 'shmif_pcapin';
const USAGE = `usage: ${NAME} pcapfile buspath`;
const LINK_TYPE_ETHERNET = 1;
const PIECE_FRAMES = 64;
/** Sleepers are being connected to and woken. */
const FAREWELL_MS = 50;

/** Exit code: 1 for wrong arguments, and for what is no capture of Ethernet or no bus. */
export async function putOnBus(args: readonly string[], out: TextSink): Promise<number> {
  const [file, path, ...more] = args;
  if (file === undefined || path === undefined || more.length > 0) {
    out.error(`${USAGE}\n`);
    return 1;
  }
  try {
    const { linkType, records } = readPcap(readFileSync(file));
    if (linkType !== LINK_TYPE_ETHERNET)
      throw new MultikernelError('EPROTO', `${file}: link type ${linkType}, not Ethernet`);
    const arena = Arena.create(BUS_BYTES + (2 << 20));
    const participant = new BusDevice(arena, createBulk(arena), {
      name: NAME,
      countersName: NAME,
      mac: { hi: 0xb2a0, lo: process.pid },
      timeUs: () => Date.now() * US_PER_MS,
      memoryAt: arena.allocate(BusDevice.memoryBytes, 4096),
      mtuBytes: BUS_FRAME_BYTES_MAX - HEADER_BYTES,
    });
    participant.connect(new FilePlaces(arena).open(path, BUS_FILE), () => undefined);
    await send(
      participant,
      records.map(({ bytes }) => bytes),
    );
    participant.close();
    return 0;
  } catch (error) {
    out.error(`${NAME}: ${(error as Error).message}\n`);
    return 1;
  }
}

async function send(participant: BusDevice, frames: readonly Uint8Array[]): Promise<void> {
  for (let at = 0; at < frames.length; at += PIECE_FRAMES) {
    participant.inject(frames.slice(at, at + PIECE_FRAMES));
    await pause(1);
  }
  await pause(FAREWELL_MS);
}
