/**
 * The user's calls that make connections (RFC 9293 3.10.1): bind, listen, connect, accept. Data moves by transfer.ts, and
 * close.ts closes.
 *
 * Thread: the one that runs the CPU. The socket layer (socket/stream.ts) is a thin face over these. Results are 0 or negative
 * errnos.
 */

import { Errno } from '../../base/errors.ts';
import { isMulticast } from '../../wire/ipv4.ts';
import { isAny } from '../ip/any-address.ts';
import type { Path } from '../ip/transport.ts';
import { abortConnection } from './close.ts';
import { startConnect } from './connect.ts';
import { Connection, type ConnectionOwner } from './connection/connection.ts';
import type { ConnectionOptions } from './connection/connection-options.ts';
import { CLOSED } from './connection/states.ts';
import type { PortUse } from './shared/port-use.ts';
import type { TcpState } from './state.ts';
import { removeSynEntry } from './syn-queue.ts';
import { packPorts } from './tables/demux.ts';
import { Listener, type ListenerOwner } from './tables/listener.ts';

/** Smallest buffer, as Linux has it. */
export const MIN_BUFFER_BYTES = 2048;

export interface BindOptions {
  /** IPV6_V6ONLY; default no. */
  only6?: boolean;
  reuseAddress: boolean;
  reusePort: boolean;
}

/** SO_REUSEADDR as Linux has it: both sides must allow it and neither may listen; SO_REUSEPORT: both must have set it. */
function mayShare(a: PortUse, b: PortUse): boolean {
  if (a.reusePort && b.reusePort) return true;
  return a.reuseAddress && b.reuseAddress && !a.listening && !b.listening;
}

/** A group or broadcast address: may be bound, as on Linux, and is nobody's source (RFC 9293 3.9.2.3: no segment to it counts). */
function isGroup(stack: TcpState, address: number): boolean {
  return isMulticast(address) || stack.ip.isBroadcast(address);
}

/**
 * Take a local address (0 or `::` for any) and port (0: an ephemeral one). Returns the use, or `-EADDRINUSE`,
 * `-EADDRNOTAVAIL`, `-EINVAL`.
 */
// cold: once per socket.
export function bindPort(stack: TcpState, address: number, port: number, options: BindOptions): PortUse | number {
  if (!isAny(address) && !stack.ip.isLocal(address) && !isGroup(stack, address)) return -Errno.EADDRNOTAVAIL;
  if (!(port >= 0 && port <= 65535)) return -Errno.EINVAL;
  const { only6 = false, reuseAddress, reusePort } = options;
  const explicit = port !== 0;
  const use: PortUse = {
    cpu: stack.cpu,
    address,
    only6,
    port,
    reuseAddress,
    reusePort,
    listening: false,
    explicit,
    users: 1,
  };
  const error = stack.ports.bind(use, stack.rng, (a, b) => mayShare(a as PortUse, b as PortUse));
  return error < 0 ? error : use;
}

/** Start listening on a bound port. `-EADDRINUSE` when another socket that shares the port already listens. */
// cold: once per listener.
export function listenOn(
  stack: TcpState,
  use: PortUse,
  options: ConnectionOptions,
  backlog: number,
  owner: ListenerOwner | null,
): Listener | number {
  if (stack.tables.listeners.conflicts(use)) return -Errno.EADDRINUSE;
  use.listening = true;
  const limit = stack.settings.backlogMax.value;
  const listener = new Listener(stack.cpu, use, options, Math.min(Math.max(backlog, 0), limit), owner);
  stack.tables.listeners.add(listener);
  return listener;
}

/** Stop listening: half-open connections are forgotten, complete ones that nobody accepted are reset. */
// cold: once per listener.
export function closeListener(stack: TcpState, listener: Listener): void {
  listener.owner = null;
  stack.tables.listeners.remove(listener);
  for (const entry of [...listener.synQueue]) removeSynEntry(entry);
  for (const c of listener.acceptQueue) abortConnection(c);
  listener.acceptQueue.length = 0;
  listener.portUse.listening = false;
  stack.releasePort(listener.portUse);
}

/** The next complete connection, null when none waits. The caller becomes its owner. */
export function acceptFrom(
  listener: Listener,
  makeOwner: (c: Connection) => ConnectionOwner | null,
): Connection | null {
  const c = listener.acceptQueue.shift();
  if (c === undefined) return null;
  c.owner = makeOwner(c);
  if (c.index < 0) c.stack.tables.holdAddresses(c);
  return c;
}

/**
 * Start a connection to `peerAddress:peerPort`. `use` is the bound port, or null to have one chosen for `localAddress`
 * (0: by the route). Returns the connection in SYN_SENT, or `-EADDRINUSE`, `-EADDRNOTAVAIL`, `-ENETUNREACH`, `-EHOSTUNREACH`,
 * `-ECONNREFUSED`, `-ENOBUFS`.
 */
export function connectTo(
  stack: TcpState,
  use: PortUse | null,
  peerAddress: number,
  peerPort: number,
  options: ConnectionOptions,
  owner: ConnectionOwner | null,
  nowUs: number,
): Connection | number {
  if (stack.full()) return -Errno.ENOBUFS;
  // Broadcast and multicast have no connections.
  if (stack.ip.isBroadcast(peerAddress)) return -Errno.ENETUNREACH;
  const bound = use === null || isGroup(stack, use.address) ? 0 : use.address;
  const path = stack.ip.openPath(peerAddress, isAny(bound) ? 0 : bound, 0);
  if (typeof path === 'number') return path;
  if (path.multicast) {
    stack.ip.closePath(path);
    return -Errno.ENETUNREACH;
  }
  // "Any" as a destination is this machine, as on Linux.
  const c = placeConnection(stack, use, path, path.dst, peerPort, options, nowUs);
  if (typeof c === 'number') {
    stack.ip.closePath(path);
    return c;
  }
  c.owner = owner;
  c.path = path;
  const entry = stack.tables.occupant(c.localAddress, c.peerAddress, c.ports);
  let iss = stack.isn.sequence(c.localAddress, c.peerAddress, c.ports, nowUs);
  if (entry >= 0) {
    iss = stack.timeWait.successorIss(entry);
    stack.timeWait.remove(entry);
  }
  stack.tables.add(c);
  startConnect(c, iss, nowUs);
  // A route that fails at once is the result of the call, not an event.
  if ((c.state as number) === CLOSED) {
    const { error } = c;
    c.error = 0;
    return error;
  }
  return c;
}

// cold: once per connection.
function placeConnection(
  stack: TcpState,
  use: PortUse | null,
  path: Path,
  peerAddress: number,
  peerPort: number,
  options: ConnectionOptions,
  nowUs: number,
): Connection | number {
  const local = path.src;
  let chosen = use;
  if (chosen === null) {
    const port = choosePort(stack, local, peerAddress, peerPort, nowUs);
    if (port < 0) return -Errno.EADDRNOTAVAIL;
    chosen = {
      cpu: stack.cpu,
      address: local,
      only6: false,
      port,
      reuseAddress: false,
      reusePort: false,
      listening: false,
      explicit: false,
      users: 0,
    };
    // Connections may share an ephemeral port when their peers differ: `choosePort` has seen to that.
    const error = stack.ports.bind(chosen, stack.rng, (a, b) => !(a as PortUse).explicit && !(b as PortUse).explicit);
    if (error < 0) return error;
  } else if (!tupleFree(stack, local, peerAddress, packPorts(chosen.port, peerPort), true, nowUs)) {
    return -Errno.EADDRNOTAVAIL;
  }
  chosen.users++;
  const c = new Connection(stack, options);
  c.setTuple(local, chosen.port, peerAddress, peerPort, path.addressSum);
  c.portUse = chosen;
  return c;
}

/** An ephemeral port with which the four numbers are free; others may have it for other peers (RFC 6056 section 3.2). */
// cold: once per connection.
function choosePort(stack: TcpState, local: number, peer: number, peerPort: number, nowUs: number): number {
  const { ports, ephemeral, tables } = stack;
  return ephemeral.choose(ports.firstEphemeral, ports.ephemeralCount, local, peer, peerPort, (port) => {
    if (!ports.has(port)) return true;
    // Connections of another CPU are not in our tables.
    if (!ports.every(port, (use) => isShareable(use as PortUse, stack.cpu))) return false;
    return !tables.listeners.has(port) && tupleFree(stack, local, peer, packPorts(port, peerPort), false, nowUs);
  });
}

function isShareable({ cpu, explicit, listening }: PortUse, ours: number): boolean {
  return cpu === ours && !explicit && !listening;
}

/** `bound`: the program chose the port. */
function tupleFree(
  stack: TcpState,
  local: number,
  peer: number,
  ports: number,
  bound: boolean,
  nowUs: number,
): boolean {
  const occupant = stack.tables.occupant(local, peer, ports);
  return occupant === -1 || (occupant >= 0 && stack.timeWait.mayReplace(occupant, bound, nowUs));
}

/** Set SO_SNDBUF or SO_RCVBUF, bytes: a fixed size from now on. The receive window never shrinks. */
export function setBufferSize(c: Connection, which: 'send' | 'receive', sizeBytes: number): void {
  const buffer = which === 'send' ? c.sendBuffer : c.receiveBuffer;
  buffer.fixed = true;
  buffer.limitBytes = Math.max(sizeBytes, MIN_BUFFER_BYTES);
}
