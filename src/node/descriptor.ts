/**
 * Descriptor numbers of handles. A kernel's socket has none in this process; a program that asks for one (`handle.fd`,
 * `listen({ fd })`) gets the number of a placeholder: a socket of the host of the same kind, bound to its loopback and
 * otherwise never used, so that Node's own checks of the number hold. Most programs never ask, and none is made.
 *
 * Thread: the program's. Missing: descriptors of the host's own sockets cannot be opened.
 */

import { type AnySocket, type Consumer, share } from '../rump/shared-socket.ts';
import type { Family } from './address.ts';
import { type NativeHandle, NativeTcp, NativeUdp } from './bindings.ts';

export interface Descriptor {
  readonly fd: number;
  readonly kind: 'tcp' | 'udp';
  readonly socket: AnySocket;
  readonly family: Family;
  /** First user of the number; libuv refuses to open it again while its events are waited for. */
  readonly consumer: Consumer;
  readonly placeholder: NativeHandle;
}

const descriptors = new Map<number, Descriptor>();

/** A number for the socket that `consumer` has open, or undefined when the host gives none. */
export function describe(
  kind: 'tcp' | 'udp',
  socket: AnySocket,
  family: Family,
  consumer: Consumer,
): Descriptor | undefined {
  const placeholder = kind === 'tcp' ? new NativeTcp(0) : new NativeUdp();
  if (placeholder.bind('127.0.0.1', 0, 0) !== 0 || placeholder.fd < 0) {
    placeholder.close();
    return undefined;
  }
  placeholder.unref();
  share(socket, consumer);
  const descriptor: Descriptor = { fd: placeholder.fd, kind, socket, family, consumer, placeholder };
  descriptors.set(descriptor.fd, descriptor);
  return descriptor;
}

/** The descriptor with that number, when it is one of ours. */
export function find(fd: number): Descriptor | undefined {
  return descriptors.get(fd);
}

/** The socket is closed, and with it the number. */
export function forget(descriptor: Descriptor): void {
  descriptors.delete(descriptor.fd);
  descriptor.placeholder.close();
}
