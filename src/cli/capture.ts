/**
 * `mk capture NODE[:IF] -w FILE|-`: the frames of an interface as pcapng with nanosecond stamps, for tcpdump and Wireshark.
 *
 * Thread: the command's.
 */

import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { Command } from 'commander';
import type { CaptureEvent, StreamIterable } from '../index.ts';
import { pcapng } from '../wire/index.ts';
import { CommandFailure } from './failure.ts';
import { output } from './output.ts';
import { labOption, withLab } from './target.ts';

interface CaptureOptions {
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
    .action((target: string, options: CaptureOptions) =>
      withLab(options.lab, async (lab) => {
        const file = options.write ?? (output.terminal ? null : '-');
        if (file === null) throw new CommandFailure('where to? Say -w FILE, or -w - in front of a pipe');
        if (file === '-' && output.terminal)
          throw new CommandFailure('a capture is not for a terminal; pipe it, or say -w FILE');
        const [node, name] = target.split(':') as [string, string?];
        const snapBytes = positive('--snaplen', options.snaplen, 262_144);
        const request = name === undefined ? { snapBytes } : { interface: name, snapBytes };
        const stream = lab.node(node).capture(request);
        const stop = (): void => stream.close();
        process.once('SIGINT', stop);
        process.once('SIGTERM', stop);
        const sink = file === '-' ? process.stdout : createWriteStream(file);
        const { frames, dropped } = await copy(
          stream,
          sink,
          target,
          positive('--count', options.count, Number.POSITIVE_INFINITY),
        );
        process.off('SIGINT', stop);
        process.off('SIGTERM', stop);
        if (file !== '-') {
          sink.end();
          await finished(sink);
        }
        if (!options.quiet) output.error(`${frames} frames captured, ${dropped} dropped\n`);
      }),
    );
}

function positive(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new CommandFailure(`${name} ${text}: not a number above 0`);
  return value;
}

async function copy(
  stream: StreamIterable<CaptureEvent>,
  sink: NodeJS.WritableStream,
  target: string,
  most: number,
): Promise<{ frames: number; dropped: number }> {
  const total = { frames: 0, dropped: 0 };
  // A reader that went away (`| head -c`) ends the capture, not with an error.
  sink.on('error', () => stream.close());
  for await (const event of stream) {
    if (event.type === 'interface') {
      writeHeader(sink, target.includes(':') ? target : `${target}:${event.name}`, event);
      continue;
    }
    total.dropped += event.droppedFrames;
    for (const frame of event.frames) {
      if (total.frames === most) break;
      total.frames++;
      sink.write(pcapng.packetBlock({ interfaceIndex: 0, ...frame }));
    }
    if (total.frames >= most) stream.close();
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
