/** `ping` with NetBSD's arguments, text and exit codes: 0 an answer came, 2 none did, 1 an error. Thread: the command's. */

import type { PingEvent } from '../../index.ts';
import { getopt, numberOption, UsageError } from './getopt.ts';
import { addressOf, ERROR_TEXT, type Tool, type ToolContext } from './tool.ts';

const USAGE = 'usage: ping [-noqv] [-c count] [-i interval] [-s size] [-T ttl] [-w maxwait] host';
/** IP and ICMP header of an error message, and of the packet it quotes, less the outer IP header. */
const ERROR_BYTES = 36;
const DECIMALS = 6;

/** The lines of one event; errors of sending go to stderr and are not among them. */
export function formatPingEvent(event: PingEvent, host: string, quiet: boolean): string {
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
    const figures = [Math.min(...timesMs), average, Math.max(...timesMs), Math.sqrt(variance)];
    lines.push(`round-trip min/avg/max/stddev = ${figures.map((ms) => ms.toFixed(DECIMALS)).join('/')} ms`);
  }
  return `${lines.join('\n')}\n`;
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const options = getopt(args, 'c:i:nopqs:T:vw:');
  const [host] = options.rest;
  if (host === undefined || options.rest.length > 1) throw new UsageError(USAGE);
  if (addressOf(context.lab, context.kernel.name, host) === null) {
    context.out.error(`ping: Cannot resolve "${host}" (Unknown host)\n`);
    return 1;
  }
  const one = options.flags.has('o');
  const events = context.kernel.ping(host, {
    count: numberOption(options, 'c', 0, 1),
    intervalMs: numberOption(options, 'i', 1, 0.001) * 1000,
    payloadBytes: numberOption(options, 's', 56, 0),
    ttl: numberOption(options, 'T', 255, 1),
    waitMs: numberOption(options, 'w', 10, 0) * 1000,
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
      context.out.error(`ping: sendto: ${ERROR_TEXT[event.code] ?? event.code}\n`);
    } else {
      context.out.write(formatPingEvent(event, host, options.flags.has('q')));
    }
  }
  context.signal.removeEventListener('abort', stop);
  return received > 0 ? 0 : 2;
}

export const ping: Tool = { name: 'ping', about: 'ask a host for an echo', usage: USAGE, run };
