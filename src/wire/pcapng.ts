/**
 * pcapng blocks, written: the output of `mk capture`, which Wireshark and tcpdump read.
 *
 * Thread: any; pure functions that return whole blocks to be written one after the other: one section header, one
 * interface block per interface, then packets. Everything is little-endian, stamps count nanoseconds since 1970.
 * Read first: draft-ietf-opsawg-pcapng sections 3 and 4. Missing: name resolution, secrets, custom blocks. The reader is
 * in pcapng-reader.ts.
 *
 * @module
 */

import { parseMac } from './ethernet.ts';

/** Type of the section header block, a palindrome: it reads the same in both byte orders (section 4.1). */
export const BLOCK_SECTION = 0x0a0d0d0a;
/** Type of the interface description block (section 4.2). */
export const BLOCK_INTERFACE = 1;
/** Type of the simple packet block: a frame of the first interface without a stamp (section 4.4). */
export const BLOCK_SIMPLE_PACKET = 3;
/** Type of the interface statistics block (section 4.6). */
export const BLOCK_STATISTICS = 5;
/** Type of the enhanced packet block (section 4.3). */
export const BLOCK_PACKET = 6;

/** Word in a section header by which a reader sees the byte order of the section. */
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Major version of the format; a reader refuses any other. */
export const VERSION_MAJOR = 1;
/** Minor version of the format. */
export const VERSION_MINOR = 0;

/** Bytes of a block around its body: type, length in front, length behind. */
export const BLOCK_OVERHEAD_BYTES = 12;

/** Link type of Ethernet frames in tcpdump's registry. */
export const LINKTYPE_ETHERNET = 1;

/** Option opt_endofopt of any block: the end of the options. */
export const OPTION_END = 0;
/** Option opt_comment of any block: text for people. */
export const OPTION_COMMENT = 1;
/** Option shb_hardware: text. */
export const OPTION_SECTION_HARDWARE = 2;
/** Option shb_os: text. */
export const OPTION_SECTION_OS = 3;
/** Option shb_userappl: name of the program that wrote the section. */
export const OPTION_SECTION_APPLICATION = 4;
/** Option if_name: text. */
export const OPTION_IF_NAME = 2;
/** Option if_description: text. */
export const OPTION_IF_DESCRIPTION = 3;
/** Option if_MACaddr: 6 bytes. */
export const OPTION_IF_MAC = 6;
/** Option if_tsresol: unit of the stamps as a negative power of 10, or of 2 with bit 7 set; microseconds without the option. */
export const OPTION_IF_TSRESOL = 9;
/** Option if_filter: one byte for the language, 0 for libpcap's, and the expression. */
export const OPTION_IF_FILTER = 11;
/** Option if_os: operating system of the host with the interface. */
export const OPTION_IF_OS = 12;
/** Option if_tsoffset: seconds to add to the stamps, int64. */
export const OPTION_IF_TSOFFSET = 14;
/** Option epb_flags: 32 bits, of which {@link DIRECTION_MASK} is the direction. */
export const OPTION_PACKET_FLAGS = 2;
/** Option epb_dropcount: frames lost before this one, uint64. */
export const OPTION_PACKET_DROP_COUNT = 4;
/** Option isb_starttime: stamp of the beginning of the capture. */
export const OPTION_STATISTICS_START = 2;
/** Option isb_endtime: stamp of the end of the capture. */
export const OPTION_STATISTICS_END = 3;
/** Option isb_ifrecv: frames received, uint64. */
export const OPTION_STATISTICS_RECEIVED = 4;
/** Option isb_ifdrop: frames lost by the interface, uint64. */
export const OPTION_STATISTICS_DROPPED = 5;

/** Value of if_tsresol: stamps count 10^-9 s. */
export const TSRESOL_NANOSECONDS = 9;

/** Bits 0 and 1 of epb_flags: the direction, 0 when it is not known. */
export const DIRECTION_MASK = 3;
/** Direction of a frame that the interface received. */
export const DIRECTION_IN = 1;
/** Direction of a frame that the interface sent. */
export const DIRECTION_OUT = 2;

/** Origin of a capture, in its section header (section 4.1); all of it is optional. */
export interface SectionRecord {
  /** Text for people. */
  comment?: string;
  /** Machine that captured, e.g. "x86-64". */
  hardware?: string;
  /** Operating system of that machine. */
  os?: string;
  /** Program that wrote the section. */
  application?: string;
}

/** An interface of which frames were captured (section 4.2). */
export interface InterfaceDescription {
  /** Kind of the frames, 16 bits: {@link LINKTYPE_ETHERNET} or another of tcpdump's registry. */
  linkType: number;
  /** Most bytes kept of a frame; 0: no limit. */
  snapBytes: number;
  /** Text for people. */
  comment?: string;
  /** Name that the system gives to the interface, e.g. "vif0". */
  name?: string;
  /** Longer name of the interface. */
  description?: string;
  /** "02:6d:6b:00:00:0b". */
  mac?: string;
  /** The filter expression of the capture, e.g. "tcp port 80". */
  filter?: string;
  /** Operating system of the host with the interface. */
  os?: string;
}

/** A captured frame (enhanced packet block, section 4.3). */
export interface PacketRecord {
  /** Number of the interface block in the section, from 0. */
  interfaceIndex: number;
  /** Nanoseconds since 1970-01-01 UTC. */
  timeNs: bigint;
  /** Length on the wire; `bytes` may hold less. */
  lengthBytes: number;
  /** Frame, as much of it as was kept. */
  bytes: Uint8Array;
  /** Whether the interface received the frame or sent it; left out when not known. */
  direction?: 'in' | 'out';
  /** Frames lost between the previous packet of this interface and this one. */
  droppedFrames?: number;
  /** Text for people. */
  comment?: string;
}

/** Counts of an interface (section 4.6). */
export interface StatisticsRecord {
  /** Number of the interface block in the section, from 0. */
  interfaceIndex: number;
  /** Time of counting: nanoseconds since 1970-01-01 UTC. */
  timeNs: bigint;
  /** Beginning of the capture, as `timeNs`. */
  startNs?: bigint;
  /** End of the capture, as `timeNs`. */
  endNs?: bigint;
  /** Frames that the interface received since the beginning. */
  receivedFrames?: number;
  /** Frames that the interface lost for want of room since the beginning. */
  droppedFrames?: number;
  /** Text for people. */
  comment?: string;
}

const OPTION_BYTES_MAX = 0xffff;
const STAMP_MAX = 0xffff_ffff_ffff_ffffn;

/** Options of one block, collected in order; `bytes` counts what they will take, end mark included. */
class OptionList {
  readonly #options: { code: number; value: Uint8Array }[] = [];
  bytes = 0;

  add(code: number, value: Uint8Array): void {
    if (value.length > OPTION_BYTES_MAX) throw new RangeError(`pcapng option ${code} has ${value.length} bytes`);
    if (this.bytes === 0) this.bytes = 4;
    this.bytes += 4 + padded(value.length);
    this.#options.push({ code, value });
  }

  text(code: number, value: string | undefined): void {
    if (value !== undefined) this.add(code, new TextEncoder().encode(value));
  }

  count(code: number, value: number | undefined): void {
    if (value === undefined) return;
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    this.add(code, bytes);
  }

  stamp(code: number, timeNs: bigint | undefined): void {
    if (timeNs === undefined) return;
    const bytes = new Uint8Array(8);
    setStamp(new DataView(bytes.buffer), 0, timeNs);
    this.add(code, bytes);
  }

  write(block: Uint8Array, view: DataView, at: number): void {
    for (const { code, value } of this.#options) {
      view.setUint16(at, code, true);
      view.setUint16(at + 2, value.length, true);
      block.set(value, at + 4);
      at += 4 + padded(value.length);
    }
  }
}

/** The section header: first of all, once. */
export function sectionBlock(section: SectionRecord = {}): Uint8Array {
  const options = new OptionList();
  options.text(OPTION_COMMENT, section.comment);
  options.text(OPTION_SECTION_HARDWARE, section.hardware);
  options.text(OPTION_SECTION_OS, section.os);
  options.text(OPTION_SECTION_APPLICATION, section.application);
  const block = newBlock(BLOCK_SECTION, 16, options);
  const view = new DataView(block.buffer);
  view.setUint32(8, BYTE_ORDER_MAGIC, true);
  view.setUint16(12, VERSION_MAJOR, true);
  view.setUint16(14, VERSION_MINOR, true);
  // The length of the section is not known yet.
  view.setBigInt64(16, -1n, true);
  return block;
}

/**
 * An interface; packets name it by how many came before it. Throws SyntaxError when `mac` is none, RangeError when an option has
 * more than 65535 bytes.
 */
export function interfaceBlock(iface: InterfaceDescription): Uint8Array {
  const options = new OptionList();
  options.text(OPTION_COMMENT, iface.comment);
  options.text(OPTION_IF_NAME, iface.name);
  options.text(OPTION_IF_DESCRIPTION, iface.description);
  if (iface.mac !== undefined) options.add(OPTION_IF_MAC, macBytes(iface.mac));
  options.add(OPTION_IF_TSRESOL, Uint8Array.of(TSRESOL_NANOSECONDS));
  // The first byte says what the filter is written in: 0, libpcap's language.
  if (iface.filter !== undefined) options.text(OPTION_IF_FILTER, `\0${iface.filter}`);
  options.text(OPTION_IF_OS, iface.os);
  const block = newBlock(BLOCK_INTERFACE, 8, options);
  const view = new DataView(block.buffer);
  view.setUint16(8, iface.linkType, true);
  view.setUint32(12, iface.snapBytes, true);
  return block;
}

/**
 * A frame (enhanced packet block). Throws RangeError when it claims to hold more than was on the wire, and when the stamp does
 * not fit 64 bits.
 */
export function packetBlock(packet: PacketRecord): Uint8Array {
  const { bytes, lengthBytes, direction } = packet;
  if (bytes.length > lengthBytes) throw new RangeError(`${bytes.length} bytes of a frame of ${lengthBytes}`);
  const options = new OptionList();
  options.text(OPTION_COMMENT, packet.comment);
  if (direction !== undefined) {
    options.add(OPTION_PACKET_FLAGS, Uint8Array.of(direction === 'in' ? DIRECTION_IN : DIRECTION_OUT, 0, 0, 0));
  }
  options.count(OPTION_PACKET_DROP_COUNT, packet.droppedFrames);
  const block = newBlock(BLOCK_PACKET, 20 + padded(bytes.length), options);
  const view = new DataView(block.buffer);
  view.setUint32(8, packet.interfaceIndex, true);
  setStamp(view, 12, packet.timeNs);
  view.setUint32(20, bytes.length, true);
  view.setUint32(24, lengthBytes, true);
  block.set(bytes, 28);
  return block;
}

/**
 * Counts of an interface, at the end of a capture: frames lost after its last packet are told here. Throws RangeError when a
 * stamp does not fit 64 bits.
 */
export function statisticsBlock(statistics: StatisticsRecord): Uint8Array {
  const options = new OptionList();
  options.text(OPTION_COMMENT, statistics.comment);
  options.stamp(OPTION_STATISTICS_START, statistics.startNs);
  options.stamp(OPTION_STATISTICS_END, statistics.endNs);
  options.count(OPTION_STATISTICS_RECEIVED, statistics.receivedFrames);
  options.count(OPTION_STATISTICS_DROPPED, statistics.droppedFrames);
  const block = newBlock(BLOCK_STATISTICS, 12, options);
  const view = new DataView(block.buffer);
  view.setUint32(8, statistics.interfaceIndex, true);
  setStamp(view, 12, statistics.timeNs);
  return block;
}

/** A zeroed block with type, both lengths and its options behind `bodyBytes` (a multiple of 4) for the caller to fill. */
function newBlock(type: number, bodyBytes: number, options: OptionList): Uint8Array<ArrayBuffer> {
  const total = BLOCK_OVERHEAD_BYTES + bodyBytes + options.bytes;
  const block = new Uint8Array(total);
  const view = new DataView(block.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, total, true);
  options.write(block, view, 8 + bodyBytes);
  view.setUint32(total - 4, total, true);
  return block;
}

/** High word first in both byte orders. */
function setStamp(view: DataView, at: number, timeNs: bigint): void {
  if (timeNs < 0n || timeNs > STAMP_MAX) throw new RangeError(`${timeNs} ns does not fit a pcapng stamp`);
  view.setUint32(at, Number(timeNs >> 32n), true);
  view.setUint32(at + 4, Number(timeNs & 0xffff_ffffn), true);
}

function macBytes(text: string): Uint8Array {
  const { hi, lo } = parseMac(text);
  return Uint8Array.of(hi >> 8, hi & 0xff, lo >>> 24, (lo >>> 16) & 0xff, (lo >>> 8) & 0xff, lo & 0xff);
}

function padded(lengthBytes: number): number {
  return (lengthBytes + 3) & ~3;
}
