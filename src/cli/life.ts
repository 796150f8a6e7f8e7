/** `mk start`, `stop`, `kill`, `restart`, `pause`, `resume`: the life of one node of a lab. Thread: the command's. */

import { Command, Option } from 'commander';
import { durationMs, type LabNode, type NodeStatus } from '../index.ts';
import { CommandFailure } from './failure.ts';
import { output, printJson } from './output.ts';
import { labOption, withLab } from './target.ts';

interface LifeOptions {
  lab?: string;
  json?: true;
}

async function change(name: string, options: LifeOptions, what: (node: LabNode) => Promise<NodeStatus>): Promise<void> {
  const status = await withLab(options.lab, (lab) => what(lab.node(name)));
  if (options.json) printJson(output, status);
  else output.write(`${status.name}: ${status.state}\n`);
}

export function startCommand(): Command {
  return new Command('start')
    .summary('start the program of a node')
    .description(
      'Start the program of a node that was stopped or has ended, and its machine where that is off. A program that waits for others ' +
        '(depends_on) begins at once.',
    )
    .argument('<node>', 'the node')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((name: string, options: LifeOptions) => change(name, options, (node) => node.start()));
}

export function stopCommand(): Command {
  return new Command('stop')
    .summary('let the program of a node end')
    .description(
      'Ask the program of a node to end (SIGTERM), and end it (SIGKILL) when it still runs after --grace. Its machine goes on, as after any ' +
        'end of the program; that of a program beside its kernel ends with it. A node without a program is switched off. mk start starts it again.',
    )
    .argument('<node>', 'the node')
    .addOption(new Option('--grace <time>', 'how long it may take to end').default('10s').env('MK_GRACE'))
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((name: string, options: LifeOptions & { grace: string }) => {
      const graceMs = durationMs(options.grace);
      if (!(graceMs >= 0)) throw new CommandFailure(`--grace ${options.grace}: a time with its unit, such as 10s`);
      return change(name, options, (node) => node.stop({ graceMs: Math.round(graceMs) }));
    });
}

export function killCommand(): Command {
  return new Command('kill')
    .summary('end the program of a node, or switch the node off')
    .description(
      'End the program of a node, as kill -9 does: its machine closes its sockets (FIN, or RST where data was not read) and goes on. ' +
        'With --power the plug is pulled: its peers hear nothing. A program beside its kernel can be ended in this way only.',
    )
    .argument('<node>', 'the node')
    .option('--power', 'switch the machine off')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((name: string, options: LifeOptions & { power?: true }) =>
      change(name, options, (node) => (options.power ? node.powerOff() : node.kill())),
    );
}

function stillCommand(verb: 'pause' | 'resume', summary: string, description: string): Command {
  return new Command(verb)
    .summary(summary)
    .description(description)
    .argument('<node>', 'the node')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((name: string, options: LifeOptions) => change(name, options, (node) => node[verb]()));
}

export function pauseCommand(): Command {
  return stillCommand(
    'pause',
    'let the program of a node stand still',
    'Let the program of a node stand still, as kill -STOP does. Its machine goes on: connections stay open, data is acknowledged until ' +
      'the receive buffers are full. A program beside its kernel cannot be paused.',
  );
}

export function resumeCommand(): Command {
  return stillCommand('resume', 'let a paused program go on', 'Let a paused program go on.');
}

export function restartCommand(): Command {
  return new Command('restart')
    .summary('switch a node off and on again')
    .description(
      'Switch a node off and on again, with its program. Its peers see a reboot: connections are reset when they next send.',
    )
    .argument('<node>', 'the node')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((name: string, options: LifeOptions) => change(name, options, (node) => node.restart()));
}
