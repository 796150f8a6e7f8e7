/**
 * A node: executes what tasks of other nodes ask of its own tasks, and carries what its tasks ask of others. The protocol of one kernel.
 *
 * Thread: the one that runs the node's turns. Time comes with `doWork` and from the callouts of the context; packets come by `input`. Read
 * first: wire/mbcf.ts, pair.ts, executor.ts. Missing: tasks in other threads than their node.
 */

import { MultikernelError } from '../../base/errors.ts';
import * as mbcf from '../../wire/mbcf.ts';
import type { Association } from './association.ts';
import { DEFAULT_SETTINGS, type MbcfContext, type MbcfSettings, type Wire } from './context.ts';
import { type CopyService, Executor } from './executor.ts';
import { LocalPair } from './local-pair.ts';
import { sendBare } from './packet-out.ts';
import { Pair, type PairDrops, type PairOwner } from './pair.ts';
import { PendingTable } from './pending.ts';
import { STATUS_CLOSED } from './status.ts';
import type { MemoryAddress, TaskRecord } from './task-record.ts';

/** Other nodes at most. */
const PAIRS_MAX = 4096;
/** Memory of a packet without operations, in front of what the node's own tasks ask and get. */
const SCRATCH_BYTES = 64;

export interface MbcfNodeOptions {
  /** Number of the node among all, 1 to 2^31 - 1. */
  readonly number: number;
  /** Epoch of this incarnation: higher than that of each one before, modulo 2^32, and not 0. */
  readonly epoch: number;
  readonly context: MbcfContext;
  readonly wire: Wire;
  readonly settings?: Partial<MbcfSettings>;
  /** Have `doWork` called soon. */
  requestWork(): void;
}

export class MbcfNode implements PairOwner {
  readonly number: number;
  readonly epoch: number;
  readonly context: MbcfContext;
  readonly settings: MbcfSettings;
  readonly wire: Wire;
  readonly drops: PairDrops;
  readonly malformed: number;
  readonly scratchAt: number;
  readonly pending: PendingTable = new PendingTable();
  readonly tasks: Map<number, TaskRecord> = new Map();
  readonly #executor: Executor;
  /** Third-party copies; without it they are refused. */
  copies: CopyService | null = null;
  readonly #local: LocalPair;
  readonly #pairs: Map<number, Pair> = new Map();
  readonly #marked: Pair[] = [];
  readonly #touchedTasks: TaskRecord[] = [];
  /** Attempts that wait for room at a pair, in the order of asking; true: has found it. */
  readonly #waiting: Map<Association, WaitingAttempts> = new Map();
  readonly #requestWork: () => void;
  readonly #received: number;
  readonly #refused: readonly number[];
  #closed = false;

  /** Throws ENOBUFS when the heap has no room. */
  // cold: once per node
  constructor(options: MbcfNodeOptions) {
    const { context, wire } = options;
    this.number = options.number;
    this.epoch = options.epoch;
    this.context = context;
    this.wire = wire;
    this.settings = { ...DEFAULT_SETTINGS, ...options.settings };
    this.#requestWork = () => options.requestWork();
    const { counters, heap } = context;
    this.#received = counters.index('mbcf-received');
    this.malformed = counters.index('mbcf-malformed');
    this.#refused = [...mbcf.CHECK_REASONS.slice(1), 'mbcf-bad-checksum', 'mbcf-other-node', 'mbcf-no-pair'].map(
      (name) => counters.index(name),
    );
    this.drops = {
      stale: counters.index('mbcf-stale'),
      duplicate: counters.index('mbcf-duplicates'),
      early: counters.index('mbcf-early'),
      noRoom: counters.index('mbcf-no-room'),
      resent: counters.index('mbcf-resent'),
      timeouts: counters.index('mbcf-timeouts'),
      naks: counters.index('mbcf-naks'),
      lost: counters.index('mbcf-lost'),
    };
    this.scratchAt = heap.allocate(SCRATCH_BYTES + 2 * wire.maxBytes);
    this.#executor = new Executor(this);
    const localAt = this.scratchAt + SCRATCH_BYTES;
    this.#local = new LocalPair(options.number, context.arena.view, localAt, wire.maxBytes, (from, at, bytes) => {
      this.#executor.run(from, at, bytes, 1, true);
    });
    if (this.scratchAt < 0) throw new MultikernelError('ENOBUFS', 'mbcf: the heap has no room for a node');
  }

  /** The way to a node, which need not be there. Throws ENOBUFS when there is no memory for another one, ECANCELED after `close`. */
  // cold: once per handle
  association(peer: number): Association {
    if (this.#closed) throw new MultikernelError('ECANCELED', 'mbcf: the node is closed');
    if (peer === this.number) return this.#local;
    const pair = this.#pair(peer);
    if (pair?.window.open() !== true)
      throw new MultikernelError('ENOBUFS', 'mbcf: no memory for packets to another node');
    return pair as Pair;
  }

  // cold: an object once per pair
  #pair(peer: number): Pair | null {
    let pair = this.#pairs.get(peer);
    if (pair !== undefined) return pair;
    if (this.#pairs.size >= PAIRS_MAX) return null;
    pair = new Pair(this, peer, this.epoch);
    this.#pairs.set(peer, pair);
    return pair;
  }

  /** The other nodes that this one has dealt with. */
  get pairs(): ReadonlyMap<number, Pair> {
    return this.#pairs;
  }

  // --- Packets ---

  /** A packet of `byteLength` bytes at a place of the arena that nobody else writes; what it is stays to be seen. */
  input(at: number, byteLength: number, nowUs: number): void {
    const { counters, bulk, arena } = this.context;
    const { view } = arena;
    const refused = this.#closed ? 0 : mbcf.check(view, at, byteLength);
    if (this.#closed || refused !== 0) {
      if (refused !== 0) counters.add(this.#refused[refused - 1] as number, 1);
      return;
    }
    const bytes = mbcf.HEADER_BYTES + mbcf.operationBytes(view, at);
    if (this.wire.needsChecksum && bulk.sum(at, bytes) !== 0xffff) {
      counters.add(this.#refused[mbcf.CHECK_REASONS.length - 1] as number, 1);
      return;
    }
    const source = mbcf.sourceNode(view, at);
    if (mbcf.destinationNode(view, at) !== this.number || source <= 0 || source === this.number) {
      counters.add(this.#refused[mbcf.CHECK_REASONS.length] as number, 1);
      return;
    }
    const known =
      this.#pairs.get(source) ?? this.#newcomer(source, mbcf.type(view, at), mbcf.destinationEpoch(view, at));
    if (known === null) {
      counters.add(this.#refused[mbcf.CHECK_REASONS.length + 1] as number, 1);
      // An answer to a hello answers nobody's who is here.
      if (mbcf.type(view, at) !== mbcf.TYPE_HELLO_ACK) this.#strange(source);
      return;
    }
    counters.add(this.#received, 1);
    known.receive(at, nowUs);
  }

  /** State for others is made when they say hello, or have heard of this incarnation. */
  // cold: once per pair
  #newcomer(source: number, type: number, epoch: number): Pair | null {
    return type === mbcf.TYPE_HELLO || epoch === this.epoch ? this.#pair(source) : null;
  }

  /** Somebody speaks to an earlier incarnation of this node: he hears of this one, and nothing is kept of it. */
  // cold: after a restart
  #strange(source: number): void {
    sendBare(this, source, mbcf.TYPE_HELLO, 0, { source: this.epoch, destination: 0 }, 0, 0);
  }

  execute(pair: Pair, at: number, bytes: number, count: number, wide: boolean): void {
    this.#executor.run(pair, at, bytes, count, wide);
  }

  // --- Turns ---

  /** Send what is due, and tell tasks what has happened to them. Returns the amount of work done. */
  doWork(nowUs: number): number {
    const work = this.#touchedTasks.length + this.#marked.length;
    while (this.#touchedTasks.length > 0) {
      const task = this.#touchedTasks.pop() as TaskRecord;
      task.touched = false;
      task.onTurn();
    }
    while (this.#marked.length > 0) {
      const pair = this.#marked.pop() as Pair;
      pair.marked = false;
      pair.flush(nowUs);
    }
    if (work > 0) this.wire.flush();
    return work;
  }

  get workPending(): boolean {
    return this.#touchedTasks.length + this.#marked.length > 0;
  }

  /** Whether all packets have been acknowledged. */
  get drained(): boolean {
    for (const pair of this.#pairs.values()) if (pair.window.held > 0) return false;
    return true;
  }

  /** The wire has room again. */
  resume(): void {
    for (const pair of this.#pairs.values()) pair.unblock();
  }

  // cold: when memory is short
  makeRoom(pair: Pair): void {
    for (const other of this.#pairs.values()) if (other !== pair) other.yieldWindow();
  }

  touched(pair: Pair): void {
    if (pair.marked) return;
    pair.marked = true;
    this.#marked.push(pair);
    this.#requestWork();
  }

  changed(task: TaskRecord): void {
    if (task.touched) return;
    task.touched = true;
    this.#touchedTasks.push(task);
    this.#requestWork();
  }

  // --- Tasks ---

  task(number: number): TaskRecord | null {
    return this.tasks.get(number) ?? null;
  }

  copy(from: Association, tag: number, task: number, data: Uint8Array, to: MemoryAddress, address: number): boolean {
    return this.copies?.copy(from, tag, task, data, to, address) ?? false;
  }

  // cold: when the reply comes later than its operation
  replyLater(from: Association, association: number, tag: number, status: number): void {
    if (tag === 0) return;
    this.awaitRoom(from, () => {
      if (this.#closed || from.association !== association) return true;
      if (from.reserve(mbcf.CODE_REPLY, 0, status, tag, 0, 0, 0) < 0) return false;
      from.commit();
      return true;
    });
  }

  failed(pair: Pair, status: number): void {
    this.pending.fail(pair, status);
  }

  /** Call `attempt` until it has found room at a pair, after those who came before. */
  // cold: when there is no room
  awaitRoom(association: Association, attempt: () => boolean): void {
    let waiting = this.#waiting.get(association);
    if (waiting === undefined) {
      waiting = new WaitingAttempts();
      this.#waiting.set(association, waiting);
    }
    if (waiting.length > 0 || !attempt()) waiting.push(attempt);
  }

  roomy(pair: Pair): void {
    this.#waiting.get(pair)?.run();
  }

  /** Nothing is sent or executed any more; what waits ends with ECANCELED. */
  // cold: once per node
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const pair of this.#pairs.values()) {
      pair.close();
      this.pending.fail(pair, STATUS_CLOSED);
    }
    this.context.heap.free(this.scratchAt);
    for (const waiting of this.#waiting.values()) waiting.run();
    this.#waiting.clear();
  }

  get closed(): boolean {
    return this.#closed;
  }
}

/** Attempts in their order; one succeeds before the next is made. */
class WaitingAttempts {
  #attempts: (() => boolean)[] = [];
  /** Attempts before this one have succeeded. */
  #done = 0;

  get length(): number {
    return this.#attempts.length - this.#done;
  }

  push(attempt: () => boolean): void {
    this.#attempts.push(attempt);
  }

  // cold: when there was no room
  run(): void {
    while (this.#done < this.#attempts.length) {
      if (!(this.#attempts[this.#done] as () => boolean)()) break;
      this.#done++;
    }
    if (this.#done * 2 < this.#attempts.length) return;
    this.#attempts = this.#attempts.slice(this.#done);
    this.#done = 0;
  }
}
