/**
 * The kernel of the machine that this program is on, or of the process or thread that started it: found by URL, used by remote
 * calls. Thread: the client's.
 */

import { randomBytes } from 'node:crypto';
import { isMainThread } from 'node:worker_threads';
import { MultikernelError } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import type { MemoryHost } from '../host/contract.ts';
import { BlockingClient, type BlockingConnections } from '../rump/blocking-client.ts';
import type { ClientConnection } from '../rump/client-connection.ts';
import { ClientSockets } from '../rump/client-sockets.ts';
import { connectRings } from '../rump/region-client.ts';
import { parseServerUrl } from '../rump/url.ts';
import type { HostInterfaceAddress } from './face.ts';
import { type Patient, PipeCarrier } from './pipe-carrier.ts';
import { connectTcp } from './tcp-connect.ts';

/** Description of a kernel for the processes that use it. */
export interface KernelAbout {
  names: Record<string, string[]>;
  interfaces: HostInterfaceAddress[] | null;
  /** Name of the machine that the kernel is: when it is switched off, its processes are. Null: it is none, their sockets fail. */
  machine: string | null;
}

export interface InheritedKernel {
  readonly sockets: ClientSockets;
  readonly about: KernelAbout;
}

// Taken before the program can replace it.
const immediate = setImmediate;

function later(run: () => void): void {
  immediate(run);
}

/** For nonces and the name of the session. */
const rng: Rng = { next32: () => randomBytes(4).readInt32LE() };

/**
 * Connect to the kernel at `url`, by memory where `host` and the kernel have it; throws when it is not there. `patience`: for its
 * first answers; null: it is waited for.
 */
export function connectInherited(url: string, host: MemoryHost | null, patience: Patient | null): InheritedKernel {
  const place = parseServerUrl(url);
  const connect = (): PipeCarrier => new PipeCarrier(place.kind === 'unix' ? place.path : connectTcp(place), patience);
  const { key } = place;
  const rings = host === null || place.kind !== 'unix' ? null : connectRings(connect(), { key, rng, host, later });
  if (rings !== null) return inherit(rings);
  const calls = connect();
  const kernel = connectOver({ calls, events: connect() }, key);
  calls.trust();
  return kernel;
}

/** Connect over two carriers, to a kernel that wants `key`; throws when it is not there. */
export function connectOver(connections: BlockingConnections, key: Uint8Array | null): InheritedKernel {
  return inherit(new BlockingClient(connections, key, rng));
}

function inherit(client: ClientConnection): InheritedKernel {
  const said = client.about as Partial<KernelAbout> | null;
  if (said?.names === undefined) throw new MultikernelError('EOPNOTSUPP', 'a server that has no sockets for programs');
  const about = { names: said.names, interfaces: said.interfaces ?? null, machine: said.machine ?? null };
  const sockets = new ClientSockets(client, later);
  sockets.onGone = () => {
    // The plug was pulled: nothing of this process may be heard of any more.
    if (about.machine !== null && isMainThread) process.kill(process.pid, 'SIGKILL');
  };
  // The kernel sees a process that was killed only as gone, and does not know what it had read.
  process.on('exit', () => sockets.close());
  return { sockets, about };
}
