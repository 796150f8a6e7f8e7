/** `mk forward`: ports of the host that lead to a node; texts of ports and flows. Thread: the command's. */

import { Command } from 'commander';
import { type FlowInfo, formatDuration, type HostPortInfo, type NodeStatus } from '../index.ts';
import { untilInterrupted } from '../tools/interrupt.ts';
import { output } from './output.ts';
import { labOption, withLab } from './target.ts';

export function forwardCommand(): Command {
  return new Command('forward')
    .summary('lead ports of the host to a node')
    .description(
      'Lead ports of the host to ports of a node, until Ctrl-C: 8080:80, 127.0.0.1:8080:80, 8080:80/udp, or 80 for a free port. ' +
        'The address is 127.0.0.1 unless it is given.',
    )
    .argument('<node>', 'node that the ports lead to')
    .argument('<ports...>', 'ports, as "ports:" of a lab file has them')
    .addOption(labOption())
    .option('--json', 'print JSON')
    .action((node: string, ports: string[], options: { lab?: string; json?: true }) =>
      withLab(options.lab, (lab) =>
        untilInterrupted(async (signal) => {
          const opened = [];
          for (const port of ports) opened.push(await lab.node(node).forward(port));
          for (const { info } of opened) {
            output.write(options.json ? `${JSON.stringify({ node, ...info })}\n` : `${formatPort(node, info)}\n`);
          }
          const interrupted = new Promise<void>((done) => {
            if (signal.aborted) done();
            signal.addEventListener('abort', () => done());
          });
          await Promise.race([interrupted, ...opened.map((port) => port.ended)]);
        }),
      ),
    );
}

function endpoint(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** `127.0.0.1:8080 -> api:80`, `[::1]:53 -> dns:53/udp`. */
function formatPort(node: string, { address, hostPort, port, protocol }: HostPortInfo): string {
  return `${endpoint(address, hostPort)} -> ${node}:${port}${protocol === 'tcp' ? '' : `/${protocol}`}`;
}

/** `db:5432 -> localhost:5432 of the host`. Most services are there for TCP and UDP: one line for both. */
function formatServices({ name, services }: NodeStatus): string[] {
  const lines = services.map(({ port, protocol, host, hostPort }) => {
    const alone = services.filter((other) => other.port === port).length === 1;
    return `${name}:${port}${alone ? `/${protocol}` : ''} -> ${endpoint(host, hostPort)} of the host`;
  });
  return [...new Set(lines)];
}

/** A line for each port of the host that leads to a node, and for each service of the host that leads from one. */
export function formatPorts(nodes: readonly NodeStatus[]): string {
  return nodes
    .flatMap((node) => [...node.ports.map((port) => formatPort(node.name, port)), ...formatServices(node)])
    .map((line) => `${line}\n`)
    .join('');
}

/** `127.0.0.1:50412 -> api:80/tcp: 812 bytes, 3245 back, 1.2 s, closed`. */
export function formatFlow(flow: FlowInfo): string {
  const { from, to, protocol, sentBytes, receivedBytes, durationMs, error, endedBy } = flow;
  const end = error === null ? 'closed' : `${error} (${endedBy})`;
  return `${from} -> ${to}/${protocol}: ${sentBytes} bytes, ${receivedBytes} back, ${formatDuration(durationMs)}, ${end}`;
}
