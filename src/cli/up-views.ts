/**
 * How `mk up` shows a lab: a table that is redrawn on a terminal, a table and then a line a second in a pipe, or JSON lines.
 *
 * Thread: the command's.
 */

import type { CheckResult, CutInfo, LogLine, MetricsSample, NodeStatus } from '../index.ts';
import { formatCut } from './break.ts';
import { formatLab, formatLive, formatMetricsLine } from './lab-table.ts';
import { LiveRegion } from './live.ts';
import type { Output } from './output.ts';

export interface View {
  up(text: string, nodes: NodeStatus[], lab: object): void;
  state(node: NodeStatus): void;
  metrics(sample: MetricsSample, cuts: CutInfo[]): void;
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

  metrics(sample: MetricsSample, cuts: CutInfo[]): void {
    this.#print({ type: 'metrics', ...sample, cuts });
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
  #cuts: Map<string, CutInfo> = new Map();

  constructor(out: Output) {
    this.#out = out;
  }

  up(title: string, nodes: NodeStatus[]): void {
    for (const node of nodes) this.#states.set(node.name, node.state);
    this.#out.write(`${title}\n${formatLab(nodes)}`);
  }

  state(node: NodeStatus): void {
    if (this.#states.get(node.name) === node.state) return;
    this.#states.set(node.name, node.state);
    this.#out.write(`${node.name}: ${node.state}\n`);
  }

  metrics(sample: MetricsSample, cuts: CutInfo[]): void {
    for (const cut of cuts) if (!this.#cuts.has(cut.id)) this.#out.write(formatCut(cut));
    const present = new Map(cuts.map((cut) => [cut.id, cut]));
    for (const cut of this.#cuts.values()) {
      if (!present.has(cut.id)) this.#out.write(`${cut.a.join(',')} - ${cut.b.join(',')}: healed\n`);
    }
    this.#cuts = present;
    this.#out.write(formatMetricsLine(sample));
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
  #cuts: CutInfo[] = [];
  #title = '';

  constructor(out: Output) {
    this.#out = out;
    this.#region = new LiveRegion(out);
  }

  #draw(): void {
    this.#region.show(`${this.#title}\n${formatLive(this.#nodes, this.#sample, this.#cuts)}`);
  }

  up(title: string, nodes: NodeStatus[]): void {
    this.#title = `${title}; Ctrl-C ends it`;
    this.#nodes = nodes;
    this.#draw();
  }

  state(node: NodeStatus): void {
    this.#nodes = this.#nodes.map((other) => (other.name === node.name ? node : other));
    this.#draw();
  }

  metrics(sample: MetricsSample, cuts: CutInfo[]): void {
    this.#sample = sample;
    this.#cuts = cuts;
    this.#draw();
  }

  log(line: LogLine): void {
    this.#region.print(`${line.node} | ${line.text}`);
  }

  down(results: CheckResult[]): void {
    this.#region.end();
    for (const result of results) this.#out.write(`${checkLine(result)}\n`);
  }
}
