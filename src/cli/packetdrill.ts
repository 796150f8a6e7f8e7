/**
 * `mk packetdrill FILE...`: scripts of the tool packetdrill against a kernel of ours on the virtual clock.
 *
 * Thread: the command's. Options keep the tool's names, underscores included, so that scripts and habits carry over.
 */

import { Command } from 'commander';
import type { OptionText } from '../drill/index.ts';
import type { ScriptOptions } from './packetdrill-run.ts';

interface PacketdrillOptions extends ScriptOptions {
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
script cannot be read). The exit code is 0 when all pass, else 1. A script that is meant to fail says so in its first line,
"// fail 12: words of the message" (or unsupported, error): when it ends so, in that line, it is "as meant", and counts as a pass.

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
    .action(async (files: string[], options: PacketdrillOptions) => {
      // Only here: other commands start without a kernel.
      const { runScripts } = await import('./packetdrill-run.ts');
      await runScripts(files, toolOptionsOf(options), options);
    });
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
