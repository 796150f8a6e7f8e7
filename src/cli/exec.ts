/**
 * `mk exec NODE -- COMMAND`: a Node program, a network tool or another command as one more process of a node's machine; and network
 * tools as `mk TOOL -k NODE`.
 *
 * Thread: the command's. Network tools run in this process, others in one of their own with the streams of this one.
 */

import { Command, Option } from 'commander';
import { machineCommand } from '../index.ts';
import type { Tool } from '../tools/tool.ts';
import { CommandFailure } from './failure.ts';
import { EXIT_NOT_FOUND, runOn, TOOLS, toolNamed } from './network-tools.ts';
import { output } from './output.ts';
import { endAs, runChild } from './pass-through.ts';
import { checkScript, divide } from './run.ts';
import { labOption, withLab } from './target.ts';

export function execCommand(): Command {
  const list = TOOLS.map((tool) => `  ${tool.name.padEnd(11)} ${tool.about}`).join('\n');
  return new Command('exec')
    .summary('run a program or a network tool on a node')
    .description(
      'Run a command as one more process of a node: mk exec api -- node script.js runs a Node program on its kernel, with the streams of the ' +
        'terminal, the environment of the node and the exit code and signals of the program; mk exec api -- node is a REPL there; ' +
        'mk exec client -- ping -c 3 api is a network tool. Any other command has the network of the host (a line says so); Node programs ' +
        'that it starts, and the rump.* tools, have that of the node. The process ends with the machine. The folder is the current one.',
    )
    .argument('<node>', 'node of the lab')
    .argument('<command...>', 'node [script], a script, a tool or a program, and its arguments')
    .addOption(labOption())
    .passThroughOptions()
    .addHelpText('after', `\nTools (NetBSD's arguments and output; --json for data):\n${list}`)
    .action(async (node: string, words: string[], options: { lab?: string }) => {
      const command = words[0] === '--' ? words.slice(1) : words;
      const [name, ...args] = command;
      if (name === undefined) throw new CommandFailure(`what shall run on ${node}? See mk help exec`);
      const tool = toolNamed(name);
      if (tool !== null) await runOn(options.lab, node, tool, args);
      else process.exitCode = await runProcess(options.lab, node, command);
    });
}

async function runProcess(lab: string | undefined, node: string, words: string[]): Promise<number> {
  const env = await withLab(lab, (found) => found.node(node).environment());
  const { file, args, onMachine } = commandOf(words, env.PATH ?? '');
  if (!onMachine) {
    output.error(`mk exec: ${words[0]} has the host's network; Node programs that it starts have ${node}'s\n`);
  }
  if (onMachine) {
    const { program } = divide(args);
    if (program.length > 0) checkScript(program);
  }
  return endAs(await runChild(file, args, env));
}

function commandOf(words: string[], path: string): ReturnType<typeof machineCommand> {
  try {
    return machineCommand(words, process.cwd(), path);
  } catch (error) {
    throw new CommandFailure(`${(error as Error).message}; mk help exec lists the tools`, EXIT_NOT_FOUND);
  }
}

export function toolCommand(tool: Tool): Command {
  return new Command(tool.name)
    .summary(tool.about)
    .description(`On the kernel that -k names: ${tool.about}.`)
    .addOption(new Option('-k <node>', 'kernel').env('MK_KERNEL'))
    .addOption(labOption())
    .argument('[arguments...]', "the tool's own")
    .helpOption('--help', 'display help for command')
    .passThroughOptions()
    .allowUnknownOption()
    .addHelpText('after', `\n${tool.usage.replace(/^usage:/, "The tool's own arguments:")}`)
    .action((args: string[], options: { k?: string; lab?: string }) =>
      runOn(options.lab, options.k ?? null, tool, args),
    );
}
