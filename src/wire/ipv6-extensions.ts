/**
 * IPv6 extension headers: a bounded walk for the data path, and the headers as objects for tests, tracing and control.
 *
 *      0             1         2
 *     +-------------+---------+----------------------------------------
 *     | next header | length  | 6 + 8 * length bytes, as the kind says
 *     +-------------+---------+----------------------------------------
 *
 * Each header costs a step of the walk, so a chain is bounded: at most {@link HEADERS_MAX} headers, of which none is
 * longer than {@link HEADER_BYTES_LIMIT}, with at most {@link OPTIONS_MAX} options (RFC 8504 5.3 permits such limits).
 *
 * Thread: any. Reached through `ipv6.ts`, which re-exports it.
 * Read first: RFC 8200 section 4, RFC 5095 (routing type 0 is dead), RFC 7045. Missing: AH and ESP (the walk ends there),
 * mobility, host identity and shim headers.
 */

import { assert } from '../base/assert.ts';
import { copyIn, copyOut } from './bytes.ts';

/** Next-header value of hop-by-hop options, which every router on the way may read (RFC 8200 4.3). */
export const NEXT_HOP_BY_HOP = 0;
/** Next-header value of a routing header (RFC 8200 4.4). */
export const NEXT_ROUTING = 43;
/** Next-header value of a fragment header (RFC 8200 4.5). */
export const NEXT_FRAGMENT = 44;
/** Next-header value of an encapsulating security payload (RFC 4303); a walk ends there. */
export const NEXT_ESP = 50;
/** Next-header value of an authentication header (RFC 4302); a walk ends there. */
export const NEXT_AUTHENTICATION = 51;
/** Next-header value of "nothing follows" (RFC 8200 4.7). */
export const NEXT_NONE = 59;
/** Next-header value of destination options (RFC 8200 4.6). */
export const NEXT_DESTINATION = 60;

/** Length of a fragment header, whose length byte is reserved (RFC 8200 4.5). */
export const FRAGMENT_HEADER_BYTES = 8;
/** From the end of an IPv6 header back to its next-header field. */
const NEXT_HEADER_BACK = 34;

/** Most extension headers of a packet that {@link HeaderWalk.walk} accepts (RFC 8504 5.3). */
export const HEADERS_MAX = 8;
/** Length of the longest extension header that {@link HeaderWalk.walk} accepts. */
export const HEADER_BYTES_LIMIT = 256;
/** Most options of one extension header that {@link HeaderWalk.walk} accepts, padding counted. */
export const OPTIONS_MAX = 16;

/** Type of the padding of one byte, which has no length (RFC 8200 4.2). */
export const OPTION_PAD1 = 0;
/** Type of the padding of two bytes and more (RFC 8200 4.2). */
export const OPTION_PADN = 1;
/** Type of the router alert: routers look at the packet though it is not to them (RFC 2711). */
export const OPTION_ROUTER_ALERT = 5;
/** Action for an unknown option, the two upper bits of its type: go on (RFC 8200 4.2). */
export const OPTION_ACTION_SKIP = 0x00;
/** Action for an unknown option: drop the packet. */
export const OPTION_ACTION_DISCARD = 0x40;
/** Action for an unknown option: drop the packet and send a parameter problem, even when it went to a group. */
export const OPTION_ACTION_REPORT = 0x80;
/** Action for an unknown option: drop the packet and send a parameter problem unless it went to a group. */
export const OPTION_ACTION_REPORT_UNICAST = 0xc0;
/** Bits of an option's type that hold the action. */
export const OPTION_ACTION_MASK = 0xc0;

/** Names of what {@link HeaderWalk.walk} returns. */
export const WALK_REASONS: readonly string[] = [
  '',
  'ip6-extension-truncated',
  'ip6-extension-too-long',
  'ip6-extension-too-many',
  'ip6-extension-misplaced',
  'ip6-extension-bad-option',
  'ip6-extension-bad-fragment',
  'ip6-extension-bad-routing',
];
const TRUNCATED = 1;
const TOO_LONG = 2;
const TOO_MANY = 3;
const MISPLACED = 4;
const BAD_OPTION = 5;
const BAD_FRAGMENT = 6;
const BAD_ROUTING = 7;

/** Whether a next-header value names an extension header that the walk steps over. */
export function isExtension(nextHeader: number): boolean {
  return (
    nextHeader === NEXT_HOP_BY_HOP ||
    nextHeader === NEXT_ROUTING ||
    nextHeader === NEXT_FRAGMENT ||
    nextHeader === NEXT_DESTINATION
  );
}

/** Length of an extension header other than a fragment header. */
export function extensionBytes(view: DataView, at: number): number {
  return 8 + 8 * view.getUint8(at + 1);
}

/** Place of the fragment in the unfragmented packet's fragmentable part, in bytes; `at` is the fragment header. */
export function fragmentOffsetBytes(view: DataView, at: number): number {
  return view.getUint16(at + 2) & 0xfff8;
}

/** Whether a fragment follows with a greater offset; `at` is the fragment header. */
export function moreFragments(view: DataView, at: number): boolean {
  return (view.getUint8(at + 3) & 1) !== 0;
}

/** Identification of the packet that the fragment at `at` belongs to, int32. */
export function fragmentIdentification(view: DataView, at: number): number {
  return view.getInt32(at + 4);
}

/** Routing type of the routing header at `at`. */
export function routingType(view: DataView, at: number): number {
  return view.getUint8(at + 2);
}

/** Number of addresses still to visit in the routing header at `at`. */
export function segmentsLeft(view: DataView, at: number): number {
  return view.getUint8(at + 3);
}

/** Length of the option at `at`, -1 when it reaches beyond `end`, the end of its header. Allocates nothing. */
export function extensionOptionBytes(view: DataView, at: number, end: number): number {
  if (view.getUint8(at) === OPTION_PAD1) return 1;
  if (at + 1 >= end) return -1;
  const length = 2 + view.getUint8(at + 1);
  return at + length > end ? -1 : length;
}

/** Result of a walk along the extension headers: allocated once, filled anew for each packet. Offsets are 0 when absent. */
export class HeaderWalk {
  /** Protocol of the payload, or of the first fragment's payload; `NEXT_NONE`, `NEXT_ESP` and `NEXT_AUTHENTICATION` end a walk too. */
  protocol: number = 0;
  /** Place of the payload, behind the last extension header. */
  payloadAt: number = 0;
  /** Place of the hop-by-hop options, 0 when there are none. */
  hopByHopAt: number = 0;
  /** Place of the routing header, 0 when there is none. */
  routingAt: number = 0;
  /** Place of the fragment header, 0 when there is none. */
  fragmentAt: number = 0;
  /** Place of the byte that names the fragment header. */
  fragmentNameAt: number = 0;
  /** The last destination options header. */
  destinationAt: number = 0;
  /** Place of the byte that names `protocol`, or after a fault the header that is faulty. */
  nextHeaderAt: number = 0;
  /** After a fault: where the field is that it is about, for an ICMPv6 parameter problem. */
  problemAt: number = 0;

  /**
   * Walk from `at`, right behind the IPv6 header, to `end`, the end of the packet. Returns 0 or an index of
   * {@link WALK_REASONS}. After 0 the accessors of each header found and its whole length may be used. Behind a fragment
   * header with an offset there is no further header to be read. Allocates nothing.
   */
  walk(view: DataView, at: number, end: number, nextHeader: number): number {
    this.hopByHopAt = 0;
    this.routingAt = 0;
    this.fragmentAt = 0;
    this.destinationAt = 0;
    this.problemAt = at;
    this.nextHeaderAt = at - NEXT_HEADER_BACK;
    const start = at;
    for (let headers = 0; isExtension(nextHeader); headers++) {
      this.problemAt = at;
      if (headers === HEADERS_MAX) return TOO_MANY;
      if (at + FRAGMENT_HEADER_BYTES > end) return TRUNCATED;
      const bytes = nextHeader === NEXT_FRAGMENT ? FRAGMENT_HEADER_BYTES : extensionBytes(view, at);
      if (at + bytes > end) return TRUNCATED;
      if (bytes > HEADER_BYTES_LIMIT) return TOO_LONG;
      const reason = this.#header(view, at, bytes, end, nextHeader, start);
      if (reason !== 0) return reason;
      const later = nextHeader === NEXT_FRAGMENT && fragmentOffsetBytes(view, at) !== 0;
      nextHeader = view.getUint8(at);
      this.nextHeaderAt = at;
      at += bytes;
      if (later) break;
    }
    this.protocol = nextHeader;
    this.payloadAt = at;
    return 0;
  }

  #header(view: DataView, at: number, bytes: number, end: number, kind: number, start: number): number {
    switch (kind) {
      case NEXT_HOP_BY_HOP:
        // RFC 8200 4.1: immediately after the IPv6 header, nowhere else.
        if (at !== start) return MISPLACED;
        this.hopByHopAt = at;
        return this.#options(view, at + 2, at + bytes);
      case NEXT_DESTINATION:
        this.destinationAt = at;
        return this.#options(view, at + 2, at + bytes);
      case NEXT_ROUTING:
        if (this.routingAt !== 0) return MISPLACED;
        this.routingAt = at;
        // RFC 5095: type 0 with segments left is answered with a parameter problem.
        this.problemAt = at + 2;
        return routingType(view, at) === 0 && segmentsLeft(view, at) !== 0 ? BAD_ROUTING : 0;
      default:
        if (this.fragmentAt !== 0) return MISPLACED;
        this.fragmentAt = at;
        this.fragmentNameAt = this.nextHeaderAt;
        return this.#fragment(view, at, end - at - FRAGMENT_HEADER_BYTES);
    }
  }

  /** RFC 8200 4.5: all but the last fragment hold a multiple of 8 bytes, none reaches beyond 65535. */
  #fragment(view: DataView, at: number, dataBytes: number): number {
    if (moreFragments(view, at) && ((dataBytes & 7) !== 0 || dataBytes === 0)) return BAD_FRAGMENT;
    this.problemAt = at + 2;
    return fragmentOffsetBytes(view, at) + dataBytes > 65535 ? BAD_FRAGMENT : 0;
  }

  #options(view: DataView, at: number, end: number): number {
    for (let count = 0; at < end; count++) {
      this.problemAt = at;
      if (count === OPTIONS_MAX) return TOO_MANY;
      const bytes = extensionOptionBytes(view, at, end);
      if (bytes < 0) return BAD_OPTION;
      at += bytes;
    }
    return 0;
  }
}

/** `pad1` is one byte, `pad` two and more: kept, so that a header is written as it was read. */
export type ExtensionOption =
  | { kind: 'pad1' }
  | { kind: 'pad'; bytes: number }
  | { kind: 'router-alert'; value: number }
  | { kind: 'unknown'; type: number; data: Uint8Array };

/** One extension header. The length of its options is padded; the data of a routing header is what follows the segments left. */
export type Extension =
  | { kind: 'hop-by-hop' | 'destination'; options: ExtensionOption[] }
  | { kind: 'routing'; type: number; segmentsLeft: number; data: Uint8Array }
  | { kind: 'fragment'; offsetBytes: number; more: boolean; identification: number };

const NEXT_OF: Readonly<Record<Extension['kind'], number>> = {
  'hop-by-hop': NEXT_HOP_BY_HOP,
  destination: NEXT_DESTINATION,
  routing: NEXT_ROUTING,
  fragment: NEXT_FRAGMENT,
};

/** The headers from `at` to `end`, over which {@link HeaderWalk.walk} went without a fault. */
export function parseExtensions(view: DataView, at: number, end: number, nextHeader: number): Extension[] {
  const extensions: Extension[] = [];
  while (at < end) {
    const bytes = nextHeader === NEXT_FRAGMENT ? FRAGMENT_HEADER_BYTES : extensionBytes(view, at);
    extensions.push(parseExtension(view, at, bytes, nextHeader));
    nextHeader = view.getUint8(at);
    at += bytes;
  }
  return extensions;
}

function parseExtension(view: DataView, at: number, bytes: number, kind: number): Extension {
  if (kind === NEXT_FRAGMENT) {
    return {
      kind: 'fragment',
      offsetBytes: fragmentOffsetBytes(view, at),
      more: moreFragments(view, at),
      identification: fragmentIdentification(view, at),
    };
  }
  if (kind === NEXT_ROUTING) {
    const data = copyOut(view, at + 4, bytes - 4);
    return { kind: 'routing', type: routingType(view, at), segmentsLeft: segmentsLeft(view, at), data };
  }
  const options: ExtensionOption[] = [];
  const end = at + bytes;
  for (let i = at + 2; i < end; ) {
    const length = extensionOptionBytes(view, i, end);
    options.push(parseOption(view, i, length));
    i += length;
  }
  return { kind: kind === NEXT_HOP_BY_HOP ? 'hop-by-hop' : 'destination', options };
}

function parseOption(view: DataView, at: number, length: number): ExtensionOption {
  const type = view.getUint8(at);
  if (length === 1) return { kind: 'pad1' };
  if (type === OPTION_PADN) return { kind: 'pad', bytes: length };
  if (type === OPTION_ROUTER_ALERT && length === 4) return { kind: 'router-alert', value: view.getUint16(at + 2) };
  return { kind: 'unknown', type, data: copyOut(view, at + 2, length - 2) };
}

function lengthOfOption(option: ExtensionOption): number {
  switch (option.kind) {
    case 'pad1':
      return 1;
    case 'pad':
      return option.bytes;
    case 'router-alert':
      return 4;
    case 'unknown':
      return 2 + option.data.length;
  }
}

function lengthOfExtension(extension: Extension): number {
  if (extension.kind === 'fragment') return FRAGMENT_HEADER_BYTES;
  let bytes = extension.kind === 'routing' ? 4 + extension.data.length : 2;
  if (extension.kind !== 'routing') for (const option of extension.options) bytes += lengthOfOption(option);
  return (bytes + 7) & ~7;
}

/** Bytes that {@link emitExtensions} writes. */
export function extensionsLength(extensions: readonly Extension[]): number {
  let bytes = 0;
  for (const extension of extensions) bytes += lengthOfExtension(extension);
  return bytes;
}

/**
 * Write the headers, each naming the next and the last one `protocol`. Returns the next-header value of the IPv6 header.
 * A list of options that is no multiple of 8 with its header is padded; routing data must be one (less 4).
 */
export function emitExtensions(extensions: readonly Extension[], protocol: number, view: DataView, at: number): number {
  for (const [index, extension] of extensions.entries()) {
    const next = extensions[index + 1];
    const bytes = lengthOfExtension(extension);
    view.setUint8(at, next === undefined ? protocol : NEXT_OF[next.kind]);
    view.setUint8(at + 1, extension.kind === 'fragment' ? 0 : bytes / 8 - 1);
    emitExtension(extension, view, at, bytes);
    at += bytes;
  }
  const first = extensions[0];
  return first === undefined ? protocol : NEXT_OF[first.kind];
}

function emitExtension(extension: Extension, view: DataView, at: number, bytes: number): void {
  if (extension.kind === 'fragment') {
    view.setUint16(at + 2, extension.offsetBytes | (extension.more ? 1 : 0));
    view.setInt32(at + 4, extension.identification);
    return;
  }
  if (extension.kind === 'routing') {
    assert(extension.data.length % 8 === 4, 'routing header data is 4 bytes more than a multiple of 8');
    view.setUint8(at + 2, extension.type);
    view.setUint8(at + 3, extension.segmentsLeft);
    copyIn(extension.data, view, at + 4);
    return;
  }
  let i = at + 2;
  for (const option of extension.options) i += emitOption(option, view, i);
  const missing = at + bytes - i;
  if (missing > 0) emitOption(missing === 1 ? { kind: 'pad1' } : { kind: 'pad', bytes: missing }, view, i);
}

function emitOption(option: ExtensionOption, view: DataView, at: number): number {
  const length = lengthOfOption(option);
  if (option.kind === 'pad1') {
    view.setUint8(at, OPTION_PAD1);
    return 1;
  }
  view.setUint8(at + 1, length - 2);
  if (option.kind === 'pad') {
    view.setUint8(at, OPTION_PADN);
    for (let i = 2; i < length; i++) view.setUint8(at + i, 0);
  } else if (option.kind === 'router-alert') {
    view.setUint8(at, OPTION_ROUTER_ALERT);
    view.setUint16(at + 2, option.value);
  } else {
    view.setUint8(at, option.type);
    copyIn(option.data, view, at + 2);
  }
  return length;
}
