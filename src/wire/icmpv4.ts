/**
 * ICMP for IPv4 (RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 4.3, RFC 1191 next-hop MTU).
 *
 * Thread: any; pure functions over `(view, at)`.
 */

export const HEADER_BYTES = 8;

export const TYPE_ECHO_REPLY = 0;
export const TYPE_DESTINATION_UNREACHABLE = 3;
export const TYPE_SOURCE_QUENCH = 4;
export const TYPE_REDIRECT = 5;
export const TYPE_ECHO_REQUEST = 8;
export const TYPE_ROUTER_ADVERTISEMENT = 9;
export const TYPE_ROUTER_SOLICITATION = 10;
export const TYPE_TIME_EXCEEDED = 11;
export const TYPE_PARAMETER_PROBLEM = 12;
export const TYPE_TIMESTAMP_REQUEST = 13;
export const TYPE_TIMESTAMP_REPLY = 14;

export const CODE_NET_UNREACHABLE = 0;
export const CODE_HOST_UNREACHABLE = 1;
export const CODE_PROTOCOL_UNREACHABLE = 2;
export const CODE_PORT_UNREACHABLE = 3;
export const CODE_FRAGMENTATION_NEEDED = 4;
export const CODE_SOURCE_ROUTE_FAILED = 5;
export const CODE_NET_PROHIBITED = 9;
export const CODE_HOST_PROHIBITED = 10;
export const CODE_ADMIN_PROHIBITED = 13;

export const CODE_REDIRECT_NET = 0;
export const CODE_REDIRECT_HOST = 1;

export const CODE_TTL_EXCEEDED = 0;
export const CODE_REASSEMBLY_TIMEOUT = 1;

/** Whether a message of this type reports an error about a quoted packet (and so must not be answered with one). */
export function isError(type: number): boolean {
  return (
    type === TYPE_DESTINATION_UNREACHABLE ||
    type === TYPE_SOURCE_QUENCH ||
    type === TYPE_REDIRECT ||
    type === TYPE_TIME_EXCEEDED ||
    type === TYPE_PARAMETER_PROBLEM
  );
}

export function type(view: DataView, at: number): number {
  return view.getUint8(at);
}

export function code(view: DataView, at: number): number {
  return view.getUint8(at + 1);
}

export function checksum(view: DataView, at: number): number {
  return view.getUint16(at + 2);
}

export function identifier(view: DataView, at: number): number {
  return view.getUint16(at + 4);
}

export function sequence(view: DataView, at: number): number {
  return view.getUint16(at + 6);
}
