/**
 * Names in the lab file that stand for something else in it: dependencies between nodes, and what checks look at.
 *
 * Thread: the supervisor's. Finds what does not exist, and nodes that wait for each other in a circle.
 */

import { parseAddress } from './addressing.ts';
import { parseAddress6 } from './addressing6.ts';
import type { CheckConfig, LabConfig } from './config.ts';
import type { KeyPath, Problem } from './lab-file.ts';
import { nearest } from './suggest.ts';

/** "no node x; did you mean y?" */
export function unknownName(path: KeyPath, what: string, name: string, known: readonly string[]): Problem {
  const near = nearest(name, known);
  const there = known.length > 0 ? `; there are ${known.join(', ')}` : '';
  return { path, message: `no ${what} "${name}"${near === null ? there : `; did you mean ${near}?`}` };
}

/** Everything that refers to nothing. */
export function referenceProblems(config: LabConfig, domain: string): Problem[] {
  return [...dependencyProblems(config), ...checkProblems(config, domain)];
}

function dependencyProblems(config: LabConfig): Problem[] {
  const problems: Problem[] = [];
  const names = config.nodes.map((node) => node.name);
  for (const node of config.nodes) {
    for (const { node: other, state } of node.dependsOn) {
      const path = ['nodes', node.name, 'depends_on', other];
      const target = config.nodes.find((candidate) => candidate.name === other);
      if (target === undefined) problems.push(unknownName(path, 'node', other, names));
      else if (target.run === null && state !== 'running') problems.push({ path, message: `${other} runs no program` });
    }
  }
  const cycle = findCycle(new Map(config.nodes.map((node) => [node.name, node.dependsOn.map((d) => d.node)])));
  if (cycle !== null) {
    const path = ['nodes', cycle[0] as string, 'depends_on'];
    problems.push({ path, message: `${cycle.join(' waits for ')}: none of them could start` });
  }
  return problems;
}

function checkProblems(config: LabConfig, domain: string): Problem[] {
  const problems: Problem[] = [];
  const names = config.nodes.map((node) => node.name);
  const domains = [domain, ...config.networks.map((network) => network.domain).filter((name) => name !== null)];
  const known = new Set(names.flatMap((name) => [name, ...domains.map((suffix) => `${name}.${suffix}`)]));
  config.checks.forEach((check, index) => {
    for (const key of ['from', 'of'] as const) {
      const name = check[key];
      if (name !== null && !names.includes(name))
        problems.push(unknownName(['checks', index, key], 'node', name, names));
    }
    const host = checkedHost(check);
    if (host === null || known.has(host) || host === 'localhost' || isAddress(host)) return;
    problems.push(unknownName(['checks', index, check.kind], check.kind === 'state' ? 'node' : 'host', host, names));
  });
  return problems;
}

function isAddress(host: string): boolean {
  return parseAddress(host) !== null || parseAddress6(host) !== null;
}

function checkedHost(check: CheckConfig): string | null {
  if (check.kind === 'metric') return null;
  if (check.kind === 'tcp') return withoutBrackets(check.target.slice(0, check.target.lastIndexOf(':')));
  if (check.kind === 'http')
    return withoutBrackets(URL.canParse(check.target) ? new URL(check.target).hostname : check.target);
  return check.target;
}

/** The host of `[fd00::1]`, as URLs write it, or the host itself. */
export function withoutBrackets(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

/** Nodes that wait for each other in a circle, the first one repeated at the end; null when there is none. */
function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>();
  const walk = (name: string, path: string[]): string[] | null => {
    const at = path.indexOf(name);
    if (at >= 0) return [...path.slice(at), name];
    if (done.has(name)) return null;
    for (const next of edges.get(name) ?? []) {
      const cycle = walk(next, [...path, name]);
      if (cycle !== null) return cycle;
    }
    done.add(name);
    return null;
  };
  for (const name of edges.keys()) {
    const cycle = walk(name, []);
    if (cycle !== null) return cycle;
  }
  return null;
}
