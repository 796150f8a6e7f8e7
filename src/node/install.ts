/**
 * Puts a kernel under the programs of a thread: from here on `node:net`, `node:dgram` and `node:dns`, and everything
 * built on them, speak through it.
 *
 * Thread: the program's. Must run before any of those modules is loaded (`node --require`, or first thing in a worker):
 * they keep the classes they find when they are loaded.
 */

import type { SocketLayer } from '../socket/socket.ts';
import { activeHandles } from './active-handles.ts';
import { caresWrap, optionalBinding, type ReadCallback, reportActiveHandles, tcpWrap, udpWrap } from './bindings.ts';
import { getaddrinfo, getnameinfo, LabResolver } from './dns.ts';
import { setFace } from './face.ts';
import type { NameTable } from './names.ts';
import { TcpHandle } from './tcp-handle.ts';
import { UdpHandle } from './udp-handle.ts';

export interface InstallOptions {
  /** The kernel's system calls. */
  sockets: SocketLayer;
  /** What the program can look up. */
  names: NameTable;
}

interface TlsBinding {
  wrap(handle: object, ...rest: unknown[]): { onread: ReadCallback | undefined };
}

/** Have a handle know the TLS stream that is put on it: native code has no way to pass read errors on. */
function followTls(): void {
  const tlsWrap = optionalBinding<TlsBinding>('tls_wrap');
  if (tlsWrap === undefined) return;
  const wrap = tlsWrap.wrap;
  tlsWrap.wrap = (handle, ...rest) => {
    const tls = wrap(handle, ...rest);
    if (handle instanceof TcpHandle) handle.attachTls(tls);
    return tls;
  };
}

/** Install `options.sockets` under this thread's programs. Once per thread. */
export function install(options: InstallOptions): void {
  setFace(options);
  tcpWrap.TCP = TcpHandle;
  udpWrap.UDP = UdpHandle;
  caresWrap.getaddrinfo = getaddrinfo;
  caresWrap.getnameinfo = getnameinfo;
  caresWrap.ChannelWrap = LabResolver;
  followTls();
  reportActiveHandles(activeHandles);
}
