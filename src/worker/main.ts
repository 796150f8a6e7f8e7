/**
 * Entry of every worker of a lab: boots the kernels it was given, and runs the program beside the kernel if there is one.
 *
 * Thread: a worker. `workerData`, or its first message, is a {@link WorkerBoot}; lab/messages.ts describes the life of a worker and all messages.
 * The kernel works on this thread's event loop, so a program that computes without end stops its own machine, and only it.
 */

import { fileURLToPath } from 'node:url';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { moduleUrl } from '../base/module-url.ts';
import { SeededRng } from '../base/rng.ts';
import { EventLoop } from '../host/node/event-loop.ts';
import { PortCarrier } from '../host/node/port-carrier.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { FromWorker, KernelBoot, ToWorker, WorkerBoot } from '../lab/messages.ts';
import { Arena } from '../mem/arena.ts';
import { lendScratch } from '../mem/bulk-staging.ts';
import { Doorbell } from '../mem/doorbell.ts';
import { SpinBudget } from '../mem/spin-budget.ts';
import { shareWithChildren } from '../node/children.ts';
import type { HostInterfaceAddress } from '../node/face.ts';
import type { KernelAbout } from '../node/inherited-kernel.ts';
import { install } from '../node/install.ts';
import { StaticNames } from '../node/names.ts';
import { bootKernel } from './boot.ts';
import { countHttp } from './http-metrics.ts';
import { interfaceAddresses } from './interface-addresses.ts';
import { KernelServer } from './kernel-server.ts';
import { sayGoodbye } from './last-words.ts';
import { watchListening } from './listening.ts';
import { sendOutput } from './output.ts';
import { atProgramEnd, impersonate, receiveSignal, runProgram } from './program.ts';
import { ProgramCounters } from './program-counters.ts';
import { SessionPool } from './session-memory.ts';
import { ThreadGates } from './thread-gate.ts';

/** Preload that puts this kernel under the processes and threads that the program starts. */
// Taken before a program can replace it.
const immediate = setImmediate;
const CHILD_PRELOAD = fileURLToPath(moduleUrl('./preload', import.meta.url));

/** Turns that follow each other on a thread without a program; then it hears of requests and connections. */
const STAY_US = 100;

const boot = (workerData ?? (await bootMessage())) as WorkerBoot;
/** A thread that was started before anybody knew what for (lab/spare-thread.ts). */
function bootMessage(): Promise<unknown> {
  return new Promise((resolve) => parentPort?.once('message', resolve));
}

const port = boot.port;
const send = (message: FromWorker): void => port.postMessage(message);

const arena = Arena.attach(boot.memory);
lendScratch(arena, boot.scratchAt);
const doorbell = new Doorbell(arena, boot.doorbellAt);
const spinBudget = new SpinBudget(arena.words, boot.spinBudgetAt, boot.spinLimit, boot.owner);
const loop = new EventLoop({
  doorbell,
  spinBudget,
  stayUs: boot.program === null ? STAY_US : 0,
  ...(boot.seed === null ? {} : { rng: new SeededRng(boot.seed + boot.doorbellAt) }),
});
const kernels = new Map<string, Kernel>();
for (const config of boot.kernels) {
  const kernel = bootKernel(config, boot.hosts, arena, loop, boot);
  kernels.set(config.name, kernel);
  loop.add(...kernel.cpus);
  watchListening(kernel, (tcp, udp) => send({ type: 'listening', kernel: kernel.name, tcp, udp }));
}
/** Each kernel as a server of remote calls. */
const servers = new Map<string, KernelServer>();
const programCounters = new Map<string, ProgramCounters>();

function serve(kernel: Kernel, { sessionsAt, sessionsMax }: KernelBoot): KernelServer {
  const names = new StaticNames(boot.hosts);
  const about = (): KernelAbout => ({
    names: names.entries(),
    interfaces: interfaceAddresses(kernel),
    machine: kernel.name,
  });
  const server = new KernelServer(kernel, loop, about, new SessionPool(arena, loop, sessionsAt, sessionsMax));
  const counters = new ProgramCounters(arena, kernel.name);
  server.counters = counters;
  programCounters.set(kernel.name, counters);
  servers.set(kernel.name, server);
  return server;
}

function listen(kernel: Kernel): void {
  const path = boot.socketFiles[kernel.name];
  if (path !== undefined) servers.get(kernel.name)?.listenAt(path);
}

function connect(name: string, connection: MessagePort): void {
  const server = servers.get(name);
  if (server === undefined) connection.close();
  else server.connect(new PortCarrier(connection));
}

function start(): void {
  const program = boot.program;
  if (program === null) return;
  const kernel = [...kernels.values()][0] as Kernel;
  const interfaces = (): HostInterfaceAddress[] => interfaceAddresses(kernel);
  const names = new StaticNames(boot.hosts);
  const server = servers.get(kernel.name) as KernelServer;
  countHttp((programCounters.get(kernel.name) as ProgramCounters).open());
  const gates = new ThreadGates((carrier) => server.connect(carrier));
  install({
    sockets: kernel.sockets,
    names,
    interfaces,
    passed: server.passed,
    serverUrl: () => server.url(),
    openGate: () => gates.open(),
  });
  // Now that `node:net` may be loaded.
  listen(kernel);
  shareWithChildren(CHILD_PRELOAD, { cwd: program.cwd, mark: boot.mark });
  if (boot.output !== null) sendOutput(boot.output);
  impersonate(program, kernel.name);
  atProgramEnd(() => sayGoodbye(kernel, loop, doorbell, spinBudget));
  port.unref();
  runProgram(program);
}

function stop(name: string): void {
  const kernel = kernels.get(name);
  if (kernel !== undefined) {
    kernels.delete(name);
    servers.get(name)?.close();
    servers.delete(name);
    programCounters.delete(name);
    loop.remove(...kernel.cpus);
    kernel.close();
  }
  send({ type: 'stopped', kernel: name });
  if (kernels.size === 0) {
    loop.close();
    port.close();
  }
}

function handle(message: ToWorker): void {
  switch (message.type) {
    case 'start':
      start();
      return;
    case 'signal':
      receiveSignal(message.signal);
      return;
    case 'stop':
      stop(message.kernel);
      return;
    case 'connect':
      connect(message.kernel, message.port);
      return;
    case 'url':
      whenEndsAreRead(() => tellUrl(message.kernel));
  }
}

function tellUrl(kernel: string): void {
  programCounters.get(kernel)?.open();
  send({ type: 'url', kernel, url: servers.get(kernel)?.url() ?? '' });
}

/**
 * A program that wants a URL follows one that has ended, whose ports are free once the ends of its connections were read: they lie there,
 * and each turn of the event loop looks for what does.
 */
function whenEndsAreRead(run: () => void, turns = 4): void {
  if (turns === 0) run();
  else immediate(() => whenEndsAreRead(run, turns - 1));
}

for (const config of boot.kernels) {
  const kernel = kernels.get(config.name) as Kernel;
  serve(kernel, config);
  if (boot.program === null) listen(kernel);
}
port.on('message', handle);
send({ type: 'ready' });
