/**
 * `ifconfig` with NetBSD's arguments and text (8 and later: `inet A/N broadcast B flags 0x0`). Thread: the command's. Read first:
 * ifconfig-words.ts (changes), ifconfig-text.ts (what it prints).
 */

import { setTimeout } from 'node:timers/promises';
import { MS_PER_S } from '../base/units.ts';
import { fromBigInt6, toBigInt6 } from './address-bits.ts';
import type { NewAddress } from './change-requests.ts';
import { refusalText } from './error-text.ts';
import { getopt, UsageError } from './getopt.ts';
import { formatInterface, type InterfaceView } from './ifconfig-text.ts';
import { type AddressWish, FAMILIES, impliedPrefixLength, readWords, type Step } from './ifconfig-words.ts';
import type { InterfaceInfo } from './interface-text.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: ifconfig [-hLmNv] [-a] [-bdsu] [interface [inet | inet6 | link]]
       ifconfig -l [-bdsu]
       ifconfig -s interface
       ifconfig -z [-a | interface]
       ifconfig -w seconds | -W seconds
       ifconfig -C
       ifconfig interface create [...] | destroy
       ifconfig interface [linkstr PATH | -linkstr | media auto | media none] ...
       ifconfig interface [up | down | mtu N | metric N | [inet] ADDRESS/N [broadcast ADDRESS] [alias | -alias | delete]] ...
       ifconfig interface [inet] ADDRESS netmask MASK | ADDRESS OTHER-END
       ifconfig interface link ADDRESS [active] [alias | -alias | delete]
       ifconfig interface [-]arp | [-]debug | [-]link0 | [-]link1 | [-]link2
       ifconfig interface tunnel SOURCE DESTINATION | deletetunnel
       ifconfig interface vlan N vlanif PARENT | -vlanif [PARENT]
       ifconfig interface inet6 ADDRESS[/N | prefixlen N] [OTHER-END] [eui64] [anycast] [[-]deprecated] [pltime S] [vltime S]
           [alias | -alias | delete] ...`;
/** Between two looks at addresses that are being probed. */
const LOOK_MS = 50;
/** Refusals that NetBSD's ifconfig tells, and goes on. */
const TOLD_ONLY: ReadonlySet<string> = new Set(['SIOCSIFMTU', 'SIOCSIFMETRIC', 'SIOCSLIFPHYADDR']);
/** Families of NetBSD that these kernels have not got. */
const MISSING_FAMILIES: ReadonlySet<string> = new Set(['atalk', 'iso', 'ipx']);
/** Length of an interface identifier (RFC 4291 2.5.1). */
const ID_BITS = 64;

function chosen(infos: InterfaceInfo[], flags: ReadonlySet<string>): InterfaceInfo[] {
  const up = (info: InterfaceInfo): boolean => info.flagNames.includes('UP');
  return infos.filter(
    (info) =>
      (!flags.has('b') || info.flagNames.includes('BROADCAST')) &&
      (!flags.has('d') || !up(info)) &&
      (!flags.has('u') || up(info)) &&
      (!flags.has('s') || info.linkState !== 'down'),
  );
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, values, rest } = getopt(args, 'AabCdhlLmNnsuvw:W:z');
  const wait = values.get('w') ?? values.get('W');
  if (flags.has('C')) return listCloners(context);
  if (wait !== undefined) return settled(context, wait);
  const hosts = flags.has('N') ? await context.hosts() : null;
  const view: InterfaceView = {
    verbose: flags.has('v') || flags.has('z'),
    human: flags.has('h'),
    lifetimes: flags.has('L'),
    media: flags.has('m'),
    ...(hosts === null ? {} : { name: (address: string) => hosts.nameOf(address) ?? address }),
  };
  const [name, ...words] = rest;
  if (flags.has('a') || flags.has('l') || name === undefined) return showAll(context, flags, view, rest);
  if (words[0] === 'create' || words[0] === 'destroy') {
    const code = await clone(context, name, words[0]);
    const more = words.slice(1);
    if (words[0] === 'destroy' && more.length > 0) throw new UsageError(`${more[0]}: not understood`);
    return code !== 0 || more.length === 0 ? code : changeNamed(context, name, more);
  }
  const [family] = words;
  const asks = words.length === 0 || (words.length === 1 && FAMILIES.has(family as string));
  if (words.length === 1 && MISSING_FAMILIES.has(family as string)) {
    context.out.error('ifconfig: getsock: Address family not supported by protocol family\n');
    return 1;
  }
  if (!asks) return changeNamed(context, name, words);
  const infos = await context.kernel.interfaces();
  const info = infos.find((candidate) => candidate.name === name);
  if (info === undefined) {
    // NetBSD's kernel takes the index for a name; its ifconfig then finds nothing of that name to print.
    const isIndex = infos.some(({ index }) => String(index) === name);
    return isIndex ? 0 : unknown(context, `SIOCGIFFLAGS ${name}`);
  }
  if (flags.has('s')) return info.linkState === 'down' ? 1 : 0;
  if (context.json) context.out.write(`${JSON.stringify(info)}\n`);
  else context.out.write(formatInterface(info, { ...view, family: family ?? null }));
  if (flags.has('z')) await context.kernel.setInterface({ name, zeroTraffic: true });
  return 0;
}

/** -a, -l, and no words at all. */
async function showAll(
  context: ToolContext,
  flags: ReadonlySet<string>,
  view: InterfaceView,
  words: readonly string[],
): Promise<number> {
  const [family] = words;
  if (words.length > 1 || (family !== undefined && (flags.has('l') || !FAMILIES.has(family)))) {
    throw new UsageError(`${words.at(-1)}: not understood`);
  }
  const shown = chosen(await context.kernel.interfaces(), flags);
  if (context.json) context.out.write(`${JSON.stringify(shown)}\n`);
  else if (flags.has('l')) context.out.write(`${shown.map((info) => info.name).join(' ')}\n`);
  else for (const info of shown) context.out.write(formatInterface(info, { ...view, family: family ?? null }));
  if (flags.has('z')) for (const { name } of shown) await context.kernel.setInterface({ name, zeroTraffic: true });
  return 0;
}

function unknown({ out }: ToolContext, call: string): number {
  out.error(`ifconfig: ${call}: Device not configured\n`);
  return 1;
}

/** Waits until no address is tentative, for so many seconds at most: then 1. 0 waits for ever. */
async function settled(context: ToolContext, text: string): Promise<number> {
  if (!/^\d+$/.test(text)) {
    context.out.error(`ifconfig: ${text}: not a number\n`);
    return 1;
  }
  for (let leftMs = Number(text) * MS_PER_S || Infinity; ; leftMs -= LOOK_MS) {
    const infos = await context.kernel.interfaces();
    const probed = infos.some(({ addresses, addresses6 }) =>
      [...addresses, ...addresses6].some(({ state }) => state === 'tentative'),
    );
    if (!probed || context.signal.aborted) return probed ? 1 : 0;
    if (leftMs <= 0) {
      context.out.error('ifconfig: timed out\n');
      return 1;
    }
    await setTimeout(LOOK_MS);
  }
}

async function listCloners(context: ToolContext): Promise<number> {
  const prefixes = await context.kernel.cloners();
  context.out.write(context.json ? `${JSON.stringify(prefixes)}\n` : `${prefixes.join(' ')}\n`);
  return 0;
}

/** A name without a unit gets one, which is printed, as FreeBSD's does; NetBSD wants the unit. */
async function clone(context: ToolContext, name: string, word: 'create' | 'destroy'): Promise<number> {
  try {
    if (word === 'destroy') await context.kernel.destroyInterface(name);
    else {
      const made = await context.kernel.createInterface(name);
      if (made !== name) context.out.write(`${made}\n`);
    }
  } catch (error) {
    const text = refusalText(error);
    context.out.error(`ifconfig: clone_command: ${text}\nifconfig: exec_matches: ${text}\n`);
    return 1;
  }
  return 0;
}

/** A vlan with a parent has to leave it first; it is looked at before the name of the other one, which there may be or not. */
function isTaken({ vlan }: InterfaceInfo, { change }: Step): boolean {
  const parent = vlan?.parent ?? '';
  return parent !== '' && change.vlan != null && change.vlan.parent !== parent;
}

async function changeNamed(context: ToolContext, name: string, words: readonly string[]): Promise<number> {
  const info = (await context.kernel.interfaces()).find((candidate) => candidate.name === name);
  const broadcasts = info?.flagNames.includes('BROADCAST') ?? true;
  const { steps, address } = readWords(name, words, { broadcasts });
  if (info === undefined) return unknown(context, steps.length > 0 ? 'exec_matches' : `SIOCGIFFLAGS ${name}`);
  for (const step of steps) {
    if (isTaken(info, step)) {
      context.out.error(`ifconfig: ${step.call}: Device busy\n`);
      return 1;
    }
    if (!(await perform(context, step))) return 1;
  }
  if (address === null) return 0;
  const more = addressSteps(info, address);
  if (typeof more === 'string') {
    context.out.error(`ifconfig: ${more}\n`);
    return 1;
  }
  for (const step of more) if (!(await perform(context, step))) return 1;
  return 0;
}

/** False once a refusal was told that ends the command. */
async function perform({ kernel, out }: ToolContext, { call, change }: Step): Promise<boolean> {
  try {
    await kernel.setInterface(change);
    return true;
  } catch (error) {
    out.error(`ifconfig: ${call}: ${refusalText(error)}\n`);
    return TOLD_ONLY.has(call);
  }
}

/** Steps that give an interface the address, or the reason why there are none. */
function addressSteps(info: InterfaceInfo, wish: AddressWish): Step[] | string {
  const { name } = info;
  const suffix = wish.family === 'inet6' ? '_IN6' : '';
  const [first] = info.addresses;
  const remove = (address: string): Step => ({
    call: `SIOCDIFADDR${suffix}`,
    change: { name, removeAddress: { address } },
  });
  if (wish.address === null) {
    if (wish.family === 'inet6' || first === undefined) return `SIOCGIFADDR${suffix}: Can't assign requested address`;
    return [remove(first.address)];
  }
  if (wish.mode === 'delete') return [remove(wish.address)];
  const address = wish.eui64 ? withInterfaceId(wish.address, info) : { ok: wish.address };
  if ('error' in address) return address.error;
  const add: Step = { call: `SIOCAIFADDR${suffix}`, change: { name, addAddress: newAddress(address.ok, wish, info) } };
  if (wish.family === 'inet6') return [add];
  const leaving = info.addresses.filter(
    (one) => one.address === wish.address || (wish.mode === 'replace' && one === first),
  );
  return [...leaving.map((one) => remove(one.address)), add];
}

function newAddress(address: string, wish: AddressWish, { addresses6 }: InterfaceInfo): NewAddress {
  const { broadcast, destination, anycast } = wish;
  const added: NewAddress = { address, prefixLength: wish.prefixLength ?? impliedPrefixLength(wish) };
  if (broadcast !== null) added.broadcast = broadcast;
  if (destination !== null) added.destination = destination;
  if (anycast) added.anycast = true;
  if (wish.validSec !== undefined) added.validSec = wish.validSec;
  // One that is there gets its lifetimes anew; a valid lifetime alone leaves the preferred one without an end (EINVAL).
  const known = addresses6.some((one) => one.address.split('%')[0] === address.split('%')[0]);
  const again = wish.preferredSec === null || known || wish.validSec !== undefined;
  const preferredSec = wish.preferredSec ?? (again ? null : undefined);
  if (preferredSec !== undefined) added.preferredSec = preferredSec;
  return added;
}

/** The address with the interface identifier of the link-local one. */
function withInterfaceId(address: string, { addresses6 }: InterfaceInfo): { ok: string } | { error: string } {
  const prefix = toBigInt6(address);
  if (BigInt.asUintN(ID_BITS, prefix) !== 0n) return { error: `interface index is already filled, :: | ${address}` };
  const linkLocal = addresses6.find((one) => one.address.startsWith('fe80:'));
  if (linkLocal === undefined) return { error: 'could not determine link local address' };
  return { ok: fromBigInt6(prefix | BigInt.asUintN(ID_BITS, toBigInt6(linkLocal.address))) };
}

export const ifconfig: Tool = { name: 'ifconfig', about: 'show and change interfaces', usage: USAGE, run };
