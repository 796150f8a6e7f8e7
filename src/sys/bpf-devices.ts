/**
 * The bpf devices of a kernel: what they have in common, and the table that netstat(1) -B shows.
 *
 * Thread: the one that runs the kernel. Each open device is a process of its own. Read first: bpf(4), bpf-stream.ts.
 * Cold: devices by hand.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Sysctl, SysctlVariable } from '../kern/sysctl.ts';
import type { Interface } from '../net/interface.ts';
import { BpfStream, type BpfTable, type FrameClock, programOf } from './bpf-stream.ts';
import type { BpfCounts, BpfEvent, BpfRecord, StreamHandle, StreamSink } from './control.ts';
import * as input from './control-input.ts';
import type { ProcessTable } from './process.ts';

/** BPF_DFLTBUFSIZE and BPF_MAXBUFSIZE; the least takes a header and the begin of a frame. */
const BUFFER_BYTES_DEFAULT = 32_768;
const BUFFER_BYTES_MIN = 64;
const BUFFER_BYTES_MAX = 1_048_576;
const BUFFER_BYTES_LIMIT = 1 << 24;

export class BpfDevices implements BpfTable {
  readonly clock: FrameClock;
  readonly #processes: ProcessTable;
  readonly #bufferMax: SysctlVariable;
  readonly #open: Set<BpfStream> = new Set();
  /** Counts that are in no open device any more. */
  readonly #past: BpfCounts = { received: 0, dropped: 0, captured: 0 };

  constructor(clock: FrameClock, processes: ProcessTable, sysctl: Sysctl) {
    this.clock = clock;
    this.#processes = processes;
    this.#bufferMax = sysctl.integer(
      'net.bpf.maxbufsize',
      BUFFER_BYTES_MAX,
      BUFFER_BYTES_MIN,
      BUFFER_BYTES_LIMIT,
      'bytes of the largest buffer of a bpf device',
    );
  }

  /** A device bound to an interface. Throws EINVAL (the filter), ENXIO (no interface), EAGAIN (too many processes). */
  open(iface: Interface | null, request: unknown, sink: StreamSink<BpfEvent>): StreamHandle<unknown> {
    const fields = input.fieldsOf(request, 'request');
    const wanted = input.optionalInteger(fields, 'bufferBytes', 0, 0xffffffff) ?? BUFFER_BYTES_DEFAULT;
    const program = programOf(fields);
    if (iface === null) throw new MultikernelError('ENXIO', 'no such interface');
    const process = this.#processes.spawn('bpf');
    if (process === null) throw new MultikernelError('EAGAIN', 'the kernel has too many processes');
    // BIOCSBLEN takes the nearest size that there is.
    const bufferBytes = Math.min(Math.max(wanted, BUFFER_BYTES_MIN), this.#bufferMax.value);
    const device = new BpfStream(iface, process, bufferBytes, program, this, sink);
    this.#open.add(device);
    return device;
  }

  retire({ received, dropped, captured }: BpfCounts): void {
    this.#past.received += received;
    this.#past.dropped += dropped;
    this.#past.captured += captured;
  }

  closed(device: BpfStream): void {
    this.#open.delete(device);
  }

  list(): { devices: BpfRecord[]; total: BpfCounts } {
    const devices = [...this.#open].map((device) => device.record());
    const total = { ...this.#past };
    for (const { received, dropped, captured } of devices) {
      total.received += received;
      total.dropped += dropped;
      total.captured += captured;
    }
    return { devices, total };
  }
}
