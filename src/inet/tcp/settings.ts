/**
 * The tunable values of TCP, as sysctl variables.
 *
 * Thread: the one that runs the kernel. Names are NetBSD's where it has the value, Linux's word otherwise; times are in
 * milliseconds. Buffer sizes, timer limits and switches are read where they are used, so a change takes effect at the
 * next segment; what is negotiated in the handshake holds for the life of a connection.
 */

import type { Sysctl, SysctlVariable } from '../sysctl.ts';
import { CONGESTION_CUBIC, CONGESTION_NEWRENO } from './congestion/control.ts';

const MS_PER_DAY = 86_400_000;

export class TcpSettings {
  /** Offer or accept options. */
  readonly windowScale: SysctlVariable;
  readonly timestamps: SysctlVariable;
  readonly sack: SysctlVariable;
  readonly dsack: SysctlVariable;
  readonly mssDefault: SysctlVariable;
  /** 0 never, 1 offer and accept, 2 accept. */
  readonly ecn: SysctlVariable;
  readonly synCookies: SysctlVariable;

  /** 0 = NewReno, 1 = CUBIC. */
  readonly congestionControl: SysctlVariable;
  readonly initialWindowSegments: SysctlVariable;
  readonly slowStartAfterIdle: SysctlVariable;
  readonly limitedTransmit: SysctlVariable;
  readonly rack: SysctlVariable;
  readonly lossProbe: SysctlVariable;
  readonly proportionalReduction: SysctlVariable;
  readonly frto: SysctlVariable;

  readonly sendSpaceBytes: SysctlVariable;
  readonly receiveSpaceBytes: SysctlVariable;
  readonly sendSpaceMaxBytes: SysctlVariable;
  readonly receiveSpaceMaxBytes: SysctlVariable;
  readonly sendSpaceAuto: SysctlVariable;
  readonly receiveSpaceAuto: SysctlVariable;

  readonly rtoInitialMs: SysctlVariable;
  readonly rtoMinMs: SysctlVariable;
  readonly rtoMaxMs: SysctlVariable;
  readonly synRetries: SysctlVariable;
  readonly synAckRetries: SysctlVariable;
  readonly retries: SysctlVariable;
  readonly orphanRetries: SysctlVariable;

  readonly delayedAckMs: SysctlVariable;
  readonly quickAcks: SysctlVariable;
  readonly ackBatchSegments: SysctlVariable;
  readonly keepIdleMs: SysctlVariable;
  readonly keepIntervalMs: SysctlVariable;
  readonly keepCount: SysctlVariable;

  readonly mslMs: SysctlVariable;
  readonly finTimeoutMs: SysctlVariable;
  readonly timeWaitMax: SysctlVariable;
  readonly timeWaitReuseMs: SysctlVariable;
  readonly rfc1337: SysctlVariable;

  readonly connectionsMax: SysctlVariable;
  readonly backlogMax: SysctlVariable;
  readonly synQueueMax: SysctlVariable;
  readonly reassemblyMax: SysctlVariable;
  readonly challengeAckLimit: SysctlVariable;
  readonly invalidAckIntervalMs: SysctlVariable;
  readonly resetLimit: SysctlVariable;

  constructor(sysctl: Sysctl) {
    const toggle = (name: string, initial: boolean, text: string): SysctlVariable =>
      sysctl.toggle(`net.inet.tcp.${name}`, initial, text);
    const integer = (name: string, initial: number, min: number, max: number, text: string): SysctlVariable =>
      sysctl.integer(`net.inet.tcp.${name}`, initial, min, max, text);

    this.windowScale = toggle('win_scale', true, 'window scale option (RFC 7323)');
    this.timestamps = toggle('timestamps', true, 'timestamps option (RFC 7323)');
    this.sack = toggle('sack.enable', true, 'selective acknowledgements (RFC 2018)');
    this.dsack = toggle('sack.dsack', true, 'report duplicates (RFC 2883)');
    this.mssDefault = integer('mssdflt', 536, 88, 65495, 'MSS of a peer that does not say its own');

    this.ecn = integer('ecn.enable', 2, 0, 2, 'congestion notification (RFC 3168): 0 never, 1 offer, 2 when asked');
    this.synCookies = toggle('syncookies', true, 'answer SYNs by cookies when the SYN queue is full');

    this.congestionControl = integer(
      'congctl',
      CONGESTION_CUBIC,
      CONGESTION_NEWRENO,
      CONGESTION_CUBIC,
      'congestion control of new connections: 0 newreno, 1 cubic',
    );
    this.initialWindowSegments = integer('init_win', 10, 1, 64, 'initial window, segments (RFC 6928)');
    this.slowStartAfterIdle = toggle('slowstart_after_idle', true, 'restart window after an idle RTO (RFC 5681 4.1)');
    this.limitedTransmit = toggle('limited_transmit', true, 'new data on the first duplicate ACKs (RFC 3042)');

    this.rack = toggle('rack', true, 'loss detection by time (RFC 8985)');
    this.lossProbe = toggle('tlp', true, 'tail loss probe (RFC 8985)');
    this.proportionalReduction = toggle('prr', true, 'proportional rate reduction (RFC 6937)');
    this.frto = toggle('frto', true, 'detect spurious timeouts (RFC 5682)');

    this.sendSpaceBytes = integer('sendspace', 131072, 4096, 1 << 26, 'send buffer, bytes, before it grows');
    this.receiveSpaceBytes = integer('recvspace', 131072, 4096, 1 << 26, 'receive buffer, bytes, before it grows');
    this.sendSpaceMaxBytes = integer('sendbuf_max', 4 << 20, 4096, 1 << 26, 'send buffer grows up to this, bytes');
    this.receiveSpaceMaxBytes = integer(
      'recvbuf_max',
      4 << 20,
      4096,
      1 << 26,
      'receive buffer grows up to this, bytes',
    );
    this.sendSpaceAuto = toggle('sendbuf_auto', true, 'send buffers grow with the congestion window');
    this.receiveSpaceAuto = toggle('recvbuf_auto', true, 'receive buffers grow with the rate of the reader');

    this.rtoInitialMs = integer('rto_initial', 1000, 1, 60000, 'retransmission timeout before a measurement, ms');
    this.rtoMinMs = integer('rto_min', 200, 1, 60000, 'smallest retransmission timeout, ms');
    this.rtoMaxMs = integer('rto_max', 120_000, 1000, 240_000, 'largest retransmission timeout, ms');
    this.synRetries = integer('syn_retries', 6, 0, 64, 'retransmissions of a SYN before ETIMEDOUT');
    this.synAckRetries = integer('synack_retries', 5, 0, 64, 'retransmissions of a SYN-ACK before it is forgotten');
    this.retries = integer('retries', 15, 1, 64, 'retransmissions of data before ETIMEDOUT (R2 of RFC 9293 3.8.3)');
    this.orphanRetries = integer('orphan_retries', 8, 1, 64, 'the same, when the socket was closed');

    this.delayedAckMs = integer('delack', 40, 1, 500, 'longest delay of an acknowledgement, ms');
    this.quickAcks = integer('quickack', 16, 0, 1000, 'segments acknowledged at once at the start');
    this.ackBatchSegments = integer('ack_batch', 64, 2, 1024, 'segments one ACK may cover when they came in one batch');
    this.keepIdleMs = integer('keepidle', 7_200_000, 1, MS_PER_DAY, 'idle time before the first keep-alive probe, ms');
    this.keepIntervalMs = integer('keepintvl', 75_000, 1, MS_PER_DAY, 'time between keep-alive probes, ms');
    this.keepCount = integer('keepcnt', 9, 1, 127, 'unanswered keep-alive probes before ETIMEDOUT');

    this.mslMs = integer('msl', 30_000, 1, 120_000, 'maximum segment lifetime, ms; TIME_WAIT lasts two');
    this.finTimeoutMs = integer('fin_timeout', 60_000, 1, MS_PER_DAY, 'FIN_WAIT_2 after the socket was closed, ms');
    this.timeWaitMax = integer('tw_max', 65536, 0, 1 << 20, 'entries in TIME_WAIT; the oldest go first');
    this.timeWaitReuseMs = integer('tw_reuse_delay', 1000, 0, 120_000, 'age at which connect takes over TIME_WAIT, ms');
    this.rfc1337 = toggle('rfc1337', false, 'ignore resets in TIME_WAIT');

    this.connectionsMax = integer('connections_max', 262_144, 16, 1 << 22, 'connections of this kernel');
    this.backlogMax = integer('somaxconn', 4096, 1, 65536, 'largest listen backlog');
    this.synQueueMax = integer('syn_cache_limit', 8192, 1, 1 << 20, 'half-open connections of this kernel');
    this.reassemblyMax = integer('reass_limit', 1024, 1, 65536, 'pieces beyond a gap of one connection');
    this.challengeAckLimit = integer('challenge_ack_limit', 1000, 0, 1 << 20, 'challenge ACKs per second (RFC 5961)');
    this.invalidAckIntervalMs = integer(
      'invalid_ack',
      500,
      0,
      10_000,
      'least time between two answers to invalid segments of one connection, ms',
    );
    this.resetLimit = integer('rstppslimit', 1000, 0, 1 << 20, 'resets per second to nobody');
  }
}
