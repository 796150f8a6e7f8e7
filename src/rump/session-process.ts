/**
 * The process of a session: begins when the session first needs one, exits with the session.
 *
 * Thread: the one that runs the kernel. Sockets that the client opens by socket operations and files that it opens by system calls
 * are descriptors of this one process. Read first: sys/process.ts.
 */

import type { OpenFile } from '../sys/file.ts';
import type { Process, ProcessTable } from '../sys/process.ts';

export class SessionProcess {
  readonly table: ProcessTable;
  readonly #name: string;
  readonly #descriptorsMax: number;
  #process: Process | null = null;
  #exited = false;

  /** `descriptorsMax`: its RLIMIT_NOFILE, which setrlimit(2) does not raise. */
  constructor(table: ProcessTable, name: string, descriptorsMax: number) {
    this.table = table;
    this.#name = name;
    this.#descriptorsMax = descriptorsMax;
  }

  /** The process, which begins now if it has not, and may have exited since. Null: the kernel has too many (-EAGAIN). */
  begin(): Process | null {
    if (this.#process === null && !this.#exited) {
      this.#process = this.table.spawn(this.#name);
      this.#process?.descriptors.setLimits(this.#descriptorsMax);
    }
    return this.#process;
  }

  /** {@link begin}, and null for one that has exited. */
  get(): Process | null {
    const process = this.begin();
    return process?.state === 'running' ? process : null;
  }

  /** Whether `fd` is a descriptor of `file`. */
  has(fd: number, file: OpenFile): boolean {
    return this.#process?.descriptors.get(fd) === file;
  }

  /** Close `fd` if it still is a descriptor of `file`: a system call may have closed it, and the number may be another file's. */
  close(fd: number, file: OpenFile): void {
    if (this.has(fd, file)) this.#process?.descriptors.close(fd);
  }

  /** The session is over: descriptors are closed, calls end with -EINTR. */
  exit(): void {
    this.#exited = true;
    if (this.#process !== null) this.table.exit(this.#process, 0);
  }
}
