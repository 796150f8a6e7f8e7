/**
 * The error code that an ICMP error gives a connected UDP socket.
 *
 * Thread: any; a pure function. Read first: RFC 1122 4.1.3.3, udp(7) of Linux (errors that pass without IP_RECVERR).
 */

import { Errno } from '../../base/errors.ts';
import * as icmpv4 from '../../wire/icmpv4.ts';
import type { IcmpError } from '../ip/transport.ts';

/** The errno that Linux reports to a connected socket; 0 for errors that may be temporary. */
export function errnoOf(error: IcmpError): number {
  if (error.type === icmpv4.TYPE_PARAMETER_PROBLEM) return Errno.EPROTO;
  if (error.type !== icmpv4.TYPE_DESTINATION_UNREACHABLE) return 0;
  switch (error.code) {
    case icmpv4.CODE_PORT_UNREACHABLE:
      return Errno.ECONNREFUSED;
    case icmpv4.CODE_PROTOCOL_UNREACHABLE:
      return Errno.ENOPROTOOPT;
    case icmpv4.CODE_NET_PROHIBITED:
      return Errno.ENETUNREACH;
    case icmpv4.CODE_HOST_PROHIBITED:
    case icmpv4.CODE_ADMIN_PROHIBITED:
      return Errno.EHOSTUNREACH;
    default:
      return 0;
  }
}
