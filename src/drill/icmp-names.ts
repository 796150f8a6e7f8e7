/** ICMP types and codes by the names scripts give them (RFC 792, RFC 1812, RFC 4443). Thread: any. */

import * as icmpv4 from '../wire/icmpv4.ts';
import * as icmpv6 from '../wire/icmpv6.ts';

const TYPES: Readonly<Record<string, number>> = {
  echo_reply: icmpv4.TYPE_ECHO_REPLY,
  unreachable: icmpv4.TYPE_DESTINATION_UNREACHABLE,
  source_quench: icmpv4.TYPE_SOURCE_QUENCH,
  redirect: icmpv4.TYPE_REDIRECT,
  echo_request: icmpv4.TYPE_ECHO_REQUEST,
  echo: icmpv4.TYPE_ECHO_REQUEST,
  time_exceeded: icmpv4.TYPE_TIME_EXCEEDED,
  parameter_problem: icmpv4.TYPE_PARAMETER_PROBLEM,
  timestamp: icmpv4.TYPE_TIMESTAMP_REQUEST,
  timestamp_request: icmpv4.TYPE_TIMESTAMP_REQUEST,
  timestamp_reply: icmpv4.TYPE_TIMESTAMP_REPLY,
  information_request: icmpv4.TYPE_INFORMATION_REQUEST,
  information_reply: icmpv4.TYPE_INFORMATION_REPLY,
  address_mask_request: icmpv4.TYPE_ADDRESS_MASK_REQUEST,
  address_mask_reply: icmpv4.TYPE_ADDRESS_MASK_REPLY,
};

const CODES: Readonly<Record<string, number>> = {
  net_unreachable: icmpv4.CODE_NET_UNREACHABLE,
  host_unreachable: icmpv4.CODE_HOST_UNREACHABLE,
  protocol_unreachable: icmpv4.CODE_PROTOCOL_UNREACHABLE,
  port_unreachable: icmpv4.CODE_PORT_UNREACHABLE,
  frag_needed: icmpv4.CODE_FRAGMENTATION_NEEDED,
  source_route_failed: icmpv4.CODE_SOURCE_ROUTE_FAILED,
  net_unknown: icmpv4.CODE_NET_UNKNOWN,
  host_unknown: icmpv4.CODE_HOST_UNKNOWN,
  source_host_isolated: icmpv4.CODE_HOST_ISOLATED,
  net_prohibited: icmpv4.CODE_NET_PROHIBITED,
  host_prohibited: icmpv4.CODE_HOST_PROHIBITED,
  net_unreachable_for_tos: icmpv4.CODE_NET_TOS,
  host_unreachable_for_tos: icmpv4.CODE_HOST_TOS,
  packet_filtered: icmpv4.CODE_ADMIN_PROHIBITED,
  communication_prohibited: icmpv4.CODE_ADMIN_PROHIBITED,
  host_precedence_violation: icmpv4.CODE_PRECEDENCE_VIOLATION,
  precedence_violation: icmpv4.CODE_PRECEDENCE_VIOLATION,
  precedence_cutoff: icmpv4.CODE_PRECEDENCE_CUTOFF,
  ttl_exceeded: icmpv4.CODE_TTL_EXCEEDED,
  reassembly_timeout: icmpv4.CODE_REASSEMBLY_TIMEOUT,
};

const TYPES6: Readonly<Record<string, number>> = {
  unreachable: icmpv6.TYPE_DESTINATION_UNREACHABLE,
  packet_too_big: icmpv6.TYPE_PACKET_TOO_BIG,
  time_exceeded: icmpv6.TYPE_TIME_EXCEEDED,
  parameter_problem: icmpv6.TYPE_PARAMETER_PROBLEM,
  echo_request: icmpv6.TYPE_ECHO_REQUEST,
  echo_reply: icmpv6.TYPE_ECHO_REPLY,
};

const CODES6: Readonly<Record<string, number>> = {
  no_route: icmpv6.CODE_NO_ROUTE,
  net_unreachable: icmpv6.CODE_NO_ROUTE,
  noroute: icmpv6.CODE_NO_ROUTE,
  administratively_prohibited: icmpv6.CODE_ADMIN_PROHIBITED,
  adm_prohibited: icmpv6.CODE_ADMIN_PROHIBITED,
  beyond_scope: icmpv6.CODE_BEYOND_SCOPE,
  not_neighbour: icmpv6.CODE_BEYOND_SCOPE,
  address_unreachable: icmpv6.CODE_ADDRESS_UNREACHABLE,
  addr_unreachable: icmpv6.CODE_ADDRESS_UNREACHABLE,
  host_unreachable: icmpv6.CODE_ADDRESS_UNREACHABLE,
  port_unreachable: icmpv6.CODE_PORT_UNREACHABLE,
};

/** Null: not a name, nor `type_3`. */
export function icmpType(name: string, ip6: boolean): number | null {
  return (ip6 ? TYPES6 : TYPES)[name] ?? numbered(name, 'type_');
}

/** Null: not a name, nor `code_3`. No name is 0. */
export function icmpCode(name: string | null, ip6: boolean): number | null {
  return name === null ? 0 : ((ip6 ? CODES6 : CODES)[name] ?? numbered(name, 'code_'));
}

function numbered(name: string, prefix: string): number | null {
  const number = name.startsWith(prefix) ? Number(name.slice(prefix.length)) : Number.NaN;
  return Number.isInteger(number) && number >= 0 && number <= 255 ? number : null;
}
