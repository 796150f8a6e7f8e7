/**
 * Counters of TCP, under the words `netstat -s -p tcp` prints.
 *
 * Thread: the one that runs the CPU; readers see the values through shared memory (mem/counters.ts). Each field is the
 * index of a counter, to be used with `counters.add`.
 * Cold: defined once.
 */

import type { Counters } from '../../../mem/counters.ts';

/** Indices of TCP's counters in the kernel's block. */
export interface TcpCounters {
  readonly packetsSent: number;
  readonly dataPacketsSent: number;
  readonly dataBytesSent: number;
  readonly dataPacketsRetransmitted: number;
  readonly dataBytesRetransmitted: number;
  readonly fastRetransmits: number;
  readonly ackOnlyPacketsSent: number;
  readonly delayedAcksSent: number;
  readonly urgentOnlyPacketsSent: number;
  readonly windowProbesSent: number;
  readonly windowUpdatesSent: number;
  readonly controlPacketsSent: number;
  readonly resetsSent: number;
  readonly challengeAcksSent: number;
  readonly outputBlocked: number;
  readonly sendBufferFull: number;

  readonly packetsReceived: number;
  readonly acksReceived: number;
  readonly ackBytesReceived: number;
  readonly duplicateAcksReceived: number;
  readonly acksForUnsentReceived: number;
  readonly dataPacketsInSequence: number;
  readonly dataBytesInSequence: number;
  readonly duplicatePackets: number;
  readonly duplicateBytes: number;
  readonly partialDuplicatePackets: number;
  readonly partialDuplicateBytes: number;
  readonly outOfOrderPackets: number;
  readonly outOfOrderBytes: number;
  readonly packetsAfterWindow: number;
  readonly bytesAfterWindow: number;
  readonly packetsAfterClose: number;
  readonly windowProbesReceived: number;
  readonly windowUpdatesReceived: number;
  readonly resetsReceived: number;
  readonly resetsIgnored: number;
  readonly urgentReceived: number;
  readonly droppedBadChecksum: number;
  readonly droppedBadOffset: number;
  readonly droppedTooShort: number;
  readonly droppedBroadcast: number;
  readonly droppedOldTimestamp: number;
  readonly droppedNoTimestamp: number;
  readonly droppedNoAck: number;
  readonly droppedNoMemory: number;
  readonly droppedManyPieces: number;
  readonly droppedNoSocket: number;
  readonly lookupMisses: number;
  readonly predictedAcks: number;
  readonly predictedData: number;

  readonly connectionRequests: number;
  readonly connectionAccepts: number;
  readonly connectionsEstablished: number;
  readonly connectionsClosed: number;
  readonly connectionsDropped: number;
  readonly embryonicDropped: number;
  readonly connectionsRefused: number;
  readonly badConnectionAttempts: number;
  readonly connectionsFull: number;
  readonly listenQueueOverflows: number;
  readonly synQueueAdded: number;
  readonly synQueueCompleted: number;
  readonly synQueueAborted: number;
  readonly synQueueTimedOut: number;
  readonly synQueueReset: number;
  readonly synQueueUnreachable: number;
  readonly synQueueOverflows: number;
  readonly synAcksRetransmitted: number;
  readonly duplicateSyns: number;
  readonly synsDropped: number;
  readonly timeWaitEntered: number;
  readonly timeWaitReused: number;
  readonly timeWaitOverflows: number;

  readonly rttSamples: number;
  readonly rttAttempts: number;
  readonly retransmitTimeouts: number;
  readonly timeoutDrops: number;
  readonly persistTimeouts: number;
  readonly persistDrops: number;
  readonly keepAliveTimeouts: number;
  readonly keepAliveProbes: number;
  readonly keepAliveDrops: number;

  readonly sackRecoveries: number;
  readonly newRenoRecoveries: number;
  readonly sackBlocksReceived: number;
  readonly sackBlocksSent: number;
  readonly dsackReceived: number;
  readonly sackReneges: number;
  readonly limitedTransmits: number;
  readonly mtuReductions: number;
  readonly mtuBlackHoles: number;
  readonly mtuProbesSent: number;
  readonly mtuProbesPassed: number;
  readonly mtuProbesFailed: number;
  readonly pacingDelays: number;
  readonly slowStartsLeft: number;
  readonly lossProbesSent: number;
  readonly lossProbeRecoveries: number;
  readonly spuriousTimeouts: number;
  readonly spuriousRecoveries: number;
  readonly ecnHandshakes: number;
  readonly ecnMarksReceived: number;
  readonly ecnReductions: number;
  readonly synCookiesSent: number;
  readonly synCookiesReceived: number;
  readonly synCookiesFailed: number;
}

const NAMES: Readonly<Record<keyof TcpCounters, string>> = {
  packetsSent: 'tcp-packets-sent',
  dataPacketsSent: 'tcp-data-packets-sent',
  dataBytesSent: 'tcp-data-bytes-sent',
  dataPacketsRetransmitted: 'tcp-data-packets-retransmitted',
  dataBytesRetransmitted: 'tcp-data-bytes-retransmitted',
  fastRetransmits: 'tcp-fast-retransmits',
  ackOnlyPacketsSent: 'tcp-ack-only-packets-sent',
  delayedAcksSent: 'tcp-delayed-acks-sent',
  urgentOnlyPacketsSent: 'tcp-urg-only-packets-sent',
  windowProbesSent: 'tcp-window-probes-sent',
  windowUpdatesSent: 'tcp-window-updates-sent',
  controlPacketsSent: 'tcp-control-packets-sent',
  resetsSent: 'tcp-resets-sent',
  challengeAcksSent: 'tcp-challenge-acks-sent',
  outputBlocked: 'tcp-output-blocked',
  sendBufferFull: 'tcp-send-buffer-full',
  packetsReceived: 'tcp-packets-received',
  acksReceived: 'tcp-acks-received',
  ackBytesReceived: 'tcp-bytes-acknowledged',
  duplicateAcksReceived: 'tcp-duplicate-acks',
  acksForUnsentReceived: 'tcp-acks-for-unsent-data',
  dataPacketsInSequence: 'tcp-packets-received-in-sequence',
  dataBytesInSequence: 'tcp-bytes-received-in-sequence',
  duplicatePackets: 'tcp-completely-duplicate-packets',
  duplicateBytes: 'tcp-duplicate-bytes',
  partialDuplicatePackets: 'tcp-packets-with-some-dup-data',
  partialDuplicateBytes: 'tcp-bytes-duped',
  outOfOrderPackets: 'tcp-out-of-order-packets',
  outOfOrderBytes: 'tcp-out-of-order-bytes',
  packetsAfterWindow: 'tcp-packets-after-window',
  bytesAfterWindow: 'tcp-bytes-after-window',
  packetsAfterClose: 'tcp-packets-received-after-close',
  windowProbesReceived: 'tcp-window-probes-received',
  windowUpdatesReceived: 'tcp-window-updates-received',
  resetsReceived: 'tcp-resets-received',
  resetsIgnored: 'tcp-resets-ignored',
  urgentReceived: 'tcp-urgent-pointers-received',
  droppedBadChecksum: 'tcp-discarded-bad-checksum',
  droppedBadOffset: 'tcp-discarded-bad-header-offset',
  droppedTooShort: 'tcp-discarded-too-short',
  droppedBroadcast: 'tcp-discarded-broadcast',
  droppedOldTimestamp: 'tcp-discarded-old-timestamp',
  droppedNoTimestamp: 'tcp-discarded-without-timestamp',
  droppedNoAck: 'tcp-discarded-without-ack',
  droppedNoMemory: 'tcp-discarded-no-memory',
  droppedManyPieces: 'tcp-discarded-too-many-pieces',
  droppedNoSocket: 'tcp-dropped-no-socket',
  lookupMisses: 'tcp-pcb-hash-misses',
  predictedAcks: 'tcp-ack-header-predictions',
  predictedData: 'tcp-data-header-predictions',
  connectionRequests: 'tcp-connection-requests',
  connectionAccepts: 'tcp-connection-accepts',
  connectionsEstablished: 'tcp-connections-established',
  connectionsClosed: 'tcp-connections-closed',
  connectionsDropped: 'tcp-connections-dropped',
  embryonicDropped: 'tcp-embryonic-connections-dropped',
  connectionsRefused: 'tcp-connections-refused',
  badConnectionAttempts: 'tcp-bad-connection-attempts',
  connectionsFull: 'tcp-connection-table-full',
  listenQueueOverflows: 'tcp-listen-queue-overflows',
  synQueueAdded: 'tcp-syn-cache-entries-added',
  synQueueCompleted: 'tcp-syn-cache-completed',
  synQueueAborted: 'tcp-syn-cache-aborted',
  synQueueTimedOut: 'tcp-syn-cache-timed-out',
  synQueueReset: 'tcp-syn-cache-dropped-by-reset',
  synQueueUnreachable: 'tcp-syn-cache-dropped-unreachable',
  synQueueOverflows: 'tcp-syn-cache-overflows',
  synAcksRetransmitted: 'tcp-syn-acks-retransmitted',
  duplicateSyns: 'tcp-duplicate-syns',
  synsDropped: 'tcp-syns-dropped',
  timeWaitEntered: 'tcp-time-wait-entered',
  timeWaitReused: 'tcp-time-wait-reused',
  timeWaitOverflows: 'tcp-time-wait-overflows',
  rttSamples: 'tcp-segments-updated-rtt',
  rttAttempts: 'tcp-segments-timed',
  retransmitTimeouts: 'tcp-retransmit-timeouts',
  timeoutDrops: 'tcp-connections-dropped-by-rexmit',
  persistTimeouts: 'tcp-persist-timeouts',
  persistDrops: 'tcp-connections-dropped-by-persist',
  keepAliveTimeouts: 'tcp-keepalive-timeouts',
  keepAliveProbes: 'tcp-keepalive-probes-sent',
  keepAliveDrops: 'tcp-connections-dropped-by-keepalive',
  sackRecoveries: 'tcp-sack-recovery-episodes',
  newRenoRecoveries: 'tcp-newreno-recovery-episodes',
  sackBlocksReceived: 'tcp-sack-blocks-received',
  sackBlocksSent: 'tcp-sack-blocks-sent',
  dsackReceived: 'tcp-dsack-blocks-received',
  sackReneges: 'tcp-sack-reneges',
  limitedTransmits: 'tcp-limited-transmits',
  mtuReductions: 'tcp-mtu-reductions',
  mtuBlackHoles: 'tcp-pmtud-blackholes-detected',
  mtuProbesSent: 'tcp-mtu-probes-sent',
  mtuProbesPassed: 'tcp-mtu-probes-passed',
  mtuProbesFailed: 'tcp-mtu-probes-failed',
  pacingDelays: 'tcp-pacing-delays',
  slowStartsLeft: 'tcp-slow-starts-left-by-delay',
  lossProbesSent: 'tcp-loss-probes-sent',
  lossProbeRecoveries: 'tcp-loss-probe-recoveries',
  spuriousTimeouts: 'tcp-spurious-timeouts',
  spuriousRecoveries: 'tcp-spurious-recoveries',
  ecnHandshakes: 'tcp-ecn-handshakes',
  ecnMarksReceived: 'tcp-ecn-marks-received',
  ecnReductions: 'tcp-ecn-reductions',
  synCookiesSent: 'tcp-syn-cookies-sent',
  synCookiesReceived: 'tcp-syn-cookies-received',
  synCookiesFailed: 'tcp-syn-cookies-failed',
};

/** Enter TCP's names in the block and return their indices. */
export function defineTcpCounters(counters: Counters): TcpCounters {
  const entries = Object.entries(NAMES).map(([field, name]) => [field, counters.index(name)]);
  return Object.fromEntries(entries) as TcpCounters;
}
