/** The table of a lab and its metrics, as `mk up`, `mk ps` and `mk top` print them. Thread: the command's. */

import type { MetricsSample, NetworkInfo, NodeMetrics, NodeStatus, PartitionInfo } from '../index.ts';
import { formatPartition } from './break.ts';
import { formatFitting } from './output.ts';

const LAB_HEADING: readonly string[] = ['NAME', 'KIND', 'ADDRESSES', 'PLACEMENT', 'PROGRAM', 'STATE'];
const METRICS_HEADING: readonly string[] = ['REQ/S', 'P50', 'CONNS', 'MEM', 'REXMT'];

/** Columns that a narrow terminal does without, the first first; names and states stay. */
const DISPENSABLE: readonly string[] = [
  'PLACEMENT',
  'KIND',
  'MEM',
  'REXMT',
  'CONNS',
  'PROGRAM',
  'ADDRESSES',
  'P50',
  'REQ/S',
];

function labRow(node: NodeStatus): string[] {
  const addresses = node.addresses.map((entry) => `${entry.address}/${entry.prefixLength}`).join(' ');
  const { name, kind, placement, program, state } = node;
  return [name, kind, addresses === '' ? '-' : addresses, placement ?? '-', program ?? '-', state];
}

/** `columns`: those of the terminal; everything is shown in a pipe. */
export function formatLab(nodes: readonly NodeStatus[], columns: number = Number.POSITIVE_INFINITY): string {
  return formatFitting(LAB_HEADING, nodes.map(labRow), columns, DISPENSABLE);
}

/** A line for each VLAN and each tunnel, with the interfaces on it. */
export function formatStacked(nodes: readonly NodeStatus[], networks: readonly NetworkInfo[]): string {
  const lines = networks.flatMap(({ name, kind, vlan, on }) => {
    if (kind === 'ethernet') return [];
    const own = nodes.flatMap((node) => {
      const there = node.addresses.filter((entry) => entry.network === name);
      return [...new Set(there.map((entry) => `${node.name}:${entry.interface}`))];
    });
    const what = kind === 'vlan' ? `VLAN ${vlan} of ${on}` : 'tunnel';
    return [`${name}: ${what}${own.length === 0 ? '' : `: ${own.join(' ')}`}\n`];
  });
  return lines.join('');
}

export function formatDefaultPlacement(placement: string, reason: string): string {
  return `placement by default: ${placement} (${reason})`;
}

/** A line for each placement that the lab file does not name. */
export function formatDefaultPlacements(nodes: readonly NodeStatus[]): string {
  const lines = nodes.flatMap(({ placement, placementReason }) =>
    placement === null || placementReason === null ? [] : [formatDefaultPlacement(placement, placementReason)],
  );
  return [...new Set(lines)].map((line) => `${line}\n`).join('');
}

/** A line for each node whose program is not on the network of the lab. */
export function formatHostNetworks(nodes: readonly NodeStatus[]): string {
  const foreign = nodes.filter(({ hostNetwork }) => hostNetwork);
  return foreign
    .map(
      ({ name, program }) =>
        `${name}: ${program} has the host's network; Node programs that it starts have ${name}'s\n`,
    )
    .join('');
}

/** `812`, `2.1k`; `-` when no HTTP was seen. */
export function rateText(perSec: number | null): string {
  if (perSec === null) return '-';
  if (perSec >= 100_000) return `${Math.round(perSec / 1000)}k`;
  if (perSec >= 10_000) return `${(perSec / 1000).toFixed(1)}k`;
  return perSec > 0 && perSec < 10 ? perSec.toFixed(1) : String(Math.round(perSec));
}

/** `0.42 ms`, `3.1 ms`, `1.2 s`. */
export function latencyText(ms: number | null): string {
  if (ms === null) return '-';
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms < 1 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** `812K`, `3.2M`, `64M`. */
function bytesText(bytes: number): string {
  const mib = bytes / 1_048_576;
  if (mib < 1) return `${Math.ceil(bytes / 1024)}K`;
  return `${mib < 10 && !Number.isInteger(mib) ? mib.toFixed(1) : Math.round(mib)}M`;
}

function metricCells(metrics: NodeMetrics | undefined): string[] {
  if (metrics === undefined || !metrics.up) return ['-', '-', '-', '-', '-'];
  const more = metrics.retransmitsInInterval > 0 ? ` (+${metrics.retransmitsInInterval})` : '';
  return [
    rateText(metrics.requestsPerSec),
    latencyText(metrics.p50Ms),
    String(metrics.connections),
    `${bytesText(metrics.memoryBytes)}/${bytesText(metrics.memoryMaxBytes)}`,
    `${metrics.retransmits}${more}`,
  ];
}

/** Lab and metrics in one table, for a terminal; the partitions below it. */
export function formatLive(
  nodes: readonly NodeStatus[],
  sample: MetricsSample | null,
  partitions: readonly PartitionInfo[] = [],
  columns: number = Number.POSITIVE_INFINITY,
): string {
  const rows = nodes.map((node) => {
    const row = labRow(node);
    const metrics = sample?.nodes.find((candidate) => candidate.node === node.name);
    return [...row.slice(0, -1), ...metricCells(metrics), ...row.slice(-1)];
  });
  const heading = [...LAB_HEADING.slice(0, -1), ...METRICS_HEADING, 'STATE'];
  const table = formatFitting(heading, rows, columns, DISPENSABLE);
  return table + partitions.map(formatPartition).join('');
}

/** All metrics on one line, for a pipe. A kernel that has no connections, a router, shows the frames it moves. */
export function formatMetricsLine(sample: MetricsSample): string {
  const seconds = `${Math.round(sample.atMs / 1000)}s`.padStart(4);
  const parts = sample.nodes.map((metrics) => {
    const [rate, p50, connections, , retransmits] = metricCells(metrics) as [string, string, string, string, string];
    const http = metrics.requestsPerSec === null ? '' : ` ${rate} req/s p50 ${p50}`;
    if (!metrics.up) return `${metrics.node} down`;
    const idle = metrics.connections === 0 && metrics.requestsPerSec === null && metrics.retransmits === 0;
    if (idle) return `${metrics.node} ${rateText(metrics.inPacketsPerSec + metrics.outPacketsPerSec)} frames/s`;
    return `${metrics.node}${http} ${connections} conns ${retransmits} rexmt`;
  });
  return `${seconds}  ${parts.join(' | ')}\n`;
}
