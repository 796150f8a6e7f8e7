/**
 * The table that is kept in goodput.txt: how fast TCP goes at which loss, how fairly it shares. `npm run goodput` writes it,
 * goodput-*.test.ts measure its rows again and compare.
 */

import { formulaWindow, randomLossWindow } from './cubic-model.ts';
import { measureGoodput } from './goodput.ts';

const MINUTE_US = 60_000_000;
const SEEDS = 4;
const FAIR_MINUTES = 6;
const QUEUE_BYTES = 10_000_000;

/** Losses to be seen per seed: enough that four seeds together err by a few percent. */
const LOSSES: Readonly<Record<string, number>> = {
  '0.0001': 150,
  '0.0003': 200,
  '0.001': 300,
  '0.003': 400,
  '0.01': 500,
  '0.03': 600,
};

/** Round trip and rate of the link; the window never fills it. */
export const LINKS: readonly (readonly [rttMs: number, mbps: number])[] = [
  [10, 1000],
  [40, 200],
  [100, 100],
  [200, 100],
];

export interface LossRow {
  loss: number;
  rttMs: number;
  rateMbps: number;
  /** Segments: the RFC's formula, its equations under random loss, what arrived. */
  formula: number;
  process: number;
  measured: number;
  timeouts: number;
}

export interface FairRow {
  control: 'newreno' | 'cubic';
  flows: number;
  rttMs: number;
  rateMbps: number;
  /** Share of the link that payload took; the fastest flow over the slowest. */
  used: number;
  worst: number;
}

export function lossCells(): Pick<LossRow, 'loss' | 'rttMs' | 'rateMbps'>[] {
  return LINKS.flatMap(([rttMs, rateMbps]) =>
    Object.keys(LOSSES).map((loss) => ({ loss: Number(loss), rttMs, rateMbps })),
  );
}

export function fairCells(): Pick<FairRow, 'control' | 'flows' | 'rttMs' | 'rateMbps'>[] {
  return (['newreno', 'cubic'] as const).flatMap((control) =>
    [2, 4].flatMap((flows) => [20, 100].map((rttMs) => ({ control, flows, rttMs, rateMbps: 10 }))),
  );
}

/** Average window of one connection, segments. */
export function measureLoss(
  { loss, rttMs, rateMbps }: Pick<LossRow, 'loss' | 'rttMs' | 'rateMbps'>,
  seeds: number = SEEDS,
): { measured: number; timeouts: number } {
  const rttUs = rttMs * 1000;
  const rounds = (LOSSES[`${loss}`] as number) / loss / formulaWindow(loss, rttUs);
  const measureUs = Math.max(rounds * rttUs, MINUTE_US);
  let sum = 0;
  let timeouts = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const result = measureGoodput({
      seed,
      flows: 1,
      loss,
      rttUs,
      rateBps: rateMbps * 1e6,
      queueBytes: QUEUE_BYTES,
      warmUs: measureUs / 5,
      measureUs,
    });
    sum += result.windowSegments;
    timeouts += result.timeouts;
  }
  return { measured: sum / seeds, timeouts };
}

/** A queue of one round trip's worth. */
export function measureFair(cell: Pick<FairRow, 'control' | 'flows' | 'rttMs' | 'rateMbps'>): FairRow {
  const rttUs = cell.rttMs * 1000;
  const { mbps } = measureGoodput({
    seed: 1,
    flows: cell.flows,
    loss: 0,
    rttUs,
    rateBps: cell.rateMbps * 1e6,
    queueBytes: (cell.rateMbps * rttUs) / 8,
    warmUs: MINUTE_US,
    measureUs: FAIR_MINUTES * MINUTE_US,
    sysctl: { congctl: cell.control === 'cubic' ? 1 : 0 },
  });
  const total = mbps.reduce((sum, one) => sum + one, 0);
  return { ...cell, used: total / cell.rateMbps, worst: Math.max(...mbps) / Math.min(...mbps) };
}

const HEAD = `# How fast TCP goes, and how fairly it shares; on the virtual clock. Written by: npm run goodput
# Compared by test/sim/goodput-*.test.ts; what the numbers mean: docs/notes/simulation.md.
`;

const LOSS_HEAD = `
# CUBIC, one connection, random loss. Windows in segments, on average: by the formula of RFC 9438 section 5.1 (losses at equal
# distances), by its equations under random loss, and as measured; then the ratios of the last to the other two.
loss   %  rtt ms  Mbit/s  formula  process  measured  /formula  /process  timeouts
`;

const FAIR_HEAD = `
# Connections of equal round trip over one link with a queue of one round trip: share of the link used by payload, and the
# fastest over the slowest in six minutes.
fair   control  flows  rtt ms  Mbit/s   used  fastest/slowest
`;

function lossLine(row: LossRow): string {
  const fields = [
    `${100 * row.loss}`.slice(0, 4).padStart(4),
    `${row.rttMs}`.padStart(6),
    `${row.rateMbps}`.padStart(6),
    row.formula.toFixed(1).padStart(7),
    row.process.toFixed(1).padStart(7),
    row.measured.toFixed(1).padStart(8),
    (row.measured / row.formula).toFixed(2).padStart(8),
    (row.measured / row.process).toFixed(2).padStart(8),
    `${row.timeouts}`.padStart(8),
  ];
  return `loss ${fields.join('  ')}`;
}

function fairLine(row: FairRow): string {
  const fields = [
    row.control.padStart(8),
    `${row.flows}`.padStart(5),
    `${row.rttMs}`.padStart(6),
    `${row.rateMbps}`.padStart(6),
    row.used.toFixed(2).padStart(5),
    row.worst.toFixed(2).padStart(15),
  ];
  return `fair  ${fields.join('  ')}`;
}

/** Measure everything; `tell` hears of each row. */
export function makeTable(tell: (line: string) => void): string {
  const lossLines = lossCells().map((cell) => {
    const rttUs = cell.rttMs * 1000;
    const formula = formulaWindow(cell.loss, rttUs);
    const line = lossLine({ ...cell, formula, process: randomLossWindow(cell.loss, rttUs), ...measureLoss(cell) });
    tell(line);
    return line;
  });
  const fairLines = fairCells().map((cell) => {
    const line = fairLine(measureFair(cell));
    tell(line);
    return line;
  });
  return `${HEAD}${LOSS_HEAD}${lossLines.join('\n')}\n${FAIR_HEAD}${fairLines.join('\n')}\n`;
}

export function readTable(text: string): { loss: LossRow[]; fair: FairRow[] } {
  const loss: LossRow[] = [];
  const fair: FairRow[] = [];
  for (const line of text.split('\n')) {
    const [kind, ...fields] = line.trim().split(/\s+/);
    const n = fields.map(Number);
    if (kind === 'loss' && fields[0] !== '%') {
      const [percent, rttMs, rateMbps, formula, process, measured, , , timeouts] = n as [number, ...number[]];
      const row = { rttMs, rateMbps, formula, process, measured, timeouts } as Omit<LossRow, 'loss'>;
      loss.push({ loss: Number((percent / 100).toPrecision(3)), ...row });
    } else if (kind === 'fair' && fields[0] !== 'control') {
      const [, flows, rttMs, rateMbps, used, worst] = n;
      fair.push({ control: fields[0], flows, rttMs, rateMbps, used, worst } as FairRow);
    }
  }
  return { loss, fair };
}
