/**
 * `nc`: standard input to a TCP connection or a UDP peer of the kernel, and back, as the one who calls or as the one who listens.
 * Thread: the command's. Missing: ranges of ports, source addresses, UNIX sockets.
 */

import { getopt, UsageError } from './getopt.ts';
import type { Resolver } from './resolver.ts';
import { resolveHost } from './resolver.ts';
import { TcpConnection } from './tcp-connection.ts';
import { TcpListener } from './tcp-listener.ts';
import type { Tool, ToolContext } from './tool.ts';
import { KernelDatagrams } from './udp-socket.ts';

const USAGE = `usage: nc [-46Nnuvz] [-w seconds] host port
       nc -l [-46Nnuv] port`;

interface Call {
  readonly context: ToolContext;
  readonly flags: ReadonlySet<string>;
  /** -w: of a handshake, and of silence in both directions afterwards; 0: no limit. */
  readonly waitMs: number;
  readonly port: number;
}

/** Destination: the host as the node resolves it, or its address of the family that was asked for; null when it has none. */
function reach(hosts: Resolver, host: string, flags: ReadonlySet<string>): string | null {
  const inet = flags.has('6') ? null : hosts.addressOf(host, 'inet');
  const inet6 = flags.has('4') ? null : hosts.addressOf(host, 'inet6');
  return inet !== null && inet6 !== null ? host : (inet ?? inet6);
}

/** Runs `expired` after so long without {@link heard}; 0: never. */
class Silence {
  readonly #ms: number;
  readonly #expired: () => void;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(ms: number, expired: () => void) {
    this.#ms = ms;
    this.#expired = expired;
    this.heard();
  }

  heard(): void {
    this.stop();
    if (this.#ms > 0) this.#timer = setTimeout(this.#expired, this.#ms);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}

async function run(context: ToolContext, args: string[]): Promise<number> {
  const { flags, values, rest } = getopt(args, '46lNnuvzw:');
  const listens = flags.has('l');
  const port = Number(rest[listens ? 0 : 1]);
  if (rest.length !== (listens ? 1 : 2) || !(port > 0 && port < 65_536)) throw new UsageError(USAGE);
  const waitMs = Number(values.get('w') ?? 0) * 1000;
  if (!(waitMs >= 0)) throw new UsageError(USAGE);
  const call: Call = { context, flags, waitMs: listens ? 0 : waitMs, port };
  if (listens) return flags.has('u') ? exchange(call, null) : accept(call);
  const host = rest[0] as string;
  const found = reach(await context.hosts(), host, flags);
  if (found === null) {
    context.out.error(`nc: ${host}: Unknown host\n`);
    return 1;
  }
  return flags.has('u') ? exchange(call, found) : connect(call, host, found);
}

/** Standard input to a connection, and back; the reason why it ended, null for a regular end. */
async function join({ context, flags, waitMs }: Call, socket: TcpConnection | Accepted): Promise<string | null> {
  let connected = socket instanceof TcpConnection === false;
  const silence = new Silence(waitMs, () => socket.destroy(connected ? undefined : new Error('timed out')));
  const stop = (): void => void socket.destroy();
  context.signal.addEventListener('abort', stop, { once: true });
  const ended = new Promise<string | null>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('close', () => resolve(null));
  });
  // As nc(1): the end of the input closes the connection's half only with -N.
  const begin = (): void => {
    connected = true;
    silence.heard();
    if (flags.has('z')) socket.destroy();
    else context.stdin.on('data', heard).pipe(socket, { end: flags.has('N') });
  };
  const heard = (): void => silence.heard();
  if (connected) begin();
  else socket.on('connect', begin);
  socket.on('end', () => socket.end());
  socket.on('data', (chunk: Buffer) => {
    silence.heard();
    context.out.writeBytes(chunk);
  });
  const reason = await ended;
  silence.stop();
  context.stdin.off('data', heard).unpipe(socket);
  context.stdin.pause();
  context.signal.removeEventListener('abort', stop);
  return reason;
}

type Accepted = Parameters<ConstructorParameters<typeof TcpListener>[2]['connection']>[0];

async function connect(call: Call, host: string, found: string): Promise<number> {
  const { context, flags, port } = call;
  const socket = new TcpConnection(context.kernel.client, found, port);
  let connected = false;
  socket.on('connect', () => {
    connected = true;
    if (flags.has('v')) context.out.error(`Connection to ${host} ${port} port [tcp] succeeded!\n`);
  });
  const error = await join(call, socket);
  if (error === null) return 0;
  const what = connected ? `${host} port ${port} (tcp)` : `connect to ${host} port ${port} (tcp) failed`;
  context.out.error(`nc: ${what}: ${error}\n`);
  return 1;
}

/** Waits for one connection; there is no other. */
async function accept(call: Call): Promise<number> {
  const { context, flags, port } = call;
  let listener: TcpListener | null = null;
  const result = await new Promise<Accepted | Error | null>((resolve) => {
    let taken = false;
    listener = new TcpListener(context.kernel.client, port, {
      listening: () => {
        if (flags.has('v')) context.out.error(`Listening on [any] ${port}\n`);
      },
      connection: (connection) => {
        if (taken) connection.destroy();
        else resolve(connection);
        taken = true;
      },
      ended: resolve,
    });
    context.signal.addEventListener('abort', () => resolve(null), { once: true });
  });
  let error: string | null = null;
  if (result instanceof Error) error = (result as NodeJS.ErrnoException).code ?? result.message;
  else if (result !== null) {
    if (flags.has('v')) {
      context.out.error(`Connection from ${result.remoteAddress} ${result.remotePort} received!\n`);
    }
    error = await join(call, result);
  }
  (listener as TcpListener | null)?.close();
  if (error === null) return 0;
  context.out.error(`nc: port ${port} (tcp): ${error}\n`);
  return 1;
}

/** Each piece of standard input is a datagram. One who listens answers the first who wrote. */
async function exchange(call: Call, host: string | null): Promise<number> {
  const { context, flags, port, waitMs } = call;
  const { client } = context.kernel;
  let peer = host === null ? null : (await resolveHost(client, host)).address;
  let peerPort = port;
  let finish: (error: Error | null) => void = () => {};
  const over = new Promise<Error | null>((resolve) => {
    finish = resolve;
  });
  const silence = new Silence(waitMs, () => finish(null));
  const send = (chunk: Buffer): void => {
    silence.heard();
    if (peer !== null) datagrams.send(new Uint8Array(chunk), peer, peerPort);
  };
  const datagrams = new KernelDatagrams(client, host === null ? port : 0, {
    bound: () => {
      if (host === null && flags.has('v')) context.out.error(`Listening on [any] ${port}\n`);
      if (peer !== null) context.stdin.on('data', send);
    },
    datagram: (bytes, from, fromPort) => {
      silence.heard();
      if (peer === null) {
        peer = from;
        peerPort = fromPort;
        context.stdin.on('data', send);
      }
      context.out.writeBytes(bytes);
    },
    ended: (error) => finish(error),
  });
  context.signal.addEventListener('abort', () => finish(null), { once: true });
  const error = await over;
  silence.stop();
  context.stdin.off('data', send);
  context.stdin.pause();
  datagrams.close();
  if (error === null) return 0;
  context.out.error(`nc: port ${port} (udp): ${(error as NodeJS.ErrnoException).code ?? error.message}\n`);
  return 1;
}

export const nc: Tool = { name: 'nc', about: 'TCP connections and datagrams by hand', usage: USAGE, run };
