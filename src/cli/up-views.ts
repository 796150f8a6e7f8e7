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

export interface View {
  up(text: string, nodes: NodeStatus[], lab: object): void;
  state(node: NodeStatus): void;
  metrics(sample: MetricsSample, partitions: PartitionInfo[]): void;
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

  metrics(sample: MetricsSample, partitions: PartitionInfo[]): void {
    this.#print({ type: 'metrics', ...sample, partitions });
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

  metrics(sample: MetricsSample, partitions: PartitionInfo[]): void {
    for (const partition of partitions)
      if (!this.#partitions.has(partition.id)) this.#out.write(formatPartition(partition));
    const present = new Map(partitions.map((partition) => [partition.id, partition]));
    for (const partition of this.#partitions.values()) {
      if (!present.has(partition.id)) this.#out.write(formatHealed(partition));
    }
    this.#partitions = present;
    this.#out.write(formatMetricsLine(sample));
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
  #nodes: NodeStatus[] = [];
  #sample: MetricsSample | null = null;
  #partitions: PartitionInfo[] = [];
  #title = '';

  constructor(out: Output) {
    this.#out = out;
    this.#region = new LiveRegion(out);
  }

  #draw(): void {
    this.#region.show(`${this.#title}\n${formatLive(this.#nodes, this.#sample, this.#partitions)}`);
  }

  up(title: string, nodes: NodeStatus[]): void {
    this.#out.write(`${formatPorts(nodes)}${formatHostNetworks(nodes)}`);
    this.#title = `${title}; Ctrl-C ends it`;
    this.#nodes = nodes;
    this.#draw();
  }

  state(node: NodeStatus): void {
    this.#nodes = this.#nodes.map((other) => (other.name === node.name ? node : other));
    this.#draw();
  }

  metrics(sample: MetricsSample, partitions: PartitionInfo[]): void {
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
