/**
 * Interest lists: descriptors of a process, each with the events that matter, and those that have something to tell.
 *
 * Thread: the one that runs the kernel. An interest watches its file; a change puts it on the list of candidates, and only
 * candidates are looked at when a program asks: the cost of asking does not grow with the number of interests. Level: told as
 * long as it is so. Edge (EV_CLEAR): told once after each change. One-shot: told once; `dispatch` keeps it, disarmed.
 * kqueue(2) has one interest per descriptor and filter; epoll(7) has one per descriptor. Read first: kqueue(2).
 * Missing: filters for processes, signals, timers and vnodes.
 */

import { Errno } from '../base/errors.ts';
import type { DescriptorTable } from './descriptor-table.ts';
import { OpenFile, POLL_ALWAYS, POLLNVAL, READABLE } from './file.ts';
import { type WakeQueue, Watcher } from './watch.ts';

export class Interest extends Watcher {
  readonly list: InterestList;
  readonly fd: number;
  readonly filter: number;
  readonly file: OpenFile;
  /** POLL* bits. */
  events = 0;
  edge = false;
  oneShot = false;
  /** With `oneShot`: disarm instead of removing. */
  dispatch = false;
  enabled = true;
  /** The program's own word. */
  data = 0;
  /** On the list of candidates; owned by it. */
  candidate = false;

  constructor(list: InterestList, fd: number, filter: number, file: OpenFile) {
    super();
    this.list = list;
    this.fd = fd;
    this.filter = filter;
    this.file = file;
  }

  override changed(events: number): void {
    if ((events & (this.events | POLL_ALWAYS)) !== 0) this.list.changed(this);
  }
}

/** {@link InterestList.collect} calls this for each: POLL* bits that are so. */
export type ReadyHandler = (interest: Interest, events: number) => void;

const FILTERS = 2;

export class InterestList extends OpenFile {
  readonly #interests: Map<number, Interest> = new Map();
  readonly #descriptors: DescriptorTable;
  #candidates: Interest[] = [];
  #looking: Interest[] = [];
  readonly #told: Interest[] = [];

  /** `descriptors`: the table that the numbers belong to. A list is not inherited by children. */
  constructor(wakeups: WakeQueue, descriptors: DescriptorTable) {
    super(wakeups);
    this.#descriptors = descriptors;
  }

  override get inherited(): boolean {
    return false;
  }

  get count(): number {
    return this.#interests.size;
  }

  find(fd: number, filter: number): Interest | null {
    return this.#interests.get(fd * FILTERS + filter) ?? null;
  }

  /** A new interest, without events yet; the caller sets it up and calls {@link arm}. */
  // cold: once per interest
  add(fd: number, filter: number, file: OpenFile): Interest {
    const interest = new Interest(this, fd, filter, file);
    this.#interests.set(fd * FILTERS + filter, interest);
    file.watch(interest);
    return interest;
  }

  /** The interest is new or was changed: it is told when it is so now. */
  arm(interest: Interest): void {
    interest.enabled = true;
    this.#nominate(interest);
    this.notify(READABLE);
  }

  /** False when there is none. */
  drop(fd: number, filter: number): boolean {
    const interest = this.find(fd, filter);
    if (interest === null) return false;
    this.#remove(interest);
    return true;
  }

  /** For interests: the file changed. The list itself is readable now, perhaps. */
  changed(interest: Interest): void {
    this.#nominate(interest);
    if (this.hasWatchers) this.mark(READABLE);
  }

  /** Tell of at most `most` interests, in turn, the one that changed first before the others. Returns how many. */
  collect(most: number, tell: ReadyHandler): number {
    const looking = this.#candidates;
    this.#candidates = this.#looking;
    this.#looking = looking;
    let told = 0;
    for (const interest of looking) {
      interest.candidate = false;
      const events = this.#now(interest);
      if (events === 0) continue;
      if (told === most) {
        this.#nominate(interest);
        continue;
      }
      told++;
      tell(interest, events);
      if (interest.oneShot && interest.dispatch) interest.enabled = false;
      else if (interest.oneShot) this.#remove(interest);
      else if (!interest.edge) this.#told.push(interest);
    }
    looking.length = 0;
    // Behind those that had no turn.
    for (const interest of this.#told) this.#nominate(interest);
    this.#told.length = 0;
    return told;
  }

  override poll(): number {
    for (const interest of this.#candidates) if (this.#now(interest) !== 0) return READABLE;
    return 0;
  }

  override get readableBytes(): number {
    return this.#candidates.length;
  }

  override end(): void {
    for (const interest of this.#interests.values()) interest.unwatch();
    this.#interests.clear();
    this.#candidates.length = 0;
  }

  override read(): number {
    return -Errno.ENXIO;
  }

  override write(): number {
    return -Errno.ENXIO;
  }

  /** Bits that are so; an interest whose file was closed is forgotten. */
  #now(interest: Interest): number {
    if (interest.watched === null) return 0;
    if (this.#descriptors.get(interest.fd) !== interest.file) {
      this.#remove(interest);
      return 0;
    }
    if (!interest.enabled) return 0;
    return interest.file.poll() & (interest.events | POLL_ALWAYS) & ~POLLNVAL;
  }

  #nominate(interest: Interest): void {
    if (interest.candidate) return;
    interest.candidate = true;
    this.#candidates.push(interest);
  }

  #remove(interest: Interest): void {
    interest.unwatch();
    this.#interests.delete(interest.fd * FILTERS + interest.filter);
  }
}
