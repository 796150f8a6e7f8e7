/**
 * `ping` and `ping6` with NetBSD's arguments, text and exit codes: 0 an answer came, 2 none did, 1 an error. `ping` takes IPv6
 * addresses too, as `ping6`. Thread: the command's.
 */

import type { AddressFamily } from './address-text.ts';
import type { PingEvent } from './echo.ts';
import { ERROR_TEXT } from './error-text.ts';
import { getopt, numberOption, type Options, UsageError } from './getopt.ts';
import { pingStream } from './ping-stream.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = 'usage: ping [-noqv] [-c count] [-i interval] [-s size] [-T ttl] [-w maxwait] host';
const USAGE6 = 'usage: ping6 [-noqv] [-c count] [-i interval] [-s size] [-h hoplimit] [-X maxwait] host[%interface]';
const HOP_LIMIT = 64;
const DATA_BYTES = 56;
const DATA6_BYTES = 8;
const HEADERS6_BYTES = 48;
const DECIMALS6 = 3;
/** IP and ICMP header of an error message, and of the packet it quotes, less the outer IP header. */
const ERROR_BYTES = 36;
const DECIMALS = 6;

/** The lines of one event; errors of sending go to stderr and are not among them. */
function formatPingEvent(event: PingEvent, host: string, quiet: boolean): string {
  switch (event.type) {
    case 'start':
      return `PING ${host} (${event.address}): ${event.payloadBytes} data bytes\n`;
    case 'reply': {
      if (quiet) return '';
      const time = event.timeMs.toFixed(DECIMALS);
      const duplicate = event.duplicate ? ' DUP!' : '';
      return `${event.bytes} bytes from ${event.from}: icmp_seq=${event.sequence}${duplicate} ttl=${event.ttl} time=${time} ms\n`;
    }
    case 'error':
      return quiet ? '' : `${ERROR_BYTES} bytes from ${event.from}: ${event.text} for icmp_seq=${event.sequence}\n`;
    case 'sendError':
      return '';
    case 'end':
      return formatStatistics(event, host);
  }
}

function formatStatistics(end: Extract<PingEvent, { type: 'end' }>, host: string): string {
  const { transmitted, received, duplicates, timesMs } = end;
  const repeated = duplicates > 0 ? `+${duplicates} duplicates, ` : '';
  const loss = transmitted === 0 ? '' : `${(((transmitted - received) * 100) / transmitted).toFixed(1)}% packet loss`;
  const lines = [
    '',
    `----${host} PING Statistics----`,
    `${transmitted} packets transmitted, ${received} packets received, ${repeated}${loss}`,
  ];
  if (timesMs.length > 0) {
    const n = timesMs.length;
    const average = timesMs.reduce((sum, time) => sum + time, 0) / n;
    const variance = n > 1 ? timesMs.reduce((sum, time) => sum + (time - average) ** 2, 0) / (n - 1) : 0;
    const summary = [Math.min(...timesMs), average, Math.max(...timesMs), Math.sqrt(variance)];
    lines.push(`round-trip min/avg/max/stddev = ${summary.map((ms) => ms.toFixed(DECIMALS)).join('/')} ms`);
  }
  return `${lines.join('\n')}\n`;
}

/** As {@link formatPingEvent}, in the words of ping6. */
function formatPing6Event(event: PingEvent, host: string, quiet: boolean): string {
  switch (event.type) {
    case 'start': {
      const total = event.payloadBytes + HEADERS6_BYTES;
      return `PING6(${total}=40+8+${event.payloadBytes} bytes) ${event.source ?? '::'} --> ${event.address}\n`;
    }
    case 'reply': {
      if (quiet) return '';
      const { bytes, from, sequence, ttl } = event;
      const tail = event.duplicate ? '(DUP!)' : '';
      return `${bytes} bytes from ${from}, icmp_seq=${sequence} hlim=${ttl} time=${event.timeMs.toFixed(DECIMALS6)} ms${tail}\n`;
    }
    case 'error':
      return quiet ? '' : `error from ${event.from}: ${event.text} for icmp_seq=${event.sequence}\n`;
    case 'sendError':
      return '';
    case 'end':
      return formatStatistics6(event, host);
  }
}

function formatStatistics6(end: Extract<PingEvent, { type: 'end' }>, host: string): string {
  const [, , counts, times] = formatStatistics(end, host).split('\n') as [string, string, string, string];
  const lines = ['', `--- ${host} ping6 statistics ---`, counts];
  if (times !== '') {
    const [, ...summary] = times.match(/= ([\d.]+)\/([\d.]+)\/([\d.]+)\/([\d.]+) ms/) as RegExpMatchArray;
    const text = summary.map((ms) => Number(ms).toFixed(DECIMALS6)).join('/');
    lines.push(`round-trip min/avg/max/std-dev = ${text} ms`);
  }
  return `${lines.join('\n')}\n`;
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const options = getopt(args, 'c:i:nopqs:T:vw:');
  const [host] = options.rest;
  if (host === undefined || options.rest.length > 1) throw new UsageError(USAGE);
  const family = host.includes(':') ? 'inet6' : 'inet';
  const size = family === 'inet6' ? DATA6_BYTES : DATA_BYTES;
  return send(context, options, family, {
    payloadBytes: numberOption(options, 's', size, 0),
    ttl: numberOption(options, 'T', family === 'inet6' ? HOP_LIMIT : 255, 1),
    waitMs: numberOption(options, 'w', 10, 0) * 1000,
  });
}

async function run6(context: ToolContext, args: string[]): Promise<number> {
  const options = getopt(args, 'c:h:i:nopqs:vX:');
  if (options.rest.length !== 1) throw new UsageError(USAGE6);
  return send(context, options, 'inet6', {
    payloadBytes: numberOption(options, 's', DATA6_BYTES, 0),
    ttl: numberOption(options, 'h', HOP_LIMIT, 1),
    waitMs: numberOption(options, 'X', 10, 0) * 1000,
  });
}

async function send(
  context: ToolContext,
  options: Options,
  family: AddressFamily,
  own: { payloadBytes: number; ttl: number; waitMs: number },
): Promise<number> {
  const name = family === 'inet6' ? 'ping6' : 'ping';
  const format = family === 'inet6' ? formatPing6Event : formatPingEvent;
  const host = options.rest[0] as string;
  const hosts = await context.hosts();
  if (hosts.addressOf(host, family) === null) {
    const why = `Cannot resolve "${host}" (Unknown host)`;
    context.out.error(`${name}: ${why}\n`);
    return 1;
  }
  const one = options.flags.has('o');
  const events = pingStream(context.kernel.client, {
    host,
    count: numberOption(options, 'c', 0, 1),
    intervalMs: numberOption(options, 'i', 1, 0.001) * 1000,
    family,
    ...own,
  });
  const stop = (): void => events.close();
  context.signal.addEventListener('abort', stop, { once: true });
  let received = 0;
  for await (const event of events) {
    if (event.type === 'reply' && one) events.close();
    if (event.type === 'end') received = event.received;
    if (context.json) {
      context.out.write(`${JSON.stringify(event)}\n`);
    } else if (event.type === 'sendError') {
      context.out.error(`${name}: sendto: ${ERROR_TEXT[event.code] ?? event.code}\n`);
    } else {
      context.out.write(format(event, host, options.flags.has('q')));
    }
  }
  context.signal.removeEventListener('abort', stop);
  return received > 0 ? 0 : 2;
}

export const ping: Tool = { name: 'ping', about: 'ask a host for an echo', usage: USAGE, run };
export const ping6: Tool = { name: 'ping6', about: 'ask a host for an echo over IPv6', usage: USAGE6, run: run6 };
