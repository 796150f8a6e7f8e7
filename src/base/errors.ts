/**
 * Error codes of the whole system.
 *
 * Inside, calls return a negative number (`-Errno.ECONNREFUSED`), numbered as on Linux, so that the data path never
 * allocates. At the edges the number becomes a name with {@link errnoName} and an exception with {@link MultikernelError}.
 */

/**
 * Error numbers by name: numbers of Linux on every host, meanings of errno(3). The data path returns them negated, e.g.
 * `-Errno.ENOBUFS`; {@link errnoName} gives the name back.
 */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  ENOEXEC: 8,
  EBADF: 9,
  ECHILD: 10,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  EMFILE: 24,
  ENOSPC: 28,
  EPIPE: 32,
  ENOSYS: 38,
  EPROTO: 71,
  ENOTSOCK: 88,
  EDESTADDRREQ: 89,
  EMSGSIZE: 90,
  EPROTOTYPE: 91,
  ENOPROTOOPT: 92,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ESHUTDOWN: 108,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
  EALREADY: 114,
  EINPROGRESS: 115,
  ECANCELED: 125,
} as const;

/** Name of an error number, e.g. "ECONNREFUSED". */
export type ErrnoName = keyof typeof Errno;

const NAMES: ReadonlyMap<number, ErrnoName> = new Map(
  (Object.keys(Errno) as ErrnoName[]).map((name) => [Errno[name], name]),
);

/** The POSIX name of an error number; accepts the negative form that internal calls return. */
export function errnoName(errno: number): ErrnoName {
  return NAMES.get(Math.abs(errno)) ?? 'EIO';
}

/** The error of the public API; callers match on `code`, which is stable. */
export class MultikernelError extends Error {
  /** Name of the error, e.g. EINVAL. */
  readonly code: string;

  /**
   * An error of a name of {@link Errno}, or of a code of its own, with a line of text for people; `options` may have the cause.
   */
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MultikernelError';
    this.code = code;
  }
}
