/**
 * What a machine still holds when everything should be forgotten.
 */

import { type Machine, routesOf } from './machine.ts';

export function leftovers(machine: Machine): string[] {
  const { kernel, bridge, node } = machine;
  if (bridge !== null) return bridge.nextDeadlineUs() === Number.POSITIVE_INFINITY ? [] : [`${node.name}: frames left`];
  if (kernel === null) return [`${node.name}: is down`];
  const left: string[] = [];
  const none = (what: string, count: number): void => {
    if (count !== 0) left.push(`${node.name}: ${count} ${what} left`);
  };
  const rows = kernel.control('sockets', {});
  for (const row of rows) left.push(`${node.name}: ${row.protocol} ${row.state} ${row.localPort}-${row.peerPort} left`);
  none('bytes of buffers', kernel.inet.context.heap.usedBytes - machine.boot.heapBytes);
  none('connections', kernel.tcp.connectionCount);
  none('half-open connections', kernel.tcp.synEntryCount);
  none('connections in TIME_WAIT', kernel.tcp.timeWait.count);
  none('TCP ports', kernel.tcp.ports.count);
  none('UDP ports', kernel.inet.udp.ports.count);
  none('neighbors', kernel.control('neighbors', { family: 'inet' }).length);
  none('IPv6 neighbors', kernel.control('neighbors', { family: 'inet6' }).length);
  if (routesOf(kernel) !== machine.boot.routes) left.push(`${node.name}: routes are not as they were`);
  const next = kernel.callouts.nextDeadlineUs();
  if (next !== Number.POSITIVE_INFINITY) left.push(`${node.name}: a timer left, due at ${next} us`);
  none('callouts', kernel.callouts.size);
  if (kernel.workPending()) left.push(`${node.name}: work left`);
  if (kernel.nextDeadlineUs() !== next) left.push(`${node.name}: frames left in a link`);
  return left;
}
