/** `mk shmif_dumpbus` and `mk shmif_pcapin`: the frames of a bus, and frames put on one. Thread: the command's. */

import { Command } from 'commander';
import { dumpBus } from '../tools/bin/dump-bus.ts';
import { putOnBus } from '../tools/bin/put-on-bus.ts';
import type { TextSink } from '../tools/tool.ts';
import { output } from './output.ts';

const sink: TextSink = {
  write: (text) => output.write(text),
  writeBytes: (bytes) => void process.stdout.write(bytes),
  error: (text) => output.error(text),
};

export function dumpBusCommand(): Command {
  return new Command('shmif_dumpbus')
    .summary('print or save the frames of a bus')
    .description('Print the frames that a bus of shmif interfaces still holds, and save them as pcap.')
    .argument('[arguments...]', '[-h] [-p FILE] BUS; -h: the header alone; -p -: pcap on standard output')
    .helpOption('--help', 'display help for command')
    .passThroughOptions()
    .allowUnknownOption()
    .action((args: string[]) => {
      process.exitCode = dumpBus(args, sink);
    });
}

export function putOnBusCommand(): Command {
  return new Command('shmif_pcapin')
    .summary('put the frames of a pcap file on a bus')
    .description('Put the frames of a pcap file on a bus of shmif interfaces.')
    .argument('[arguments...]', 'FILE BUS')
    .helpOption('--help', 'display help for command')
    .passThroughOptions()
    .action(async (args: string[]) => {
      process.exitCode = await putOnBus(args, sink);
    });
}
