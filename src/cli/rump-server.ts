/** `mk rump_server`: one kernel in a process of its own, with NetBSD's arguments. Thread: the command's. */

import { Command } from 'commander';
import { startServer } from '../tools/rump-server.ts';
import { output } from './output.ts';

export function rumpServerCommand(): Command {
  return new Command('rump_server')
    .summary('start a kernel that RUMP_SERVER names')
    .description(
      'Start a kernel in a process of its own, at unix://PATH or tcp://127.0.0.1:PORT/, and return when it answers.',
    )
    .argument('[arguments...]', 'as of rump_server(1)')
    .helpOption('--help', 'display help for command')
    .passThroughOptions()
    .allowUnknownOption()
    .addHelpText(
      'after',
      `
  -s        stay in the foreground          -v        say what the kernel is
  -l LIB    rumpnet_shmif, rumpnet_netinet6, rumpnet_bridge ...: what the kernel has
  -c NCPU   CPUs that hw.ncpu shows         -r RAM    memory, e.g. 64m
  -d DRIVE  checked and left alone          -m MOD    an error: there are no modules

  mk rump_server -l rumpnet_shmif unix://commsock
  RUMP_SERVER=unix://commsock rump.ifconfig shmif0 create; RUMP_SERVER=unix://commsock rump.halt
`,
    )
    .action(async (args: string[]) => {
      process.exitCode = await startServer(args, output);
    });
}
