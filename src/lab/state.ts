/**
 * The state of one node of a lab, and the words for it.
 *
 * Thread: the supervisor's.
 */

import { type NodeStatus, OUT_OF_MEMORY, type Phase, type ProgramError } from './operations.ts';

const ERROR_TEXT_MAX = 160;
const PORTS_SHOWN = 4;

export interface NodeSituation {
  phase: Phase;
  listening: { tcp: number[]; udp: number[] };
  inspectorUrl: string | null;
  exitCode: number | null;
  lastError: ProgramError | null;
  waitingFor: string[];
  paused: boolean;
  restarts: number;
}

/** "exited 0", "crashed 1: Error: boom", "out of memory". */
function endText({ exitCode, lastError }: NodeSituation): string {
  if (lastError === null) return `exited ${exitCode ?? 0}`;
  return lastError.code === OUT_OF_MEMORY ? 'out of memory' : `crashed ${exitCode ?? 1}: ${errorText(lastError)}`;
}

/** As {@link phaseText}, and "running, 2 restarts". */
export function stateText(situation: NodeSituation): string {
  const { restarts } = situation;
  return `${phaseText(situation)}${restarts === 0 ? '' : `, ${restarts} ${restarts === 1 ? 'restart' : 'restarts'}`}`;
}

/** "running, listening :80", "running, inspector 127.0.0.1:9229", "restarting (exited 1)", "waiting for db listening:80", an end. */
function phaseText(situation: NodeSituation): string {
  switch (situation.phase) {
    case 'running': {
      const ports = [
        ...situation.listening.tcp.map((port) => `:${port}`),
        ...situation.listening.udp.map((port) => `:${port}/udp`),
      ];
      const more = ports.length > PORTS_SHOWN ? ` and ${ports.length - PORTS_SHOWN} more` : '';
      const listening = ports.length === 0 ? '' : `, listening ${ports.slice(0, PORTS_SHOWN).join(' ')}${more}`;
      const { inspectorUrl } = situation;
      return `${situation.paused ? 'paused' : 'running'}${listening}${inspectorUrl === null ? '' : `, inspector ${inspectorUrl.split('/')[2]}`}`;
    }
    case 'waiting':
      return `waiting for ${situation.waitingFor.join(', ')}`;
    case 'exited':
      return endText({ ...situation, lastError: null });
    case 'crashed':
      return endText(situation);
    case 'restarting':
      return `restarting (${endText(situation)})`;
    default:
      return situation.phase;
  }
}

function errorText(error: ProgramError): string {
  const first = `${error.name}: ${error.message}`.split('\n', 1)[0] as string;
  return first.length > ERROR_TEXT_MAX ? `${first.slice(0, ERROR_TEXT_MAX - 3)}...` : first;
}

/** An exception of a program (any value) as plain values. */
export function programError(thrown: unknown): ProgramError {
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown) {
    const { name, message, code, stack } = thrown as Partial<Record<'name' | 'message' | 'code' | 'stack', unknown>>;
    return {
      name: typeof name === 'string' ? name : 'Error',
      message: String(message),
      code: typeof code === 'string' ? code : null,
      stack: typeof stack === 'string' ? stack : '',
    };
  }
  return { name: 'Uncaught', message: String(thrown), code: null, stack: '' };
}

/** Whether a node is in the state that `depends_on` or a check names: `running`, `listening[:PORT]`, `exited[:CODE]`, a phase. */
export function stateHolds(
  status: Pick<NodeStatus, 'phase' | 'listening' | 'exitCode'> & { program: unknown },
  wanted: string,
): boolean {
  const [word, argument] = wanted.split(':');
  if (word === 'listening') {
    if (status.phase !== 'running') return false;
    const { tcp, udp } = status.listening;
    return argument === undefined ? tcp.length > 0 : tcp.includes(Number(argument)) || udp.includes(Number(argument));
  }
  if (word === 'exited') {
    return status.phase === 'exited' && (argument === undefined || status.exitCode === Number(argument));
  }
  // A program that was stopped before it began leaves its machine ready.
  if (word === 'running') return status.phase === 'running' || (status.phase === 'ready' && status.program === null);
  return status.phase === word;
}
