/**
 * The way of a node to its own tasks: operations are executed when they are committed, under the same keys and rights.
 *
 * Thread: that of the node.
 */

import * as mbcf from '../../wire/mbcf.ts';
import type { Association } from './association.ts';
import type { AttachedGrant } from './attached-grant.ts';

export class LocalPair implements Association {
  readonly peer: number;
  readonly attachments: (AttachedGrant | null)[] = [];
  readonly association = 1;
  awaiting = 0;
  readonly maxAddress: number = Number.MAX_SAFE_INTEGER;
  readonly maxDataBytes: number;
  readonly maxOperationBytes: number;
  readonly #view: DataView;
  readonly #execute: (from: Association, at: number, bytes: number) => void;
  /** Places of the operation and of its reply. */
  readonly #requestAt: number;
  readonly #replyAt: number;
  #bytes = 0;
  #replyBytes = 0;
  #replying = false;

  /** `at`: memory of twice `maxBytes`. */
  // cold: once per node
  constructor(
    node: number,
    view: DataView,
    at: number,
    maxBytes: number,
    execute: (from: Association, at: number, bytes: number) => void,
  ) {
    this.peer = node;
    this.#view = view;
    this.#execute = execute;
    this.maxOperationBytes = maxBytes;
    this.maxDataBytes = maxBytes - mbcf.OPERATION_BYTES_64;
    this.#requestAt = at;
    this.#replyAt = at + maxBytes;
  }

  reserve(code: number, flags: number, handle: number, tag: number, address: number, dataBytes: number): number {
    const bytes = mbcf.paddedBytes(true, dataBytes);
    this.#replying = code === mbcf.CODE_REPLY;
    if (this.#replying) this.#replyBytes = bytes;
    else this.#bytes = bytes;
    const at = this.#replying ? this.#replyAt : this.#requestAt;
    return mbcf.writeOperation(this.#view, at, true, code, flags, dataBytes, handle, tag, address);
  }

  commit(): void {
    if (this.#replying) {
      this.#replying = false;
      this.#execute(this, this.#replyAt, this.#replyBytes);
    } else {
      this.#execute(this, this.#requestAt, this.#bytes);
    }
  }

  seal(): void {}
}
