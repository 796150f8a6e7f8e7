/**
 * Executes operations that other nodes ask for, on the memory of this node's tasks; the tasks take no part.
 *
 * Thread: that of the node. A packet is nobody's word: lengths, handles and addresses are checked before they are used, and a
 * refusal is one status, sent back whether the sender asked for one or not. Read first: wire/mbcf.ts, grant.ts.
 */

import { CHANGES, changeLong, changeWord } from '../../mem/word-changes.ts';
import * as mbcf from '../../wire/mbcf.ts';
import type { Association } from './association.ts';
import type { AttachedGrant } from './attached-grant.ts';
import type { MbcfContext } from './context.ts';
import { Fifo } from './fifo.ts';
import { type Grant, RIGHT_ATOMIC, RIGHT_READ, RIGHT_SIGNAL, RIGHT_WRITE } from './grant.ts';
import { KEY_BYTES } from './grant-record.ts';
import type { PendingTable } from './pending.ts';
import { SIGNAL_BYTES_MAX, SIGNALS } from './signal-queue.ts';
import {
  STATUS_DEAD_TASK,
  STATUS_DONE,
  STATUS_FULL,
  STATUS_MALFORMED,
  STATUS_MOVED,
  STATUS_NO_FIFO,
  STATUS_STALE,
  STATUS_TOO_LONG,
  STATUS_UNALIGNED,
  STATUS_UNSUPPORTED,
  STATUS_WRONG_KEY,
} from './status.ts';
import type { MemoryAddress, TaskRecord } from './task-record.ts';

/** A status of an operation that has sent its reply itself. */
const REPLIED = -1;
/** Attached grants of one pair at most. */
const ATTACHMENTS_MAX = 65_536;
/** Parts of a vector at most, and their bytes in a packet. */
const PART_BYTES = 12;

/** Writes memory to tasks of other nodes, because somebody asked for it. */
export interface CopyService {
  /** Write data to the memory of a third task, and reply to the tag in the end. False: too many are on their way. */
  copy(from: Association, tag: number, task: number, data: Uint8Array, to: MemoryAddress, address: number): boolean;
}

export interface ExecutorOwner extends CopyService {
  readonly context: MbcfContext;
  readonly pending: PendingTable;
  /** The task of a number: its record, where it has moved, or null. */
  task(number: number): TaskRecord | null;
  /** Memory of tasks was changed, or a signal or record has come for one. */
  changed(task: TaskRecord): void;
  /** Reply to an operation of an association, if that is still the one. */
  replyLater(from: Association, association: number, tag: number, status: number): void;
  /** Index of the counter of operations that were malformed. */
  readonly malformed: number;
}

export class Executor {
  readonly #owner: ExecutorOwner;
  readonly #view: DataView;
  /** The operation that is executed. */
  #from!: Association;
  #tag = 0;
  #flags = 0;
  #dataAt = 0;
  #dataBytes = 0;
  #address = 0;

  constructor(owner: ExecutorOwner) {
    this.#owner = owner;
    this.#view = owner.context.arena.view;
  }

  /** The operations of a packet, in their order. */
  run(from: Association, at: number, bytes: number, count: number, wide: boolean): void {
    const view = this.#view;
    const headerBytes = mbcf.operationHeaderBytes(wide);
    const end = at + bytes;
    let operationAt = at;
    for (let i = 0; i < count; i++) {
      const dataBytes = operationAt + headerBytes <= end ? mbcf.dataBytes(view, operationAt) : 0;
      const next = operationAt + ((headerBytes + dataBytes + 3) & ~3);
      if (next > end) {
        this.#owner.context.counters.add(this.#owner.malformed, 1);
        return;
      }
      this.#one(from, operationAt, headerBytes, dataBytes, wide);
      operationAt = next;
    }
  }

  #one(from: Association, at: number, headerBytes: number, dataBytes: number, wide: boolean): void {
    const view = this.#view;
    const code = mbcf.code(view, at);
    const tag = mbcf.tag(view, at);
    const handle = mbcf.handle(view, at);
    if (code === mbcf.CODE_REPLY) {
      this.#owner.pending.end(from, tag, handle, at + headerBytes, dataBytes);
      return;
    }
    this.#from = from;
    this.#tag = tag;
    this.#flags = mbcf.operationFlags(view, at);
    this.#dataAt = at + headerBytes;
    this.#dataBytes = dataBytes;
    this.#address = mbcf.address(view, at, wide);
    const status = this.#execute(code, handle);
    if (status === REPLIED || tag === 0) return;
    if (status === STATUS_DONE && (this.#flags & mbcf.OPERATION_STATUS) === 0) return;
    if (this.#reply(status, 0) >= 0) from.commit();
  }

  /** Begin a reply with `bytes` of data, which go to the place that is returned; then `commit`. -1: no room, there is none. */
  #reply(status: number, bytes: number): number {
    return this.#from.reserve(mbcf.CODE_REPLY, 0, status, this.#tag, 0, bytes, 0);
  }

  #execute(code: number, handle: number): number {
    if (code === mbcf.CODE_NOP) return STATUS_DONE;
    if (code === mbcf.CODE_ATTACH) return this.#attach();
    const attachment = this.#from.attachments[handle - 1];
    if (attachment == null) return STATUS_STALE;
    if (code === mbcf.CODE_DETACH) {
      this.#from.attachments[handle - 1] = null;
      return STATUS_DONE;
    }
    const { grant } = attachment;
    const task = this.#owner.task(grant.task);
    if (task?.movedTo != null) return this.#moved(task.movedTo);
    const status = this.#operate(code, attachment, grant);
    if (task !== null && (status === STATUS_DONE || status === REPLIED)) this.#owner.changed(task);
    return status;
  }

  #operate(code: number, attachment: AttachedGrant, grant: Grant): number {
    switch (code) {
      case mbcf.CODE_WRITE:
        return this.#write(grant);
      case mbcf.CODE_READ:
        return this.#read(grant);
      case mbcf.CODE_FILL:
        return this.#fill(grant);
      case mbcf.CODE_WRITE_STRIDED:
        return this.#writeStrided(grant);
      case mbcf.CODE_READ_STRIDED:
        return this.#readStrided(grant);
      case mbcf.CODE_WRITE_VECTOR:
        return this.#writeVector(grant);
      case mbcf.CODE_READ_VECTOR:
        return this.#readVector(grant);
      case mbcf.CODE_COPY:
        return this.#copy(grant);
      case mbcf.CODE_FIFO_WRITE:
        return this.#fifoWrite(grant);
      case mbcf.CODE_FIFO_READ:
        return this.#fifoRead(grant);
      case mbcf.CODE_FIFO_STATUS:
        return this.#fifoStatus(grant);
      case mbcf.CODE_SIGNAL:
        return this.#signal(grant, attachment);
      default:
        if (code >= mbcf.CODE_ATOMIC_32 && code < mbcf.CODE_ATOMIC_32 + CHANGES)
          return this.#atomic32(grant, code - mbcf.CODE_ATOMIC_32);
        if (code >= mbcf.CODE_ATOMIC_64 && code < mbcf.CODE_ATOMIC_64 + CHANGES)
          return this.#atomic64(grant, code - mbcf.CODE_ATOMIC_64);
        return STATUS_UNSUPPORTED;
    }
  }

  #check(grant: Grant, right: number, address: number, n: number): number {
    return grant.check(right, address, n, this.#owner.context.nowUs());
  }

  // --- Data ---

  #write(grant: Grant): number {
    const status = this.#check(grant, RIGHT_WRITE, this.#address, this.#dataBytes);
    if (status === STATUS_DONE) grant.memory.write(this.#address, this.#dataAt, this.#dataBytes);
    return status;
  }

  /** Data: number of bytes. */
  #read(grant: Grant): number {
    if (this.#dataBytes !== 4) return STATUS_MALFORMED;
    const n = this.#view.getUint32(this.#dataAt);
    const status = this.#check(grant, RIGHT_READ, this.#address, n);
    if (status !== STATUS_DONE) return status;
    if (n > this.#from.maxDataBytes) return STATUS_TOO_LONG;
    const at = this.#reply(STATUS_DONE, n);
    if (at < 0) return REPLIED;
    grant.memory.read(this.#address, at, n);
    this.#from.commit();
    return REPLIED;
  }

  /** Data: number of bytes, and the byte. */
  #fill(grant: Grant): number {
    if (this.#dataBytes !== 8) return STATUS_MALFORMED;
    const n = this.#view.getUint32(this.#dataAt);
    const status = this.#check(grant, RIGHT_WRITE, this.#address, n);
    if (status === STATUS_DONE) grant.memory.fill(this.#address, n, this.#view.getUint32(this.#dataAt + 4) & 0xff);
    return status;
  }

  /** Data: distance of the blocks, bytes of one, and the blocks. */
  #writeStrided(grant: Grant): number {
    const n = this.#dataBytes - 8;
    if (n < 0) return STATUS_MALFORMED;
    const stride = this.#view.getUint32(this.#dataAt);
    const block = this.#view.getUint32(this.#dataAt + 4);
    if (n === 0) return this.#check(grant, RIGHT_WRITE, this.#address, 0);
    if (block === 0 || n % block !== 0 || stride < block) return STATUS_MALFORMED;
    const count = n / block;
    const status = this.#check(grant, RIGHT_WRITE, this.#address, (count - 1) * stride + block);
    if (status !== STATUS_DONE) return status;
    for (let i = 0; i < count; i++) {
      grant.memory.write(this.#address + i * stride, this.#dataAt + 8 + i * block, block);
    }
    return STATUS_DONE;
  }

  /** Data: distance of the blocks, bytes of one, number of blocks. */
  #readStrided(grant: Grant): number {
    if (this.#dataBytes !== 12) return STATUS_MALFORMED;
    const stride = this.#view.getUint32(this.#dataAt);
    const block = this.#view.getUint32(this.#dataAt + 4);
    const count = this.#view.getUint32(this.#dataAt + 8);
    if (stride < block || (block === 0 && count > 0)) return STATUS_MALFORMED;
    const status = this.#check(grant, RIGHT_READ, this.#address, count === 0 ? 0 : (count - 1) * stride + block);
    if (status !== STATUS_DONE) return status;
    if (count * block > this.#from.maxDataBytes) return STATUS_TOO_LONG;
    const at = this.#reply(STATUS_DONE, count * block);
    if (at < 0) return REPLIED;
    for (let i = 0; i < count; i++) grant.memory.read(this.#address + i * stride, at + i * block, block);
    this.#from.commit();
    return REPLIED;
  }

  /** Data: number of parts, address (64 bits) and bytes of each, and the bytes. All parts are checked before the first is written. */
  #writeVector(grant: Grant): number {
    const total = this.#partsBytes(grant, RIGHT_WRITE);
    if (total < 0) return -total;
    const count = this.#view.getUint32(this.#dataAt);
    let at = this.#dataAt + 4 + count * PART_BYTES;
    if (at + total !== this.#dataAt + this.#dataBytes) return STATUS_MALFORMED;
    for (let i = 0; i < count; i++) {
      const n = this.#partBytes(i);
      grant.memory.write(this.#partAddress(i), at, n);
      at += n;
    }
    return STATUS_DONE;
  }

  #readVector(grant: Grant): number {
    const total = this.#partsBytes(grant, RIGHT_READ);
    if (total < 0) return -total;
    const count = this.#view.getUint32(this.#dataAt);
    if (total > this.#from.maxDataBytes) return STATUS_TOO_LONG;
    let at = this.#reply(STATUS_DONE, total);
    if (at < 0) return REPLIED;
    for (let i = 0; i < count; i++) {
      const n = this.#partBytes(i);
      grant.memory.read(this.#partAddress(i), at, n);
      at += n;
    }
    this.#from.commit();
    return REPLIED;
  }

  /** Bytes of all parts of a vector, or a negative status. */
  #partsBytes(grant: Grant, right: number): number {
    if (this.#dataBytes < 4) return -STATUS_MALFORMED;
    const count = this.#view.getUint32(this.#dataAt);
    if (4 + count * PART_BYTES > this.#dataBytes) return -STATUS_MALFORMED;
    let total = 0;
    for (let i = 0; i < count; i++) {
      const n = this.#partBytes(i);
      const status = this.#check(grant, right, this.#partAddress(i), n);
      if (status !== STATUS_DONE) return -status;
      total += n;
    }
    return total;
  }

  #partAddress(i: number): number {
    const at = this.#dataAt + 4 + i * PART_BYTES;
    return this.#view.getUint32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4);
  }

  #partBytes(i: number): number {
    return this.#view.getUint32(this.#dataAt + 4 + i * PART_BYTES + 8);
  }

  /** Data: node and task of the destination, key, address there, number of bytes. */
  // cold: another node answers before the end
  #copy(grant: Grant): number {
    if (this.#dataBytes !== 20 + KEY_BYTES) return STATUS_MALFORMED;
    const n = this.#view.getUint32(this.#dataAt + 16 + KEY_BYTES);
    const status = this.#check(grant, RIGHT_READ, this.#address, n);
    if (status !== STATUS_DONE) return status;
    const key = new Uint8Array(KEY_BYTES);
    this.#owner.context.bulk.copyOut(key, 0, this.#dataAt + 8, KEY_BYTES);
    const node = this.#view.getInt32(this.#dataAt);
    const destination = { node, task: this.#view.getInt32(this.#dataAt + 4), key };
    const to = Number(this.#view.getBigUint64(this.#dataAt + 8 + KEY_BYTES));
    const data = grant.memory.bytes.slice(this.#address, this.#address + n);
    return this.#owner.copy(this.#from, this.#tag, grant.task, data, destination, to) ? REPLIED : STATUS_FULL;
  }

  // --- Words ---

  /** Data: operand, comparand. */
  #atomic32(grant: Grant, change: number): number {
    if (this.#dataBytes !== 8) return STATUS_MALFORMED;
    if (this.#address % 4 !== 0) return STATUS_UNALIGNED;
    const status = this.#check(grant, RIGHT_ATOMIC, this.#address, 4);
    if (status !== STATUS_DONE) return status;
    const fetches = (this.#flags & mbcf.OPERATION_FETCH) !== 0;
    const at = fetches ? this.#reply(STATUS_DONE, 4) : 0;
    if (at < 0) return REPLIED;
    const operand = this.#view.getInt32(this.#dataAt);
    const old = changeWord(
      grant.memory.words,
      this.#address >> 2,
      change,
      operand,
      this.#view.getInt32(this.#dataAt + 4),
    );
    if (!fetches) return STATUS_DONE;
    this.#view.setInt32(at, old);
    this.#from.commit();
    return REPLIED;
  }

  #atomic64(grant: Grant, change: number): number {
    if (this.#dataBytes !== 16) return STATUS_MALFORMED;
    if (this.#address % 8 !== 0) return STATUS_UNALIGNED;
    const status = this.#check(grant, RIGHT_ATOMIC, this.#address, 8);
    if (status !== STATUS_DONE) return status;
    const fetches = (this.#flags & mbcf.OPERATION_FETCH) !== 0;
    const at = fetches ? this.#reply(STATUS_DONE, 8) : 0;
    if (at < 0) return REPLIED;
    const operand = this.#view.getBigInt64(this.#dataAt);
    const comparand = this.#view.getBigInt64(this.#dataAt + 8);
    const old = changeLong(grant.memory.longs, this.#address / 8, change, operand, comparand);
    if (!fetches) return STATUS_DONE;
    this.#view.setBigInt64(at, old);
    this.#from.commit();
    return REPLIED;
  }

  // --- FIFO and signal ---

  #fifo(grant: Grant, right: number): Fifo | number {
    const status = this.#check(grant, right, this.#address, 0);
    if (status !== STATUS_DONE) return status;
    const task = this.#owner.task(grant.task) as TaskRecord;
    return task.fifoAt(grant.memory, this.#address) ?? STATUS_NO_FIFO;
  }

  #fifoWrite(grant: Grant): number {
    const fifo = this.#fifo(grant, RIGHT_WRITE);
    if (typeof fifo === 'number') return fifo;
    const status = fifo.append(this.#dataAt, this.#dataBytes);
    const waits = status === STATUS_FULL && (this.#flags & mbcf.OPERATION_WAIT) !== 0;
    return waits ? this.#keep(fifo, grant.task) : status;
  }

  /** The record waits, and its reply with it. */
  // cold: the FIFO is full
  #keep(fifo: Fifo, number: number): number {
    const record = new Uint8Array(this.#dataBytes);
    this.#owner.context.bulk.copyOut(record, 0, this.#dataAt, this.#dataBytes);
    const [from, tag] = [this.#from, this.#tag];
    const { association } = from;
    const kept = fifo.keep(record, () => {
      this.#owner.replyLater(from, association, tag, STATUS_DONE);
      const task = this.#owner.task(number);
      if (task !== null) this.#owner.changed(task);
    });
    return kept ? REPLIED : STATUS_FULL;
  }

  #fifoRead(grant: Grant): number {
    const fifo = this.#fifo(grant, RIGHT_READ | RIGHT_WRITE);
    if (typeof fifo === 'number') return fifo;
    const n = fifo.peekBytes();
    const takeable = Fifo.takeable(n, this.#from.maxDataBytes);
    if (takeable !== STATUS_DONE) return takeable;
    const at = this.#reply(STATUS_DONE, n);
    if (at < 0) return REPLIED;
    fifo.takeInto(at, n);
    this.#from.commit();
    fifo.settle();
    return REPLIED;
  }

  /** The reply: bytes used, capacity, records ever written, records refused. */
  #fifoStatus(grant: Grant): number {
    const fifo = this.#fifo(grant, RIGHT_READ);
    if (typeof fifo === 'number') return fifo;
    const at = this.#reply(STATUS_DONE, 16);
    if (at < 0) return REPLIED;
    this.#view.setUint32(at, fifo.usedBytes);
    this.#view.setUint32(at + 4, fifo.capacityBytes);
    this.#view.setUint32(at + 8, fifo.written);
    this.#view.setUint32(at + 12, fifo.refused);
    this.#from.commit();
    return REPLIED;
  }

  /** The address is the signal's number. */
  // cold: a signal is an object
  #signal(grant: Grant, attachment: AttachedGrant): number {
    const status = this.#check(grant, RIGHT_SIGNAL, 0, 0);
    if (status !== STATUS_DONE) return status;
    if (!(this.#address < SIGNALS) || this.#dataBytes > SIGNAL_BYTES_MAX) return STATUS_MALFORMED;
    const { signals } = this.#owner.task(grant.task) as TaskRecord;
    if (signals.full) return STATUS_FULL;
    const data = new Uint8Array(this.#dataBytes);
    this.#owner.context.bulk.copyOut(data, 0, this.#dataAt, this.#dataBytes);
    signals.push({ number: this.#address, node: this.#from.peer, task: attachment.sourceTask, data });
    return STATUS_DONE;
  }

  // --- Handles ---

  /** Data: the task, the task that asks, the key. The reply: handle, rights, bytes of the memory. */
  // cold: once per handle
  #attach(): number {
    if (this.#dataBytes !== 8 + KEY_BYTES) return STATUS_MALFORMED;
    const task = this.#owner.task(this.#view.getUint32(this.#dataAt));
    if (task?.movedTo != null) return this.#moved(task.movedTo);
    const key = new Uint8Array(KEY_BYTES);
    this.#owner.context.bulk.copyOut(key, 0, this.#dataAt + 8, KEY_BYTES);
    const sourceTask = this.#view.getUint32(this.#dataAt + 4);
    const grant = task === null ? null : task.grantFor(key, this.#from.peer, sourceTask);
    const status =
      grant === null
        ? task === null
          ? STATUS_DEAD_TASK
          : STATUS_WRONG_KEY
        : grant.record.state(this.#owner.context.nowUs());
    if (grant === null || status !== STATUS_DONE) return status;
    const { attachments } = this.#from;
    let index = attachments.indexOf(null);
    if (index < 0) index = attachments.length;
    if (index >= ATTACHMENTS_MAX) return STATUS_FULL;
    const at = this.#reply(STATUS_DONE, 16);
    if (at < 0) return REPLIED;
    attachments[index] = { grant, sourceTask };
    this.#view.setUint32(at, index + 1);
    this.#view.setUint32(at + 4, grant.record.rights);
    this.#view.setBigUint64(at + 8, BigInt(grant.memory.byteLength));
    this.#from.commit();
    return REPLIED;
  }

  /** The reply tells where a task is now. */
  // cold: once per handle
  #moved(to: { readonly node: number; readonly task: number }): number {
    const at = this.#reply(STATUS_MOVED, 8);
    if (at < 0) return REPLIED;
    this.#view.setInt32(at, to.node);
    this.#view.setInt32(at + 4, to.task);
    this.#from.commit();
    return REPLIED;
  }
}
