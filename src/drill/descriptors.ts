/**
 * The process under test: its descriptors by the numbers the script gives, and the packets of its sockets.
 *
 * Thread: the caller's. Descriptors 0 to 2 are taken, as a shell leaves them, so that the first socket is 3.
 */

import type { OpenFile } from '../sys/file.ts';
import { InterestList } from '../sys/kqueue.ts';
import type { Process, ProcessTable } from '../sys/process.ts';
import { DatagramFile, StreamFile } from '../sys/socket-file.ts';
import type { Flow } from './flow.ts';

const FIRST_FREE = 3;

export class ScriptProcess {
  readonly process: Process;
  readonly #flows: WeakMap<OpenFile, Flow> = new WeakMap();
  /** TCP_INQ: recvmsg reports what is left. */
  readonly reportsQueue: WeakSet<OpenFile> = new WeakSet();

  constructor(table: ProcessTable) {
    const process = table.spawn('script');
    if (process === null) throw new Error('a new kernel has room for one process');
    this.process = process;
    for (let fd = 0; fd < FIRST_FREE; fd++) {
      process.descriptors.add(new InterestList(table.wakeups, process.descriptors));
    }
  }

  get(fd: number): OpenFile | null {
    return this.process.descriptors.get(fd);
  }

  /** The socket of a descriptor; null for anything else. */
  socket(fd: number): StreamFile | DatagramFile | null {
    const file = this.get(fd);
    return file instanceof StreamFile || file instanceof DatagramFile ? file : null;
  }

  /** Move a new descriptor to the number that the script expects: that number, or an error as it was. */
  place(fd: number, expected: number): number {
    const file = this.get(fd);
    if (file === null || expected < 0 || fd === expected) return fd;
    const { descriptors } = this.process;
    const placed = descriptors.addAt(expected, file);
    descriptors.close(fd);
    return placed;
  }

  setFlow(file: OpenFile, flow: Flow): void {
    this.#flows.set(file, flow);
  }

  /** Packets of a socket that the script opened. */
  flow(file: OpenFile): Flow {
    return this.#flows.get(file) as Flow;
  }
}
