/** Captured frames with wall-clock stamps as a stream. Thread: the client's. */

import { NS_PER_S } from '../base/units.ts';
import type { KernelClient, StreamSink } from '../rump/kernel-client.ts';
import type { CaptureRecord, CaptureRecordRequest } from '../sys/control.ts';
import { formatLinkAddress } from './address-text.ts';
import { StreamIterable } from './stream-iterable.ts';

/** Every frame whole, as tcpdump's default. */
export const SNAP_BYTES = 262_144;

export interface CaptureRequest {
  /** e.g. "eth0"; default: the first interface that is not lo0. */
  interface?: string;
  /** Bytes kept of each frame; default {@link SNAP_BYTES}. */
  snapBytes?: number;
}

export interface CapturedFrame {
  /** Nanoseconds since 1970. */
  timeNs: bigint;
  direction: 'in' | 'out';
  /** Length on the wire, Ethernet header included. */
  lengthBytes: number;
  /** The first `snapBytes` of it; a copy. */
  bytes: Uint8Array;
}

/** The frames since the last batch. */
export interface CaptureBatch {
  type: 'frames';
  frames: CapturedFrame[];
  droppedFrames: number;
}

export type CaptureEvent = { type: 'interface'; name: string; mac: string | null; snapBytes: number } | CaptureBatch;

function captureEvent(record: CaptureRecord): CaptureEvent {
  if (record.type === 'interface') {
    const { type, name, linkAddress, snapBytes } = record;
    return { type, name, mac: linkAddress === null ? null : formatLinkAddress(linkAddress), snapBytes };
  }
  const frames = record.frames.map(({ timeSec, timeNs, outgoing, lengthBytes, bytes }): CapturedFrame => {
    const direction = outgoing ? 'out' : 'in';
    return { timeNs: BigInt(timeSec) * NS_PER_S + BigInt(timeNs), direction, lengthBytes, bytes };
  });
  return { type: 'frames', frames, droppedFrames: record.droppedFrames };
}

/** Every frame that an interface sends and receives from now on. */
export function captureStream(client: KernelClient, request: CaptureRequest = {}): StreamIterable<CaptureEvent> {
  const options: CaptureRecordRequest = {
    interface: request.interface ?? '',
    snapBytes: request.snapBytes ?? SNAP_BYTES,
  };
  return new StreamIterable((sink) => {
    const records: StreamSink<CaptureRecord> = {
      event: (record) => sink.event(captureEvent(record)),
      end: (error) => sink.end(error),
    };
    return client.open('capture', options, records);
  });
}
