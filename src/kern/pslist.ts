/**
 * pslist(9): a list that readers walk while a writer changes it. A reader that stands on an entry which was unlinked finds its way on.
 *
 * Thread: readers in a section of pserialize(9); one writer, under its mutex. An entry is linked last and unlinked first, in one store
 * each, and keeps its own link until it is destroyed (after `Pserialize.perform`). Allocates nothing. Read first: pserialize.ts.
 */

import { assert } from '../base/assert.ts';

/** Place of an object in one list; the object owns it. */
export class PslistEntry<T> {
  readonly value: T;
  /** The list's. */
  next: PslistEntry<T> | null = null;
  linked = false;

  constructor(value: T) {
    this.value = value;
  }

  /** pslist_entry_destroy(9): no reader can hold it any more. */
  destroy(): void {
    assert(!this.linked, 'pslist_entry_destroy: linked');
    this.next = null;
  }
}

export class Pslist<T> {
  /** For readers: the first entry. `next` of an entry leads on. */
  first: PslistEntry<T> | null = null;

  /** pslist_writer_insert_head(9). */
  insertHead(entry: PslistEntry<T>): void {
    assert(!entry.linked, 'pslist: linked already');
    entry.next = this.first;
    entry.linked = true;
    this.first = entry;
  }

  /** Behind all others. */
  insertTail(entry: PslistEntry<T>): void {
    let last = this.first;
    if (last === null) {
      this.insertHead(entry);
      return;
    }
    assert(!entry.linked, 'pslist: linked already');
    while (last.next !== null) last = last.next;
    entry.next = null;
    entry.linked = true;
    last.next = entry;
  }

  /** pslist_writer_remove(9): readers that come later do not meet it. */
  remove(entry: PslistEntry<T>): void {
    assert(entry.linked, 'pslist: not linked');
    entry.linked = false;
    if (this.first === entry) {
      this.first = entry.next;
      return;
    }
    for (let before = this.first; before !== null; before = before.next) {
      if (before.next !== entry) continue;
      before.next = entry.next;
      return;
    }
    assert(false, 'pslist: of another list');
  }
}
