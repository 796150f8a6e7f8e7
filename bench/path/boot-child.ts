/**
 * Role: brings a lab of N kernels up in a fresh process and reports what that took; then lets them idle and reports what that costs.
 * Thread: the main thread of a child of the harness. usage: boot-child KERNELS PROGRAM|- IDLE_MS
 */

import { lab } from '#src/index';

const [, , count = '4', program = '-', idleMs = '1000'] = process.argv;
const nodes = Object.fromEntries(
  Array.from({ length: Number(count) }, (_, i) => [
    `k${i + 1}`,
    program === '-' ? {} : { run: `node ${program}`, placement: 'beside' as const },
  ]),
);
const rssBefore = process.memoryUsage.rss();
const startMs = performance.now();
const net = await lab({ name: 'boot', nodes });
const bootMs = performance.now() - startMs;
const rssMiB = (process.memoryUsage.rss() - rssBefore) / 2 ** 20;
const { workers, nodes: states } = await net.info();
const kernels = states.filter(({ phase }) => phase === 'ready' || phase === 'running').length;
// Compilation and the announcements of RFC 5227 (the last of them after two seconds) belong to booting.
await new Promise((wake) => setTimeout(wake, 2500));
const cpu = process.cpuUsage();
const idleFromMs = performance.now();
await new Promise((wake) => setTimeout(wake, Number(idleMs)));
const { user, system } = process.cpuUsage(cpu);
const idlePercent = (user + system) / 10 / (performance.now() - idleFromMs);
await net.down();
process.stdout.write(`${JSON.stringify({ kernels, bootMs, rssMiB, workers, idlePercent })}\n`);
