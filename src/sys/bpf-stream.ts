/**
 * bpf(4) for a program outside of the kernel: /dev/bpf bound to one interface, with a filter, buffers of frames behind struct bpf_hdr, and
 * frames that it sends.
 *
 * Thread: the one that runs the kernel. A read is answered when a buffer's worth of frames waits, with `immediate` when one frame does, and
 * after its time-out with what there is. Two buffers' worth waits at most; frames beyond are dropped and counted. Packets of lo0 have an
 * Ethernet header of zeros, so that every device is of one link type. Read first: bpf(4), net/capture.ts.
 * Cold: devices by hand.
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import { US_PER_S } from '../base/units.ts';
import { Callout } from '../kern/callout.ts';
import { PROGRAM_BYTES_MAX, type VerifiedProgram, verifyProgram } from '../net/bpf/verifier.ts';
import { Capture, type CaptureContext, type TappedFrame } from '../net/capture.ts';
import { writeFrame } from '../net/frame-writer.ts';
import type { Interface } from '../net/interface.ts';
import type { BpfCounts, BpfEvent, BpfRecord, StreamHandle, StreamSink } from './control.ts';
import * as input from './control-input.ts';
import type { Process } from './process.ts';

const BUFFERS = 2;
const FRAME_BYTES_MAX = 65_550;
const TIMEOUT_US_MAX = 86_400 * US_PER_S;
const READS_MAX = 64;

/** struct bpf_hdr of a 64-bit machine: the header, and the alignment of records. */
const ALIGN_BYTES = 8;
const HEADER_BYTES = 34;
const CAPTURED_AT = 16;
const LENGTH_AT = 20;
const HEADER_LENGTH_AT = 24;
const DLT_EN10MB = 1;

/** The memory and clocks that frames are copied with. */
export interface FrameClock {
  readonly context: CaptureContext;
  /** Wall-clock microseconds since 1970 of a time of the kernel. */
  wallUs(timeUs: number): number;
}

/** The table that a device is in. */
export interface BpfTable {
  readonly clock: FrameClock;
  /** Counts of a device begin again. */
  retire(counts: BpfCounts): void;
  closed(device: BpfStream): void;
}

function must(result: number, subject: string): void {
  if (result < 0) throw new MultikernelError(errnoName(result), `${subject}: ${errnoName(result)}`);
}

/** The filter of a request, null for none. Throws EINVAL. */
export function programOf(fields: ReturnType<typeof input.fieldsOf>): VerifiedProgram | null {
  const bytes = input.bytes(fields, 'filter', PROGRAM_BYTES_MAX);
  const program = bytes.length === 0 ? null : verifyProgram(bytes);
  if (typeof program === 'string') throw new MultikernelError('EINVAL', `filter: ${program}`);
  return program;
}

/** BPF_WORDALIGN of header and frame. */
function recordBytes({ bytes }: TappedFrame): number {
  return (HEADER_BYTES + bytes.length + ALIGN_BYTES - 1) & -ALIGN_BYTES;
}

export class BpfStream implements StreamHandle<unknown> {
  readonly #iface: Interface;
  readonly #process: Process;
  readonly #devices: BpfTable;
  readonly #sink: StreamSink<BpfEvent>;
  readonly #bufferBytes: number;
  readonly #timeout: Callout = new Callout(() => this.#answer(true));
  readonly #arrived: Callout = new Callout(() => (this.#gone ? this.#end(-Errno.ENXIO) : this.#answer(false)));
  readonly #counts: BpfCounts = { received: 0, dropped: 0, captured: 0 };
  #capture: Capture;
  #frames: TappedFrame[] = [];
  /** Length of {@link #frames} in buffers. */
  #waitingBytes = 0;
  #reads = 0;
  #immediate = false;
  #headerComplete = false;
  #promiscuous = false;
  #timeoutUs = 0;
  #gone = false;
  #open = true;

  /** `process` is new, and exits with the device. */
  constructor(
    iface: Interface,
    process: Process,
    bufferBytes: number,
    program: VerifiedProgram | null,
    devices: BpfTable,
    sink: StreamSink<BpfEvent>,
  ) {
    this.#iface = iface;
    this.#process = process;
    this.#devices = devices;
    this.#sink = sink;
    this.#bufferBytes = bufferBytes;
    this.#capture = this.#newCapture(program);
    sink.event({ type: 'opened', linkType: DLT_EN10MB, bufferBytes });
  }

  #newCapture(filter: VerifiedProgram | null): Capture {
    const later = (): void => {
      const { host } = this.#process.table;
      host.callouts.schedule(this.#arrived, host.nowUs());
    };
    return new Capture(this.#iface, this.#devices.clock.context, {
      // A record fits into a buffer.
      snapBytes: Math.min(FRAME_BYTES_MAX, (this.#bufferBytes & -ALIGN_BYTES) - HEADER_BYTES),
      // It charges more per frame than a record has, at most twice as much.
      queueBytes: 2 * BUFFERS * this.#bufferBytes,
      ...(filter === null ? {} : { filter }),
      // Frames are read from elsewhere than inside the tap.
      onFrames: later,
      onGone: () => {
        this.#gone = true;
        later();
      },
    });
  }

  /** A {@link BpfInput}, unchecked. Throws EINVAL, EAGAIN (too many reads), and what sending refuses. */
  send(message: unknown): void {
    if (!this.#open) return;
    const fields = input.fieldsOf(message, 'input');
    switch (fields.type) {
      case 'read':
        if (this.#reads >= READS_MAX) must(-Errno.EAGAIN, 'read');
        this.#reads++;
        if (this.#reads === 1) this.#armTimeout();
        this.#answer(false);
        return;
      case 'write':
        must(this.#write(input.bytes(fields, 'bytes', FRAME_BYTES_MAX)), 'write');
        return;
      case 'set':
        this.#set(fields);
        return;
      case 'stats':
        this.#collect();
        this.#sink.event({ type: 'stats', ...this.#counts });
        return;
      default:
        must(-Errno.EINVAL, 'type');
    }
  }

  /** The row of the device in the table of all. */
  record(): BpfRecord {
    this.#collect();
    return {
      pid: this.#process.pid,
      program: this.#process.name,
      interface: this.#iface.name,
      ...this.#counts,
      waiting: this.#reads > 0,
      promiscuous: this.#promiscuous,
      immediate: this.#immediate,
      seeSent: this.#capture.seesSent,
      headerComplete: this.#headerComplete,
      bufferBytes: this.#bufferBytes,
    };
  }

  #set(fields: ReturnType<typeof input.fieldsOf>): void {
    const immediate = input.optionalBoolean(fields, 'immediate');
    const seeSent = input.optionalBoolean(fields, 'seeSent');
    const headerComplete = input.optionalBoolean(fields, 'headerComplete');
    const promiscuous = input.optionalBoolean(fields, 'promiscuous');
    const timeoutUs = input.optionalInteger(fields, 'timeoutUs', 0, TIMEOUT_US_MAX);
    const program = fields.filter === undefined ? undefined : programOf(fields);
    if (immediate !== undefined) this.#immediate = immediate;
    if (seeSent !== undefined) this.#capture.seesSent = seeSent;
    if (headerComplete !== undefined) this.#headerComplete = headerComplete;
    if (timeoutUs !== undefined) this.#timeoutUs = timeoutUs;
    if (promiscuous !== undefined) this.#setPromiscuous(promiscuous);
    if (program !== undefined) this.#filter(program);
    this.#answer(false);
  }

  #setPromiscuous(on: boolean): void {
    if (on === this.#promiscuous || !this.#iface.attached) return;
    this.#iface.setPromiscuous(on);
    this.#promiscuous = on;
  }

  /** BIOCSETF: the buffers are emptied, and counting begins again. */
  #filter(program: VerifiedProgram | null): void {
    const { seesSent } = this.#capture;
    this.#collect();
    this.#capture.close();
    this.#devices.retire(this.#counts);
    Object.assign(this.#counts, { received: 0, dropped: 0, captured: 0 });
    this.#frames = [];
    this.#waitingBytes = 0;
    this.#capture = this.#newCapture(program);
    this.#capture.seesSent = seesSent;
  }

  #write(frame: Uint8Array): number {
    if (!this.#iface.attached) return -Errno.ENXIO;
    return writeFrame(this.#iface, frame, !this.#headerComplete, this.#devices.clock.context);
  }

  /** Frames of the capture, as many as there is room for. */
  #collect(): void {
    const capture = this.#capture;
    const counts = this.#counts;
    for (const frame of capture.read()) {
      counts.captured++;
      const bytes = recordBytes(frame);
      if (this.#waitingBytes + bytes > BUFFERS * this.#bufferBytes) {
        counts.dropped++;
        continue;
      }
      this.#frames.push(frame);
      this.#waitingBytes += bytes;
    }
    counts.received += capture.seenFrames;
    counts.captured += capture.droppedFrames;
    counts.dropped += capture.droppedFrames;
    capture.seenFrames = 0;
    capture.droppedFrames = 0;
  }

  #answer(timedOut: boolean): void {
    this.#collect();
    let due = timedOut;
    while (this.#open && this.#reads > 0) {
      const full = this.#waitingBytes >= this.#bufferBytes;
      if (!(full || due || (this.#immediate && this.#frames.length > 0))) return;
      due = false;
      this.#reads--;
      this.#armTimeout();
      this.#sink.event({ type: 'read', bytes: this.#buffer() });
    }
  }

  /** For the oldest of the reads that wait. */
  #armTimeout(): void {
    const { host } = this.#process.table;
    host.callouts.stop(this.#timeout);
    if (this.#reads > 0 && this.#timeoutUs > 0) {
      host.callouts.schedule(this.#timeout, host.nowUs() + this.#timeoutUs);
    }
  }

  /** As many of the oldest frames as fit into a buffer, each behind its header. */
  #buffer(): Uint8Array {
    let bytes = 0;
    let count = 0;
    while (count < this.#frames.length) {
      const next = recordBytes(this.#frames[count] as TappedFrame);
      if (bytes + next > this.#bufferBytes) break;
      bytes += next;
      count++;
    }
    const buffer = new Uint8Array(bytes);
    const view = new DataView(buffer.buffer);
    let at = 0;
    for (const frame of this.#frames.splice(0, count)) {
      this.#writeRecord(view, buffer, at, frame);
      at += recordBytes(frame);
    }
    this.#waitingBytes -= bytes;
    return buffer;
  }

  #writeRecord(view: DataView, buffer: Uint8Array, at: number, { timeUs, lengthBytes, bytes }: TappedFrame): void {
    const wallUs = Math.floor(this.#devices.clock.wallUs(timeUs));
    view.setBigInt64(at, BigInt(Math.floor(wallUs / US_PER_S)), true);
    view.setBigInt64(at + 8, BigInt(wallUs % US_PER_S), true);
    view.setUint32(at + CAPTURED_AT, bytes.length, true);
    view.setUint32(at + LENGTH_AT, lengthBytes, true);
    view.setUint16(at + HEADER_LENGTH_AT, HEADER_BYTES, true);
    buffer.set(bytes, at + HEADER_BYTES);
  }

  close(): void {
    this.#end(0);
  }

  /** `result`: 0 or -errno. */
  #end(result: number): void {
    if (!this.#open) return;
    this.#open = false;
    this.#collect();
    this.#capture.close();
    const { table } = this.#process;
    table.host.callouts.stop(this.#timeout);
    table.host.callouts.stop(this.#arrived);
    this.#setPromiscuous(false);
    this.#devices.retire(this.#counts);
    this.#devices.closed(this);
    table.exit(this.#process, 0);
    this.#sink.end(
      result === 0 ? null : new MultikernelError(errnoName(result), `${this.#iface.name}: the interface is gone`),
    );
  }
}
