/**
 * The lab that a command means: `--lab NAME` (or MK_LAB), else the one that is up, else, when several are, the one of the lab
 * file in this folder.
 *
 * Thread: the command's.
 */

import { existsSync } from 'node:fs';
import { Option } from 'commander';
import { attach, type KernelClient, kernelSocket, type Lab, type LabNode, readLab } from '../index.ts';
import { kernelAt } from '../tools/bin/kernel-at.ts';
import { CommandFailure } from './failure.ts';

export const LAB_FILES: readonly string[] = ['multikernel.yml', 'multikernel.yaml'];

/** The lab file of this folder, or null. */
export function labFileHere(): string | null {
  return LAB_FILES.find((name) => existsSync(name)) ?? null;
}

/** The lab file that a command names, or that of this folder. */
export function labFileOf(given: string | undefined): string {
  const file = given ?? labFileHere();
  if (file === null) throw new CommandFailure(`no ${LAB_FILES[0]} here; name a file`);
  return file;
}

export function parseSeed(text: string): number {
  const seed = Number(text);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new CommandFailure(`--seed ${text}: not a whole number`);
  return seed;
}

export function labOption(): Option {
  return new Option('--lab <name>', 'which lab, when several are up').env('MK_LAB');
}

export async function attachTo(name: string | undefined): Promise<Lab> {
  if (name !== undefined) return attach(name);
  try {
    return await attach();
  } catch (error) {
    if (!isError(error, 'EINVAL')) throw error;
    const file = labFileHere();
    const wanted = file === null ? null : readLab(file).name;
    const { silent } = error.cause as { silent: readonly string[] };
    // It was asked already.
    if (wanted !== null && silent.includes(wanted)) throw new CommandFailure(`lab ${wanted} does not answer`);
    const here = wanted === null ? null : await attachIfUp(wanted);
    if (here !== null) return here;
    throw new CommandFailure(`${error.message} with --lab`);
  }
}

export async function attachIfUp(name: string): Promise<Lab | null> {
  try {
    return await attach(name);
  } catch (error) {
    if (isError(error, 'ENOENT')) return null;
    throw error;
  }
}

function isError(error: unknown, code: string): error is Error {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
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

/**
 * The kernel of a node: at its own socket where a look into the runtime folder finds that, else through its lab, which also says
 * what is wrong. `node` null: the only one of the lab.
 */
export async function withKernel<T>(
  lab: string | undefined,
  node: string | null,
  what: (client: KernelClient) => Promise<T>,
): Promise<T> {
  const client = node === null ? null : await directly(node, lab);
  if (client === null) return withLab(lab, (attached) => what(nodeOf(attached, node).client));
  try {
    return await what(client);
  } finally {
    await client.close();
  }
}

/** URL of a kernel: given as such, or of a node by its name. Throws when that has no socket of its own. */
export async function serverUrl(kernel: string, lab: string | undefined): Promise<string> {
  if (kernel.includes('://')) return kernel;
  const path =
    kernelSocket(kernel, lab) ??
    (await withLab(lab, async (found) => kernelSocket(found.node(kernel).name, found.name)));
  if (path !== null) return `unix://${path}`;
  throw new CommandFailure(`${kernel} has no socket of its own`);
}

/** Null: the kernel has no socket, or nobody answers there. */
async function directly(node: string, lab: string | undefined): Promise<KernelClient | null> {
  const path = kernelSocket(node, lab);
  if (path === null) return null;
  try {
    return await kernelAt({ kind: 'unix', path, key: null }, undefined, node);
  } catch (error) {
    if (isError(error, 'ETIMEDOUT')) throw error;
    return null;
  }
}

function nodeOf(lab: Lab, name: string | null): LabNode {
  const [only, ...others] = lab.nodes;
  if (name !== null) return lab.node(name);
  if (only !== undefined && others.length === 0) return only;
  const names = lab.nodes.map((node) => node.name).join(', ');
  throw new CommandFailure(`which kernel? Say -k NODE (${names})`);
}
