/**
 * A grant as every thread sees it: a record in shared memory.
 *
 * Thread: the owner's node writes, everybody reads. So threads that have the memory and the record operate on the memory by themselves, and a
 * revocation holds for them at once as well. Words of the machine's order:
 *
 *      0        4        8       12       16     20       24       32        48        56       64        72
 *     +--------+--------+-------+--------+------+--------+--------+---------+---------+--------+---------+
 *     | 'MKGR' | rights | state | denied | task | grantee node, task | key     | expires | offset | length  |
 *     +--------+--------+-------+--------+------+--------+--------+---------+---------+--------+---------+
 *
 * The last three are doubles: microseconds of the machine's monotonic clock, and bytes of the buffer. A state of 0 is live; another one is
 * the status of those who try.
 */

import { CHANGE_ADD, changeWord, readWord, writeWord } from '../../mem/word-changes.ts';
import { STATUS_DONE, STATUS_EXPIRED, STATUS_NO_RIGHT, STATUS_OUT_OF_RANGE } from './status.ts';

/** 'MKGR' */
const MAGIC = 0x4d4b4752;
/** Bytes of memory that a record takes. */
export const RECORD_BYTES = 128;
const WORD_MAGIC = 0;
const WORD_RIGHTS = 1;
const WORD_STATE = 2;
const WORD_DENIED = 3;
const WORD_TASK = 4;
const WORD_NODE_ALLOWED = 5;
const WORD_TASK_ALLOWED = 6;
const KEY_AT = 32;
const DOUBLE_EXPIRES = 6;
const DOUBLE_OFFSET = 7;
const DOUBLE_LENGTH = 8;

/** Bytes of a key. */
export const KEY_BYTES = 16;

export interface GrantTerms {
  /** Number of the task whose memory it is. */
  readonly task: number;
  /** Bits of the rights. */
  readonly rights: number;
  /** The only node, and the only task there, that may use it; 0: any. */
  readonly grantee: { readonly node: number; readonly task: number };
  /** Not usable from this time on; `Infinity`: never expires. */
  readonly expiresUs: number;
  readonly byteOffset: number;
  readonly byteLength: number;
  readonly key: Uint8Array;
}

export class GrantRecord {
  readonly buffer: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly rights: number;
  readonly task: number;
  readonly granteeNode: number;
  readonly granteeTask: number;
  readonly expiresUs: number;
  readonly byteOffset: number;
  readonly byteLength: number;

  /** The record that is in a buffer. Its terms never change, but for the state. */
  // cold: once per grant and thread
  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#words = new Int32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    const doubles = new Float64Array(buffer);
    this.rights = this.#words[WORD_RIGHTS] as number;
    this.task = this.#words[WORD_TASK] as number;
    this.granteeNode = this.#words[WORD_NODE_ALLOWED] as number;
    this.granteeTask = this.#words[WORD_TASK_ALLOWED] as number;
    this.expiresUs = doubles[DOUBLE_EXPIRES] as number;
    this.byteOffset = doubles[DOUBLE_OFFSET] as number;
    this.byteLength = doubles[DOUBLE_LENGTH] as number;
  }

  /** Whether a buffer holds a record. */
  // cold: once per grant and thread
  static isIn(buffer: SharedArrayBuffer): boolean {
    return buffer.byteLength === RECORD_BYTES && readWord(new Int32Array(buffer), WORD_MAGIC) === MAGIC;
  }

  // cold: once per grant
  static write(buffer: SharedArrayBuffer, terms: GrantTerms): GrantRecord {
    const words = new Int32Array(buffer);
    const doubles = new Float64Array(buffer);
    words[WORD_RIGHTS] = terms.rights;
    words[WORD_TASK] = terms.task;
    words[WORD_NODE_ALLOWED] = terms.grantee.node;
    words[WORD_TASK_ALLOWED] = terms.grantee.task;
    new Uint8Array(buffer).set(terms.key, KEY_AT);
    doubles[DOUBLE_EXPIRES] = terms.expiresUs;
    doubles[DOUBLE_OFFSET] = terms.byteOffset;
    doubles[DOUBLE_LENGTH] = terms.byteLength;
    writeWord(words, WORD_MAGIC, MAGIC);
    return new GrantRecord(buffer);
  }

  // cold: once per grantee
  get key(): Uint8Array {
    return this.#bytes.slice(KEY_AT, KEY_AT + KEY_BYTES);
  }

  /** Operations that were denied; modulo 2^32. */
  get denied(): number {
    return readWord(this.#words, WORD_DENIED) >>> 0;
  }

  /** All who try from now on get that status. */
  end(status: number): void {
    writeWord(this.#words, WORD_STATE, status);
  }

  /** Whether the grant can be used now, by anybody: a status. */
  state(nowUs: number): number {
    const state = readWord(this.#words, WORD_STATE);
    if (state !== 0) return state;
    return nowUs >= this.expiresUs ? STATUS_EXPIRED : STATUS_DONE;
  }

  /** Whether `[address, address + n)` may be used with a right now: a status. A refusal is counted. */
  check(right: number, address: number, n: number, nowUs: number): number {
    let status = this.state(nowUs);
    if (status === STATUS_DONE) {
      if ((this.rights & right) !== right) status = STATUS_NO_RIGHT;
      else if (!(address >= 0 && n >= 0 && address + n <= this.byteLength)) status = STATUS_OUT_OF_RANGE;
      else return STATUS_DONE;
    }
    changeWord(this.#words, WORD_DENIED, CHANGE_ADD, 1, 0);
    return status;
  }

  /** Whether a key is this one's. */
  // cold: once per handle
  opens(key: Uint8Array): boolean {
    let difference = key.length ^ KEY_BYTES;
    // Every byte is looked at, so that time tells nothing.
    for (let i = 0; i < KEY_BYTES; i++) difference |= (this.#bytes[KEY_AT + i] as number) ^ (key[i] ?? 0);
    return difference === 0;
  }
}
