/**
 * `mk completion bash|zsh|fish` prints a script for the shell; the script asks `mk complete -- WORD...` at each Tab, and so knows the
 * commands of the package that is installed and the nodes of the labs that are up.
 *
 * Thread: the command's.
 */

import { Argument, Command, type Option } from 'commander';
import { attach, labs } from '../index.ts';
import { TOOLS } from './network-tools.ts';
import { output } from './output.ts';

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_mk_complete() {
  local IFS=$'\\n'
  COMPREPLY=($("$1" complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _mk_complete mk multikernel
`,
  zsh: `_mk_complete() {
  local -a found
  found=("\${(@f)$("\${words[1]}" complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
compdef _mk_complete mk multikernel
`,
  fish: `function __mk_complete
  set -l words (commandline -opc)
  set -l word (commandline -ct)
  $words[1] complete -- $words[2..-1] "$word" 2>/dev/null
end
complete -c mk -a '(__mk_complete)'
complete -c multikernel -a '(__mk_complete)'
`,
};

/** Arguments that are nodes, by their names in the help texts; a variadic one takes several. */
const NODE_ARGUMENTS: ReadonlySet<string> = new Set(['a', 'b', 'node', 'nodes', 'target']);
/** Options whose value is a node. */
const NODE_OPTIONS: ReadonlySet<string> = new Set(['-k', '--server', '--attach']);

/** Labs and nodes that are up, asked only when they are needed. */
export interface Running {
  labs(): Promise<string[]>;
  /** Names of nodes of one lab, or (null) of all. */
  nodes(lab: string | null): Promise<string[]>;
}

export function completionCommand(): Command {
  return new Command('completion')
    .summary('print the completion script of a shell')
    .description('Print the script that completes commands, options and names of nodes in a shell.')
    .addArgument(new Argument('<shell>').choices(Object.keys(SCRIPTS)))
    .addHelpText(
      'after',
      `
  source <(mk completion bash)                                       # in ~/.bashrc
  source <(mk completion zsh)                                        # in ~/.zshrc, after compinit
  mk completion fish > ~/.config/fish/completions/mk.fish
`,
    )
    .action((shell: string) => output.write(SCRIPTS[shell] as string));
}

/** Asked by the scripts above, and so not among the commands that help lists. */
export function completeCommand(program: Command): Command {
  return new Command('complete')
    .summary('print what may stand for the last of the words of a command line')
    .argument('[words...]', 'words after mk; the last is the one to complete, and may be empty')
    .action(async (words: string[]) => {
      const found = await completions(program, words, RUNNING);
      if (found.length > 0) output.write(`${found.join('\n')}\n`);
    });
}

const RUNNING: Running = {
  async labs() {
    return (await labs()).map(({ name }) => name);
  },
  async nodes(wanted) {
    const found = new Set<string>();
    for (const { name, pid } of await labs()) {
      if (pid === null || (wanted !== null && name !== wanted)) continue;
      const lab = await attach(name);
      for (const node of lab.nodes) found.add(node.name);
      await lab.detach();
    }
    return [...found];
  },
};

/** Candidates for the last of `words`. Empty: nothing that we know, the shell's own file names may do. */
export async function completions(program: Command, words: readonly string[], running: Running): Promise<string[]> {
  const before = words.slice(0, -1);
  const word = words.at(-1) ?? '';
  const found = await candidates(program, before, word, running);
  return found.filter((candidate) => candidate.startsWith(word));
}

async function candidates(
  program: Command,
  before: readonly string[],
  word: string,
  running: Running,
): Promise<string[]> {
  let command = program;
  let lab: string | null = process.env.MK_LAB ?? null;
  let given = 0;
  let pending: Option | null = null;
  for (const one of before) {
    if (pending !== null) {
      if (pending.long === '--lab') lab = one;
      pending = null;
    } else if (one === '--') {
      // The words behind it are arguments.
    } else if (one.startsWith('-')) {
      const option = optionOf(command, one);
      pending = option?.required && !one.includes('=') ? option : null;
    } else {
      const inner: Command | undefined = given === 0 ? commandOf(command, one) : undefined;
      if (inner === undefined) given++;
      else command = inner;
    }
  }
  if (pending !== null) return valuesOf(pending, lab, running);
  if (word.startsWith('-')) return [...command.options, HELP].map((option) => option.long ?? (option.short as string));
  if (command.commands.length > 0) return given === 0 ? visible(command) : [];
  return argumentsOf(program, command, given, lab, running);
}

const HELP = { long: '--help', short: '-h' };

function visible(command: Command): string[] {
  return command.commands.map((inner) => inner.name()).filter((name) => name !== 'complete');
}

function commandOf(command: Command, name: string): Command | undefined {
  return command.commands.find((inner) => inner.name() === name);
}

function optionOf(command: Command, word: string): Option | undefined {
  const flag = word.split('=', 1)[0] as string;
  return command.options.find((option) => option.long === flag || option.short === flag);
}

async function valuesOf(option: Option, lab: string | null, running: Running): Promise<string[]> {
  if (option.argChoices !== undefined) return option.argChoices;
  if (option.long === '--lab') return running.labs();
  return NODE_OPTIONS.has(option.long ?? (option.short as string)) ? running.nodes(lab) : [];
}

async function argumentsOf(
  program: Command,
  command: Command,
  given: number,
  lab: string | null,
  running: Running,
): Promise<string[]> {
  const all = command.registeredArguments;
  const argument = all[given] ?? (all.at(-1)?.variadic === true ? all.at(-1) : undefined);
  if (argument === undefined) return [];
  if (argument.argChoices !== undefined) return argument.argChoices;
  if (NODE_ARGUMENTS.has(argument.name())) return running.nodes(lab);
  switch (command.name()) {
    case 'down':
      return running.labs();
    case 'help':
      return [...visible(program), 'file'];
    case 'exec':
      return given === 1 ? ['node', ...TOOLS.map((tool) => tool.name)] : [];
    default:
      return [];
  }
}
