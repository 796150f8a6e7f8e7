/** `nc HOST PORT`: standard input to a TCP connection of the kernel, and back. Thread: the command's. */

import { getopt, UsageError } from './getopt.ts';
import type { Resolver } from './resolver.ts';
import { TcpConnection } from './tcp-connection.ts';
import type { Tool, ToolContext } from './tool.ts';

const USAGE = 'usage: nc [-46Nvz] [-w seconds] host port';

/** Destination: the host as the node resolves it, or its address of the family that was asked for; null when it has none. */
function reach(hosts: Resolver, host: string, flags: ReadonlySet<string>): string | null {
  const inet = flags.has('6') ? null : hosts.addressOf(host, 'inet');
  const inet6 = flags.has('4') ? null : hosts.addressOf(host, 'inet6');
  return inet !== null && inet6 !== null ? host : (inet ?? inet6);
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, values, rest } = getopt(args, '46Nvzw:');
  const [host, portText] = rest;
  const port = Number(portText);
  if (host === undefined || rest.length !== 2 || !(port > 0 && port < 65_536)) throw new UsageError(USAGE);
  const found = reach(await context.hosts(), host, flags);
  if (found === null) {
    context.out.error(`nc: ${host}: Unknown host\n`);
    return 1;
  }
  const socket = new TcpConnection(context.kernel.client, found, port);
  const stop = (): void => void socket.destroy();
  context.signal.addEventListener('abort', stop, { once: true });
  const waitMs = Number(values.get('w') ?? 0) * 1000;
  const timer = waitMs > 0 ? setTimeout(() => socket.destroy(new Error('timed out')), waitMs) : null;
  const failure = new Promise<string | null>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve(null));
  });
  let connected = false;
  socket.on('connect', () => {
    connected = true;
    if (timer !== null) clearTimeout(timer);
    if (flags.has('v')) context.out.error(`Connection to ${host} ${port} port [tcp] succeeded!\n`);
    if (flags.has('z')) socket.destroy();
    // As nc(1): the end of the input closes the connection's half only with -N.
    else context.stdin.pipe(socket, { end: flags.has('N') });
  });
  socket.on('end', () => socket.end());
  socket.on('data', (chunk: Buffer) => context.out.writeBytes(chunk));
  const error = await failure;
  if (timer !== null) clearTimeout(timer);
  context.stdin.unpipe(socket);
  context.signal.removeEventListener('abort', stop);
  if (error === null) return 0;
  const what = connected ? `${host} port ${port} (tcp)` : `connect to ${host} port ${port} (tcp) failed`;
  context.out.error(`nc: ${what}: ${error}\n`);
  return 1;
}

export const nc: Tool = { name: 'nc', about: 'a TCP connection by hand', usage: USAGE, run };
