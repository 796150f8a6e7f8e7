/**
 * Role: what each side of a UDP measurement does: send, receive, ask, answer; or both on one thread.
 * Thread: a worker of the measurement (kernels-worker.ts).
 */

import { DatagramInfo, type DatagramSocket, SocketAddress } from '#src/socket/socket';
import { median } from '../harness/statistics.ts';
import type { Side } from './kernels-worker.ts';

const PORT = 7;
/** Datagrams per flush. */
const BATCH = 64;
/** Round trips per reading of the clock. */
const ROUNDS = 50;
const RECEIVE_BUFFER_BYTES = 8 << 20;
/** Turns without a datagram after the sender has finished, until the rest is called lost. */
const QUIET_TURNS = 1000;
/** Places in shared memory, in turn, when datagrams are sent in place. */
const PLACES = 64;

/** Sends one datagram with that number; the count, or a negative errno. */
type Send = (sequence: number) => number;

function lastByte(payloadBytes: number): number {
  return ((payloadBytes - 1) * 31) & 0xff;
}

/** An open sender to the peer's port. */
function openSender({ kernel, run, peer }: Side): Send {
  const { payloadBytes } = run;
  const template = Uint8Array.from({ length: payloadBytes }, (_, i) => (i * 31) & 0xff);
  if (run.inPlace) {
    const { view } = kernel.arena;
    const stride = Math.ceil((payloadBytes + 8) / 64) * 64;
    const at = kernel.arena.allocate(PLACES * stride, 64) + 2;
    for (let i = 0; i < PLACES; i++) kernel.arena.bytes.set(template, at + i * stride);
    const endpoint = kernel.inet.cpus[0].udp.open();
    endpoint.connect(peer, PORT);
    return (sequence) => {
      const place = at + (sequence & (PLACES - 1)) * stride;
      view.setInt32(place, sequence, true);
      return endpoint.sendFrom(place, payloadBytes, 0, 0);
    };
  }
  const socket = kernel.sockets.datagram();
  const bytes = new DataView(template.buffer);
  socket.connect(SocketAddress.ipv4(peer, PORT));
  return (sequence) => {
    bytes.setInt32(0, sequence, true);
    return socket.send(template, 0, payloadBytes, null);
  };
}

interface Tally {
  received: number;
  damaged: number;
  next: number;
}

/** An open receiver; the function takes all that waits. */
function openReceiver({ kernel, run }: Side, tally: Tally): () => void {
  const { payloadBytes } = run;
  const last = lastByte(payloadBytes);
  const checked = payloadBytes > 4;
  const take = (length: number, sequence: number, end: number): void => {
    if (length !== payloadBytes || sequence < tally.next || (checked && end !== last)) tally.damaged++;
    tally.next = sequence + 1;
    tally.received++;
  };
  if (run.inPlace) {
    const { view } = kernel.arena;
    const sink = kernel.arena.allocate(PLACES * 65_536, 64);
    const endpoint = kernel.inet.cpus[0].udp.open();
    endpoint.bind(0, PORT);
    endpoint.onDatagram = (at, length) => {
      const to = sink + (tally.received & (PLACES - 1)) * 2048 + (at & 7);
      kernel.cpus[0].cpu.bulk.copy(to, at, length);
      take(length, view.getInt32(to, true), view.getUint8(to + length - 1));
    };
    return () => {};
  }
  const socket: DatagramSocket = kernel.sockets.datagram();
  socket.setOption('receiveBufferBytes', RECEIVE_BUFFER_BYTES);
  socket.bind(SocketAddress.any(4, PORT));
  const info = new DatagramInfo();
  const into = new Uint8Array(payloadBytes);
  const view = new DataView(into.buffer);
  return () => {
    for (;;) {
      const length = socket.receive(into, 0, payloadBytes, info);
      if (length < 0) return;
      take(info.fullBytes, view.getInt32(0, true), into[payloadBytes - 1] as number);
    }
  };
}

export function sendUdp(side: Side): Record<string, number> {
  const { kernel, line } = side;
  const send = openSender(side);
  line.meet(); // the receiver is bound
  let sequence = 0;
  for (let turns = 1; ; turns++) {
    for (let i = 0; i < BATCH && send(sequence) >= 0; i++) sequence++;
    kernel.cpus[0].flush();
    side.work();
    if ((turns & 15) !== 0) continue;
    if (line.enough) break;
    line.checkLimit();
  }
  kernel.cpus[0].flush();
  line.finish();
  return { sent: sequence };
}

export function receiveUdp(side: Side): Record<string, number> {
  const { run, line } = side;
  const tally: Tally = { received: 0, damaged: 0, next: 0 };
  const drain = openReceiver(side, tally);
  line.meet();
  const firstMs = performance.now();
  let [startMs, from, fromSequence, quiet, turns] = [0, 0, 0, 0, 0];
  while (quiet < QUIET_TURNS) {
    const before = tally.received;
    side.work();
    drain();
    quiet = tally.received === before && line.finished ? quiet + 1 : 0;
    if (tally.received === before || (startMs !== 0 && (line.enough || (++turns & 15) !== 0))) continue;
    const nowMs = performance.now();
    if (startMs !== 0) {
      if (nowMs - startMs >= run.ms) line.tellEnough();
    } else if (nowMs - firstMs >= run.warmupMs) [startMs, from, fromSequence] = [nowMs, tally.received, tally.next];
  }
  // The quiet turns at the end are some microseconds of the whole.
  const seconds = (performance.now() - startMs) / 1000;
  return { received: tally.received - from, span: tally.next - fromSequence, seconds, damaged: tally.damaged };
}

/** Sends until it is taken: the path may still be resolved, or the ring full. */
function sendSurely(side: Side, send: Send, sequence: number): void {
  while (send(sequence) < 0) side.work();
  side.kernel.cpus[0].flush();
}

/** One end of a round trip. */
interface Conversation {
  /** Gives turns until a datagram has come; the number in it. */
  awaitNumber(): number;
  /** To the peer, or to whoever sent last; the count, or a negative errno. */
  send: Send;
}

/** By socket calls, through an array of the program's. `peer` 0: bound, and answering whoever asks. */
function converseBySocket(side: Side, peer: number): Conversation {
  const socket = side.kernel.sockets.datagram();
  const bytes = new Uint8Array(side.run.payloadBytes);
  const view = new DataView(bytes.buffer);
  const info = new DatagramInfo();
  if (peer === 0) socket.bind(SocketAddress.any(4, PORT));
  else socket.connect(SocketAddress.ipv4(peer, PORT));
  return {
    awaitNumber() {
      while (socket.receive(bytes, 0, bytes.length, info) < 0) side.turn();
      return view.getInt32(0, true);
    },
    send(sequence) {
      view.setInt32(0, sequence, true);
      return peer === 0 ? socket.send(bytes, 0, bytes.length, info.from) : socket.send(bytes, 0, bytes.length, null);
    },
  };
}

/** In place: read where it lies in the ring, sent from shared memory. */
function converseInPlace(side: Side, peer: number): Conversation {
  const { kernel, run } = side;
  const { view } = kernel.arena;
  const at = kernel.arena.allocate(Math.ceil((run.payloadBytes + 8) / 64) * 64, 64) + 2;
  const endpoint = kernel.inet.cpus[0].udp.open();
  let arrived = false;
  let number = 0;
  let fromAddress = 0;
  let fromPort = 0;
  endpoint.onDatagram = (dataAt, _length, address, port) => {
    arrived = true;
    number = view.getInt32(dataAt, true);
    fromAddress = address;
    fromPort = port;
  };
  if (peer === 0) endpoint.bind(0, PORT);
  else endpoint.connect(peer, PORT);
  return {
    awaitNumber() {
      while (!arrived) side.turn();
      arrived = false;
      return number;
    },
    send(sequence) {
      view.setInt32(at, sequence, true);
      return peer === 0
        ? endpoint.sendFrom(at, run.payloadBytes, fromAddress, fromPort)
        : endpoint.sendFrom(at, run.payloadBytes, 0, 0);
    },
  };
}

function converse(side: Side, peer: number): Conversation {
  return side.run.inPlace ? converseInPlace(side, peer) : converseBySocket(side, peer);
}

export function askUdp(side: Side): Record<string, number> {
  const { run, line, peer } = side;
  const { send, awaitNumber } = converse(side, peer);
  line.meet();
  const warmMs = performance.now() + run.warmupMs;
  const untilMs = warmMs + run.ms;
  const rounds = run.asleep ? 1 : ROUNDS;
  const times: number[] = [];
  let [sequence, damaged] = [1, 0];
  for (let nowMs = performance.now(); nowMs < untilMs || times.length === 0; ) {
    const startMs = nowMs;
    for (let round = 0; round < rounds; round++, sequence++) {
      sendSurely(side, send, sequence);
      if (awaitNumber() !== sequence) damaged++;
    }
    nowMs = performance.now();
    if (startMs >= warmMs) times.push(((nowMs - startMs) * 1e6) / rounds);
  }
  sendSurely(side, send, 0);
  return { rttNs: median(times), damaged };
}

export function answerUdp(side: Side): Record<string, number> {
  const { send, awaitNumber } = converse(side, 0);
  side.line.meet();
  for (;;) {
    const number = awaitNumber();
    if (number === 0) return {};
    sendSurely(side, send, number);
  }
}

/** Both kernels on this thread, in turn: what each direction costs when nobody else holds the cache lines. */
export function aloneUdp(sender: Side, receiver: Side): Record<string, number> {
  const { run } = sender;
  const tally: Tally = { received: 0, damaged: 0, next: 0 };
  const drain = openReceiver(receiver, tally);
  const send = openSender(sender);
  const warmMs = performance.now() + run.warmupMs;
  const untilMs = warmMs + run.ms;
  let [sendMs, receiveMs, sent, sequence] = [0, 0, 0, 0];
  for (let startMs = performance.now(); startMs < untilMs || sent === 0; ) {
    const before = sequence;
    for (let i = 0; i < 4 * BATCH && send(sequence) >= 0; i++)
      if ((++sequence & (BATCH - 1)) === 0) sender.kernel.cpus[0].flush();
    sender.kernel.cpus[0].flush();
    const middleMs = performance.now();
    receiver.work();
    drain();
    const endMs = performance.now();
    if (startMs >= warmMs) {
      sendMs += middleMs - startMs;
      receiveMs += endMs - middleMs;
      sent += sequence - before;
    }
    sender.work(); // answers of the neighbor cache, timers
    startMs = performance.now();
  }
  return { sendNs: (sendMs * 1e6) / sent, receiveNs: (receiveMs * 1e6) / sent, damaged: tally.damaged };
}
