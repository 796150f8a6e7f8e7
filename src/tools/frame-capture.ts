/**
 * A capture: the frames of interfaces, to iterate over or written to a pcapng file. Thread: the client's.
 *
 * Memory is bounded: the kernel keeps 4 MiB per interface for a slow reader, the file 16 MiB for a slow disk; frames beyond are dropped and
 * counted. Read first: capture-stream.ts.
 */

import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { locateErrors } from '../base/caller.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import * as pcapng from '../wire/pcapng.ts';
import { type CaptureBatch, type CaptureEvent, type CaptureRequest, openCapture } from './capture-stream.ts';
import { StreamIterable } from './stream-iterable.ts';

/** Bytes that may wait for a file. */
const UNWRITTEN_BYTES_MAX = 16 * 1024 * 1024;

/** Result of a capture into a file. */
export interface CaptureTotal {
  /** Frames in the file. */
  frames: number;
  /** Frames that there was no room for. */
  dropped: number;
}

/** Options of a capture into a file. */
export interface CaptureFileOptions {
  /** Frames after which it ends; default: none. */
  count?: number;
  /** Name of an interface in the file; default: its own. */
  title?: (name: string) => string;
}

/** Writes the events of a capture as pcapng blocks. */
class CaptureWriter {
  readonly total: CaptureTotal = { frames: 0, dropped: 0 };
  readonly #sink: NodeJS.WritableStream & { writableLength?: number };
  readonly #request: CaptureRequest;
  readonly #title: (name: string) => string;
  readonly #count: number;
  readonly #names: string[] = [];

  constructor(sink: NodeJS.WritableStream, request: CaptureRequest, options: CaptureFileOptions) {
    this.#sink = sink;
    this.#request = request;
    this.#title = options.title ?? ((name) => name);
    this.#count = options.count ?? Number.POSITIVE_INFINITY;
  }

  get full(): boolean {
    return this.total.frames >= this.#count;
  }

  event(event: CaptureEvent): void {
    if (event.type === 'frames') this.#frames(event);
    else this.#interface(event);
  }

  #interface({ name, mac, snapBytes }: Extract<CaptureEvent, { type: 'interface' }>): void {
    if (this.#names.length === 0) this.#sink.write(pcapng.sectionBlock({ application: 'multikernel' }));
    this.#names.push(name);
    const { filter } = this.#request;
    const record = {
      linkType: pcapng.LINKTYPE_ETHERNET,
      snapBytes,
      name: this.#title(name),
      ...(mac === null ? {} : { mac }),
      ...(filter === undefined ? {} : { filter }),
    };
    this.#sink.write(pcapng.interfaceBlock(record));
  }

  #frames({ frames, droppedFrames }: CaptureBatch): void {
    this.total.dropped += droppedFrames;
    for (const frame of frames) {
      if (this.full) return;
      if ((this.#sink.writableLength ?? 0) > UNWRITTEN_BYTES_MAX) {
        this.total.dropped++;
        continue;
      }
      this.total.frames++;
      const { timeNs, direction, lengthBytes, bytes } = frame;
      const interfaceIndex = this.#names.indexOf(frame.interface);
      this.#sink.write(pcapng.packetBlock({ interfaceIndex, timeNs, direction, lengthBytes, bytes }));
    }
  }
}

/** A file that frames are written to until it is stopped. `await using` stops it. */
export class CaptureFile implements AsyncDisposable {
  /** Path of the file. */
  readonly path: string;
  /** Settles when the file is whole: after `stop`, `count` frames, or the end of the kernel. Rejects with what went wrong. */
  readonly done: Promise<CaptureTotal>;
  readonly #capture: FrameCapture;

  /** @internal */
  constructor(path: string, capture: FrameCapture, done: Promise<CaptureTotal>) {
    this.path = path;
    this.#capture = capture;
    this.done = done;
    // An error that nobody waits for is told by `stop`.
    done.catch(() => {});
  }

  /** Ends the capture; resolves when its last frame is in the file. Rejects with what went wrong: ENOSPC, EHOSTDOWN ... */
  stop(): Promise<CaptureTotal> {
    this.#capture.close();
    return this.done;
  }

  /** As {@link CaptureFile.stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/**
 * Frames from now on: `for await` iterates over them, {@link FrameCapture.toFile} writes them. It ends by `stop`, by leaving the loop, or
 * with the kernel.
 *
 * ```ts
 * await using file = await net.node('api').capture({ filter: 'tcp port 80' }).toFile('api.pcapng');
 * ```
 */
export class FrameCapture extends StreamIterable<CaptureEvent> implements AsyncDisposable {
  readonly #request: CaptureRequest;

  /** @internal */
  constructor(client: KernelClient, request: CaptureRequest) {
    super(openCapture(client, request));
    this.#request = request;
  }

  /**
   * Write a pcapng file with nanosecond stamps, for Wireshark and tcpdump. Resolves when the capture has begun: frames of what is
   * done next are in the file. Rejects when it cannot: EINVAL (a host of the filter is unknown), ENODEV (no such interface), EHOSTDOWN, and
   * what the host says of the file (ENOENT, EACCES ...).
   */
  async toFile(path: string, options: CaptureFileOptions = {}): Promise<CaptureFile> {
    const sink = createWriteStream(path);
    const opened = new Promise<void>((resolve, reject) => {
      sink.once('open', () => resolve());
      sink.once('error', reject);
    });
    const [first] = await Promise.all([this.next(), opened]).catch((error: unknown) => {
      this.close();
      sink.destroy();
      throw error;
    });
    return new CaptureFile(path, this, this.#write(sink, first, options));
  }

  /** Write to a stream that stays open, until `count` frames are there or it is stopped. Its error ends the capture without one. */
  async toStream(sink: NodeJS.WritableStream, options: CaptureFileOptions = {}): Promise<CaptureTotal> {
    const stop = (): void => this.close();
    sink.on('error', stop);
    const writer = new CaptureWriter(sink, this.#request, options);
    await this.#pump(writer);
    sink.off('error', stop);
    return writer.total;
  }

  async #write(
    sink: ReturnType<typeof createWriteStream>,
    first: IteratorResult<CaptureEvent>,
    options: CaptureFileOptions,
  ): Promise<CaptureTotal> {
    const written = finished(sink);
    written.catch(() => this.close());
    const writer = new CaptureWriter(sink, this.#request, options);
    if (first.done !== true) writer.event(first.value);
    try {
      await this.#pump(writer);
    } finally {
      sink.end();
      await written;
    }
    return writer.total;
  }

  async #pump(writer: CaptureWriter): Promise<void> {
    for (let result = await this.next(); result.done !== true; result = await this.next()) {
      writer.event(result.value);
      if (writer.full) this.close();
    }
  }

  /** Ends the capture. Events that came before can still be read. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

locateErrors(CaptureFile.prototype);
locateErrors(FrameCapture.prototype);
