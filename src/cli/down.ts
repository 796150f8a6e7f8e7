/**
 * `mk down`: take a lab down from another terminal: the named one, or that of the lab file in this folder. The only lab that is up
 * may be somebody else's work: it is named, not taken down.
 *
 * Thread: the command's.
 */

import { Command } from 'commander';
import { type Lab, LabFileError, labs, readLab } from '../index.ts';
import { CommandFailure } from './failure.ts';
import { output, printJson } from './output.ts';
import { attachIfUp, attachTo, LAB_FILES, labFileHere, labOption } from './target.ts';

export function downCommand(): Command {
  return new Command('down')
    .summary('take a lab down')
    .description(
      'Take a running lab down: the named one, or that of the lab file in this folder. Returns when all of its threads and processes are gone.',
    )
    .argument('[name]', 'name of the lab')
    .addOption(labOption())
    .option('--all', 'take every lab of this user down')
    .option('--json', 'print JSON')
    .action(async (name: string | undefined, options: { lab?: string; all?: true; json?: true }) => {
      if (options.all) {
        if (name !== undefined) throw new CommandFailure(`--all, or ${name}?`);
        await allDown(options.json === true);
        return;
      }
      const named = name ?? options.lab;
      const lab = named === undefined ? await labOfFolder() : await attachTo(named);
      await lab.down();
      if (options.json) printJson(output, { lab: lab.name, state: 'down' });
      else output.write(`${lab.name} is down\n`);
    });
}

/** All labs go but those that do not answer: these are named, and the command fails. */
async function allDown(json: boolean): Promise<void> {
  const up = await labs();
  const answering = up.filter(({ pid }) => pid !== null);
  const silent = up.filter(({ pid }) => pid === null).map(({ name }) => name);
  const down: string[] = [];
  await Promise.all(
    answering.map(async ({ name }) => {
      const lab = await attachIfUp(name);
      await lab?.down();
      down.push(name);
    }),
  );
  if (json)
    printJson(
      output,
      down.map((name) => ({ lab: name, state: 'down' })),
    );
  else for (const name of down.sort()) output.write(`${name} is down\n`);
  if (silent.length > 0) throw new CommandFailure(`${silent.join(', ')}: does not answer`);
}

async function labOfFolder(): Promise<Lab> {
  const file = labFileHere();
  if (file === null) throw await notMeant(`no ${LAB_FILES[0]} here`);
  let name: string;
  try {
    name = readLab(file).name;
  } catch (error) {
    // It may have been changed since the lab came up.
    if (error instanceof LabFileError) throw await notMeant(error.message);
    throw error;
  }
  const lab = await attachIfUp(name);
  if (lab === null) throw await notMeant(`${name}, the lab of ${file}, is not up`);
  return lab;
}

/** The failure, with the names among which to choose. */
async function notMeant(why: string): Promise<CommandFailure> {
  const up = (await labs()).map(({ name, pid }) => (pid === null ? `${name} (does not answer)` : name));
  if (up.length === 0) return new CommandFailure(`${why}, and no lab is up`);
  return new CommandFailure(`${why}; up: ${up.join(', ')}; say which: mk down NAME`);
}
