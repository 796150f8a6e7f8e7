/**
 * `capture`: the frames of an interface as pcapng with nanosecond stamps, for tcpdump and Wireshark. Thread: the command's.
 *
 * As in: capture -i eth0 -w - | tcpdump -r -
 */

import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { KernelClient } from '../rump/kernel-client.ts';
import * as pcapng from '../wire/pcapng.ts';
import { type CaptureEvent, type CaptureRequest, captureStream, SNAP_BYTES } from './capture-stream.ts';
import { getopt, numberOption, UsageError } from './getopt.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = 'usage: capture [-q] [-c count] [-i interface] [-s snaplen] -w file';

export interface CaptureTotal {
  frames: number;
  dropped: number;
}

/** One capture: interface, limits, and the file, or `-` for standard output. */
export interface CaptureOrder extends CaptureRequest {
  file: string;
  /** Frames after which it ends. */
  count: number;
  /** Name of an interface in the file. */
  title(name: string): string;
}

/** Writes frames until `count` are there or `signal` is aborted. A reader that goes away ends it too, without an error. */
export async function writeCapture(
  client: KernelClient,
  order: CaptureOrder,
  signal: AbortSignal,
): Promise<CaptureTotal> {
  const stream = captureStream(client, order);
  const stop = (): void => stream.close();
  signal.addEventListener('abort', stop, { once: true });
  const sink = order.file === '-' ? process.stdout : createWriteStream(order.file);
  sink.on('error', stop);
  const total = { frames: 0, dropped: 0 };
  for await (const event of stream) {
    if (event.type === 'interface') {
      writeHeader(sink, order.title(event.name), event);
      continue;
    }
    total.dropped += event.droppedFrames;
    for (const frame of event.frames) {
      if (total.frames === order.count) break;
      total.frames++;
      sink.write(pcapng.packetBlock({ interfaceIndex: 0, ...frame }));
    }
    if (total.frames >= order.count) stream.close();
  }
  signal.removeEventListener('abort', stop);
  sink.off('error', stop);
  if (order.file !== '-') {
    sink.end();
    await finished(sink);
  }
  return total;
}

function writeHeader(
  sink: NodeJS.WritableStream,
  name: string,
  event: Extract<CaptureEvent, { type: 'interface' }>,
): void {
  sink.write(pcapng.sectionBlock({ application: 'multikernel' }));
  const record = { linkType: pcapng.LINKTYPE_ETHERNET, snapBytes: event.snapBytes, name };
  sink.write(pcapng.interfaceBlock(event.mac === null ? record : { ...record, mac: event.mac }));
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const options = getopt(args, 'c:i:qs:w:');
  const file = options.values.get('w');
  if (file === undefined || options.rest.length > 0) throw new UsageError(USAGE);
  const name = options.values.get('i');
  const order: CaptureOrder = {
    ...(name === undefined ? {} : { interface: name }),
    snapBytes: numberOption(options, 's', SNAP_BYTES, 1),
    file,
    count: numberOption(options, 'c', Number.POSITIVE_INFINITY, 1),
    title: (found) => found,
  };
  const { frames, dropped } = await writeCapture(context.kernel.client, order, context.signal);
  if (!options.flags.has('q')) context.out.error(`${frames} frames captured, ${dropped} dropped\n`);
  return 0;
}

export const capture: Tool = {
  name: 'capture',
  about: 'write the frames of an interface as pcapng',
  usage: USAGE,
  run,
};
