/**
 * Running a script: one kernel, one clock, the events one after the other.
 *
 * Thread: the caller's. A blocking system call goes on beside the events that follow it, as the tool's second thread does;
 * the next call waits for it. The clock moves only while an event waits for its time or for a packet.
 * Read first: packetdrill (USENIX ATC 2013) section 3; packets.ts, system-calls.ts.
 */

import { US_PER_S } from '../base/units.ts';
import type { CallContext, CallResult, PendingCall } from './call.ts';
import { CodeRunner } from './code.ts';
import { CodeError, CodeUnknown } from './code-lexer.ts';
import { ScriptProcess } from './descriptors.ts';
import { errnoNumber, resultText } from './errno-text.ts';
import { Machine } from './machine.ts';
import { PacketMismatch, Packets } from './packets.ts';
import { type DrillReport, type DrillTrace, newReport, type Outcome } from './report.ts';
import { type DrillSettings, OptionError } from './settings.ts';
import { runCommand } from './shell.ts';
import type { EventTime, Script, ScriptCall, ScriptEvent } from './syntax.ts';
import { beginCall } from './system-calls.ts';
import { findConnection, restInfo, tcpInfo } from './tcp-info.ts';
import { type Due, differenceTime, toleranceUs } from './timing.ts';
import { CallMistake, describe, numberOf, Unsupported } from './values.ts';

/** Ends the run. */
class Stop extends Error {
  readonly outcome: Outcome;
  readonly line: number;

  constructor(outcome: Outcome, line: number, message: string) {
    super(message);
    this.outcome = outcome;
    this.line = line;
  }
}

/** A call under way, or one whose result is to be judged. */
interface RunningCall {
  call: ScriptCall;
  pending: PendingCall;
  line: number;
  /** When it must return; null: at once. */
  due: Due | null;
}

export interface DrillResult {
  report: DrillReport;
  /** Null unless asked for. */
  trace: DrillTrace | null;
}

/** Run a script that was read. Never throws for what a script or the kernel does. */
export function runScript(script: Script, settings: DrillSettings, options: { trace?: boolean } = {}): DrillResult {
  const report = newReport(script.file);
  if (settings.dryRun) return { report, trace: null };
  let machine: Machine;
  try {
    machine = new Machine(settings);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    fail(report, 'error', null, `${script.file}: ${error.message}`);
    return { report, trace: null };
  }
  if (options.trace === true) machine.wire.trace = [];
  try {
    new ScriptRun(script, settings, machine, report).all();
  } finally {
    machine.close();
  }
  const frames = machine.wire.trace;
  return { report, trace: frames === null ? null : { epochNs: machine.kernel.host.epochNs, frames } };
}

function fail(report: DrillReport, outcome: Outcome, line: number | null, message: string): void {
  report.outcome = outcome;
  report.line = line;
  report.message = message;
}

class ScriptRun {
  readonly #script: Script;
  readonly #settings: DrillSettings;
  readonly #machine: Machine;
  readonly #report: DrillReport;
  readonly #packets: Packets;
  readonly #code: CodeRunner;
  readonly #context: CallContext;
  #blocked: RunningCall | null = null;
  /** Failure of a blocked call while the run waited for something else. */
  #stop: Stop | null = null;

  constructor(script: Script, settings: DrillSettings, machine: Machine, report: DrillReport) {
    this.#script = script;
    this.#settings = settings;
    this.#machine = machine;
    this.#report = report;
    const log = (line: string): void => void report.output.push(line);
    this.#code = new CodeRunner(log);
    const packets = new Packets(machine, settings, (untilUs, condition) => this.#advance(untilUs, condition), log);
    this.#packets = packets;
    this.#context = {
      machine,
      settings,
      process: new ScriptProcess(machine.kernel.processes),
      watch: (flow) => packets.watch(flow),
      flowOf: (address, port) => packets.flowOf(address, port),
      note: (text) => this.#note(text),
    };
  }

  all(): void {
    const { file, init, events } = this.#script;
    const report = this.#report;
    let line = init?.line ?? 1;
    try {
      if (init !== null) this.#command(init.text);
      let sinceUs = 0;
      const first = events[0] as ScriptEvent;
      line = first.line;
      if (first.time.us !== 0) throw new CallMistake('first event should be at time 0');
      for (const event of events) {
        line = event.line;
        sinceUs = this.#event(event, sinceUs);
        report.events++;
      }
      this.#finish();
    } catch (error) {
      const { outcome, message, at } = judged(error, line);
      fail(report, outcome, at, `${file}:${at}: ${message}`);
    }
    report.durationUs = this.#machine.nowUs;
    report.packetsIn = this.#packets.injected;
    report.packetsOut = this.#packets.taken;
  }

  #note(text: string): void {
    if (!this.#report.notes.includes(text)) this.#report.notes.push(text);
  }

  /** Returns when the event happened, which relative times of the next one count from. */
  #event(event: ScriptEvent, sinceUs: number): number {
    const { action, line } = event;
    const due = dueOf(event.time, sinceUs, this.#machine.nowUs);
    switch (action.kind) {
      case 'packet':
        if (action.packet.direction === 'in') {
          this.#waitFor('inbound packet', due, line);
          this.#packets.inject(action.packet);
          this.#settle();
        } else this.#expect(action.packet, due, line);
        break;
      case 'call':
        this.#waitFor('system call start', due, line);
        this.#call(action.call, due, line);
        break;
      case 'command':
        this.#waitFor('command', due, line);
        this.#command(action.command.text);
        break;
      case 'code':
        this.#waitFor('data collection for code', due, line);
        this.#runCode(action.text);
        break;
    }
    return this.#machine.nowUs;
  }

  #expect(packet: Parameters<Packets['expect']>[0], due: Due, line: number): void {
    try {
      this.#packets.expect(packet, due);
    } catch (error) {
      if (!(error instanceof PacketMismatch) || !this.#settings.nonFatalPacket) throw error;
      this.#warn(`${this.#script.file}:${line}: warning handling packet: ${error.message}`);
    }
  }

  #warn(text: string): void {
    this.#report.warnings++;
    this.#note(text);
  }

  #runCode(text: string): void {
    const flow = this.#packets.current;
    const machine = this.#machine;
    const c = flow === null ? null : findConnection(machine, flow);
    const info = c === null ? restInfo(machine, flow) : tcpInfo(c, machine.kernelUs, machine.book.ip6);
    this.#code.run(text, info, c !== null);
  }

  #command(text: string): void {
    const sleep = (us: number): void => void this.#advance(this.#machine.nowUs + us, () => false);
    runCommand({ machine: this.#machine, note: (note) => this.#note(note), sleep }, text);
  }

  // --- Time ---

  /** Let the kernel work, serving the call that is blocked. */
  #settle(): void {
    this.#machine.settle();
    this.#serve();
    if (this.#stop !== null) throw this.#stop;
  }

  #advance(untilUs: number, condition: () => boolean): boolean {
    const held = this.#machine.runUntil(() => {
      this.#serve();
      return this.#stop !== null || condition();
    }, untilUs);
    // Packets of the last moment.
    if (!held) this.#serve();
    if (this.#stop !== null) throw this.#stop;
    return held || condition();
  }

  #waitFor(what: string, due: Due, line: number): void {
    this.#advance(due.us, () => false);
    const difference = differenceTime(what, due, this.#machine.nowUs, this.#settings);
    if (difference !== null) throw new Stop('fail', line, difference);
  }

  // --- System calls ---

  #call(call: ScriptCall, due: Due, line: number): void {
    this.#awaitBlocked();
    const pending = beginCall(this.#context, call);
    const end: Due | null = call.endUs === null ? null : endOf(call.endUs, due);
    const running: RunningCall = { call, pending, line, due: end };
    const result = pending.attempt();
    if (result !== null) {
      this.#judge(running, result);
    } else if (end === null) {
      throw new Stop('fail', line, `runtime error in ${call.name} call: it blocks, and the script gives it no time to`);
    } else {
      this.#blocked = running;
    }
    this.#settle();
  }

  /** Try the blocked call again. */
  #serve(): void {
    const running = this.#blocked;
    if (running === null || this.#stop !== null) return;
    const result = running.pending.attempt();
    if (result === null) return;
    this.#blocked = null;
    try {
      this.#judge(running, result);
    } catch (error) {
      const { outcome, message, at } = judged(error, running.line);
      this.#stop = new Stop(outcome, at, message);
    }
    // Segments that the call caused leave at this time.
    this.#machine.kernel.cpus[0].flush();
  }

  /** The next call waits for the one before. */
  #awaitBlocked(): void {
    const running = this.#blocked;
    if (running === null) return;
    const due = running.due as Due;
    const limitUs = Math.max(due.us + toleranceUs(this.#settings, due), this.#machine.nowUs);
    if (this.#advance(limitUs, () => this.#blocked === null)) return;
    const { call, line } = running;
    throw new Stop(
      'fail',
      line,
      `runtime error in ${call.name} call: it has not returned ${secondsLate(due, limitUs)}`,
    );
  }

  #finish(): void {
    this.#awaitBlocked();
  }

  #judge(running: RunningCall, result: CallResult): void {
    const { call, line, due } = running;
    const difference =
      differenceResult(call, result) ??
      (due === null ? null : differenceTime('system call return', due, this.#machine.nowUs, this.#settings));
    if (difference === null) return;
    const text = `runtime error in ${call.name} call: ${difference}`;
    if (!this.#settings.nonFatalCall) throw new Stop('fail', line, text);
    this.#warn(`${this.#script.file}:${line}: warning: ${text}`);
  }
}

function secondsLate(due: Due, nowUs: number): string {
  return `at ${(nowUs / US_PER_S).toFixed(6)} sec; the script expects it at ${(due.us / US_PER_S).toFixed(6)} sec`;
}

function dueOf(time: EventTime, sinceUs: number, nowUs: number): Due {
  const relative = time.type === 'relative' || time.type === 'relative-range';
  const offset = relative ? sinceUs : 0;
  if (time.type === 'any') return { type: 'any', us: nowUs, endUs: nowUs, sinceUs };
  return { type: time.type, us: time.us + offset, endUs: time.endUs + offset, sinceUs };
}

/** The end of a blocking call is relative when its start is. */
function endOf(endUs: number, start: Due): Due {
  const us = start.type === 'relative' ? start.sinceUs + endUs : endUs;
  return { type: 'absolute', us, endUs: us, sinceUs: start.us };
}

/** Difference between a call's result and the script; null when they agree. */
function differenceResult(call: ScriptCall, { value, mismatch }: CallResult): string | null {
  if (call.result.kind === 'ellipsis') return mismatch;
  const expected = numberOf(call.result);
  const errno = call.errno === null ? undefined : errnoNumber(call.errno);
  if (call.errno !== null && errno === undefined) throw new Unsupported(`${call.errno} is not known here`);
  if (expected < 0) {
    const wanted = errno === undefined ? describe(call.result) : resultText(-errno);
    if (value >= 0 || (errno !== undefined && value !== -errno))
      return `expected result ${wanted} but got ${resultText(value)}`;
    return null;
  }
  if (value !== expected) return `expected result ${expected} but got ${resultText(value)}`;
  return mismatch;
}

/** The outcome of a run that an exception ends. Unknown exceptions are passed on. */
function judged(error: unknown, line: number): { outcome: Outcome; message: string; at: number } {
  if (error instanceof Stop) return { outcome: error.outcome, message: error.message, at: error.line };
  if (error instanceof PacketMismatch) {
    return { outcome: 'fail', message: `error handling packet: ${error.message}`, at: line };
  }
  if (error instanceof CodeError) {
    const outcome = error instanceof CodeUnknown ? 'unsupported' : 'fail';
    return { outcome, message: `error in code: ${error.message}`, at: line };
  }
  if (error instanceof Unsupported) return { outcome: 'unsupported', message: error.message, at: line };
  if (error instanceof CallMistake) return { outcome: 'error', message: error.message, at: line };
  throw error;
}
