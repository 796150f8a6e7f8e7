/**
 * Streams of the control boundary: one function per stream of control.ts, each with a handle that takes unchecked input.
 *
 * Thread: the one that runs the kernel. A stream that cannot begin throws; a stream that began ends once, by its sink.
 * Cold: control streams.
 */

import { MultikernelError } from '../base/errors.ts';
import { PROGRAM_BYTES_MAX, type VerifiedProgram, verifyProgram } from '../net/bpf/verifier.ts';
import type { BpfDevices } from './bpf-devices.ts';
import { ConnectionStream } from './connection-stream.ts';
import type {
  BpfEvent,
  CaptureRecord,
  ConnectionEvent,
  ControlStream,
  DatagramsEvent,
  DeviceEvent,
  ListenerEvent,
  RawEvent,
  RouteMessages,
  StreamHandle,
  StreamSink,
} from './control.ts';
import { checkFamily, socketAddressOf } from './control-address.ts';
import * as input from './control-input.ts';
import type { ControlTarget } from './control-table.ts';
import { DatagramStream } from './datagram-stream.ts';
import { openDevice } from './device-stream.ts';
import { ListenerStream } from './listener-stream.ts';
import type { Process, ProcessTable } from './process.ts';
import { RawStream } from './raw-stream.ts';
import { QUEUE_MESSAGES_DEFAULT, QUEUE_MESSAGES_MAX, type RoutingMessages } from './routing-messages.ts';

const PORT_MAX = 65_535;
const PROTOCOL_MAX = 255;
const SNAP_BYTES_MAX = 0x7fffffff;
const TOS_MAX = 255;
const IP_OPTION_BYTES_MAX = 40;
const NO_OPTIONS: Uint8Array = new Uint8Array(0);

/** A request whose filter was verified. */
export interface CheckedCapture {
  /** None: all. */
  interfaces: readonly string[];
  /** 0: all. */
  snapBytes: number;
  filter: VerifiedProgram | null;
}

/** The kernel that streams are about. */
export interface StreamTarget extends ControlTarget {
  readonly processes: ProcessTable;
  readonly routingMessages: RoutingMessages;
  readonly bpf: BpfDevices;
  /** Copies of frames, until the returned function is called. Throws ENODEV. */
  capture(request: CheckedCapture, sink: StreamSink<CaptureRecord>): () => void;
}

type Fields = ReturnType<typeof input.fieldsOf>;
type Opener = (target: StreamTarget, fields: Fields, sink: StreamSink<never>) => StreamHandle<unknown>;

/** A handle without input whose `close` calls `release` and ends the stream, once. */
function closable(sink: StreamSink<never>, release: () => void): StreamHandle<unknown> {
  let open = true;
  return {
    send: () => {
      throw new MultikernelError('EINVAL', 'this stream takes no input');
    },
    close: () => {
      if (!open) return;
      open = false;
      release();
      sink.end(null);
    },
  };
}

function openRouteEvents(target: StreamTarget, fields: Fields, sink: StreamSink<RouteMessages>): StreamHandle<unknown> {
  const limit = input.optionalInteger(fields, 'queueMessages', 1, QUEUE_MESSAGES_MAX) ?? QUEUE_MESSAGES_DEFAULT;
  const unreadBytes = (): number => sink.queuedBytes ?? 0;
  const stop = target.routingMessages.read(limit, (batch) => sink.event(batch), unreadBytes);
  return closable(sink as StreamSink<never>, stop);
}

/** The process that a stream with a socket is. Throws EAGAIN. */
function newProcess({ processes }: StreamTarget, name: ControlStream): Process {
  const process = processes.spawn(name);
  if (process === null) throw new MultikernelError('EAGAIN', 'the kernel has too many processes');
  return process;
}

function openRaw(target: StreamTarget, fields: Fields, sink: StreamSink<RawEvent>): StreamHandle<unknown> {
  const family = input.family(fields);
  checkFamily(target, family);
  const protocol = input.integer(fields, 'protocol', 0, PROTOCOL_MAX);
  const header = {
    from: fields.from === undefined ? null : input.optionalAddress(fields, 'from'),
    tos: input.optionalInteger(fields, 'tos', 0, TOS_MAX) ?? 0,
    dontFragment: input.optionalBoolean(fields, 'dontFragment') ?? false,
    options: fields.options === undefined ? NO_OPTIONS : input.bytes(fields, 'options', IP_OPTION_BYTES_MAX),
  };
  return new RawStream(newProcess(target, 'raw'), family, protocol, header, sink);
}

function openCapture(target: StreamTarget, fields: Fields, sink: StreamSink<CaptureRecord>): StreamHandle<unknown> {
  const interfaces = input.names(fields, 'interfaces');
  const snapBytes = input.integer(fields, 'snapBytes', 0, SNAP_BYTES_MAX);
  const program = input.bytes(fields, 'filter', PROGRAM_BYTES_MAX);
  const filter = program.length === 0 ? null : verifyProgram(program);
  if (typeof filter === 'string') throw new MultikernelError('EINVAL', `filter: ${filter}`);
  const stop = target.capture({ interfaces, snapBytes, filter }, sink);
  return closable(sink as StreamSink<never>, stop);
}

function openConnection(
  target: StreamTarget,
  fields: Fields,
  sink: StreamSink<ConnectionEvent>,
): StreamHandle<unknown> {
  const address = input.address(fields, 'address');
  const port = input.integer(fields, 'port', 1, PORT_MAX);
  return new ConnectionStream(newProcess(target, 'connection'), socketAddressOf(address, port), sink);
}

function openListener(target: StreamTarget, fields: Fields, sink: StreamSink<ListenerEvent>): StreamHandle<unknown> {
  const port = input.integer(fields, 'port', 1, PORT_MAX);
  return new ListenerStream(newProcess(target, 'listener'), port, sink);
}

function openDatagrams(target: StreamTarget, fields: Fields, sink: StreamSink<DatagramsEvent>): StreamHandle<unknown> {
  const port = input.integer(fields, 'port', 0, PORT_MAX);
  return new DatagramStream(newProcess(target, 'datagrams'), port, sink);
}

function openBpf(target: StreamTarget, fields: Fields, sink: StreamSink<BpfEvent>): StreamHandle<unknown> {
  return target.bpf.open(target.inet.interface(input.name(fields, 'interface')), fields, sink);
}

function openDeviceFile(target: StreamTarget, fields: Fields, sink: StreamSink<DeviceEvent>): StreamHandle<unknown> {
  const name = input.name(fields, 'name');
  const { host } = target.processes;
  return openDevice(target.inet.interface(name), name, () => host.nowUs(), sink);
}

const OPENERS: ReadonlyMap<string, Opener> = new Map<string, Opener>(
  Object.entries({
    routeEvents: openRouteEvents,
    raw: openRaw,
    bpf: openBpf,
    capture: openCapture,
    device: openDeviceFile,
    connection: openConnection,
    listener: openListener,
    datagrams: openDatagrams,
  } satisfies Record<ControlStream, Opener>),
);

/** Every stream there is. */
export const CONTROL_STREAMS: readonly ControlStream[] = [...OPENERS.keys()] as ControlStream[];

/** Opens a stream. `stream` and `request` may be anything. Throws EOPNOTSUPP, EINVAL and what each stream refuses. */
export function openStream(
  target: StreamTarget,
  stream: string,
  request: unknown,
  sink: StreamSink<never>,
): StreamHandle<unknown> {
  const opener = OPENERS.get(stream);
  if (opener === undefined) throw new MultikernelError('EOPNOTSUPP', `no stream ${String(stream)}`);
  return opener(target, input.fieldsOf(request, 'request'), sink);
}
