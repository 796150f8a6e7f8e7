/**
 * Views of a lab for `mk up`: a table that is redrawn on a terminal, a table and then a line a second in a pipe, or JSON lines.
 *
 * Thread: the command's.
 */

import type { CheckResult, FlowInfo, LogLine, MetricsSample, NodeStatus, PartitionInfo } from '../index.ts';
import { formatHealed, formatPartition } from './break.ts';
import { formatFlow, formatPorts } from './forward.ts';
import { formatHostNetworks, formatLab, formatLive, formatMetricsLine } from './lab-table.ts';
import { LiveRegion } from './live.ts';
import type { Output } from './output.ts';

/** Period in which a lab that comes up is drawn. */
const COMING_MS = 40;

export interface View {
  /** State of a node of a lab that comes up. */
  coming?(node: NodeStatus): void;
  /** It did not come up. */
  fallen?(): void;
  up(text: string, nodes: NodeStatus[], lab: object): void;
  state(node: NodeStatus): void;
  /** `sample` null: figures are not wanted. */
  metrics(sample: MetricsSample | null, partitions: PartitionInfo[]): void;
  flow(flow: FlowInfo): void;
  log(line: LogLine): void;
  down(results: CheckResult[], exitCode: number): void;
}

function checkLine(result: CheckResult): string {
  const mark = result.state === 'passed' ? 'ok  ' : result.state === 'failed' ? 'FAIL' : '-   ';
  return `${mark} ${result.title}${result.reason === '' ? '' : `: ${result.reason}`}`;
}

export class JsonView implements View {
  readonly #out: Output;

  constructor(out: Output) {
    this.#out = out;
  }

  #print(value: object): void {
    this.#out.write(`${JSON.stringify(value)}\n`);
  }

  up(_title: string, nodes: NodeStatus[], lab: object): void {
    this.#print({ type: 'up', ...lab, nodes });
  }

  state(node: NodeStatus): void {
    this.#print({ type: 'state', ...node });
  }

  metrics(sample: MetricsSample | null, partitions: PartitionInfo[]): void {
    if (sample !== null) this.#print({ type: 'metrics', ...sample, partitions });
  }

  flow(flow: FlowInfo): void {
    this.#print({ type: 'flow', ...flow });
  }

  log(line: LogLine): void {
    if (line.source !== 'state') this.#print({ type: 'log', ...line });
  }

  down(results: CheckResult[], exitCode: number): void {
    this.#print({ type: 'down', checks: results, exitCode });
  }
}

export class PipeView implements View {
  readonly #out: Output;
  readonly #states: Map<string, string> = new Map();
  #partitions: Map<string, PartitionInfo> = new Map();

  constructor(out: Output) {
    this.#out = out;
  }

  up(title: string, nodes: NodeStatus[]): void {
    for (const node of nodes) this.#states.set(node.name, node.state);
    this.#out.write(`${title}\n${formatLab(nodes)}${formatPorts(nodes)}${formatHostNetworks(nodes)}`);
  }

  state(node: NodeStatus): void {
    if (this.#states.get(node.name) === node.state) return;
    this.#states.set(node.name, node.state);
    this.#out.write(`${node.name}: ${node.state}\n`);
  }

  metrics(sample: MetricsSample | null, partitions: PartitionInfo[]): void {
    for (const partition of partitions)
      if (!this.#partitions.has(partition.id)) this.#out.write(formatPartition(partition));
    const present = new Map(partitions.map((partition) => [partition.id, partition]));
    for (const partition of this.#partitions.values()) {
      if (!present.has(partition.id)) this.#out.write(formatHealed(partition));
    }
    this.#partitions = present;
    if (sample !== null) this.#out.write(formatMetricsLine(sample));
  }

  flow(flow: FlowInfo): void {
    this.#out.write(`${formatFlow(flow)}\n`);
  }

  log(line: LogLine): void {
    if (line.source !== 'state') this.#out.write(`${line.node} | ${line.text}\n`);
  }

  down(results: CheckResult[]): void {
    for (const result of results) this.#out.write(`${checkLine(result)}\n`);
  }
}

export class TerminalView implements View {
  readonly #region: LiveRegion;
  readonly #out: Output;
  readonly #figures: boolean;
  readonly #coming: Map<string, NodeStatus> = new Map();
  #comingTimer: NodeJS.Timeout | undefined;
  #nodes: NodeStatus[] = [];
  #sample: MetricsSample | null = null;
  #partitions: PartitionInfo[] = [];
  #title = '';

  constructor(out: Output, figures: boolean = true) {
    this.#out = out;
    this.#figures = figures;
    this.#region = new LiveRegion(out);
  }

  #draw(): void {
    const { columns } = this.#region;
    const table = this.#figures
      ? formatLive(this.#nodes, this.#sample, this.#partitions, columns)
      : formatLab(this.#nodes, columns) + this.#partitions.map(formatPartition).join('');
    this.#region.show(`${this.#title}\n${table}`);
  }

  coming(node: NodeStatus): void {
    if (this.#title !== '') return;
    this.#coming.set(node.name, node);
    this.#comingTimer ??= setTimeout(() => {
      this.#comingTimer = undefined;
      const nodes = [...this.#coming.values()];
      const up = nodes.filter(({ phase }) => phase !== 'booting').length;
      const title = `${up} of ${nodes.length} kernels up`;
      this.#region.show(`${title}\n${formatLab(nodes, this.#region.columns)}`);
    }, COMING_MS);
  }

  fallen(): void {
    clearTimeout(this.#comingTimer);
    this.#region.clear();
  }

  up(title: string, nodes: NodeStatus[]): void {
    this.fallen();
    this.#out.write(`${formatPorts(nodes)}${formatHostNetworks(nodes)}`);
    this.#title = `${title}; Ctrl-C ends it`;
    this.#nodes = nodes;
    this.#draw();
  }

  state(node: NodeStatus): void {
    this.#nodes = this.#nodes.map((other) => (other.name === node.name ? node : other));
    this.#draw();
  }

  metrics(sample: MetricsSample | null, partitions: PartitionInfo[]): void {
    this.#sample = sample;
    this.#partitions = partitions;
    this.#draw();
  }

  flow(flow: FlowInfo): void {
    this.#region.print(formatFlow(flow));
  }

  log(line: LogLine): void {
    this.#region.print(`${line.node} | ${line.text}`);
  }

  down(results: CheckResult[]): void {
    this.#region.end();
    for (const result of results) this.#out.write(`${checkLine(result)}\n`);
  }
}
