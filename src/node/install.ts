/**
 * Puts a kernel under the programs of a thread: from here on `node:net`, `node:dgram` and `node:dns`, and everything
 * built on them, speak through it.
 *
 * Thread: the program's. Must run before any of those modules is loaded (`node --require`, or first thing in a worker):
 * they keep the classes they find when they are loaded.
 */

import { activeHandles } from './active-handles.ts';
import { formatIpv4 } from './address.ts';
import {
  caresWrap,
  optionalBinding,
  osWrap,
  type ReadCallback,
  reportActiveHandles,
  tcpWrap,
  udpWrap,
} from './bindings.ts';
import { getaddrinfo, getnameinfo } from './dns.ts';
import { Resolver } from './dns-resolver.ts';
import { type Face, type InterfaceAddress, setFace } from './face.ts';
import { watchParsers } from './http-parser.ts';
import { TcpHandle } from './tcp-handle.ts';
import { UdpHandle } from './udp-handle.ts';

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

/** As libuv's own `interface addresses`: seven values for each. */
function interfaceRows(interfaces: readonly InterfaceAddress[]): unknown[] {
  return interfaces.flatMap(({ name, address, prefixLength, mac, internal }) => {
    const v6 = address.includes(':');
    const netmask = v6 ? netmask6(prefixLength) : formatIpv4(prefixLength === 0 ? 0 : -1 << (32 - prefixLength));
    return [name, address, netmask, v6 ? 'IPv6' : 'IPv4', mac, internal, v6 ? 0 : -1];
  });
}

/** Whole groups only: what lo0 and a /64 need. */
function netmask6(prefixLength: number): string {
  const groups = Math.floor(prefixLength / 16);
  return groups === 8 ? Array(8).fill('ffff').join(':') : `${'ffff:'.repeat(groups)}:`;
}

const BUILT_ON_BINDINGS = ['net', 'dgram', 'dns', 'os'];

function checkNotTooLate(): void {
  const loaded = (process as unknown as { moduleLoadList: string[] }).moduleLoadList;
  for (const name of BUILT_ON_BINDINGS)
    if (loaded.includes(`NativeModule ${name}`))
      throw new Error(`node:${name} was loaded before the kernel was installed`);
}

/** Install a kernel under this thread's programs. Once per thread, before `node:net` and its kin are loaded. */
export function install(options: Face): void {
  checkNotTooLate();
  setFace(options);
  tcpWrap.TCP = TcpHandle;
  udpWrap.UDP = UdpHandle;
  caresWrap.getaddrinfo = getaddrinfo;
  caresWrap.getnameinfo = getnameinfo;
  caresWrap.ChannelWrap = Resolver;
  followTls();
  watchParsers((stream) => {
    if (stream instanceof TcpHandle) stream._consumed = true;
  });
  const { interfaces } = options;
  if (interfaces !== undefined) osWrap.getInterfaceAddresses = () => interfaceRows(interfaces());
  reportActiveHandles(activeHandles);
}
