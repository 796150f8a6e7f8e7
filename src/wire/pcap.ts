/**
 * Classic pcap files: the format before pcapng, which many captures still have.
 *
 *      0       4          6          8          12         16        20           24
 *     +-------+----------+----------+----------+----------+---------+------------+---------
 *     | magic | major 2  | minor 4  | zone     | accuracy | snaplen | link type  | records of sec, fraction, kept, length, bytes
 *     +-------+----------+----------+----------+----------+---------+------------+---------
 *
 * Thread: any; reads a whole file. Both byte orders, stamps in microseconds and in nanoseconds (by the magic).
 * Read first: draft-ietf-opsawg-pcap. Missing: the variants with longer records. Captures are written as pcapng;
 * this writer is for tools whose original writes pcap.
 */

import { MultikernelError } from '../base/errors.ts';
import { NS_PER_S, US_PER_S } from '../base/units.ts';
import { copyOut } from './bytes.ts';

const HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const VERSION_MAJOR = 2;
const VERSION_MINOR = 4;
const LINK_TYPE_ETHERNET = 1;

/** The upper bits say whether and how long an FCS ends each frame. */
const LINK_TYPE_MASK = 0xffff;

/** One captured frame of a classic pcap file. */
export interface PcapRecord {
  /** Time of capture: nanoseconds since 1970-01-01 UTC. */
  timeNs: bigint;
  /** Length on the wire; `bytes` may hold less. */
  lengthBytes: number;
  /** Frame, as much of it as was kept. */
  bytes: Uint8Array;
}

/** A whole capture, as {@link readPcap} returns it. */
export interface PcapFile {
  /** Kind of the frames in tcpdump's registry: 1 is Ethernet. */
  linkType: number;
  /** Most bytes kept of a frame. */
  snapBytes: number;
  /** Frames in the order of the file. */
  records: PcapRecord[];
}

/** The header of a file of Ethernet frames, little-endian, with stamps in microseconds. */
export function emitPcapHeader(snapBytes: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC_MICROSECONDS, true);
  view.setUint16(4, VERSION_MAJOR, true);
  view.setUint16(6, VERSION_MINOR, true);
  view.setUint32(16, snapBytes, true);
  view.setUint32(20, LINK_TYPE_ETHERNET, true);
  return bytes;
}

/** A record of that file: a whole frame. `timeUs`: microseconds since 1970. */
export function emitPcapRecord(timeUs: number, frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(RECORD_HEADER_BYTES + frame.length);
  const view = new DataView(bytes.buffer);
  const seconds = Math.floor(timeUs / US_PER_S);
  view.setUint32(0, seconds, true);
  view.setUint32(4, Math.floor(timeUs - seconds * US_PER_S), true);
  view.setUint32(8, frame.length, true);
  view.setUint32(12, frame.length, true);
  bytes.set(frame, RECORD_HEADER_BYTES);
  return bytes;
}

function failure(what: string): MultikernelError {
  return new MultikernelError('EPROTO', `pcap: ${what}`);
}

/** Whether a file begins as a classic pcap file, of either byte order, does. */
export function isPcap(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return isMagic(view.getUint32(0)) || isMagic(view.getUint32(0, true));
}

function isMagic(word: number): boolean {
  return word === MAGIC_MICROSECONDS || word === MAGIC_NANOSECONDS;
}

/** All frames of a whole file. Throws MultikernelError `EPROTO` on what is none, or when the last record is cut off. */
export function readPcap(bytes: Uint8Array): PcapFile {
  if (!isPcap(bytes)) throw failure('no magic number');
  if (bytes.length < HEADER_BYTES) throw failure(`a header of ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = isMagic(view.getUint32(0, true));
  const major = view.getUint16(4, little);
  if (major !== VERSION_MAJOR) throw failure(`version ${major}.${view.getUint16(6, little)}`);
  const unitNs = view.getUint32(0, little) === MAGIC_NANOSECONDS ? 1n : 1000n;
  const records: PcapRecord[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; ) {
    if (at + RECORD_HEADER_BYTES > bytes.length) throw failure(`half a record at offset ${at}`);
    const keptBytes = view.getUint32(at + 8, little);
    const lengthBytes = view.getUint32(at + 12, little);
    if (keptBytes > bytes.length - at - RECORD_HEADER_BYTES) throw failure(`half a frame at offset ${at}`);
    if (keptBytes > lengthBytes) throw failure(`${keptBytes} bytes of a frame of ${lengthBytes} at offset ${at}`);
    records.push({
      timeNs: BigInt(view.getUint32(at, little)) * NS_PER_S + BigInt(view.getUint32(at + 4, little)) * unitNs,
      lengthBytes,
      bytes: copyOut(view, at + RECORD_HEADER_BYTES, keptBytes),
    });
    at += RECORD_HEADER_BYTES + keptBytes;
  }
  return { linkType: view.getUint32(20, little) & LINK_TYPE_MASK, snapBytes: view.getUint32(16, little), records };
}
