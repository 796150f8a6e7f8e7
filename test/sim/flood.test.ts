/**
 * Floods: bounded memory, answers that are few, and half the goodput at least for the honest connection. What the numbers
 * mean is told in flood-world.ts.
 */

import { describe, expect, it } from 'vitest';
import { routeRows } from '../fixtures/inet-text.ts';
import { textControl } from '../fixtures/text-control.ts';
import { FLOODS, type Flood } from './flood-frames.ts';
import { FLOODS_6 } from './flood-frames-6.ts';
import { FloodWorld } from './flood-world.ts';

const SECONDS = 2;
/** What the kernel holds for the honest connection and everything that a flood may take, each at its limit. */
const HEAP_BYTES_MAX: number = 8 << 20;
const CALLOUTS_MAX = 12_000;
/** Limits of the test, low enough to be met. */
const LIMITS: readonly (readonly [name: string, value: number])[] = [
  ['net.inet.icmp.replyppslimit', 500],
  ['net.inet.arp.replyppslimit', 500],
  ['net.inet.icmp.errppslimit', 100],
  ['net.inet.tcp.rstppslimit', 500],
  ['net.inet.tcp.challenge_ack_limit', 500],
  ['net.inet.igmp.reportppslimit', 100],
  ['net.inet6.icmp6.replyppslimit', 500],
  ['net.inet6.icmp6.nd6_replyppslimit', 500],
  ['net.inet6.icmp6.errppslimit', 100],
  ['net.inet6.mld.reportppslimit', 100],
];
/** Answers a second that some floods get beyond the largest of those limits, and why. */
const MORE_ANSWERS: Readonly<Record<string, number>> = {
  // One SYN-ACK for each SYN, by cookies, else nobody else would get in; and questions for the addresses that are said to
  // be on the link.
  'SYNs from made-up addresses to the listening port': 10_000,
};
const MOST_ANSWERS = 500;

describe.each([
  ['IPv4', 'nobody has', FLOODS, 4, false],
  ['IPv4', 'the flooder claims', FLOODS, 4, true],
  ['IPv6', 'nobody has', FLOODS_6, 6, false],
  ['IPv6', 'the flooder claims', FLOODS_6, 6, true],
] as const)('%s: a flood from addresses that %s', (_, __, floods, family, claims) => {
  const world = new FloodWorld(claims ? 2 : 1, claims, family);
  for (const [name, value] of LIMITS) textControl(world.server, 'sysctl.set', { name, value });
  world.goodput(1);
  const quiet = world.metered.sent;
  const undisturbed = world.goodput(SECONDS);
  const ownAnswers = (world.metered.sent - quiet) / SECONDS;

  it('finds a link that the honest connection fills', () => {
    expect(undisturbed * 8).toBeGreaterThan(90e6);
  });

  it.each(Object.keys(floods))('%s', (name) => {
    const { flooder, metered, server } = world;
    flooder.flood = floods[name] as Flood;
    const floodedBefore = flooder.sent;
    const answeredBefore = metered.sent;
    const goodput = world.goodput(SECONDS);
    const flooded = (flooder.sent - floodedBefore) / SECONDS;
    const answers = (metered.sent - answeredBefore) / SECONDS - ownAnswers;

    // It is a flood: as many frames as the honest connection sends, at least.
    expect(flooded).toBeGreaterThan(5000);
    expect(goodput).toBeGreaterThan(undisturbed / 2);
    // Some slack for more acknowledgements of our own, for questions and repetitions.
    expect(answers).toBeLessThan((MORE_ANSWERS[name] ?? MOST_ANSWERS) + 250);
    expect(server.inet.cpus[0].context.heap.usedBytes).toBeLessThan(HEAP_BYTES_MAX);
    expect(server.cpus[0].cpu.callouts.size).toBeLessThan(CALLOUTS_MAX);
    for (const { table, variable, size } of server.inet.sysctl.limits.list()) {
      expect([table, Math.max(size(), variable.value)]).toEqual([table, variable.value]);
    }
    // Others get in meanwhile.
    expect(world.connects(5)).toBe(true);
    expect(world.uploadState).toBe('ESTABLISHED');
    flooder.flood = null;
  });

  it('leaves nothing when it is over', () => {
    const { server, network } = world;
    world.goodput(1);
    expect(world.goodput(SECONDS)).toBeGreaterThan(0.95 * undisturbed);
    world.stop();
    // Neighbors over IPv6 are kept for a day (NetBSD's nd6_gctimer).
    network.simulation.run(network.simulation.nowUs() + 25 * 3600e6);
    expect(server.cpus[0].tcp.synEntryCount).toBe(0);
    expect(server.inet.cpus[0].ip4.input.reassembly.count + server.inet.cpus[0].ip6.input.reassembly.count).toBe(0);
    for (const one of [4, 6] as const)
      expect(routeRows(server.inet, one).filter((route) => route.flags.includes('D'))).toEqual([]);
    expect(server.inet.ip4.neighbors.count + server.inet.ip6.neighbors.count).toBeLessThanOrEqual(2);
    expect(server.cpus[0].cpu.callouts.size).toBeLessThan(100);
  });
});
