/**
 * Remote memory: operations on the memory of tasks in other programs. Public subpath `multikernel/mbcf`.
 *
 * ```ts
 * import { Mbcf } from 'multikernel/mbcf';
 * const node = await Mbcf.open({ number: 1, bind: '127.0.0.1:7001', peers: { 2: { address: '127.0.0.1:7002' } } });
 * const task = node.task(1);
 * const registered = task.register(new SharedArrayBuffer(4096), { rights: ['read', 'atomic'] });
 * // Hand registered.address to the other program, which says: (await task.attach(address)).fetchAdd(0, 1)
 * ```
 *
 * Each operation is executed exactly once, in the order in which its task called it, by the node that owns the memory; the task there takes no part.
 *
 * @module multikernel/mbcf
 */

export { MultikernelError } from '../base/errors.ts';
export type { DatagramPeer } from '../host/node/datagram-peers.ts';
export type { AttachedMemory } from './attached-memory.ts';
export { Barrier } from './barrier.ts';
export type { Comparison } from './comparison.ts';
export type { DirectMemory, SharedGrant } from './direct-memory.ts';
export { attachDirect, Mbcf, type OpenOptions } from './open.ts';
export { IN_FLIGHT, type InFlightLimit, type MbcfSettings } from './protocol/context.ts';
export type { Fifo } from './protocol/fifo.ts';
export type { Right } from './protocol/grant.ts';
export type { Signal } from './protocol/signal-queue.ts';
export { STATUS_DONE, STATUS_PENDING, statusCode } from './protocol/status.ts';
export type { TaskMemory } from './protocol/task-memory.ts';
export type { MemoryAddress, TaskAddress } from './protocol/task-record.ts';
export type { FifoStatus, Part, RemoteMemory } from './remote-memory.ts';
export type { LocalFifo, RegisteredMemory, RegisterOptions, SharedMemory, Task } from './task.ts';
