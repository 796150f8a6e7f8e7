/**
 * Answers of kernels within a time: a program that computes blocks the kernel beside it. Thread: any with an event loop.
 */

import { MultikernelError } from '../../base/errors.ts';
import { MS_PER_S } from '../../base/units.ts';

/** The time that a kernel has for an answer. */
export const ANSWER_MS = 5000;
/** It passes in so many pieces: a process that was stopped, or a machine that slept, loses one of them and not all. */
const PIECES = 10;

/** The answer, or ETIMEDOUT in the name of `kernel` after `answerMs`; then `late` is called. */
export function inTime<T>(
  answer: Promise<T>,
  kernel: string,
  answerMs: number = ANSWER_MS,
  late?: () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (): void => {
      const seconds = answerMs / MS_PER_S;
      reject(new MultikernelError('ETIMEDOUT', `${kernel}: no answer in ${seconds} s: its program blocks the thread`));
      late?.();
    };
    let left = PIECES;
    let timer: NodeJS.Timeout;
    const wait = (): void => {
      // If this thread was the busy one, answers that came meanwhile are still to be read: they are, before the immediate.
      timer = setTimeout(() => (--left > 0 ? wait() : setImmediate(fail)), answerMs / PIECES);
    };
    wait();
    answer.finally(() => clearTimeout(timer)).then(resolve, reject);
  });
}
