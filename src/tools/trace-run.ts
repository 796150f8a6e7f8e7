/**
 * One run of traceroute(8) or traceroute6(8): echo requests whose TTL grows, and who says that it was used up. Always as NetBSD's `-I`
 * (ICMP, which raw sockets send); UDP probes are missing. Exit codes: 0, or 1 when nothing could be sent. Thread: the command's.
 */

import type { AddressFamily } from './address-text.ts';
import type { PingEvent, PingOptions } from './echo.ts';
import { ERROR_TEXT } from './error-text.ts';
import { getopt, numberOption, UsageError } from './getopt.ts';
import { pingStream } from './ping-stream.ts';
import type { ToolContext } from './tool.ts';

const HOPS_MAX = 64;
const PROBES = 3;
/** Every echo has one request, so the interval does not matter. */
const INTERVAL_MS = 1000;
const WAIT_SEC = 5;
const PACKET_BYTES = 40;
const HEADERS_BYTES = 28;
const DATA6_BYTES = 12;

/** Mark behind the time when an error says that the packet got no further, by "type.code"; '' at the destination. */
const MARKS: Readonly<Record<AddressFamily, Readonly<Record<string, string>>>> = {
  inet: {
    '3.0': ' !N',
    '3.1': ' !H',
    '3.2': ' !P',
    '3.3': '',
    '3.4': ' !F',
    '3.9': ' !X',
    '3.10': ' !X',
    '3.13': ' !X',
  },
  inet6: { '1.0': ' !N', '1.1': ' !P', '1.2': ' !S', '1.3': ' !A', '1.4': '', '2.0': ' !F' },
};

interface Trace {
  readonly context: ToolContext;
  readonly address: string;
  readonly family: AddressFamily;
  readonly numeric: boolean;
  readonly header: Pick<PingOptions, 'source' | 'gateway' | 'tos' | 'dontFragment'>;
  readonly payloadBytes: number;
  readonly waitMs: number;
}

type ProbeAnswer = Extract<PingEvent, { type: 'reply' | 'error' | 'sendError' }>;

/** Send one request that may go `ttl` links far. Returns what came of it, null when nothing did. */
async function probe(trace: Trace, ttl: number): Promise<ProbeAnswer | null> {
  const { context, address, family, header, payloadBytes, waitMs } = trace;
  const options = { host: address, count: 1, intervalMs: INTERVAL_MS, family, payloadBytes, ttl, waitMs, ...header };
  const events = pingStream(context.kernel.client, options);
  const stop = (): void => events.close();
  context.signal.addEventListener('abort', stop, { once: true });
  let answer: ProbeAnswer | null = null;
  for await (const event of events) {
    if (answer !== null || event.type === 'start' || event.type === 'end') continue;
    answer = event;
    events.close();
  }
  context.signal.removeEventListener('abort', stop);
  return answer;
}

/** One line: the answers from `ttl` links away. Returns true when there is nothing beyond, null when nothing could be sent. */
async function hop(trace: Trace, ttl: number, probes: number): Promise<boolean | null> {
  const { context, family, numeric } = trace;
  const { out } = context;
  if (!context.json) out.write(`${String(ttl).padStart(2)} `);
  let from = '';
  let ends = 0;
  let arrived = false;
  for (let i = 0; i < probes && !context.signal.aborted; i++) {
    const answer = await probe(trace, ttl);
    if (context.json) out.write(`${JSON.stringify({ ttl, probe: i, answer })}\n`);
    if (answer?.type === 'sendError') {
      if (!context.json) out.write('\n');
      const name = family === 'inet6' ? 'traceroute6' : 'traceroute';
      out.error(`${name}: sendto: ${ERROR_TEXT[answer.code] ?? answer.code}\n`);
      return null;
    }
    const mark = answer?.type === 'error' ? MARKS[family][`${answer.icmpType}.${answer.icmpCode}`] : undefined;
    if (answer?.type === 'reply' || mark === '') arrived = true;
    else if (mark !== undefined) ends++;
    if (context.json) continue;
    if (answer === null) {
      out.write(' *');
      continue;
    }
    if (answer.from !== from) {
      from = answer.from;
      out.write(numeric ? ` ${from}` : ` ${(await context.hosts()).nameOf(from) ?? from} (${from})`);
    }
    out.write(`  ${answer.timeMs.toFixed(3)} ms${mark ?? ''}`);
  }
  if (!context.json) out.write('\n');
  return arrived || (ends > 0 && ends >= probes - 1);
}

/** Options of a trace, beside those that change nothing here. */
export interface TraceSyntax {
  usage: string;
  /** As getopt(3) takes it. */
  letters: string;
  family6: boolean;
}

/** Trace the way to a host. Exit code. */
export async function runTrace(context: ToolContext, args: string[], syntax: TraceSyntax): Promise<number> {
  const { family6 } = syntax;
  const options = getopt(args, syntax.letters);
  const [host, bytes] = options.rest;
  if (host === undefined || options.rest.length > 2) throw new UsageError(syntax.usage);
  const family = family6 || host.includes(':') ? 'inet6' : 'inet';
  const name = family === 'inet6' ? 'traceroute6' : 'traceroute';
  const least = family === 'inet6' ? 0 : HEADERS_BYTES;
  const size = bytes === undefined ? (family === 'inet6' ? DATA6_BYTES : PACKET_BYTES) : Number(bytes);
  if (!(Number.isInteger(size) && size >= least)) throw new UsageError(`packet length ${bytes}: not ${least} or more`);
  const first = numberOption(options, 'f', 1, 1);
  const last = numberOption(options, 'm', HOPS_MAX, 1);
  const probes = numberOption(options, 'q', PROBES, 1);
  const waitMs = numberOption(options, 'w', WAIT_SEC, 0.001) * 1000;
  const hosts = await context.hosts();
  const address = hosts.addressOf(host, family);
  if (address === null) {
    context.out.error(`${name}: unknown host ${host}\n`);
    return 1;
  }
  const line = `${name} to ${host} (${address}), ${last} hops max, ${size} byte packets\n`;
  if (!context.json) context.out.write(line);
  const numeric = options.flags.has('n');
  const [source, gateway] = [options.values.get('s'), options.values.get('g')];
  const header = {
    ...(source === undefined ? {} : { source }),
    ...(gateway === undefined ? {} : { gateway }),
    ...(options.values.has('t') ? { tos: numberOption(options, 't', 0, 0) } : {}),
    ...(options.flags.has('F') ? { dontFragment: true } : {}),
  };
  const route: Trace = { context, address, family, numeric, header, payloadBytes: size - least, waitMs };
  for (let ttl = first; ttl <= last && !context.signal.aborted; ttl++) {
    const over = await hop(route, ttl, probes);
    if (over === null) return 1;
    if (over) break;
  }
  return 0;
}
