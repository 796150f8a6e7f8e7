/**
 * `mk break` as the kernels see it: ingress rules put in and taken out while TCP and UDP are at work.
 */

import { describe, expect, it } from 'vitest';
import { Errno } from '../../src/base/errors.ts';
import { SeededRng } from '../../src/base/rng.ts';
import { SocketAddress, type StreamSocket } from '../../src/socket/socket.ts';
import type { SocketInfo } from '../../src/tools/socket-text.ts';
import { textControl } from '../fixtures/text-control.ts';
import { SimNetwork } from './network.ts';
import { End, serve } from './transfer.ts';

const SECOND_US = 1_000_000;
const BYTES = 2_000_000;
const A = '10.0.0.1';
const B = '10.0.0.2';
const PORT = 80;
/** After so long, the reader has read what was there before the cut (it pauses now and then). */
const SETTLED_SEC = 3;

interface World {
  network: SimNetwork;
  client: End;
  socket: StreamSocket;
  ends: End[];
}

/** A transfer from a to b that takes some seconds. */
function transfer(seed: number): World {
  const network = new SimNetwork({ seed, kernels: ['a', 'b'], impairment: { delayUs: 10_000, rateBps: 4_000_000 } });
  const { simulation } = network;
  const { ends } = serve(simulation, new SeededRng(seed), network.kernel('b'), PORT, 1, 0);
  const socket = network.kernel('a').sockets.stream();
  const client = new End(simulation, new SeededRng(seed + 1), socket, 0, BYTES, false);
  expect(socket.connect(SocketAddress.ipv4(0x0a000002, PORT))).toBe(-Errno.EINPROGRESS);
  simulation.run(SECOND_US);
  expect(ends[0]?.received).toBeGreaterThan(0);
  return { network, client, socket, ends };
}

function cut(network: SimNetwork, kernel: 'a' | 'b', action: 'drop' | 'reject'): void {
  textControl(network.kernel(kernel), 'filter.add', { id: 'cut', from: [kernel === 'a' ? B : A], action });
}

function row(network: SimNetwork): SocketInfo | undefined {
  return textControl(network.kernel('a'), 'sockets', {}).find((socket) => socket.protocol === 'tcp');
}

describe('a cut that drops', () => {
  for (const seconds of [20, 60, 300]) {
    it(`for ${seconds} s: the connection goes half-open, its timer doubles, and all arrives after it is healed`, () => {
      const { network, client, ends } = transfer(seconds);
      const { simulation } = network;
      cut(network, 'a', 'drop');
      cut(network, 'b', 'drop');
      simulation.run(simulation.nowUs() + SETTLED_SEC * SECOND_US);
      const before = ends[0]!.received;
      const first = row(network);
      simulation.run(simulation.nowUs() + (seconds - SETTLED_SEC) * SECOND_US);
      const later = row(network);
      expect(ends[0]!.received).toBe(before);
      expect(later?.state).toBe('ESTABLISHED');
      expect(later!.retransmits).toBeGreaterThan(first!.retransmits);
      expect(later!.rtoMs).toBeGreaterThanOrEqual(2 * first!.rtoMs);
      for (const name of ['a', 'b'] as const) textControl(network.kernel(name), 'filter.remove', { id: 'cut' });
      const untilUs = simulation.nowUs() + 300 * SECOND_US;
      expect(simulation.runUntil(() => client.finished && ends[0]!.finished, untilUs)).toBe(true);
      expect([client.error, ends[0]!.wrongAt, ends[0]!.received]).toEqual([0, -1, BYTES]);
    });
  }

  it('one way only: what the other says still arrives', () => {
    const { network, ends } = transfer(7);
    const { simulation } = network;
    cut(network, 'a', 'drop');
    simulation.run(simulation.nowUs() + SETTLED_SEC * SECOND_US);
    const afterCut = ends[0]!.received;
    simulation.run(simulation.nowUs() + 10 * SECOND_US);
    expect(ends[0]!.received).toBe(afterCut);
    textControl(network.kernel('a'), 'filter.remove', { id: 'cut' });
    expect(simulation.runUntil(() => ends[0]!.finished, simulation.nowUs() + 100 * SECOND_US)).toBe(true);
    expect(ends[0]!.received).toBe(BYTES);
  });
});

describe('a cut that rejects', () => {
  it('ends connections at once, at both ends', () => {
    const { network, client, ends } = transfer(9);
    const { simulation } = network;
    cut(network, 'a', 'reject');
    cut(network, 'b', 'reject');
    simulation.run(simulation.nowUs() + SECOND_US);
    expect([client.error, ends[0]!.error]).toEqual([-Errno.ECONNRESET, -Errno.ECONNRESET]);
  });

  it('refuses new connections, and datagrams of connected sockets', () => {
    const { network } = transfer(10);
    const { simulation } = network;
    cut(network, 'b', 'reject');
    const socket = network.kernel('a').sockets.stream();
    socket.connect(SocketAddress.ipv4(0x0a000002, PORT));
    const datagram = network.kernel('a').sockets.datagram();
    datagram.connect(SocketAddress.ipv4(0x0a000002, PORT));
    datagram.send(Uint8Array.of(1), 0, 1, null);
    simulation.run(simulation.nowUs() + SECOND_US);
    expect([socket.error, datagram.error]).toEqual([-Errno.ECONNREFUSED, -Errno.ECONNREFUSED]);
  });
});
