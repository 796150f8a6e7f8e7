/**
 * Role: draws rows as SVG with vega-lite, one picture per bench.
 * Thread: the harness's main thread. vega and vega-lite are development dependencies and loaded only when a figure is drawn.
 */

import { type Row, SYSTEMS, type System, type Unit } from './row.ts';
import { shown } from './table.ts';

/** Thrown when vega is not installed; the message is the one line to show. */
export class NoFigure extends Error {}

type Spec = Record<string, unknown>;

interface Vega {
  parse(spec: unknown): unknown;
  View: new (runtime: unknown, options: unknown) => { toSVG(): Promise<string>; finalize(): unknown };
}

interface Drawing {
  vega: Vega;
  compile(spec: unknown): { spec: unknown };
}

const COLOURS: Record<System, string> = { multikernel: '#0b6e4f', C: '#8d99ae', Node: '#3c6e9f', Linux: '#c58b2a' };

/** Every name in full: rows of a bench differ at their ends. */
export const FIGURE_CONFIG: Spec = { font: 'sans-serif', axis: { labelLimit: 0 }, legend: { labelLimit: 0 } };

/** Vega-lite specification: one panel of bars per unit, range of the samples as a rule, the paper's figure as a red tick. */
export function barsOf(title: string, subtitle: string, rows: readonly Row[]): Spec {
  // Shares of nothing (no loss anywhere) are left to the table.
  const idle = rows.every((row) => row.unit !== '%' || !row.value);
  const drawn = rows.filter((row) => row.value !== null && !(idle && row.unit === '%'));
  const units = [...new Set(drawn.map((row) => row.unit))];
  const systems = SYSTEMS.filter((system) => drawn.some((row) => row.system === system));
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: title, subtitle, anchor: 'start' },
    background: 'white',
    vconcat: units.map((unit) =>
      panelOf(
        unit,
        drawn.filter((row) => row.unit === unit),
        systems,
      ),
    ),
    resolve: { scale: { x: 'independent' } },
    config: FIGURE_CONFIG,
  };
}

function panelOf(unit: Unit, rows: readonly Row[], systems: readonly System[]): Spec {
  const values = rows.map((row) => ({
    metric: row.metric,
    system: row.system,
    value: row.value,
    low: row.low ?? row.value,
    high: row.high ?? row.value,
    paper: row.paper ?? null,
    // Beside whatever reaches further to the right.
    labelAt: Math.max(row.high ?? row.value ?? 0, row.paper ?? 0),
    label: labelOf(row),
  }));
  const y = { field: 'metric', type: 'nominal', sort: null, title: null };
  return {
    width: 520,
    height: { step: 22 },
    data: { values },
    layer: [
      {
        mark: { type: 'bar', height: 13 },
        encoding: {
          y,
          x: { field: 'value', type: 'quantitative', title: unit },
          color: {
            field: 'system',
            type: 'nominal',
            title: null,
            scale: { domain: systems, range: systems.map((system) => COLOURS[system]) },
          },
        },
      },
      {
        mark: { type: 'rule', color: 'black' },
        encoding: { y, x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } },
      },
      {
        transform: [{ filter: 'datum.paper != null' }],
        mark: { type: 'tick', color: '#c1121f', thickness: 3, size: 18 },
        encoding: { y, x: { field: 'paper', type: 'quantitative' } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 5, fontSize: 10 },
        encoding: { y, x: { field: 'labelAt', type: 'quantitative' }, text: { field: 'label' } },
      },
    ],
  };
}

/** `81.2 (far), paper 78.8`: near is what is wanted, and not said. */
function labelOf({ value, placement, paper }: Row): string {
  const mark = placement === 'near' || placement === 'unknown' ? '' : ` (${placement})`;
  return `${shown(value ?? 0)}${mark}${paper === undefined ? '' : `, paper ${shown(paper)}`}`;
}

/** Draws a vega-lite specification. Throws {@link NoFigure} when vega is not installed. */
export async function drawSvg(spec: Spec, load: () => Promise<Drawing> = loadVega): Promise<string> {
  let drawing: Drawing;
  try {
    drawing = await load();
  } catch {
    throw new NoFigure('figure: vega and vega-lite are not installed (npm install --save-dev vega vega-lite)');
  }
  const { vega, compile } = drawing;
  const view = new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

async function loadVega(): Promise<Drawing> {
  // Names in variables: the packages are optional, and their types are not needed for these three calls.
  const names = ['vega', 'vega-lite'];
  const [vega, vegaLite] = await Promise.all(names.map((name) => import(name)));
  return { vega: vega as Vega, compile: (vegaLite as Drawing).compile };
}
