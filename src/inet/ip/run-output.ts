/**
 * Many segments of one TCP connection at once: headers are written once, in private memory, and one loop (`Bulk.writeRun`)
 * makes the frames in the outgoing ring, where the device reserves several together.
 *
 * Thread: the one that runs the kernel. `begin` → the transport writes its header → `end`, as with single packets
 * (output.ts), to which everything that is not plain is left. Data path: allocates nothing.
 */

import { assert } from '../../base/assert.ts';
import type { FrameRuns } from '../../link/device.ts';
import type { Bulk } from '../../mem/bulk.ts';
import { HEADER_BYTES as ETHERNET_HEADER_BYTES } from '../../wire/ethernet.ts';
import type { InetContext } from './context.ts';
import type { IpOutput } from './output.ts';
import type { IpPath, PathTable } from './path.ts';
import { IP_DONT_FRAGMENT } from './transport.ts';

/** Ethernet, IPv6, and TCP with all its options. */
const HEADERS_BYTES = 14 + 40 + 60;
/** Of TCP's header: the sequence number. */
const NUMBER_OFFSET = 4;
/** Fewer are as fast one by one. */
const RUN_MIN = 2;

export class RunOutput {
  /** How many segments `begin` found room for. */
  count: number = 0;
  readonly #bulk: Bulk;
  readonly #paths: PathTable;
  readonly #output: IpOutput;
  /** The Ethernet header; what follows it is 4-aligned. */
  readonly #frameAt: number;
  #path: IpPath | null = null;
  #transportAt = 0;
  #frameBytes = 0;

  constructor(context: InetContext, paths: PathTable, output: IpOutput) {
    this.#bulk = context.bulk;
    this.#paths = paths;
    this.#output = output;
    const at = context.heap.allocate(HEADERS_BYTES + 2);
    assert(at >= 0, 'the kernel has no memory for one header');
    this.#frameAt = at + 2;
  }

  /** As `IpService.beginRun`. */
  begin(path: IpPath, protocol: number, payloadBytes: number, count: number, ttl: number, tos: number): number {
    if (path.epoch !== this.#paths.epoch) this.#paths.renew(path);
    const totalBytes = payloadBytes + path.headerBytes;
    if (!path.neighbor.fresh || totalBytes > path.directBytes || path.fragments) return 0;
    const { runs } = path.device;
    if (runs === undefined) return 0;
    this.#frameBytes = totalBytes + ETHERNET_HEADER_BYTES;
    this.count = runs.reserveRun(path.dstHi, path.dstLo, this.#frameBytes, count);
    if (this.count < RUN_MIN) return 0;
    this.#path = path;
    const at = this.#output.writeFrame(this.#frameAt, path, protocol, totalBytes, ttl, tos, IP_DONT_FRAGMENT);
    this.#transportAt = at;
    return at;
  }

  /** As `IpService.endRun`. */
  end(headerBytes: number, src: number, segmentBytes: number, sum: number, meta: number): void {
    const { iface, device } = this.#path as IpPath;
    const runs = device.runs as FrameRuns;
    const { count } = this;
    const frameAt = this.#frameAt;
    const before = this.#transportAt - frameAt;
    this.#bulk.writeRun(
      runs.runAt,
      runs.runStrideBytes,
      frameAt,
      before + headerBytes,
      before + NUMBER_OFFSET,
      src,
      segmentBytes,
      count,
      sum,
    );
    runs.commitRun(count, this.#frameBytes, meta);
    iface.dirty = true;
    iface.outPackets += count;
    iface.outBytes += count * this.#frameBytes;
  }
}
