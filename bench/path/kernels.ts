/**
 * Role: the stage of kernels: server and client as programs of two kernels of one lab, on one network, each beside its kernel or in a
 * process of its own. Every pair of programs has a fresh lab.
 * Thread: the harness's main thread, which is the lab's supervisor. Only the public façade is used.
 */

import type { ImpairmentOptions, Lab, LabNode, NetworkOptions, Placement } from '#src/index';
import { jsonLine } from '../harness/tools.ts';
import { type ProgramCall, type ProgramResult, programUrl, type Stage } from './stages.ts';

const PORT = 8000;

export class KernelStage implements Stage {
  readonly name: string;
  readonly system = 'multikernel' as const;
  private readonly network: NetworkOptions;
  private readonly placement: Placement;
  private readonly impair: ImpairmentOptions | undefined;
  private net: Promise<Lab> | undefined;

  constructor(
    name: string = 'two kernels',
    network: NetworkOptions = {},
    placement: Placement = 'beside',
    impair?: ImpairmentOptions,
  ) {
    this.name = name;
    this.network = network;
    this.placement = placement;
    this.impair = impair;
  }

  async endpoint(): Promise<{ host: string; port: number }> {
    const { addresses } = await (await this.lab()).node('server').status();
    const host = addresses[0]?.address;
    if (host === undefined) throw new Error('the kernel has no address');
    return { host, port: PORT };
  }

  async run(
    role: 'server' | 'client',
    { program, args }: ProgramCall,
    limitMs: number,
    signal: AbortSignal,
  ): Promise<ProgramResult> {
    signal.throwIfAborted();
    const net = await this.lab();
    const node = net.node(role);
    let why: string | undefined;
    const stop = (reason: string): void => {
      why ??= reason;
      // It may have ended just now.
      node.powerOff().catch(() => {});
    };
    const timer = setTimeout(() => stop(`no result within ${limitMs / 1000} s`), limitMs);
    const onAbort = (): void => stop('interrupted');
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const output = await runToReport(net, node, programUrl(program), args);
      if (why !== undefined) throw new Error(`${program}: ${why}`);
      return jsonLine(output);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
  }

  /**
   * Takes the lab down. Programs that ended would wait for their peers to acknowledge the last segments, and a peer that ended
   * first cannot: nothing of that is measured.
   */
  clear(): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    // A lab that did not come up was reported by the runs.
    const net = await this.net?.catch(() => undefined);
    this.net = undefined;
    await net?.down();
  }

  private lab(): Promise<Lab> {
    this.net ??= import('#src/index').then(({ lab }) =>
      lab({
        name: 'bench',
        networks: { lan: this.network },
        defaults: { node: { placement: this.placement } },
        nodes: { server: {}, client: {} },
        ...(this.impair === undefined ? {} : { links: [{ endpoints: ['client', 'server'], impair: this.impair }] }),
      }),
    );
    return this.net;
  }
}

/** Runs a program on a kernel until it prints its line of JSON, or its thread ends. Throws with its last error. */
async function runToReport(net: Lab, node: LabNode, script: URL, args: readonly string[]): Promise<string> {
  const logs = net.logs({ nodes: [node.name], lines: 0, follow: true });
  const lines: string[] = [];
  try {
    await node.run(script, { argv: [...args] });
    for await (const line of logs) {
      if (line.source === 'stdout') lines.push(line.text);
      if (line.source === 'stdout' && line.text.startsWith('{')) return line.text;
      // A change of state is written when the node is down, for whatever reason.
      if (line.source === 'state') break;
    }
  } finally {
    logs.close();
  }
  const { exitCode, lastError, phase } = await node.status();
  if (lastError !== null) throw new Error(`${node.name}: ${lastError.message.split('\n')[0]}`);
  if (phase === 'exited' && exitCode !== 0) throw new Error(`${node.name}: exit code ${exitCode}`);
  return lines.join('\n');
}
