/**
 * One world: built from its plan, run until every program has ended and everything that was to be forgotten is forgotten.
 */

import { Errno } from '../../../src/base/errors.ts';
import { type Rng, randomBelow, SeededRng } from '../../../src/base/rng.ts';
import { Simulation } from '../../../src/host/sim/simulation.ts';
import type { DatagramSocket, StreamSocket } from '../../../src/socket/socket.ts';
import { parseAddress } from '../../../src/wire/ipv4.ts';
import { DatagramEnd, startSending } from './datagram-end.ts';
import { FrameLog } from './frame-log.ts';
import { leftovers } from './leftovers.ts';
import { type Machine, Network } from './machine.ts';
import { planWorld, type WorldPlan } from './plan.ts';
import { StreamEnd } from './stream-end.ts';
import type { DatagramPlan, SidePlan, StreamPlan } from './traffic.ts';
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
  /** Which connection comes from that machine and port. */
  readonly #byClientPort: Map<string, StreamRun> = new Map();
  readonly #listeners: Map<number, StreamSocket[]> = new Map();

  constructor(plan: WorldPlan, capture: boolean) {
    this.plan = plan;
    this.simulation = new Simulation(plan.seed);
    this.#rng = new SeededRng(plan.seed ^ 0x5eed);
    this.log = new FrameLog(this.simulation, this.simulation.epochNs, capture);
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
    if (!simulation.runUntil(done, LIMIT_US)) problems.push(`not everything ended by ${LIMIT_US / SECOND} s`);
    const endedUs = simulation.nowUs();
    // Machines that are down come back, datagrams arrive.
    const restUs = Math.max(
      endedUs + LINGER_US,
      ...this.plan.events.map((one) => ('untilUs' in one ? one.untilUs : 0)),
    );
    simulation.run(restUs + SECOND);
    judge(this);
    this.#close();
    simulation.run(simulation.nowUs() + FORGET_US);
    for (const machine of this.network.machines) problems.push(...leftovers(machine));
    problems.push(...this.log.faults);
    const { digest, frames, bytes } = this.log;
    return { plan: this.plan, digest, frames, bytes, endedUs, problems };
  }

  address(node: number): number {
    return parseAddress(this.plan.nodes[node]?.ports[0]?.address ?? '') as number;
  }

  #schedule(event: EventPlan): void {
    const { simulation, network } = this;
    if (event.kind === 'change') {
      const { node, port, impairment } = event;
      simulation.at(event.atUs, () => network.machine(node).change(port, impairment));
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

  #serve(machine: Machine): void {
    const listeners = LISTEN_PORTS.map((port) => {
      const listener = machine.kernel?.sockets.stream() as StreamSocket;
      const error = listener.bind(0, port) || listener.listen(1 + randomBelow(this.#rng, 16));
      if (error !== 0) throw new Error(`${machine.node.name}: listen: ${error}`);
      listener.onEvents = () => {
        for (let socket = listener.accept(); socket !== null; socket = listener.accept()) {
          this.#accept(machine, socket);
        }
      };
      return listener;
    });
    this.#listeners.set(machine.index, listeners);
  }

  #accept(machine: Machine, socket: StreamSocket): void {
    const { address, port } = socket.peer;
    const run = this.#byClientPort.get(`${machine.index} ${address}:${port}`);
    if (run === undefined || run.server !== null) {
      this.problems.push(`${machine.node.name}: accepted a connection that nobody made, from port ${port}`);
      socket.abort();
      return;
    }
    run.accepted++;
    run.server = new StreamEnd(this.simulation, this.#rng, run.plan.sides[1] as SidePlan, run.plan.id, false);
    StreamEnd.prepare(socket, run.server.plan);
    run.server.attach(socket);
  }

  #startStream(run: StreamRun): void {
    const { plan } = run;
    const end = new StreamEnd(this.simulation, this.#rng, plan.sides[0], plan.id, true);
    run.client = end;
    const machine = this.network.machine(plan.client);
    if (machine.kernel === null) {
      end.crash();
      return;
    }
    const socket = machine.kernel.sockets.stream();
    StreamEnd.prepare(socket, end.plan);
    end.attach(socket);
    const result = socket.connect(this.address(plan.server), plan.port);
    if (result !== -Errno.EINPROGRESS) {
      end.refuse(result);
      return;
    }
    const { address, port } = socket.local;
    this.#byClientPort.set(`${plan.server} ${address}:${port}`, run);
  }

  #startDatagrams(run: DatagramRun): void {
    const { plan } = run;
    run.started = true;
    const client = this.network.machine(plan.client).kernel;
    const server = this.network.machine(plan.server).kernel;
    if (client === null) return;
    if (!plan.closedPort && server !== null) run.server = this.#openServer(run, server.sockets.datagram());
    const socket = client.sockets.datagram();
    const end = new DatagramEnd(socket, plan);
    run.client = end;
    const address = this.address(plan.server);
    const error = plan.connected ? socket.connect(address, plan.port) : 0;
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

  #openServer({ plan }: DatagramRun, socket: DatagramSocket): DatagramEnd {
    const error = socket.bind(0, plan.port);
    if (error !== 0) throw new Error(`bind ${plan.port}: ${error}`);
    const end = new DatagramEnd(socket, plan);
    end.onReceive = (number, lengthBytes, info) => {
      // What finds no room is not sent back.
      if (plan.echoEvery > 0 && number % plan.echoEvery === 0) end.send(number, lengthBytes, info.address, info.port);
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
