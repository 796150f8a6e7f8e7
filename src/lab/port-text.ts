/**
 * Ports of the host as texts: `ports:` of a node, in the forms of compose files.
 *
 * Thread: any; pure functions.
 */

import { isIP } from 'node:net';

export type PortProtocol = 'tcp' | 'udp';

/** A port of the host that leads to a port of a node. */
export interface PortConfig {
  /** Address of the host. */
  address: string;
  /** 0: a free one. */
  hostPort: number;
  port: number;
  protocol: PortProtocol;
}

const LOOPBACK = '127.0.0.1';
const PORT_MAX = 65_535;
const FORMS = 'a port such as "8080:80", "127.0.0.1:8080:80", "80" or "8080:80/udp"';

function portOf(text: string): number | null {
  return /^\d{1,5}$/.test(text) && Number(text) <= PORT_MAX ? Number(text) : null;
}

/** `HOST-PORT:PORT`, with an address of the host in front of it and `/tcp` or `/udp` behind it; or the reason why it is none. */
export function parsePort(text: string): PortConfig | string {
  const match = /^(?:(\[[^\]]*\]|[^:[\]]*):)??(?:([^:]*):)?([^:/]+)(?:\/(tcp|udp))?$/.exec(text);
  if (match === null) return `expected ${FORMS}, not "${text}"`;
  const [, addressText, hostText = '', portText = '', protocol = 'tcp'] = match;
  if (/\d-\d/.test(hostText) || /\d-\d/.test(portText)) return `"${text}": one port each, no range`;
  const port = portOf(portText);
  const hostPort = hostText === '' ? 0 : portOf(hostText);
  if (port === null || port === 0 || hostPort === null) return `expected ${FORMS}, not "${text}"`;
  const address = addressText === undefined ? LOOPBACK : addressText.replace(/^\[(.*)\]$/, '$1');
  if (isIP(address) === 0) return `"${address}" is no address of the host; one is 127.0.0.1, or 0.0.0.0 for all`;
  return { address, hostPort, port, protocol: protocol as PortProtocol };
}

/** `127.0.0.1:8080`, `[::1]:8080`. */
export function endpointText(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** A service of the host, and the port of the machine that stands for it. */
export interface ServiceConfig {
  port: number;
  /** Name or address, as the host knows it. */
  host: string;
  hostPort: number;
  protocols: PortProtocol[];
}

const SERVICE_FORMS = 'a service such as "host:5432", "host:api.example.org:443" or "5432:host:15432"';

/** `host:PORT` or `host:NAME:PORT`, with the machine's port in front of it and `/tcp` or `/udp` behind it; or the reason why it is none. */
export function parseService(text: string): ServiceConfig | string {
  const match = /^(?:(\d{1,5}):)?host:(?:(\[[^\]]+\]|[^:[\]\s/]+):)?(\d{1,5})(?:\/(tcp|udp))?$/.exec(text);
  if (match === null) return `expected ${SERVICE_FORMS}, not "${text}"`;
  const [, portText, name = 'localhost', hostText = '', protocol] = match;
  const hostPort = portOf(hostText);
  const port = portText === undefined ? hostPort : portOf(portText);
  if (!port || !hostPort) return `expected ${SERVICE_FORMS}, not "${text}"`;
  const protocols: PortProtocol[] = protocol === undefined ? ['tcp', 'udp'] : [protocol as PortProtocol];
  return { port, host: name.replace(/^\[(.*)\]$/, '$1'), hostPort, protocols };
}

interface PortedNode {
  readonly name: string;
  readonly kind: string;
  readonly ports: readonly PortConfig[];
  readonly services: readonly ServiceConfig[];
}

interface PortProblem {
  path: (string | number)[];
  message: string;
}

/** Names of hosts and of nodes, ports of the host and ports of machines that are there twice. */
export function portProblems(nodes: readonly PortedNode[]): PortProblem[] {
  const problems: PortProblem[] = [];
  const taken: (PortConfig & { node: string })[] = [];
  const names = new Set<string>();
  for (const { name, kind, ports, services } of nodes) {
    if (names.has(name)) problems.push({ path: ['hosts', name], message: `a node is called ${name} too` });
    names.add(name);
    ports.forEach((port, index) => {
      const other = taken.find((one) => sameHostPort(one, port));
      const place = endpointText(port.address, port.hostPort);
      if (other !== undefined)
        problems.push({ path: ['nodes', name, 'ports', index], message: `${place}: leads to ${other.node} already` });
      taken.push({ ...port, node: name });
    });
    if (kind !== 'host') continue;
    const own = services.flatMap(({ port, protocols }) => protocols.map((protocol) => `${port}/${protocol}`));
    const twice = own.find((one, index) => own.indexOf(one) < index);
    if (twice !== undefined) problems.push({ path: ['hosts', name], message: `port ${twice} twice` });
  }
  return problems;
}

const EVERYWHERE: readonly string[] = ['0.0.0.0', '::'];

function sameHostPort(a: PortConfig, b: PortConfig): boolean {
  if (a.hostPort === 0 || a.hostPort !== b.hostPort || a.protocol !== b.protocol) return false;
  if (a.address === b.address) return true;
  const isIpv6 = ({ address }: PortConfig): boolean => address.includes(':');
  return isIpv6(a) === isIpv6(b) && (EVERYWHERE.includes(a.address) || EVERYWHERE.includes(b.address));
}
