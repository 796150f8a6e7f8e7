/**
 * System calls that Node has no function for, by koffi, an optional dependency.
 *
 * Thread: any. One declaration per system call and nothing else that knows koffi, so that Node's own `node:ffi` can take its
 * place. No call may block without bound: a thread in a foreign call cannot be ended. Linux only: the numbers are its ABI's.
 * Without koffi {@link libc} is null and {@link missing} says why; everything inside one process works.
 */

import { createRequire } from 'node:module';
import type { NativeLoad } from '../../../mem/native-load.ts';

export interface Libc {
  memfd_create(name: string, flags: number): number;
  /** For descriptors that Node did not open: it warns of those that it closes. */
  close(fd: number): number;
  fcntl(fd: number, command: number, value: number): number;
  /** fcntl(2) with a `struct flock`. */
  fcntl_lock(fd: number, command: number, lock: Uint8Array): number;
  /** Place in the address space, or all bits set (-1). */
  mmap(at: bigint, byteLength: number, protection: number, flags: number, fd: number, offset: number): bigint;
  poll(fds: Int32Array, count: number, timeoutMs: number): number;
  send(fd: number, bytes: Uint8Array, byteLength: number, flags: number): number;
  recv(fd: number, bytes: Uint8Array, byteLength: number, flags: number): number;
  /** futex(2) on the word at that place, seen by every process that maps it; `timeout` is a timespec or null. Null on other processors. */
  futex: ((place: number, operation: number, value: number, timeout: Int32Array | null) => number) | null;
  /** Place of the bytes of an array. */
  addressOf(bytes: Uint8Array): bigint;
}

/** Numbers of futex(2), by `process.arch`. */
const SYS_FUTEX: Readonly<Record<string, number>> = { x64: 202, arm64: 98, riscv64: 98, loong64: 98 };

interface Koffi {
  load(path: string | null): { func(prototype: string): (...args: never[]) => unknown };
  address(value: Uint8Array): bigint;
}

let found: Libc | null | undefined;
let why = '';
/** Guard of this thread, which another may end; null: none does. */
let guard: NativeLoad | null = null;

/** This thread may be ended by another, which looks at `load`. */
export function guardLoad(load: NativeLoad): void {
  guard = load;
}

function load(): Libc | null {
  if (process.platform !== 'linux') {
    why = `memory between processes needs Linux, not ${process.platform}`;
    return null;
  }
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const library = koffi.load(null);
    const declare = <T>(prototype: string): T => library.func(prototype) as T;
    const futex = declare<(...args: unknown[]) => number>(
      'long syscall(long number, uintptr_t place, int operation, int value, const int32_t *timeout)',
    );
    const number = SYS_FUTEX[process.arch];
    return {
      memfd_create: declare('int memfd_create(const char *name, unsigned int flags)'),
      close: declare('int close(int fd)'),
      fcntl: declare('int fcntl(int fd, int command, int value)'),
      fcntl_lock: declare('int fcntl(int fd, int command, _Inout_ uint8_t *lock)'),
      mmap: declare(
        'uintptr_t mmap(uintptr_t at, size_t length, int protection, int flags, int fd, int64_t offset)',
      ) as Libc['mmap'],
      poll: declare('int poll(_Inout_ int32_t *fds, unsigned long count, int timeout)'),
      send: declare('intptr_t send(int fd, const uint8_t *bytes, size_t length, int flags)'),
      recv: declare('intptr_t recv(int fd, _Out_ uint8_t *bytes, size_t length, int flags)'),
      futex:
        number === undefined
          ? null
          : (place, operation, value, timeout) => futex(number, place, operation, value, timeout),
      addressOf: (bytes) => BigInt(koffi.address(bytes)),
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    why =
      code === 'MODULE_NOT_FOUND' ? 'the optional package koffi is not installed' : `koffi: ${message.split('\n')[0]}`;
    return null;
  }
}

/** The calls, null where there are none. Loaded when first asked for. */
export function libc(): Libc | null {
  if (found !== undefined) return found;
  const loaded = guard === null ? load() : guard.run(load);
  if (loaded === undefined) why = 'the thread ends';
  found = loaded ?? null;
  return found;
}

/** Why {@link libc} is null, in one line. */
export function missing(): string {
  libc();
  return why;
}
