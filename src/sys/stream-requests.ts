/**
 * Types of the streams of control requests: what opens each, its events, and its input. Thread: any; types and numbers only. Read first:
 * control.ts (the conventions, and the list of streams).
 */

import type { LinkAddress } from './interface-requests.ts';
import type { IpAddress, IpFamily } from './ip-address.ts';

export interface RouteEventsRequest {
  /** Messages that may wait for a slow reader; more are dropped and counted. Default 256. */
  queueMessages?: number;
}

export interface RawRequest {
  family: IpFamily;
  /** IP protocol number. */
  protocol: number;
  /** Own address of the packets, and the only one that is heard; null or absent: any. */
  from?: IpAddress | null;
  /** Type of service, or traffic class. */
  tos?: number;
  /** IPv4: DF, and options of the header, a multiple of 4 bytes. */
  dontFragment?: boolean;
  options?: Uint8Array;
}

/** Packets that a raw socket sends and receives, for ping and traceroute. */
export type RawEvent =
  /** A whole IP packet, header first. `timeUs`: the kernel's clock at its arrival. */
  | { type: 'packet'; timeUs: number; from: IpAddress; bytes: Uint8Array }
  /** Result of input `id`: the kernel's clock at its sending; `errno` 0 or -errno; own address towards the destination, if known. */
  | { type: 'sent'; id: number; timeUs: number; errno: number; source: IpAddress | null };

export interface RawInput {
  id: number;
  to: IpAddress;
  /** TTL or hop limit, 1 to 255. */
  hops: number;
  /** Without IP header. The kernel fills in the checksum of ICMPv6. */
  bytes: Uint8Array;
}

export interface CaptureRecordRequest {
  /** Names of interfaces; none: all that there are now. */
  interfaces: string[];
  /** Bytes kept of each frame; 0: all. */
  snapBytes: number;
  /** Instructions of a filter (struct bpf_insn, wire/bpf/instructions.ts); none: every frame. */
  filter: Uint8Array;
}

export interface CaptureFrame {
  /** Place among the interfaces that were told first, from 0. */
  interfaceIndex: number;
  /** Since 1970. */
  timeSec: number;
  timeNs: number;
  outgoing: boolean;
  /** Length on the wire, Ethernet header included. */
  lengthBytes: number;
  /** The first `snapBytes`; a copy. */
  bytes: Uint8Array;
}

export type CaptureRecord =
  | { type: 'interface'; name: string; linkAddress: LinkAddress | null; snapBytes: number }
  | { type: 'frames'; frames: CaptureFrame[]; droppedFrames: number };

/** Device of a tap or a tun: Ethernet frames, or IP packets. ENXIO (neither), EBUSY (another program has it). */
export interface DeviceRequest {
  name: string;
}

export type DeviceEvent =
  | { type: 'opened'; linkAddress: LinkAddress | null; mtuBytes: number }
  /** Sent by the interface since the last ones; those of a slow reader are lost. */
  | { type: 'frames'; frames: Uint8Array[] };

/** A frame or packet for the interface. EINVAL (its length), ENETDOWN, ENXIO (the interface is gone). */
export interface DeviceInput {
  bytes: Uint8Array;
}

/** /dev/bpf, bound to an interface. ENXIO, EINVAL (the filter), EAGAIN (too many processes). */
export interface BpfRequest {
  interface: string;
  /** BIOCSBLEN, taken to the nearest size that there is; default 32 KiB. */
  bufferBytes?: number;
  /** Instructions of a filter; none: every frame. */
  filter: Uint8Array;
}

/** Frames since the filter was set: shown to it, dropped for want of room, and those that passed it. */
export interface BpfCounts {
  received: number;
  dropped: number;
  captured: number;
}

/** The stream ends with ENXIO when the interface goes. */
export type BpfEvent =
  /** DLT_* of its frames. */
  | { type: 'opened'; linkType: number; bufferBytes: number }
  /** A read(2): frames behind struct bpf_hdr; empty: the time-out passed. */
  | { type: 'read'; bytes: Uint8Array }
  /** BIOCGSTATS. */
  | ({ type: 'stats' } & BpfCounts);

/** BIOCIMMEDIATE, BIOCSSEESENT, BIOCSHDRCMPLT, BIOCPROMISC; BIOCSRTIMEOUT and BIOCSETF. */
type BpfChange = Partial<Record<'immediate' | 'seeSent' | 'headerComplete' | 'promiscuous', boolean>> & {
  timeoutUs?: number;
  filter?: Uint8Array;
};

export type BpfInput =
  | { type: 'read' }
  /** A frame of the device. EINVAL (shorter than a header), EMSGSIZE, ENETDOWN, ENXIO, and what the link refuses. */
  | { type: 'write'; bytes: Uint8Array }
  | ({ type: 'set' } & BpfChange)
  | { type: 'stats' };

/** An open bpf device. */
export interface BpfRecord extends BpfCounts {
  pid: number;
  program: string;
  interface: string;
  /** Whether a read waits. */
  waiting: boolean;
  promiscuous: boolean;
  immediate: boolean;
  seeSent: boolean;
  headerComplete: boolean;
  bufferBytes: number;
}

/** TCP connection for a program outside of the kernel. */
export interface ConnectionRequest {
  address: IpAddress;
  port: number;
}

export type ConnectionEvent =
  | { type: 'connected'; local: IpAddress; localPort: number }
  /** At most `CONNECTION_WINDOW_BYTES` in events without credit. */
  | { type: 'data'; bytes: Uint8Array }
  /** The peer sent FIN. */
  | { type: 'end' }
  /** The socket took the bytes of one `write`. */
  | { type: 'written' };

export type ConnectionInput =
  | { type: 'write'; bytes: Uint8Array }
  /** Half-close. */
  | { type: 'end' }
  /** Close with a reset; the stream ends. */
  | { type: 'reset' }
  /** So many bytes of `data` events are consumed. */
  | { type: 'credit'; bytes: number };

export const CONNECTION_WINDOW_BYTES = 65_536;

/** Listening TCP socket, at any address, for a program outside of the kernel; with the connections that it accepts. */
export interface ListenerRequest {
  port: number;
}

export type ListenerEvent =
  | { type: 'listening' }
  /** A new connection; its number is of this stream. */
  | { type: 'accepted'; id: number; peer: IpAddress; peerPort: number }
  | { type: 'connection'; id: number; event: ConnectionEvent }
  /** The connection is over; `errno`: 0 or -errno. */
  | { type: 'ended'; id: number; errno: number };

export type ListenerInput =
  | { type: 'connection'; id: number; input: ConnectionInput }
  /** Close the connection; `ended` follows. */
  | { type: 'close'; id: number };

/** UDP socket, at any address, for a program outside of the kernel. */
export interface DatagramsRequest {
  /** 0: any. */
  port: number;
}

export type DatagramsEvent =
  | { type: 'bound'; port: number }
  /** At most `DATAGRAMS_WINDOW_BYTES` in events without credit; more wait in the socket, which drops what it has no room for. */
  | { type: 'datagram'; from: IpAddress; port: number; bytes: Uint8Array; broadcast: boolean }
  /** The socket took a `send` or a `refuse`, or dropped it. */
  | { type: 'sent' };

export type DatagramsInput =
  | { type: 'send'; to: IpAddress; port: number; bytes: Uint8Array }
  /** A datagram of `to`, no broadcast, is answered as by a closed port: ICMP port unreachable. `bytes`: the datagram. */
  | { type: 'refuse'; to: IpAddress; port: number; bytes: Uint8Array }
  /** So many bytes of `datagram` events are consumed. */
  | { type: 'credit'; bytes: number };

export const DATAGRAMS_WINDOW_BYTES = 262_144;

/** Receiver of a stream. Called in order; nothing follows `end`. */
export interface StreamSink<E> {
  event(event: E): void;
  /** null: a regular end. */
  end(error: Error | null): void;
  /** Bytes that wait in front of a slow reader; a stream that may drop looks at it. Absent: 0. */
  readonly queuedBytes?: number;
}

export interface StreamHandle<I> {
  send(input: I): void;
  /** Asks the stream to end; `end` follows. */
  close(): void;
}
