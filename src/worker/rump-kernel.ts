/**
 * One kernel in a process of its own, for `rump_server`: listens at a URL, and ends by a control request or a signal.
 *
 * Thread: the main thread. Started as a process by tools/rump-server.ts, which hears by descriptor 3 that connections are accepted,
 * or why not, or loaded by it to stay in the foreground. Names of NetBSD's libraries say what the kernel has: an interface kind of
 * its own needs `rumpnet_` and its prefix, IPv6 needs rumpnet_netinet6. Read first: kernel-server.ts, rump_server(1).
 */

import { closeSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { resolve } from 'node:path';
import { MultikernelError } from '../base/errors.ts';
import { EventLoop } from '../host/node/event-loop.ts';
import { FilePlaces } from '../host/node/ffi/file-places.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import { Doorbell } from '../mem/doorbell.ts';
import { SpinBudget } from '../mem/spin-budget.ts';
import type { KernelAbout } from '../node/inherited-kernel.ts';
import { SESSION_BYTES } from '../rump/server.ts';
import { parseServerUrl } from '../rump/url.ts';
import type { Address6 } from '../wire/ipv6-address.ts';
import { interfaceAddresses } from './interface-addresses.ts';
import { KernelServer } from './kernel-server.ts';
import { SessionPool } from './session-memory.ts';

/** Virtual; only pages that are used cost memory. */
const ARENA_BYTES = 1024 * 1024 * 1024;
const HEAP_BYTES = 256 * 1024 * 1024;
const HEAP_BYTES_MIN = 4 * 1024 * 1024;
/** Programs whose frames go through memory. */
const SESSIONS_MAX = 32;
/** Answers on their way get so long before the process ends. */
const FAREWELL_MS = 50;
const PIPE_FD = 3;
/** Probes for an address, as NetBSD has them. */
const DAD_COUNT = 3;
const DAD_COUNT6 = 1;
const PAGE_BYTES = 4096;
/** LITTLE_ENDIAN of <sys/endian.h>. */
const BYTE_ORDER = 1234;
/** Variables of NetBSD that scripts set and nothing here depends on: name, value, largest value. */
const IDLE_VARIABLES: readonly (readonly [string, number, number])[] = [
  ['net.inet.arp.debug', 0, 1],
  ['net.inet.arp.prune', 300, 86_400],
  ['net.inet.arp.refresh', 180, 86_400],
  ['net.inet6.icmp6.nd6_debug', 0, 1],
  ['net.inet6.icmp6.nd6_prune', 1, 86_400],
  ['net.inet6.icmp6.nd6_useloopback', 1, 1],
];
/** Kinds of interfaces that every kernel has. */
const OWN_KINDS: ReadonlySet<string> = new Set(['lo']);
/** Texts of refusals of the host, as strerror(3) has them. */
const ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: "Can't assign requested address",
  EINVAL: 'Invalid argument',
  ENOENT: 'No such file or directory',
  ENOMEM: 'Cannot allocate memory',
};

/** As tools/server-options.ts has read them. */
interface Wanted {
  url: string;
  /** It is the process that was asked, with its standard streams. */
  foreground: boolean;
  verbose: boolean;
  cpus: number;
  libraries: string[];
  ramBytes: number | null;
}

const LOOPBACK_LINK_LOCAL: Address6 = [0xfe800000 | 0, 0, 0, 1];

interface Told {
  lines?: string[];
  error?: string;
}

function makeKernel(wanted: Wanted, arena: Arena, loop: EventLoop): Kernel {
  const bytes = Math.min(HEAP_BYTES, wanted.ramBytes ?? HEAP_BYTES) & -4096;
  if (bytes < HEAP_BYTES_MIN) throw new MultikernelError('ENOMEM', `${wanted.ramBytes} bytes are too few for a kernel`);
  const libraries = new Set(wanted.libraries);
  const ipv6 = libraries.has('rumpnet_netinet6');
  const heap = { at: arena.allocate(bytes, 4096), bytes };
  const kernel = Kernel.create({ name: `rump-${process.pid}.${hostname()}`, arena, host: loop, ipv6, heap });
  const { cloners } = kernel.inet.interfaceTable;
  const files = new FilePlaces(arena);
  kernel.registerShmif(files);
  kernel.registerVni(files);
  for (const prefix of cloners.prefixes())
    if (!OWN_KINDS.has(prefix) && !libraries.has(`rumpnet_${prefix}`)) cloners.unregister(prefix);
  const { sysctl } = kernel.inet;
  // Kernels of a lab ask nobody for their addresses, which the lab gives out.
  sysctl.set('net.inet.ip.dad_count', DAD_COUNT);
  sysctl.set('net.inet6.ip6.dad_count', DAD_COUNT6);
  // As in NetBSD's rump kernels, IPv4 is forwarded and IPv6 is not.
  sysctl.set('net.inet.ip.forwarding', 1);
  // NetBSD does not ask whether it is a router where an ICMP redirect comes, as it does for ICMPv6.
  sysctl.set('net.inet.icmp.redirrouter', 1);
  for (const [name, value, most] of IDLE_VARIABLES)
    sysctl.integer(name, value, 0, most, 'taken; nothing depends on it');
  if (ipv6) addLoopbackLinkLocal(kernel);
  else sysctl.remove('net.inet6');
  sysctl.constant('hw.ncpu', wanted.cpus, 'CPUs that rump_server -c asked for');
  sysctl.constant('hw.ncpuonline', 1, 'CPUs that work');
  sysctl.constant('hw.physmem', bytes, 'memory that rump_server -r asked for, at most 256 MiB');
  sysctl.constant('hw.pagesize', PAGE_BYTES, 'bytes of a page');
  sysctl.constant('hw.byteorder', BYTE_ORDER, 'order of bytes in memory');
  sysctl.text('hw.machine', 'amd64', 'machine whose structures system calls take');
  return kernel;
}

/** NetBSD's lo0 is a link as any other: it has fe80::1. */
function addLoopbackLinkLocal({ inet }: Kernel): void {
  const lo = inet.interface('lo0');
  if (lo !== null) inet.configure(lo, inet.shared.interner.internAddress(LOOPBACK_LINK_LOCAL, lo.index), 64);
}

/** Listens at the URL; answers once connections are accepted, or says why not. */
async function runKernel(wanted: Wanted): Promise<Told> {
  let step = 'rump init failed';
  try {
    const url = parseServerUrl(wanted.url, process.env.RUMP_KEY);
    const arena = Arena.create(ARENA_BYTES);
    const loop = new EventLoop({
      doorbell: new Doorbell(arena, arena.allocateDoorbell()),
      spinBudget: new SpinBudget(arena.words, arena.allocate(4), availableParallelism() > 1 ? 1 : 0),
    });
    const kernel = makeKernel(wanted, arena, loop);
    loop.add(...kernel.cpus);
    const names = { localhost: wanted.libraries.includes('rumpnet_netinet6') ? ['127.0.0.1', '::1'] : ['127.0.0.1'] };
    const about = (): KernelAbout => ({ names, interfaces: interfaceAddresses(kernel), machine: null });
    const sessions = arena.allocate(SESSIONS_MAX * SESSION_BYTES, 65_536);
    const server = new KernelServer(kernel, loop, about, new SessionPool(arena, loop, sessions, SESSIONS_MAX));
    step = 'rump server init failed';
    await server.listen(url, { open: true });
    // A program may change the folder of a process; ours does not, but the path is the file's all the same.
    const file = url.kind === 'unix' && !url.path.startsWith('\0') ? resolve(url.path) : null;
    const end = (): void => {
      server.close();
      if (file !== null) rmSync(file, { force: true });
      loop.remove(...kernel.cpus);
      kernel.close();
      process.exit(0);
    };
    kernel.client.onHalt = () => void setTimeout(end, FAREWELL_MS);
    process.on('SIGTERM', end).on('SIGINT', end);
    return { lines: wanted.verbose ? aboutKernel(kernel, wanted) : [] };
  } catch (error) {
    if (!(error instanceof MultikernelError)) throw error;
    const { code, message } = error;
    return { error: `${step}: ${ERRORS[code] ?? message}` };
  }
}

function aboutKernel(kernel: Kernel, { cpus, libraries }: Wanted): string[] {
  const kinds = kernel.inet.interfaceTable.cloners.prefixes().join(' ');
  return [
    `${kernel.name}: ${cpus} ${cpus === 1 ? 'CPU' : 'CPUs'}, IPv4${libraries.includes('rumpnet_netinet6') ? ', IPv6' : ''}`,
    `interfaces: ${kinds}`,
  ];
}

function sayInFront({ lines = [], error }: Told): void {
  if (error !== undefined) writeSync(2, `rump_server: ${error}\n`);
  else if (lines.length > 0) writeSync(1, `${lines.join('\n')}\n`);
}

const { MK_RUMP_KERNEL: given } = process.env;
if (given !== undefined) {
  delete process.env.MK_RUMP_KERNEL;
  const wanted = JSON.parse(given) as Wanted;
  process.title = `rump_server ${wanted.url}`;
  let told: Told;
  try {
    told = await runKernel(wanted);
  } catch (error) {
    told = { error: `rump init failed: ${(error as Error).message}` };
  }
  if (wanted.foreground) sayInFront(told);
  else {
    writeSync(PIPE_FD, JSON.stringify(told));
    closeSync(PIPE_FD);
  }
  if (told.error !== undefined) process.exit(1);
}
