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
import { guardLoad } from '../host/node/ffi/libc.ts';
import { PortCarrier } from '../host/node/port-carrier.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { FromWorker, KernelBoot, ToWorker, WorkerBoot } from '../lab/messages.ts';
import { Arena } from '../mem/arena.ts';
import { lendScratch } from '../mem/bulk-staging.ts';
import { Doorbell } from '../mem/doorbell.ts';
import { NativeLoad } from '../mem/native-load.ts';
import { SpinBudget } from '../mem/spin-budget.ts';
import { shareWithChildren } from '../node/children.ts';
import type { KernelAbout } from '../node/inherited-kernel.ts';
import { StaticNames } from '../node/names.ts';
import { bootKernel } from './boot.ts';
import { countHttp } from './http-metrics.ts';
import { installKernel } from './install-kernel.ts';
import { interfaceAddresses } from './interface-addresses.ts';
import { KernelServer } from './kernel-server.ts';
import { sayGoodbye } from './last-words.ts';
import { watchListening } from './listening.ts';
import { sendOutput } from './output.ts';
import { atProgramEnd, impersonate, receiveSignal, runProgram } from './program.ts';
import { ProgramCounters } from './program-counters.ts';
import { SessionPool } from './session-memory.ts';

/** Preload that puts this kernel under the processes and threads that the program starts. */
// Taken before a program can replace it.
const immediate = setImmediate;
const CHILD_PRELOAD = fileURLToPath(moduleUrl('./preload', import.meta.url));

/** Turns that follow each other on a thread without a program; then it hears of requests and connections. */
const STAY_US = 100;

/** The kernels that this thread runs for a lab, until it ends or is released. */
class LabThread {
  readonly #boot: WorkerBoot;
  readonly #doorbell: Doorbell;
  readonly #spinBudget: SpinBudget;
  readonly #arena: Arena;
  readonly #loop: EventLoop;
  readonly #kernels: Map<string, Kernel> = new Map();
  /** Each kernel as a server of remote calls. */
  readonly #servers: Map<string, KernelServer> = new Map();
  readonly #programCounters: Map<string, ProgramCounters> = new Map();

  constructor(boot: WorkerBoot) {
    this.#boot = boot;
    guardLoad(new NativeLoad(boot.nativeLoad));
    const arena = Arena.attach(boot.memory);
    this.#arena = arena;
    lendScratch(arena, boot.scratchAt);
    this.#doorbell = new Doorbell(arena, boot.doorbellAt);
    this.#spinBudget = new SpinBudget(arena.words, boot.spinBudgetAt, boot.spinLimit, boot.owner);
    this.#loop = new EventLoop({
      doorbell: this.#doorbell,
      spinBudget: this.#spinBudget,
      stayUs: boot.program === null ? STAY_US : 0,
      ...(boot.seed === null ? {} : { rng: new SeededRng(boot.seed + boot.doorbellAt) }),
    });
  }

  /** Boot the kernels and serve them. Throws what `bootKernel` throws. */
  begin(): void {
    const { kernels, hosts, program, port } = this.#boot;
    for (const config of kernels) {
      const kernel = bootKernel(config, hosts, this.#arena, this.#loop, this.#boot);
      this.#kernels.set(config.name, kernel);
      this.#loop.add(...kernel.cpus);
      watchListening(kernel, (tcp, udp) => this.#send({ type: 'listening', kernel: kernel.name, tcp, udp }));
    }
    for (const config of kernels) {
      const kernel = this.#kernels.get(config.name) as Kernel;
      this.#serve(kernel, config);
      if (program === null) this.#listen(kernel);
    }
    port.on('message', (message: ToWorker) => this.#handle(message));
    this.#send({ type: 'ready' });
  }

  #send(message: FromWorker): void {
    this.#boot.port.postMessage(message);
  }

  #serve(kernel: Kernel, { sessionsAt, sessionsMax }: KernelBoot): void {
    const names = new StaticNames(this.#boot.hosts);
    const about = (): KernelAbout => ({
      names: names.entries(),
      interfaces: interfaceAddresses(kernel),
      machine: kernel.name,
    });
    const sessions = new SessionPool(this.#arena, this.#loop, sessionsAt, sessionsMax);
    const server = new KernelServer(kernel, this.#loop, about, sessions);
    const counters = new ProgramCounters(this.#arena, kernel.name);
    server.counters = counters;
    this.#programCounters.set(kernel.name, counters);
    this.#servers.set(kernel.name, server);
  }

  #listen(kernel: Kernel): void {
    const path = this.#boot.socketFiles[kernel.name];
    if (path !== undefined) this.#servers.get(kernel.name)?.listenAt(path);
  }

  #connect(name: string, connection: MessagePort): void {
    const server = this.#servers.get(name);
    if (server === undefined) connection.close();
    else server.connect(new PortCarrier(connection));
  }

  #start(): void {
    const { program, hosts, mark, output, port } = this.#boot;
    if (program === null) return;
    const kernel = [...this.#kernels.values()][0] as Kernel;
    const server = this.#servers.get(kernel.name) as KernelServer;
    countHttp((this.#programCounters.get(kernel.name) as ProgramCounters).open());
    installKernel(kernel, server, new StaticNames(hosts));
    // Now that `node:net` may be loaded.
    this.#listen(kernel);
    shareWithChildren(CHILD_PRELOAD, { cwd: program.cwd, mark });
    if (output !== null) sendOutput(output);
    impersonate(program, kernel.name);
    atProgramEnd(() => sayGoodbye(kernel, this.#loop, this.#doorbell, this.#spinBudget));
    port.unref();
    runProgram(program);
  }

  #close(name: string): void {
    const kernel = this.#kernels.get(name);
    if (kernel === undefined) return;
    this.#kernels.delete(name);
    this.#servers.get(name)?.close();
    this.#servers.delete(name);
    this.#programCounters.delete(name);
    this.#loop.remove(...kernel.cpus);
    kernel.close();
  }

  #stop(name: string): void {
    this.#close(name);
    this.#send({ type: 'stopped', kernel: name });
    if (this.#kernels.size > 0) return;
    this.#loop.close();
    this.#boot.port.close();
  }

  /** The lab goes down: nothing of it stays, and the next may come. */
  #release(): void {
    for (const name of [...this.#kernels.keys()]) this.#close(name);
    this.#loop.close();
    // A sleep in memory of the lab would keep all of that.
    this.#doorbell.endSleep();
    this.#send({ type: 'released' });
    this.#boot.port.close();
    awaitBoot();
  }

  #handle(message: ToWorker): void {
    switch (message.type) {
      case 'start':
        this.#start();
        return;
      case 'signal':
        receiveSignal(message.signal);
        return;
      case 'stop':
        this.#stop(message.kernel);
        return;
      case 'release':
        this.#release();
        return;
      case 'connect':
        this.#connect(message.kernel, message.port);
        return;
      case 'url':
        whenEndsAreRead(() => this.#tellUrl(message.kernel));
    }
  }

  #tellUrl(kernel: string): void {
    this.#programCounters.get(kernel)?.open();
    this.#send({ type: 'url', kernel, url: this.#servers.get(kernel)?.url() ?? '' });
  }
}

/**
 * A program that wants a URL follows one that has ended, whose ports are free once the ends of its connections were read: they lie there,
 * and each turn of the event loop looks for what does.
 */
function whenEndsAreRead(run: () => void, turns = 4): void {
  if (turns === 0) run();
  else immediate(() => whenEndsAreRead(run, turns - 1));
}

/** A thread of kernels may be started before anybody knew what for, and serve another lab when it is released (lab/spare-thread.ts). */
function awaitBoot(): void {
  parentPort?.once('message', (boot: WorkerBoot) => new LabThread(boot).begin());
}

const given = workerData as WorkerBoot | null | undefined;
if (given) new LabThread(given).begin();
else awaitBoot();
