/**
 * ICMP errors about segments that were sent: which end a connection, and which only advise.
 *
 * Thread: the one that runs the CPU. The error numbers are those a program on Linux sees; docs of the socket layer say
 * which call reports them.
 * Read first: RFC 9293 3.9.2.2 (ICMP), RFC 5927 (attacks by ICMP), RFC 1122 4.2.3.9.
 */

import { Errno } from '../../base/errors.ts';
import { seqGe, seqLt } from '../../base/sequence.ts';
import {
  CODE_FRAGMENTATION_NEEDED,
  CODE_PORT_UNREACHABLE,
  CODE_PROTOCOL_UNREACHABLE,
  TYPE_PARAMETER_PROBLEM as ICMP_PARAMETER_PROBLEM,
  TYPE_TIME_EXCEEDED as ICMP_TIME_EXCEEDED,
  TYPE_DESTINATION_UNREACHABLE as ICMP_UNREACHABLE,
} from '../../wire/icmpv4.ts';
import type { IcmpError } from '../ip/transport.ts';
import type { Connection } from './connection/connection.ts';
import { DUE_OUTPUT, endConnection } from './connection/due.ts';
import { refreshMss } from './connection/mss.ts';
import { SYN_RECEIVED, SYN_SENT } from './connection/states.ts';
import { dispatch } from './dispatch.ts';
import { markOversized } from './recovery/recovery.ts';
import type { TcpState } from './state.ts';
import { removeSynEntry } from './syn-queue.ts';
import { KIND_CONNECTION, KIND_MASK, KIND_SYN } from './tables/tables.ts';

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

/** An ICMP error that quotes a segment of ours. */
export function icmpArrives(stack: TcpState, error: IcmpError, nowUs: number): void {
  if (error.quotedBytes < 8) return;
  const { tables, view } = stack;
  const ports = view.getInt32(error.quotedAt);
  const seq = view.getInt32(error.quotedAt + 4);
  const value = tables.find(error.src, error.dst, ports);
  if (value < 0) return;
  if ((value & KIND_MASK) === KIND_SYN) {
    const entry = tables.synEntryAt(value);
    // RFC 1122 4.2.3.9: a host or network that is unreachable for a moment is no reason to forget its connection.
    const hard = error.type === ICMP_UNREACHABLE && isHardCode(error.code);
    if (hard && seq === entry.iss) {
      stack.counters.add(stack.count.synQueueUnreachable, 1);
      removeSynEntry(entry);
    }
    return;
  }
  if ((value & KIND_MASK) !== KIND_CONNECTION) return;
  const c = tables.connectionAt(value);
  // RFC 5927 section 4: it must quote something in flight.
  if (seqLt(seq, c.snd.una) || seqGe(seq, c.snd.max)) return;
  onIcmpError(c, error);
  dispatch(c, nowUs);
}

function isHardCode(code: number): boolean {
  return code === CODE_PROTOCOL_UNREACHABLE || code === CODE_PORT_UNREACHABLE;
}

/** An ICMP error that quotes a segment of this connection, its sequence number already checked. */
function onIcmpError(c: Connection, message: IcmpError): void {
  const { type, code } = message;
  if (type === ICMP_UNREACHABLE && code === CODE_FRAGMENTATION_NEEDED) {
    onSmallerPath(c);
    return;
  }
  let errno: number;
  if (type === ICMP_UNREACHABLE) errno = UNREACHABLE[code] ?? Errno.EHOSTUNREACH;
  else if (type === ICMP_TIME_EXCEEDED) errno = Errno.EHOSTUNREACH;
  else if (type === ICMP_PARAMETER_PROBLEM) errno = Errno.EPROTO;
  // Source quench has no effect (RFC 6633).
  else return;
  const hard = type === ICMP_UNREACHABLE && isHardCode(code);
  if (c.state === SYN_SENT || c.state === SYN_RECEIVED) {
    endConnection(c, -errno);
  } else {
    // Even hard errors only advise a synchronized connection (RFC 5927 section 5.2).
    c.softError = hard && c.softError !== 0 ? c.softError : -errno;
  }
}

/** The path carries less: segments in flight that are too long are lost, which says nothing about congestion. */
function onSmallerPath(c: Connection): void {
  if (c.path === null || !refreshMss(c)) return;
  c.stack.counters.add(c.stack.count.mtuReductions, 1);
  markOversized(c);
  c.due |= DUE_OUTPUT;
}
