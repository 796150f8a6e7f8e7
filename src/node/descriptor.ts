/**
 * Descriptor numbers of handles. A kernel's socket has none in this process; a program that asks for one (`handle.fd`,
 * `listen({ fd })`) gets the number of a placeholder: a socket of the host of the same kind, bound to its loopback and
 * otherwise never used, so that Node's own checks of the number hold. Most programs never ask, and none is made.
 *
 * Thread: the program's. Missing: descriptors of the host's own sockets cannot be opened.
 */

import type { DatagramSocket, StreamSocket } from '../socket/socket.ts';
import type { Family } from './address.ts';
import { type NativeHandle, NativeTcp, NativeUdp } from './bindings.ts';

/** A socket that more than one handle may have open. */
export interface Descriptor<S extends StreamSocket | DatagramSocket> {
  readonly fd: number;
  readonly socket: S;
  readonly family: Family;
  readonly placeholder: NativeHandle;
  /** Handles that have it open. */
  users: number;
  /** Whether a handle waits for its events: libuv refuses to open it again then. */
  watched: () => boolean;
}

type AnyDescriptor = Descriptor<StreamSocket> | Descriptor<DatagramSocket>;

const open = new Map<number, AnyDescriptor>();

/** A number for `socket`, or undefined when the host gives none. */
export function describe<S extends StreamSocket | DatagramSocket>(
  kind: 'tcp' | 'udp',
  socket: S,
  family: Family,
  watched: () => boolean,
): Descriptor<S> | undefined {
  const placeholder = kind === 'tcp' ? new NativeTcp(0) : new NativeUdp();
  if (placeholder.bind('127.0.0.1', 0, 0) !== 0 || placeholder.fd < 0) {
    placeholder.close();
    return undefined;
  }
  placeholder.unref();
  const descriptor: Descriptor<S> = { fd: placeholder.fd, socket, family, placeholder, users: 1, watched };
  open.set(descriptor.fd, descriptor as AnyDescriptor);
  return descriptor;
}

/** The descriptor with that number, when it is one of ours. */
export function find(fd: number): AnyDescriptor | undefined {
  return open.get(fd);
}

/** One handle less has it open; true when it was the last. */
export function release(descriptor: AnyDescriptor): boolean {
  if (--descriptor.users > 0) return false;
  open.delete(descriptor.fd);
  descriptor.placeholder.close();
  return true;
}
