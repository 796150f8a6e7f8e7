/**
 * Numbers and layouts that programs and this kernel share: NetBSD's, for a program of 64 bits, little-endian (LP64).
 *
 * Thread: any; constants only. Read first: NetBSD's sys/socket.h, sys/fcntl.h, sys/filio.h, sys/event.h, netinet/in.h,
 * netinet/tcp.h. Error numbers are the kernel's own (base/errors.ts); a carrier that speaks to NetBSD programs translates them.
 */

export const AF_UNSPEC = 0;
export const AF_LOCAL = 1;
export const AF_INET = 2;
export const AF_INET6 = 24;

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_CLOEXEC = 0x1000_0000;
export const SOCK_NONBLOCK = 0x2000_0000;
export const SOCK_NOSIGPIPE = 0x4000_0000;

export const SHUT_RD = 0;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;

export const MSG_OOB = 0x1;
export const MSG_PEEK = 0x2;
export const MSG_TRUNC = 0x10;
export const MSG_WAITALL = 0x40;
export const MSG_DONTWAIT = 0x80;
export const MSG_NOSIGNAL = 0x400;

export const F_DUPFD = 0;
export const F_GETFD = 1;
export const F_SETFD = 2;
export const F_GETFL = 3;
export const F_SETFL = 4;
export const F_DUPFD_CLOEXEC = 12;
export const FD_CLOEXEC = 1;
export const O_RDWR = 2;
export const O_NONBLOCK = 4;
export const O_CLOEXEC = 0x40_0000;

export const FIONBIO = 0x8004_667e;
export const FIONREAD = 0x4004_667f;
export const FIONWRITE = 0x4004_6679;
export const FIONSPACE = 0x4004_6678;

export const SOL_SOCKET = 0xffff;
export const SO_ACCEPTCONN = 0x2;
export const SO_REUSEADDR = 0x4;
export const SO_KEEPALIVE = 0x8;
export const SO_BROADCAST = 0x20;
export const SO_LINGER = 0x80;
export const SO_OOBINLINE = 0x100;
export const SO_REUSEPORT = 0x200;
export const SO_NOSIGPIPE = 0x800;
export const SO_SNDBUF = 0x1001;
export const SO_RCVBUF = 0x1002;
export const SO_ERROR = 0x1007;
export const SO_TYPE = 0x1008;
export const SO_SNDTIMEO = 0x100b;
export const SO_RCVTIMEO = 0x100c;

export const IPPROTO_IP = 0;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_IPV6 = 41;

export const IP_TOS = 3;
export const IP_TTL = 4;
export const IP_MULTICAST_IF = 9;
export const IP_MULTICAST_TTL = 10;
export const IP_MULTICAST_LOOP = 11;
export const IP_ADD_MEMBERSHIP = 12;
export const IP_DROP_MEMBERSHIP = 13;
/** Linux's number; NetBSD has no such option, and no other of this number. */
export const IP_MULTICAST_ALL = 49;

export const IPV6_UNICAST_HOPS = 4;
export const IPV6_MULTICAST_IF = 9;
export const IPV6_MULTICAST_HOPS = 10;
export const IPV6_MULTICAST_LOOP = 11;
export const IPV6_JOIN_GROUP = 12;
export const IPV6_LEAVE_GROUP = 13;
export const IPV6_V6ONLY = 27;
/** Linux's number; NetBSD had IPV6_FAITH there. */
export const IPV6_MULTICAST_ALL = 29;
export const IPV6_TCLASS = 61;

export const TCP_NODELAY = 1;
export const TCP_KEEPIDLE = 3;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;

export const EVFILT_READ = 0;
export const EVFILT_WRITE = 1;
export const EV_ADD = 0x1;
export const EV_DELETE = 0x2;
export const EV_ENABLE = 0x4;
export const EV_DISABLE = 0x8;
export const EV_ONESHOT = 0x10;
export const EV_CLEAR = 0x20;
export const EV_DISPATCH = 0x80;
export const EV_ERROR = 0x4000;
export const EV_EOF = 0x8000;

export const RLIMIT_NOFILE = 8;
export const WNOHANG = 1;

/** `struct sockaddr_in`: length, family, port and address in network order, eight zeros. */
export const SOCKADDR_IN_BYTES = 16;
/** `struct sockaddr_in6`: length, family, port, flow, sixteen bytes of address, scope in host order. */
export const SOCKADDR_IN6_BYTES = 28;
/** `struct iovec`: base u64, length u64. */
export const IOVEC_BYTES = 16;
export const UIO_MAXIOV = 1024;
/** `struct msghdr`: name 0, name length 8, iov 16, iov count 24, control 32, control length 40, flags 44. */
export const MSGHDR_BYTES = 48;
/** `struct pollfd`: fd i32, events i16, revents i16. */
export const POLLFD_BYTES = 8;
/** `struct timeval`: seconds i64, microseconds i32, four bytes of padding. */
export const TIMEVAL_BYTES = 16;
/** `struct timespec`: seconds i64, nanoseconds i64. */
export const TIMESPEC_BYTES = 16;
/** `struct linger`: on i32, seconds i32. */
export const LINGER_BYTES = 8;
/** `struct kevent`: ident u64, filter u32, flags u32, fflags u32, padding, data i64, udata u64. */
export const KEVENT_BYTES = 40;
/** `struct rlimit`: current u64, most u64. */
export const RLIMIT_BYTES = 16;
