/**
 * The ends of remote memory operations: one number per cause, in replies, in the status words of tasks, and as codes of errors.
 *
 * Thread: any. Read first: docs/mbcf.md. The taxonomy follows the completion statuses of InfiniBand's verbs; the codes are those that POSIX and
 * Linux have for the cause.
 */

import { MultikernelError } from '../../base/errors.ts';

/** Not yet done. */
export const STATUS_PENDING = 0;
/** Executed. */
export const STATUS_DONE = 1;
export const STATUS_WRONG_KEY = 2;
export const STATUS_REVOKED = 3;
export const STATUS_EXPIRED = 4;
export const STATUS_OUT_OF_RANGE = 5;
export const STATUS_NO_RIGHT = 6;
export const STATUS_UNALIGNED = 7;
export const STATUS_DEAD_TASK = 8;
export const STATUS_UNREACHABLE = 9;
export const STATUS_FULL = 10;
export const STATUS_EMPTY = 11;
/** The other node is another incarnation than the one that was asked: whether the operation was executed is not known. */
export const STATUS_RESTARTED = 12;
/** The reply tells where the task is now. */
export const STATUS_MOVED = 13;
/** The handle is none of this association. */
export const STATUS_STALE = 14;
export const STATUS_MALFORMED = 15;
export const STATUS_UNSUPPORTED = 16;
export const STATUS_NO_FIFO = 17;
/** The reply would be longer than a packet. */
export const STATUS_TOO_LONG = 18;
export const STATUS_CLOSED = 19;

/** Code and text of each status. */
const CAUSES: readonly (readonly [code: string, text: string])[] = [
  ['EINPROGRESS', 'not done yet'],
  ['', ''],
  ['EKEYREJECTED', 'the key is wrong'],
  ['EKEYREVOKED', 'the grant was revoked'],
  ['EKEYEXPIRED', 'the grant has expired'],
  ['EFAULT', 'outside of the granted memory'],
  ['EACCES', 'the grant has not this right'],
  ['EINVAL', 'the address is not aligned to the width of the operation'],
  ['ESRCH', 'no such task'],
  ['EHOSTUNREACH', 'the node does not answer'],
  ['ENOBUFS', 'full'],
  ['EAGAIN', 'empty'],
  ['ECONNRESET', 'the node was restarted; whether the operation was executed is not known'],
  ['EREMCHG', 'the task has moved'],
  ['EBADF', 'the handle is not known'],
  ['EBADMSG', 'the operation is malformed'],
  ['EOPNOTSUPP', 'the operation is not known'],
  ['ENXIO', 'no FIFO at this address'],
  ['EMSGSIZE', 'longer than a packet'],
  ['ECANCELED', 'the node was closed'],
];

/** The code of the error that a status is: '' of done, EINPROGRESS of pending, EIO of a number that is none. */
export function statusCode(status: number): string {
  return CAUSES[status]?.[0] ?? 'EIO';
}

/** The status of an error of {@link statusError}; STATUS_UNREACHABLE of any other. */
// cold: an operation failed
export function statusOf(error: unknown): number {
  const status = CAUSES.findIndex(([code]) => code === (error as { code?: string }).code);
  return status > 0 ? status : STATUS_UNREACHABLE;
}

/** The error of a status; `what` names the operation. */
// cold: an operation failed
export function statusError(status: number, what: string): MultikernelError {
  const [code, text] = CAUSES[status] ?? ['EIO', `status ${status}`];
  return new MultikernelError(code, `mbcf: ${what}: ${text}`);
}
