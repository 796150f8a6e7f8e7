/**
 * A vni network in a file that several processes map: its layout (docs/layouts/vni-file.md).
 *
 * Thread: any, of any process. The head of the file is that of every vni network (network.ts): sizes, and an entry per port. Behind it lie
 * the channels, two rings for each pair of ports, and a participant maps those of its own port alone: it can neither read nor spoil
 * what others say to each other. In the arena of a participant they lie one behind the other (`NetworkDescriptor.only`), and behind
 * them the place for frames to several, which is nobody else's.
 */

import type { FileHead, FileKind } from '../host/contract.ts';
import type { Arena } from '../mem/arena.ts';
import { RING_CONTROL_BYTES } from '../mem/spsc-ring.ts';
import {
  checkHead,
  FILE_HEAD_BYTES,
  NETWORK_MAGIC,
  type NetworkDescriptor,
  pairBytes,
  sealNetwork,
  shapeOf,
  stagingBytes,
} from './network.ts';

/** Participants at a time. */
export const VNI_FILE_PORTS = 16;
/** A ring with the words in front of it: a multiple of what hosts map. */
const RING_TOTAL_BYTES: number = 1024 * 1024;
const SHAPE = shapeOf({ ports: VNI_FILE_PORTS, ringBytes: RING_TOTAL_BYTES - RING_CONTROL_BYTES });
const PAIR_BYTES: number = pairBytes(SHAPE);
const PAIRS: number = (VNI_FILE_PORTS * (VNI_FILE_PORTS - 1)) / 2;
const MAPPING_ALIGN = 65_536;
const STAGING_BYTES: number = Math.ceil(stagingBytes(SHAPE.maxFrameBytes) / MAPPING_ALIGN) * MAPPING_ALIGN;
/** Words of the head: the random number of this file. */
const WORD_ID = 8;
/** Longest frame that the rings take. */
export const VNI_FILE_FRAME_BYTES_MAX: number = SHAPE.maxFrameBytes;

/** Vni networks, as the host opens them. */
export const VNI_FILE: FileKind = {
  name: 'a vni network',
  magic: NETWORK_MAGIC,
  fileBytes: FILE_HEAD_BYTES + PAIRS * PAIR_BYTES,
  headBytes: FILE_HEAD_BYTES,
  placeBytes: FILE_HEAD_BYTES + (VNI_FILE_PORTS - 1) * PAIR_BYTES + STAGING_BYTES,
  prepare: prepareVniFile,
};

/** As `FileKind.prepare`. A file whose maker died on the way is made again. */
// cold: once per file
function prepareVniFile({ words, base }: FileHead, id0: number, id1: number): string {
  const word = base >> 2;
  if (words[word] !== 0) return checkHead(words, base, SHAPE);
  words[word + WORD_ID] = id0;
  words[word + WORD_ID + 1] = id1;
  sealNetwork(words, base, SHAPE);
  return '';
}

/** The network as the participant at `port` has it, whose part of the arena begins at `at`. */
// cold: once per participant
export function networkOfFile(arena: Arena, at: number, port: number): NetworkDescriptor {
  return { ...SHAPE, offset: arena.offset(at), byteLength: VNI_FILE.placeBytes, only: port };
}

/** Place of a channel: in the file, and behind the beginning of the participant's part of the arena. */
export interface FilePart {
  readonly offset: number;
  readonly placeOffset: number;
  readonly byteLength: number;
}

/** The channels of a port. */
// cold: once per participant
export function channelsOf(port: number): FilePart[] {
  const parts: FilePart[] = [];
  for (let other = 0; other < VNI_FILE_PORTS; other++) {
    if (other === port) continue;
    const [low, high] = other < port ? [other, port] : [port, other];
    parts.push({
      offset: FILE_HEAD_BYTES + ((high * (high - 1)) / 2 + low) * PAIR_BYTES,
      placeOffset: FILE_HEAD_BYTES + parts.length * PAIR_BYTES,
      byteLength: PAIR_BYTES,
    });
  }
  return parts;
}

/** Name under which an incarnation of a port can be woken: no two, of no two files, have one name. */
// cold: once per sleep
export function vniBellName({ words, base }: FileHead, port: number, epoch: number): string {
  const word = (base >> 2) + WORD_ID;
  const id = [word, word + 1].map((index) => ((words[index] as number) >>> 0).toString(16).padStart(8, '0'));
  return `multikernel-vni-${id.join('')}-${port}-${epoch}`;
}
