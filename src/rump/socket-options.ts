/** Options and memberships of sockets by their numbers in frames. Thread: both sides. Read first: protocol.ts. */

import type { SocketOptions } from '../socket/socket.ts';

/** `MEMBERSHIP` b. */
export const MEMBERSHIPS = ['joinGroup', 'leaveGroup', 'joinSourceGroup', 'leaveSourceGroup'] as const;

/** `SET_OPTION` and `GET_OPTION` a. */
export const OPTIONS: readonly (keyof SocketOptions)[] = [
  'reuseAddress',
  'reusePort',
  'broadcast',
  'noDelay',
  'keepAlive',
  'keepIdleMs',
  'keepIntervalMs',
  'keepCount',
  'lingerMs',
  'sendBufferBytes',
  'receiveBufferBytes',
  'ttl',
  'tos',
  'multicastTtl',
  'multicastLoop',
  'multicastInterface',
  'userTimeoutMs',
  'oobInline',
  'ipv6Only',
  'multicastAll',
  'multicastAll6',
];

const BOOLEAN_OPTIONS: ReadonlySet<keyof SocketOptions> = new Set<keyof SocketOptions>([
  'ipv6Only',
  'reuseAddress',
  'reusePort',
  'broadcast',
  'noDelay',
  'keepAlive',
  'multicastLoop',
  'multicastAll',
  'multicastAll6',
  'oobInline',
]);

export function optionValue(name: keyof SocketOptions, value: number): number | boolean {
  return BOOLEAN_OPTIONS.has(name) ? value !== 0 : value;
}
