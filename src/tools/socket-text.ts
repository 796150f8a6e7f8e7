/** Sockets in text, for netstat(1). Thread: any; pure functions. */

import { TCP_STATE_NAMES } from '../base/tcp-state-names.ts';
import { US_PER_MS } from '../base/units.ts';
import type { SocketRecord } from '../sys/control.ts';
import { type AddressFamily, familyName, formatAddress, type InterfaceNames } from './address-text.ts';

/** One row of `netstat -an`. */
export interface SocketInfo {
  /** Transport; icmp: a raw socket. */
  protocol: 'tcp' | 'udp' | 'icmp';
  /** Family of the local address; a socket of IPv6 with an IPv4 peer is `inet`. */
  family: AddressFamily;
  /** Bytes that the program has not read. */
  receiveQueueBytes: number;
  /** Bytes that are not sent, or not acknowledged. */
  sendQueueBytes: number;
  /** "0.0.0.0" or "::" for any. */
  localAddress: string;
  /** 0: not bound. */
  localPort: number;
  /** "0.0.0.0" or "::" without a peer. */
  peerAddress: string;
  /** 0: no peer. */
  peerPort: number;
  /** RFC 9293 state for TCP, empty otherwise. */
  state: string;
  /** Segments retransmitted since the connection began. */
  retransmits: number;
  /** Retransmission timeout (RFC 6298), milliseconds; 0 when not applicable. */
  rtoMs: number;
  /** Smoothed round trip time (RFC 6298), milliseconds; 0 when not applicable. */
  srttMs: number;
  /** Congestion window; 0 when not applicable. */
  cwndBytes: number;
}

const PROTOCOLS: ReadonlyMap<number, SocketInfo['protocol']> = new Map([
  [1, 'icmp'],
  [6, 'tcp'],
  [17, 'udp'],
]);

export function socketInfo(record: SocketRecord, names: InterfaceNames): SocketInfo {
  const protocol = PROTOCOLS.get(record.protocol) ?? 'icmp';
  return {
    protocol,
    family: familyName(record.local),
    receiveQueueBytes: record.receiveQueueBytes,
    sendQueueBytes: record.sendQueueBytes,
    localAddress: formatAddress(record.local, names),
    localPort: record.localPort,
    peerAddress: formatAddress(record.peer, names),
    peerPort: record.peerPort,
    state: protocol === 'tcp' ? (TCP_STATE_NAMES[record.state] ?? '') : '',
    retransmits: record.retransmits,
    rtoMs: record.rtoUs / US_PER_MS,
    srttMs: record.srttUs / US_PER_MS,
    cwndBytes: record.cwndBytes,
  };
}
