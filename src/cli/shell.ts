/**
 * `mk shell NODE`: the user's shell as a process of a node's machine: Node programs that it starts are on that network, and the network
 * tools come first in PATH.
 *
 * Thread: the command's. The prompt names the node: by a start file of bash, zsh or fish that reads the user's own first, by PS1 elsewhere.
 */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { commandUrl } from '../base/module-url.ts';
import { TOOLS } from './network-tools.ts';
import { output } from './output.ts';
import { endAs, runChild } from './pass-through.ts';
import { labOption, withLab } from './target.ts';

export function shellCommand(): Command {
  return new Command('shell')
    .summary('open a shell on a node')
    .description(
      'Run $SHELL as a process of a node. Node programs that are started in it are on the kernel of the node, npm and npx among them; ' +
        `${TOOLS.map(({ name }) => name).join(', ')} come first in PATH and are those of the node, under their rump.* names too; ` +
        "mk commands mean this lab and node. Other programs have the host's network. The shell ends with the machine.",
    )
    .argument('<node>', 'node of the lab')
    .argument('[arguments...]', 'of the shell, such as -- -c "ifconfig -a"')
    .addOption(labOption())
    .passThroughOptions()
    .action(async (node: string, words: string[], options: { lab?: string }) => {
      const args = words[0] === '--' ? words.slice(1) : words;
      process.exitCode = await runShell(options.lab, node, args);
    });
}

async function runShell(lab: string | undefined, node: string, args: string[]): Promise<number> {
  const machine = await withLab(lab, async (found) => ({
    lab: found.name,
    env: await found.node(node).environment(),
  }));
  const folder = mkdtempSync(join(tmpdir(), 'mk-shell-'));
  try {
    writeTools(folder);
    const path = `${folder}:${machine.env.PATH ?? ''}`;
    const env = { ...machine.env, PATH: path, MK_LAB: machine.lab, MK_KERNEL: node };
    const shell = process.env.SHELL || '/bin/sh';
    const interactive = args.length === 0 && process.stdin.isTTY === true;
    if (interactive)
      output.error(`${node}: Node programs and network tools are on this machine, others on the host's network\n`);
    const start = interactive ? startOf(shell, node, folder) : { args: [], env: {} };
    const end = await runChild(shell, [...start.args, ...args], { ...env, ...start.env });
    // A shell that was killed with its machine leaves the terminal as it had it.
    if (interactive && end.signal !== null) spawnSync('stty', ['sane'], { stdio: ['inherit', 'ignore', 'ignore'] });
    return endAs(end);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A text as one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Commands for the network tools and for `mk`, which are Node programs of the host. */
function writeTools(folder: string): void {
  const { NODE_OPTIONS: own } = process.env;
  const options = own === undefined ? 'unset NODE_OPTIONS' : `NODE_OPTIONS=${quoted(own)}`;
  const write = (name: string, entry: string): void => {
    const command = `exec ${quoted(process.execPath)} ${quoted(entry)} "$@"`;
    writeFileSync(join(folder, name), `#!/bin/sh\n${options}\nunset MULTIKERNEL_SHARE\n${command}\n`, { mode: 0o755 });
  };
  for (const { name } of TOOLS) {
    const entry = fileURLToPath(commandUrl(`../tools/bin/${name}`, import.meta.url));
    write(name, entry);
    write(`rump.${name}`, entry);
  }
  write('rump.capture', fileURLToPath(commandUrl('../tools/bin/capture', import.meta.url)));
  for (const name of ['mk', 'multikernel']) write(name, process.argv[1] as string);
}

interface ShellStart {
  args: string[];
  env: Record<string, string>;
}

/** Arguments and variables by which an interactive shell gets the prompt, and PATH behind the user's own settings. */
function startOf(shell: string, node: string, folder: string): ShellStart {
  const path = quoted(folder);
  switch (basename(shell)) {
    case 'bash': {
      const file = join(folder, '.bashrc');
      writeFileSync(file, `[ -f ~/.bashrc ] && . ~/.bashrc\nPATH=${path}:$PATH\nPS1="(${node}) \${PS1:-\\\\$ }"\n`);
      return { args: ['--rcfile', file, '-i'], env: {} };
    }
    case 'zsh': {
      const home = `ZDOTDIR=${quoted(process.env.ZDOTDIR ?? process.env.HOME ?? '/')}`;
      const own = (name: string): string => `[ -f "$ZDOTDIR/${name}" ] && . "$ZDOTDIR/${name}"`;
      writeFileSync(join(folder, '.zshenv'), `${home}\n${own('.zshenv')}\nZDOTDIR=${path}\n`);
      writeFileSync(
        join(folder, '.zshrc'),
        `${home}\n${own('.zshrc')}\nPATH=${path}:$PATH\nPROMPT="(${node}) $PROMPT"\n`,
      );
      return { args: ['-i'], env: { ZDOTDIR: folder } };
    }
    case 'fish': {
      const prompt = `functions -c fish_prompt mk_prompt; function fish_prompt; echo -n '(${node}) '; mk_prompt; end`;
      return { args: ['-i', '-C', `set -gx PATH ${path} $PATH; ${prompt}`], env: {} };
    }
    default:
      return { args: ['-i'], env: { PS1: `(${node}) $ ` } };
  }
}
