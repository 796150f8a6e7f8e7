/** TCP segments from the grammar: any flags, options right and wrong. */

import type { FrameWriter } from './bytes.ts';
import { set16 } from './bytes.ts';
import * as cast from './cast.ts';
import type { Chance } from './chance.ts';

const FLAGS: readonly number[] = [
  0x02, 0x02, 0x02, 0x10, 0x10, 0x18, 0x11, 0x12, 0x04, 0x14, 0xc2, 0x00, 0xff, 0x29, 0x06, 0x03,
];

export function writeTcp(chance: Chance, w: FrameWriter): void {
  const at = w.length;
  const flags = chance.yes(0.95) ? chance.pick(FLAGS) : chance.below(256);
  w.u16(chance.yes(0.95) ? 2000 + chance.below(200) : chance.edge(16));
  w.u16(chance.yes(0.95) ? chance.pick(cast.TCP_PORTS) : chance.edge(16));
  w.u32(chance.next32()).u32(chance.yes(0.8) ? chance.next32() : 0);
  w.u16(0x5000 | flags)
    .u16(chance.edge(16))
    .u16(0)
    .u16(chance.yes(0.95) ? 0 : chance.edge(16));
  writeTcpOptions(chance, w, (flags & 2) !== 0);
  const headerBytes = w.length - at;
  set16(w.bytes, at + 12, ((headerBytes >> 2) << 12) | ((chance.yes(0.97) ? 0 : chance.below(16)) << 8) | flags);
  if (chance.yes(0.02)) w.bytes[at + 12] = chance.below(256);
  if (chance.yes(flags & 2 ? 0.1 : 0.6)) w.noise(chance, chance.yes(0.8) ? chance.small(8) : chance.below(1400));
}

export function writeTcpOptions(chance: Chance, w: FrameWriter, syn: boolean): void {
  const from = w.length;
  if (syn && chance.yes(0.7)) {
    w.u8(2)
      .u8(4)
      .u16(chance.yes(0.8) ? 1460 : chance.edge(16));
    if (chance.yes(0.6)) w.u8(4).u8(2);
    if (chance.yes(0.6))
      w.u8(3)
        .u8(3)
        .u8(chance.yes(0.9) ? chance.below(15) : chance.below(256));
  }
  if (chance.yes(0.4)) w.u8(1).u8(1).u8(8).u8(10).u32(chance.next32()).u32(chance.next32());
  while (w.length - from < 34 && chance.yes(0.2)) odd(chance, w, 40 - (w.length - from));
  w.pad4(from);
  if (w.length - from > 40) w.length = from + 40;
}

function odd(chance: Chance, w: FrameWriter, room: number): void {
  const kind = chance.pick([0, 1, 2, 3, 4, 5, 5, 8, 19, 28, 29, 30, 34, 253, chance.below(256)]);
  if (kind < 2) {
    w.u8(kind);
    return;
  }
  const wanted = kind === 5 ? 2 + 8 * chance.below(5) : 2 + chance.below(12);
  const length = Math.min(wanted, room);
  w.u8(kind).u8(chance.yes(0.85) ? length : chance.below(256));
  w.noise(chance, Math.max(0, length - 2));
}
