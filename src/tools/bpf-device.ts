/**
 * A bpf device of a kernel, for a program anywhere: filter expressions are compiled here, frames come behind struct bpf_hdr. Thread: the
 * client's. Read first: sys/bpf-stream.ts, bpf(4).
 */

import { MultikernelError } from '../base/errors.ts';
import { NS_PER_S, NS_PER_US } from '../base/units.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import type { BpfCounts, BpfEvent, BpfInput, StreamHandle } from '../sys/control.ts';
import { compileFilter } from '../wire/bpf/compile.ts';

const NO_FILTER: Uint8Array = new Uint8Array(0);
const SNAP_BYTES_MAX = 262_144;

/** struct bpf_hdr of a 64-bit machine: bh_tstamp, then these; the record behind begins at a multiple of 8. */
const CAPTURED_AT = 16;
const LENGTH_AT = 20;
const HEADER_LENGTH_AT = 24;
const ALIGN_BYTES = 8;

/** Settings of a bpf device; absent ones stay. */
export interface BpfSettings {
  /** A read ends with the first frame (BIOCIMMEDIATE). Default no: with a full buffer. */
  immediate?: boolean;
  /** Frames that the interface sends are seen, too (BIOCSSEESENT). Default yes. */
  seeSent?: boolean;
  /** The source of frames that are written stays (BIOCSHDRCMPLT). Default no: it becomes that of the interface. */
  headerComplete?: boolean;
  /** Frames for other stations are seen, too (BIOCPROMISC). Default no. */
  promiscuous?: boolean;
  /** Microseconds after which a read ends with what there is (BIOCSRTIMEOUT); 0: never. Default 0. */
  timeoutUs?: number;
  /**
   * Frames to keep (BIOCSETF): an expression of pcap-filter(7) with addresses and no names of hosts, or a program of one's own as
   * struct bpf_insn, little-endian. Default: all. A new filter forgets the frames that wait, and counting begins again.
   */
  filter?: string | Uint8Array;
  /** Bytes that an expression keeps of each frame that passes. Default 262144; a program returns its own number. */
  snapBytes?: number;
}

/** A new bpf device. */
export interface BpfOptions extends BpfSettings {
  /** Length of its buffers (BIOCSBLEN), default 32 KiB; the nearest length is taken, up to `net.bpf.maxbufsize`. */
  bufferBytes?: number;
}

/** Counts since the filter was set (BIOCGSTATS). */
export interface BpfStatistics {
  /** Frames shown to the filter. */
  received: number;
  /** Frames for which there was no room. */
  dropped: number;
  /** Frames that passed the filter. */
  captured: number;
}

/** A frame of a buffer. */
export interface BpfFrame {
  /** Nanoseconds since 1970, whole microseconds. */
  timeNs: bigint;
  /** Length on the wire, Ethernet header included. */
  lengthBytes: number;
  /** The bytes that were kept, a view of the buffer. */
  bytes: Uint8Array;
}

/** The frames of a buffer that {@link BpfDevice.read} gave. */
export function* bpfFrames(buffer: Uint8Array): Generator<BpfFrame> {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  for (let at = 0; at < buffer.length; ) {
    const timeNs = view.getBigInt64(at, true) * NS_PER_S + view.getBigInt64(at + 8, true) * BigInt(NS_PER_US);
    const start = at + view.getUint16(at + HEADER_LENGTH_AT, true);
    const end = start + view.getUint32(at + CAPTURED_AT, true);
    yield { timeNs, lengthBytes: view.getUint32(at + LENGTH_AT, true), bytes: buffer.subarray(start, end) };
    at = (end + ALIGN_BYTES - 1) & -ALIGN_BYTES;
  }
}

type Answer = Exclude<BpfEvent, { type: 'opened' }>;

interface Waiting {
  type: Answer['type'];
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/**
 * One open /dev/bpf: frames that an interface of a kernel sends and receives, chosen by a filter, and frames that it is to send. Its calls
 * reject with the error that ended it: ENXIO (no such interface, or it is gone), EINVAL (the program is no filter), EBADF after `close`.
 *
 * ```ts
 * const bpf = kernel.openBpf('shmif0', { filter: 'icmp', immediate: true });
 * for (const { bytes } of bpfFrames(await bpf.read())) bpf.write(answerTo(bytes));
 * ```
 */
export class BpfDevice {
  readonly #handle: StreamHandle<BpfInput>;
  readonly #waiting: Waiting[] = [];
  #ended: Error | null = null;

  /** A device of the kernel behind `client`. Throws EINVAL for an expression that is no filter. */
  constructor(client: KernelClient, name: string, options: BpfOptions = {}) {
    const { bufferBytes, filter, snapBytes, ...settings } = options;
    const size = bufferBytes === undefined ? {} : { bufferBytes };
    const request = { interface: name, filter: programOf(filter ?? '', snapBytes), ...size };
    this.#handle = client.open('bpf', request, {
      event: (event) => {
        if (event.type !== 'opened') this.#answer(event);
      },
      end: (error) => {
        this.#ended = error ?? new MultikernelError('EBADF', 'the bpf device is closed');
        for (const one of this.#waiting.splice(0)) one.reject(this.#ended);
      },
    });
    if (Object.keys(settings).length > 0) this.set(settings);
  }

  #answer(event: Answer): void {
    const at = this.#waiting.findIndex((one) => one.type === event.type);
    if (at >= 0) this.#waiting.splice(at, 1)[0]?.resolve(event);
  }

  #ask<Type extends Answer['type']>(type: Type): Promise<Extract<Answer, { type: Type }>> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        type,
        resolve: (answer) => resolve(answer as Extract<Answer, { type: Type }>),
        reject,
      };
      this.#waiting.push(waiting);
      try {
        this.#handle.send({ type });
      } catch (error) {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(error);
      }
    });
  }

  /** Change settings. Throws EINVAL for an expression that is no filter. */
  set({ filter, snapBytes, ...settings }: BpfSettings): void {
    const program = filter === undefined ? {} : { filter: programOf(filter, snapBytes) };
    this.#handle.send({ type: 'set', ...settings, ...program });
  }

  /** A buffer of frames, each behind its struct bpf_hdr of a 64-bit little-endian machine; empty: the time-out passed. Rejects with EAGAIN when 64 reads wait. */
  async read(): Promise<Uint8Array> {
    return (await this.#ask('read')).bytes;
  }

  /**
   * An Ethernet frame leaves by the interface. Throws EINVAL for one shorter than a header, EMSGSIZE, ENETDOWN, ENXIO (the interface is
   * gone), EOPNOTSUPP (it carries no Ethernet); of a kernel elsewhere the device ends with these.
   */
  write(frame: Uint8Array): void {
    this.#handle.send({ type: 'write', bytes: frame });
  }

  /** Counts of the device. */
  async stats(): Promise<BpfStatistics> {
    const { received, dropped, captured }: BpfCounts = await this.#ask('stats');
    return { received, dropped, captured };
  }

  /** Reads that wait reject. */
  close(): void {
    this.#handle.close();
  }
}

function programOf(filter: string | Uint8Array, snapBytes: number | undefined): Uint8Array {
  if (typeof filter !== 'string') return filter;
  if (snapBytes === undefined) return filter.trim() === '' ? NO_FILTER : compileFilter(filter);
  if (!(Number.isInteger(snapBytes) && snapBytes >= 1 && snapBytes <= SNAP_BYTES_MAX)) {
    throw new MultikernelError('EINVAL', `snapBytes ${snapBytes}: not a number of bytes from 1 to ${SNAP_BYTES_MAX}`);
  }
  return compileFilter(filter, { snapBytes });
}
