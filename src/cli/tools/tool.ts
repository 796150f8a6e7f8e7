/**
 * What a network tool is given: the kernel it speaks to, names, a place to write. Tools take NetBSD's arguments and print
 * NetBSD's text; with `--json` they print what the kernel said.
 *
 * Thread: the command's.
 */

import type { AddressFamily, LabInfo, LabNode } from '../../index.ts';
import { ipv6 } from '../../wire/index.ts';
import type { Output } from '../output.ts';

export interface ToolContext {
  kernel: LabNode;
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
  if (address.startsWith('127.') || address === '::1') return 'localhost';
  return lab.nodes.find((node) => node.addresses.some((entry) => entry.address === address))?.name ?? null;
}

/** Address of a host of the lab, of one family, as the node `from` sees it, or null. */
export function addressOf(lab: LabInfo, from: string, host: string, family: AddressFamily = 'inet'): string | null {
  if (family === 'inet6' ? host.includes(':') : isAddress(host)) return family === 'inet6' ? canonical6(host) : host;
  if (host === 'localhost') return family === 'inet6' ? '::1' : '127.0.0.1';
  const wanted = (entry: { address: string }): boolean => entry.address.includes(':') === (family === 'inet6');
  const name = host.toLowerCase().replace(/\.$/, '');
  for (const { name: network, domain } of lab.networks) {
    const node = lab.nodes.find((candidate) => name === `${candidate.name}.${domain}`);
    const entry = node?.addresses.find((candidate) => candidate.network === network && wanted(candidate));
    if (entry !== undefined) return entry.address;
  }
  const node = lab.nodes.find((candidate) => name === candidate.name || name === `${candidate.name}.${lab.domain}`);
  if (node === undefined) return null;
  const near = lab.nodes.find((candidate) => candidate.name === from)?.addresses.map((entry) => entry.network) ?? [];
  const addresses = node.addresses.filter(wanted);
  const entry = addresses.find((candidate) => near.includes(candidate.network)) ?? addresses[0];
  return entry?.address ?? null;
}

export function isAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((octet) => Number(octet) < 256);
}

/** The canonical text of an IPv6 address, its zone behind it, or null when it is none. */
export function canonical6(text: string): string | null {
  const [address, ...zone] = text.split('%') as [string, ...string[]];
  const words = ipv6.parseAddress(address);
  if (words === null || zone.length > 1 || zone[0] === '') return null;
  return [ipv6.formatAddress(words), ...zone].join('%');
}

/** An IPv6 address as a number, its zone left out. */
export function toBigInt6(text: string): bigint {
  const words = ipv6.parseAddress(text.split('%', 1)[0] as string) ?? [];
  return words.reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n);
}

/** Text of such a number. */
export function fromBigInt6(address: bigint): string {
  const word = (shift: bigint): number => Number(BigInt.asIntN(32, address >> shift));
  return ipv6.formatAddress([word(96n), word(64n), word(32n), word(0n)]);
}

/** Seconds as ndp and ifconfig write them: `23h59m58s`. */
export function formatSeconds(total: number): string {
  const parts = [Math.floor(total / 86_400), Math.floor(total / 3600) % 24, Math.floor(total / 60) % 60, total % 60];
  const first = parts.findIndex((part) => part > 0);
  return parts.map((part, i) => (i >= (first < 0 ? 3 : first) ? `${part}${'dhms'[i]}` : '')).join('');
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
