/** What the grammars of both IP versions share: datagrams, what may be quoted, how a frame ends. */

import { type FrameWriter, repair, set16 } from './bytes.ts';
import * as cast from './cast.ts';
import type { Chance } from './chance.ts';

/** What grammar frames may refer to: packets the kernel sent lately (without Ethernet header), for errors to quote. */
export interface Memory {
  readonly recent: readonly Uint8Array[];
}

export function writeUdp(chance: Chance, w: FrameWriter): void {
  const at = w.length;
  const data = chance.yes(0.9) ? chance.small(9) : chance.below(1400);
  w.u16(chance.yes(0.9) ? 1024 + chance.below(64) : chance.edge(16));
  w.u16(chance.yes(0.9) ? chance.pick(cast.UDP_PORTS) : chance.edge(16));
  w.u16(8 + data).u16(0);
  w.noise(chance, data);
  if (chance.yes(0.05)) set16(w.bytes, at + 4, chance.edge(16));
}

/** Checksums made right, mostly; the end cut off or padded now and then. */
export function ending(chance: Chance, w: FrameWriter): Uint8Array {
  let frame = w.take();
  if (chance.yes(0.97)) repair(frame);
  if (chance.yes(0.02)) frame = frame.slice(0, chance.below(frame.length + 1));
  else if (frame.length < 60 && chance.yes(0.5)) {
    const padded = new Uint8Array(60);
    padded.set(frame);
    for (let i = frame.length; i < 60; i++) padded[i] = chance.next32();
    frame = padded;
  }
  return frame;
}
