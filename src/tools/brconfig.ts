/** `brconfig` with NetBSD's arguments and text. Thread: the command's. Missing: `ipf`, packet filters on a bridge. */

import { IFBIF_DISCOVER, IFBIF_LEARNING, IFBIF_PROTECTED, IFBIF_STP } from '../sys/control.ts';
import { parseLinkAddress } from './address-text.ts';
import type { BridgeAddressInfo, BridgeInfo } from './bridge-text.ts';
import { refusalText } from './error-text.ts';
import { getopt, UsageError } from './getopt.ts';
import type { InterfaceInfo } from './interface-text.ts';
import type { BridgeChange, KernelText } from './kernel-text.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: brconfig -a
       brconfig <bridge>
       brconfig <bridge> up|down
       brconfig <bridge> addr
       brconfig <bridge> add <interface>
       brconfig <bridge> delete <interface>
       brconfig <bridge> maxaddr <size>
       brconfig <bridge> timeout <time>
       brconfig <bridge> static <interface> <address>
       brconfig <bridge> deladdr <address>
       brconfig <bridge> flush
       brconfig <bridge> flushall
       brconfig <bridge> discover|-discover <interface>
       brconfig <bridge> learn|-learn <interface>
       brconfig <bridge> stp|-stp <interface>
       brconfig <bridge> protect|-protect <interface>
       brconfig <bridge> maxage <time>
       brconfig <bridge> fwddelay <time>
       brconfig <bridge> hellotime <time>
       brconfig <bridge> priority <value>
       brconfig <bridge> ifpriority <interface> <value>
       brconfig <bridge> ifpathcost <interface> <value>`;

/** A mistake of the words behind a bridge: said, and exit code 1. */
class CommandError extends Error {}

interface Command {
  /** Words that belong to it. */
  readonly words: number;
  /** `what`: the command with its words, as errors name it. */
  run(context: ToolContext, bridge: string, words: string[], keyword: string): Promise<void>;
}

const FLAGS: Readonly<Record<string, number>> = {
  discover: IFBIF_DISCOVER,
  learn: IFBIF_LEARNING,
  stp: IFBIF_STP,
  protect: IFBIF_PROTECTED,
};

/** Settings with their largest values as the tool takes them; the kernel has ranges of its own. */
const SETTINGS: Readonly<Record<string, readonly [key: keyof BridgeChange, max: number]>> = {
  maxaddr: ['maxAddresses', 0xffffffff],
  timeout: ['timeoutSec', 0xffffffff],
  hellotime: ['helloTimeSec', 0xff],
  fwddelay: ['forwardDelaySec', 0xff],
  maxage: ['maxAgeSec', 0xff],
  priority: ['priority', 0xffff],
};

/** strtoul(3) with base 0. */
function parseValue(keyword: string, text: string, max: number): number {
  const octal = /^0[0-7]+$/.test(text);
  const value = octal ? Number.parseInt(text, 8) : /^(0x[0-9a-f]+|[1-9]\d*|0)$/i.test(text) ? Number(text) : NaN;
  if (!(value <= max)) throw new CommandError(`${keyword}: invalid value: ${text}`);
  return value;
}

function macOf(keyword: string, text: string): string {
  if (parseLinkAddress(text) === null) throw new CommandError(`${keyword}: invalid address: ${text}`);
  return text;
}

async function asked(what: string, change: Promise<void>): Promise<void> {
  try {
    await change;
  } catch (error) {
    throw new CommandError(`${what}: ${refusalText(error)}`);
  }
}

/** A command that asks the kernel for one change. */
function command(
  words: number,
  ask: (kernel: KernelText, bridge: string, words: string[], keyword: string) => Promise<void>,
  named: number = words,
): Command {
  return {
    words,
    run: ({ kernel }, bridge, given, keyword) =>
      asked([keyword, ...given.slice(0, named)].join(' '), ask(kernel, bridge, given, keyword)),
  };
}

function setFlag(keyword: string): Command {
  const flag = FLAGS[keyword.replace(/^-/, '')] as number;
  const change = keyword.startsWith('-') ? { clearFlags: flag } : { setFlags: flag };
  return {
    words: 1,
    run: ({ kernel }, bridge, [member]) =>
      asked('unable to set bridge flags', kernel.changeBridgeMember(bridge, member as string, change)),
  };
}

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['add', command(1, (kernel, bridge, [member]) => kernel.addBridgeMember(bridge, member as string))],
  ['delete', command(1, (kernel, bridge, [member]) => kernel.deleteBridgeMember(bridge, member as string))],
  ['flush', command(0, (kernel, bridge) => kernel.flushBridge(bridge, false))],
  ['flushall', command(0, (kernel, bridge) => kernel.flushBridge(bridge, true))],
  [
    'static',
    command(2, (kernel, bridge, [member, mac], keyword) =>
      kernel.addBridgeAddress(bridge, member as string, macOf(keyword, mac as string)),
    ),
  ],
  [
    'deladdr',
    command(1, (kernel, bridge, [mac], keyword) => kernel.deleteBridgeAddress(bridge, macOf(keyword, mac as string))),
  ],
  [
    'ifpriority',
    command(
      2,
      (kernel, bridge, [member, text], keyword) =>
        kernel.changeBridgeMember(bridge, member as string, { priority: parseValue(keyword, text as string, 0xff) }),
      1,
    ),
  ],
  [
    'ifpathcost',
    command(
      2,
      (kernel, bridge, [member, text], keyword) =>
        kernel.changeBridgeMember(bridge, member as string, {
          pathCost: parseValue(keyword, text as string, 0xffffffff),
        }),
      1,
    ),
  ],
  ...['up', 'down'].map((keyword): [string, Command] => [
    keyword,
    {
      words: 0,
      run: ({ kernel }, name) =>
        asked('unable to set interface flags', kernel.setInterface({ name, up: keyword === 'up' })),
    },
  ]),
  ...Object.keys(FLAGS).flatMap((flag) => [flag, `-${flag}`].map((word): [string, Command] => [word, setFlag(word)])),
  ...Object.entries(SETTINGS).map(([keyword, [key, max]]): [string, Command] => [
    keyword,
    command(1, (kernel, bridge, [text]) =>
      kernel.changeBridge(bridge, { [key]: parseValue(keyword, text as string, max) }),
    ),
  ]),
  [
    'addr',
    {
      words: 0,
      run: async ({ kernel, out, json }, bridge) => {
        const { addresses } = await kernel.bridge(bridge);
        out.write(json ? `${JSON.stringify(addresses)}\n` : addressLines(addresses, '\t'));
      },
    },
  ],
]);

function bits(value: number, names: readonly string[]): string {
  return `flags=${value.toString(16)}<${names.join(',')}>`;
}

function addressLines(addresses: readonly BridgeAddressInfo[], prefix: string): string {
  return addresses
    .map((entry) => {
      const flags = entry.static ? bits(1, ['STATIC']) : bits(0, []);
      return `${prefix}${entry.mac} ${entry.interface} ${entry.expiresSec} ${flags}\n`;
    })
    .join('');
}

function formatBridge(info: InterfaceInfo, bridge: BridgeInfo): string {
  const { priority, helloTimeSec, forwardDelaySec, maxAgeSec, maxAddresses, timeoutSec } = bridge;
  const members = bridge.members.map((member) => {
    const state = member.flagNames.includes('STP') ? ` ${member.state}` : '';
    const port = `port ${member.port} priority ${member.priority}${state}`;
    return `\t\t${member.interface} ${bits(member.flags, member.flagNames)}\n\t\t\t${port}\n`;
  });
  return [
    `${info.name}: ${bits(info.flags, info.flagNames)}\n`,
    '\tConfiguration:\n',
    `\t\tpriority ${priority} hellotime ${helloTimeSec} fwddelay ${forwardDelaySec} maxage ${maxAgeSec}\n`,
    '\tInterfaces:\n',
    ...members,
    `\tAddress cache (max cache: ${maxAddresses}, timeout: ${timeoutSec}):\n`,
    addressLines(bridge.addresses, '\t\t'),
  ].join('');
}

function isBridge(name: string): boolean {
  return /^bridge\d/.test(name);
}

async function showAll(context: ToolContext): Promise<number> {
  const bridges = (await context.kernel.interfaces()).filter(({ name }) => isBridge(name));
  for (const info of bridges) await show(context, info);
  return 0;
}

async function show({ kernel, out, json }: ToolContext, info: InterfaceInfo): Promise<number> {
  const bridge = await kernel.bridge(info.name);
  out.write(json ? `${JSON.stringify(bridge)}\n` : formatBridge(info, bridge));
  return 0;
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, rest } = getopt(args, 'a');
  const [name, ...words] = rest;
  if (flags.has('a') !== (name === undefined)) throw new UsageError(USAGE);
  if (name === undefined) return showAll(context);
  const say = (text: string): number => {
    context.out.error(`brconfig: ${text}\n`);
    return 1;
  };
  if (!isBridge(name)) return say(`${name} is not a bridge`);
  const info = (await context.kernel.interfaces()).find((one) => one.name === name);
  if (info === undefined) return say('unable to get interface flags: Device not configured');
  if (words.length === 0) return show(context, info);
  try {
    while (words.length > 0) {
      const keyword = words.shift() as string;
      const found = COMMANDS.get(keyword);
      if (found === undefined) return say(`unknown command: ${keyword}`);
      if (words.length < found.words) {
        return say(`command ${keyword} requires ${found.words} argument${found.words === 1 ? '' : 's'}`);
      }
      await found.run(context, name, words.splice(0, found.words), keyword);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return say(error.message);
  }
}

export const brconfig: Tool = { name: 'brconfig', about: 'show and change bridges', usage: USAGE, run };
