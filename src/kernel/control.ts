/**
 * Control of one kernel: answers requests, opens streams, and is the in-process {@link KernelClient}.
 *
 * Thread: the one that runs the kernel. `control` answers at once; the client is the same with promises. Read first:
 * sys/control.ts (operations and streams), sys/control-table.ts (answers).
 */

import { MultikernelError } from '../base/errors.ts';
import type { Host } from '../host/contract.ts';
import type { Inet } from '../inet/inet.ts';
import type { Interface } from '../net/interface.ts';
import type { CallMemory, KernelClient } from '../rump/kernel-client.ts';
import { BpfDevices } from '../sys/bpf-devices.ts';
import type {
  CaptureRecord,
  ControlOperation,
  ControlReply,
  ControlRequest,
  ControlStream,
  ControlStreams,
  HostRecord,
  IpAddress,
  StreamHandle,
  StreamSink,
} from '../sys/control.ts';
import { type CheckedCapture, openStream, type StreamTarget } from '../sys/control-streams.ts';
import { answerControl } from '../sys/control-table.ts';
import type { ProcessTable } from '../sys/process.ts';
import { linkAddressRecord } from '../sys/records.ts';
import { RoutingMessages } from '../sys/routing-messages.ts';
import { parseIp } from '../wire/ip-address.ts';
import { ClientProcess } from './client-process.ts';
import type { Impairments } from './impairments.ts';
import type { KernelCpu } from './kernel-cpu.ts';
import { PacketCapture } from './packet-capture.ts';

const OWN_ADDRESSES: readonly string[] = ['127.0.0.1', '::1'];

function ipAddresses(texts: readonly string[]): IpAddress[] {
  return texts
    .map(parseIp)
    .filter((words) => words !== null)
    .map((words) => ({ ...words, scopeId: 0 }));
}

/** `localhost`, the table, and the kernel's own name where the table has not got it. */
function hostRecords(name: string, table: Record<string, string[]>, ipv6: boolean): HostRecord[] {
  const own = ipv6 ? OWN_ADDRESSES : OWN_ADDRESSES.slice(0, 1);
  const names = new Map<string, readonly string[]>([['localhost', own]]);
  for (const [host, addresses] of Object.entries(table)) names.set(host.toLowerCase(), addresses);
  if (!names.has(name.toLowerCase())) names.set(name.toLowerCase(), own);
  return [...names].map(([host, addresses]) => ({ name: host, addresses: ipAddresses(addresses) }));
}

/** The kernel under control. */
export interface ControlledKernel {
  readonly name: string;
  readonly inet: Inet;
  readonly cpus: readonly [KernelCpu, ...KernelCpu[]];
  readonly host: Host;
  readonly processes: ProcessTable;
  readonly impairments: Impairments;
}

function bpfDevices({ cpus, host, processes }: ControlledKernel): BpfDevices {
  const { bulk, shared } = cpus[0].cpu;
  const epochUs = Number(host.epochNs / 1000n);
  const context = { bulk, view: shared.arena.view, nowUs: () => host.nowUs() };
  return new BpfDevices({ context, wallUs: (timeUs) => epochUs + timeUs }, processes, shared.sysctl);
}

export class KernelControl implements StreamTarget, KernelClient {
  readonly name: string;
  readonly hosts: readonly HostRecord[];
  readonly inet: Inet;
  readonly processes: ProcessTable;
  readonly impairments: Impairments;
  readonly routingMessages: RoutingMessages;
  readonly bpf: BpfDevices;
  readonly closed: Promise<void>;
  /** Asked to end, by `kernel.halt`; to be done once the answer is on its way. */
  onHalt: (() => void) | null = null;
  readonly #kernel: ControlledKernel;
  readonly #process: ClientProcess;
  readonly #streams: Set<StreamHandle<never>> = new Set();
  #resolveClosed: () => void = () => {};

  constructor(kernel: ControlledKernel, hosts: Record<string, string[]>, ipv6: boolean) {
    const { name, inet, processes, impairments } = kernel;
    this.name = name;
    this.inet = inet;
    this.processes = processes;
    this.impairments = impairments;
    this.hosts = hostRecords(name, hosts, ipv6);
    this.routingMessages = new RoutingMessages(inet);
    this.bpf = bpfDevices(kernel);
    this.#kernel = kernel;
    this.#process = new ClientProcess(kernel.processes, `client of ${name}`);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
  }

  /** One request, answered at once. Throws `MultikernelError`. */
  answer<Op extends ControlOperation>(operation: Op, request: ControlRequest<Op>): ControlReply<Op> {
    try {
      return answerControl(this, operation, request) as ControlReply<Op>;
    } finally {
      // Messages about a change come before its reply.
      this.flush();
    }
  }

  /** Routing messages that wait leave now. */
  flush(): void {
    if (this.routingMessages.pending) this.routingMessages.flush();
  }

  async control<Op extends ControlOperation>(operation: Op, request: ControlRequest<Op>): Promise<ControlReply<Op>> {
    this.#kernel.host.requestWork();
    return this.answer(operation, request);
  }

  /** Throws what a stream that cannot begin refuses. */
  openNow<Op extends ControlStream>(
    stream: Op,
    request: ControlStreams[Op]['request'],
    sink: StreamSink<ControlStreams[Op]['event']>,
  ): StreamHandle<ControlStreams[Op]['input']> {
    let ended = false;
    // A stream may end while it opens.
    let handle: StreamHandle<never> | null = null;
    const host = this.#kernel.host;
    const opened = openStream(this, stream, request, {
      event: (event: never) => sink.event(event),
      end: (error) => {
        ended = true;
        if (handle !== null) this.#streams.delete(handle);
        sink.end(error);
      },
      get queuedBytes() {
        return sink.queuedBytes ?? 0;
      },
    });
    handle = {
      send: (input) => {
        opened.send(input);
        host.requestWork();
      },
      close: () => {
        opened.close();
        host.requestWork();
      },
    };
    if (!ended) this.#streams.add(handle);
    host.requestWork();
    return handle as StreamHandle<ControlStreams[Op]['input']>;
  }

  open<Op extends ControlStream>(
    stream: Op,
    request: ControlStreams[Op]['request'],
    sink: StreamSink<ControlStreams[Op]['event']>,
  ): StreamHandle<ControlStreams[Op]['input']> {
    try {
      return this.openNow(stream, request, sink);
    } catch (error) {
      queueMicrotask(() => sink.end(error as Error));
      return { send: () => {}, close: () => {} };
    }
  }

  async call(number: number, args: readonly number[], memory: CallMemory): Promise<number> {
    this.#kernel.host.requestWork();
    return this.#process.call(number, args, memory);
  }

  capture(request: CheckedCapture, sink: StreamSink<CaptureRecord>): () => void {
    const { snapBytes } = request;
    const interfaces =
      request.interfaces.length === 0 ? this.inet.list() : request.interfaces.map((name) => this.#named(name));
    for (const { name, loopback, macHi, macLo } of interfaces) {
      sink.event({
        type: 'interface',
        name,
        linkAddress: loopback ? null : linkAddressRecord(macHi, macLo),
        snapBytes,
      });
    }
    const { host } = this.#kernel;
    const { callouts } = this.#kernel.cpus[0].cpu;
    const capture = new PacketCapture(interfaces, request, this.bpf.clock.context, host, callouts, sink);
    return () => capture.stop();
  }

  #named(name: string): Interface {
    const iface = this.inet.interface(name);
    if (iface === null) throw new MultikernelError('ENODEV', `${this.name} has no interface ${name}`);
    return iface;
  }

  /** Ends every stream; the kernel itself is closed by its owner. */
  async close(): Promise<void> {
    this.#process.exit();
    for (const handle of [...this.#streams]) handle.close();
    this.#resolveClosed();
  }
}
