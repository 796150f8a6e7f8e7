/**
 * Destinations that the ends of a tunnel reach through it, by its `routes:`; routing.ts decides for tunnels without.
 *
 * Thread: the supervisor's. Read first: tunnels.ts.
 */

import { formatAddress, type Prefix, parsePrefix } from './addressing.ts';
import { formatAddress6, type Prefix6, parsePrefix6 } from './addressing6.ts';
import type { TunnelConfig } from './config.ts';
import type { KeyPath } from './lab-file.ts';
import { addressesOf, type InterfacePlan, isIpv6, type NetworkPlan, type NodePlan } from './plan.ts';
import { unknownName } from './references.ts';
import type { RoutedTunnel, TunnelSide } from './routing.ts';
import type { PlannedTunnel } from './tunnels.ts';

type Report = (path: KeyPath, message: string) => void;
type Destination = { address: string; length: number };

/** Destinations of both families. */
interface Destinations {
  four: Destination[];
  six: Destination[];
}

/** The tunnels as the routes of IPv4 and of IPv6 see them: those that have addresses of the family at both ends. */
export function routedTunnels(
  tunnels: readonly PlannedTunnel[],
  configs: readonly TunnelConfig[],
  { nodes, networks }: { nodes: readonly NodePlan[]; networks: readonly NetworkPlan[] },
  report: Report,
): { four: RoutedTunnel[]; six: RoutedTunnel[] } {
  const found: { four: RoutedTunnel[]; six: RoutedTunnel[] } = { four: [], six: [] };
  for (const tunnel of tunnels) {
    const { index, network, nodes: names, outerNetworks } = tunnel;
    const { routes } = configs[index] as TunnelConfig;
    for (const name of Object.keys(routes ?? {})) {
      if (names.includes(name)) continue;
      report(['tunnels', index, 'routes', name], `${name} is no end of it; its ends are ${names.join(' and ')}`);
    }
    const named = names.map((name) =>
      routes === null ? null : destinationsOf(routes[name] ?? [], tunnel, name, networks, report),
    );
    for (const family of ['four', 'six'] as const) {
      const ends = names.flatMap((name, end): TunnelSide[] => {
        const node = nodes.find((one) => one.name === name) as NodePlan;
        const gif = node.interfaces.find((entry) => entry.network === network) as InterfacePlan;
        const address = addressesOf(gif).find((text) => isIpv6(text) === (family === 'six'));
        return address === undefined ? [] : [{ node: name, address, destinations: named[end]?.[family] ?? null }];
      });
      if (ends.length === 2) found[family].push({ network, ends: ends as [TunnelSide, TunnelSide], outerNetworks });
    }
  }
  return found;
}

function destinationsOf(
  texts: readonly string[],
  { index, network, outerNetworks }: PlannedTunnel,
  name: string,
  networks: readonly NetworkPlan[],
  report: Report,
): Destinations {
  const found: Destinations = { four: [], six: [] };
  const own = networks[network] as NetworkPlan;
  const add = (prefix: Prefix | null, prefix6: Prefix6 | null): void => {
    if (prefix !== null) found.four.push({ address: formatAddress(prefix.network), length: prefix.length });
    if (prefix6 !== null) found.six.push({ address: formatAddress6(prefix6.network), length: prefix6.length });
  };
  texts.forEach((text, place) => {
    const path = ['tunnels', index, 'routes', name, place];
    if (text === 'default') {
      if (own.prefix !== null) found.four.push({ address: '0.0.0.0', length: 0 });
      if (own.prefix6 !== null) found.six.push({ address: '::', length: 0 });
      return;
    }
    const target = networks.find((one) => one.name === text);
    if (target !== undefined) {
      if (!outerNetworks.includes(target.segment)) add(target.prefix, target.prefix6);
      else report(path, `the tunnel's own packets go to ${text}: they would go through the tunnel`);
      return;
    }
    if (!text.includes('/')) {
      const names = networks.filter(({ kind }) => kind !== 'tunnel').map((one) => one.name);
      report(path, unknownName(path, 'network', text, names).message);
      return;
    }
    const isSix = text.includes(':');
    const parsed = isSix ? parsePrefix6(text) : parsePrefix(text);
    if (typeof parsed === 'string') report(path, parsed);
    else if ((isSix ? own.prefix6 : own.prefix) === null)
      report(path, `the tunnel has no ${isSix ? 'IPv6' : 'IPv4'} prefix`);
    else add(isSix ? null : (parsed as Prefix), isSix ? (parsed as Prefix6) : null);
  });
  return found;
}
