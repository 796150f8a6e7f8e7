/**
 * What a machine still holds when everything should be forgotten.
 */

import { equal, parseAddress } from '../../../src/wire/ipv6-address.ts';
import { textControl } from '../../fixtures/text-control.ts';
import { type Machine, routesOf } from './machine.ts';
import { type NodePlan, PREFIX_LENGTH6 } from './topology.ts';

export function leftovers(machine: Machine): string[] {
  const { kernel, bridge, node } = machine;
  if (bridge !== null) return bridge.nextDeadlineUs() === Number.POSITIVE_INFINITY ? [] : [`${node.name}: frames left`];
  if (kernel === null) return [`${node.name}: is down`];
  const left: string[] = [];
  const none = (what: string, count: number): void => {
    if (count !== 0) left.push(`${node.name}: ${count} ${what} left`);
  };
  const rows = textControl(kernel, 'sockets', {});
  for (const row of rows) left.push(`${node.name}: ${row.protocol} ${row.state} ${row.localPort}-${row.peerPort} left`);
  none('bytes of buffers', kernel.inet.cpus[0].context.heap.usedBytes - machine.boot.heapBytes);
  none('connections', kernel.cpus[0].tcp.connectionCount);
  none('half-open connections', kernel.cpus[0].tcp.synEntryCount);
  none('connections in TIME_WAIT', kernel.cpus[0].tcp.timeWait.count);
  none('TCP ports', kernel.cpus[0].tcp.ports.count);
  none('UDP ports', kernel.inet.cpus[0].udp.ports.count);
  none('neighbors', textControl(kernel, 'neighbors', { family: 'inet' }).length);
  none('IPv6 neighbors', textControl(kernel, 'neighbors', { family: 'inet6' }).length);
  for (const route of changedRoutes(machine.boot.routes, routesOf(kernel))) {
    if (!ownRoute(node, route)) left.push(`${node.name}: route ${route} was not there, or is no more`);
  }
  const next = kernel.cpus[0].cpu.callouts.nextDeadlineUs();
  if (next !== Number.POSITIVE_INFINITY) left.push(`${node.name}: a timer left, due at ${next} us`);
  none('callouts', kernel.cpus[0].cpu.callouts.size);
  if (kernel.cpus[0].workPending()) left.push(`${node.name}: work left`);
  if (kernel.cpus[0].nextDeadlineUs() !== next) left.push(`${node.name}: frames left in a link`);
  return left;
}

/** Lines of one list that the other has not. */
function changedRoutes(before: string, after: string): string[] {
  const [old, now] = [before.split('\n'), after.split('\n')];
  return [...old.filter((one) => !now.includes(one)), ...now.filter((one) => !old.includes(one))];
}

/** Of an address that was looked for on its link first, so that its routes came after the machine had booted. */
function ownRoute(node: NodePlan, route: string): boolean {
  const [destination = '', length] = (route.split(' ')[0] as string).split('/');
  if (route.startsWith('fe80:')) return true;
  const words = parseAddress(destination);
  if (words === null) return false;
  return node.ports.some(({ address6 }) => {
    const own = parseAddress(address6);
    if (own === null) return false;
    return length === '128' ? equal(own, words) : Number(length) === PREFIX_LENGTH6 && own[1] === words[1];
  });
}
