/**
 * Which lab a command means: `--lab NAME` (or MK_LAB), else the one that is up, else, when several are, the one of the lab
 * file in this folder.
 *
 * Thread: the command's.
 */

import { existsSync } from 'node:fs';
import { Option } from 'commander';
import { attach, type Lab, labs, readLab } from '../index.ts';
import { CommandFailure } from './failure.ts';

export const LAB_FILES: readonly string[] = ['multikernel.yml', 'multikernel.yaml'];

/** The lab file of this folder, or null. */
export function labFileHere(): string | null {
  return LAB_FILES.find((name) => existsSync(name)) ?? null;
}

export function labOption(): Option {
  return new Option('--lab <name>', 'which lab, when several are up').env('MK_LAB');
}

export async function attachTo(name: string | undefined): Promise<Lab> {
  if (name !== undefined) return attach(name);
  const up = await labs();
  if (up.length <= 1) return attach();
  const file = labFileHere();
  const here = file === null ? null : readLab(file).name;
  const names = up.map((lab) => lab.name);
  if (here !== null && names.includes(here)) return attach(here);
  throw new CommandFailure(`several labs are up (${names.join(', ')}): say which with --lab`);
}

/** Attach, do something, hang up. */
export async function withLab<T>(name: string | undefined, what: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = await attachTo(name);
  try {
    return await what(lab);
  } finally {
    await lab.detach();
  }
}
