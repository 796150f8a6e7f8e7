/** The table of a lab and its figures, as `mk up`, `mk ps` and `mk top` print them. Thread: the command's. */

import type { CutInfo, FiguresSample, NodeFigures, NodeStatus } from '../index.ts';
import { formatCut } from './break.ts';
import { formatTable } from './output.ts';

export const LAB_HEADING: readonly string[] = ['NAME', 'KIND', 'ADDRESSES', 'PROGRAM', 'STATE'];
const FIGURES_HEADING: readonly string[] = ['REQ/S', 'P50', 'CONNS', 'REXMT'];

export function labRow(node: NodeStatus): string[] {
  const addresses = node.addresses.map((entry) => `${entry.address}/${entry.prefixLength}`).join(' ');
  return [node.name, node.kind, addresses === '' ? '-' : addresses, node.program ?? '-', node.state];
}

export function formatLab(nodes: readonly NodeStatus[]): string {
  return formatTable(LAB_HEADING, nodes.map(labRow));
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

function figureCells(figures: NodeFigures | undefined): string[] {
  if (figures === undefined || !figures.up) return ['-', '-', '-', '-'];
  const more = figures.retransmitsInInterval > 0 ? ` (+${figures.retransmitsInInterval})` : '';
  return [
    rateText(figures.requestsPerSec),
    latencyText(figures.p50Ms),
    String(figures.connections),
    `${figures.retransmits}${more}`,
  ];
}

/** Lab and figures in one table, for a terminal; the cuts below it. */
export function formatLive(
  nodes: readonly NodeStatus[],
  sample: FiguresSample | null,
  cuts: readonly CutInfo[] = [],
): string {
  const rows = nodes.map((node) => {
    const [name, kind, addresses, program, state] = labRow(node) as [string, string, string, string, string];
    const figures = sample?.nodes.find((candidate) => candidate.node === node.name);
    return [name, kind, addresses, program, ...figureCells(figures), state];
  });
  const table = formatTable([...LAB_HEADING.slice(0, 4), ...FIGURES_HEADING, 'STATE'], rows);
  return table + cuts.map(formatCut).join('');
}

/** All figures on one line, for a pipe. A kernel that has no connections, a router, shows the frames it moves. */
export function formatFiguresLine(sample: FiguresSample): string {
  const seconds = `${Math.round(sample.atMs / 1000)}s`.padStart(4);
  const parts = sample.nodes.map((figures) => {
    const [rate, p50, connections, retransmits] = figureCells(figures) as [string, string, string, string];
    const http = figures.requestsPerSec === null ? '' : ` ${rate} req/s p50 ${p50}`;
    if (!figures.up) return `${figures.node} down`;
    const idle = figures.connections === 0 && figures.requestsPerSec === null && figures.retransmits === 0;
    if (idle) return `${figures.node} ${rateText(figures.inPacketsPerSec + figures.outPacketsPerSec)} frames/s`;
    return `${figures.node}${http} ${connections} conns ${retransmits} rexmt`;
  });
  return `${seconds}  ${parts.join(' | ')}\n`;
}
