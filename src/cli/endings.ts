/** When a lab that is up ends by itself, and the verdict on its checks. Thread: the command's, which is the lab's supervisor. */

import type { CheckResult, Lab, NodeStatus } from '../index.ts';

const EVERY_MS = 50;

/** True when every check of the lab has passed or failed; false when the signal or the lab's end came before. */
export async function allChecked(net: Lab, signal: AbortSignal): Promise<boolean> {
  let settled = false;
  const over = async (): Promise<boolean> => {
    settled = (await net.checks()).every(({ state }) => state !== 'pending');
    return settled || signal.aborted;
  };
  await net.until(over, { timeoutMs: Number.POSITIVE_INFINITY, everyMs: EVERY_MS });
  return settled;
}

/** Whether a program crashed, or ended with another code than 0. */
export function hasFailed({ phase, exitCode }: Pick<NodeStatus, 'phase' | 'exitCode'>): boolean {
  return phase === 'crashed' || (phase === 'exited' && exitCode !== 0);
}

/** The result of a check once the lab is over: a check that was still pending says so. */
export function concluded(result: CheckResult): CheckResult {
  if (result.state !== 'pending') return result;
  return {
    ...result,
    reason: result.reason === '' ? 'the lab ended before' : `the lab ended before; ${result.reason}`,
  };
}
