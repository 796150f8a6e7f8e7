/**
 * A process of this kernel whose program is elsewhere: its system calls, with memory fetched as the calls ask for it.
 *
 * Thread: the server's, which runs the kernel. A call begins with no memory at all; the range that it misses is copied in and
 * the call begins again, which is safe because calls read their arguments before they change anything. Results are copied out
 * before the reply. Read first: sys/copy.ts (FrameMemory), system-call-service.ts.
 */

import { Errno } from '../base/errors.ts';
import { FrameMemory, type MemoryBudget } from '../sys/copy.ts';
import { systemCall } from '../sys/syscalls.ts';
import { BLOCKED, SystemCall } from '../sys/system-call.ts';
import type { SessionProcess } from './session-process.ts';
import type { ClientMemory, RemoteProcess } from './system-call-service.ts';

/** Memory of a program that is held for one call. */
const HELD_BYTES_MAX = 1 << 20;
/** Memory of a program that is held for all its calls under way. */
const PROCESS_HELD_BYTES_MAX = 16 << 20;
/** Finished calls that are kept for the next ones. */
const IDLE_MAX = 16;
/** The memory of a call that is not under way. */
const NO_MEMORY = new FrameMemory(0);
/** Ranges that one call may miss: the pieces of the longest vector, and its structures. */
const RANGES_MAX = 2 * 1024 + 8;

export class KernelProcess implements RemoteProcess {
  readonly #session: SessionProcess;
  readonly #idle: SystemCall[] = [];
  readonly #budget: MemoryBudget = { leftBytes: PROCESS_HELD_BYTES_MAX };

  constructor(session: SessionProcess) {
    this.#session = session;
  }

  /** Count or -errno. -EAGAIN: the kernel has too many processes; -ENOBUFS: the calls under way hold 16 MiB already. */
  call(number: number, args: Float64Array, remote: ClientMemory): Promise<number> {
    const process = this.#session.begin();
    if (process === null) return Promise.resolve(-Errno.EAGAIN);
    const memory = new FrameMemory(HELD_BYTES_MAX, this.#budget);
    const call = this.#idle.pop() ?? new SystemCall(process, memory);
    call.memory = memory;
    return this.#run(call, number, args, memory, remote).finally(() => {
      memory.clear();
      call.memory = NO_MEMORY;
      if (!call.blocked && this.#idle.length < IDLE_MAX) this.#idle.push(call);
    });
  }

  exit(): void {
    this.#session.exit();
  }

  async #run(
    call: SystemCall,
    number: number,
    args: Float64Array,
    memory: FrameMemory,
    remote: ClientMemory,
  ): Promise<number> {
    const [a0, a1, a2, a3, a4, a5] = args;
    for (let ranges = 0; ranges < RANGES_MAX; ranges++) {
      const result = await finished(call, () => systemCall(call, number, a0, a1, a2, a3, a4, a5));
      const { wantedAddress, wantedBytes } = memory;
      if (result !== -Errno.EFAULT || wantedBytes === 0) return (await copyOut(memory, remote)) || result;
      if (wantedBytes > this.#budget.leftBytes) return -Errno.ENOBUFS;
      const bytes = await remote.copyin(wantedAddress, wantedBytes);
      if (typeof bytes === 'number') return bytes;
      // Other calls had their memory copied in meanwhile.
      if (bytes.length > this.#budget.leftBytes) return -Errno.ENOBUFS;
      if (!memory.add(wantedAddress, bytes)) return -Errno.EFAULT;
    }
    return -Errno.EFAULT;
  }
}

/** The result of a call, now or when it has waited. */
function finished(call: SystemCall, begin: () => number): number | Promise<number> {
  const result = begin();
  if (result !== BLOCKED) return result;
  return new Promise((resolve) => {
    call.onDone = (late) => {
      call.onDone = null;
      resolve(late);
    };
  });
}

/** Send back the ranges that the call wrote: 0 or -errno. */
async function copyOut(memory: FrameMemory, remote: ClientMemory): Promise<number> {
  const ranges: [number, Uint8Array][] = [];
  memory.written((address, bytes) => ranges.push([address, bytes]));
  for (const [address, bytes] of ranges) {
    const error = await remote.copyout(address, bytes);
    if (error < 0) return error;
  }
  return 0;
}
