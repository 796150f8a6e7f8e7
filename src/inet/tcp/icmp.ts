/**
 * How connections end by error: resets, timeouts, ICMP messages, failed routes.
 *
 * Thread: the one that runs the kernel. The error numbers are those a program on Linux sees; docs of the socket layer say
 * which call reports them.
 * Read first: RFC 9293 3.9.2.2 (ICMP), RFC 5927 (attacks by ICMP), RFC 1122 4.2.3.9.
 */

import { Errno } from '../../base/errors.ts';
import {
  CODE_FRAGMENTATION_NEEDED,
  CODE_PORT_UNREACHABLE as CODE_PORT,
  CODE_PROTOCOL_UNREACHABLE as CODE_PROTOCOL,
  TYPE_PARAMETER_PROBLEM as ICMP_PARAMETER_PROBLEM,
  TYPE_TIME_EXCEEDED as ICMP_TIME_EXCEEDED,
  TYPE_DESTINATION_UNREACHABLE as ICMP_UNREACHABLE,
} from '../../wire/icmpv4.ts';
import type { IcmpError } from '../ip/transport.ts';
import { CLOSED, type Connection, SYN_RECEIVED, SYN_SENT } from './connection/connection.ts';
import { markOversized } from './recovery/recovery.ts';
import { output, refreshMss } from './send/output.ts';
import { stopTimers } from './timers.ts';

/** Codes 0 to 15 of destination unreachable, as errors. */
const UNREACHABLE: readonly number[] = [
  Errno.ENETUNREACH,
  Errno.EHOSTUNREACH,
  Errno.ENOPROTOOPT,
  Errno.ECONNREFUSED,
  Errno.EMSGSIZE,
  Errno.EOPNOTSUPP,
  Errno.ENETUNREACH,
  Errno.EHOSTDOWN,
  Errno.EHOSTUNREACH,
  Errno.ENETUNREACH,
  Errno.EHOSTUNREACH,
  Errno.ENETUNREACH,
  Errno.EHOSTUNREACH,
  Errno.EHOSTUNREACH,
  Errno.EHOSTUNREACH,
  Errno.EHOSTUNREACH,
];

/**
 * The connection is over: out of the tables, timers off, memory of unsent data given back. `error` (-errno, 0 for an
 * orderly end) is what the program will be told. Received data stays readable until the program closes the socket.
 */
export function dropConnection(c: Connection, error: number): void {
  if (c.state === CLOSED) return;
  const { stack, owner } = c;
  const connecting = c.state === SYN_SENT || (c.state === SYN_RECEIVED && owner !== null);
  stopTimers(c);
  c.state = CLOSED;
  c.error = error;
  stack.detach(c);
  c.reassembly.clear();
  c.scoreboard.clear();
  c.sendBuffer.begin(c.sendBuffer.endSeq);
  c.sendBuffer.ring.release();
  stack.counters.add(error === 0 ? stack.count.connectionsClosed : stack.count.connectionsDropped, 1);
  if (owner === null) {
    c.discardReceived();
  } else if (connecting) {
    owner.onConnected();
  } else if (error !== 0) {
    owner.onError();
  }
}

/** IP has no way to the peer now: fatal while connecting (as on Linux), otherwise the timers go on (RFC 1122 4.2.3.9). */
export function failPath(c: Connection, error: number, _nowUs: number): void {
  if (c.state === SYN_SENT || c.state === SYN_RECEIVED) dropConnection(c, error);
  else c.softError = error;
}

/** An ICMP error that quotes a segment of this connection, its sequence number already checked. */
export function onIcmpError(c: Connection, message: IcmpError, nowUs: number): void {
  const { type, code } = message;
  if (type === ICMP_UNREACHABLE && code === CODE_FRAGMENTATION_NEEDED) {
    onSmallerPath(c, nowUs);
    return;
  }
  let errno: number;
  if (type === ICMP_UNREACHABLE) errno = UNREACHABLE[code] ?? Errno.EHOSTUNREACH;
  else if (type === ICMP_TIME_EXCEEDED) errno = Errno.EHOSTUNREACH;
  else if (type === ICMP_PARAMETER_PROBLEM) errno = Errno.EPROTO;
  // Source quench has no effect (RFC 6633).
  else return;
  const hard = type === ICMP_UNREACHABLE && (code === CODE_PROTOCOL || code === CODE_PORT);
  if (c.state === SYN_SENT || c.state === SYN_RECEIVED) {
    dropConnection(c, -errno);
  } else {
    // Even hard errors only advise a synchronized connection (RFC 5927 section 5.2).
    c.softError = hard && c.softError !== 0 ? c.softError : -errno;
  }
}

/** The path carries less: segments in flight that are too long are lost, which says nothing about congestion. */
function onSmallerPath(c: Connection, nowUs: number): void {
  if (c.path === null || !refreshMss(c)) return;
  c.stack.counters.add(c.stack.count.mtuReductions, 1);
  markOversized(c);
  output(c, nowUs);
}
