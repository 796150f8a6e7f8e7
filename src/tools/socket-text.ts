/** Sockets in text, for netstat(1). Thread: any; pure functions. */

import { TCP_STATE_NAMES } from '../base/tcp-state-names.ts';
import { US_PER_MS } from '../base/units.ts';
import type { SocketRecord } from '../sys/control.ts';
import { type AddressFamily, familyName, formatAddress, type InterfaceNames } from './address-text.ts';

/** One row of `netstat -an`. */
export interface SocketInfo {
  protocol: 'tcp' | 'udp' | 'icmp';
  /** Family of the local address; a socket of IPv6 with an IPv4 peer is `inet`. */
  family: AddressFamily;
  receiveQueueBytes: number;
  sendQueueBytes: number;
  localAddress: string;
  localPort: number;
  peerAddress: string;
  peerPort: number;
  /** RFC 9293 state for TCP, empty otherwise. */
  state: string;
  retransmits: number;
  /** Current retransmission timeout and smoothed round trip, milliseconds; 0 when not applicable. */
  rtoMs: number;
  srttMs: number;
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
