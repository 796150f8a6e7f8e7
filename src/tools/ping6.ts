/**
 * `ping6` with NetBSD's arguments, text and exit codes: 0 an answer came, 2 none did, 1 an error.
 * Thread: the command's. Missing: node information (-a, -N, -t, -w, -W), next hops (-g) and routing headers (hops).
 */

import type { PingOptions } from './echo.ts';
import { echoText6 } from './echo-text.ts';
import { ArgumentError, getopt, type Options, UsageError } from './getopt.ts';
import { checkedValue, FLOOD_SEC, lastWaitMs, type PingRun, patternOf, runPing } from './ping-run.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: ping6 [-dfHmNnoqtvWw] [-a addrtype] [-b bufsize]
	[-c count] [-g gateway] [-h hoplimit] [-I interface]
	[-i wait] [-l preload]
	[-p pattern] [-S sourceaddr] [-s packetsize] [-X deadline]
	[-x maxwait] host`;
const HOP_LIMIT = 64;
const DATA_BYTES = 8;
const DATA_BYTES_MAX = 65_499;
const COUNT_MAX = Number.MAX_SAFE_INTEGER;
const SEC_MAX = 2_147_483;
/** fe80::/10 without a zone. */
const LINK_LOCAL = /^fe[89ab][0-9a-f]:[^%]*$/i;

function requestOf(options: Options, host: string): PingOptions {
  const { flags, values } = options;
  const wait = checkedValue(options, 'i', flags.has('f') ? FLOOD_SEC : 1, [0, SEC_MAX], 'illegal timing interval ');
  const intervalMs = Math.max(wait, FLOOD_SEC) * 1000;
  const deadline = checkedValue(options, 'X', 0, [1, SEC_MAX], 'illegal timeout value -- ');
  const preload = checkedValue(options, 'l', 0, [0, COUNT_MAX], 'illegal preload value -- ');
  const source = values.get('S');
  const pattern = values.get('p');
  return {
    host,
    count: checkedValue(options, 'c', 0, [1, COUNT_MAX], 'illegal number of packets -- '),
    intervalMs,
    payloadBytes: checkedValue(options, 's', DATA_BYTES, [1, DATA_BYTES_MAX], 'illegal datalen value -- '),
    ttl: checkedValue(options, 'h', HOP_LIMIT, [1, 255], 'illegal hoplimit -- '),
    waitMs: lastWaitMs(intervalMs),
    ...(deadline > 0 ? { deadlineMs: deadline * 1000 } : {}),
    ...(preload > 0 ? { preload } : {}),
    ...(source === undefined ? {} : { source }),
    ...(pattern === undefined ? {} : { pattern: patternOf(pattern, 'patterns must be specified as hex digits') }),
  };
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const options = getopt(args, 'a:b:c:dfg:Hh:I:i:l:mnNop:qRS:s:tvwWx:X:');
  const { flags, values, rest } = options;
  if (rest.length < 1) throw new UsageError(USAGE);
  if (values.has('a') || ['t', 'w', 'W', 'N'].some((letter) => flags.has(letter)))
    throw new ArgumentError('node information is not supported');
  if (values.has('g')) throw new ArgumentError('setsockopt(IPV6_NEXTHOP): Protocol not available');
  if (rest.length > 1) throw new ArgumentError('routing headers are not supported');
  if (flags.has('f') && values.has('i')) throw new ArgumentError('-f and -i incompatible options');
  const given = rest[0] as string;
  const request = requestOf(options, given);
  const ping: PingRun = {
    name: 'ping6',
    family: 'inet6',
    format: echoText6(),
    sendCall: 'sendmsg',
    socketCall: 'socket',
  };
  const wanted = values.get('I');
  if (wanted !== undefined && (await context.kernel.names()).index(wanted) === 0)
    throw new ArgumentError(`${wanted}: invalid interface name`);
  const hosts = await context.hosts();
  const address = hosts.addressOf(given, 'inet6');
  if (address === null) throw new ArgumentError('hostname nor servname provided, or not known');
  if (request.source !== undefined && hosts.addressOf(request.source, 'inet6') === null)
    throw new ArgumentError('invalid source address: hostname nor servname provided, or not known');
  const zone = wanted ?? (LINK_LOCAL.test(address) ? await defaultLink(context) : undefined);
  const host = zone === undefined || given.includes('%') || !given.includes(':') ? given : `${given}%${zone}`;
  return runPing(context, ping, { ...request, host }, options);
}

/** The link of the default route, which NetBSD sends by to a link-local address without a zone. */
async function defaultLink({ kernel }: ToolContext): Promise<string | undefined> {
  const routes = await kernel.routes('inet6');
  return routes.find(({ prefixLength, flags }) => prefixLength === 0 && !/[RB]/.test(flags))?.interface;
}

export const ping6: Tool = { name: 'ping6', about: 'ask a host for an echo over IPv6', usage: USAGE, run };
