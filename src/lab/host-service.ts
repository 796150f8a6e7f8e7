/**
 * Services of the host as machines of the lab: `hosts:` of the lab file.
 *
 * Thread: the supervisor's. The machine is a kernel like any other, which listens at the ports of its services and at no others. Each
 * connection that it accepts is joined to one of the host, made then, with the host's own resolver; one that the service refuses has been
 * accepted by then, and is reset. A datagram that the service refuses is answered with ICMP port unreachable, as by a closed port.
 * Read first: splice.ts, datagram-flows.ts.
 */

import { createSocket, type Socket } from 'node:dgram';
import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import type { KernelClient } from '../rump/kernel-client.ts';
import { type AcceptedConnection, TcpListener } from '../tools/tcp-listener.ts';
import { KernelDatagrams } from '../tools/udp-socket.ts';
import { formatIp } from '../wire/ip-address.ts';
import { DatagramFlows, type FarSocket, type NearFlow } from './datagram-flows.ts';
import type { FlowBegin, FlowLog } from './flows.ts';
import { endpointText, type PortProtocol, type ServiceConfig } from './port-text.ts';
import { codeOf, splice } from './splice.ts';

/** Datagrams that wait for the name of their service to be resolved. */
const EARLY_DATAGRAMS_MAX = 64;

/** A machine that stands for services. */
export interface ServiceNode {
  readonly name: string;
  readonly client: KernelClient;
  readonly plan: { readonly services: readonly ServiceConfig[] };
}

interface Service extends ServiceConfig {
  readonly node: ServiceNode;
}

export class HostServices {
  readonly #flows: FlowLog;
  readonly #nodeWith: (address: string) => string | null;
  /** Sockets of machines that are up: how to close them. */
  readonly #open: Set<() => void> = new Set();

  /** `nodeWith`: the node that has an address, for people. */
  constructor(flows: FlowLog, nodeWith: (address: string) => string | null) {
    this.#flows = flows;
    this.#nodeWith = nodeWith;
  }

  /** The machine has come up. Resolves when it listens at all its ports; rejects with what its kernel refuses. */
  async start(node: ServiceNode): Promise<void> {
    await Promise.all(
      node.plan.services.flatMap((config) =>
        config.protocols.map((protocol) =>
          protocol === 'tcp' ? this.#listen({ ...config, node }) : this.#bind({ ...config, node }),
        ),
      ),
    );
  }

  close(): void {
    for (const close of this.#open) close();
    this.#open.clear();
  }

  #flow({ node, host, hostPort }: Service, protocol: PortProtocol, address: string, port: number): FlowBegin {
    const from = endpointText(this.#nodeWith(address) ?? address, port);
    return { way: 'out', protocol, node: node.name, from, to: endpointText(host, hostPort) };
  }

  #listen(service: Service): Promise<void> {
    return new Promise((resolve, reject) => {
      const listener = new TcpListener(service.node.client, service.port, {
        listening: resolve,
        connection: (connection) => this.#join(connection, service),
        ended: (error) => {
          this.#open.delete(close);
          if (error !== null) reject(error);
        },
      });
      const close = (): void => listener.close();
      this.#open.add(close);
    });
  }

  #join(client: AcceptedConnection, service: Service): void {
    const { remoteAddress, remotePort } = client;
    const end = this.#flows.begin(this.#flow(service, 'tcp', remoteAddress, remotePort));
    const server = connect({ host: service.host, port: service.hostPort, allowHalfOpen: true, noDelay: true });
    splice(client, server, (how) => end({ ...how, sentBytes: server.bytesWritten, receivedBytes: server.bytesRead }));
  }

  #bind(service: Service): Promise<void> {
    const flows = new DatagramFlows(
      {
        describe: (client) => {
          const at = client.lastIndexOf(' ');
          return this.#flow(service, 'udp', client.slice(0, at), Number(client.slice(at + 1)));
        },
        connect: (flow) => connectDatagrams(service, flow),
      },
      this.#flows,
    );
    return new Promise((resolve, reject) => {
      const socket = new KernelDatagrams(service.node.client, service.port, {
        bound: () => resolve(),
        datagram: (bytes, from, port, broadcast) =>
          flows.take(`${formatIp(from)} ${port}`, bytes, {
            reply: (reply) => socket.send(reply, from, port),
            // RFC 1122 3.2.2: no error is about a broadcast.
            refuse: broadcast ? null : () => socket.refuse(bytes, from, port),
          }),
        ended: (error) => {
          this.#open.delete(close);
          flows.close();
          if (error !== null) reject(error);
        },
      });
      const close = (): void => socket.close();
      this.#open.add(close);
    });
  }
}

/** A socket of the host that is connected to the service, and so hears of nobody else. IPv4 first: services listen there. */
function connectDatagrams({ host, hostPort }: Service, flow: NearFlow): FarSocket {
  const early: Uint8Array[] = [];
  let socket: Socket | null = null;
  let connected = false;
  let closed = false;
  const connect = ({ address, family }: LookupAddress): void => {
    if (closed) return;
    const opened = createSocket(family === 6 ? 'udp6' : 'udp4');
    socket = opened;
    opened.on('message', (bytes) => flow.reply(bytes));
    opened.on('error', (error) => flow.ended(codeOf(error)));
    opened.connect(hostPort, address, () => {
      connected = true;
      for (const bytes of early.splice(0)) opened.send(bytes);
    });
  };
  lookup(host, { verbatim: false }).then(connect, (error: Error) => flow.ended(codeOf(error)));
  return {
    send: (bytes) => {
      if (connected) socket?.send(bytes);
      else if (early.length < EARLY_DATAGRAMS_MAX) early.push(bytes);
      else return false;
      return true;
    },
    close: () => {
      closed = true;
      socket?.close();
      socket = null;
    },
  };
}
