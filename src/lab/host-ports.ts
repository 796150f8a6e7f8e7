/**
 * Ports of the host that lead to nodes: those of the lab file, as long as the lab is up, and those of `mk forward`.
 *
 * Thread: the supervisor's. Ports of a node that is switched off stay, and reset what comes. Read first: host-port.ts.
 */

import { MultikernelError } from '../base/errors.ts';
import type { FlowLog } from './flows.ts';
import { type HostPort, openPort, type PortTarget } from './host-port.ts';
import type { KeyPath } from './lab-file.ts';
import type { HostPortInfo } from './operations.ts';
import type { NodePlan } from './plan.ts';
import { type PortConfig, parsePort } from './port-text.ts';

/** A port of the lab file that the host refused. */
export class PortRefusal extends MultikernelError {
  readonly path: KeyPath;

  constructor(path: KeyPath, { code, message }: MultikernelError) {
    super(code, message);
    this.path = path;
  }
}

export class HostPorts {
  readonly #flows: FlowLog;
  readonly #changed: (node: string, ports: readonly HostPortInfo[]) => void;
  readonly #open: Map<HostPort, string> = new Map();
  #closed = false;

  /** `changed`: the ports that lead to a node are these now. */
  constructor(flows: FlowLog, changed: (node: string, ports: readonly HostPortInfo[]) => void) {
    this.#flows = flows;
    this.#changed = changed;
  }

  /** The ports of the lab file. Throws {@link PortRefusal}. */
  async openAll(nodes: readonly (PortTarget & { readonly plan: NodePlan })[]): Promise<void> {
    for (const node of nodes) {
      for (const [index, config] of node.plan.ports.entries()) {
        try {
          await this.#add(node, config);
        } catch (error) {
          throw new PortRefusal(['nodes', node.name, 'ports', index], error as MultikernelError);
        }
      }
    }
  }

  /** One more, until it is closed. Throws EINVAL for a text that is none, and the host's code. */
  async forward(node: PortTarget, text: string): Promise<HostPort> {
    const config = parsePort(text);
    if (typeof config === 'string') throw new MultikernelError('EINVAL', config);
    const port = await this.#add(node, config);
    return { info: port.info, close: () => this.#remove(port) };
  }

  close(): void {
    this.#closed = true;
    for (const port of this.#open.keys()) port.close();
    this.#open.clear();
  }

  async #add(node: PortTarget, config: PortConfig): Promise<HostPort> {
    const port = await openPort(config, node, this.#flows);
    if (this.#closed) {
      port.close();
      throw new MultikernelError('ECONNRESET', 'the lab went down');
    }
    this.#open.set(port, node.name);
    this.#tell(node.name);
    return port;
  }

  #remove(port: HostPort): void {
    const node = this.#open.get(port);
    if (node === undefined) return;
    this.#open.delete(port);
    port.close();
    this.#tell(node);
  }

  #tell(node: string): void {
    this.#changed(
      node,
      [...this.#open].filter(([, other]) => other === node).map(([{ info }]) => info),
    );
  }
}
