/**
 * Mutations of recorded frames: bytes, fields, lengths; cut, stretched, spliced; with checksums made right afterwards or not.
 */

import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, get16, get32, repair, set16, set32 } from './bytes.ts';
import * as cast from './cast.ts';
import { PREFIX } from './cast6.ts';
import type { Chance } from './chance.ts';

const ETHER_BYTES = 14;
const MOST_BYTES = 1514;

/** Offsets of fields worth changing, by what the frame carries. */
const IP_FIELDS: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 19];
const TCP_FIELDS: readonly number[] = [0, 2, 4, 7, 8, 11, 12, 13, 14, 18, 20, 21, 22, 24, 28, 32];

/** A recorded frame as one that comes in by interface `n` from a neighbor there. */
export function readdress(frame: Uint8Array, chance: Chance, n: number): void {
  if (frame.length < ETHER_BYTES + 20) return;
  const type = get16(frame, 12);
  const group = ((frame[0] as number) & 1) !== 0;
  const own = cast.OWN_ADDRESSES[n] as number;
  const from = cast.neighbor(chance, n);
  const mac = cast.macOf(from);
  set16(frame, 6, mac[0]);
  set32(frame, 8, mac[1]);
  if (type === ETHERTYPE_IPV6) readdress6(frame, n);
  const at = type === ETHERTYPE_IPV4 ? ETHER_BYTES + 12 : type === ETHERTYPE_ARP ? ETHER_BYTES + 14 : -1;
  if (at < 0 || at + 14 > frame.length) return;
  if (!group) {
    set16(frame, 0, (cast.OWN_MACS[n] as cast.Mac)[0]);
    set32(frame, 2, (cast.OWN_MACS[n] as cast.Mac)[1]);
  }
  set32(frame, at, from);
  if (type === ETHERTYPE_ARP) {
    set16(frame, at - 6, mac[0]);
    set32(frame, at - 4, mac[1]);
    set32(frame, at + 10, own);
  } else if (get32(frame, at + 4) >>> 28 !== 0xe && !group) {
    set32(frame, at + 4, own);
  }
}

/** Recorded over eth2: its number stands in the subnet. The last words name hosts, which are everywhere. */
function readdress6(frame: Uint8Array, n: number): void {
  if (frame.length < ETHER_BYTES + 40) return;
  for (const at of [ETHER_BYTES + 8, ETHER_BYTES + 24]) {
    if (get32(frame, at) === PREFIX && get32(frame, at + 4) === 2) set32(frame, at + 4, n);
  }
  if ((frame[0] as number) & 1) return;
  const own = cast.OWN_MACS[n] as cast.Mac;
  set16(frame, 0, own[0]);
  set32(frame, 2, own[1]);
}

export function mutate(frame: Uint8Array, chance: Chance, others: readonly Uint8Array[]): Uint8Array {
  let changed: Uint8Array = frame.slice();
  const times = 1 + chance.small(3);
  for (let i = 0; i < times; i++) changed = mutateOnce(changed, chance, others);
  if (chance.yes(0.85)) repair(changed);
  return changed.length > MOST_BYTES ? changed.slice(0, MOST_BYTES) : changed;
}

function mutateOnce(frame: Uint8Array, chance: Chance, others: readonly Uint8Array[]): Uint8Array {
  if (frame.length === 0) return frame;
  switch (chance.below(10)) {
    case 0:
      frame[chance.below(frame.length)] = chance.below(256);
      return frame;
    case 1: {
      const at = chance.below(frame.length);
      frame[at] = (frame[at] as number) ^ (1 << chance.below(8));
      return frame;
    }
    case 2:
    case 3:
      field(frame, chance, ETHER_BYTES, IP_FIELDS);
      return frame;
    case 4:
    case 5:
      field(frame, chance, ETHER_BYTES + headerBytes(frame), TCP_FIELDS);
      return frame;
    case 6:
      return frame.slice(0, chance.below(frame.length + 1));
    case 7:
      return stretch(frame, chance);
    case 8:
      return splice(frame, chance, others);
    default:
      word(frame, chance);
      return frame;
  }
}

function headerBytes(frame: Uint8Array): number {
  if (frame.length < ETHER_BYTES + 20) return 0;
  return get16(frame, 12) === ETHERTYPE_IPV4 ? ((frame[ETHER_BYTES] as number) & 15) * 4 : 40;
}

function field(frame: Uint8Array, chance: Chance, base: number, fields: readonly number[]): void {
  const at = base + chance.pick(fields);
  if (at + 4 > frame.length) return;
  switch (chance.below(4)) {
    case 0:
      frame[at] = chance.edge(8);
      break;
    case 1:
      set16(frame, at, chance.edge(16));
      break;
    case 2:
      set32(frame, at, chance.near(get32(frame, at)));
      break;
    default:
      frame[at] = (frame[at] as number) + chance.pick([1, 255, 4, 252, 16]);
  }
}

function word(frame: Uint8Array, chance: Chance): void {
  if (frame.length < 4) return;
  const at = chance.below(frame.length - 3);
  set32(frame, at, chance.edge());
}

/** More bytes at the end, or in the middle. */
function stretch(frame: Uint8Array, chance: Chance): Uint8Array {
  const more = 1 + chance.small(7);
  const at = chance.yes(0.5) ? frame.length : chance.below(frame.length + 1);
  const longer = new Uint8Array(frame.length + more);
  longer.set(frame.subarray(0, at));
  for (let i = 0; i < more; i++) longer[at + i] = chance.next32();
  longer.set(frame.subarray(at), at + more);
  return longer;
}

/** The beginning of this one, the end of another. */
function splice(frame: Uint8Array, chance: Chance, others: readonly Uint8Array[]): Uint8Array {
  if (others.length === 0) return frame;
  const other = chance.pick(others);
  const cut = chance.below(frame.length + 1);
  const from = chance.below(other.length + 1);
  const joined = new Uint8Array(cut + other.length - from);
  joined.set(frame.subarray(0, cut));
  joined.set(other.subarray(from), cut);
  return joined;
}
