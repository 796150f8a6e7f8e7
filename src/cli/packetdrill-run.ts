/** Runs the scripts of `mk packetdrill` and prints what became of them. Thread: the command's. */

import { createWriteStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import {
  type DrillReport,
  type DrillTrace,
  drill,
  OptionError,
  type OptionText,
  type Outcome,
} from '../drill/index.ts';
import { pcapng } from '../wire/index.ts';
import { CommandFailure } from './failure.ts';
import { LiveRegion } from './live.ts';
import { output, printJson } from './output.ts';

export interface ScriptOptions {
  json?: true;
  pcapng?: string;
  quiet?: true;
}

/** Run scripts, and those in folders, print what became of them, and set the exit code. Throws {@link CommandFailure}. */
export async function runScripts(
  names: readonly string[],
  toolOptions: readonly OptionText[],
  options: ScriptOptions,
): Promise<void> {
  const files = names.flatMap(scriptsOf);
  const reports: DrillReport[] = [];
  const traces: { file: string; trace: DrillTrace }[] = [];
  const region = new LiveRegion(output);
  const progress = output.terminal && !options.json && files.length > 1;
  for (const [i, file] of files.entries()) {
    if (progress) region.show(`${i + 1} of ${files.length}: ${file}\n`);
    const { report, trace } = drillFile(file, toolOptions, options.pcapng !== undefined);
    reports.push(report);
    if (trace !== null) traces.push({ file, trace });
    if (!options.json) for (const line of reportLines(report, options.quiet === true)) print(region, progress, line);
    // A key, or the terminal, gets its turn between two scripts.
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (progress) region.show('');
  if (options.pcapng !== undefined) await writeTraces(options.pcapng, traces);
  if (options.json) printJson(output, reports);
  else if (files.length > 1) output.write(`${summary(reports)}\n`);
  if (reports.some((report) => report.outcome !== 'pass')) process.exitCode = 1;
}

function print(region: LiveRegion, progress: boolean, line: string): void {
  if (progress) region.print(line);
  else output.write(`${line}\n`);
}

function drillFile(
  file: string,
  options: readonly OptionText[],
  trace: boolean,
): { report: DrillReport; trace: DrillTrace | null } {
  try {
    return drill(file, readFileSync(file, 'utf8'), { options, trace });
  } catch (error) {
    if (error instanceof OptionError) throw new CommandFailure(error.message);
    throw error;
  }
}

/** A folder stands for the scripts in it, sorted, deeper ones too. */
function scriptsOf(name: string): string[] {
  const what = statSync(name, { throwIfNoEntry: false });
  if (what === undefined) throw new CommandFailure(`${name}: no such file`);
  if (!what.isDirectory()) return [name];
  const found = readdirSync(name, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.pkt'));
  if (found.length === 0) throw new CommandFailure(`${name}: no *.pkt in it`);
  return found.sort().map((path) => join(name, path));
}

/** Lines printed for one script. */
function reportLines(report: DrillReport, quiet: boolean): string[] {
  const { outcome, file, message, notes } = report;
  const lines = [...report.output];
  if (outcome === 'pass' && quiet && report.warnings === 0) return lines;
  const seconds = (report.durationUs / 1e6).toFixed(3);
  const counts = `${report.events} events, ${report.packetsIn} packets in, ${report.packetsOut} out, ${seconds} s`;
  lines.push(outcome === 'pass' ? `pass         ${file} (${counts})` : `${outcome.padEnd(12)} ${file}`);
  if (message !== '') lines.push(...message.split('\n').map((line) => `  ${line}`));
  for (const note of notes)
    lines.push(...note.split('\n').map((line, i) => (i === 0 ? `  note: ${line}` : `  ${line}`)));
  return lines;
}

/** "12 scripts: 10 pass, 1 fail, 1 unsupported". */
function summary(reports: readonly DrillReport[]): string {
  const count = (outcome: Outcome): number => reports.filter((report) => report.outcome === outcome).length;
  const outcomes: readonly Outcome[] = ['pass', 'fail', 'unsupported', 'error'];
  const parts = outcomes.filter((outcome) => count(outcome) > 0).map((outcome) => `${count(outcome)} ${outcome}`);
  return `${reports.length} scripts: ${parts.join(', ')}`;
}

async function writeTraces(file: string, traces: readonly { file: string; trace: DrillTrace }[]): Promise<void> {
  const sink = createWriteStream(file);
  sink.write(pcapng.sectionBlock({ application: 'multikernel' }));
  for (const { file: name } of traces) {
    sink.write(pcapng.interfaceBlock({ linkType: pcapng.LINKTYPE_ETHERNET, snapBytes: 0, name }));
  }
  for (const [interfaceIndex, { trace }] of traces.entries()) {
    for (const { timeUs, direction, bytes } of trace.frames) {
      const timeNs = trace.epochNs + BigInt(Math.round(timeUs * 1000));
      sink.write(pcapng.packetBlock({ interfaceIndex, timeNs, lengthBytes: bytes.length, bytes, direction }));
    }
  }
  sink.end();
  await finished(sink);
}
