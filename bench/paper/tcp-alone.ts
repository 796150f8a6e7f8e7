/**
 * Role: what a segment of a TCP connection costs each side: both kernels on one thread, in turn.
 * Thread: a worker of the measurement (kernels-worker.ts).
 */

import { Counters } from '#src/mem/index';
import { SocketAddress, type StreamSocket } from '#src/socket/socket';
import { damage, PERIOD, pattern } from '../path/programs/pattern.mjs';
import type { Side } from './kernels-worker.ts';

const PORT = 7;
const READ_BYTES = 65_536;
const EAGAIN = -11;
/** Writes per turn of the sender, and turns in which nothing moves until the connection is called stuck. */
const WRITES = 4;
const QUIET_TURNS = 1_000_000;

/** A turn of a kernel, and what it has to send. */
function give({ kernel, work }: Side): void {
  work();
  kernel.cpus[0].flush();
}

/** The two ends of a connection. */
function connect(sender: Side, receiver: Side): [StreamSocket, StreamSocket] {
  const listener = receiver.kernel.sockets.stream();
  if (listener.bind(SocketAddress.any(4, PORT)) < 0 || listener.listen(1) < 0) throw new Error('cannot listen');
  const socket = sender.kernel.sockets.stream();
  socket.setOption('noDelay', true);
  socket.connect(SocketAddress.ipv4(sender.peer, PORT));
  for (let turn = 0; turn < QUIET_TURNS; turn++) {
    give(sender);
    give(receiver);
    const accepted = socket.state === 'ESTABLISHED' ? listener.accept() : null;
    if (accepted !== null) return [socket, accepted];
  }
  throw new Error('no connection');
}

/** Segments with data that a kernel has sent, or received. */
function segmentCounter({ kernel }: Side, name: string): () => number {
  const block = Counters.list(kernel.arena).find((one) => one.name === kernel.name) as Counters;
  const index = block.index(name);
  return () => block.get(index);
}

/**
 * Nanoseconds per segment with data: of the sender for writing, sending and taking acknowledgments, of the receiver for
 * taking segments, acknowledging and reading. Nobody else holds the cache lines.
 */
export function aloneTcp(sender: Side, receiver: Side): Record<string, number> {
  const { run } = sender;
  const [socket, peer] = connect(sender, receiver);
  const [data, expected, into] = [pattern(run.payloadBytes), pattern(0), new Uint8Array(READ_BYTES)];
  const sentSegments = segmentCounter(sender, 'tcp-data-packets-sent');
  const receivedSegments = segmentCounter(receiver, 'tcp-packets-received-in-sequence');
  const warmMs = performance.now() + run.warmupMs;
  const untilMs = warmMs + run.ms;
  let [sendMs, receiveMs, sentCount, receivedCount] = [0, 0, 0, 0];
  let [sent, received, damaged, quiet] = [0, 0, 0, 0];
  for (let startMs = performance.now(); startMs < untilMs && quiet < QUIET_TURNS; ) {
    const [sentBefore, receivedBefore] = [sentSegments(), receivedSegments()];
    for (let i = 0, n = 1; i < WRITES && n > 0; i++) {
      n = socket.send(data, sent % PERIOD, run.payloadBytes);
      if (n > 0) sent += n;
      else if (n !== EAGAIN) throw new Error(`send: error ${n}`);
    }
    give(sender);
    const middleMs = performance.now();
    receiver.work();
    for (let n = 1; n > 0; ) {
      n = peer.receive(into, 0, READ_BYTES);
      if (n <= 0) break;
      damaged += damage(expected, into.subarray(0, n), received);
      received += n;
    }
    receiver.kernel.cpus[0].flush();
    const endMs = performance.now();
    const [out, arrived] = [sentSegments() - sentBefore, receivedSegments() - receivedBefore];
    quiet = out + arrived > 0 ? 0 : quiet + 1;
    // Turns in which both wait for a timer are not work.
    if (startMs >= warmMs && out + arrived > 0) {
      sendMs += middleMs - startMs;
      receiveMs += endMs - middleMs;
      sentCount += out;
      receivedCount += arrived;
    }
    startMs = endMs;
  }
  if (sentCount === 0 || receivedCount === 0) throw new Error('the connection stood still');
  return { sendNs: (sendMs * 1e6) / sentCount, receiveNs: (receiveMs * 1e6) / receivedCount, damaged };
}
