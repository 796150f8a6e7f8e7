/**
 * Role: what each side of a TCP measurement does: one connection, one way or there and back.
 * Thread: a worker of the measurement (kernels-worker.ts).
 */

import { SocketAddress, type StreamSocket } from '#src/socket/socket';
import { median } from '../harness/statistics.ts';
import { damage, PERIOD, pattern } from '../path/programs/pattern.mjs';
import type { Side } from './kernels-worker.ts';

const PORT = 7;
/** Read size of the receiving program. */
const READ_BYTES = 65_536;
const ROUNDS = 50;
const EAGAIN = -11;

function listen({ kernel }: Side): StreamSocket {
  const listener = kernel.sockets.stream();
  if (listener.bind(SocketAddress.any(4, PORT)) < 0 || listener.listen(1) < 0) throw new Error('cannot listen');
  return listener;
}

function accept(side: Side, listener: StreamSocket): StreamSocket {
  for (;;) {
    const socket = listener.accept();
    if (socket !== null) return socket;
    side.turn();
  }
}

function connect(side: Side): StreamSocket {
  const socket = side.kernel.sockets.stream();
  socket.setOption('noDelay', true);
  socket.connect(SocketAddress.ipv4(side.peer, PORT));
  while (socket.state !== 'ESTABLISHED') {
    if (socket.error !== 0) throw new Error(`connect: error ${socket.error}`);
    side.turn();
  }
  return socket;
}

export function sendTcp(side: Side): Record<string, number> {
  const { kernel, run, line } = side;
  const data = pattern(run.payloadBytes);
  line.meet(); // the receiver listens
  const socket = connect(side);
  let total = 0;
  for (let turns = 1; ; turns++) {
    const at = total % PERIOD;
    const sent = socket.send(data, at, run.payloadBytes);
    if (sent > 0) total += sent;
    else if (sent !== EAGAIN) throw new Error(`send: error ${sent}`);
    kernel.cpus[0].flush();
    side.work();
    if ((turns & 15) !== 0) continue;
    if (line.enough) break;
    line.checkLimit();
  }
  socket.shutdown();
  while (socket.unsentBytes > 0) side.work();
  // The FIN is acknowledged when the receiver has read to the end.
  while (!line.finished) side.work();
  return { sent: total };
}

export function receiveTcp(side: Side): Record<string, number> {
  const { kernel, run, line } = side;
  const expected = pattern(0);
  const into = new Uint8Array(READ_BYTES);
  const listener = listen(side);
  line.meet();
  const socket = accept(side, listener);
  const firstMs = performance.now();
  let [startMs, endMs, from, to, total, damaged] = [0, 0, 0, 0, 0, 0];
  for (let length = EAGAIN; length !== 0; ) {
    kernel.cpus[0].flush();
    side.work();
    const before = total;
    // All there is, as a program does that is told that there is something.
    while ((length = socket.receive(into, 0, READ_BYTES)) > 0) {
      damaged += damage(expected, into.subarray(0, length), total);
      total += length;
    }
    if (length < 0 && length !== EAGAIN) throw new Error(`receive: error ${length}`);
    if (total === before || line.enough) continue;
    const nowMs = performance.now();
    if (startMs !== 0) {
      if (nowMs - startMs < run.ms) continue;
      [endMs, to] = [nowMs, total];
      line.tellEnough();
    } else if (nowMs - firstMs >= run.warmupMs) [startMs, from] = [nowMs, total];
  }
  kernel.cpus[0].flush();
  side.work();
  line.finish();
  return { received: to - from, seconds: (endMs - startMs) / 1000, damaged };
}

/** Reads exactly `bytes.length`; false at the end of the stream. */
function readAll(side: Side, socket: StreamSocket, bytes: Uint8Array): boolean {
  for (let got = 0; got < bytes.length; ) {
    const length = socket.receive(bytes, got, bytes.length - got);
    if (length > 0) got += length;
    else if (length === EAGAIN) side.turn();
    else return false;
  }
  return true;
}

function writeAll(side: Side, socket: StreamSocket, bytes: Uint8Array): void {
  for (let put = 0; put < bytes.length; ) {
    const length = socket.send(bytes, put, bytes.length - put);
    if (length > 0) put += length;
    else if (length === EAGAIN) side.work();
    else throw new Error(`send: error ${length}`);
  }
  side.kernel.cpus[0].flush();
}

export function askTcp(side: Side): Record<string, number> {
  const { run, line } = side;
  line.meet();
  const socket = connect(side);
  const [out, into] = [new Uint8Array(run.payloadBytes), new Uint8Array(run.payloadBytes)];
  const [question, answer] = [new DataView(out.buffer), new DataView(into.buffer)];
  const warmMs = performance.now() + run.warmupMs;
  const untilMs = warmMs + run.ms;
  const rounds = run.asleep ? 1 : ROUNDS;
  const times: number[] = [];
  let [sequence, damaged] = [1, 0];
  for (let nowMs = performance.now(); nowMs < untilMs || times.length === 0; ) {
    const startMs = nowMs;
    for (let round = 0; round < rounds; round++, sequence++) {
      question.setInt32(0, sequence, true);
      writeAll(side, socket, out);
      if (!readAll(side, socket, into) || answer.getInt32(0, true) !== sequence) damaged++;
    }
    nowMs = performance.now();
    if (startMs >= warmMs) times.push(((nowMs - startMs) * 1e6) / rounds);
  }
  socket.shutdown();
  while (!line.finished) side.work();
  return { rttNs: median(times), damaged };
}

export function answerTcp(side: Side): Record<string, number> {
  const { run, line } = side;
  const listener = listen(side);
  const bytes = new Uint8Array(run.payloadBytes);
  line.meet();
  const socket = accept(side, listener);
  socket.setOption('noDelay', true);
  while (readAll(side, socket, bytes)) writeAll(side, socket, bytes);
  line.finish();
  return {};
}
