/**
 * ICMP messages as text, as tcpdump words them (pretty.ts has the rest).
 *
 * Thread: any; for traces and tools, not for the data path. `check` of icmpv4.ts has passed the message.
 * Read first: RFC 792. Missing: extension structures (RFC 4884), addresses of router advertisements.
 */

import * as icmpv4 from './icmpv4.ts';
import * as ipv4 from './ipv4.ts';

const REDIRECTED: Readonly<Record<number, string>> = {
  [icmpv4.CODE_REDIRECT_NET]: 'net',
  [icmpv4.CODE_REDIRECT_HOST]: 'host',
  [icmpv4.CODE_REDIRECT_TOS_NET]: 'tos net',
  [icmpv4.CODE_REDIRECT_TOS_HOST]: 'tos host',
};

const PROTOCOL_NAMES: Readonly<Record<number, string>> = { [ipv4.PROTOCOL_TCP]: 'tcp', [ipv4.PROTOCOL_UDP]: 'udp' };

/** A message of `lengthBytes` that passed `icmpv4.check`, e.g. "ICMP echo request, id 7, seq 1, length 64". */
export function formatIcmp4(view: DataView, at: number, lengthBytes: number): string {
  return `ICMP ${body(view, at, lengthBytes)}, length ${lengthBytes}`;
}

function body(view: DataView, at: number, lengthBytes: number): string {
  const type = icmpv4.type(view, at);
  const code = icmpv4.code(view, at);
  switch (type) {
    case icmpv4.TYPE_ECHO_REQUEST:
    case icmpv4.TYPE_ECHO_REPLY: {
      const what = type === icmpv4.TYPE_ECHO_REQUEST ? 'request' : 'reply';
      return `echo ${what}, id ${icmpv4.identifier(view, at)}, seq ${icmpv4.sequence(view, at)}`;
    }
    case icmpv4.TYPE_DESTINATION_UNREACHABLE:
      return unreachable(view, at, lengthBytes, code);
    case icmpv4.TYPE_REDIRECT:
      return redirect(view, at, code);
    case icmpv4.TYPE_TIME_EXCEEDED:
      if (code === icmpv4.CODE_TTL_EXCEEDED) return 'time exceeded in-transit';
      if (code === icmpv4.CODE_REASSEMBLY_TIMEOUT) return 'ip reassembly time exceeded';
      return `time exceeded-#${code}`;
    case icmpv4.TYPE_PARAMETER_PROBLEM:
      return code === 0 ? `parameter problem - octet ${icmpv4.pointer(view, at)}` : `parameter problem - code ${code}`;
    case icmpv4.TYPE_SOURCE_QUENCH:
      return 'source quench';
    case icmpv4.TYPE_ROUTER_ADVERTISEMENT:
      return 'router advertisement';
    case icmpv4.TYPE_ROUTER_SOLICITATION:
      return 'router solicitation';
    default:
      return query(view, at, type);
  }
}

function query(view: DataView, at: number, type: number): string {
  const numbers = `id ${icmpv4.identifier(view, at)} seq ${icmpv4.sequence(view, at)}`;
  switch (type) {
    case icmpv4.TYPE_TIMESTAMP_REQUEST:
      return `time stamp query ${numbers}`;
    case icmpv4.TYPE_TIMESTAMP_REPLY: {
      const org = timeOfDay(icmpv4.originateTimestamp(view, at));
      const recv = timeOfDay(icmpv4.receiveTimestamp(view, at));
      return `time stamp reply ${numbers}: org ${org}, recv ${recv}, xmit ${timeOfDay(icmpv4.transmitTimestamp(view, at))}`;
    }
    case icmpv4.TYPE_INFORMATION_REQUEST:
      return 'information request';
    case icmpv4.TYPE_INFORMATION_REPLY:
      return 'information reply';
    case icmpv4.TYPE_ADDRESS_MASK_REQUEST:
      return 'address mask request';
    case icmpv4.TYPE_ADDRESS_MASK_REPLY:
      return `address mask is 0x${(icmpv4.addressMask(view, at) >>> 0).toString(16).padStart(8, '0')}`;
    default:
      return `type-#${type}`;
  }
}

/** The quoted IP header begins behind the message's own. */
function unreachable(view: DataView, at: number, lengthBytes: number, code: number): string {
  const quote = at + icmpv4.HEADER_BYTES;
  const dst = ipv4.formatAddress(ipv4.dst(view, quote));
  switch (code) {
    case icmpv4.CODE_NET_UNREACHABLE:
      return `net ${dst} unreachable`;
    case icmpv4.CODE_HOST_UNREACHABLE:
      return `host ${dst} unreachable`;
    case icmpv4.CODE_PROTOCOL_UNREACHABLE:
      return `${dst} protocol ${ipv4.protocol(view, quote)} unreachable`;
    case icmpv4.CODE_PORT_UNREACHABLE:
      return `${dst} ${quotedPort(view, quote, at + lengthBytes)} unreachable`;
    case icmpv4.CODE_FRAGMENTATION_NEEDED: {
      const mtuBytes = icmpv4.nextHopMtuBytes(view, at);
      return `${dst} unreachable - need to frag${mtuBytes === 0 ? '' : ` (mtu ${mtuBytes})`}`;
    }
    case icmpv4.CODE_SOURCE_ROUTE_FAILED:
      return `${dst} unreachable - source route failed`;
    case icmpv4.CODE_NET_UNKNOWN:
      return `net ${dst} unreachable - unknown`;
    case icmpv4.CODE_HOST_UNKNOWN:
      return `host ${dst} unreachable - unknown`;
    case icmpv4.CODE_HOST_ISOLATED:
      return `${dst} unreachable - source host isolated`;
    default:
      return prohibited(dst, code);
  }
}

function prohibited(dst: string, code: number): string {
  switch (code) {
    case icmpv4.CODE_NET_PROHIBITED:
      return `net ${dst} unreachable - admin prohibited`;
    case icmpv4.CODE_HOST_PROHIBITED:
      return `host ${dst} unreachable - admin prohibited`;
    case icmpv4.CODE_NET_TOS:
      return `net ${dst} unreachable - tos prohibited`;
    case icmpv4.CODE_HOST_TOS:
      return `host ${dst} unreachable - tos prohibited`;
    case icmpv4.CODE_ADMIN_PROHIBITED:
      return `host ${dst} unreachable - admin prohibited filter`;
    case icmpv4.CODE_PRECEDENCE_VIOLATION:
      return `host ${dst} unreachable - host precedence violation`;
    case icmpv4.CODE_PRECEDENCE_CUTOFF:
      return `host ${dst} unreachable - precedence cutoff`;
    default:
      return `${dst} unreachable - #${code}`;
  }
}

/** The port that the quoted packet was for, as far as it was quoted; `end` is the end of the message. */
function quotedPort(view: DataView, quote: number, end: number): string {
  const protocol = ipv4.protocol(view, quote);
  const ports = quote + ipv4.headerBytes(view, quote);
  const port = ports + 4 <= end ? String(view.getUint16(ports + 2)) : '?';
  const name = PROTOCOL_NAMES[protocol];
  return name === undefined ? `protocol ${protocol} port ${port}` : `${name} port ${port}`;
}

function redirect(view: DataView, at: number, code: number): string {
  const dst = ipv4.formatAddress(ipv4.dst(view, at + icmpv4.HEADER_BYTES));
  const gateway = ipv4.formatAddress(icmpv4.gateway(view, at));
  const kind = REDIRECTED[code];
  return kind === undefined ? `redirect-#${code} ${dst} to net ${gateway}` : `redirect ${dst} to ${kind} ${gateway}`;
}

/** ms since midnight UT as a time, as a number when it is none (RFC 792: the uppermost bit is set). */
function timeOfDay(ms: number): string {
  if (ms >= 86_400_000) return String(ms);
  const sec = Math.floor(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = `${two(Math.floor(sec / 3600))}:${two(Math.floor(sec / 60) % 60)}:${two(sec % 60)}`;
  return `${clock}.${String(ms % 1000).padStart(3, '0')}`;
}
