/**
 * The tunable values of TCP, as sysctl variables.
 *
 * Thread: the one that runs the CPU. Names are NetBSD's where it has the value, Linux's word otherwise; times are in
 * milliseconds. Buffer sizes, timer limits and switches are read where they are used, so a change takes effect at the
 * next segment; what is negotiated in the handshake holds for the life of a connection.
 */

import type { Sysctl, SysctlVariable } from '../../../kern/sysctl.ts';

/** Values of `net.inet.tcp.congctl`. */
export const CONGESTION_NEWRENO = 0;
const CONGESTION_CUBIC = 1;

const MS_PER_DAY = 86_400_000;

/** Declares variables below `net.inet.tcp`. */
class TcpSysctl {
  readonly #sysctl: Sysctl;

  constructor(sysctl: Sysctl) {
    this.#sysctl = sysctl;
  }

  // cold: once per variable
  toggle(name: string, initial: boolean, text: string): SysctlVariable {
    return this.#sysctl.toggle(`net.inet.tcp.${name}`, initial, text);
  }

  // cold: once per variable
  integer(name: string, initial: number, min: number, max: number, text: string): SysctlVariable {
    return this.#sysctl.integer(`net.inet.tcp.${name}`, initial, min, max, text);
  }
}

/** Options that are negotiated, and the behaviour of the sender. */
class SenderSettings {
  /** Offer or accept options. */
  readonly windowScale: SysctlVariable;
  readonly timestamps: SysctlVariable;
  readonly sack: SysctlVariable;
  readonly dsack: SysctlVariable;
  readonly mssDefault: SysctlVariable;
  readonly mssDefault6: SysctlVariable;
  /** A peer's smaller MSS is taken for this. */
  readonly mssMin: SysctlVariable;
  /** 0 never, 1 offer and accept, 2 accept. */
  readonly ecn: SysctlVariable;
  readonly synCookies: SysctlVariable;

  /** 0 = NewReno, 1 = CUBIC. */
  readonly congestionControl: SysctlVariable;
  readonly initialWindowSegments: SysctlVariable;
  /** Grow by bytes (RFC 3465), and by how many segments for one ACK in slow start: 0 one, 1 two, 2 as many as it covers. */
  readonly byteCounting: SysctlVariable;
  readonly byteCountingAggressive: SysctlVariable;
  readonly hystart: SysctlVariable;
  readonly pacing: SysctlVariable;
  readonly pacingMinRttUs: SysctlVariable;
  readonly pacingSlowStartPercent: SysctlVariable;
  readonly pacingPercent: SysctlVariable;
  /** 0 never, 1 when a black hole is suspected, 2 from the start. */
  readonly mtuProbing: SysctlVariable;
  readonly mtuBaseMss: SysctlVariable;
  readonly mtuProbeIntervalSec: SysctlVariable;
  readonly slowStartAfterIdle: SysctlVariable;
  readonly limitedTransmit: SysctlVariable;
  readonly rack: SysctlVariable;
  readonly lossProbe: SysctlVariable;
  readonly proportionalReduction: SysctlVariable;
  readonly frto: SysctlVariable;

  constructor(tcp: TcpSysctl) {
    this.windowScale = tcp.toggle('win_scale', true, 'window scale option (RFC 7323)');
    this.timestamps = tcp.toggle('timestamps', true, 'timestamps option (RFC 7323)');
    this.sack = tcp.toggle('sack.enable', true, 'selective acknowledgements (RFC 2018)');
    this.dsack = tcp.toggle('sack.dsack', true, 'report duplicates (RFC 2883)');
    this.mssDefault = tcp.integer('mssdflt', 536, 88, 65495, 'MSS of an IPv4 peer that does not say its own');
    this.mssDefault6 = tcp.integer('v6mssdflt', 1220, 88, 65495, 'MSS of an IPv6 peer that does not say its own');

    this.mssMin = tcp.integer('minmss', 216, 32, 65495, 'smallest MSS believed of a peer');

    this.ecn = tcp.integer('ecn.enable', 2, 0, 2, 'congestion notification (RFC 3168): 0 never, 1 offer, 2 when asked');
    this.synCookies = tcp.toggle('syncookies', true, 'answer SYNs by cookies when the SYN queue is full');

    this.congestionControl = tcp.integer(
      'congctl',
      CONGESTION_CUBIC,
      CONGESTION_NEWRENO,
      CONGESTION_CUBIC,
      'congestion control of new connections: 0 newreno, 1 cubic',
    );
    this.initialWindowSegments = tcp.integer('init_win', 10, 1, 64, 'initial window, segments (RFC 6928)');
    this.byteCounting = tcp.toggle('abc.enable', true, 'grow the window by bytes acknowledged (RFC 3465), not by ACKs');
    const limitText = 'limit of growth for one ACK in slow start: 0 one segment, 1 two, 2 none';
    this.byteCountingAggressive = tcp.integer('abc.aggressive', 2, 0, 2, limitText);
    this.hystart = tcp.toggle('hystart', true, 'leave slow start when the round trip grows (RFC 9406)');
    this.pacing = tcp.toggle('pacing', true, 'spread segments over the round trip');
    this.pacingMinRttUs = tcp.integer('pacing_min_rtt', 1000, 0, 10_000_000, 'round trip from which on to pace, us');
    const slowStartText = 'rate in slow start, % of a window per round trip';
    this.pacingSlowStartPercent = tcp.integer('pacing_ss_ratio', 200, 50, 1000, slowStartText);
    this.pacingPercent = tcp.integer('pacing_ca_ratio', 120, 50, 1000, 'rate otherwise, % of a window per round trip');
    const probingText = 'path MTU by probing (RFC 4821): 0 never, 1 when segments vanish, 2 always';
    this.mtuProbing = tcp.integer('mtu_probing', 1, 0, 2, probingText);
    this.mtuBaseMss = tcp.integer('base_mss', 1024, 216, 65495, 'MSS to begin probing with');
    this.mtuProbeIntervalSec = tcp.integer(
      'probe_interval',
      600,
      1,
      86400,
      'seconds until a larger MTU is tried again',
    );
    this.slowStartAfterIdle = tcp.toggle(
      'slowstart_after_idle',
      true,
      'restart window after an idle RTO (RFC 5681 4.1)',
    );
    this.limitedTransmit = tcp.toggle('limited_transmit', true, 'new data on the first duplicate ACKs (RFC 3042)');

    this.rack = tcp.toggle('rack', true, 'loss detection by time (RFC 8985)');
    this.lossProbe = tcp.toggle('tlp', true, 'tail loss probe (RFC 8985)');
    this.proportionalReduction = tcp.toggle('prr', true, 'proportional rate reduction (RFC 6937)');
    this.frto = tcp.toggle('frto', true, 'detect spurious timeouts (RFC 5682)');
  }
}

export class TcpSettings extends SenderSettings {
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
  readonly invalidAckIntervalMs: SysctlVariable;

  /** Initial limit of a send buffer, bytes, unless SO_SNDBUF sets it. */
  get sendBytes(): number {
    return Math.min(this.sendSpaceBytes.value, this.sendSpaceMaxBytes.value);
  }

  /** Initial limit of a receive buffer, bytes, unless SO_RCVBUF sets it. */
  get receiveBytes(): number {
    return Math.min(this.receiveSpaceBytes.value, this.receiveSpaceMaxBytes.value);
  }

  constructor(sysctl: Sysctl) {
    const tcp = new TcpSysctl(sysctl);
    super(tcp);
    this.sendSpaceBytes = tcp.integer('sendspace', 131072, 4096, 1 << 26, 'send buffer, bytes, before it grows');
    this.receiveSpaceBytes = tcp.integer('recvspace', 131072, 4096, 1 << 26, 'receive buffer, bytes, before it grows');
    this.sendSpaceMaxBytes = tcp.integer('sendbuf_max', 4 << 20, 4096, 1 << 26, 'largest send buffer, bytes');
    this.receiveSpaceMaxBytes = tcp.integer('recvbuf_max', 4 << 20, 4096, 1 << 26, 'largest receive buffer, bytes');
    this.sendSpaceAuto = tcp.toggle('sendbuf_auto', true, 'send buffers grow with the congestion window');
    this.receiveSpaceAuto = tcp.toggle('recvbuf_auto', true, 'receive buffers grow with the rate of the reader');

    this.rtoInitialMs = tcp.integer('rto_initial', 1000, 1, 60000, 'retransmission timeout before a measurement, ms');
    this.rtoMinMs = tcp.integer('rto_min', 200, 1, 60000, 'smallest retransmission timeout, ms');
    this.rtoMaxMs = tcp.integer('rto_max', 120_000, 1000, 240_000, 'largest retransmission timeout, ms');
    this.synRetries = tcp.integer('syn_retries', 6, 0, 64, 'retransmissions of a SYN before ETIMEDOUT');
    this.synAckRetries = tcp.integer('synack_retries', 5, 0, 64, 'retransmissions of a SYN-ACK before it is forgotten');
    this.retries = tcp.integer('retries', 15, 1, 64, 'retransmissions of data before ETIMEDOUT (R2 of RFC 9293 3.8.3)');
    this.orphanRetries = tcp.integer('orphan_retries', 8, 1, 64, 'the same, when the socket was closed');

    this.delayedAckMs = tcp.integer('delack', 40, 1, 500, 'longest delay of an acknowledgement, ms');
    this.quickAcks = tcp.integer('quickack', 16, 0, 1000, 'segments acknowledged at once at the start');
    this.ackBatchSegments = tcp.integer(
      'ack_batch',
      64,
      2,
      1024,
      'segments one ACK may cover when they came in one batch',
    );
    this.keepIdleMs = tcp.integer(
      'keepidle',
      7_200_000,
      1,
      MS_PER_DAY,
      'idle time before the first keep-alive probe, ms',
    );
    this.keepIntervalMs = tcp.integer('keepintvl', 75_000, 1, MS_PER_DAY, 'time between keep-alive probes, ms');
    this.keepCount = tcp.integer('keepcnt', 9, 1, 127, 'unanswered keep-alive probes before ETIMEDOUT');

    this.mslMs = tcp.integer('msl', 30_000, 1, 120_000, 'maximum segment lifetime, ms; TIME_WAIT lasts two');
    this.finTimeoutMs = tcp.integer('fin_timeout', 60_000, 1, MS_PER_DAY, 'FIN_WAIT_2 after the socket was closed, ms');
    this.timeWaitMax = tcp.integer('tw_max', 65536, 0, 1 << 20, 'entries in TIME_WAIT; the oldest go first');
    this.timeWaitReuseMs = tcp.integer(
      'tw_reuse_delay',
      1000,
      0,
      120_000,
      'age at which connect takes over TIME_WAIT at a port of its own choice, ms',
    );
    this.rfc1337 = tcp.toggle('rfc1337', false, 'ignore resets in TIME_WAIT');

    this.connectionsMax = tcp.integer('connections_max', 262_144, 16, 1 << 22, 'connections of this kernel');
    this.backlogMax = tcp.integer('somaxconn', 4096, 1, 65536, 'largest listen backlog');
    this.synQueueMax = tcp.integer('syn_cache_limit', 8192, 1, 1 << 20, 'half-open connections of this kernel');
    this.reassemblyMax = tcp.integer('reass_limit', 1024, 1, 65536, 'pieces beyond a gap of one connection');
    this.invalidAckIntervalMs = tcp.integer(
      'invalid_ack',
      500,
      0,
      10_000,
      'least time between two answers to invalid segments of one connection, ms',
    );
  }
}
