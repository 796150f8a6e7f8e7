/**
 * Puts a kernel under the programs of a thread: from here on `node:net`, `node:dgram` and `node:dns`, and everything
 * built on them, speak through it.
 *
 * Thread: the program's. Must run before any of those modules is loaded (`node --require`, or first thing in a worker):
 * they keep the classes they find when they are loaded.
 */

import { createRequire, syncBuiltinESMExports } from 'node:module';
import type { NetworkInterfaceInfo } from 'node:os';
import { activeHandles } from './active-handles.ts';
import { formatIpv4 } from './address.ts';
import { caresWrap, optionalBinding, type ReadCallback, reportActiveHandles, tcpWrap, udpWrap } from './bindings.ts';
import { getaddrinfo, getnameinfo } from './dns.ts';
import { DnsResolver } from './dns-resolver.ts';
import { type Face, type HostInterfaceAddress, setFace } from './face.ts';
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

/** The result of `os.networkInterfaces`. */
function networkInterfaces(interfaces: readonly HostInterfaceAddress[]): NodeJS.Dict<NetworkInterfaceInfo[]> {
  const found: NodeJS.Dict<NetworkInterfaceInfo[]> = {};
  for (const { name, address, prefixLength, mac, internal, scopeId } of interfaces) {
    const cidr = `${address}/${prefixLength}`;
    const v6 = address.includes(':');
    const netmask = v6 ? netmask6(prefixLength) : formatIpv4(prefixLength === 0 ? 0 : -1 << (32 - prefixLength));
    const infos = found[name] ?? [];
    found[name] = infos;
    if (v6) infos.push({ address, netmask, family: 'IPv6', mac, internal, cidr, scopeid: scopeId });
    else infos.push({ address, netmask, family: 'IPv4', mac, internal, cidr });
  }
  return found;
}

function netmask6(prefixLength: number): string {
  const groups: string[] = [];
  for (let bits = prefixLength; bits > 0; bits -= 16)
    groups.push(((0xffff0000 >>> Math.min(bits, 16)) & 0xffff).toString(16));
  return groups.length === 8 ? groups.join(':') : `${groups.join(':')}::`;
}

function replaceInterfaces(interfaces: () => readonly HostInterfaceAddress[]): void {
  const os = createRequire(import.meta.url)('node:os') as { networkInterfaces: () => unknown };
  os.networkInterfaces = () => networkInterfaces(interfaces());
  syncBuiltinESMExports();
}

const BUILT_ON_BINDINGS = ['net', 'dgram', 'dns'];

/** The one of these modules that is loaded already; undefined: none is. */
function loadedTooSoon(): string | undefined {
  const loaded = (process as unknown as { moduleLoadList: string[] }).moduleLoadList;
  return BUILT_ON_BINDINGS.find((name) => loaded.includes(`NativeModule ${name}`));
}

/** Whether this process only starts others, one for each file of tests: Node loads `net` for it first. */
function startsTests(): boolean {
  const { execArgv } = process;
  return execArgv.includes('--test') && !execArgv.some((flag) => /^--(experimental-)?test-isolation=none$/.test(flag));
}

/**
 * Install a kernel under this thread's programs. Once per thread, before `node:net` and its kin are loaded. A test runner
 * (`node --test`) gets none itself, and has one for the processes that it starts.
 */
export function install(options: Face): void {
  const tooSoon = loadedTooSoon();
  if (tooSoon !== undefined && !startsTests())
    throw new Error(`node:${tooSoon} was loaded before the kernel was installed`);
  setFace(options);
  if (tooSoon !== undefined) return;
  tcpWrap.TCP = TcpHandle;
  udpWrap.UDP = UdpHandle;
  caresWrap.getaddrinfo = getaddrinfo;
  caresWrap.getnameinfo = getnameinfo;
  caresWrap.ChannelWrap = DnsResolver;
  followTls();
  watchParsers((stream) => {
    if (stream instanceof TcpHandle) stream._consumed = true;
  });
  if (options.interfaces !== undefined) replaceInterfaces(options.interfaces);
  reportActiveHandles(activeHandles);
}
