/**
 * A port of the host that leads to a port of a node: `ports:` of the lab file, `mk forward`.
 *
 * Thread: the supervisor's. The host's connection is joined to one that the node's kernel makes to the node itself, so that its
 * program is reached on whatever address of the machine it listens, and nothing that is done to its links matters. A connection that
 * the node refuses has been accepted here by then, and is reset. Read first: splice.ts.
 */

import { createSocket } from 'node:dgram';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import { MultikernelError } from '../base/errors.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import { TcpConnection } from '../tools/tcp-connection.ts';
import { KernelDatagrams } from '../tools/udp-socket.ts';
import { type IpWords, parseIp } from '../wire/ip-address.ts';
import { DatagramFlows } from './datagram-flows.ts';
import type { FlowLog } from './flows.ts';
import type { HostPortInfo } from './operations.ts';
import { endpointText, type PortConfig } from './port-text.ts';
import { codeOf, splice } from './splice.ts';

const LOOPBACK_ADDRESS = '127.0.0.1';
const LOOPBACK: readonly string[] = [LOOPBACK_ADDRESS, '::1'];

/** The node that a port leads to. */
export interface PortTarget {
  readonly name: string;
  /** Connects anew when the node was switched off and on. */
  readonly client: KernelClient;
  /** Addresses that the lab file gives it. */
  readonly addresses: readonly { address: string }[];
}

export interface HostPort {
  readonly info: HostPortInfo;
  /** Connections are reset. */
  close(): void;
}

/** Reasons of the host, in words. */
function refusalText(code: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'in use on the host';
    case 'EADDRNOTAVAIL':
      return 'no address of this host';
    case 'EACCES':
      return 'the host does not permit this port';
    default:
      return `the host refuses it (${code})`;
  }
}

function portRefused(config: PortConfig, error: Error): MultikernelError {
  const place = endpointText(config.address, config.hostPort);
  return new MultikernelError(codeOf(error), `${place}: ${refusalText(codeOf(error))}`, { cause: error });
}

/** Throws the host's code: EADDRINUSE, EADDRNOTAVAIL, EACCES. */
export function openPort(config: PortConfig, target: PortTarget, flows: FlowLog): Promise<HostPort> {
  return config.protocol === 'tcp' ? openTcpPort(config, target, flows) : openUdpPort(config, target, flows);
}

function openUdpPort(config: PortConfig, target: PortTarget, log: FlowLog): Promise<HostPort> {
  const { address, hostPort, port } = config;
  const to = parseIp(target.addresses[0]?.address ?? LOOPBACK_ADDRESS) as IpWords;
  const flows = new DatagramFlows(
    {
      describe: (from) => ({ way: 'in', protocol: 'udp', node: target.name, from, to: `${target.name}:${port}` }),
      connect: (flow) => {
        const socket = new KernelDatagrams(target.client, 0, {
          bound: () => undefined,
          datagram: (bytes) => flow.reply(bytes),
          ended: (error) => flow.ended(error === null ? 'ECONNRESET' : codeOf(error)),
        });
        return { send: (bytes) => socket.send(bytes, { ...to, scopeId: 0 }, port), close: () => socket.close() };
      },
    },
    log,
  );
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4' });
  socket.on('message', (bytes, from) => {
    const reply = (answer: Uint8Array): void => socket.send(answer, from.port, from.address);
    flows.take(endpointText(from.address, from.port), bytes, { reply, refuse: null });
  });
  const close = (): void => {
    flows.close();
    socket.close();
  };
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(portRefused(config, error)));
    socket.bind({ address, port: hostPort, exclusive: true }, () => {
      socket.removeAllListeners('error');
      // A reply that cannot be sent is lost, as datagrams are.
      socket.on('error', () => undefined);
      resolve({ info: { ...config, hostPort: socket.address().port }, close });
    });
  });
}

function openTcpPort(config: PortConfig, target: PortTarget, flows: FlowLog): Promise<HostPort> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    void join(socket, config.port, target, flows);
  });
  const close = (): void => {
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(portRefused(config, error)));
    server.listen({ host: config.address, port: config.hostPort, exclusive: true }, () => {
      server.removeAllListeners('error');
      // A connection that cannot be accepted (EMFILE) is nobody's.
      server.on('error', () => undefined);
      resolve({ info: { ...config, hostPort: portOf(server) }, close });
    });
  });
}

function portOf(server: Server): number {
  return (server.address() as { port: number }).port;
}

async function join(socket: Socket, port: number, target: PortTarget, flows: FlowLog): Promise<void> {
  const from = endpointText(socket.remoteAddress ?? '', socket.remotePort ?? 0);
  const end = flows.begin({ way: 'in', protocol: 'tcp', node: target.name, from, to: `${target.name}:${port}` });
  let error: string | null = null;
  socket.on('error', (cause) => {
    error ??= codeOf(cause);
  });
  const server = await connectNode(target, port).catch((cause: Error) => codeOf(cause));
  if (typeof server === 'string') {
    end({ sentBytes: 0, receivedBytes: 0, error: server, endedBy: 'server' });
    if (!socket.destroyed) socket.resetAndDestroy();
  } else if (socket.destroyed) {
    end({ sentBytes: 0, receivedBytes: 0, error: error ?? 'ECONNRESET', endedBy: 'client' });
    server.resetAndDestroy();
  } else {
    splice(socket, server, (how) => {
      end({ ...how, sentBytes: socket.bytesRead, receivedBytes: socket.bytesWritten });
    });
  }
}

/** A connection of a node to itself. Rejects with the last refusal. */
async function connectNode({ client, addresses }: PortTarget, port: number): Promise<TcpConnection> {
  let refusal: unknown = null;
  for (const address of [...addresses.map((entry) => entry.address), ...LOOPBACK]) {
    try {
      return await connected(new TcpConnection(client, address, port));
    } catch (error) {
      if (codeOf(error as Error) !== 'ECONNREFUSED') throw refusal ?? error;
      refusal = error;
    }
  }
  throw refusal;
}

function connected(connection: TcpConnection): Promise<TcpConnection> {
  return new Promise((resolve, reject) => {
    connection.once('error', reject);
    connection.once('connect', () => {
      connection.off('error', reject);
      resolve(connection);
    });
  });
}
