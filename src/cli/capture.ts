/**
 * `mk capture NODE[:IF] -w FILE|-`: the frames of an interface as pcapng with nanosecond stamps, for tcpdump and Wireshark.
 *
 * Thread: the command's.
 */

import { Command } from 'commander';
import { type CaptureOrder, writeCapture } from '../tools/capture.ts';
import { SNAP_BYTES } from '../tools/capture-stream.ts';
import { untilInterrupted } from '../tools/interrupt.ts';
import { CommandFailure } from './failure.ts';
import { output } from './output.ts';
import { labOption, withKernel } from './target.ts';

interface CaptureArguments {
  write?: string;
  count?: string;
  snaplen?: string;
  quiet?: true;
  lab?: string;
}

export function captureCommand(): Command {
  return new Command('capture')
    .summary('write the frames of an interface as pcapng')
    .description(
      'Write what an interface sends and receives as pcapng, until Ctrl-C or --count. As in: mk capture api:eth0 -w - | tcpdump -r -',
    )
    .argument('<target>', 'NODE or NODE:INTERFACE')
    .option('-w, --write <file>', 'where to write; - is standard output')
    .option('-c, --count <n>', 'end after so many frames')
    .option('-s, --snaplen <bytes>', 'keep only so much of each frame')
    .option('-q, --quiet', 'no summary at the end')
    .addOption(labOption())
    .action(async (target: string, options: CaptureArguments) => {
      const file = options.write ?? (output.terminal ? null : '-');
      if (file === null) throw new CommandFailure('where to? Say -w FILE, or -w - in front of a pipe');
      if (file === '-' && output.terminal)
        throw new CommandFailure('a capture is not for a terminal; pipe it, or say -w FILE');
      const [node, name] = target.split(':') as [string, string?];
      const order: CaptureOrder = {
        ...(name === undefined ? {} : { interface: name }),
        snapBytes: positive('--snaplen', options.snaplen, SNAP_BYTES),
        file,
        count: positive('--count', options.count, Number.POSITIVE_INFINITY),
        title: (found) => (name === undefined ? `${target}:${found}` : target),
      };
      const { frames, dropped } = await untilInterrupted((signal) =>
        withKernel(options.lab, node, (client) => writeCapture(client, order, signal)),
      );
      if (!options.quiet) output.error(`${frames} frames captured, ${dropped} dropped\n`);
    });
}

function positive(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new CommandFailure(`${name} ${text}: not a number above 0`);
  return value;
}
