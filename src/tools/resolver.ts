/**
 * Names of hosts and their addresses, as one kernel knows them: its own table, which programs on it resolve with.
 *
 * Thread: the client's. Texts of addresses are canonical; zones of link-local addresses are kept and not looked up.
 */

import { MultikernelError } from '../base/errors.ts';
import { parseInetAton } from '../base/inet-aton.ts';
import { isLocalhost } from '../base/localhost.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import type { ControlReply, HostRecord, IpAddress } from '../sys/control.ts';
import { formatIp, parseIp } from '../wire/ip-address.ts';
import { type AddressFamily, familyNumber, InterfaceNames, parseAddress } from './address-text.ts';

export interface Resolver {
  /** Address of a host, or the host when it is an address; of one family. Null: unknown. */
  addressOf(host: string, family: AddressFamily): string | null;
  /** Name of an address, or null. */
  nameOf(address: string): string | null;
}

/** The canonical text of an IPv6 address, its zone behind it, or null when it is none. */
export function canonical6(text: string): string | null {
  const [address, ...zone] = text.split('%') as [string, ...string[]];
  const words = parseIp(address);
  if (words?.family !== 6 || zone.length > 1 || zone[0] === '') return null;
  return [formatIp(words), ...zone].join('%');
}

export function isAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((octet) => Number(octet) < 256);
}

/** Dotted decimal of an IPv4 address in any form that inet_aton(3) takes, or null. */
function canonical4(text: string): string | null {
  const w3 = parseInetAton(text);
  return Number.isNaN(w3) ? null : formatIp({ family: 4, w0: 0, w1: 0, w2: 0, w3 });
}

/** The host of a name, in any case, with or without the final dot. */
function findHost(hosts: readonly HostRecord[], host: string): HostRecord | undefined {
  const name = host.toLowerCase().replace(/\.$/, '');
  const found = hosts.find((record) => record.name === name);
  if (found !== undefined || !isLocalhost(name)) return found;
  return hosts.find((record) => record.name === 'localhost');
}

const NO_HOSTS: ControlReply<'host.list'> = { name: '', hosts: [] };

export class HostTable implements Resolver {
  readonly #hosts: readonly HostRecord[];

  constructor(hosts: readonly HostRecord[]) {
    this.#hosts = hosts;
  }

  addressOf(host: string, family: AddressFamily): string | null {
    const version = familyNumber(family);
    if (version === 6 && host.includes(':')) return canonical6(host);
    const literal = version === 4 ? canonical4(host) : null;
    if (literal !== null) return literal;
    if (host === 'localhost') return version === 6 ? '::1' : '127.0.0.1';
    const address = findHost(this.#hosts, host)?.addresses.find((one) => one.family === version);
    return address === undefined ? null : formatIp(address);
  }

  nameOf(address: string): string | null {
    if (address.startsWith('127.') || address === '::1') return 'localhost';
    return this.#hosts.find(({ addresses }) => addresses.some((one) => formatIp(one) === address))?.name ?? null;
  }
}

/** First address of a host, of one family if given, or the address that `host` is. Throws ENOTFOUND. */
export function chooseAddress(
  { hosts }: ControlReply<'host.list'>,
  names: InterfaceNames,
  host: string,
  family: AddressFamily | undefined,
): IpAddress {
  const wanted = (one: IpAddress): boolean => family === undefined || one.family === familyNumber(family);
  const known = findHost(hosts, host);
  const literal = known === undefined ? parseAddress(canonical4(host) ?? host, names) : null;
  const address = (known?.addresses ?? (literal === null ? [] : [literal])).find(wanted);
  if (address === undefined) throw new MultikernelError('ENOTFOUND', `${host}: no such host in this lab`);
  return address;
}

/**
 * The address of a host as the kernel's own programs find it, and the names of interfaces that its zone is one of; the table of
 * hosts is asked for names alone. Rejects with ENOTFOUND.
 */
export async function resolveHost(
  client: KernelClient,
  host: string,
  family?: AddressFamily,
): Promise<{ address: IpAddress; names: InterfaceNames }> {
  const literal = canonical4(host) !== null || parseIp(host.split('%', 1)[0] as string) !== null;
  const [table, list] = await Promise.all([
    literal ? NO_HOSTS : client.control('host.list', {}),
    client.control('interface.names', {}),
  ]);
  const names = new InterfaceNames(list);
  return { address: chooseAddress(table, names, host, family), names };
}
