/** `netstat -w`: packets or bytes of one interface, and of all, in each interval. Thread: the command's. */

import { ArgumentError } from './getopt.ts';
import type { InterfaceInfo } from './interface-text.ts';
import type { ToolContext } from './tool.ts';

/** Rows between two headings. */
const ROWS = 20;

interface Traffic {
  inPackets: number;
  inBytes: number;
  inErrors: number;
  outPackets: number;
  outBytes: number;
  outErrors: number;
  drops: number;
}

const NONE: Traffic = { inPackets: 0, inBytes: 0, inErrors: 0, outPackets: 0, outBytes: 0, outErrors: 0, drops: 0 };
const KEYS = Object.keys(NONE) as (keyof Traffic)[];

function trafficOf(info: InterfaceInfo): Traffic {
  return { ...info, drops: info.outDrops };
}

/** Counts of an interface since `before`; those that went down were set to 0 in between. */
function since(before: Traffic, info: InterfaceInfo): Traffic {
  const now = trafficOf(info);
  const difference = { ...NONE };
  for (const key of KEYS) difference[key] = now[key] >= before[key] ? now[key] - before[key] : now[key];
  return difference;
}

function sumOf(parts: Iterable<Traffic>): Traffic {
  const sum = { ...NONE };
  for (const part of parts) for (const key of KEYS) sum[key] += part[key];
  return sum;
}

/** Numbers are never cut. */
function wide(values: readonly (string | number)[], widths: readonly number[]): string {
  return values.map((value, i) => String(value).padStart(widths[i] as number)).join(' ');
}

function cells(texts: readonly string[], widths: readonly number[]): string {
  return wide(
    texts.map((text, i) => text.slice(0, widths[i])),
    widths,
  );
}

/** Both lines of the heading for one column of interfaces: `-b` and `-d` are the options. */
function heading(name: string, flags: ReadonlySet<string>): [string, string] {
  const drops = flags.has('d') ? ` ${'drops'.padStart(5)}` : '';
  const blank = ' '.repeat(drops.length);
  if (flags.has('b')) {
    const above = `${cells([name], [7])} in ${cells(['', name], [8, 6])} out ${' '.repeat(5)}`;
    return [above + blank, cells(['bytes', '', 'bytes', ''], [10, 8, 10, 5]) + drops];
  }
  const above = `${cells([name], [5])} in ${' '.repeat(5)}${cells([name], [5])} out ${cells(['', ''], [5, 5])}`;
  return [above + blank, cells(['packets', 'errs', 'packets', 'errs', 'colls'], [8, 5, 8, 5, 5]) + drops];
}

function numbers(traffic: Traffic, flags: ReadonlySet<string>): string {
  const drops = flags.has('d') ? ` ${String(traffic.drops).padStart(5)}` : '';
  if (flags.has('b')) return wide([traffic.inBytes, '', traffic.outBytes, ''], [10, 8, 10, 5]) + drops;
  const { inPackets, inErrors, outPackets, outErrors } = traffic;
  return wide([inPackets, inErrors, outPackets, outErrors, 0], [8, 5, 8, 5, 5]) + drops;
}

/**
 * A row at once, with what was counted since the interfaces came, and one after each `pause`, until the signal of the context. `name`:
 * the interface of the first column; null: the first one. Throws ArgumentError for a name that there is not.
 */
export async function watchTraffic(
  { kernel, out, signal, json }: ToolContext,
  name: string | null,
  flags: ReadonlySet<string>,
  pause: () => Promise<unknown>,
): Promise<number> {
  const before = new Map<string, Traffic>();
  for (let row = 0; ; row++) {
    const infos = await kernel.interfaces();
    const chosen = name === null ? infos[0] : infos.find((info) => info.name === name);
    if (chosen === undefined) throw new ArgumentError(`${name}: no such interface`);
    const counted = new Map(infos.map((info) => [info.name, since(before.get(info.name) ?? NONE, info)]));
    const [one, all] = [counted.get(chosen.name) as Traffic, sumOf(counted.values())];
    if (json) {
      out.write(`${JSON.stringify({ [chosen.name]: one, total: all })}\n`);
    } else {
      const shown = infos.length > 1 ? [one, all] : [one];
      const headings = ['', 'total'].slice(0, shown.length).map((title) => heading(title || chosen.name, flags));
      const above = [0, 1].map((line) => `${headings.map((lines) => lines[line]).join('  ')}\n`).join('');
      out.write(`${row % ROWS === 0 ? above : ''}${shown.map((traffic) => numbers(traffic, flags)).join('  ')}\n`);
    }
    for (const info of infos) before.set(info.name, trafficOf(info));
    await pause();
    if (signal.aborted) return 0;
  }
}
