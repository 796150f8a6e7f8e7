/**
 * The commands of scripts. Nothing is executed: what they would set up on Linux is set up in the kernel under test.
 *
 * Thread: the caller's. Known: sysctl in its forms, the tool's own `defaults.sh` and `set_sysctls.py`, an initial window or
 * MTU by `ip`, sleep. Commands that only print or restore are ignored with a note; any other ends the run (Unsupported).
 */

import { Errno } from '../base/errors.ts';
import { US_PER_S } from '../base/units.ts';
import type { Machine } from './machine.ts';
import { LINUX_DEFAULTS, mapSysctl, type Setting } from './sysctl-map.ts';
import { Unsupported } from './values.ts';

/** Commands that look, clean up, or concern what is not here. */
const HARMLESS: readonly RegExp[] = [
  /^\/tmp\/sysctl_restore_/,
  /^(ip|tc)\b.*\b(show|list|ls)\b/,
  /^ip tcp_metrics\b/,
  /^tc qdisc\b/,
  /^(ip|\/sbin\/ip) (-[46] )?neigh\b/,
  /^(cat|grep|egrep|awk|nstat|ss|netstat|tail|head|wc|date|true|:)\b/,
  /^ethtool\b/,
  /^(modprobe|kldload|kldstat|sync|rm|test|exit|set)\b/,
  /^(ifconfig|sockstat)\b/,
];

const INITIAL_WINDOW = /^ip (?:-[46] )?route\b.*\binitcwnd (\d+)/;
/** Linux paces in the queue `fq`, and by timers of its own only when asked by a socket. */
const QUEUE = /^tc qdisc (?:add|replace|change)\b.*\broot (\w+)/;
const LINK_MTU = /^ip link set\b.*\bmtu (\d+)/;

export interface ShellContext {
  machine: Machine;
  note(text: string): void;
  /** Let script time pass. */
  sleep(us: number): void;
}

/** Carry out a command of a script. Throws Unsupported. */
export function runCommand(context: ShellContext, text: string): void {
  for (const line of commandsOf(text)) runLine(context, line);
}

/** The single commands: lines joined at backslashes, parted at `;`, `&&` and `||`, redirections taken off. */
export function commandsOf(text: string): string[] {
  return text
    .replace(/\\\n/g, ' ')
    .replace(/\$\(\(([-+*0-9\s()]+)\)\)/g, (_, sum: string) => String(arithmetic(sum)))
    .split(/\n|;|&&|\|\|/)
    .map((line) =>
      line
        .replace(/(^|\s)#.*$/, '')
        .replace(/\s*[12]?>+\s*(?:\/dev\/null|&[12])/g, '')
        .trim(),
    )
    .filter((line) => line !== '');
}

/** `$((32*1024*1024))`: sums and products of integers. */
function arithmetic(text: string): number {
  let at = 0;
  const compact = text.replace(/\s+/g, '');
  const atom = (): number => {
    if (compact[at] === '(') {
      at++;
      const value = sum();
      at++;
      return value;
    }
    const digits = /^-?\d+/.exec(compact.slice(at))?.[0] ?? '0';
    at += digits.length;
    return Number(digits);
  };
  const product = (): number => {
    let value = atom();
    while (compact[at] === '*') {
      at++;
      value *= atom();
    }
    return value;
  };
  const sum = (): number => {
    let value = product();
    while (compact[at] === '+' || compact[at] === '-') value += compact[at++] === '+' ? product() : -product();
    return value;
  };
  return sum();
}

function runLine(context: ShellContext, line: string): void {
  const [command = '', ...words] = wordsOf(line.replace(/^sudo\s+/, ''));
  const echo = /^echo\s+(.*?)\s*>\s*(\/proc\/sys\/\S+)$/.exec(line);
  const cwnd = INITIAL_WINDOW.exec(line);
  const mtu = LINK_MTU.exec(line);
  const queue = QUEUE.exec(line);
  if (/(^|\/)defaults\.sh$/.test(command)) {
    for (const [name, value] of LINUX_DEFAULTS) setSysctl(context, name, value, true);
  } else if (/(^|\/)set_sysctls\.py$/.test(command)) {
    for (const word of words) setAssignment(context, word);
  } else if (/(^|\/)sysctl$/.test(command)) {
    for (const word of joinedValues(words)) setAssignment(context, word);
  } else if (echo !== null) {
    setSysctl(context, dotted(echo[2] as string), unquoted(echo[1] as string), false);
  } else if (queue !== null) {
    context.machine.wire.dropping = /\blimit 0\b/.test(line);
    setOwn(context, { name: 'net.inet.tcp.pacing', value: queue[1] === 'fq' ? 1 : 0 });
  } else if (cwnd !== null) {
    setOwn(context, { name: 'net.inet.tcp.init_win', value: Number(cwnd[1]) });
  } else if (mtu !== null) {
    const { inet } = context.machine.kernel;
    inet.setMtu(inet.interface('tun0') as NonNullable<ReturnType<typeof inet.interface>>, Number(mtu[1]));
  } else if (command === 'sleep' && Number(words[0]) >= 0) {
    context.sleep(Number(words[0]) * US_PER_S);
  } else if (HARMLESS.some((pattern) => pattern.test(line))) {
    context.note(`not executed: ${line}`);
  } else {
    throw new Unsupported(`command not known here: ${line}`);
  }
}

/** Words of a shell line, quotes taken off. */
function wordsOf(line: string): string[] {
  return (line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? []).map((word) => word.replace(/["']/g, ''));
}

function unquoted(text: string): string {
  return text
    .replace(/^-n\s+/, '')
    .replace(/["']/g, '')
    .trim();
}

/** `-w name = value` and `name=value` alike; flags left out. */
function joinedValues(words: readonly string[]): string[] {
  const joined = words
    .filter((word) => !/^-\w+$/.test(word))
    .join('\0')
    .replace(/\0?=\0?/g, '=');
  return joined.split('\0').filter((word) => word !== '');
}

function setAssignment(context: ShellContext, word: string): void {
  const equals = word.indexOf('=');
  if (equals < 0) {
    context.note(`not executed: sysctl ${word}`);
    return;
  }
  setSysctl(context, dotted(word.slice(0, equals)), word.slice(equals + 1), false);
}

function dotted(name: string): string {
  return name
    .trim()
    .replace(/^\/proc\/sys\//, '')
    .replaceAll('/', '.');
}

/** `quiet`: part of a bundle, whose parts are not worth a note each. */
function setSysctl(context: ShellContext, name: string, value: string, quiet: boolean): void {
  if (context.machine.kernel.inet.sysctl.get(name) !== undefined) {
    setOwn(context, { name, value: Number(value) });
    return;
  }
  const mapped = mapSysctl(name, value);
  switch (mapped.kind) {
    case 'set':
      for (const setting of mapped.settings) setOwn(context, setting);
      break;
    case 'ignored':
      if (!quiet) context.note(`${name}=${value} makes no difference here: ${mapped.reason}`);
      break;
    case 'bad-value':
      throw new Unsupported(`${name}=${value} cannot be had here`);
    case 'unknown':
      throw new Unsupported(`${name} has no counterpart here`);
  }
}

function setOwn(context: ShellContext, { name, value }: Setting): void {
  const { sysctl } = context.machine.kernel.inet;
  const variable = sysctl.get(name);
  const fitting = variable === undefined ? value : Math.min(Math.max(value, variable.min), variable.max);
  if (fitting !== value) context.note(`${name}: ${fitting} in place of ${value}`);
  const error = sysctl.set(name, fitting);
  if (error === -Errno.ENOENT) throw new Unsupported(`${name} is not known here`);
  if (error !== 0) throw new Unsupported(`${name}=${value} cannot be had here`);
}
