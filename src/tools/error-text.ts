/** Refusals in text. Thread: any; pure functions. */

import { MultikernelError } from '../base/errors.ts';

/** Messages of strerror(3) for the codes tools print. */
export const ERROR_TEXT: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EADDRNOTAVAIL: "Can't assign requested address",
  EAFNOSUPPORT: 'Address family not supported by protocol family',
  EBUSY: 'Device busy',
  EEXIST: 'File exists',
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTDOWN: 'Host is down',
  EHOSTUNREACH: 'No route to host',
  EINVAL: 'Invalid argument',
  EMSGSIZE: 'Message too long',
  ENETDOWN: 'Network is down',
  ENETUNREACH: 'Network is unreachable',
  ENOBUFS: 'No buffer space available',
  ENOENT: 'No such file or directory',
  ENOEXEC: 'Exec format error',
  ENOSPC: 'No space left on device',
  ENXIO: 'Device not configured',
  EOPNOTSUPP: 'Operation not supported',
  EPROTONOSUPPORT: 'Protocol not supported',
  EPERM: 'Operation not permitted',
};

/** Text of the kernel's refusal of a request; `own`: texts of the tool, by code. Throws any other error. */
export function refusalText(error: unknown, own: Readonly<Record<string, string>> = {}): string {
  if (!(error instanceof MultikernelError)) throw error;
  return own[error.code] ?? ERROR_TEXT[error.code] ?? error.message;
}

/** Text of what ended a command: a message that has the bare code behind its subject gets the words of that code. */
export function failureText(error: unknown): string {
  if (!(error instanceof MultikernelError)) return error instanceof Error ? error.message : String(error);
  const { code, message } = error;
  const words = ERROR_TEXT[code];
  return words !== undefined && message.endsWith(`: ${code}`) ? message.slice(0, -code.length) + words : message;
}

/** The kernel's refusal of a request, with its subject in front. */
export function explained(error: unknown, subject: string): unknown {
  if (!(error instanceof MultikernelError) || subject === '') return error;
  return new MultikernelError(error.code, `${subject}: ${error.message}`, { cause: error });
}
