/**
 * What must hold for every connection and every exchange of a world, whatever happened to it.
 */

import { Errno, type ErrnoName, errnoName } from '../../../src/base/errors.ts';
import { isSilent, type WorldPlan } from './plan.ts';
import type { StreamEnd } from './stream-end.ts';
import { nodesBetween } from './topology.ts';
import { lossOf } from './trouble.ts';
import type { DatagramRun, StreamRun, World } from './world.ts';

/** A network that lost the peer: what connecting, keeping alive and sending may end with. */
const LOST: readonly ErrnoName[] = ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN'];
/** A peer that was reset, or is not the one it was. */
const RESET: readonly ErrnoName[] = ['ECONNRESET', 'EPIPE'];

/** No router was heard yet. */
const NO_ADDRESS: readonly ErrnoName[] = ['EADDRNOTAVAIL', 'ENETUNREACH', 'EHOSTUNREACH'];

/** Heaps below this run out. */
const POOR_BYTES = 8 << 20;

/** What a connection had to go through. */
interface Way {
  /** Somebody on it was cut or changed. */
  cut: boolean;
  /** An interface was off for a while: IPv6 has no addresses then. */
  flapped: boolean;
  /** An end has its address from what routers advertise, or asks for duplicates first: that may take its time, or be lost. */
  late: boolean;
  /** A machine on it went down: the client's, the server's, one in between. */
  clientDown: boolean;
  serverDown: boolean;
  betweenDown: boolean;
  /** Frames are lost, so that three ARP requests can be. */
  lossy: boolean;
  /** So many that seven SYNs or five keep-alive probes can be. */
  hopeless: boolean;
  duplicates: boolean;
  /** Bits are flipped: IPv6 headers have no checksum, so strange errors come back. */
  flips: boolean;
  /** A path MTU can be found by probing only. */
  silentRouter: boolean;
  poor: boolean;
  fewPorts: boolean;
}

export function judge(world: World): void {
  for (const run of world.streams) {
    const problem = judgeStream(run, wayOf(world, run.plan.client, run.plan.server));
    if (problem !== '') world.problems.push(`stream ${run.plan.id}: ${problem}\n    ${storyOf(run)}`);
  }
  for (const run of world.datagrams) {
    const problem = judgeDatagrams(run, wayOf(world, run.plan.client, run.plan.server));
    if (problem !== '') world.problems.push(`datagrams ${run.plan.id}: ${problem}`);
  }
}

function wayOf({ plan }: World, client: number, server: number): Way {
  const nodes = nodesBetween(plan, client, server);
  const way: Way = {
    cut: false,
    flapped: false,
    late: plan.severity !== 'none' && (isLate(plan, client) || isLate(plan, server)),
    clientDown: false,
    serverDown: false,
    betweenDown: false,
    lossy: false,
    hopeless: false,
    duplicates: false,
    flips: false,
    silentRouter: false,
    poor: plan.heapBytes < POOR_BYTES,
    fewPorts: plan.fewPorts,
  };
  let arrives = 1;
  for (const node of nodes) {
    for (const impairment of plan.impairments[node] ?? []) {
      arrives *= 1 - lossOf(impairment);
      if (impairment.burst !== undefined && impairment.burst.leave < 0.4) way.hopeless = true;
      // A queue of few frames loses what comes in bursts.
      if (impairment.rateBps !== undefined) way.lossy = true;
      if (impairment.rateBps !== undefined && impairment.rateBps < 5e6) way.hopeless = true;
      if (impairment.duplicate !== undefined) way.duplicates = true;
      if (impairment.corrupt !== undefined) way.flips = true;
    }
    if (isSilent(plan.sysctls[node] ?? {})) way.silentRouter = true;
    for (const port of plan.nodes[node]?.ports ?? []) if (port.full === 'drop') way.lossy = true;
  }
  if (arrives < 1) way.lossy = true;
  if (arrives < 0.8) way.hopeless = true;
  for (const event of plan.events) {
    if (event.kind === 'reboot') {
      if (event.node === client) way.clientDown = true;
      else if (event.node === server) way.serverDown = true;
      else if (nodes.has(event.node)) way.betweenDown = true;
      if (event.node === server && client === server) way.serverDown = true;
    } else if (event.kind === 'flap') {
      if (nodes.has(event.node)) way.cut = way.lossy = way.flapped = true;
    } else if (event.kind === 'change') {
      if (nodes.has(event.node)) way.cut = way.lossy = way.hopeless = way.duplicates = true;
    } else if (event.ports.some(([node]) => nodes.has(node))) {
      way.cut = way.lossy = true;
    }
  }
  return way;
}

/** After it has booted, an address of IPv6 is still to come. */
function isLate({ nodes, sysctls }: WorldPlan, node: number): boolean {
  return nodes[node]?.auto === true || (sysctls[node]?.['net.inet6.ip6.dad_count'] ?? 0) > 0;
}

function judgeStream(run: StreamRun, way: Way): string {
  const { client, server, plan } = run;
  if (client === null) return 'was never started';
  if (client.state === 'open') return 'the client did not end';
  if (server?.state === 'open') return 'the server did not end';
  if (client.wrongAt >= 0) return `wrong byte at ${client.wrongAt} of what the client received`;
  if (server !== null && server.wrongAt >= 0) return `wrong byte at ${server.wrongAt} of what the server received`;
  if (plan.closedPort && server !== null) return 'a closed port accepted';
  if (client.received > (server?.sent ?? 0)) return 'the client received more than was sent';
  if (server !== null && server.received > client.sent) return 'the server received more than was sent';
  return (
    judgeEnding(client, server, plan.closedPort) ||
    judgeError('client', client, allowedErrors(run, client, server, way, true)) ||
    (server === null ? '' : judgeError('server', server, allowedErrors(run, server, client, way, false)))
  );
}

/** What the two ends believe must fit together. */
function judgeEnding(client: StreamEnd, server: StreamEnd | null, closedPort: boolean): string {
  if (server === null) {
    const unheard = client.state === 'failed' || client.state === 'crashed' || client.state === 'abandoned';
    if (!unheard) return `no server, and yet the client is ${client.state}`;
    if (client.sawEnd) return 'the client saw the end of a stream that nobody sent';
    if (closedPort && client.connected) return 'connected to a closed port';
    return '';
  }
  if (client.sawEnd && client.received !== server.sent) {
    return `the client saw the end after ${client.received} bytes of ${server.sent}`;
  }
  if (server.sawEnd && server.received !== client.sent) {
    return `the server saw the end after ${server.received} bytes of ${client.sent}`;
  }
  // An end is said by shutting down, or by leaving.
  if (client.sawEnd && !server.shutDown && server.state !== 'abandoned') return 'the client saw an end nobody said';
  if (server.sawEnd && !client.shutDown && client.state !== 'abandoned') return 'the server saw an end nobody said';
  for (const [one, other] of [
    [client, server],
    [server, client],
  ] as const) {
    if (one.state === 'closed' && !one.sawEnd) return 'closed without the end of the stream';
    if (one.confirmed && one.state === 'closed' && other.state === 'closed' && other.received !== one.sent) {
      return 'acknowledged and yet not received';
    }
  }
  return '';
}

function judgeError(who: string, end: StreamEnd, allowed: ReadonlySet<string>): string {
  if (end.state !== 'failed' || allowed.has(errnoName(end.error))) return '';
  return `the ${who} failed with ${errnoName(end.error)}, allowed: ${[...allowed].join(' ') || 'none'}`;
}

function allowedErrors(
  run: StreamRun,
  end: StreamEnd,
  other: StreamEnd | null,
  way: Way,
  client: boolean,
): Set<string> {
  const allowed = new Set<string>();
  const allow = (names: readonly ErrnoName[]): void => {
    for (const name of names) allowed.add(name);
  };
  const peerDown = client ? way.serverDown : way.clientDown;
  if (run.plan.closedPort) allow(['ECONNREFUSED']);
  // The peer's program broke it off, or gave up by an error of its own.
  if (other !== null && (other.state === 'abandoned' || other.state === 'failed')) allow(RESET);
  if (other?.plan.ending === 'linger') allow(RESET);
  // A peer that boots anew knows nothing of the connection, or does not listen yet.
  if (peerDown) allow([...RESET, 'ECONNREFUSED']);
  if (peerDown || way.betweenDown || way.cut) allow(LOST);
  // Never connected: three ARP requests were lost.
  if (way.lossy && (client || run.plan.mutual) && !end.connected) allow(['EHOSTUNREACH', 'EHOSTDOWN']);
  if (way.flapped && !end.connected) allow(['EADDRNOTAVAIL']);
  if (way.late && !end.connected) allow(NO_ADDRESS);
  if (way.hopeless || way.silentRouter) allow(LOST);
  if (way.flips && !end.connected) allow(['EPROTO', 'ENOPROTOOPT', 'ECONNREFUSED', 'ENETUNREACH', 'EHOSTUNREACH']);
  if (way.poor) allow(['ENOBUFS', 'ENOMEM', ...LOST, ...RESET]);
  if (way.fewPorts && !end.connected) allow(['EADDRNOTAVAIL', 'EADDRINUSE']);
  // Whoever is heard before the other has called is refused; equal times do not mean equal delays.
  if (run.plan.mutual) allow(['ECONNREFUSED', ...RESET]);
  // The peer gave up: as a closed socket that is not kept for ever, or a handshake whose last step never arrived.
  if (way.cut || way.hopeless || way.silentRouter) allow(RESET);
  return allowed;
}

function judgeDatagrams(run: DatagramRun, way: Way): string {
  const { client, server, plan } = run;
  if (client === null) return '';
  const faults = [...client.faults, ...(server?.faults ?? [])];
  if (faults.length > 0) return faults[0] as string;
  const calm = !way.cut && !way.clientDown && !way.serverDown && !way.betweenDown;
  for (const error of client.errors) {
    const refused = -error === Errno.ECONNREFUSED && plan.connected && (plan.closedPort || way.serverDown);
    const lost = (!calm || way.lossy) && LOST.includes(errnoName(error));
    const homeless = -error === Errno.EADDRNOTAVAIL && way.flapped;
    const unnamed = way.late && NO_ADDRESS.includes(errnoName(error));
    if (!refused && !lost && !homeless && !unnamed) return `the client was told ${errnoName(error)}`;
  }
  for (const number of client.arrived.keys()) {
    const count = client.arrived[number] ?? 0;
    if (count > 0 && server !== null && server.lengths[number] === undefined) return `echo ${number} nobody sent`;
    if (count > 1 && !way.duplicates) return `echo ${number} arrived ${count} times`;
  }
  if (server === null) return '';
  for (const number of server.arrived.keys()) {
    const count = server.arrived[number] ?? 0;
    if (count > 0 && client.lengths[number] === undefined) return `datagram ${number} nobody sent`;
    if (count > 1 && !way.duplicates) return `datagram ${number} arrived ${count} times`;
  }
  return '';
}

function storyOf({ client, server, plan }: StreamRun): string {
  const of = (name: string, end: StreamEnd | null): string => {
    if (end === null) return `${name}: none`;
    const error = end.error === 0 ? '' : ` ${errnoName(end.error)}`;
    const marks = `${end.connected ? '' : ' unconnected'}${end.sawEnd ? ' saw-end' : ''}${end.confirmed ? ' confirmed' : ''}`;
    const { sendBytes, ending } = end.plan;
    return `${name}: ${end.state}${error}${marks} at ${Math.floor(end.endedUs)} us, sent ${end.sent} of ${sendBytes}, received ${end.received}, ${ending}`;
  };
  return `from node ${plan.client} to ${plan.server}:${plan.port} at ${plan.atUs} us; ${of('client', client)}; ${of('server', server)}`;
}
