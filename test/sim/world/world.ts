/**
 * One world: built from its plan, run until every program has ended and everything that was to be forgotten is forgotten.
 */

import { Errno } from '../../../src/base/errors.ts';
import { type Rng, randomBelow, SeededRng } from '../../../src/base/rng.ts';
import { Simulation } from '../../../src/host/sim/simulation.ts';
import type { Kernel } from '../../../src/kernel/kernel.ts';
import { type Family, SocketAddress, type StreamSocket } from '../../../src/socket/socket.ts';
import { textControl } from '../../fixtures/text-control.ts';
import { DatagramEnd, startSending } from './datagram-end.ts';
import { FrameLog } from './frame-log.ts';
import { leftovers } from './leftovers.ts';
import { type Machine, Network } from './machine.ts';
import { framesMost, planWorld, type WorldPlan } from './plan.ts';
import { StreamEnd } from './stream-end.ts';
import type { DatagramPlan, Naming, SidePlan, StreamPlan } from './traffic.ts';
import type { EventPlan } from './trouble.ts';
import { judge } from './verdict.ts';

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
/** By then every program must have ended: time-outs of connections are below half an hour. */
const LIMIT_US = 3 * HOUR;
/** Longer than anything is kept after its last use: neighbors, routes of redirects, path MTUs, fragments, TIME_WAIT. */
const FORGET_US = HOUR;
/** What is still under way when the programs of an exchange have sent everything. */
const LINGER_US = 20 * SECOND;
const LISTEN_PORTS = [1000, 1001, 1002];
/** Between the two ports of a mutual open. */
const MUTUAL_PORTS = 500;
const HEADER_BYTES = 8;

export interface WorldResult {
  plan: WorldPlan;
  /** Of all frames with their times. */
  digest: string;
  frames: number;
  bytes: number;
  /** When the last program ended. */
  endedUs: number;
  /** What should not be; empty when all is well. */
  problems: string[];
}

/** One connection while it runs. */
export class StreamRun {
  readonly plan: StreamPlan;
  client: StreamEnd | null = null;
  server: StreamEnd | null = null;
  /** More than once would be a connection that nobody made. */
  accepted = 0;

  constructor(plan: StreamPlan) {
    this.plan = plan;
  }

  get ended(): boolean {
    return this.client !== null && this.client.state !== 'open' && this.server?.state !== 'open';
  }
}

/** One exchange of datagrams while it runs. */
export class DatagramRun {
  readonly plan: DatagramPlan;
  client: DatagramEnd | null = null;
  server: DatagramEnd | null = null;
  started = false;

  constructor(plan: DatagramPlan) {
    this.plan = plan;
  }

  get sent(): boolean {
    return this.started && (this.client === null || this.client.sendsDone || this.client.crashed);
  }
}

export class World {
  readonly plan: WorldPlan;
  readonly simulation: Simulation;
  readonly log: FrameLog;
  readonly network: Network;
  readonly streams: StreamRun[];
  readonly datagrams: DatagramRun[];
  readonly problems: string[] = [];
  readonly #rng: Rng;
  /** Which connection is the one of two names. */
  readonly #byNames: Map<string, StreamRun> = new Map();
  readonly #listeners: Map<number, StreamSocket[]> = new Map();

  constructor(plan: WorldPlan, capture: boolean) {
    this.plan = plan;
    this.simulation = new Simulation(plan.seed);
    this.#rng = new SeededRng(plan.seed ^ 0x5eed);
    this.log = new FrameLog(this.simulation, this.simulation.epochNs, capture, framesMost(plan));
    this.network = new Network(plan, this.simulation, this.log);
    this.streams = plan.streams.map((one) => new StreamRun(one));
    this.datagrams = plan.datagrams.map((one) => new DatagramRun(one));
    for (const machine of this.network.machines) if (machine.node.kind === 'host') this.#serve(machine);
    for (const run of this.streams) this.simulation.at(run.plan.atUs, () => this.#startStream(run));
    for (const run of this.datagrams) this.simulation.at(run.plan.atUs, () => this.#startDatagrams(run));
    for (const event of plan.events) this.#schedule(event);
  }

  /** Run it to its end, and judge. */
  run(): WorldResult {
    const { simulation, problems } = this;
    const done = (): boolean => this.streams.every((run) => run.ended) && this.datagrams.every((run) => run.sent);
    let endedUs = 0;
    do {
      if (!simulation.runUntil(done, LIMIT_US)) problems.push(`not everything ended by ${LIMIT_US / SECOND} s`);
      endedUs = simulation.nowUs();
      // Machines that are down come back, datagrams arrive, connections are accepted whose client is gone.
      const downUntilUs = this.plan.events.map((one) => ('untilUs' in one ? one.untilUs : 0));
      simulation.run(Math.max(endedUs + LINGER_US, ...downUntilUs) + SECOND);
    } while (!done() && endedUs < LIMIT_US);
    judge(this);
    this.#close();
    simulation.run(simulation.nowUs() + FORGET_US);
    for (const machine of this.network.machines) problems.push(...leftovers(machine));
    problems.push(...this.log.faults);
    const { digest, frames, bytes } = this.log;
    return { plan: this.plan, digest, frames, bytes, endedUs, problems };
  }

  /** Address by which a program on `kernel` names a host; null while it has none. */
  #addressOf(kernel: Kernel, host: number, naming: Naming, port: number): SocketAddress | null {
    return SocketAddress.from(this.#nameOf(host, naming), port, kernel.sockets);
  }

  #nameOf(host: number, naming: Naming): string {
    const machine = this.network.machine(host);
    if (naming === 'link') return `${machine.linkLocal}%eth0`;
    return naming === 'ipv6' ? machine.address6 : (machine.node.ports[0]?.address as string);
  }

  #schedule(event: EventPlan): void {
    const { simulation, network } = this;
    if (event.kind === 'change') {
      const { node, port, impairment } = event;
      simulation.at(event.atUs, () => network.machine(node).change(port, impairment));
    } else if (event.kind === 'flap') {
      const { node, port } = event;
      simulation.at(event.atUs, () => network.machine(node).switchInterface(port, false));
      simulation.at(event.untilUs, () => network.machine(node).switchInterface(port, true));
    } else if (event.kind === 'cut') {
      simulation.at(event.atUs, () => {
        for (const [node, port] of event.ports) network.machine(node).cut(port);
      });
      simulation.at(event.untilUs, () => {
        for (const [node, port] of event.ports) network.machine(node).heal(port);
      });
    } else {
      simulation.at(event.atUs, () => this.#powerOff(network.machine(event.node)));
      simulation.at(event.untilUs, () => this.#powerOn(network.machine(event.node)));
    }
  }

  #powerOff(machine: Machine): void {
    machine.stop();
    for (const { plan, client, server } of this.streams) {
      if (plan.client === machine.index) client?.crash();
      if (plan.server === machine.index) server?.crash();
    }
    for (const { plan, client, server } of this.datagrams) {
      if (plan.client === machine.index) client?.crash();
      if (plan.server === machine.index) server?.crash();
    }
  }

  #powerOn(machine: Machine): void {
    if (machine.up) return;
    machine.start();
    if (machine.node.kind === 'host') this.#serve(machine);
  }

  /** Where there are both families, one listener hears both, or each has its own. */
  #serve(machine: Machine): void {
    const { families } = this.plan;
    const kernel = machine.kernel as Kernel;
    const listeners = LISTEN_PORTS.flatMap((port) => {
      if (families === 'ipv4') return [this.#listen(machine, kernel, port, 4, false)];
      const apart = families === 'both' && randomBelow(this.#rng, 2) === 0;
      const six = this.#listen(machine, kernel, port, 6, apart);
      return apart ? [six, this.#listen(machine, kernel, port, 4, false)] : [six];
    });
    this.#listeners.set(machine.index, listeners);
  }

  #listen(machine: Machine, kernel: Kernel, port: number, family: Family, only6: boolean): StreamSocket {
    const { simulation } = this;
    const listener = kernel.sockets.stream(family);
    if (only6) listener.setOption('ipv6Only', true);
    const error = listener.bind(SocketAddress.any(family, port)) || listener.listen(1 + randomBelow(this.#rng, 16));
    if (error !== 0) throw new Error(`${machine.node.name}: listen: ${error}`);
    const acceptAll = (): void => {
      if (machine.kernel !== kernel) return;
      for (let socket = listener.accept(); socket !== null; socket = listener.accept()) {
        this.#accept(machine, socket);
      }
    };
    const delayUs = this.plan.acceptDelaysUs[machine.index] as number;
    listener.onEvents = delayUs === 0 ? acceptAll : () => simulation.at(simulation.nowUs() + delayUs, acceptAll);
    return listener;
  }

  #accept(machine: Machine, socket: StreamSocket): void {
    const { peer } = socket;
    const { port } = peer;
    const name = peer.unmap().format().split('%')[0];
    const run = this.#byNames.get(`${machine.index}:${socket.local.port} ${name}:${port}`);
    if (run === undefined || run.server !== null) {
      this.problems.push(`${machine.node.name}: accepted a connection that nobody made, from port ${port}`);
      socket.abort();
      return;
    }
    run.accepted++;
    run.server = new StreamEnd(this.simulation, this.#rng, run.plan.sides[1] as SidePlan, run.plan.id, false, false);
    StreamEnd.prepare(socket, run.server.plan);
    run.server.attach(socket);
  }

  #startStream(run: StreamRun): void {
    const { plan } = run;
    const end = new StreamEnd(this.simulation, this.#rng, plan.sides[0], plan.id, true, true);
    run.client = end;
    if (plan.mutual) {
      const other = new StreamEnd(this.simulation, this.#rng, plan.sides[1], plan.id, false, true);
      run.server = other;
      this.#connect(end, plan.client, plan.server, plan.naming, plan.port, plan.port + MUTUAL_PORTS);
      this.#connect(other, plan.server, plan.client, plan.naming, plan.port + MUTUAL_PORTS, plan.port);
      return;
    }
    const socket = this.#connect(end, plan.client, plan.server, plan.naming, plan.port, 0);
    const kernel = this.network.machine(plan.client).kernel;
    if (socket === null || kernel === null) return;
    const { local } = socket;
    const { port } = local;
    const name = local.unmap().format().split('%')[0];
    this.#byNames.set(`${plan.server}:${plan.port} ${name}:${port}`, run);
  }

  /** Connect an end, from port `own` when that is not 0. Null when that failed at once. */
  #connect(end: StreamEnd, from: number, to: number, naming: Naming, port: number, own: number): StreamSocket | null {
    const { kernel } = this.network.machine(from);
    if (kernel === null) {
      end.crash();
      return null;
    }
    const family = naming === 'ipv4' ? 4 : 6;
    const socket = kernel.sockets.stream(family);
    StreamEnd.prepare(socket, end.plan);
    end.attach(socket);
    const bound = own === 0 ? 0 : socket.bind(SocketAddress.any(family, own));
    const address = this.#addressOf(kernel, to, naming, port);
    const unnamed = bound === 0 ? -Errno.ENETUNREACH : bound;
    const result = address !== null && bound === 0 ? socket.connect(address) : unnamed;
    if (result === -Errno.EINPROGRESS) return socket;
    end.refuse(result);
    return null;
  }

  #startDatagrams(run: DatagramRun): void {
    const { plan } = run;
    run.started = true;
    const client = this.network.machine(plan.client).kernel;
    const server = this.network.machine(plan.server).kernel;
    if (client === null) return;
    if (!plan.closedPort && server !== null) run.server = this.#openServer(run, server);
    const socket = client.sockets.datagram(plan.naming === 'ipv4' ? 4 : 6);
    const end = new DatagramEnd(socket, plan);
    run.client = end;
    const named = (): SocketAddress | null => this.#addressOf(client, plan.server, plan.naming, plan.port);
    const address = (): SocketAddress => named() ?? SocketAddress.any(plan.naming === 'ipv4' ? 4 : 6, plan.port);
    const unnamed = named() === null ? -Errno.ENETUNREACH : 0;
    const error = plan.connected && unnamed === 0 ? socket.connect(address()) : unnamed;
    if (error !== 0) {
      end.errors.push(error);
      end.sendsDone = true;
      return;
    }
    const sizes = Array.from(
      { length: plan.count },
      () => HEADER_BYTES + randomBelow(this.#rng, plan.sizeMost - HEADER_BYTES + 1),
    );
    startSending(this.simulation, end, plan, sizes, address);
  }

  #openServer({ plan }: DatagramRun, kernel: Kernel): DatagramEnd {
    const six = this.plan.families !== 'ipv4';
    const socket = kernel.sockets.datagram(six ? 6 : 4);
    const error = socket.bind(SocketAddress.any(six ? 6 : 4, plan.port));
    if (error !== 0) throw new Error(`bind ${plan.port}: ${error}`);
    const end = new DatagramEnd(socket, plan);
    end.onReceive = (number, lengthBytes, info) => {
      // What finds no room is not sent back.
      if (plan.echoEvery > 0 && number % plan.echoEvery === 0) end.send(number, lengthBytes, info.from);
    };
    return end;
  }

  #close(): void {
    for (const [index, listeners] of this.#listeners) {
      if (this.network.machine(index).kernel !== null) for (const listener of listeners) listener.close();
    }
    for (const { client, server } of this.datagrams) {
      client?.close();
      server?.close();
    }
    // What they have advertised ends in its time, or at once when their good-byes are heard.
    for (const machine of this.network.machines) {
      const { kernel, node } = machine;
      if (this.plan.seed % 2 === 0) for (const port of node.ports.keys()) machine.cut(port);
      if (kernel !== null && kernel !== undefined)
        textControl(kernel, 'sysctl.set', { name: 'net.inet6.ip6.rtadv', value: 0 });
    }
  }
}

/** Build, run and judge the world of a seed. Throws only when the simulation itself breaks down. */
export function runWorld(seed: number, captureFile?: string): WorldResult {
  const world = new World(planWorld(seed), captureFile !== undefined);
  let result: WorldResult;
  try {
    result = world.run();
  } catch (cause) {
    const { digest, frames, bytes } = world.log;
    const problems = [...world.problems, `${(cause as Error).stack ?? cause}`];
    result = { plan: world.plan, digest, frames, bytes, endedUs: world.simulation.nowUs(), problems };
  }
  if (captureFile !== undefined) world.log.save(captureFile);
  return result;
}
