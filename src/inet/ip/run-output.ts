/**
 * Many segments of one TCP connection at once: headers are written once, in private memory, and one loop (`Bulk.writeRun`)
 * makes the frames in the outgoing ring, where the device reserves several together.
 *
 * Thread: the one that runs the CPU. `begin` → the transport writes its header → `end`, as with single packets
 * (output.ts), to which everything that is not plain is left. Data path: allocates nothing.
 */

import { assert } from '../../base/assert.ts';
import type { Bulk } from '../../mem/bulk.ts';
import type { InetContext } from './context.ts';
import type { IpOutput } from './output.ts';
import type { IpPath } from './path.ts';
import type { PathTable } from './path-table.ts';
import { IP_DONT_FRAGMENT } from './transport.ts';

/** Room for the header of any link. */
const LINK_HEADER_BYTES = 32;
/** That, IPv6, and TCP with all its options. */
const HEADERS_BYTES: number = LINK_HEADER_BYTES + 40 + 60;
/** Offset of the sequence number in TCP's header. */
const NUMBER_OFFSET = 4;
/** Fewer are as fast one by one. */
const RUN_MIN = 2;

export class RunOutput {
  /** Segments that `begin` found room for. */
  count: number = 0;
  readonly #bulk: Bulk;
  readonly #paths: PathTable;
  readonly #output: IpOutput;
  /** The IP header, 4-aligned; in front of it that of the link. */
  readonly #headerAt: number;
  #path: IpPath | null = null;
  #transportAt = 0;
  #totalBytes = 0;

  constructor(context: InetContext, paths: PathTable, output: IpOutput) {
    this.#bulk = context.bulk;
    this.#paths = paths;
    this.#output = output;
    const at = context.heap.allocate(HEADERS_BYTES);
    assert(at >= 0, 'the kernel has no memory for one header');
    this.#headerAt = at + LINK_HEADER_BYTES;
  }

  /** As `IpService.beginRun`. */
  begin(path: IpPath, protocol: number, payloadBytes: number, count: number, ttl: number, tos: number): number {
    if (path.epoch !== this.#paths.epoch) this.#paths.renew(path);
    const totalBytes = payloadBytes + path.headerBytes;
    if (!path.neighbor.fresh || totalBytes > path.directBytes || path.fragments) return 0;
    const { link, header } = path;
    this.count = link.reserveRun(header, totalBytes, count);
    if (this.count < RUN_MIN) return 0;
    this.#path = path;
    this.#totalBytes = totalBytes;
    link.write(header, this.#headerAt);
    const at = this.#output.writeHeader(this.#headerAt, path, protocol, totalBytes, ttl, tos, IP_DONT_FRAGMENT);
    this.#transportAt = at;
    return at;
  }

  /** As `IpService.endRun`. */
  end(headerBytes: number, src: number, segmentBytes: number, sum: number, meta: number): void {
    const { link } = this.#path as IpPath;
    const { count } = this;
    const linkBytes = link.headerBytes;
    const before = this.#transportAt - this.#headerAt + linkBytes;
    this.#bulk.writeRun(
      link.runAt - linkBytes,
      link.runStrideBytes,
      this.#headerAt - linkBytes,
      before + headerBytes,
      before + NUMBER_OFFSET,
      src,
      segmentBytes,
      count,
      sum,
    );
    link.commitRun(count, this.#totalBytes, meta);
  }
}
