/**
 * One random world of kernels and connections on the simulated host; everything follows from the seed.
 */

import { randomBelow, randomUnit, SeededRng } from '../../src/base/rng.ts';
import type { Impairment } from '../../src/link/impairment.ts';
import type { Arena } from '../../src/mem/arena.ts';
import { addressOf } from '../fixtures/socket-address.ts';
import { textControl } from '../fixtures/text-control.ts';
import { SimNetwork } from './network.ts';
import { End, serve } from './transfer.ts';

const SECOND_US = 1_000_000;
const HEAP_BYTES = 8 * 1024 * 1024;
const NAMES = ['a', 'b'] as const;
const SWEEP_US = 70_000;
const SWEEPS = 300;
const STRANGERS = 8;

function badLink(rng: SeededRng): Impairment {
  const impairment: Impairment = { delayUs: randomBelow(rng, 50_000) };
  if (randomBelow(rng, 2)) impairment.jitterUs = randomBelow(rng, 10_000);
  if (randomBelow(rng, 2)) impairment.loss = randomUnit(rng) * 0.1;
  if (randomBelow(rng, 3) === 0) impairment.duplicate = randomUnit(rng) * 0.05;
  if (randomBelow(rng, 3) === 0) impairment.reorder = randomUnit(rng) * 0.1;
  if (randomBelow(rng, 3) === 0) impairment.corrupt = randomUnit(rng) * 0.02;
  if (randomBelow(rng, 3) === 0) impairment.rateBps = 1e6 + randomBelow(rng, 50e6);
  if (randomBelow(rng, 4) === 0) impairment.burst = { enter: 0.005, leave: 0.3 };
  return impairment;
}

/** What became of one end of a connection. */
export interface EndFigures {
  sent: number;
  received: number;
  expected: number;
  wrongAt: number;
  error: number;
}

export interface Outcome {
  ends: EndFigures[];
  /** What should be gone and is not. */
  left: string[];
  atUs: number;
}

function figures(end: End | undefined, expected: number): EndFigures {
  if (end === undefined) return { sent: 0, received: 0, expected, wrongAt: -1, error: 0 };
  const { sent, received, wrongAt, error } = end;
  return { sent, received, expected, wrongAt, error };
}

/** Cut one or both directions for up to eight seconds: less than what a handshake survives. */
function partition(network: SimNetwork, rng: SeededRng, normal: Impairment): void {
  const fromUs = randomBelow(rng, 5 * SECOND_US);
  const untilUs = fromUs + randomBelow(rng, 8 * SECOND_US);
  const names = randomBelow(rng, 2) ? NAMES : (['a'] as const);
  network.simulation.at(fromUs, () => {
    for (const name of names) network.cut(name, { loss: 1 });
  });
  network.simulation.at(untilUs, () => {
    for (const name of names) network.cut(name, normal);
  });
}

/** Sockets other than listeners, and memory beyond what the kernels took at boot. */
function leftovers(network: SimNetwork, bootBytes: readonly number[]): string[] {
  return NAMES.flatMap((name, index) => {
    const kernel = network.kernel(name);
    const sockets = textControl(kernel, 'sockets', {}).filter((row) => row.state !== 'LISTEN');
    const heldBytes = kernel.inet.cpus[0].context.heap.usedBytes - (bootBytes[index] as number);
    return [
      ...sockets.map((row) => `${name}: ${row.state} ${row.localPort}-${row.peerPort}`),
      ...(heldBytes === 0 ? [] : [`${name}: ${heldBytes} bytes of buffers`]),
    ];
  });
}

/**
 * Free what no part of the kernels keeps, several times a second, and give the numbers to other addresses: whoever kept one
 * without saying so speaks to a stranger from then on.
 */
function forgetAddresses(network: SimNetwork): void {
  const { simulation } = network;
  for (let i = 1; i <= SWEEPS; i++) {
    simulation.at(i * SWEEP_US, () => {
      for (const name of NAMES) {
        const { interner } = network.kernel(name).inet.shared;
        interner.sweep();
        for (let n = 0; n < STRANGERS; n++) interner.intern(0x20010db9, i, n, 1, 0);
      }
    });
  }
}

/**
 * Two kernels, a bad link, up to three connections with traffic both ways; runs until all is over. With `ipv6` the
 * connections are of IPv6, and of IPv4 to the same sockets by turns.
 */
export function runScenario(seed: number, arena: Arena, ipv6: boolean = false): Outcome {
  const rng = new SeededRng(seed);
  const network = new SimNetwork({ seed, kernels: NAMES, arena, heapBytes: HEAP_BYTES, ringBytes: 256 * 1024, ipv6 });
  const { simulation } = network;
  const bootBytes = NAMES.map((name) => network.kernel(name).inet.cpus[0].context.heap.usedBytes);
  const normal = badLink(rng);
  for (const name of NAMES) network.cut(name, normal);
  // Bursts are counted in frames: one can swallow all the retransmissions that a closed socket is usually worth.
  for (const name of NAMES) network.kernel(name).inet.sysctl.set('net.inet.tcp.orphan_retries', 15);
  if (ipv6) forgetAddresses(network);
  const pairs: { client: End; served: End[]; up: number; down: number }[] = [];
  const count = 1 + randomBelow(rng, 3);
  for (let i = 0; i < count; i++) {
    const port = 1000 + i;
    const up = randomBelow(rng, 150_000);
    const down = randomBelow(rng, 150_000);
    const { ends: served } = serve(simulation, rng, network.kernel('b'), port, 2 * i + 1, down, ipv6 ? 6 : 4);
    const { sockets } = network.kernel('a');
    const socket = sockets.stream(ipv6 ? 6 : 4);
    const server = ipv6 && i !== 1 ? SimNetwork.address6(1) : SimNetwork.address(1);
    const client = new End(simulation, rng, socket, 2 * i, up, false);
    simulation.at(randomBelow(rng, SECOND_US), () => {
      socket.connect(addressOf(server, port, sockets));
    });
    pairs.push({ client, served, up, down });
  }
  if (randomBelow(rng, 3) === 0) partition(network, rng, normal);
  const done = (): boolean => pairs.every(({ client, served }) => client.finished && (served[0]?.finished ?? false));
  simulation.runUntil(done, 600 * SECOND_US);
  const atUs = simulation.nowUs();
  // Long enough for TIME_WAIT and every timer.
  simulation.run(atUs + 300 * SECOND_US);
  const ends = pairs.flatMap(({ client, served, up, down }) => [figures(client, down), figures(served[0], up)]);
  return { ends, left: leftovers(network, bootBytes), atUs };
}
