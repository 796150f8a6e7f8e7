/**
 * The descriptors of a process: small numbers for open files (struct filedesc).
 *
 * Thread: the one that runs the kernel. A new descriptor is the lowest number that is free; the limit is the process's
 * (RLIMIT_NOFILE), and numbers beyond it that exist stay when it is lowered. Read first: dup(2), fcntl(2), close(2).
 */

import { Errno } from '../base/errors.ts';
import type { OpenFile } from './file.ts';

/** Descriptors that a process may ask for at most. */
const DESCRIPTORS_MOST = 65_536;

export class DescriptorTable {
  /** Highest number of a new descriptor, plus one. */
  limit: number;
  /** The most that `limit` may be raised to. */
  limitMax: number = DESCRIPTORS_MOST;
  readonly #files: (OpenFile | null)[] = [];
  readonly #closeOnExec: boolean[] = [];
  /** No number below is free. */
  #lowestFree = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** `max` is the limit, and the most that it may be raised to. */
  setLimits(max: number): void {
    this.limit = max;
    this.limitMax = max;
  }

  /** Open descriptors. */
  // cold: once per process
  get count(): number {
    return this.#files.reduce((sum, file) => sum + (file === null ? 0 : 1), 0);
  }

  /** Whether `add` would fail. */
  get full(): boolean {
    return this.#free(0) >= this.limit;
  }

  get(fd: number): OpenFile | null {
    return this.#files[fd] ?? null;
  }

  /** Give a file the lowest free number from `from` on: the number, or -EMFILE. */
  add(file: OpenFile, closeOnExec: boolean = false, from: number = 0): number {
    const fd = this.#free(from);
    if (fd >= this.limit) return -Errno.EMFILE;
    this.#enter(fd, file, closeOnExec);
    if (from <= this.#lowestFree) this.#lowestFree = fd + 1;
    return fd;
  }

  /** dup2(2): `fd`, whose file is closed first, or -EBADF. */
  addAt(fd: number, file: OpenFile, closeOnExec: boolean = false): number {
    if (!(Number.isInteger(fd) && fd >= 0 && fd < this.limit)) return -Errno.EBADF;
    const before = this.get(fd);
    // The file is held before the other goes: they may be one.
    file.hold();
    if (before !== null) this.close(fd);
    this.#enter(fd, file, closeOnExec);
    file.references--;
    return fd;
  }

  closeOnExec(fd: number): boolean {
    return this.#closeOnExec[fd] ?? false;
  }

  setCloseOnExec(fd: number, on: boolean): void {
    if (this.get(fd) !== null) this.#closeOnExec[fd] = on;
  }

  /** 0 or -EBADF. Calls that wait on the descriptor end with -EBADF. */
  close(fd: number): number {
    const file = this.get(fd);
    if (file === null) return -Errno.EBADF;
    this.#files[fd] = null;
    this.#closeOnExec[fd] = false;
    this.#lowestFree = Math.min(this.#lowestFree, fd);
    file.release();
    return 0;
  }

  closeAll(): void {
    for (let fd = 0; fd < this.#files.length; fd++) this.close(fd);
  }

  /** A new program takes over: descriptors marked FD_CLOEXEC go. */
  exec(): void {
    for (let fd = 0; fd < this.#files.length; fd++) if (this.closeOnExec(fd)) this.close(fd);
  }

  /** The same files under the same numbers, as a child gets them. */
  // cold: once per process
  fork(): DescriptorTable {
    const child = new DescriptorTable(this.limit);
    child.limitMax = this.limitMax;
    this.#files.forEach((file, fd) => {
      if (file?.inherited === true) child.#enter(fd, file, this.closeOnExec(fd));
    });
    return child;
  }

  #free(from: number): number {
    let fd = Math.max(from, this.#lowestFree);
    while (fd < this.#files.length && this.#files[fd] !== null) fd++;
    return fd;
  }

  #enter(fd: number, file: OpenFile, closeOnExec: boolean): void {
    while (this.#files.length < fd) this.#files.push(null);
    this.#files[fd] = file;
    this.#closeOnExec[fd] = closeOnExec;
    file.hold();
  }
}
