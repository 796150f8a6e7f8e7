/** ICMP messages from the grammar: echoes, errors that quote what the kernel really sent, redirects, and unknown types. */

import type { FrameWriter } from './bytes.ts';
import { set16, set32 } from './bytes.ts';
import * as cast from './cast.ts';
import type { Chance } from './chance.ts';
import type { Memory } from './grammar-parts.ts';

export function writeIcmp(chance: Chance, w: FrameWriter, n: number, memory: Memory): void {
  const type = chance.yes(0.95) ? chance.pick([8, 8, 0, 3, 3, 3, 11, 12, 5, 5, 13, 4, 17]) : chance.below(256);
  w.u8(type).u8(codeOf(chance, type)).u16(0);
  if (type === 5) w.u32(chance.yes(0.7) ? cast.neighbor(chance, n) : cast.destinationAddress(chance, n));
  else if (type === 3)
    w.u16(chance.edge(16)).u16(chance.yes(0.7) ? chance.pick([0, 68, 552, 576, 1280, 1400, 1500]) : chance.edge(16));
  else if (type === 12) w.u32(chance.next32());
  else w.u16(chance.below(4)).u16(chance.below(65536));
  const isError = type === 3 || type === 4 || type === 5 || type === 11 || type === 12;
  if (isError) writeQuote(chance, w, memory);
  else if (type === 13) w.noise(chance, chance.yes(0.9) ? 12 : chance.below(40));
  else w.noise(chance, chance.yes(0.8) ? chance.small(8) : chance.below(1400));
}

function codeOf(chance: Chance, type: number): number {
  if (chance.yes(0.03)) return chance.below(256);
  if (type === 3) return chance.yes(0.4) ? 4 : chance.below(16);
  if (type === 5) return chance.yes(0.7) ? 1 : chance.below(4);
  return type === 11 ? chance.below(2) : 0;
}

/** A packet the kernel sent, whole or cut, or changed a little; or one it never sent. */
export function writeQuote(chance: Chance, w: FrameWriter, memory: Memory): void {
  const at = w.length;
  if (memory.recent.length > 0 && chance.yes(0.8)) {
    const packet = chance.pick(memory.recent);
    const bytes = chance.yes(0.5) ? 28 : chance.yes(0.6) ? packet.length : chance.below(packet.length + 1);
    w.copy(packet.slice(0, Math.min(bytes, packet.length, 1200)));
    if (chance.yes(0.2) && w.length > at) w.bytes[at + chance.below(w.length - at)] = chance.below(256);
    return;
  }
  const own = chance.pick(cast.OWN_ADDRESSES);
  const host = (chance.yes(0.5) ? cast.ROUTED_NET : cast.ip('8.8.0.0')) | chance.below(32);
  w.u16(0x4500).u16(chance.edge(16)).u16(chance.below(65536)).u16(0x4000);
  w.u8(64)
    .u8(chance.pick([6, 17, 1, 2, chance.below(256)]))
    .u16(0);
  w.u32(own).u32(chance.yes(0.5) ? host : cast.destinationAddress(chance, 0));
  w.noise(chance, chance.yes(0.7) ? 8 : chance.below(64));
  if (chance.yes(0.1)) w.bytes[at] = chance.below(256);
  if (chance.yes(0.1)) set32(w.bytes, at + 12, chance.next32());
  if (chance.yes(0.1) && w.length - at >= 28) set16(w.bytes, at + 22, chance.pick(cast.TCP_PORTS));
}
