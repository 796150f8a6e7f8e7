/**
 * ICMPv6 messages as text, as tcpdump words them (pretty.ts has the rest).
 *
 * Thread: any; for traces and tools, not for the data path. `check` of icmpv6.ts has passed the message.
 * Read first: RFC 4443, RFC 4861. Missing: the options of neighbor discovery, the records of listener reports.
 */

import * as icmpv6 from './icmpv6.ts';
import * as ipv6 from './ipv6.ts';

const PORT_NAMES: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp' };

const PARAMETER_PROBLEMS: readonly string[] = ['erroneous', 'next header', 'option'];

/** A message of `lengthBytes` that passed `icmpv6.check`, e.g. "ICMP6, echo request, id 7, seq 1, length 64". */
export function formatIcmp6(view: DataView, at: number, lengthBytes: number): string {
  return `ICMP6, ${body(view, at, lengthBytes)}, length ${lengthBytes}`;
}

function body(view: DataView, at: number, lengthBytes: number): string {
  const type = icmpv6.type(view, at);
  switch (type) {
    case icmpv6.TYPE_ECHO_REQUEST:
    case icmpv6.TYPE_ECHO_REPLY: {
      const what = type === icmpv6.TYPE_ECHO_REQUEST ? 'request' : 'reply';
      return `echo ${what}, id ${icmpv6.identifier(view, at)}, seq ${icmpv6.sequence(view, at)}`;
    }
    case icmpv6.TYPE_ROUTER_SOLICITATION:
      return 'router solicitation';
    case icmpv6.TYPE_ROUTER_ADVERTISEMENT:
      return 'router advertisement';
    case icmpv6.TYPE_NEIGHBOR_SOLICITATION:
      return `neighbor solicitation, who has ${address(view, at + 8)}`;
    case icmpv6.TYPE_NEIGHBOR_ADVERTISEMENT:
      return `neighbor advertisement, tgt is ${address(view, at + 8)}`;
    case icmpv6.TYPE_REDIRECT:
      return `redirect, ${address(view, at + 24)} to ${address(view, at + 8)}`;
    case icmpv6.TYPE_DESTINATION_UNREACHABLE:
      return `destination unreachable, ${unreachable(view, at, lengthBytes)}`;
    case icmpv6.TYPE_PACKET_TOO_BIG:
      return `packet too big, mtu ${icmpv6.mtuBytes(view, at)}`;
    case icmpv6.TYPE_TIME_EXCEEDED:
      return timeExceeded(view, at);
    case icmpv6.TYPE_PARAMETER_PROBLEM: {
      const code = icmpv6.code(view, at);
      const pointer = icmpv6.pointer(view, at);
      return `parameter problem, ${PARAMETER_PROBLEMS[code] ?? `code-#${code}`} - octet ${pointer}`;
    }
    default:
      return listener(view, at, lengthBytes, type);
  }
}

function listener(view: DataView, at: number, lengthBytes: number, type: number): string {
  const group = (): string => address(view, at + 8);
  switch (type) {
    case icmpv6.TYPE_LISTENER_QUERY: {
      const delayMs = icmpv6.maxResponseCode(view, at);
      if (lengthBytes < icmpv6.QUERY_V2_BYTES)
        return `multicast listener query max resp delay: ${delayMs} addr: ${group()}`;
      const sources = view.getUint16(at + 26);
      const asked = sources === 0 ? group() : `${group()}, ${sources} source(s)`;
      return `multicast listener query v2 [gaddr ${asked}]`;
    }
    case icmpv6.TYPE_LISTENER_REPORT:
      return `multicast listener report addr: ${group()}`;
    case icmpv6.TYPE_LISTENER_DONE:
      return `multicast listener done addr: ${group()}`;
    case icmpv6.TYPE_LISTENER_REPORT_V2:
      return `multicast listener report v2, ${icmpv6.listenerRecordCount(view, at)} group record(s)`;
    default:
      return `unknown icmp6 type (${type})`;
  }
}

/** The quoted IPv6 header begins behind the message's own. */
function unreachable(view: DataView, at: number, lengthBytes: number): string {
  const quote = at + icmpv6.HEADER_BYTES;
  const dst = address(view, quote + ipv6.DST_OFFSET);
  const code = icmpv6.code(view, at);
  switch (code) {
    case icmpv6.CODE_NO_ROUTE:
      return `unreachable route ${dst}`;
    case icmpv6.CODE_ADMIN_PROHIBITED:
      return `unreachable prohibited ${dst}`;
    case icmpv6.CODE_BEYOND_SCOPE:
      return `beyond scope ${dst}, source address ${address(view, quote + ipv6.SRC_OFFSET)}`;
    case icmpv6.CODE_ADDRESS_UNREACHABLE:
      return `unreachable address ${dst}`;
    case icmpv6.CODE_PORT_UNREACHABLE:
      return `unreachable port, ${dst}${quotedPort(view, quote, at + lengthBytes)}`;
    case icmpv6.CODE_SOURCE_POLICY:
      return `source address policy ${dst}`;
    case icmpv6.CODE_REJECT_ROUTE:
      return `reject route ${dst}`;
    default:
      return `unknown unreach code (${code}) ${dst}`;
  }
}

/** The port that the quoted packet was for, when the transport header follows the IPv6 header and was quoted. */
function quotedPort(view: DataView, quote: number, end: number): string {
  const name = PORT_NAMES[ipv6.nextHeader(view, quote)];
  const ports = quote + ipv6.HEADER_BYTES;
  return name === undefined || ports + 4 > end ? '' : ` ${name} port ${view.getUint16(ports + 2)}`;
}

function timeExceeded(view: DataView, at: number): string {
  const code = icmpv6.code(view, at);
  if (code === icmpv6.CODE_HOP_LIMIT_EXCEEDED) {
    return `time exceeded in-transit for ${address(view, at + icmpv6.HEADER_BYTES + ipv6.DST_OFFSET)}`;
  }
  if (code === icmpv6.CODE_REASSEMBLY_TIMEOUT) return 'time exceeded in-transit (reassembly)';
  return `time exceeded in-transit, unknown code (${code})`;
}

function address(view: DataView, at: number): string {
  return ipv6.formatAddress(ipv6.readAddress(view, at));
}
