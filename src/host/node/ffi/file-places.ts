/**
 * Buses and vni networks as files of the host: mapped over parts of an arena, places in them held by locks, sleepers woken over
 * sockets.
 *
 * Thread: the one that runs the kernels of the arena. A place is a byte of the file under an open file description lock, which the
 * host drops when its holder ends, at whatever instant, and whose number no process can inherit. A sleeper listens at an abstract socket
 * whose name nobody had before him (mem/bus.ts), so that a ring never reaches a wrong one. fcntl(2), "Open file description locks".
 * Missing: participants in several network namespaces hear no rings from each other, and look when they wake by themselves. A file
 * that somebody cuts ends its participants (SIGBUS).
 */

import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync } from 'node:fs';
import { MultikernelError } from '../../../base/errors.ts';
import type { Arena } from '../../../mem/arena.ts';
import { FutexBell } from '../../../mem/futex-bell.ts';
import { nap } from '../../../mem/nap.ts';
import type { Region } from '../../../mem/region.ts';
import type { Carrier, FileKind, PlacesFile, PlacesHost } from '../../contract.ts';
import { SystemRng } from '../clock.ts';
import { connectSocket, listenNow } from '../socket-carrier.ts';
import { futexOf } from './futex.ts';
import { libc, missing } from './libc.ts';
import { mapFile, unmapFile } from './shared-file.ts';

const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
const F_WRLCK = 1;
const F_UNLCK = 2;
const FLOCK_BYTES = 32;
const FLOCK_START = 8;
const FLOCK_LENGTH = 16;
/** Time until {@link PlacesFile.soon} calls. */
const SOON_MS = 100;
/** Byte of the file that its maker holds while it is made; the places are the bytes from 0 on. */
const MAKER_BYTE = 4096;
/** A maker needs less than a millisecond; one that was stopped is waited for so long. */
const MAKER_TRIES = 500;
const MAPPING_ALIGN = 65_536;

/** A struct flock for one byte. */
function lockOf(byte: number, type: number): Uint8Array {
  const lock = new Uint8Array(FLOCK_BYTES);
  const view = new DataView(lock.buffer);
  view.setInt16(0, type, true);
  view.setBigInt64(FLOCK_START, BigInt(byte), true);
  view.setBigInt64(FLOCK_LENGTH, 1n, true);
  return lock;
}

/** Take a byte of a file for this description, or give it back. False: another description has it. */
function lockByte(fd: number, byte: number, type: number = F_WRLCK): boolean {
  return libc()?.fcntl_lock(fd, F_OFD_SETLK, lockOf(byte, type)) === 0;
}

/** Whether another description has a byte; in doubt it has. */
function isLocked(fd: number, byte: number): boolean {
  const lock = lockOf(byte, F_WRLCK);
  if (libc()?.fcntl_lock(fd, F_OFD_GETLK, lock) !== 0) return true;
  return new DataView(lock.buffer).getInt16(0, true) !== F_UNLCK;
}

/** '' when the file can be made one of that kind, or is one, by what it holds so far. */
function whyNot(fd: number, { name, magic }: FileKind): string {
  const head = new Int32Array(1);
  const read = readSync(fd, new Uint8Array(head.buffer), 0, 4, 0);
  return read === 0 || (read === 4 && (head[0] === 0 || head[0] === magic)) ? '' : `not ${name}`;
}

/** Connections of one participant to those that it wakes, by name. */
class Ringer {
  readonly #lines = new Map<string, Carrier | 'wanted' | 'nobody'>();

  ring(name: string): void {
    const line = this.#lines.get(name);
    if (line === undefined) this.#connect(name);
    // A connection on its way wakes by itself.
    else if (typeof line === 'object') (line as Carrier & { wake(): void }).wake();
  }

  #connect(name: string): void {
    this.#lines.set(name, 'wanted');
    connectSocket({ kind: 'unix', path: `\0${name}` }, false).then(
      (carrier) => {
        if (this.#lines.get(name) !== 'wanted') {
          carrier.close();
          return;
        }
        carrier.onClosed = () => void this.#lines.set(name, 'nobody');
        this.#lines.set(name, carrier);
        (carrier as Carrier & { wake(): void }).wake();
      },
      // Dead, and nobody comes under this name again.
      () => void this.#lines.set(name, 'nobody'),
    );
  }

  close(): void {
    for (const line of this.#lines.values()) if (typeof line === 'object') line.close();
    this.#lines.clear();
  }
}

/** Files that several processes map, over parts of an arena. */
export class FilePlaces implements PlacesHost {
  readonly #arena: Arena;
  /** By kind: parts of the arena that no file lies over any more. */
  readonly #free = new Map<FileKind, number[]>();

  /** No file is open yet; files are mapped into parts of the arena, taken from it when they are opened. */
  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /**
   * The file at a path, made by whoever comes first. Throws ENOSYS without koffi, ENOEXEC when the file is something else, EPROTO of
   * another version, EBUSY while somebody makes it, ENOMEM when the arena is used up, and what open(2) does.
   */
  open(path: string, kind: FileKind): PlacesFile {
    if (libc() === null) throw new MultikernelError('ENOSYS', missing());
    const fd = openFile(path);
    let at: number;
    try {
      at = this.#map(path, fd, kind);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    const ringer = new Ringer();
    const listening: { close(): void }[] = [];
    const region = (from: number, byteLength: number): Region => this.#arena.part(this.#arena.offset(from), byteLength);
    let open = true;
    return {
      at,
      claim: (lane) => lockByte(fd, lane),
      listen: (name, onRing) => {
        const accept = (carrier: Carrier): void => {
          carrier.onBytes = onRing;
          onRing();
        };
        listening.push(listenNow({ kind: 'unix', path: `\0${name}` }, accept, () => undefined));
      },
      ring: (name) => ringer.ring(name),
      bell: (bellAt) => new FutexBell(this.#arena.words, bellAt, futexOf(this.#arena.bytes)),
      map: (offset, to, byteLength) => mapFile(region(to, byteLength), fd, offset),
      held: (place) => isLocked(fd, place),
      soon: (call) => {
        setTimeout(() => {
          if (open) call();
        }, SOON_MS).unref();
      },
      close: () => {
        if (!open) return;
        open = false;
        for (const one of listening) one.close();
        ringer.close();
        unmapFile(region(at, kind.placeBytes));
        this.#freeOf(kind).push(at);
        closeSync(fd);
      },
    };
  }

  #freeOf(kind: FileKind): number[] {
    let free = this.#free.get(kind);
    if (free === undefined) this.#free.set(kind, (free = []));
    return free;
  }

  /** Map the head of the file, having made the file what it is to be where nobody has. */
  #map(path: string, fd: number, kind: FileKind): number {
    for (let tries = 0; !lockByte(fd, MAKER_BYTE); tries++) {
      if (tries === MAKER_TRIES) throw new MultikernelError('EBUSY', `${path}: somebody makes this file`);
      nap(1);
    }
    const why = whyNot(fd, kind);
    if (why !== '') throw new MultikernelError('ENOEXEC', `${path}: ${why}`);
    if (fstatSync(fd).size < kind.fileBytes) ftruncateSync(fd, kind.fileBytes);
    const at = this.#freeOf(kind).pop() ?? this.#arena.allocate(kind.placeBytes, MAPPING_ALIGN);
    const region = this.#arena.part(this.#arena.offset(at), kind.headBytes);
    try {
      mapFile(region, fd);
      const rng = new SystemRng();
      const fault = kind.prepare(region, rng.next32(), rng.next32());
      if (fault !== '') throw new MultikernelError('EPROTO', `${path}: ${fault}`);
    } catch (error) {
      unmapFile(region);
      this.#freeOf(kind).push(at);
      throw error;
    }
    lockByte(fd, MAKER_BYTE, F_UNLCK);
    return at;
  }
}

function openFile(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException;
    throw new MultikernelError(code, `${path}: ${code}`, { cause: error });
  }
}
