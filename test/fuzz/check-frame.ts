/**
 * Whether a frame that a kernel sent is sound: lengths, checksums, addresses, options. Knows nothing of src/wire.
 *
 * Packets that were only forwarded are checked as far as a router is answerable for them: the IP header.
 */

import {
  checksumOffset,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  fold,
  get16,
  get32,
  pseudoSum,
  sumOf,
} from './bytes.ts';
import type { Address } from './cast6.ts';
import type { DeviceFrame, GuardedDevice } from './guarded-device.ts';

const META_PARTIAL = 1;
const CAP_PARTIAL = 1;
const CAP_SUPER_FRAMES = 2;
const ETHER_BYTES = 14;
const TCP_FIN = 1;
const TCP_SYN = 2;
const TCP_RST = 4;
/** What a kernel may say in ICMP of its own accord. */
const ICMP_TYPES: readonly number[] = [0, 3, 5, 8, 11, 12, 14];
const ICMP_ERRORS: readonly number[] = [3, 5, 11, 12];
const ICMP6_TYPES: readonly number[] = [1, 2, 3, 4, 128, 129, 131, 132, 133, 134, 135, 136, 137, 143];
const MLD_TYPES: readonly number[] = [131, 132, 143];

/** Fragments of one datagram of the kernel's own. */
interface Pieces {
  /** What stands before the payload, addresses included. */
  readonly header: Uint8Array;
  readonly parts: { offset: number; bytes: Uint8Array }[];
  total: number;
}

export class FrameChecker {
  readonly #isOwn: (address: number) => boolean;
  readonly #isOwn6: (address: Address) => boolean;
  /** Source, protocol and identification of packets that may be forwarded as they are. */
  readonly #strangers: Set<number> = new Set();
  readonly #fragments: Map<string, Pieces> = new Map();
  /** The frame that is being checked, and whose it is. */
  #bytes: Uint8Array = new Uint8Array(0);
  #device = '';

  /** Whether the kernel has that address, of either family. */
  constructor(isOwn: (address: number) => boolean, isOwn6: (address: Address) => boolean) {
    this.#isOwn = isOwn;
    this.#isOwn6 = isOwn6;
  }

  /** A frame was put before the kernel: what it says may come out again. */
  injected(frame: Uint8Array, meta: number): void {
    if (frame.length < ETHER_BYTES + 20) return;
    const type = get16(frame, 12);
    // A super-frame may be cut, and its pieces numbered onwards.
    const pieces = meta >>> 16 === 0 ? 1 : Math.ceil(frame.length / (meta >>> 16));
    if (type === ETHERTYPE_IPV4) for (let i = 0; i < pieces; i++) this.#strangers.add(stranger4(frame, i));
    // On the way a partial checksum may be completed, and that of a super-frame's pieces computed.
    const exact = meta >>> 16 === 0 && (meta & META_PARTIAL) === 0;
    if (type === ETHERTYPE_IPV6 && frame.length >= ETHER_BYTES + 40) this.#strangers.add(stranger6(frame, exact));
  }

  /** Throws with what is wrong. */
  check(frame: DeviceFrame, device: GuardedDevice): void {
    const { bytes, meta } = frame;
    this.#bytes = bytes;
    this.#device = device.name;
    if (meta & META_PARTIAL && !(device.capabilities & CAP_PARTIAL))
      this.#fail('checksum left to a link that adds none');
    if (meta >>> 16 !== 0 && !(device.capabilities & CAP_SUPER_FRAMES)) this.#fail('super-frame on a plain link');
    if (bytes.length < ETHER_BYTES) this.#fail('shorter than an Ethernet header');
    const { hi, lo } = device.mac;
    if (get16(bytes, 6) !== hi || get32(bytes, 8) !== lo) this.#fail('not from its own link-layer address');
    switch (get16(bytes, 12)) {
      case ETHERTYPE_ARP:
        this.#arp(bytes);
        break;
      case ETHERTYPE_IPV4:
        this.#ipv4(frame, device);
        break;
      case ETHERTYPE_IPV6:
        this.#ipv6(frame, device);
        break;
      default:
        this.#fail('unknown type');
    }
  }

  #fail(reason: string): never {
    throw new Error(`${reason}: ${this.#device} sent ${hexOf(this.#bytes.subarray(0, 96))}`);
  }

  #arp(bytes: Uint8Array): void {
    if (bytes.length !== 42) this.#fail('ARP of a wrong length');
    if (get32(bytes, 14) !== 0x00010800 || get16(bytes, 18) !== 0x0604) this.#fail('ARP with wrong types');
    const operation = get16(bytes, 20);
    if (operation !== 1 && operation !== 2) this.#fail('ARP operation');
    const sender = get32(bytes, 28);
    if (operation === 1 && sender !== 0 && !this.#isOwn(sender)) this.#fail('ARP request from an address not ours');
    if (((bytes[22] as number) & 1) !== 0) this.#fail('ARP from a group address');
  }

  #ipv4(frame: DeviceFrame, device: GuardedDevice): void {
    const { bytes, meta } = frame;
    const at = ETHER_BYTES;
    if (bytes.length < at + 20) this.#fail('no room for an IP header');
    const headerBytes = ((bytes[at] as number) & 15) * 4;
    const total = get16(bytes, at + 2);
    if ((bytes[at] as number) >> 4 !== 4 || headerBytes < 20) this.#fail('version or header length');
    if (total !== bytes.length - at) this.#fail(`total length ${total} in a frame of ${bytes.length}`);
    if (total < headerBytes) this.#fail('total length below header length');
    if (total > device.mtuBytes && meta >>> 16 === 0) this.#fail(`longer than the MTU of ${device.mtuBytes}`);
    if (fold(sumOf(bytes, at, at + headerBytes)) !== 0xffff) this.#fail('IP header checksum');
    if ((bytes[at + 8] as number) === 0) this.#fail('TTL 0');
    const src = get32(bytes, at + 12);
    const dst = get32(bytes, at + 16);
    if (dst === 0 || dst >>> 24 === 127 || (dst >>> 28 === 0xf && dst !== -1)) this.#fail('destination');
    if (this.#strangers.has(stranger4(bytes))) return;
    const fragment = get16(bytes, at + 6) & 0x3fff;
    const offset = (fragment & 0x1fff) * 8;
    if (offset + total - headerBytes > 65535) this.#fail('fragment beyond 65535');
    if (fragment & 0x2000 && (total - headerBytes) % 8 !== 0) this.#fail('fragment that is no multiple of 8');
    if (!this.#isOwn(src) && src !== 0) this.#fail('source is not ours');
    if (src >>> 24 === 127) this.#fail('loopback address on a wire');
    if (fragment !== 0) {
      const key = hexOf(bytes.subarray(at + 12, at + 20)) + get16(bytes, at + 4) + bytes[at + 9];
      const more = (fragment & 0x2000) !== 0;
      const whole = this.#collect(key, bytes, at + 20, at + headerBytes, at + total, offset, more);
      if (whole !== null) this.#transport(whole, at + 12, 4, bytes[at + 9] as number, at + 20, whole.length, 0);
      return;
    }
    this.#transport(bytes, at + 12, 4, bytes[at + 9] as number, at + headerBytes, at + total, meta);
    if (bytes[at + 9] === 2) this.#igmp(bytes, at, headerBytes);
  }

  /** A whole datagram, which is checked then, when its last fragment has come: `headerEnd` bytes and the payload. */
  #collect(
    key: string,
    bytes: Uint8Array,
    headerEnd: number,
    from: number,
    to: number,
    offset: number,
    more: boolean,
  ): Uint8Array | null {
    let pieces = this.#fragments.get(key);
    if (pieces === undefined || offset === 0) {
      pieces = { header: bytes.slice(0, headerEnd), parts: [], total: -1 };
      this.#fragments.set(key, pieces);
    }
    pieces.parts.push({ offset, bytes: bytes.slice(from, to) });
    if (!more) pieces.total = offset + to - from;
    const have = pieces.parts.reduce((sum, part) => sum + part.bytes.length, 0);
    if (have !== pieces.total) return null;
    const whole = new Uint8Array(headerEnd + have);
    whole.set(pieces.header);
    for (const part of pieces.parts) whole.set(part.bytes, headerEnd + part.offset);
    this.#fragments.delete(key);
    return whole;
  }

  #transport(
    bytes: Uint8Array,
    addresses: number,
    addressBytes: number,
    protocol: number,
    from: number,
    to: number,
    meta: number,
  ): void {
    const length = to - from;
    if (protocol === 6) this.#tcp(bytes, from, length);
    else if (protocol === 17) this.#udp(bytes, from, length);
    else if (protocol === 1) this.#icmp(bytes, from, length);
    else if (protocol === 58) this.#icmp6(bytes, from, length);
    const offset = checksumOffset(protocol);
    if (offset < 0) return;
    const pseudo = pseudoSum(bytes, addresses, addressBytes, protocol, length);
    if ((meta & META_PARTIAL) !== 0) {
      if (get16(bytes, from + offset) !== fold(pseudo)) this.#fail('partial checksum is not the pseudo-header sum');
      return;
    }
    if (protocol === 17 && get16(bytes, from + offset) === 0) {
      // RFC 8200 8.1: there it does not mean "none".
      if (addressBytes === 16) this.#fail('UDP over IPv6 without a checksum');
      return;
    }
    if (fold(sumOf(bytes, from, to) + pseudo) !== 0xffff) this.#fail(`checksum of protocol ${protocol}`);
  }

  #tcp(bytes: Uint8Array, at: number, length: number): void {
    if (length < 20) this.#fail('TCP shorter than its header');
    const headerBytes = ((bytes[at + 12] as number) >> 4) * 4;
    if (headerBytes < 20 || headerBytes > length) this.#fail('TCP data offset');
    const flags = bytes[at + 13] as number;
    if (flags & TCP_SYN && flags & (TCP_FIN | TCP_RST)) this.#fail('TCP flags');
    for (let o = at + 20; o < at + headerBytes; ) {
      const kind = bytes[o] as number;
      if (kind === 0) break;
      const size = kind === 1 ? 1 : (bytes[o + 1] as number);
      if (size === 0 || o + size > at + headerBytes || (kind !== 1 && size < 2)) this.#fail('TCP options');
      o += size;
    }
  }

  #udp(bytes: Uint8Array, at: number, length: number): void {
    if (length < 8 || get16(bytes, at + 4) !== length) this.#fail('UDP length');
    if (get16(bytes, at + 2) === 0) this.#fail('UDP to port 0');
  }

  #icmp(bytes: Uint8Array, at: number, length: number): void {
    if (length < 8) this.#fail('ICMP shorter than its header');
    const type = bytes[at] as number;
    if (!ICMP_TYPES.includes(type)) this.#fail(`ICMP type ${type}`);
    if (ICMP_ERRORS.includes(type)) {
      if (length < 8 + 20) this.#fail('ICMP error that quotes less than a header');
      const src = get32(bytes, at + 8 + 12);
      if (src >>> 28 >= 0xe || src === 0) this.#fail('ICMP error about a packet from no single host');
      if ((get16(bytes, at + 8 + 6) & 0x1fff) !== 0) this.#fail('ICMP error about a later fragment');
      if (
        bytes[at + 8 + 9] === 1 &&
        ICMP_ERRORS.includes(bytes[at + 8 + ((bytes[at + 8] as number) & 15) * 4] as number)
      ) {
        this.#fail('ICMP error about an ICMP error');
      }
    }
  }

  #igmp(bytes: Uint8Array, at: number, headerBytes: number): void {
    if (bytes[at + 8] !== 1) this.#fail('IGMP with a TTL that is not 1');
    if (headerBytes !== 24 || get32(bytes, at + 20) !== (0x94040000 | 0)) this.#fail('IGMP without router alert');
  }

  #ipv6(frame: DeviceFrame, device: GuardedDevice): void {
    const { bytes, meta } = frame;
    const at = ETHER_BYTES;
    if (bytes.length < at + 40) this.#fail('no room for an IPv6 header');
    if ((bytes[at] as number) >> 4 !== 6) this.#fail('version');
    const end = at + 40 + get16(bytes, at + 4);
    if (end !== bytes.length) this.#fail(`payload length in a frame of ${bytes.length}`);
    if (end - at > device.mtuBytes && meta >>> 16 === 0) this.#fail(`longer than the MTU of ${device.mtuBytes}`);
    if (bytes[at + 7] === 0) this.#fail('hop limit 0');
    if (bytes[at + 8] === 0xff) this.#fail('source is a group');
    if (get32(bytes, at + 24) === 0 && get32(bytes, at + 28) === 0 && get32(bytes, at + 32) === 0) {
      if (get32(bytes, at + 36) === 0 || get32(bytes, at + 36) === 1) this.#fail('destination');
    }
    if (this.#strangers.has(stranger6(bytes, true)) || this.#strangers.has(stranger6(bytes, false))) return;
    const src = words(bytes, at + 8);
    if (src.some((word) => word !== 0) && !this.#isOwn6(src)) this.#fail('source is not ours');
    let next = bytes[at + 6] as number;
    let o = at + 40;
    while (next === 0 || next === 43 || next === 60 || next === 44) {
      if (o + 8 > end) this.#fail('extension header');
      const fragment = next === 44;
      const from = o;
      next = bytes[o] as number;
      o += fragment ? 8 : 8 + 8 * (bytes[o + 1] as number);
      if (!fragment || (get16(bytes, from + 2) & 0xfff9) === 0) continue;
      this.#fragment6(bytes, at, from, end);
      return;
    }
    if (o > end) this.#fail('extension header');
    if (next === 58 && MLD_TYPES.includes(bytes[o] as number) && bytes[at + 7] !== 1) {
      this.#fail('listener discovery with a hop limit that is not 1');
    }
    const nd = next === 58 && (bytes[o] as number) >= 133 && (bytes[o] as number) <= 137;
    if (nd && bytes[at + 7] !== 255) this.#fail('neighbor discovery with a hop limit that is not 255');
    this.#transport(bytes, at + 8, 16, next, o, end, meta);
  }

  /** Its fragment header is at `from`. */
  #fragment6(bytes: Uint8Array, at: number, from: number, end: number): void {
    const field = get16(bytes, from + 2);
    const more = (field & 1) !== 0;
    const offset = field & 0xfff8;
    if (more && (end - from) % 8 !== 0) this.#fail('fragment that is no multiple of 8');
    if (offset + end - from - 8 > 65535) this.#fail('fragment beyond 65535');
    const key = hexOf(bytes.subarray(at + 8, at + 40)) + get32(bytes, from + 4);
    const whole = this.#collect(key, bytes, at + 40, from + 8, end, offset, more);
    if (whole !== null) this.#transport(whole, at + 8, 16, bytes[from] as number, at + 40, whole.length, 0);
  }

  #icmp6(bytes: Uint8Array, at: number, length: number): void {
    if (length < 4) this.#fail('ICMPv6 shorter than its header');
    const type = bytes[at] as number;
    if (!ICMP6_TYPES.includes(type)) this.#fail(`ICMPv6 type ${type}`);
    if (type < 128 && length < 8 + 40) this.#fail('ICMPv6 error that quotes less than a header');
    if (type < 128 && bytes[at + 8 + 6] === 58 && length > 48) {
      const quoted = bytes[at + 48] as number;
      if (quoted < 128) this.#fail('ICMPv6 error about an ICMPv6 error');
    }
    if (type >= 133 && type <= 137) {
      const start = { 133: 8, 134: 16, 135: 24, 136: 24, 137: 40 }[type as 133];
      for (let o = start; o < length; ) {
        const size = 8 * ((bytes[at + o + 1] as number) || 0);
        if (size === 0 || o + size > length) this.#fail('option of neighbor discovery');
        o += size;
      }
    }
  }
}

function words(bytes: Uint8Array, at: number): Address {
  return [get32(bytes, at), get32(bytes, at + 4), get32(bytes, at + 8), get32(bytes, at + 12)];
}

function stranger4(frame: Uint8Array, piece: number = 0): number {
  const identification = (get16(frame, ETHER_BYTES + 4) + piece) & 0xffff;
  const mixed = Math.imul(get32(frame, ETHER_BYTES + 12), 0x9e3779b1) ^ (identification << 8);
  return mixed ^ (frame[ETHER_BYTES + 9] as number);
}

/** `exact`: with all that it carries, so that what the kernel says itself is not taken for it. */
function stranger6(frame: Uint8Array, exact: boolean): number {
  const at = ETHER_BYTES + 40;
  const end = exact ? Math.min(frame.length, at + get16(frame, ETHER_BYTES + 4)) : at;
  let mixed = (frame[ETHER_BYTES + 6] as number) + (exact ? 256 : 0);
  for (let i = ETHER_BYTES + 8; i < at; i += 4) mixed = Math.imul(mixed ^ get32(frame, i), 0x9e3779b1);
  for (let i = at; i < end; i++) mixed = Math.imul(mixed ^ (frame[i] as number), 0x9e3779b1) ^ (mixed >>> 15);
  return mixed;
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
