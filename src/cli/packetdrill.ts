/**
 * `mk packetdrill FILE...`: scripts of the tool packetdrill against a kernel of ours on the virtual clock.
 *
 * Thread: the command's. Options keep the tool's names, underscores included, so that scripts and habits carry over.
 */

import { createWriteStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { Command } from 'commander';
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

interface PacketdrillOptions {
  json?: true;
  pcapng?: string;
  quiet?: true;
  [toolOption: string]: unknown;
}

/** The tool's options, in its order: name, argument (null: a switch), text. */
const TOOL_OPTIONS: readonly (readonly [string, string | null, string])[] = [
  ['ip_version', 'version', 'ipv4, ipv4-mapped-ipv6 or ipv6 (default: "ipv4")'],
  ['bind_port', 'port', 'what bind(fd, ..., ...) binds (default: "8080")'],
  ['connect_port', 'port', 'what connect(fd, ..., ...) connects to (default: "8080")'],
  ['local_ip', 'address', 'address of the kernel (default: "192.168.0.1")'],
  ['remote_ip', 'address', 'address of the far end (default: "192.0.2.1")'],
  ['mtu', 'bytes', 'MTU of the interface (default: "1500")'],
  ['tolerance_usecs', 'us', 'how far off a time may be (default: "4000")'],
  ['tolerance_percent', 'percent', 'the same, of the time since the event before (default: "12.5")'],
  ['tcp_ts_tick_usecs', 'us', 'compare outbound TS val, one tick being so long (default: they are not compared)'],
  ['tcp_ts_ecr_scaled', null, 'an inbound TS ecr need not repeat a TS val that was sent'],
  ['strict_segments', null, 'a packet of the script is one packet on the wire, not several that make it up'],
  ['non_fatal', 'types', 'go on after differences in these: packet,syscall'],
  ['define', 'name=value', 'replace a word of the script; may be repeated'],
  ['ignore_push', null, 'do not compare the PSH flag (not an option of the tool)'],
  ['any_option_order', null, 'TCP options in any order, however padded (not an option of the tool)'],
  ['dry_run', null, 'only read the scripts'],
  ['verbose', null, 'print every packet'],
];

const SHORT: Readonly<Record<string, string>> = { define: '-D, ', verbose: '-v, ' };

const AFTER = `
A script sees one interface with one address; the far end is the script. Its clock is virtual: a script takes as long as
the kernel needs to compute. Shell commands are not executed: sysctl in all its forms is mapped to our variables, what
only looks or restores is passed over, anything else makes the script "unsupported".

Verdicts: pass; fail (the kernel did something else); unsupported (the script asks for what is not there); error (the
script cannot be read). The exit code is 0 when all pass, else 1.

  mk packetdrill handshake.pkt
  mk packetdrill -v --tolerance_usecs=10000 tests/
  mk packetdrill --pcapng out.pcapng script.pkt
`;

export function packetdrillCommand(): Command {
  const command = new Command('packetdrill')
    .summary('run packetdrill scripts against a kernel')
    .description(
      'Run scripts of the tool packetdrill against a kernel of ours on the virtual clock: system calls, packets in and out, times, assertions on tcp_info.',
    )
    .argument('<files...>', 'scripts, or folders of them (*.pkt)');
  for (const [name, argument, text] of TOOL_OPTIONS) {
    const flags = `${SHORT[name] ?? ''}--${name}${argument === null ? '' : ` <${argument}>`}`;
    if (name === 'define') command.option(flags, text, (value: string, all: string[]) => [...all, value], []);
    else command.option(flags, text);
  }
  return command
    .option('--pcapng <file>', 'write what crossed the wire, one interface per script')
    .option('-q, --quiet', 'print only what did not pass')
    .option('--json', 'the reports as a JSON array')
    .addHelpText('after', AFTER)
    .action((files: string[], options: PacketdrillOptions) => run(files, options));
}

async function run(names: readonly string[], options: PacketdrillOptions): Promise<void> {
  const files = names.flatMap(scriptsOf);
  const toolOptions = toolOptionsOf(options);
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

function toolOptionsOf(options: PacketdrillOptions): OptionText[] {
  const given: OptionText[] = [];
  for (const [name, argument] of TOOL_OPTIONS) {
    const value = options[name];
    if (name === 'define') for (const one of value as string[]) given.push({ name, value: one });
    else if (argument === null && value === true) given.push({ name, value: null });
    else if (typeof value === 'string') given.push({ name, value });
  }
  return given;
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
