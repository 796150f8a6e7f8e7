/**
 * Shared memory: the arena and the structures in it. Public subpath `multikernel/mem`.
 *
 * @module multikernel/mem
 */

export { ARENA_BYTES_MAX, Arena, type ArenaOptions, DOORBELL_BYTES } from './arena.ts';
export { type AsyncBell, type Bell, type BlockingBell, ringDoorbell, ringFar, type Waker } from './bell.ts';
export { type Bulk, type BulkOptions, createBulk } from './bulk.ts';
export { type BufferCopy, lendBufferCopy, lendScratch, SCRATCH_TOTAL_BYTES } from './bulk-staging.ts';
export {
  Channel,
  type ChannelDescriptor,
  type ChannelOptions,
  type ChannelSide,
  channelBytes,
  channelHolder,
  checkChannel,
  createChannel,
  formatChannel,
  type OpenChannelOptions,
} from './channel.ts';
export { Counters } from './counters.ts';
export { Doorbell } from './doorbell.ts';
export { Heap, type HeapOptions } from './heap.ts';
export { checkSeal, LINE_BYTES, magicOf, seal } from './layout.ts';
export { acquireLock, inheritLock, releaseLock } from './lock.ts';
export {
  anonymousOwner,
  type DeathProbe,
  OWNER_PROCESS,
  OWNER_THREAD,
  type OwnerHolder,
  type OwnerIdentity,
  OwnerTable,
} from './owner.ts';
export { Region, type Views, viewsOf } from './region.ts';
export { RingConsumer } from './ring-consumer.ts';
export { RingProducer } from './ring-producer.ts';
export { formatSlotPool, SlotPool, type SlotPoolShape, slotPoolBytes } from './slot-pool.ts';
export { SpinBudget, spinBudgetBytes } from './spin-budget.ts';
export {
  checkRing,
  formatRing,
  maxRecordLength,
  RECORD_ALIGN,
  RECORD_HEADER_BYTES,
  recordBytes,
  ringBytes,
  ringCapacity,
} from './spsc-ring.ts';
export type { WasmMemory } from './webassembly.ts';
