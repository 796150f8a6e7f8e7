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
  const reports: Verdict[] = [];
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
  if (!reports.every(isGood)) process.exitCode = 1;
}

/** A report, and whether the script says of itself that it ends so; null: it says nothing. */
interface Verdict extends DrillReport {
  asMeant: boolean | null;
}

/** First line of a script that is meant to fail: `// fail 12: words of the message`. */
const MEANT = /^\/\/ (fail|unsupported|error) (\d+): (.*)$/;

function verdictOf(report: DrillReport, text: string): Verdict {
  const meant = MEANT.exec(text.split('\n', 1)[0] as string);
  if (meant === null) return { ...report, asMeant: null };
  const [, outcome, line, words] = meant as unknown as [string, string, string, string];
  const asMeant = report.outcome === outcome && report.line === Number(line) && report.message.includes(words);
  const notes = asMeant ? report.notes : [...report.notes, `meant to end as ${outcome} in line ${line}: ${words}`];
  return { ...report, notes, asMeant };
}

/** It passed, and was not meant to fail; or it failed as it was meant to. */
function isGood({ outcome, asMeant }: Verdict): boolean {
  return asMeant ?? outcome === 'pass';
}

function print(region: LiveRegion, progress: boolean, line: string): void {
  if (progress) region.print(line);
  else output.write(`${line}\n`);
}

function drillFile(
  file: string,
  options: readonly OptionText[],
  trace: boolean,
): { report: Verdict; trace: DrillTrace | null } {
  try {
    const text = readFileSync(file, 'utf8');
    const { report, trace: frames } = drill(file, text, { options, trace });
    return { report: verdictOf(report, text), trace: frames };
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
function reportLines(report: Verdict, quiet: boolean): string[] {
  const { outcome, file, message, notes, asMeant } = report;
  const lines = [...report.output];
  if (isGood(report) && quiet && report.warnings === 0) return lines;
  if (asMeant === true) return [...lines, `as meant     ${file}: ${outcome} in line ${report.line}`];
  const seconds = (report.durationUs / 1e6).toFixed(3);
  const counts = `${report.events} events, ${report.packetsIn} packets in, ${report.packetsOut} out, ${seconds} s`;
  lines.push(outcome === 'pass' ? `pass         ${file} (${counts})` : `${outcome.padEnd(12)} ${file}`);
  if (message !== '') lines.push(...message.split('\n').map((line) => `  ${line}`));
  for (const note of notes)
    lines.push(...note.split('\n').map((line, i) => (i === 0 ? `  note: ${line}` : `  ${line}`)));
  return lines;
}

/** "12 scripts: 9 pass, 1 as meant, 1 fail, 1 unsupported". */
function summary(reports: readonly Verdict[]): string {
  const others = reports.filter((report) => report.asMeant !== true);
  const outcomes: readonly Outcome[] = ['pass', 'fail', 'unsupported', 'error'];
  const counts: [string, number][] = outcomes.map((outcome) => [
    outcome,
    others.filter((report) => report.outcome === outcome).length,
  ]);
  counts.splice(1, 0, ['as meant', reports.length - others.length]);
  const parts = counts.filter(([, count]) => count > 0).map(([outcome, count]) => `${count} ${outcome}`);
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
