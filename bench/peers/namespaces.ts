/**
 * Role: two network namespaces joined by a veth pair, made for a benchmark and removed after it.
 * Thread: the harness's main thread. Needs root; the machine's own interfaces are never touched. Addresses are those that
 * RFC 2544 reserves for benchmarks (198.18.0.0/15), and exist within the two namespaces only.
 */

import { spawnSync } from 'node:child_process';
import { type CompiledPeers, findTool, lacking, undoAtExit, undone } from '../harness/tools.ts';

export const SERVER_ADDRESS = '198.18.0.1';
export const CLIENT_ADDRESS = '198.18.0.2';
const DEVICE = 'veth0';
const OFFLOADS = ['tx', 'rx', 'sg', 'tso', 'gso', 'gro'];

let made = 0;

/** Why namespaces cannot be made here, or undefined. */
export function namespacesMissing(path?: string): string | undefined {
  if (process.platform !== 'linux') return `network namespaces: not on ${process.platform}`;
  const missing = lacking(['ip'], path);
  if (missing !== undefined) return missing;
  return process.getuid?.() === 0 ? undefined : 'network namespaces: needs root';
}

export class VethPair {
  readonly server: string;
  readonly client: string;
  private readonly peers: CompiledPeers;

  /** Makes both namespaces and the link; throws with one line when the machine refuses, and leaves nothing. */
  constructor(peers: CompiledPeers) {
    const stem = `mkbench-${process.pid}-${++made}`;
    this.server = `${stem}-s`;
    this.client = `${stem}-c`;
    this.peers = peers;
    undoAtExit(this.remove);
    try {
      ip('netns', 'add', this.server);
      ip('netns', 'add', this.client);
      ip('-n', this.server, 'link', 'add', DEVICE, 'type', 'veth', 'peer', 'name', DEVICE, 'netns', this.client);
      for (const [namespace, address] of [
        [this.server, SERVER_ADDRESS],
        [this.client, CLIENT_ADDRESS],
      ] as const) {
        ip('-n', namespace, 'address', 'add', `${address}/30`, 'dev', DEVICE);
        ip('-n', namespace, 'link', 'set', DEVICE, 'mtu', '1500', 'up');
      }
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** Switches segmentation, receive and checksum offloads off at both ends, so that real 1500-byte packets travel. */
  offloadsOff(): void {
    const ethtool = findTool('ethtool');
    const call =
      ethtool === null
        ? [this.peers.build('offload'), DEVICE]
        : [ethtool, '-K', DEVICE, ...OFFLOADS.flatMap((name) => [name, 'off'])];
    for (const namespace of [this.server, this.client]) ip('netns', 'exec', namespace, ...call);
  }

  /** Removes namespaces and link; safe to call twice. */
  readonly remove = (): void => {
    for (const namespace of [this.server, this.client])
      spawnSync('ip', ['netns', 'del', namespace], { stdio: 'ignore' });
    undone(this.remove);
  };
}

function ip(...args: string[]): void {
  const result = spawnSync('ip', args, { encoding: 'utf8', timeout: 10_000 });
  if (result.status === 0) return;
  const why = result.error?.message ?? result.stderr.trim().split('\n')[0] ?? `exit code ${result.status}`;
  throw new Error(`ip ${args.join(' ')}: ${why}`);
}
