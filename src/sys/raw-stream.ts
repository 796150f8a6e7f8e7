/**
 * A raw socket for a program outside of the kernel: ping and traceroute. Packets carry the kernel's time of sending and arrival, so
 * that round trips do not contain the way between the kernel and the program.
 *
 * Thread: the one that runs the kernel. The stream is a process, whose first descriptor is the socket. Read first:
 * process-sockets.ts, watch.ts.
 * Cold: raw sockets by hand, for tools.
 */

import { DatagramInfo, type SocketAddress } from '../socket/socket.ts';
import { SOCK_NONBLOCK } from './abi.ts';
import type { IpAddress, IpFamily, RawEvent, StreamSink } from './control.ts';
import { ipAddressOf, socketAddressOf } from './control-address.ts';
import * as input from './control-input.ts';
import { READABLE } from './file.ts';
import type { Process } from './process.ts';
import { openDatagramSocket, openRawSocket } from './process-sockets.ts';
import { ProcessStream } from './process-stream.ts';
import type { DatagramFile, RawFile } from './socket-file.ts';

const PACKET_BYTES_MAX = 65_535;
const ID_MAX = Number.MAX_SAFE_INTEGER;
const HOPS_MAX = 255;
/** Port of connect() for a source address; no packet goes there. */
const DISCARD_PORT = 9;

/** Settings of the IP headers that are sent. */
export interface RawHeader {
  readonly from: IpAddress | null;
  readonly tos: number;
  readonly dontFragment: boolean;
  readonly options: Uint8Array;
}

export class RawStream extends ProcessStream<RawEvent> {
  readonly #file: RawFile;
  readonly #buffer: Uint8Array = new Uint8Array(PACKET_BYTES_MAX + 1);
  readonly #info: DatagramInfo = new DatagramInfo();

  /** `process` is new, and exits with the stream. Throws the errno of socket(2), bind(2) or setsockopt(2), and then the process has exited. */
  constructor(process: Process, family: IpFamily, protocol: number, header: RawHeader, sink: StreamSink<RawEvent>) {
    super(process, sink);
    const fd = openRawSocket(process, family, protocol, SOCK_NONBLOCK);
    if (fd < 0) this.refuse(fd, `no raw socket of protocol ${protocol}`);
    this.#file = process.descriptors.get(fd) as RawFile;
    const { socket } = this.#file;
    socket.setOption('broadcast', true);
    socket.setOption('tos', header.tos);
    const bound = header.from === null ? 0 : socket.bind(socketAddressOf(header.from, 0));
    if (bound < 0) this.refuse(bound, 'bind');
    const set = socket.setHeaderOptions(header.options, header.dontFragment);
    if (set < 0) this.refuse(set, 'options of the header');
    this.#file.watch(this);
  }

  /** A {@link RawInput}, unchecked. Throws EINVAL. */
  override send(message: unknown): void {
    if (this.closed) return;
    const fields = input.fieldsOf(message, 'input');
    const id = input.integer(fields, 'id', 0, ID_MAX);
    const to = socketAddressOf(input.address(fields, 'to'), 0);
    const hops = input.integer(fields, 'hops', 1, HOPS_MAX);
    const bytes = input.bytes(fields, 'bytes', PACKET_BYTES_MAX);
    const { socket, family } = this.#file;
    socket.setOption('ttl', hops);
    const timeUs = this.process.table.host.nowUs();
    const result = socket.send(bytes, 0, bytes.length, to);
    const source = family === 6 ? this.#sourceTowards(to) : null;
    this.sink.event({ type: 'sent', id, timeUs, errno: Math.min(0, result), source });
  }

  protected override ready(events: number): void {
    if (events & READABLE) this.#receive();
  }

  #receive(): void {
    const { host } = this.process.table;
    while (!this.closed) {
      const length = this.#file.socket.receive(this.#buffer, 0, this.#buffer.length, this.#info);
      if (length < 0) return;
      const from = ipAddressOf(this.#info.from);
      const bytes = this.#buffer.slice(0, length);
      this.sink.event({ type: 'packet', timeUs: host.nowUs(), from, bytes });
    }
  }

  /** Own address towards another, as connect(2) of a datagram socket chooses it; null without a route. */
  #sourceTowards(to: SocketAddress): IpAddress | null {
    const { descriptors } = this.process;
    const fd = openDatagramSocket(this.process, this.#file.family, SOCK_NONBLOCK);
    const { socket } = descriptors.get(fd) as DatagramFile;
    const peer = to.clone();
    peer.port = DISCARD_PORT;
    const source = socket.connect(peer) < 0 ? null : ipAddressOf(socket.local);
    descriptors.close(fd);
    return source;
  }
}
