/**
 * What goes wrong in a world: what each port does to what it sends, and what happens as time passes.
 */

import type { Impairment } from '../../../src/link/impairment.ts';
import type { Draw } from './draw.ts';
import type { Topology } from './topology.ts';

const MS = 1000;
const SECOND = 1_000_000;

export type Severity = 'none' | 'mild' | 'bad' | 'awful';

/** What happens at `atUs`. Ports are `[node, port]`. */
export type EventPlan =
  /** Nothing that these ports send arrives. */
  | { kind: 'cut'; atUs: number; untilUs: number; ports: readonly (readonly [number, number])[] }
  /** The node loses power, and boots again. */
  | { kind: 'reboot'; atUs: number; untilUs: number; node: number }
  /** Somebody switches the interface off, and on again. */
  | { kind: 'flap'; atUs: number; untilUs: number; node: number; port: number }
  /** The port's character changes for good. */
  | { kind: 'change'; atUs: number; node: number; port: number; impairment: Impairment };

export function drawSeverity(draw: Draw): Severity {
  const x = draw.unit();
  return x < 0.15 ? 'none' : x < 0.6 ? 'mild' : x < 0.92 ? 'bad' : 'awful';
}

const WORST: Record<Severity, { loss: number; delayUs: number }> = {
  none: { loss: 0, delayUs: 20 * MS },
  mild: { loss: 0.02, delayUs: 60 * MS },
  bad: { loss: 0.08, delayUs: 120 * MS },
  awful: { loss: 0.25, delayUs: 300 * MS },
};

/** What a port does to what it sends. `corrupt`: it may flip bits. */
export function drawImpairment(draw: Draw, severity: Severity, corrupt: boolean): Impairment {
  const worst = WORST[severity];
  const impairment: Impairment = {};
  if (draw.chance(0.7)) impairment.delayUs = draw.scale(1, worst.delayUs);
  if (severity === 'none') return impairment;
  if (impairment.delayUs !== undefined && draw.chance(0.4)) impairment.jitterUs = draw.below(impairment.delayUs + 1);
  if (draw.chance(0.4)) impairment.loss = draw.unit(worst.loss);
  if (draw.chance(0.15)) {
    const leave = severity === 'awful' ? 0.1 + draw.unit(0.5) : 0.3 + draw.unit(0.6);
    impairment.burst = { enter: draw.unit(worst.loss / 2), leave, lossInside: 0.5 + draw.unit(0.5) };
  }
  if (draw.chance(0.2)) impairment.duplicate = draw.unit(worst.loss);
  if (draw.chance(0.25)) impairment.reorder = draw.unit(3 * worst.loss);
  if (corrupt) impairment.corrupt = draw.unit(worst.loss / 2);
  if (draw.chance(0.25)) {
    impairment.rateBps = draw.scale(500_000, 1_000_000_000);
    impairment.queueFrames = draw.scale(4, 1000);
  }
  return impairment;
}

/** How likely it is that a frame does not arrive, bursts counted as their mean. */
export function lossOf(impairment: Impairment): number {
  const { loss = 0, corrupt = 0, burst } = impairment;
  let bursts = 0;
  if (burst !== undefined) bursts = (burst.enter / (burst.enter + burst.leave)) * (burst.lossInside ?? 1);
  return 1 - (1 - loss) * (1 - corrupt) * (1 - bursts);
}

export function drawEvents(draw: Draw, topology: Topology, severity: Severity): EventPlan[] {
  const events: EventPlan[] = [];
  if (severity === 'none' || draw.chance(0.5)) return events;
  const count = draw.between(1, severity === 'awful' ? 4 : 2);
  for (let i = 0; i < count; i++) {
    const atUs = draw.below(draw.chance(0.7) ? 3 * SECOND : 20 * SECOND);
    const x = draw.unit();
    if (x < 0.5) events.push(drawCut(draw, topology, atUs));
    else if (x < 0.75) events.push(drawReboot(draw, topology, atUs));
    else if (x < 0.85) events.push(drawFlap(draw, topology, atUs));
    else events.push(drawChange(draw, topology, severity, atUs));
  }
  return events;
}

function drawCut(draw: Draw, { nodes, segments }: Topology, atUs: number): EventPlan {
  const untilUs = atUs + draw.scale(10 * MS, draw.chance(0.8) ? 10 * SECOND : 90 * SECOND);
  const node = draw.below(nodes.length);
  const port = draw.below(nodes[node]?.ports.length ?? 1);
  // One way.
  if (draw.chance(0.4)) return { kind: 'cut', atUs, untilUs, ports: [[node, port]] };
  const segment = draw.below(segments.length);
  const ports = nodes.flatMap((one, n) =>
    one.ports.flatMap((p, i) => (p.segment === segment ? [[n, i] as const] : [])),
  );
  return { kind: 'cut', atUs, untilUs, ports };
}

function drawReboot(draw: Draw, { nodes }: Topology, atUs: number): EventPlan {
  const untilUs = atUs + draw.scale(10 * MS, 30 * SECOND);
  return { kind: 'reboot', atUs, untilUs, node: draw.below(nodes.length) };
}

function drawFlap(draw: Draw, { nodes }: Topology, atUs: number): EventPlan {
  const node = draw.below(nodes.length);
  const port = draw.below(nodes[node]?.ports.length ?? 1);
  return { kind: 'flap', atUs, untilUs: atUs + draw.scale(1, 20 * SECOND), node, port };
}

function drawChange(draw: Draw, { nodes }: Topology, severity: Severity, atUs: number): EventPlan {
  const node = draw.below(nodes.length);
  const port = draw.below(nodes[node]?.ports.length ?? 1);
  return { kind: 'change', atUs, node, port, impairment: drawImpairment(draw, severity, false) };
}
