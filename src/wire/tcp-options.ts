/**
 * TCP options: an allocation-free reader for the data path, and the options as objects for tests, tracing and control.
 *
 * An option is one byte (end, no-operation) or `kind, length, data` with the length counting all of it. The list ends with
 * the header or with an end option, after which everything is padding and ignored (RFC 9293 3.1). A list is padded to a
 * multiple of 4; where no-operations align an option they are part of the list and kept by `Repr`.
 *
 * Thread: any. Reached through `tcp.ts`, which re-exports it.
 * Read first: RFC 9293 3.2, RFC 7323 2.2 and 3.2, RFC 2018 2 and 3. Skipped by {@link TcpOptions}: user timeout (RFC 5482),
 * authentication (RFC 5925), fast open (RFC 7413), multipath (RFC 8684) and whatever else is unknown.
 */

import { copyIn, copyOut, zero } from './bytes.ts';

/** Kind of the option that ends the list; one byte (RFC 9293 3.2). */
export const OPTION_END = 0;
/** Kind of the no-operation, which aligns what follows; one byte. */
export const OPTION_NOP = 1;
/** Kind of the maximum segment size, 16 bits; counts in a SYN (RFC 9293 3.7.1). */
export const OPTION_MSS = 2;
/** Kind of the window scale, a shift of 8 bits; counts in a SYN (RFC 7323 2.2). */
export const OPTION_WINDOW_SCALE = 3;
/** Kind of "selective acknowledgments are welcome"; counts in a SYN (RFC 2018 2). */
export const OPTION_SACK_PERMITTED = 4;
/** Kind of the selective acknowledgment, 8 bytes for each block (RFC 2018 3). */
export const OPTION_SACK = 5;
/** Kind of the timestamps, a value and an echo of 32 bits each (RFC 7323 3.2). */
export const OPTION_TIMESTAMPS = 8;
/** Kind of the user timeout: granularity in bit 15, 15 bits of minutes or seconds (RFC 5482 3). */
export const OPTION_USER_TIMEOUT = 28;

/** Room for options in a header, bytes: 60 less the 20 of the fixed fields. */
export const OPTION_BYTES_MAX = 40;
/** A greater shift is taken as this one (RFC 7323 2.3). */
export const WINDOW_SCALE_MAX = 14;
/** Most blocks of a selective acknowledgment that fit into {@link OPTION_BYTES_MAX} (RFC 2018 3). */
export const SACK_BLOCKS_MAX = 4;

/** Result of {@link parseOptions}: the list is whole. */
export const OPTIONS_GOOD = 0;
/** Result of {@link parseOptions}: an option whose length is impossible cut the list short. */
export const OPTIONS_MALFORMED = 1;

/** Options of one segment: allocated once, filled anew for each segment. */
export class TcpOptions {
  /** 0: absent. */
  mss: number = 0;
  /** -1: absent. At most {@link WINDOW_SCALE_MAX}. */
  windowScale: number = -1;
  /** Whether the option was there. */
  sackPermitted: boolean = false;
  /** Whether the timestamps option was there: `tsValue` and `tsEcho` count. */
  timestamps: boolean = false;
  /** TSval: the sender's timestamp clock, int32. */
  tsValue: number = 0;
  /** TSecr: the timestamp that the sender echoes, int32. */
  tsEcho: number = 0;
  /** Number of blocks in `sackStart` and `sackEnd`, 0 to {@link SACK_BLOCKS_MAX}. */
  sackCount: number = 0;
  /** Left edge of each block: its first sequence number. */
  readonly sackStart: Int32Array = new Int32Array(SACK_BLOCKS_MAX);
  /** Right edge of each block: the sequence number behind its last. */
  readonly sackEnd: Int32Array = new Int32Array(SACK_BLOCKS_MAX);

  /** Reset to no options, as in a new object; the edges of blocks stay, `sackCount` is 0. */
  clear(): void {
    this.mss = 0;
    this.windowScale = -1;
    this.sackPermitted = false;
    this.timestamps = false;
    this.tsValue = 0;
    this.tsEcho = 0;
    this.sackCount = 0;
  }
}

/**
 * Length of the option at `at`, which is before `end`, the end of the header. Returns 0 for the end option and -1 when the
 * option's length is impossible. Allocates nothing.
 */
export function optionBytes(view: DataView, at: number, end: number): number {
  const kind = view.getUint8(at);
  if (kind === OPTION_END) return 0;
  if (kind === OPTION_NOP) return 1;
  if (at + 1 >= end) return -1;
  const length = view.getUint8(at + 1);
  return length < 2 || at + length > end ? -1 : length;
}

/**
 * Read the options from `at` to `end` (the end of the header) into `into`. Returns {@link OPTIONS_GOOD}, or
 * {@link OPTIONS_MALFORMED} with what came before the malformed one. A known option of a wrong length is skipped; of a
 * repeated one the last counts. Allocates nothing.
 */
export function parseOptions(view: DataView, at: number, end: number, into: TcpOptions): number {
  into.clear();
  while (at < end) {
    const length = optionBytes(view, at, end);
    if (length < 0) return OPTIONS_MALFORMED;
    if (length === 0) return OPTIONS_GOOD;
    if (length > 1) readOption(view, at, length, into);
    at += length;
  }
  return OPTIONS_GOOD;
}

function readOption(view: DataView, at: number, length: number, into: TcpOptions): void {
  switch (view.getUint8(at)) {
    case OPTION_MSS:
      if (length === 4) into.mss = view.getUint16(at + 2);
      break;
    case OPTION_WINDOW_SCALE:
      if (length === 3) into.windowScale = Math.min(view.getUint8(at + 2), WINDOW_SCALE_MAX);
      break;
    case OPTION_SACK_PERMITTED:
      if (length === 2) into.sackPermitted = true;
      break;
    case OPTION_SACK:
      if (length >= 10 && (length - 2) % 8 === 0) readSack(view, at + 2, (length - 2) >> 3, into);
      break;
    case OPTION_TIMESTAMPS:
      if (length !== 10) break;
      into.timestamps = true;
      into.tsValue = view.getInt32(at + 2);
      into.tsEcho = view.getInt32(at + 6);
      break;
  }
}

/** Five blocks would not fit in a header, so `count` is at most {@link SACK_BLOCKS_MAX} there; elsewhere it is cut. */
function readSack(view: DataView, at: number, count: number, into: TcpOptions): void {
  into.sackCount = Math.min(count, SACK_BLOCKS_MAX);
  for (let i = 0; i < into.sackCount; i++) {
    into.sackStart[i] = view.getInt32(at + 8 * i);
    into.sackEnd[i] = view.getInt32(at + 8 * i + 4);
  }
}

/** `userTimeout`: the field as it stands, granularity in bit 15. `unknown`: others, and known ones of a wrong length. */
export type TcpOption =
  | { kind: 'nop' }
  | { kind: 'mss'; mss: number }
  | { kind: 'window-scale'; shift: number }
  | { kind: 'sack-permitted' }
  | { kind: 'sack'; blocks: { start: number; end: number }[] }
  | { kind: 'timestamps'; value: number; echo: number }
  | { kind: 'user-timeout'; timeout: number }
  | { kind: 'unknown'; type: number; data: Uint8Array };

/** The options from `at` to `end`, or null when one has an impossible length. */
export function parseOptionList(view: DataView, at: number, end: number): TcpOption[] | null {
  const options: TcpOption[] = [];
  while (at < end) {
    const length = optionBytes(view, at, end);
    if (length < 0) return null;
    if (length === 0) break;
    options.push(length === 1 ? { kind: 'nop' } : parseOption(view, at, length));
    at += length;
  }
  return options;
}

function parseOption(view: DataView, at: number, length: number): TcpOption {
  const type = view.getUint8(at);
  if (type === OPTION_MSS && length === 4) return { kind: 'mss', mss: view.getUint16(at + 2) };
  if (type === OPTION_WINDOW_SCALE && length === 3) return { kind: 'window-scale', shift: view.getUint8(at + 2) };
  if (type === OPTION_SACK_PERMITTED && length === 2) return { kind: 'sack-permitted' };
  if (type === OPTION_TIMESTAMPS && length === 10) {
    return { kind: 'timestamps', value: view.getInt32(at + 2), echo: view.getInt32(at + 6) };
  }
  if (type === OPTION_USER_TIMEOUT && length === 4) return { kind: 'user-timeout', timeout: view.getUint16(at + 2) };
  if (type === OPTION_SACK && length >= 10 && (length - 2) % 8 === 0) {
    const blocks: { start: number; end: number }[] = [];
    for (let i = at + 2; i < at + length; i += 8) blocks.push({ start: view.getInt32(i), end: view.getInt32(i + 4) });
    return { kind: 'sack', blocks };
  }
  return { kind: 'unknown', type, data: copyOut(view, at + 2, length - 2) };
}

function lengthOfOption(option: TcpOption): number {
  switch (option.kind) {
    case 'nop':
      return 1;
    case 'sack-permitted':
      return 2;
    case 'window-scale':
      return 3;
    case 'mss':
    case 'user-timeout':
      return 4;
    case 'timestamps':
      return 10;
    case 'sack':
      return 2 + 8 * option.blocks.length;
    case 'unknown':
      return 2 + option.data.length;
  }
}

/** Bytes that {@link emitOptions} writes: a multiple of 4. */
export function optionsLength(options: readonly TcpOption[]): number {
  let bytes = 0;
  for (const option of options) bytes += lengthOfOption(option);
  return (bytes + 3) & ~3;
}

/** Write the list and pad it with end options; returns its length. */
export function emitOptions(options: readonly TcpOption[], view: DataView, at: number): number {
  const bytes = optionsLength(options);
  const end = at + bytes;
  for (const option of options) at += emitOption(option, view, at);
  zero(view, at, end - at);
  return bytes;
}

function emitOption(option: TcpOption, view: DataView, at: number): number {
  const length = lengthOfOption(option);
  if (option.kind === 'nop') {
    view.setUint8(at, OPTION_NOP);
    return 1;
  }
  view.setUint8(at + 1, length);
  switch (option.kind) {
    case 'mss':
      view.setUint8(at, OPTION_MSS);
      view.setUint16(at + 2, option.mss);
      break;
    case 'window-scale':
      view.setUint8(at, OPTION_WINDOW_SCALE);
      view.setUint8(at + 2, option.shift);
      break;
    case 'sack-permitted':
      view.setUint8(at, OPTION_SACK_PERMITTED);
      break;
    case 'sack':
      view.setUint8(at, OPTION_SACK);
      option.blocks.forEach((block, index) => {
        view.setInt32(at + 2 + 8 * index, block.start);
        view.setInt32(at + 6 + 8 * index, block.end);
      });
      break;
    case 'timestamps':
      view.setUint8(at, OPTION_TIMESTAMPS);
      view.setInt32(at + 2, option.value);
      view.setInt32(at + 6, option.echo);
      break;
    case 'user-timeout':
      view.setUint8(at, OPTION_USER_TIMEOUT);
      view.setUint16(at + 2, option.timeout);
      break;
    case 'unknown':
      view.setUint8(at, option.type);
      copyIn(option.data, view, at + 2);
  }
  return length;
}
