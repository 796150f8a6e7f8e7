/**
 * The host of a kernel: everything a kernel may ask for, and nothing else. `host/node` implements it with threads and real
 * time, `host/sim` on one thread with a virtual clock.
 */

import type { Rng } from '../base/rng.ts';

/** Clock and chance of a kernel, and its way to ask for a turn. */
export interface Host {
  /** Source of sequence numbers, ports and identifiers. */
  readonly rng: Rng;
  /** Monotonic time, microseconds from an arbitrary origin shared by the kernels of one lab. */
  nowUs(): number;
  /** Wall-clock time of `nowUs` 0, nanoseconds since 1970 (for captures). */
  readonly epochNs: bigint;
  /** Have `doWork` of the CPU called soon; callable from anywhere on the kernel's thread, any number of times. */
  requestWork(): void;
  /** Place of the doorbell on which the loop sleeps: devices ring it. Absent where the loop does not sleep on one. */
  readonly doorbellAt?: number;
}

/**
 * The turns of one CPU of one kernel (`Kernel.cpus`), or of anything else that works in turns. A loop runs each of its agents
 * once per round, on its thread; the CPUs of one kernel may lie in different loops.
 */
export interface Agent {
  /** Do the work that is there now, bounded; returns the amount of work done, 0 when there was none. */
  doWork(nowUs: number): number;
  /** Publish frames sent outside `doWork`; cheap when there are none. */
  flush(): void;
  /** When `doWork` must be called even if nothing arrives; `Infinity` when never. */
  nextDeadlineUs(): number;
  /** The same, of work for which the grain of a timer is too coarse (frames of impaired links): the loop polls in front of it. */
  exactDeadlineUs?(): number;
  /** About to sleep: look at every source of work once more. True when there is work after all. */
  workPending(): boolean;
}

/**
 * A stream of bytes each way between a client and a server of remote calls (rump/): a unix socket, TCP, a MessagePort, shared
 * memory. Bytes arrive in order, cut anywhere, and belong to the receiver.
 */
export interface Carrier {
  /** Takes all of `head` and then `body`; the caller changes neither afterwards. False when the carrier has ended. */
  write(head: Uint8Array, body: Uint8Array | null): boolean;
  /** Memory that is kept here because the other side does not read: the bytes taken, and what many short writes cost. */
  readonly queuedBytes: number;
  onBytes: ((bytes: Uint8Array) => void) | null;
  /** `queuedBytes` is 0 again. */
  onDrain: (() => void) | null;
  /** The other side, or what joins both, is gone. Called once, also after `close`; never from inside `write`. */
  onClosed: (() => void) | null;
  /** Written data is still sent while the other side reads. */
  close(): void;
}

/** A carrier whose reader stops its thread until something arrives. */
export interface BlockingCarrier {
  /** Waits until all is sent. False when the carrier has ended. */
  write(head: Uint8Array, body: Uint8Array | null): boolean;
  /** Waits; null when the carrier has ended. */
  read(): Uint8Array | null;
  close(): void;
}

/** A carrier that waits until `start`, and calls `onBytes` and `onClosed` from the event loop afterwards. */
export interface EventCarrier extends BlockingCarrier {
  onBytes: ((bytes: Uint8Array) => void) | null;
  onClosed: (() => void) | null;
  start(): void;
}

/** A carrier whose socket is known by its descriptor. */
export interface DescriptorCarrier extends EventCarrier {
  readonly fd: number;
}

/** Memory of other processes, and wake-ups by descriptor: what a client of remote calls needs to send none of its frames. */
export interface MemoryHost {
  /** The file at `path`, a memory of this process from then on. Throws when it cannot be opened or mapped. */
  open(path: string, byteLength: number): SharedArrayBuffer;
  /** Send a byte over a socket, without a queue. */
  wake(fd: number): void;
  /** Block until the socket can be read, at most `timeoutMs`, and take what came. False when it has ended. */
  wait(fd: number, timeoutMs: number): boolean;
  /** Copies between two buffers at any alignment; ranges are the caller's responsibility. */
  copy(to: ArrayBufferLike, toOffset: number, from: ArrayBufferLike, fromOffset: number, byteLength: number): void;
  /** Memory of this process, whatever it held before: the caller fills all of it. */
  allocate(byteLength: number): Uint8Array<ArrayBuffer>;
}

/** A file that several processes map, one of its many places being ours. */
export interface BusFile {
  /** Place of its mapping in the arena. */
  readonly at: number;
  /** Take a place, as long as the file is open here; a process that ends, however it does, holds none. False: somebody else has it. */
  claim(lane: number): boolean;
  /** `onRing` is called when somebody rings that name. */
  listen(name: string, onRing: () => void): void;
  /** Wake the one who listens under that name; nobody may. */
  ring(name: string): void;
  /** The bell whose word is at a place of the arena, in the file: to block on, or to ring. Throws ENOSYS. */
  bell(at: number): FileBell;
  /** Leave the file, and everything of it that was mapped here. */
  close(): void;
}

/** A bell in a file, of which a thread that blocks is the owner (mem/bell.ts). */
export interface FileBell {
  /** Block until rung, at most so long; the bell says already that its owner sleeps. */
  wait(timeoutMs: number): boolean;
  /** Wake the owner if he sleeps. */
  ring(): void;
}

/** The same of a file that is mapped in parts, each at a place of its own. */
export interface PlacesFile extends BusFile {
  /** Lay a part of the file over a place of the arena, until the file is closed here. Throws ENOMEM. */
  map(offset: number, at: number, byteLength: number): void;
  /** Whether somebody else holds a place: no process that has ended does. */
  held(place: number): boolean;
  /** Call back in a tenth of a second, unless the file was closed here. */
  soon(call: () => void): void;
}

/** A kind of files that several processes map. */
export interface FileKind {
  /** For people. */
  readonly name: string;
  /** First word of such a file. */
  readonly magic: number;
  /** Length of the file. */
  readonly fileBytes: number;
  /** The part at the beginning that is mapped when it is opened. */
  readonly headBytes: number;
  /** Bytes of the arena that one participant needs; the head comes first. */
  readonly placeBytes: number;
  /** Make a file of zeroed memory, or find the one that is there: '' or why it is none. One thread at a time. */
  prepare(head: FileHead, id0: number, id1: number): string;
}

/** The first words of a file, from the byte `base` of the memory that `words` shows. */
export interface FileHead {
  /** The memory, as 32-bit words. */
  readonly words: Int32Array;
  /** Byte at which the file begins in it; 4-aligned. */
  readonly base: number;
}

/** Files of the host, in which participants hold places. */
export interface PlacesHost {
  /** The file at a path, made by whoever comes first. Throws the host's code; ENOEXEC when the file is something else, EPROTO of another version. */
  open(path: string, kind: FileKind): PlacesFile;
}
