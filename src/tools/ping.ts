/**
 * `ping` with NetBSD's arguments, text and exit codes: 0 an answer came, 2 none did, 1 an error. IPv6 addresses are for ping6, whose
 * text they get here, too. Thread: the command's. Missing: IPsec (-A, -E), and -L, -r: multicast comes back, routes are used.
 */

import type { PingOptions } from './echo.ts';
import { echoText, echoText6 } from './echo-text.ts';
import { ArgumentError, eachOption, type Options, UsageError } from './getopt.ts';
import { checkedValue, FLOOD_SEC, lastWaitMs, type PingRun, patternOf, runPing } from './ping-run.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = `usage: 
ping [-aCDdfLnoPQqRrv] [-c count] [-g gateway] [-h host] [-I addr] [-i interval]
     [-l preload] [-p pattern] [-s size] [-T ttl] [-t tos] [-w maxwait] host`;
const DATA_BYTES = 56;
const DATA6_BYTES = 8;
const DATA_BYTES_MAX = 65_467;
const HOP_LIMIT = 64;
const TTL = 255;
const COUNT_MAX = Number.MAX_SAFE_INTEGER;
const SEC_MAX = 2_147_483;
/** Least number that a positive one may be. */
const LEAST = Number.MIN_VALUE;
const PATTERN = (text: string): string => `"-p ${text}": patterns must be specified with 1-32 hex digits`;

function requestOf(options: Options, host: string, six: boolean): PingOptions {
  const { flags, values } = options;
  const interval = checkedValue(
    options,
    'i',
    flags.has('f') ? FLOOD_SEC : 1,
    [LEAST, SEC_MAX],
    'Bad/invalid interval: ',
  );
  const preload = checkedValue(options, 'l', 0, [0, COUNT_MAX], 'Bad/invalid preload value: ');
  const count = checkedValue(options, 'c', 0, [1, COUNT_MAX], 'Bad/invalid number of packets: ');
  const size = checkedValue(options, 's', six ? DATA6_BYTES : DATA_BYTES, [0, Infinity], 'Bad/invalid packet size: ');
  if (size > DATA_BYTES_MAX) throw new ArgumentError('packet size is too large');
  const maxWait = checkedValue(options, 'w', 0, [LEAST, SEC_MAX], 'Bad/invalid maxwait time: ');
  const tos = checkedValue(options, 't', 0, [0, 255], 'bad tos value: ');
  const [source, gateway, pattern] = [values.get('I'), values.get('g'), values.get('p')];
  if (pattern !== undefined && flags.has('P')) throw new ArgumentError('Only one of -P and -p allowed');
  return {
    host,
    count: count === 0 ? 0 : count + preload,
    intervalMs: interval * 1000,
    payloadBytes: size,
    ttl: checkedValue(options, 'T', six ? HOP_LIMIT : TTL, [1, 255], 'ttl out of range: '),
    waitMs: lastWaitMs(interval * 1000),
    tos,
    ...(maxWait > 0 ? { deadlineMs: maxWait * 1000 } : {}),
    ...(preload > 0 ? { preload: preload + 1 } : {}),
    ...(source === undefined ? {} : { source }),
    ...(gateway === undefined || six ? {} : { gateway }),
    ...(six ? {} : { dontFragment: flags.has('D'), recordRoute: flags.has('R') }),
    ...(pattern === undefined ? {} : { pattern: patternOf(pattern, PATTERN(pattern)) }),
  };
}

/** Options and the host, which -h may give in front of the last options. */
function read(args: readonly string[]): { options: Options; host: string } {
  const flags = new Set<string>();
  const values = new Map<string, string>();
  const rest = eachOption(args, 'ac:CdDfg:h:i:I:l:Lnop:PqQrRs:t:T:vw:', (letter, value) => {
    if (value === null) flags.add(letter);
    else values.set(letter, value);
  });
  const host = values.get('h') ?? rest[0];
  if (host === undefined || rest.length > (values.has('h') ? 0 : 1)) throw new UsageError(USAGE);
  return { options: { flags, values, rest }, host };
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { options, host } = read(args);
  const six = host.includes(':');
  const request = requestOf(options, host, six);
  const family = six ? 'inet6' : 'inet';
  const hosts = await context.hosts();
  for (const name of [host, request.source, request.gateway]) {
    if (name !== undefined && hosts.addressOf(name, family) === null)
      throw new ArgumentError(`Cannot resolve "${name}" (Unknown host)`);
  }
  const ping: PingRun = {
    name: 'ping',
    family,
    format: six ? echoText6() : echoText(),
    sendCall: 'sendto',
    socketCall: 'Cannot create socket',
  };
  return runPing(context, ping, request, options);
}

export const ping: Tool = { name: 'ping', about: 'ask a host for an echo', usage: USAGE, run };
