/** Whether the tables of a kernel keep their limits. */

import type { Kernel } from '../../src/kernel/kernel.ts';

const CALLOUTS_MAX = 4096;

export function checkLimits(kernel: Kernel): void {
  const limit = (name: string): number => {
    const variable = kernel.inet.sysctl.get(name);
    if (variable === undefined) throw new Error(`no sysctl ${name}`);
    return variable.value;
  };
  const check = (what: string, size: number, most: number): void => {
    if (size > most) throw new Error(`${what}: ${size} entries where ${most} are allowed`);
  };
  check('neighbors', kernel.inet.ip.neighbors.count, limit('net.inet.arp.maxentries'));
  check('half-open connections', kernel.tcp.synEntryCount, limit('net.inet.tcp.syn_cache_limit'));
  check('connections', kernel.tcp.connectionCount, limit('net.inet.tcp.connections_max'));
  check('TIME_WAIT', kernel.tcp.timeWait.count, limit('net.inet.tcp.tw_max'));
  check('reassembly', kernel.inet.ip.input.reassembly.count, limit('net.inet.ip.maxfragpackets'));
  check('callouts', kernel.callouts.size, CALLOUTS_MAX);
}
