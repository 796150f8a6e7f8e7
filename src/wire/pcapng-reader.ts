/**
 * pcapng blocks, read: captures of our own and of Wireshark or tcpdump, both byte orders, any stamp resolution.
 *
 * Thread: any. Bytes are pushed in pieces of any size, blocks come out; nothing in a file is believed before it was
 * checked. A block of a kind that is not known here comes out as it is, for the caller to skip.
 * Read first: draft-ietf-opsawg-pcapng sections 3 and 4. Missing: the obsolete packet block (type 2), name resolution.
 */

import { MultikernelError } from '../base/errors.ts';
import { NS_PER_S } from '../base/units.ts';
import { formatMac } from './ethernet.ts';
import * as pcapng from './pcapng.ts';

/**
 * One block, told apart by `type`: `section`, `interface`, `packet`, `statistics`, `simple-packet`, or `other`, whose body is left
 * as it is. Texts and counts are there when the block has their options; stamps are in nanoseconds, whatever the file's unit.
 */
export type PcapngBlock =
  | ({ type: 'section'; littleEndian: boolean } & pcapng.SectionRecord)
  | ({ type: 'interface' } & pcapng.InterfaceDescription)
  | ({ type: 'packet' } & pcapng.PacketRecord)
  | ({ type: 'statistics' } & pcapng.StatisticsRecord)
  /** A frame of interface 0 without a stamp (simple packet block). */
  | { type: 'simple-packet'; lengthBytes: number; bytes: Uint8Array }
  | { type: 'other'; blockType: number; body: Uint8Array };

/** Longer blocks are taken for garbage. */
const BLOCK_BYTES_MAX = 16_777_216;

const TSRESOL_DEFAULT = 6;
const TSRESOL_BINARY = 0x80;
const STAMP_BITS = 64;

/** Properties of an interface that its packets are read with. */
interface Source {
  snapBytes: number;
  unitsPerSec: bigint;
  offsetNs: bigint;
}

type Option = { code: number; at: number; length: number };

/** Reader of a stream of blocks: {@link PcapngReader.push} takes bytes, {@link PcapngReader.next} gives blocks. */
export class PcapngReader {
  #pending: Uint8Array = new Uint8Array(0);
  /** Bytes of the stream in front of `#pending`, for messages. */
  #offset = 0;
  #littleEndian = true;
  #started = false;
  #sources: Source[] = [];

  /** Bytes that wait for the rest of their block. */
  get pendingBytes(): number {
    return this.#pending.length;
  }

  /** Append bytes of the stream, in pieces of any size; they are copied. */
  push(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#pending.length + bytes.length);
    joined.set(this.#pending);
    joined.set(bytes, this.#pending.length);
    this.#pending = joined;
  }

  /** The next whole block, null until more bytes are pushed. Throws MultikernelError `EPROTO` on what is no pcapng. */
  next(): PcapngBlock | null {
    const bytes = this.#pending;
    if (bytes.length < pcapng.BLOCK_OVERHEAD_BYTES) return null;
    const head = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const section = head.getUint32(0, true) === pcapng.BLOCK_SECTION;
    if (!this.#started && !section) throw this.#failure('no section header');
    if (section) this.#readByteOrder(head);
    const total = head.getUint32(4, this.#littleEndian);
    if (total < pcapng.BLOCK_OVERHEAD_BYTES || (total & 3) !== 0 || total > BLOCK_BYTES_MAX) {
      throw this.#failure(`a block of ${total} bytes`);
    }
    if (bytes.length < total) return null;
    if (head.getUint32(total - 4, this.#littleEndian) !== total)
      throw this.#failure('the two lengths of a block differ');
    const view = new DataView(bytes.buffer, bytes.byteOffset, total - 4);
    const block = this.#read(view, bytes);
    this.#pending = bytes.subarray(total);
    this.#offset += total;
    return block;
  }

  #readByteOrder(head: DataView): void {
    const magic = head.getUint32(8, true);
    if (magic === pcapng.BYTE_ORDER_MAGIC) this.#littleEndian = true;
    else if (head.getUint32(8) === pcapng.BYTE_ORDER_MAGIC) this.#littleEndian = false;
    else throw this.#failure('no byte-order magic');
  }

  /** `view` is the block without its last word. */
  #read(view: DataView, bytes: Uint8Array): PcapngBlock {
    const blockType = view.getUint32(0, this.#littleEndian);
    switch (blockType) {
      case pcapng.BLOCK_SECTION:
        return this.#readSection(view);
      case pcapng.BLOCK_INTERFACE:
        return this.#readInterface(view);
      case pcapng.BLOCK_PACKET:
        return this.#readPacket(view, bytes);
      case pcapng.BLOCK_SIMPLE_PACKET:
        return this.#readSimplePacket(view, bytes);
      case pcapng.BLOCK_STATISTICS:
        return this.#readStatistics(view);
      default:
        return { type: 'other', blockType, body: bytes.slice(8, view.byteLength) };
    }
  }

  #readSection(view: DataView): PcapngBlock {
    this.#need(view, 24);
    const le = this.#littleEndian;
    const major = view.getUint16(12, le);
    if (major !== pcapng.VERSION_MAJOR) throw this.#failure(`version ${major}.${view.getUint16(14, le)}`);
    const block: PcapngBlock = { type: 'section', littleEndian: le };
    for (const option of this.#options(view, 24)) {
      if (option.code === pcapng.OPTION_COMMENT) block.comment = text(view, option);
      else if (option.code === pcapng.OPTION_SECTION_HARDWARE) block.hardware = text(view, option);
      else if (option.code === pcapng.OPTION_SECTION_OS) block.os = text(view, option);
      else if (option.code === pcapng.OPTION_SECTION_APPLICATION) block.application = text(view, option);
    }
    this.#started = true;
    this.#sources = [];
    return block;
  }

  #readInterface(view: DataView): PcapngBlock {
    this.#need(view, 16);
    const le = this.#littleEndian;
    const snapBytes = view.getUint32(12, le);
    const block: PcapngBlock = { type: 'interface', linkType: view.getUint16(8, le), snapBytes };
    const source: Source = { snapBytes, unitsPerSec: unitsPerSec(TSRESOL_DEFAULT), offsetNs: 0n };
    for (const option of this.#options(view, 16)) {
      const { code, at, length } = option;
      if (code === pcapng.OPTION_COMMENT) block.comment = text(view, option);
      else if (code === pcapng.OPTION_IF_NAME) block.name = text(view, option);
      else if (code === pcapng.OPTION_IF_DESCRIPTION) block.description = text(view, option);
      else if (code === pcapng.OPTION_IF_MAC && length === 6)
        block.mac = formatMac(view.getUint16(at), view.getInt32(at + 2));
      else if (code === pcapng.OPTION_IF_TSRESOL && length === 1) source.unitsPerSec = unitsPerSec(view.getUint8(at));
      else if (code === pcapng.OPTION_IF_FILTER && length > 0 && view.getUint8(at) === 0)
        block.filter = text(view, { code, at: at + 1, length: length - 1 });
      else if (code === pcapng.OPTION_IF_OS) block.os = text(view, option);
      else if (code === pcapng.OPTION_IF_TSOFFSET && length === 8)
        source.offsetNs = view.getBigInt64(at, le) * NS_PER_S;
    }
    this.#sources.push(source);
    return block;
  }

  #readPacket(view: DataView, bytes: Uint8Array): PcapngBlock {
    this.#need(view, 28);
    const le = this.#littleEndian;
    const interfaceIndex = view.getUint32(8, le);
    const source = this.#source(interfaceIndex);
    const kept = view.getUint32(20, le);
    const lengthBytes = view.getUint32(24, le);
    if (kept > lengthBytes) throw this.#failure(`${kept} bytes of a frame of ${lengthBytes}`);
    if (kept > view.byteLength - 28) throw this.#failure('a frame longer than its block');
    const timeNs = this.#stamp(view, 12, source);
    const block: PcapngBlock = {
      type: 'packet',
      interfaceIndex,
      timeNs,
      lengthBytes,
      bytes: bytes.slice(28, 28 + kept),
    };
    for (const option of this.#options(view, 28 + ((kept + 3) & ~3))) {
      const { code, at, length } = option;
      if (code === pcapng.OPTION_COMMENT) block.comment = text(view, option);
      else if (code === pcapng.OPTION_PACKET_FLAGS && length === 4) {
        const direction = view.getUint32(at, le) & pcapng.DIRECTION_MASK;
        if (direction === pcapng.DIRECTION_IN) block.direction = 'in';
        else if (direction === pcapng.DIRECTION_OUT) block.direction = 'out';
      } else if (code === pcapng.OPTION_PACKET_DROP_COUNT && length === 8)
        block.droppedFrames = Number(view.getBigUint64(at, le));
    }
    return block;
  }

  #readSimplePacket(view: DataView, bytes: Uint8Array): PcapngBlock {
    this.#need(view, 12);
    const { snapBytes } = this.#source(0);
    const lengthBytes = view.getUint32(8, this.#littleEndian);
    const kept = snapBytes === 0 ? lengthBytes : Math.min(lengthBytes, snapBytes);
    if (kept > view.byteLength - 12) throw this.#failure('a frame longer than its block');
    return { type: 'simple-packet', lengthBytes, bytes: bytes.slice(12, 12 + kept) };
  }

  #readStatistics(view: DataView): PcapngBlock {
    this.#need(view, 20);
    const le = this.#littleEndian;
    const interfaceIndex = view.getUint32(8, le);
    const source = this.#source(interfaceIndex);
    const block: PcapngBlock = { type: 'statistics', interfaceIndex, timeNs: this.#stamp(view, 12, source) };
    for (const option of this.#options(view, 20)) {
      const { code, at, length } = option;
      if (code === pcapng.OPTION_COMMENT) block.comment = text(view, option);
      if (length !== 8) continue;
      if (code === pcapng.OPTION_STATISTICS_START) block.startNs = this.#stamp(view, at, source);
      else if (code === pcapng.OPTION_STATISTICS_END) block.endNs = this.#stamp(view, at, source);
      else if (code === pcapng.OPTION_STATISTICS_RECEIVED) block.receivedFrames = Number(view.getBigUint64(at, le));
      else if (code === pcapng.OPTION_STATISTICS_DROPPED) block.droppedFrames = Number(view.getBigUint64(at, le));
    }
    return block;
  }

  /** The options from `at`, a multiple of 4 as the block's length is, to the end of the block or the end mark. */
  #options(view: DataView, at: number): Option[] {
    const options: Option[] = [];
    while (at < view.byteLength) {
      const code = view.getUint16(at, this.#littleEndian);
      const length = view.getUint16(at + 2, this.#littleEndian);
      if (code === pcapng.OPTION_END) break;
      if (at + 4 + length > view.byteLength) throw this.#failure('an option longer than its block');
      options.push({ code, at: at + 4, length });
      at += 4 + ((length + 3) & ~3);
    }
    return options;
  }

  #stamp(view: DataView, at: number, source: Source): bigint {
    const high = BigInt(view.getUint32(at, this.#littleEndian));
    const units = (high << 32n) | BigInt(view.getUint32(at + 4, this.#littleEndian));
    return (units * NS_PER_S) / source.unitsPerSec + source.offsetNs;
  }

  #source(index: number): Source {
    const source = this.#sources[index];
    if (source === undefined) throw this.#failure(`interface ${index} was not described`);
    return source;
  }

  #need(view: DataView, lengthBytes: number): void {
    if (view.byteLength < lengthBytes) throw this.#failure(`a block of ${view.byteLength + 4} bytes`);
  }

  #failure(what: string): MultikernelError {
    return new MultikernelError('EPROTO', `pcapng: ${what} at offset ${this.#offset}`);
  }
}

/** All blocks of a whole file. Throws MultikernelError `EPROTO` on what is none, or on one that is cut off. */
export function readPcapng(bytes: Uint8Array): PcapngBlock[] {
  const reader = new PcapngReader();
  reader.push(bytes);
  const blocks: PcapngBlock[] = [];
  for (let block = reader.next(); block !== null; block = reader.next()) blocks.push(block);
  if (reader.pendingBytes > 0) {
    throw new MultikernelError('EPROTO', `pcapng: the last ${reader.pendingBytes} bytes are part of a block`);
  }
  return blocks;
}

function text(view: DataView, option: Option): string {
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + option.at, option.length));
}

/** if_tsresol: a negative power of 10, or of 2 when its highest bit is set. */
function unitsPerSec(tsresol: number): bigint {
  const exponent = Math.min(tsresol & ~TSRESOL_BINARY, STAMP_BITS);
  return (tsresol & TSRESOL_BINARY) === 0 ? 10n ** BigInt(exponent) : 2n ** BigInt(exponent);
}
