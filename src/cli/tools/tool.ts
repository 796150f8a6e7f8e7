/**
 * What a network tool is given: the kernel it speaks to, names, a place to write. Tools take NetBSD's arguments and print
 * NetBSD's text; with `--json` they print what the kernel said.
 *
 * Thread: the command's.
 */

import type { Kernel, LabInfo } from '../../index.ts';
import type { Output } from '../output.ts';

export interface ToolContext {
  kernel: Kernel;
  lab: LabInfo;
  out: Output;
  json: boolean;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** For tools that read it. */
  stdin: NodeJS.ReadableStream;
}

/** Exit code. Throws UsageError for its arguments, MultikernelError for what the kernel says. */
export type ToolRun = (context: ToolContext, args: string[]) => Promise<number>;

export interface Tool {
  name: string;
  /** One line for lists. */
  about: string;
  usage: string;
  run: ToolRun;
}

/** Name of an address in the lab, or null. */
export function nameOf(lab: LabInfo, address: string): string | null {
  if (address.startsWith('127.')) return 'localhost';
  return lab.nodes.find((node) => node.addresses.some((entry) => entry.address === address))?.name ?? null;
}

/** Dotted address of a host of the lab as the node `from` sees it, or null. */
export function addressOf(lab: LabInfo, from: string, host: string): string | null {
  if (isAddress(host)) return host;
  if (host === 'localhost') return '127.0.0.1';
  const name = host.toLowerCase().replace(/\.$/, '');
  for (const { name: network, domain } of lab.networks) {
    const node = lab.nodes.find((candidate) => name === `${candidate.name}.${domain}`);
    const entry = node?.addresses.find((candidate) => candidate.network === network);
    if (entry !== undefined) return entry.address;
  }
  const node = lab.nodes.find((candidate) => name === candidate.name || name === `${candidate.name}.${lab.domain}`);
  if (node === undefined) return null;
  const near = lab.nodes.find((candidate) => candidate.name === from)?.addresses.map((entry) => entry.network) ?? [];
  const entry = node.addresses.find((candidate) => near.includes(candidate.network)) ?? node.addresses[0];
  return entry?.address ?? null;
}

export function isAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((octet) => Number(octet) < 256);
}

export function isMac(text: string): boolean {
  return /^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/.test(text);
}

/** `n thing` or `n things`. */
export function counted(n: number, singular: string, plural: string = `${singular}s`): string {
  return `${n} ${n === 1 ? singular : plural}`;
}

/** Messages of strerror(3) for the codes tools print. */
export const ERROR_TEXT: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EADDRNOTAVAIL: "Can't assign requested address",
  EBUSY: 'Device busy',
  EEXIST: 'File exists',
  EHOSTDOWN: 'Host is down',
  EHOSTUNREACH: 'No route to host',
  EINVAL: 'Invalid argument',
  EMSGSIZE: 'Message too long',
  ENETDOWN: 'Network is down',
  ENETUNREACH: 'Network is unreachable',
  ENOBUFS: 'No buffer space available',
  ENOENT: 'No such file or directory',
  ENXIO: 'Device not configured',
  EPERM: 'Operation not permitted',
};
