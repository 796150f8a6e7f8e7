/**
 * `capture`: frames of interfaces as pcapng with nanosecond stamps, for tcpdump and Wireshark. Thread: the command's.
 *
 * As in: capture -i eth0 -w - tcp port 80 | tcpdump -r -
 */

import type { KernelClient } from '../rump/kernel-client.ts';
import { type CaptureRequest, SNAP_BYTES } from './capture-stream.ts';
import { type CaptureFileOptions, type CaptureTotal, FrameCapture } from './frame-capture.ts';
import { getopt, numberOption, UsageError } from './getopt.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE =
  'usage: capture [-q] [-c count] [-f expression] [-i interface[,interface]] [-s snaplen] -w file [expression]';

/** One capture, its limits, and the file, or `-` for standard output. */
export interface CaptureOrder extends CaptureRequest, CaptureFileOptions {
  file: string;
}

/** Writes frames until `count` are there or `signal` is aborted. A reader that goes away ends it too, without an error. */
export async function writeCapture(
  client: KernelClient,
  order: CaptureOrder,
  signal: AbortSignal,
): Promise<CaptureTotal> {
  const { file, ...request } = order;
  const capture = new FrameCapture(client, request);
  const stop = (): void => capture.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (file === '-') return await capture.toStream(process.stdout, request);
    return await (await capture.toFile(file, request)).done;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const options = getopt(args, 'c:f:i:qs:w:');
  const file = options.values.get('w');
  const filter = options.values.get('f') ?? options.rest.join(' ');
  if (file === undefined || (options.values.has('f') && options.rest.length > 0)) throw new UsageError(USAGE);
  const names = options.values.get('i');
  const order: CaptureOrder = {
    ...(names === undefined ? {} : { interfaces: names.split(',') }),
    ...(filter === '' ? {} : { filter }),
    snapBytes: numberOption(options, 's', SNAP_BYTES, 1),
    count: numberOption(options, 'c', Number.POSITIVE_INFINITY, 1),
    file,
  };
  const { frames, dropped } = await writeCapture(context.kernel.client, order, context.signal);
  if (!options.flags.has('q')) context.out.error(`${frames} frames captured, ${dropped} dropped\n`);
  return 0;
}

export const capture: Tool = {
  name: 'capture',
  about: 'write frames as pcapng, chosen by an expression of tcpdump',
  usage: USAGE,
  run,
};
