/**
 * A native TCP connection that the thread can wait on before its event loop runs.
 *
 * Thread: the client's. Without `node:net`, which must not be loaded before the sockets of a thread are installed, and so without
 * names of hosts: a look-up ends in a later turn of the event loop. The first write waits until the host has connected, as Linux does.
 */

import { MultikernelError } from '../base/errors.ts';
import { caresWrap, type NativeStreamHandle, NativeTcp, TcpConnectRequest } from './bindings.ts';

/** `TCP.SOCKET` of the binding: a connection, not a server. */
const SOCKET = 0;

/** Throws EINVAL for the name of a host, ECONNREFUSED when the host has no way there. */
export function connectTcp({ host, port }: { readonly host: string; readonly port: number }): NativeStreamHandle {
  const address = caresWrap.canonicalizeIP(host === 'localhost' ? '127.0.0.1' : host);
  if (address === undefined)
    throw new MultikernelError('EINVAL', `${host} is a name: a program has none before its kernel; write an address`);
  const tcp = new NativeTcp(SOCKET);
  const request = new TcpConnectRequest();
  request.oncomplete = () => undefined;
  const error = address.includes(':') ? tcp.connect6(request, address, port) : tcp.connect(request, address, port);
  if (error !== 0) throw new MultikernelError('ECONNREFUSED', `no way to ${host}`);
  tcp.setNoDelay(true);
  return tcp;
}
