/** Whether the tables of a kernel keep the limits that it declares (docs/limits.md). */

import type { Kernel } from '../../src/kernel/kernel.ts';

/** Timers of connections, half-open ones, neighbors and the rest, in worlds whose tables are small. */
const CALLOUTS_MAX = 1024;

export function checkLimits(kernel: Kernel): void {
  for (const { table, variable, size } of kernel.inet.sysctl.limits.list()) {
    const now = size();
    if (now > variable.value) throw new Error(`${table}: ${now} where ${variable.name} allows ${variable.value}`);
  }
  if (kernel.cpus[0].cpu.callouts.size > CALLOUTS_MAX) throw new Error(`${kernel.cpus[0].cpu.callouts.size} callouts`);
}
