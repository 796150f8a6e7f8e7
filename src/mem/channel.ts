/**
 * A channel: two rings, one per direction, between two parties that may die and come back; carries frames, remote calls,
 * remote memory operations and cooperation packets alike.
 *
 * Thread: each end belongs to one thread; the two may lie in different processes. Layout and life cycle:
 * docs/layouts/channel.md. Sending: `reserve` → write in place → `commit`; `publish` once per batch. Receiving: `receive`
 * → read in place → `release`. An end that opens is a new *incarnation* with an epoch of its own. Records reach exactly the
 * incarnation that the sender knew when it published: each producer marks the place in its ring where the records for an
 * epoch begin, and a consumer reads nothing before the mark for its own epoch (`RingProducer.mark`, `RingConsumer.seekMark`). So
 * neither a request to a dead server nor a reply to a dead client reaches its successor. Nothing that the peer writes is
 * believed before it was copied and checked; nonsense breaks this channel, until another incarnation is at the other end.
 */

import { assert } from '../base/assert.ts';
import { Errno, MultikernelError } from '../base/errors.ts';
import type { Arena } from './arena.ts';
import { ringDoorbell, ringFar, type Waker } from './bell.ts';
import {
  ChannelEnd,
  type ChannelPlaces,
  claimEnd,
  END_BELL,
  END_DEAD,
  END_LIFE,
  epochOf,
  freeEnd,
  leaveEnd,
  markEndDead,
  nextLife,
  stateOf,
} from './channel-end.ts';
import { checkSeal, LINE_BYTES, magicOf, seal } from './layout.ts';
import type { OwnerHolder } from './owner.ts';
import { ringBytes, ringCapacity } from './spsc-ring.ts';

const MAGIC = magicOf('MKCH');
const VERSION = 1;
const WORD_CAPACITY = 2;
const WORD_PAD = 3;
const ENDS_OFFSET: number = LINE_BYTES;
const RINGS_OFFSET: number = 3 * LINE_BYTES;

/** Size and padding of both rings of a channel. */
export interface ChannelOptions {
  /** Buffer of each direction, bytes. */
  ringBytes: number;
  /** Contents begin at 8 + this many bytes modulo 64; default 0. */
  padBytes?: number;
}

/** Name of a channel: plain and JSON-able, for another thread or process to open its end by. */
export interface ChannelDescriptor {
  /** Tells it from the descriptors of other structures. */
  readonly kind: 'channel';
  /** Place of the channel, counted from the base of the arena; a multiple of 128. */
  readonly offset: number;
  /** Capacity of each ring, a multiple of 64. */
  readonly capacityBytes: number;
  /** Padding in front of each content: contents begin at 8 + this many bytes modulo 64. */
  readonly padBytes: number;
}

/** One of the two ends; by custom 0 is the one that asked for the channel. */
export type ChannelSide = 0 | 1;

/** Bytes of arena that a channel takes. */
export function channelBytes(options: ChannelOptions): number {
  return RINGS_OFFSET + 2 * ringBytes(ringCapacity(options.ringBytes));
}

/** Lay out a channel in the arena. Throws ENOMEM. */
export function createChannel(arena: Arena, options: ChannelOptions): ChannelDescriptor {
  return formatChannel(arena, arena.allocate(channelBytes(options), LINE_BYTES), options);
}

/** Lay out a channel over zeroed memory at a place that is a multiple of 128. */
// cold: once per channel
export function formatChannel(arena: Arena, at: number, options: ChannelOptions): ChannelDescriptor {
  const capacityBytes = ringCapacity(options.ringBytes);
  const padBytes = options.padBytes ?? 0;
  const offset = arena.offset(at);
  assert(at % LINE_BYTES === 0 && arena.holds(offset, channelBytes(options)), 'channel: place');
  arena.words[(at >> 2) + WORD_CAPACITY] = capacityBytes;
  arena.words[(at >> 2) + WORD_PAD] = padBytes;
  seal(arena.words, at, MAGIC, VERSION);
  return { kind: 'channel', offset, capacityBytes, padBytes };
}

/** '' when the descriptor fits the channel in the arena, otherwise why not. */
// cold: once per channel
export function checkChannel(arena: Arena, channel: ChannelDescriptor): string {
  const { offset, capacityBytes, padBytes } = channel;
  if (offset % LINE_BYTES !== 0 || !arena.holds(offset, RINGS_OFFSET + 2 * ringBytes(capacityBytes)))
    return 'channel outside the arena';
  const at = arena.place(offset);
  const why = checkSeal(arena.words, at, MAGIC, VERSION);
  if (why !== '') return `channel: ${why}`;
  const word = at >> 2;
  const fits = arena.words[word + WORD_CAPACITY] === capacityBytes && arena.words[word + WORD_PAD] === padBytes;
  return fits ? '' : 'channel: other sizes';
}

function endAt(arena: Arena, channel: ChannelDescriptor, side: number): number {
  return arena.place(channel.offset) + ENDS_OFFSET + side * LINE_BYTES;
}

// cold: once per channel
function placesOf(arena: Arena, channel: ChannelDescriptor, side: ChannelSide): ChannelPlaces {
  const rings = arena.place(channel.offset) + RINGS_OFFSET;
  const { capacityBytes, padBytes } = channel;
  const outAt = rings + side * ringBytes(capacityBytes);
  const inAt = rings + (1 - side) * ringBytes(capacityBytes);
  return { outAt, inAt, capacityBytes, padBytes, peerAt: endAt(arena, channel, 1 - side) };
}

/** Identity of the party that opens an end, and how it and its peer are woken. */
export interface OpenChannelOptions {
  /** Id of the party that opens the end (owner.ts). */
  owner: number;
  /** Place of its bell (`arena.allocateDoorbell()`); without one it must poll. */
  bellAt?: number;
  /** Whether an owner is dead (`OwnerTable.isDead`): a dead one's end may be taken. Default: nobody is. */
  isDead?: (owner: number) => boolean;
  /** Wakes the peer, which lies in another process. Default: it lies in this one. */
  waker?: Waker;
}

/**
 * One end of a channel between two parties that may die and come back: records go both ways, in order, to the incarnation of the
 * peer for which they were sent.
 */
export class Channel extends ChannelEnd {
  /** End that this party has. */
  readonly side: ChannelSide;
  /** Id of the party (owner.ts). */
  readonly owner: number;
  /** Epoch of this incarnation. */
  readonly ownEpoch: number;
  /** Whether the peer's records are for this incarnation: `receive` gives them. */
  connected = false;
  readonly #ownWord: number;
  #closed = false;

  /** Open an end. Throws EPROTO when the channel is none, EBUSY when a living owner has this end. */
  // cold: once per end of a channel
  static open(arena: Arena, channel: ChannelDescriptor, side: ChannelSide, options: OpenChannelOptions): Channel {
    const why = checkChannel(arena, channel);
    if (why !== '') throw new MultikernelError('EPROTO', why);
    if (!claimEnd(arena.words, endAt(arena, channel, side) >> 2, options.owner, options.isDead))
      throw new MultikernelError('EBUSY', `channel: end ${side} is in use`);
    return new Channel(arena, channel, side, options);
  }

  private constructor(arena: Arena, channel: ChannelDescriptor, side: ChannelSide, options: OpenChannelOptions) {
    super(arena, placesOf(arena, channel, side), options.waker);
    this.side = side;
    this.owner = options.owner;
    const words = this.words;
    const word = endAt(arena, channel, side) >> 2;
    this.#ownWord = word;
    const life = nextLife(words[word + END_LIFE] as number);
    this.ownEpoch = epochOf(life);
    words[word + END_BELL] = options.bellAt === undefined ? 0 : arena.offset(options.bellAt);
    // 0 is nobody's epoch: records before the first mark are for no incarnation of the peer.
    this.out().mark(0);
    Atomics.store(words, word + END_LIFE, life);
    this.#attend();
    this.wake();
  }

  /** Why nothing can be sent: '' when the peer is there. */
  get downReason(): string {
    if (this.broken !== '') return this.broken;
    if (this.#closed) return 'closed';
    if (this.up) return '';
    return stateOf(this.life) === END_DEAD ? 'the peer died' : 'the peer is not there';
  }

  /** Look for another incarnation of the peer; records are for that one from now on. */
  #attend(): void {
    const isNew = this.look();
    if (isNew) {
      this.connected = false;
      this.out().mark(this.epoch);
      this.wake();
    }
    if (!this.connected) this.#connect();
  }

  /** The peer knows this incarnation: begin at its first record for it. */
  #connect(): void {
    const consumer = this.in(false);
    if (consumer === null || consumer.markedEpoch !== this.ownEpoch) return;
    if (consumer.broken !== '') consumer.takeOver();
    if (consumer.seekMark()) this.connected = true;
    else this.#break(consumer.broken);
  }

  #break(why: string): void {
    this.broken = why;
    this.connected = false;
  }

  /** Whether the peer's life differs from the one known here. A plain load: before sleeping, `pending` takes an ordered one. */
  get #peerMoved(): boolean {
    return this.words[this.peerWord + END_LIFE] !== this.life;
  }

  /**
   * Room for a record of up to `lengthBytes`: the place of its content, or `-ENOTCONN` (no peer), `-ENOBUFS` (full; see
   * `awaitRoom`), `-EMSGSIZE` (longer than the ring ever takes), `-EPIPE` (broken, or closed). A second call before `commit`
   * replaces the first.
   */
  reserve(lengthBytes: number): number {
    if (this.#peerMoved) this.#attend();
    if (this.broken !== '' || this.#closed) return -Errno.EPIPE;
    if (!this.up) return -Errno.ENOTCONN;
    const producer = this.producer as NonNullable<typeof this.producer>;
    const at = producer.reserve(lengthBytes);
    if (at >= 0) return at;
    if (producer.broken !== '') {
      this.#break(producer.broken);
      return -Errno.EPIPE;
    }
    return lengthBytes > producer.maxLengthBytes ? -Errno.EMSGSIZE : -Errno.ENOBUFS;
  }

  /** The record reserved last is complete; `lengthBytes` at most the reserved length, `meta` any int32. */
  commit(lengthBytes: number, meta: number): void {
    (this.producer as NonNullable<typeof this.producer>).commit(lengthBytes, meta);
  }

  /** Make everything committed visible to the peer, and wake it if it sleeps. */
  publish(): void {
    if (this.producer?.publish()) this.wake();
  }

  /** Ask to be woken when there is room; true when a record of `lengthBytes` fits already. */
  awaitRoom(lengthBytes: number): boolean {
    return this.up && this.broken === '' && this.out().awaitRoom(lengthBytes);
  }

  /**
   * Read up to `limit` records: place of the content, length and metadata go to the arrays. Returns how many. They stay valid
   * until `release`, which comes before the next `receive`. Records that a departed peer published still arrive.
   */
  receive(at: Int32Array, length: Int32Array, meta: Int32Array, limit: number): number {
    if (this.#peerMoved || !this.connected) this.#attend();
    if (!this.connected || this.#closed) return 0;
    const consumer = this.consumer as NonNullable<typeof this.consumer>;
    const count = consumer.receive(at, length, meta, 0, limit);
    if (consumer.broken !== '') this.#break(consumer.broken);
    // The head was read before the epoch: records of another incarnation come with another epoch.
    if (count === 0 || epochOf(this.words[this.peerWord + END_LIFE] as number) === this.epoch) return count;
    this.#attend();
    return 0;
  }

  /** All records of the last `receive` were consumed. */
  release(): void {
    if (this.connected && this.consumer?.release()) this.wake();
  }

  /** Whether there may be something to do: records, or another state of the peer. For the look before sleeping. */
  get pending(): boolean {
    if (this.#closed) return false;
    if (Atomics.load(this.words, this.peerWord + END_LIFE) !== this.life) return true;
    if (this.broken !== '') return false;
    if (this.connected) return this.consumer?.pending ?? false;
    return this.in(false)?.markedEpoch === this.ownEpoch;
  }

  /** Leave the end to the next owner; the peer is woken. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    leaveEnd(this.words, this.#ownWord, this.owner);
    this.wake();
  }
}

/**
 * Gives up the ends that dead owners held, and wakes the party at the other end; for `OwnerTable.add` in a process that outlives
 * them. `wakers`: by side, for parties in other processes.
 */
// cold: once per end of a channel
export function channelHolder(
  arena: Arena,
  channel: ChannelDescriptor,
  wakers: readonly (Waker | null)[] = [null, null],
): OwnerHolder {
  const { words } = arena;
  return {
    bury(owner: number): void {
      for (const side of [0, 1]) {
        const word = endAt(arena, channel, side) >> 2;
        if (!markEndDead(words, word, owner)) continue;
        const bellAt = arena.place(words[(endAt(arena, channel, 1 - side) >> 2) + END_BELL] as number);
        if (arena.isDoorbell(bellAt)) {
          const waker = wakers[1 - side] ?? null;
          if (waker === null) ringDoorbell(words, bellAt);
          else ringFar(words, bellAt, waker);
        }
        freeEnd(words, word, owner);
      }
    },
  };
}
