/**
 * Makes a kernel that is alone: the only interface is lo0, so programs on it can talk to each other, as 127.0.0.1 and `localhost`, and
 * to nobody else.
 *
 * Thread: the one that runs the kernel.
 */

import { hostname } from 'node:os';
import { EventLoop } from '../host/node/event-loop.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import { Doorbell } from '../mem/doorbell.ts';
import { SpinBudget } from '../mem/spin-budget.ts';
import type { KernelAbout } from '../node/inherited-kernel.ts';
import { StaticNames } from '../node/names.ts';
import { SESSION_BYTES } from '../rump/server.ts';
import { interfaceAddresses } from './interface-addresses.ts';
import { KernelServer } from './kernel-server.ts';
import { SessionPool } from './session-memory.ts';

/** Virtual; only pages that are used cost memory. */
const ARENA_BYTES = 512 * 1024 * 1024;
const HEAP_BYTES = 256 * 1024 * 1024;
/** Processes and threads whose frames go through memory. */
const SESSIONS_MAX = 32;

export interface LoneKernel {
  readonly kernel: Kernel;
  readonly server: KernelServer;
  readonly names: StaticNames;
}

/** Make one, which runs on the loop of this thread. `timing`: of the loop (host/node/event-loop.ts). */
export function makeLoneKernel(timing: { pollUs?: number; stayUs?: number }): LoneKernel {
  const arena = Arena.create(ARENA_BYTES);
  const loop = new EventLoop({
    doorbell: new Doorbell(arena, arena.allocateDoorbell()),
    spinBudget: new SpinBudget(arena.words, arena.allocate(4), 1),
    ...timing,
  });
  const kernel = Kernel.create({
    name: 'localhost',
    arena,
    host: loop,
    ipv6: true,
    heap: { at: arena.allocate(HEAP_BYTES, 4096), bytes: HEAP_BYTES },
  });
  loop.add(...kernel.cpus);
  // Programs also call their own machine by its name.
  const names = new StaticNames({ localhost: ['127.0.0.1', '::1'], [hostname()]: '127.0.0.1' });
  const about = (): KernelAbout => ({ names: names.entries(), interfaces: interfaceAddresses(kernel), machine: null });
  const sessions = arena.allocate(SESSIONS_MAX * SESSION_BYTES, 65_536);
  const server = new KernelServer(kernel, loop, about, new SessionPool(arena, loop, sessions, SESSIONS_MAX));
  return { kernel, server, names };
}
