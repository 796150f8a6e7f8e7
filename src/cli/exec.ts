/** `mk exec NODE -- TOOL`: a network tool on a node of a lab; and the same as `mk TOOL -k NODE`. Thread: the command's. */

import { Command, Option } from 'commander';
import type { Tool } from '../tools/tool.ts';
import { CommandFailure } from './failure.ts';
import { runOn, TOOLS, toolNamed } from './network-tools.ts';
import { labOption } from './target.ts';

export function execCommand(): Command {
  const list = TOOLS.map((tool) => `  ${tool.name.padEnd(11)} ${tool.about}`).join('\n');
  return new Command('exec')
    .summary('run a network tool on a node')
    .description('Run a network tool on a node, as in: mk exec client -- ping -c 3 api')
    .argument('<node>', 'node of the lab')
    .argument('<command...>', 'tool and its arguments')
    .addOption(labOption())
    .passThroughOptions()
    .addHelpText('after', `\nTools (NetBSD's arguments and output; --json for data):\n${list}`)
    .action(async (node: string, words: string[], options: { lab?: string }) => {
      const [name, ...args] = words[0] === '--' ? words.slice(1) : words;
      if (name === undefined) throw new CommandFailure(`what shall run on ${node}? See mk help exec`);
      await runOn(options.lab, node, toolNamed(name), args);
    });
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
