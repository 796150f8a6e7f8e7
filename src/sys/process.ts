/**
 * Processes: pid, name, parent, descriptors, credentials, working state; and the table of those of one kernel.
 *
 * Thread: the one that runs the kernel. Process 1 (`init`) exists from the start and adopts orphans. A process that exits
 * closes its descriptors and ends its calls with -EINTR; it stays as a zombie until its parent waits for it. Read first:
 * fork(2), _exit(2), wait(2), setrlimit(2). Missing: signals, sessions and process groups.
 */

import { Errno } from '../base/errors.ts';
import type { CalloutTable } from '../kern/callout.ts';
import type { SocketLayer } from '../socket/socket.ts';
import { DescriptorTable } from './descriptor-table.ts';
import { type Cancellable, WakeQueue, Watchable } from './watch.ts';

/** The kernel as its processes see it. */
export interface ProcessHost {
  readonly sockets: SocketLayer;
  readonly callouts: CalloutTable;
  nowUs(): number;
}

export interface Credentials {
  uid: number;
  gid: number;
}

const DESCRIPTORS_MAX = 1024;
const PROCESSES_MAX = 4096;
const INIT_PID = 1;
/** Pids begin anew after this one, as on NetBSD. */
const PID_MAX = 30_000;
const UMASK = 0o022;

export type ProcessState = 'running' | 'zombie' | 'gone';

/** The list of those that wait for a child. */
class Children extends Watchable {
  readonly members: Set<Process> = new Set();

  changed(): void {
    this.mark(0);
  }
}

/** A process of a kernel, which makes system calls. */
export class Process {
  /** Process number. */
  readonly pid: number;
  /** Processes of its kernel. */
  readonly table: ProcessTable;
  /** Processes that it forked and has not waited for. */
  readonly children: Children = new Children();
  /** Name of its program. */
  name: string;
  /** Parent; null: it is init. */
  parent: Process | null;
  /** Open files by their numbers. */
  descriptors: DescriptorTable;
  /** User and group. */
  readonly credentials: Credentials;
  /** Mask of umask(2). */
  umask: number;
  /** Folder of relative paths. */
  workingDirectory: string;
  /** State of its life. */
  state: ProcessState = 'running';
  /** Argument of exit(2). */
  exitStatus = 0;
  /** Calls that wait. */
  readonly calls: Set<Cancellable> = new Set();

  constructor(table: ProcessTable, pid: number, name: string, parent: Process | null) {
    this.table = table;
    this.pid = pid;
    this.name = name;
    this.parent = parent;
    this.descriptors = parent === null ? new DescriptorTable(DESCRIPTORS_MAX) : parent.descriptors.fork();
    this.credentials = parent === null ? { uid: 0, gid: 0 } : { ...parent.credentials };
    this.umask = parent === null ? UMASK : parent.umask;
    this.workingDirectory = parent === null ? '/' : parent.workingDirectory;
  }
}

/** Processes of a kernel, by their numbers. */
export class ProcessTable {
  /** Services that processes have of their kernel. */
  readonly host: ProcessHost;
  /** Calls that are to be looked at again. */
  readonly wakeups: WakeQueue = new WakeQueue();
  /** Process 1, the parent of orphans. */
  readonly init: Process;
  readonly #processes: Map<number, Process> = new Map();
  #lastPid: number = INIT_PID;

  /** A table with one process, `init`, of number 1. */
  constructor(host: ProcessHost) {
    this.host = host;
    this.init = new Process(this, INIT_PID, 'init', null);
    this.#processes.set(INIT_PID, this.init);
  }

  /** Processes, zombies among them. */
  get count(): number {
    return this.#processes.size;
  }

  /** The process of a number; null: there is none. */
  get(pid: number): Process | null {
    return this.#processes.get(pid) ?? null;
  }

  /** Processes, zombies among them. */
  all(): IterableIterator<Process> {
    return this.#processes.values();
  }

  /**
   * A child of `parent` that runs the program `name`: it has the parent's descriptors, without those marked close-on-exec,
   * its credentials and working state. Null when there are too many (-EAGAIN of fork(2)).
   */
  // cold: once per process
  spawn(name: string, parent: Process = this.init): Process | null {
    if (this.#processes.size >= PROCESSES_MAX || parent.state !== 'running') return null;
    const child = new Process(this, this.#freePid(), name, parent);
    child.descriptors.exec();
    parent.children.members.add(child);
    this.#processes.set(child.pid, child);
    return child;
  }

  /** The process ends with a status of 0 to 255. */
  // cold: once per process
  exit(process: Process, status: number): void {
    if (process.state !== 'running' || process === this.init) return;
    process.state = 'zombie';
    process.exitStatus = status & 0xff;
    for (const call of [...process.calls]) call.cancel();
    process.descriptors.closeAll();
    for (const child of process.children.members) {
      child.parent = this.init;
      this.init.children.members.add(child);
      if (child.state === 'zombie') this.#reap(child);
    }
    process.children.members.clear();
    const { parent } = process;
    if (parent === null || parent === this.init) this.#reap(process);
    else {
      parent.children.changed();
      this.wakeups.drain();
    }
  }

  /**
   * A child that has exited, which is forgotten now: `pid` names one, -1 any. Null when none has; -ECHILD when there is none
   * to wait for.
   */
  wait(parent: Process, pid: number): Process | number | null {
    let known = false;
    for (const child of parent.children.members) {
      if (pid !== -1 && child.pid !== pid) continue;
      known = true;
      if (child.state !== 'zombie') continue;
      this.#reap(child);
      return child;
    }
    return known ? null : -Errno.ECHILD;
  }

  /** The kernel goes. */
  // cold: once per process
  close(): void {
    for (const process of [...this.#processes.values()]) this.exit(process, 0);
    for (const call of [...this.init.calls]) call.cancel();
    this.init.descriptors.closeAll();
  }

  #reap(process: Process): void {
    process.state = 'gone';
    process.parent?.children.members.delete(process);
    process.parent = null;
    this.#processes.delete(process.pid);
  }

  #freePid(): number {
    do this.#lastPid = this.#lastPid >= PID_MAX ? INIT_PID + 1 : this.#lastPid + 1;
    while (this.#processes.has(this.#lastPid));
    return this.#lastPid;
  }
}
