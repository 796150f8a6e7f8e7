/** `netstat -i`: interfaces with their links, networks, groups and counts. Thread: any; pure functions. */

import { fromBigInt6, toBigInt6 } from './address-bits.ts';
import type { GroupInfo, InterfaceInfo } from './interface-text.ts';
import { networkName } from './route-tables.ts';

interface Row {
  network: string;
  address: string;
  /** Groups of the family, behind its first address: -a. */
  groups: string[];
}

/** Columns in front of the counts; longer texts are cut, but with -v. */
const NAME_WIDTH = 5;
const MTU_WIDTH = 5;
const NETWORK_WIDTH = 13;
const ADDRESS_WIDTH = 17;
const GROUP_INDENT = 25;

/** `flags` are the options: `a` with groups, `b` bytes, `d` drops, `q` without silent interfaces, `v` nothing is cut. */
export function formatInterfaces(
  interfaces: readonly InterfaceInfo[],
  groups: readonly GroupInfo[],
  flags: ReadonlySet<string>,
): string {
  const cell = (text: string, width: number): string => (flags.has('v') ? text : text.slice(0, width)).padEnd(width);
  const front = (name: string, mtu: string, { network, address }: Pick<Row, 'network' | 'address'>): string =>
    `${cell(name, NAME_WIDTH)} ${mtu.padEnd(MTU_WIDTH)} ${cell(network, NETWORK_WIDTH)} ${cell(address, ADDRESS_WIDTH)} `;
  const lines = [front('Name', 'Mtu', { network: 'Network', address: 'Address' }) + titles(flags)];
  for (const info of interfaces) {
    if (flags.has('q') && isSilent(info, flags.has('d'))) continue;
    const name = info.flagNames.includes('UP') ? info.name : `${info.name}*`;
    const tail = counts(info, flags);
    for (const row of rowsOf(
      info,
      groups.filter((group) => group.interface === info.name),
    )) {
      const address = flags.has('v') ? row.address : (row.address.split('%')[0] as string);
      const start = front(name, String(info.mtuBytes), { ...row, address });
      const members = row.groups.map((group) => `${' '.repeat(GROUP_INDENT)} ${cell(group, ADDRESS_WIDTH)} `);
      lines.push([start, ...members].join('\n') + tail);
    }
  }
  return `${lines.join('\n')}\n`;
}

function right(text: string | number, width: number): string {
  return String(text).padStart(width);
}

function titles(flags: ReadonlySet<string>): string {
  const dropsOut = flags.has('d') ? ` ${right('Odrops', 6)}` : '';
  if (flags.has('b')) return `${right('Ibytes', 10)} ${right('Obytes', 10)}${dropsOut}`;
  const dropsIn = flags.has('d') ? ` ${right('Idrops', 6)}` : '';
  const out = `${right('Opkts', 8)} ${right('Oerrs', 5)} ${right('Colls', 5)}`;
  return `${right('Ipkts', 8)} ${right('Ierrs', 5)}${dropsIn} ${out}${dropsOut}`;
}

function counts(info: InterfaceInfo, flags: ReadonlySet<string>): string {
  const dropsOut = flags.has('d') ? ` ${right(info.outDrops, 6)}` : '';
  if (flags.has('b')) return `${right(info.inBytes, 10)} ${right(info.outBytes, 10)}${dropsOut}`;
  const dropsIn = flags.has('d') ? ` ${right(info.inDrops, 6)}` : '';
  const out = `${right(info.outPackets, 8)} ${right(info.outErrors, 5)} ${right(0, 5)}`;
  return `${right(info.inPackets, 8)} ${right(info.inErrors, 5)}${dropsIn} ${out}${dropsOut}`;
}

function isSilent(info: InterfaceInfo, drops: boolean): boolean {
  const { inBytes, outBytes, inPackets, inErrors, outPackets, outErrors, inDrops } = info;
  return inBytes + outBytes + inPackets + inErrors + outPackets + outErrors + (drops ? inDrops : 0) === 0;
}

function rowsOf(info: InterfaceInfo, groups: readonly GroupInfo[]): Row[] {
  const members = (six: boolean): string[] =>
    groups.map(({ address }) => address).filter((address) => address.includes(':') === six);
  const rows4 = info.addresses.map(({ address, prefixLength }, i) => ({
    network: networkName(networkOf(address, prefixLength), prefixLength),
    address,
    groups: i === 0 ? members(false) : [],
  }));
  const rows6 = info.addresses6.map(({ address, prefixLength }, i) => ({
    network: networkName(networkOf6(address, prefixLength), prefixLength),
    address,
    groups: i === 0 ? members(true) : [],
  }));
  return [{ network: '<Link>', address: info.mac ?? '', groups: [] }, ...rows4, ...rows6];
}

function networkOf(address: string, prefixLength: number): string {
  const value = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const start = value - (value % 2 ** (32 - prefixLength));
  return [24, 16, 8, 0].map((shift) => (start >>> shift) & 255).join('.');
}

function networkOf6(address: string, prefixLength: number): string {
  const keep = BigInt(128 - prefixLength);
  return fromBigInt6((toBigInt6(address) >> keep) << keep);
}
