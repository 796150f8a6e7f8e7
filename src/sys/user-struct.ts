/**
 * Structures in the memory of a program: read and written through one scratch block.
 *
 * Thread: the one that runs the kernel. `load` copies a structure in once; its fields are read from the copy, which the next
 * `load` replaces. Numbers of 64 bits are read as numbers of JavaScript: those above 2^53 are not exact, and no address.
 */

import { Errno } from '../base/errors.ts';
import type { SocketAddress } from '../socket/socket.ts';
import { AF_INET, AF_INET6, AF_UNSPEC, SOCKADDR_IN_BYTES, SOCKADDR_IN6_BYTES } from './abi.ts';
import type { UserMemory } from './copy.ts';

const SCRATCH_BYTES = 256;
const HIGH_WORD = 2 ** 32;

const bytes: Uint8Array = new Uint8Array(SCRATCH_BYTES);
/** The structure that was loaded last, or is being built. */
export const struct: DataView = new DataView(bytes.buffer);

/** Copy a structure of at most 256 bytes in: 0 or -EFAULT. */
export function load(memory: UserMemory, address: number, lengthBytes: number): number {
  return memory.copyIn(address, bytes, 0, lengthBytes);
}

/** Copy the first bytes of the block out: 0 or -EFAULT. */
export function store(memory: UserMemory, address: number, lengthBytes: number): number {
  return memory.copyOut(bytes, 0, address, lengthBytes);
}

export function int32At(offset: number): number {
  return struct.getInt32(offset, true);
}

export function int64At(offset: number): number {
  return struct.getInt32(offset + 4, true) * HIGH_WORD + struct.getUint32(offset, true);
}

export function uint64At(offset: number): number {
  return struct.getUint32(offset + 4, true) * HIGH_WORD + struct.getUint32(offset, true);
}

export function setInt64(offset: number, value: number): void {
  struct.setUint32(offset, value % HIGH_WORD, true);
  struct.setInt32(offset + 4, Math.floor(value / HIGH_WORD), true);
}

/** Write one int32: 0 or -EFAULT. */
export function storeInt(memory: UserMemory, address: number, value: number): number {
  struct.setInt32(0, value, true);
  return store(memory, address, 4);
}

/** {@link loadAddress} of an address of no family: connect(2) of a datagram socket ends the association. */
export const NO_FAMILY = 1;

/** Read a `struct sockaddr`: 0, NO_FAMILY, -EFAULT, -EINVAL (too short), -EAFNOSUPPORT. */
// cold: an address of six words
export function loadAddress(memory: UserMemory, address: number, lengthBytes: number, into: SocketAddress): number {
  if (lengthBytes < 2 || lengthBytes > SCRATCH_BYTES) return -Errno.EINVAL;
  const error = load(memory, address, lengthBytes);
  if (error !== 0) return error;
  const family = struct.getUint8(1);
  if (family === AF_UNSPEC) return NO_FAMILY;
  if (family === AF_INET) {
    if (lengthBytes < SOCKADDR_IN_BYTES) return -Errno.EINVAL;
    into.setIpv4(struct.getInt32(4), struct.getUint16(2));
    return 0;
  }
  if (family !== AF_INET6) return -Errno.EAFNOSUPPORT;
  if (lengthBytes < SOCKADDR_IN6_BYTES) return -Errno.EINVAL;
  const words = [struct.getInt32(8), struct.getInt32(12), struct.getInt32(16), struct.getInt32(20)] as const;
  into.setIpv6(...words, struct.getUint16(2), struct.getInt32(24, true));
  return 0;
}

/** Length of the `struct sockaddr` of an address. */
export function addressBytes(address: SocketAddress): number {
  return address.family === 4 ? SOCKADDR_IN_BYTES : SOCKADDR_IN6_BYTES;
}

/** Write a `struct sockaddr`, cut to `lengthBytes`: 0 or -EFAULT. */
export function storeAddress(memory: UserMemory, to: number, lengthBytes: number, address: SocketAddress): number {
  const full = addressBytes(address);
  bytes.fill(0, 0, full);
  struct.setUint8(0, full);
  struct.setUint16(2, address.port);
  if (address.family === 4) {
    struct.setUint8(1, AF_INET);
    struct.setInt32(4, address.w3);
  } else {
    struct.setUint8(1, AF_INET6);
    struct.setInt32(8, address.w0);
    struct.setInt32(12, address.w1);
    struct.setInt32(16, address.w2);
    struct.setInt32(20, address.w3);
    struct.setInt32(24, address.scopeId, true);
  }
  return store(memory, to, Math.min(full, lengthBytes));
}

/** Whether {@link giveAddress} will find its length, asked before anything changes: 0 or -EFAULT. */
export function checkLength(memory: UserMemory, to: number, lengthAt: number): number {
  return to === 0 ? 0 : load(memory, lengthAt, 4);
}

/**
 * Answer a call with an address and an in-out length: nothing when `to` is 0. 0, -EFAULT, or -EINVAL for a negative length.
 */
export function giveAddress(memory: UserMemory, to: number, lengthAt: number, address: SocketAddress): number {
  if (to === 0) return 0;
  const error = load(memory, lengthAt, 4);
  if (error !== 0) return error;
  const room = int32At(0);
  if (room < 0) return -Errno.EINVAL;
  const stored = storeAddress(memory, to, room, address);
  return stored !== 0 ? stored : storeInt(memory, lengthAt, addressBytes(address));
}
