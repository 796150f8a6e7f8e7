/**
 * `tcp_info` of a connection, under Linux's names and in its units, for the code of scripts.
 *
 * Thread: the caller's. Windows and queues are counted in segments, times in microseconds where Linux has them so. A field
 * that this stack has no counterpart for is absent: code that asks for it is told that it is not known here.
 */

import { TCP_STATE_NAMES } from '../base/tcp-state-names.ts';
import { US_PER_MS } from '../base/units.ts';
import type { Connection } from '../inet/tcp/connection/connection.ts';
import { RECOVERY_FAST, RECOVERY_TIMEOUT, TIMER_PERSIST } from '../inet/tcp/connection/states.ts';
import { KIND_CONNECTION, KIND_MASK, KIND_SYN, KIND_TIME_WAIT } from '../inet/tcp/tables/tables.ts';
import type { Flow } from './flow.ts';
import type { Machine } from './machine.ts';

/** Linux's word for "no threshold yet", and what stands for it here, bytes. */
const INFINITE_SSTHRESH = 0x7fffffff;
const UNLIMITED_BYTES = 0x3fffffff;

const OPTION_TIMESTAMPS = 1;
const OPTION_SACK = 2;
const OPTION_WSCALE = 4;
const OPTION_ECN = 8;

/** Linux's numbers of the states. */
const STATES: Readonly<Record<string, number>> = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECEIVED: 3,
  FIN_WAIT_1: 4,
  FIN_WAIT_2: 5,
  TIME_WAIT: 6,
  CLOSED: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
};

/** Names that code may compare fields with. */
const TCP_INFO_CONSTANTS: Readonly<Record<string, number>> = {
  TCP_ESTABLISHED: 1,
  TCP_SYN_SENT: 2,
  TCP_SYN_RECV: 3,
  TCP_FIN_WAIT1: 4,
  TCP_FIN_WAIT2: 5,
  TCP_TIME_WAIT: 6,
  TCP_CLOSE: 7,
  TCP_CLOSE_WAIT: 8,
  TCP_LAST_ACK: 9,
  TCP_LISTEN: 10,
  TCP_CLOSING: 11,
  TCP_CA_Open: 0,
  TCP_CA_Disorder: 1,
  TCP_CA_CWR: 2,
  TCP_CA_Recovery: 3,
  TCP_CA_Loss: 4,
  TCPI_OPT_TIMESTAMPS: OPTION_TIMESTAMPS,
  TCPI_OPT_SACK: OPTION_SACK,
  TCPI_OPT_WSCALE: OPTION_WSCALE,
  TCPI_OPT_ECN: OPTION_ECN,
  TCPI_OPT_SYN_DATA: 32,
};

/** The connection with a flow's four numbers; null when there is none (closed, half-open, in TIME_WAIT). */
export function findConnection(machine: Machine, flow: Flow): Connection | null {
  const { tcp } = machine.kernel.cpus[0];
  const value = find(machine, flow);
  return value >= 0 && (value & KIND_MASK) === KIND_CONNECTION ? tcp.tables.connectionAt(value) : null;
}

/** Value of the kernel's table for a flow's four numbers, -1 when there is none. */
function find({ kernel, book }: Machine, flow: Flow): number {
  const { addresses } = kernel.inet;
  const local = addresses.numberOf(book.socketAddress(flow.localAddress, 0));
  const remote = addresses.numberOf(book.socketAddress(flow.remoteAddress, 0));
  return kernel.cpus[0].tcp.tables.find(local, remote, (flow.localPort << 16) | flow.remotePort);
}

/** Fields for sockets without a connection: half-open, in TIME_WAIT, closed. */
export function restInfo(machine: Machine, flow: Flow | null): Map<string, number> {
  const info = new Map<string, number>(Object.entries(TCP_INFO_CONSTANTS));
  const value = flow === null ? -1 : find(machine, flow);
  const kind = value < 0 ? -1 : value & KIND_MASK;
  const state = kind === KIND_TIME_WAIT ? 'TIME_WAIT' : kind === KIND_SYN ? 'SYN_RECEIVED' : 'CLOSED';
  return info.set('tcpi_state', STATES[state] as number);
}

/** Field → value now. `nowUs` is the kernel's time. */
export function tcpInfo(c: Connection, nowUs: number, ip6: boolean): Map<string, number> {
  const info = new Map<string, number>(Object.entries(TCP_INFO_CONSTANTS));
  for (const [name, value] of Object.entries({ ...stateFields(c), ...windowFields(c, ip6), ...timeFields(c, nowUs) })) {
    info.set(`tcpi_${name}`, value);
  }
  return info;
}

function segments(c: Connection, bytes: number): number {
  return Math.ceil(bytes / c.size.mss);
}

function congestionState(c: Connection): number {
  if (c.loss.phase === RECOVERY_TIMEOUT) return TCP_INFO_CONSTANTS.TCP_CA_Loss as number;
  if (c.loss.phase === RECOVERY_FAST) return TCP_INFO_CONSTANTS.TCP_CA_Recovery as number;
  if (c.ecn.reduced && ((c.snd.una - c.ecn.reducedSeq) | 0) < 0) return TCP_INFO_CONSTANTS.TCP_CA_CWR as number;
  const disorder = c.scoreboard.sackedBytes > 0 || c.loss.dupAcks > 0;
  return (disorder ? TCP_INFO_CONSTANTS.TCP_CA_Disorder : TCP_INFO_CONSTANTS.TCP_CA_Open) as number;
}

function stateFields(c: Connection): Record<string, number> {
  const persisting = c.rtx.mode === TIMER_PERSIST;
  return {
    state: STATES[TCP_STATE_NAMES[c.state] as string] as number,
    ca_state: congestionState(c),
    retransmits: persisting ? 0 : c.rtx.timeouts,
    probes: persisting ? c.rtx.timeouts : c.keepProbes,
    backoff: c.rtt.backoff,
    options:
      (c.ts.ok ? OPTION_TIMESTAMPS : 0) |
      (c.sackOk ? OPTION_SACK : 0) |
      (c.scaleOk || c.snd.scale > 0 || c.rcv.scale > 0 ? OPTION_WSCALE : 0) |
      (c.ecn.ok ? OPTION_ECN : 0),
    snd_wscale: c.snd.scale,
    rcv_wscale: c.rcv.scale,
    snd_mss: c.size.mss,
    rcv_mss: c.rcv.mss,
    total_retrans: c.totals.retransmits,
    bytes_sent: c.totals.bytesSent + c.totals.bytesRetransmitted,
    bytes_retrans: c.totals.bytesRetransmitted,
    bytes_received: c.totals.bytesReceived,
    bytes_acked: (c.snd.una - c.snd.iss) >>> 0,
  };
}

function windowFields(c: Connection, ip6: boolean): Record<string, number> {
  const { scoreboard, congestion } = c;
  const unsent = Math.max((c.sendBuffer.endSeq - c.snd.nxt) | 0, 0);
  const unlimited = congestion.ssthresh >= UNLIMITED_BYTES;
  return {
    unacked: segments(c, (c.snd.nxt - c.snd.una) | 0),
    sacked: segments(c, scoreboard.sackedBytes + c.loss.renoSackedBytes),
    lost: segments(c, scoreboard.lostBytes),
    retrans: segments(c, scoreboard.retransmittedBytes),
    fackets: 0,
    notsent_bytes: unsent,
    snd_cwnd: Math.floor(congestion.cwnd / c.size.mss),
    snd_ssthresh: unlimited ? INFINITE_SSTHRESH : Math.floor(congestion.ssthresh / c.size.mss),
    snd_wnd: c.snd.wnd,
    pmtu: c.path === null ? 0 : c.path.mtuBytes,
    advmss: c.path === null ? 0 : c.path.iface.mtuBytes - (ip6 ? 60 : 40),
    reord_seen: scoreboard.reorderingSeen ? 1 : 0,
  };
}

function timeFields(c: Connection, nowUs: number): Record<string, number> {
  const { rtt } = c;
  const measured = rtt.srttUs > 0;
  const sinceMs = (us: number): number => (us < 0 ? 0 : Math.floor((nowUs - us) / US_PER_MS));
  return {
    rto: Math.round(rtt.rtoUs),
    rtt: measured ? Math.round(rtt.srttUs) : 0,
    rttvar: measured ? Math.round(rtt.rttvarUs) : 0,
    min_rtt: rtt.minRttUs === Infinity ? 0 : Math.round(rtt.minRttUs),
    last_data_sent: sinceMs(c.times.dataSentUs),
    last_data_recv: sinceMs(c.times.dataReceivedUs),
    last_ack_recv: sinceMs(c.times.receivedUs),
  };
}
