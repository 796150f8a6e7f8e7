/**
 * A kernel of its own under the program that this process is about to run: the only interface is lo0, so the program can
 * talk to itself, as 127.0.0.1 and `localhost`, and to nobody else.
 *
 * Thread: the main thread. Loaded by worker/preload.ts.
 */

import { hostname } from 'node:os';
import { EventLoop } from '../host/node/event-loop.ts';
import { Kernel } from '../kernel/kernel.ts';
import { IMPAIR_VARIABLE, type OwnImpairment } from '../lab/messages.ts';
import { Arena } from '../mem/arena.ts';
import { Doorbell } from '../mem/doorbell.ts';
import { SpinBudget } from '../mem/spin-budget.ts';
import type { HostInterfaceAddress } from '../node/face.ts';
import type { KernelAbout } from '../node/inherited-kernel.ts';
import { install } from '../node/install.ts';
import { StaticNames } from '../node/names.ts';
import { SESSION_BYTES } from '../rump/server.ts';
import { IMPAIR_OUT } from '../sys/control.ts';
import { interfaceAddresses } from './interface-addresses.ts';
import { KernelServer } from './kernel-server.ts';
import { SessionPool } from './session-memory.ts';
import { ThreadGates } from './thread-gate.ts';

/** Virtual; only pages that are used cost memory. */
const ARENA_BYTES = 512 * 1024 * 1024;
const HEAP_BYTES = 256 * 1024 * 1024;
/** Children and threads of the program whose frames go through memory. */
const SESSIONS_MAX = 32;

const arena = Arena.create(ARENA_BYTES);
const loop = new EventLoop({
  doorbell: new Doorbell(arena, arena.allocateDoorbell()),
  spinBudget: new SpinBudget(arena.words, arena.allocate(4), 1),
  // Nobody else can send: there is nothing to poll for.
  pollUs: 0,
});
const kernel = Kernel.create({
  name: 'localhost',
  arena,
  host: loop,
  ipv6: true,
  heap: { at: arena.allocate(HEAP_BYTES, 4096), bytes: HEAP_BYTES },
});
const impairment = process.env[IMPAIR_VARIABLE];
if (impairment !== undefined) {
  // Processes that the program starts use this kernel: its lo0 is theirs.
  delete process.env[IMPAIR_VARIABLE];
  const { values, seed } = JSON.parse(impairment) as OwnImpairment;
  const index = kernel.inet.interface('lo0')?.index as number;
  kernel.control('impairment.set', { index, direction: IMPAIR_OUT, from: null, values, seed });
}
loop.add(...kernel.cpus);
// Programs also call their own machine by its name.
const names = new StaticNames({ localhost: ['127.0.0.1', '::1'], [hostname()]: '127.0.0.1' });
const interfaces = (): HostInterfaceAddress[] => interfaceAddresses(kernel);
const about = (): KernelAbout => ({ names: names.entries(), interfaces: interfaces(), machine: null });
const sessions = arena.allocate(SESSIONS_MAX * SESSION_BYTES, 65_536);
const server = new KernelServer(kernel, loop, about, new SessionPool(arena, loop, sessions, SESSIONS_MAX));
const gates = new ThreadGates((carrier) => server.connect(carrier));
install({
  sockets: kernel.sockets,
  names,
  interfaces,
  passed: server.passed,
  serverUrl: () => server.url(),
  openGate: () => gates.open(),
});
