/**
 * Memory of a file without a name (memfd), which two processes map.
 *
 * Thread: any. A file is mapped over pages of a `WebAssembly.Memory`, whose views are there already and whose code reads it like any
 * other memory; never over a `new SharedArrayBuffer`, whose pages the C library uses again after collection. The size is sealed: a
 * process that could cut the file would kill the others when they touch it (SIGBUS). memfd_create(2), mmap(2), fcntl(2).
 */

import { closeSync, ftruncateSync, openSync } from 'node:fs';
import { MultikernelError } from '../../../base/errors.ts';
import { Region, viewsOf } from '../../../mem/region.ts';
import { wasm } from '../../../mem/webassembly.ts';
import { type Libc, libc, missing } from './libc.ts';

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
const F_SEAL_SEAL = 1;
const F_SEAL_SHRINK = 2;
const F_SEAL_GROW = 4;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
/** Places and lengths of mappings are multiples of this on every processor that Node runs on. */
const MAPPING_ALIGN = 65_536;

export interface SharedFile {
  /** By which another process of the same user opens it, until it is closed here. */
  readonly path: string;
  readonly fd: number;
  close(): void;
}

function calls(): Libc {
  const found = libc();
  if (found === null) throw new MultikernelError('ENOSYS', missing());
  return found;
}

/** A new file of `byteLength` zero bytes. Throws ENOSYS without koffi, ENOMEM when the host refuses. */
export function createSharedFile(byteLength: number): SharedFile {
  const { memfd_create, fcntl, close: closeFile } = calls();
  const fd = memfd_create('multikernel', MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) throw new MultikernelError('ENOMEM', 'memfd_create: the host refuses');
  let open = true;
  const close = (): void => {
    if (open) closeFile(fd);
    open = false;
  };
  try {
    ftruncateSync(fd, byteLength);
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW) !== 0)
      throw new MultikernelError('ENOMEM', 'fcntl: the host does not seal');
  } catch (error) {
    close();
    throw error;
  }
  return { path: `/proc/${process.pid}/fd/${fd}`, fd, close };
}

function map({ bytes, base: at, byteLength }: Region, flags: number, fd: number, offset: number = 0): void {
  const { addressOf, mmap } = calls();
  const wanted = addressOf(bytes) + BigInt(at);
  if (at % MAPPING_ALIGN !== 0 || byteLength % MAPPING_ALIGN !== 0 || at + byteLength > bytes.length)
    throw new MultikernelError('EINVAL', `no mapping of ${byteLength} bytes at ${at}`);
  if (BigInt(mmap(wanted, byteLength, PROT_READ_WRITE, flags | MAP_FIXED, fd, offset)) !== wanted)
    throw new MultikernelError('ENOMEM', 'mmap: the host refuses');
}

/** Put a file over the bytes of a memory of this process, for all of its threads. Throws ENOSYS, EINVAL, ENOMEM. */
export function mapFile(region: Region, fd: number, offset: number = 0): void {
  map(region, MAP_SHARED, fd, offset);
}

/** Put zeroed memory of this process in the place of a file. */
export function unmapFile(region: Region): void {
  map(region, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/** The file at `path`, in a memory of its own. Throws ENOSYS, ENOMEM, and what open(2) does. */
export function openSharedFile(path: string, byteLength: number): SharedArrayBuffer {
  calls();
  const fd = openSync(path, 'r+');
  try {
    const pages = byteLength / MAPPING_ALIGN;
    const memory = new wasm.Memory({ initial: pages, maximum: pages, shared: true });
    mapFile(new Region(viewsOf(memory.buffer), 0, byteLength), fd);
    return memory.buffer;
  } finally {
    closeSync(fd);
  }
}
