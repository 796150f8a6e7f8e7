/**
 * An MBCF node of a Node program: memory of its own, the event loop of the thread, and UDP to other programs.
 *
 * Thread: the one it is opened on. Missing: nodes in kernels and labs, tasks in other threads.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Agent } from '../host/contract.ts';
import { lendNodeBufferCopy } from '../host/node/buffer-copy.ts';
import { MonotonicClock } from '../host/node/clock.ts';
import { type DatagramPeer, DatagramPeers } from '../host/node/datagram-peers.ts';
import { EventLoop } from '../host/node/event-loop.ts';
import { CalloutTable } from '../kern/callout.ts';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { Counters } from '../mem/counters.ts';
import { Doorbell } from '../mem/doorbell.ts';
import { Heap } from '../mem/heap.ts';
import { SpinBudget, spinBudgetBytes } from '../mem/spin-budget.ts';
import * as mbcf from '../wire/mbcf.ts';
import { DirectMemory, type SharedGrant } from './direct-memory.ts';
import { IN_FLIGHT, type MbcfSettings } from './protocol/context.ts';
import { MbcfNode } from './protocol/node.ts';
import { Task } from './task.ts';

const HEAP_BYTES: number = 32 << 20;
/** The longest datagram that an Ethernet carries whole. */
const DATAGRAM_BYTES = 1472;
const DATAGRAM_BYTES_MAX = 65_507;
/** More packets would overflow the receive buffer that a socket of the host has (208 KiB on Linux). */
const UDP_IN_FLIGHT = IN_FLIGHT['1G'];
/** Epochs count hundredths of a second: nodes that open later have higher ones. */
const EPOCHS_PER_SECOND = 100n;
const NS_PER_SECOND = 1_000_000_000n;
/** A node that closes waits at most so long for acknowledgments. */
const LINGER_US = 1_000_000;

/** Options of `Mbcf.open`. */
export interface OpenOptions {
  /** Number of the node among all, 1 to 2^31 - 1. */
  readonly number: number;
  /** Address at which packets are received; default `127.0.0.1:0`, any free port of loopback. */
  readonly bind?: string;
  /** The other nodes, by number. */
  readonly peers?: Readonly<Record<number, DatagramPeer>>;
  /** Longest datagram, at most 65507; default 1472, which an Ethernet carries whole. */
  readonly datagramBytes?: number;
  /** Limits and times of the protocol; each has a default. */
  readonly settings?: Partial<MbcfSettings>;
}

/** An open node. */
export class Mbcf {
  readonly #node: MbcfNode;
  readonly #peers: DatagramPeers;
  readonly #loop: EventLoop;
  readonly #agent: NodeAgent;
  readonly #counters: Counters;
  #closing: Promise<void> | null = null;

  private constructor(node: MbcfNode, peers: DatagramPeers, loop: EventLoop, agent: NodeAgent, counters: Counters) {
    this.#node = node;
    this.#peers = peers;
    this.#loop = loop;
    this.#agent = agent;
    this.#counters = counters;
  }

  /**
   * Open a node. Rejects with the code of the host (EADDRINUSE), EINVAL for an address, a number or a secret that is none, EACCES for a peer
   * beyond loopback without a secret.
   */
  static async open(options: OpenOptions): Promise<Mbcf> {
    const { number, datagramBytes = DATAGRAM_BYTES } = options;
    if (!(Number.isInteger(number) && number > 0 && number < 0x8000_0000))
      throw new MultikernelError('EINVAL', `mbcf: node ${number}: numbers are 1 to 2147483647`);
    if (!(datagramBytes >= 576 && datagramBytes <= DATAGRAM_BYTES_MAX))
      throw new MultikernelError('EINVAL', `mbcf: datagrams of ${datagramBytes} bytes: 576 to ${DATAGRAM_BYTES_MAX}`);
    const arena = Arena.create(HEAP_BYTES + (1 << 20));
    const loop = new EventLoop({
      doorbell: new Doorbell(arena, arena.allocateDoorbell()),
      spinBudget: new SpinBudget(arena.words, arena.allocate(spinBudgetBytes(1)), 1),
      pollUs: 0,
    });
    const bulk = createBulk(arena);
    const callouts = new CalloutTable();
    const counters = Counters.open(arena, 'mbcf');
    const inputAt = arena.allocate(DATAGRAM_BYTES_MAX + 1, 64);
    const peers = await DatagramPeers.open({
      number,
      bind: options.bind ?? '127.0.0.1:0',
      peers: options.peers ?? {},
      datagramBytes,
      senderOf: (packet) => (packet.length < mbcf.HEADER_BYTES ? 0 : mbcf.sourceNode(viewOf(packet), 0)),
      onPacket: (packet) => {
        bulk.copyIn(inputAt, packet, 0, packet.length);
        node.input(inputAt, packet.length, loop.nowUs());
      },
    });
    const node: MbcfNode = new MbcfNode({
      number,
      epoch: Number(
        BigInt.asIntN(
          32,
          (loop.epochNs + BigInt(Math.round(loop.nowUs())) * 1000n) / (NS_PER_SECOND / EPOCHS_PER_SECOND),
        ),
      ),
      context: {
        arena,
        bulk,
        heap: new Heap(arena.allocate(HEAP_BYTES, 4096), HEAP_BYTES),
        callouts,
        rng: loop.rng,
        counters,
        nowUs: () => loop.nowUs(),
      },
      wire: {
        maxBytes: peers.maxBytes,
        needsChecksum: false,
        send: (to, at, byteLength) => {
          const packet = new Uint8Array(byteLength);
          bulk.copyOut(packet, 0, at, byteLength);
          // A datagram that is thrown away is lost, as one on the way.
          peers.send(to, packet);
          return true;
        },
        flush: () => {},
      },
      settings: { inFlight: UDP_IN_FLIGHT, ...options.settings },
      requestWork: () => loop.requestWork(),
    });
    const agent = new NodeAgent(node, callouts);
    loop.add(agent);
    return new Mbcf(node, peers, loop, agent, counters);
  }

  /** Number of the node. */
  get number(): number {
    return this.#node.number;
  }

  /** The address at which it receives packets: others write in their `peers`. */
  get address(): string {
    return this.#peers.address;
  }

  /** Counters by name: packets received, sent again, refused. */
  get counters(): Readonly<Record<string, number>> {
    return { ...this.#counters.snapshot(), 'datagrams-refused': this.#peers.refused };
  }

  /** A task of this node. Throws EEXIST when there is one of that number, EINVAL unless it is 1 to 2^31 - 1. */
  task(number: number): Task {
    return new Task(this.#node, number);
  }

  /** Know one more node, or another address of one. Throws as `open` rejects. */
  addPeer(number: number, peer: DatagramPeer): void {
    this.#peers.add(number, peer);
  }

  /**
   * Close the node, once others have what it has sent, or after a second. Operations that wait then are rejected with ECANCELED; others that ask this
   * node hear nothing any more.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#agent.drained(this.#loop.nowUs() + LINGER_US, () => this.#loop.requestWork());
    this.#node.close();
    this.#loop.remove(this.#agent);
    this.#loop.close();
    await this.#peers.close();
  }

  /** As `close`: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function viewOf(packet: Uint8Array): DataView {
  return new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
}

/**
 * The memory of a task of another thread of this process, for this one: `shared` is `registered.shared` of its owner, and `key` the key. Throws EKEYREJECTED,
 * EKEYREVOKED, EKEYEXPIRED, ESRCH or EREMCHG; EPROTO when `shared` is none.
 */
export function attachDirect(shared: SharedGrant, key: Uint8Array): DirectMemory {
  lendNodeBufferCopy();
  const clock = new MonotonicClock();
  return new DirectMemory(shared, key, () => clock.nowUs());
}

/** The turns of a node. */
class NodeAgent implements Agent {
  readonly #node: MbcfNode;
  readonly #callouts: CalloutTable;
  /** The end of the wait for acknowledgments, and who waits. */
  #untilUs = Number.POSITIVE_INFINITY;
  #onDrained: (() => void) | null = null;

  constructor(node: MbcfNode, callouts: CalloutTable) {
    this.#node = node;
    this.#callouts = callouts;
  }

  doWork(nowUs: number): number {
    const work = this.#callouts.run(nowUs) + this.#node.doWork(nowUs);
    if (this.#onDrained !== null && (this.#node.drained || nowUs >= this.#untilUs)) {
      this.#onDrained();
      this.#onDrained = null;
      this.#untilUs = Number.POSITIVE_INFINITY;
    }
    return work;
  }

  flush(): void {}

  nextDeadlineUs(): number {
    return Math.min(this.#callouts.nextDeadlineUs(), this.#untilUs);
  }

  workPending(): boolean {
    return this.#node.workPending;
  }

  /** Resolves when all packets have been acknowledged, or at that time. */
  drained(untilUs: number, requestWork: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#onDrained = resolve;
      this.#untilUs = untilUs;
      requestWork();
    });
  }
}
