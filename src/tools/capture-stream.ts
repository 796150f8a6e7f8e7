/** Captured frames with wall-clock stamps as a stream. Thread: the client's. */

import { NS_PER_S } from '../base/units.ts';
import type { KernelClient, StreamSink } from '../rump/kernel-client.ts';
import { openLater } from '../rump/late-stream.ts';
import type { CaptureRecord, HostRecord, StreamHandle } from '../sys/control.ts';
import { compileFilter, filterHosts } from '../wire/bpf/compile.ts';
import { formatIp } from '../wire/ip-address.ts';
import { formatLinkAddress } from './address-text.ts';

/** Every frame whole, as tcpdump's default. */
export const SNAP_BYTES = 262_144;

const NO_FILTER: Uint8Array = new Uint8Array(0);

/** Frames that a capture takes. */
export interface CaptureRequest {
  /** Names, e.g. ["eth0"]; default: all interfaces that there are when the capture begins. */
  interfaces?: string[];
  /**
   * Frames to keep: an expression as tcpdump takes it (pcap-filter(7)), "tcp port 80 and host api". Names of hosts are those of the
   * kernel. Default: all.
   */
  filter?: string;
  /** Bytes kept of each frame; default 262144. */
  snapBytes?: number;
}

/** A frame that an interface sent or received. */
export interface CapturedFrame {
  /** Name of the interface. */
  interface: string;
  /** Nanoseconds since 1970. */
  timeNs: bigint;
  /** Whether the interface received it or sent it. */
  direction: 'in' | 'out';
  /** Length on the wire, Ethernet header included. */
  lengthBytes: number;
  /** The first `snapBytes` of it; a copy. */
  bytes: Uint8Array;
}

/** The frames since the last batch. */
export interface CaptureBatch {
  /** Discriminates the events of a capture. */
  type: 'frames';
  /** Frames in the order of their times. */
  frames: CapturedFrame[];
  /** Frames since the last batch that there was no room for. */
  droppedFrames: number;
}

/** The interfaces come first, each once, then frames. `mac` is null where there is none (lo0). */
export type CaptureEvent = { type: 'interface'; name: string; mac: string | null; snapBytes: number } | CaptureBatch;

/** Gives the records of one capture their texts. */
function captureSink(sink: StreamSink<CaptureEvent>): StreamSink<CaptureRecord> {
  const names: string[] = [];
  return {
    event: (record) => {
      if (record.type === 'interface') {
        const { type, name, linkAddress, snapBytes } = record;
        names.push(name);
        sink.event({ type, name, mac: linkAddress === null ? null : formatLinkAddress(linkAddress), snapBytes });
        return;
      }
      const frames = record.frames.map(({ interfaceIndex, timeSec, timeNs, outgoing, lengthBytes, bytes }) => ({
        interface: names[interfaceIndex] ?? '',
        timeNs: BigInt(timeSec) * NS_PER_S + BigInt(timeNs),
        direction: outgoing ? ('out' as const) : ('in' as const),
        lengthBytes,
        bytes,
      }));
      sink.event({ type: 'frames', frames, droppedFrames: record.droppedFrames });
    },
    end: (error) => sink.end(error),
  };
}

function addressesIn(hosts: readonly HostRecord[]): (name: string) => string[] {
  return (name) => {
    const found = hosts.find((host) => host.name === name.toLowerCase());
    return (found?.addresses ?? []).map((address) => formatIp(address));
  };
}

/**
 * The program of a filter; its hosts are looked up in the kernel's table. Throws EINVAL at once for an expression that is none; a host that is
 * not known is a rejection.
 */
function programOf(client: KernelClient, filter: string): Uint8Array | Promise<Uint8Array> {
  if (filterHosts(filter).length === 0) return compileFilter(filter);
  return client
    .control('host.list', {})
    .then(({ hosts }) => compileFilter(filter, { addressesOf: addressesIn(hosts) }));
}

/** Every frame that interfaces send and receive from now on. Throws EINVAL for an expression that is none. */
export function openCapture(
  client: KernelClient,
  request: CaptureRequest,
): (sink: StreamSink<CaptureEvent>) => StreamHandle<never> {
  const { interfaces = [], snapBytes = SNAP_BYTES, filter = '' } = request;
  const program = filter.trim() === '' ? NO_FILTER : programOf(client, filter);
  return (sink) => {
    const open = (found: Uint8Array): StreamHandle<never> =>
      client.open('capture', { interfaces, snapBytes, filter: found }, captureSink(sink));
    return program instanceof Uint8Array ? open(program) : openLater(sink, program, open);
  };
}
