/**
 * `mk capture NODE[:IF] -w FILE|- [EXPRESSION]`: frames as pcapng with nanosecond stamps, for tcpdump and Wireshark.
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
  filter?: string;
  write?: string;
  count?: string;
  snaplen?: string;
  quiet?: true;
  lab?: string;
}

export function captureCommand(): Command {
  return new Command('capture')
    .summary('write frames as pcapng')
    .description(
      'Write what interfaces send and receive as pcapng, until Ctrl-C or --count. The expression says which frames, as tcpdump has it: mk capture api -w - tcp port 80 | tcpdump -r -',
    )
    .argument('<target>', 'NODE, NODE:INTERFACE or NODE:INTERFACE,INTERFACE; without a name all interfaces')
    .argument('[expression...]', 'which frames, e.g. tcp port 80 and host db (pcap-filter(7))')
    .option('-f, --filter <expression>', 'the same in one word')
    .option('-w, --write <file>', 'where to write; - is standard output')
    .option('-c, --count <n>', 'end after so many frames')
    .option('-s, --snaplen <bytes>', 'keep only so much of each frame')
    .option('-q, --quiet', 'no summary at the end')
    .addOption(labOption())
    .action(async (target: string, expression: string[], options: CaptureArguments) => {
      const file = options.write ?? (output.terminal ? null : '-');
      if (file === null) throw new CommandFailure('where to? Say -w FILE, or -w - in front of a pipe');
      if (file === '-' && output.terminal)
        throw new CommandFailure('a capture is not for a terminal; pipe it, or say -w FILE');
      const [node, name] = target.split(':') as [string, string?];
      if (options.filter !== undefined && expression.length > 0) {
        throw new CommandFailure('a filter is given by -f or behind the node, once');
      }
      const filter = options.filter ?? (expression.length === 0 ? undefined : expression.join(' '));
      const order: CaptureOrder = {
        ...(name === undefined ? {} : { interfaces: name.split(',') }),
        ...(filter === undefined ? {} : { filter }),
        snapBytes: positive('--snaplen', options.snaplen, SNAP_BYTES),
        file,
        count: positive('--count', options.count, Number.POSITIVE_INFINITY),
        title: (found) => `${node}:${found}`,
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
