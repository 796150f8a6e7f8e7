/**
 * Role: the pictures of `mk bench mint`: throughput by frame size beside the paper's points, and what grows with the number of kernels.
 * Thread: the harness's main thread.
 */

import type { Figure } from '../context.ts';
import { barsOf, FIGURE_CONFIG } from '../harness/figure.ts';
import { type Row, rowOf } from '../harness/row.ts';
import { cRing } from '../peers/c-peers.ts';
import type { Buffers } from './frames.ts';
import { MESH_KERNELS, MESH_METRICS } from './mesh.ts';
import {
  PAPER_TCP_GBPS,
  PAPER_UDP_GBPS,
  rawMetric,
  SIZES,
  SUPER_BYTES,
  tcpMetric,
  tcpSizeMetric,
  udpMetric,
} from './mint-rows.ts';

interface Point {
  series: string;
  x: number;
  value: number;
}

/** Rows with a value as points of one line. */
function points(
  rows: readonly Row[],
  series: string,
  metrics: readonly (readonly [x: number, metric: string])[],
): Point[] {
  return metrics.flatMap(([x, metric]) => {
    const value = rowOf(rows, metric)?.value;
    return typeof value === 'number' ? [{ series, x, value }] : [];
  });
}

interface Axis {
  title: string;
  log: boolean;
}

function lines(values: readonly Point[], x: Axis, y: Axis, width = 520): object {
  return {
    width,
    height: 260,
    data: { values },
    mark: { type: 'line', point: true },
    encoding: {
      x: { field: 'x', type: 'quantitative', title: x.title, scale: x.log ? { type: 'log', base: 2 } : { zero: true } },
      y: { field: 'value', type: 'quantitative', title: y.title, scale: y.log ? { type: 'log' } : { zero: true } },
      color: { field: 'series', type: 'nominal', title: null, sort: null },
    },
  };
}

/** The paper's two points, as crosses with their names. */
function paperPoints(): object {
  return {
    data: {
      values: [
        { x: 1500, value: PAPER_UDP_GBPS, label: `paper, UDP: ${PAPER_UDP_GBPS}` },
        { x: 1500, value: PAPER_TCP_GBPS, label: `paper, TCP: ${PAPER_TCP_GBPS}` },
      ],
    },
    encoding: { x: { field: 'x', type: 'quantitative' }, y: { field: 'value', type: 'quantitative' } },
    layer: [
      { mark: { type: 'point', shape: 'cross', color: '#c1121f', size: 90, filled: true } },
      {
        mark: { type: 'text', align: 'left', dx: 8, color: '#c1121f', fontSize: 10 },
        encoding: { text: { field: 'label' } },
      },
    ],
  };
}

function throughput(rows: readonly Row[], where: string): Figure {
  const by = (metric: (size: number) => string): [number, string][] => SIZES.map((size) => [size, metric(size)]);
  const values = [
    ...points(rows, 'C ring, copy in and out', by(cRing)),
    ...points(
      rows,
      'raw frames',
      by((size) => rawMetric(size)),
    ),
    ...points(
      rows,
      'UDP, checksum carried as a flag',
      by((size) => udpMetric(size, 'flag')),
    ),
    ...points(
      rows,
      'UDP, checksum computed',
      by((size) => udpMetric(size, 'computed')),
    ),
    ...points(rows, 'TCP, checksum computed', [
      ...SIZES.map((size): [number, string] => [size, tcpSizeMetric(size, 'computed')]),
      [1500, tcpMetric('MTU 1500', 'computed')],
      [9000, tcpMetric('MTU 9000', 'computed')],
      [SUPER_BYTES, tcpMetric('super-frames', 'computed')],
    ]),
  ];
  return {
    name: 'throughput',
    spec: {
      title: { text: 'Between two kernels, one core each, by frame size', subtitle: where, anchor: 'start' },
      background: 'white',
      config: FIGURE_CONFIG,
      layer: [lines(values, { title: 'bytes', log: true }, { title: 'Gbit/s', log: true }), paperPoints()],
    },
  };
}

function kernels(rows: readonly Row[], where: string): Figure {
  const organisations = ['channels', 'shared'] as const;
  const by = (series: string, metric: (kernels: number, buffers: Buffers) => string): Point[] =>
    organisations.flatMap((buffers) =>
      points(
        rows,
        `${buffers === 'channels' ? 'a buffer per channel' : 'one shared buffer'}${series}`,
        MESH_KERNELS.map((n) => [n, metric(n, buffers)]),
      ),
    );
  const x = { title: 'kernels', log: true };
  const share = [...by(', mean', MESH_METRICS.meanShare), ...by(', peak', MESH_METRICS.peakShare)];
  return {
    name: 'kernels',
    spec: {
      title: { text: 'Growing number of kernels on two cores, raw frames of 1500 B', subtitle: where, anchor: 'start' },
      background: 'white',
      config: { ...FIGURE_CONFIG, legend: { labelLimit: 0, orient: 'bottom', columns: 1 } },
      hconcat: [
        lines(by('', MESH_METRICS.gbps), x, { title: 'Gbit/s', log: false }, 220),
        lines(by('', MESH_METRICS.memory), x, { title: 'buffers, MiB', log: false }, 220),
        lines(share, x, { title: 'share of the buffers in use, %', log: false }, 220),
      ],
      resolve: { scale: { color: 'independent' } },
    },
  };
}

/** Throughput by size, growth with kernels, and everything as bars. */
export function mintFigures(rows: readonly Row[], where: string): Figure[] {
  const bars = { name: 'all', spec: barsOf('mk bench mint, all rows', where, rows) };
  return [throughput(rows, where), kernels(rows, where), bars];
}
