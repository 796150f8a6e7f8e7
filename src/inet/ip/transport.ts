/**
 * The seam between IP and the protocols above it (TCP, UDP, ICMP, IGMP, raw sockets).
 *
 * Thread: the one that runs the kernel. A transport sends by `begin` → write header and payload in place → `end`: when
 * the next hop is known, that place is the slot of the outgoing ring itself. It receives packets in place, valid only
 * during the call. Nothing here allocates per packet. From `begin` to `end` or `cancel` the rule of reservations holds
 * (net/link-layer.ts).
 *
 * Addresses are int32 of either family: IPv4's own, or the handle of an IPv6 address (inet/ip/address-interner.ts).
 * The two families differ here only in `headerBytes`, and in pseudo-headers, whose sums paths and packets bring along.
 */

import type { Bulk } from '../../mem/bulk.ts';
import type { Interface } from '../../net/interface.ts';
import type { RunInput } from '../../net/link-input.ts';
import type { SourceFilter } from '../../net/source-filter.ts';

export const IP_DONT_FRAGMENT = 1;
/** Permit a broadcast destination (SO_BROADCAST). */
export const IP_ALLOW_BROADCAST = 2;
/** The packet may be longer than the MTU: it goes as a super-frame, its segment size with `end` (TCP's may always). */
export const IP_SEGMENTED = 4;
/** For `begin`: a next hop that does not answer is no error; the packet waits for it, as the last one that does (net/neighbor-cache.ts). */
export const IP_NO_HOST_ERROR = 8;
/** For `openPath` and `transientPath`: no copy of a multicast comes back to us (IP_MULTICAST_LOOP off). */
export const IP_NO_LOOP = 0x200;

/**
 * A destination with everything that was looked up for it: route, source address, interface, next hop. Kept by a
 * connection or a connected socket; `IpService.begin` renews it by itself when routes, addresses or neighbors changed.
 */
export interface Path {
  readonly src: number;
  readonly dst: number;
  /** Length of the IP header in front of the transport's: 20 or 40. */
  readonly headerBytes: number;
  /** Sum of both addresses, for the pseudo-header. */
  readonly addressSum: number;
  /** To a group. */
  readonly multicast: boolean;
  /** A copy of each packet comes back to us: broadcast, and multicast to a group we are in. */
  readonly loops: boolean;
  /** A blackhole route: packets are dropped silently. */
  readonly discards: boolean;
  /** Largest IP packet that goes through unfragmented, as known now (interface MTU, lowered by path MTU discovery). */
  readonly mtuBytes: number;
  /** The device's `CAP_*` bits (net/link-layer.ts), 0 when packets may be forwarded over links without them. */
  readonly capabilities: number;
  /** Largest IP packet `begin` takes in one piece: above `mtuBytes` only with CAP_SUPER_FRAMES. */
  readonly maxPacketBytes: number;
  /** MTU of the link itself, from which the MSS to announce follows (RFC 6691). */
  readonly linkMtuBytes: number;
  readonly iface: Interface;
}

/** A received packet, filled anew for each; never kept. */
export interface InPacket {
  /** Offset of the IP header and of the transport payload in the arena's view. */
  headerAt: number;
  at: number;
  lengthBytes: number;
  src: number;
  dst: number;
  /** Sum of both addresses, for the pseudo-header. */
  addressSum: number;
  protocol: number;
  ttl: number;
  tos: number;
  /** Metadata of the frame (`META_*`, net/link-layer.ts). */
  meta: number;
  /** Arrived by link-layer or IP broadcast or multicast. */
  broadcast: boolean;
  /**
   * No option, filter or raw socket looked past the IP header: the verdict holds for every packet with an identical header.
   * Runs rely on it.
   */
  plain: boolean;
  iface: Interface;
}

/**
 * An ICMP error about a packet we sent; the quoted transport header has at least 8 bytes. One of ICMPv6 has type and code of
 * the message of ICMPv4 that says the same (RFC 7915 section 5.2, but "no route" is "network unreachable").
 */
export interface IcmpError {
  type: number;
  code: number;
  /** RFC 1191 next-hop MTU, 0 when absent. */
  nextHopMtuBytes: number;
  /** Addresses of the quoted packet: `src` is ours. */
  src: number;
  dst: number;
  /** Sender of the ICMP message. */
  from: number;
  quotedAt: number;
  quotedBytes: number;
}

/** A transport protocol, as IP calls it. */
export interface Transport {
  readonly protocol: number;
  input(packet: InPacket, nowUs: number): void;
  icmpError(error: IcmpError, nowUs: number): void;
  /** Takes segments that continue each other; at most one transport has it. */
  readonly runs?: RunInput;
}

export interface IpService {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly bulk: Bulk;

  register(transport: Transport): void;

  /**
   * Route and source address for a destination. `src` 0 lets IP choose; otherwise it must be an address of this kernel.
   * `via` is the interface that broadcasts and multicasts leave through; without it the routes decide.
   * Returns the path, or `-ENETUNREACH`, `-EHOSTUNREACH`, `-EADDRNOTAVAIL`, `-EACCES` (broadcast not allowed).
   */
  openPath(dst: number, src: number, flags: number, via?: Interface | null): Path | number;
  /** A path for one packet, which the caller must not keep: valid until the next call. Errors as `openPath`. */
  transientPath(dst: number, src: number, flags: number, via: Interface | null): Path | number;
  /** Forget a path (its neighbor reference). */
  closePath(path: Path): void;

  /**
   * Start one packet with `payloadBytes` of transport header and data. Returns the offset where they go
   * (4-aligned), or `-ENOBUFS` (ring full), `-EHOSTUNREACH`, `-EHOSTDOWN` (neither about the next hop with IP_NO_HOST_ERROR), `-ENETUNREACH`,
   * `-EMSGSIZE` (IP_DONT_FRAGMENT and too long).
   */
  begin(path: Path, protocol: number, payloadBytes: number, ttl: number, tos: number, flags: number): number;
  /** The packet begun is complete; `meta` goes with the frame. Fragments here when it is longer than the MTU. */
  end(meta: number): void;
  cancel(): void;
  /**
   * `begin` for an IPv4 packet with options: `optionBytes` (a multiple of 4) at the returned offset, the payload after them.
   * It may be fragmented.
   */
  beginWithOptions(
    path: Path,
    protocol: number,
    optionBytes: number,
    payloadBytes: number,
    ttl: number,
    tos: number,
  ): number;

  /**
   * Start up to `count` segments of TCP with `payloadBytes` of header and data each, none to be fragmented, that differ in
   * sequence number and data only. Returns where the one header goes, or 0: then send one by one. `runCount` says how many.
   */
  beginRun(path: Path, protocol: number, payloadBytes: number, count: number, ttl: number, tos: number): number;
  readonly runCount: number;
  /** The header of `headerBytes` is complete, the data lies at `src`: as `Bulk.writeRun`. */
  endRun(headerBytes: number, src: number, segmentBytes: number, sum: number, meta: number): void;
  /** After `-ENOBUFS`: have this kernel woken when there is room. True when there is room again already. */
  awaitRoom(path: Path): boolean;

  /**
   * Send an ICMP destination-unreachable about a received packet, rate-limited, never about broadcasts (RFC 1122 3.2.2,
   * RFC 4443 2.4). `code` is one of ICMPv4; an IPv6 packet is answered with the one that says the same.
   */
  sendUnreachable(packet: InPacket, code: number, nowUs: number): void;
  /** Whether `address` is configured on an interface of this kernel (127/8 included). */
  isLocal(address: number): boolean;
  isBroadcast(address: number): boolean;
  /** 32 bits of an address that stay the same for as long as the kernel runs; handles of IPv6 addresses do not. */
  fingerprint(address: number): number;
  /** Reachability confirmation from a transport (RFC 4861 7.3.1 in spirit): the next hop of this path answers. */
  confirm(path: Path, nowUs: number): void;
}

/** Multicast memberships, for transports whose sockets join groups. A group of IPv6 carries its zone ({@link groupOn}). */
export interface GroupService {
  isMulticast(address: number): boolean;
  /** A group as it is known on an interface: with its zone, where it has one; 0 when there is no room for that. */
  groupOn(group: number, iface: Interface): number;
  /** The interface on which a membership that names none is taken; null when no route leads to the group. */
  multicastInterface(group: number): Interface | null;
  /** One more membership; its filter is kept. Returns 0, `-EINVAL` (no group), `-ENOBUFS` (too many groups). */
  joinGroup(iface: Interface, group: number, filter: SourceFilter): number;
  /** Undo `joinGroup` of the same filter. Returns 0, or `-EADDRNOTAVAIL` when there is no such membership. */
  leaveGroup(iface: Interface, group: number, filter: SourceFilter): number;
  /** The filter of a membership changed. */
  updateGroup(iface: Interface, group: number): void;
}
