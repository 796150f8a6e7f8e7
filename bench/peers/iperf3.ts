/**
 * Role: iperf3 between two processes: over the loopback, and over a veth pair between two namespaces with offloads on and off.
 * Thread: children of the harness. One iperf3 server per repetition (-1), on a free port.
 */

import type { Measured, Subject } from '../harness/measure.ts';
import type { Unit } from '../harness/row.ts';
import { type CompiledPeers, findTool, lacking, runTool } from '../harness/tools.ts';
import { freePort } from '../path/stages.ts';
import { namespacesMissing, SERVER_ADDRESS, VethPair } from './namespaces.ts';

export const IPERF_LOOPBACK_TCP = 'iperf3 TCP loopback, 128 KiB writes';
export const IPERF_LOOPBACK_UDP_1472 = 'iperf3 UDP loopback 1472 B';
export const IPERF_VETH_ON = 'iperf3 TCP veth, offloads on';
export const IPERF_VETH_OFF = 'iperf3 TCP veth, offloads off';

/** Port of the server inside a namespace, where nobody else is. */
const PORT = 5201;
const GRACE_MS = 15_000;

interface Place {
  address: string;
  port(): Promise<number>;
  /** Words in front of `iperf3` on the command line of each side. */
  serverPrefix: readonly string[];
  clientPrefix: readonly string[];
  close(): void;
}

interface Test {
  name: string;
  args: readonly string[];
  udp?: boolean;
  open(): Place;
  missing?: string | undefined;
}

const loopback = (): Place => ({
  address: '127.0.0.1',
  port: freePort,
  serverPrefix: [],
  clientPrefix: [],
  close: () => {},
});

function veth(peers: CompiledPeers, offloads: boolean): Place {
  const pair = new VethPair(peers);
  try {
    if (!offloads) pair.offloadsOff();
  } catch (error) {
    pair.remove();
    throw error;
  }
  return {
    address: SERVER_ADDRESS,
    port: async () => PORT,
    serverPrefix: ['ip', 'netns', 'exec', pair.server],
    clientPrefix: ['ip', 'netns', 'exec', pair.client],
    close: pair.remove,
  };
}

/** All iperf3 rows; TCP without Nagle where the write size is a segment. `path` replaces PATH. */
export function iperfSubjects(
  peers: CompiledPeers,
  options: { seconds: number; quick: boolean; path?: string },
): Subject[] {
  const on = (): Place => veth(peers, true);
  const off = (): Place => veth(peers, false);
  const noNamespaces = namespacesMissing(options.path);
  const noSwitch = findTool('ethtool', options.path) === null ? peers.missing() : undefined;
  const offMissing = noNamespaces ?? (noSwitch === undefined ? undefined : 'ethtool: not installed, nor a C compiler');
  const segments = ['-l', '1460', '-N'];
  const udp = (bytes: number): string[] => ['-u', '-b', '0', '-l', String(bytes)];
  const tests: Test[] = [
    { name: IPERF_LOOPBACK_TCP, args: [], open: loopback },
    { name: 'iperf3 TCP loopback, 1460 B writes', args: segments, open: loopback },
    { name: IPERF_LOOPBACK_UDP_1472, args: udp(1472), udp: true, open: loopback },
    { name: 'iperf3 UDP loopback 64 B', args: udp(64), udp: true, open: loopback },
    { name: IPERF_VETH_ON, args: [], open: on, missing: noNamespaces },
    { name: IPERF_VETH_OFF, args: [], open: off, missing: offMissing },
    { name: 'iperf3 UDP veth 1472 B', args: udp(1472), udp: true, open: on, missing: noNamespaces },
    { name: 'iperf3 UDP veth 64 B', args: udp(64), udp: true, open: on, missing: noNamespaces },
  ];
  const missing = lacking(['iperf3'], options.path);
  return tests.map((test) => subject(test, missing ?? test.missing, options));
}

function subject(
  test: Test,
  missing: string | undefined,
  { seconds, quick }: { seconds: number; quick: boolean },
): Subject {
  const rate = (unit: Unit): string => `${test.name}${unit === 'Mpps' ? ', packets' : ''}`;
  return {
    name: test.name,
    system: 'Linux',
    metrics: [
      { key: 'gbps', metric: rate('Gbit/s'), unit: 'Gbit/s' },
      ...(test.udp === true ? [{ key: 'mpps', metric: rate('Mpps'), unit: 'Mpps' as const }] : []),
    ],
    placementMatters: false,
    ...(quick ? { repetitionsMax: test.udp === true ? 1 : 2 } : {}),
    ...(missing === undefined ? {} : { missing }),
    async run(signal): Promise<Measured> {
      const place = test.open();
      try {
        return { values: await runIperf(place, test, seconds, signal) };
      } finally {
        place.close();
      }
    },
  };
}

/** One iperf3 run; rates are the receiver's. */
async function runIperf(place: Place, test: Test, seconds: number, stop: AbortSignal): Promise<Record<string, number>> {
  const port = String(await place.port());
  const limitMs = seconds * 1000 + GRACE_MS;
  const either = new AbortController();
  const signal = AbortSignal.any([stop, either.signal]);
  const run = (prefix: readonly string[], args: string[], onOutput?: (text: string) => void): Promise<string> => {
    const [file, ...rest] = [...prefix, 'iperf3', ...args] as [string, ...string[]];
    return runTool(file, rest, { limitMs, signal, ...(onOutput && { onOutput }) });
  };
  let listening = (): void => {};
  const ready = new Promise<void>((resolve) => {
    listening = resolve;
  });
  const server = run(place.serverPrefix, ['-s', '-1', '-B', place.address, '-p', port, '--forceflush'], (text) => {
    if (text.includes('listening')) listening();
  });
  try {
    await Promise.race([ready, server]);
    const time = ['-t', String(seconds), '-J'];
    const output = await run(place.clientPrefix, ['-c', place.address, '-p', port, ...time, ...test.args]);
    await server;
    return iperfRates(output, test.udp === true);
  } catch (error) {
    either.abort();
    await Promise.allSettled([server]);
    throw error;
  }
}

interface IperfSum {
  bits_per_second: number;
  seconds: number;
  packets?: number;
  lost_packets?: number;
}

/** Receiver's rate out of iperf3's JSON. Throws with iperf3's own error. */
export function iperfRates(output: string, udp: boolean): Record<string, number> {
  const report = JSON.parse(output) as { error?: string; end?: { sum?: IperfSum; sum_received?: IperfSum } };
  if (report.error !== undefined) throw new Error(`iperf3: ${report.error}`);
  const received = report.end?.sum_received;
  if (!udp) {
    if (received === undefined) throw new Error('iperf3: no result');
    return { gbps: received.bits_per_second / 1e9 };
  }
  const sum = report.end?.sum;
  if (sum === undefined || sum.packets === undefined) throw new Error('iperf3: no result');
  const share = sum.packets === 0 ? 0 : (sum.packets - (sum.lost_packets ?? 0)) / sum.packets;
  const packets = (sum.packets * share) / sum.seconds;
  // The sum is the sender's: what it sent, of which the lost did not arrive.
  return { gbps: (sum.bits_per_second * share) / 1e9, mpps: packets / 1e6 };
}
