/**
 * The command line: every command, the options they share, and how failures look: one line `mk COMMAND: what: why` on stderr,
 * never a stack, and an exit code.
 *
 * Thread: the main thread of the command.
 */

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { benchCommand } from './bench.ts';
import { breakCommand, healCommand } from './break.ts';
import { dumpBusCommand, putOnBusCommand } from './bus.ts';
import { captureCommand } from './capture.ts';
import { completeCommand, completionCommand } from './completion.ts';
import { doctorCommand } from './doctor.ts';
import { downCommand } from './down.ts';
import { execCommand, toolCommand } from './exec.ts';
import { describeFailure, EXIT_USAGE } from './failure.ts';
import { forwardCommand } from './forward.ts';
import { helpCommand } from './help.ts';
import { killCommand, pauseCommand, restartCommand, resumeCommand, startCommand, stopCommand } from './life.ts';
import { logsCommand } from './logs.ts';
import { lsCommand } from './ls.ts';
import { netemCommand } from './netem.ts';
import { TOOLS } from './network-tools.ts';
import { output, quietOnClosedPipe } from './output.ts';
import { packetdrillCommand } from './packetdrill.ts';
import { psCommand } from './ps.ts';
import { rumpServerCommand } from './rump-server.ts';
import { runCommand } from './run.ts';
import { shellCommand } from './shell.ts';
import { statCommand, topCommand } from './stat.ts';
import { testCommand } from './test.ts';
import { upCommand } from './up.ts';

export function createProgram(): Command {
  const program = new Command('mk')
    .description('Machines on their own network, in one program: real TCP/IP between unchanged Node programs.')
    .version(version(), '-V, --version', 'print the version')
    .enablePositionalOptions()
    .helpCommand(false)
    .configureHelp({ sortSubcommands: false });
  program.commandsGroup('A lab:');
  for (const command of [
    upCommand(),
    testCommand(),
    downCommand(),
    lsCommand(),
    psCommand(),
    logsCommand(),
    execCommand(),
    shellCommand(),
    forwardCommand(),
  ])
    program.addCommand(command);
  program.commandsGroup('Faults and metrics:');
  const faults = [
    netemCommand(),
    breakCommand(),
    healCommand(),
    startCommand(),
    stopCommand(),
    restartCommand(),
    killCommand(),
    pauseCommand(),
    resumeCommand(),
  ];
  for (const command of [...faults, captureCommand(), statCommand(), topCommand()]) program.addCommand(command);
  program.commandsGroup('Without a lab:');
  const others = [
    runCommand(),
    rumpServerCommand(),
    dumpBusCommand(),
    putOnBusCommand(),
    packetdrillCommand(),
    benchCommand(),
    doctorCommand(),
    completionCommand(),
  ];
  for (const command of [...others, helpCommand(program)]) program.addCommand(command);
  program.addCommand(completeCommand(program), { hidden: true });
  program.commandsGroup('Network tools of a kernel (mk TOOL -k NODE, or mk exec NODE -- TOOL):');
  for (const tool of TOOLS) program.addCommand(toolCommand(tool));
  for (const command of [program, ...program.commands.flatMap((one) => [one, ...one.commands])]) {
    command.exitOverride();
    // Errors of parsing are written once, below, like all others.
    command.configureOutput({ writeErr: () => {}, writeOut: (text) => output.write(text) });
  }
  return program;
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Run the command line; sets `process.exitCode`. */
export async function main(args: readonly string[]): Promise<void> {
  quietOnClosedPipe();
  const program = createProgram();
  try {
    if (args.length === 0) {
      output.write(program.helpInformation());
      return;
    }
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    fail(program, args, error);
  }
}

function fail(program: Command, args: readonly string[], error: unknown): void {
  const name = program.commands.find((command) => command.name() === args[0])?.name();
  const prefix = name === undefined ? 'mk' : `mk ${name}`;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return;
    const line = error.message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)/, '; did you mean $1?');
    output.error(`${prefix}: ${line.split('\n', 1)[0]}\n`);
    process.exitCode = EXIT_USAGE;
    return;
  }
  const { line, exitCode } = describeFailure(error);
  if (line !== '') output.error(`${prefix}: ${line}\n`);
  process.exitCode = exitCode;
  if (process.env.MK_DEBUG === '1' && error instanceof Error) output.error(`${error.stack}\n`);
}
