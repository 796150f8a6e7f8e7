/**
 * A lab under mixed load: HTTP, TCP and UDP, downloads, child processes and threads that come and go. It tells the exchanges that
 * were made, what failed, and the memory of the process of the lab at rest.
 *
 * Thread: the process of the lab. Loads the built package (`npm run build`). At rest no program does anything, and every thread has
 * collected its garbage and given free pages back: V8 keeps tens of MiB under load, more or less by chance.
 */

import { Session } from 'node:inspector/promises';
import { resolve } from 'node:path';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';

const PROGRAMS: string = resolve('test/soak/programs');
const COLLECTIONS = 3;
const NODES = ['server', 'client', 'parent', 'apart'] as const;

/** Answer of a program's control port (programs/load.cjs). */
interface Answer {
  counts: Record<string, number>;
  memory: NodeJS.MemoryUsage;
}

export interface Rest {
  /** Resident memory of the process of the lab, bytes. */
  rssBytes: number;
  /** Of it, heaps of V8 and memory outside that their objects hold, all threads. */
  heapBytes: number;
  externalBytes: number;
}

/**
 * All threads collect, those of kernels too, as a system short of memory would have it: `gc` would leave free pages with V8. A thread
 * of a lab collects its old space at 128 MiB for the first time, so that garbage of some minutes would look like a leak.
 */
async function collect(): Promise<void> {
  const session = new Session();
  session.connect();
  const workers: string[] = [];
  const answers = new Map<string, () => void>();
  session.on('NodeWorker.attachedToWorker', ({ params }) => workers.push(params.sessionId));
  session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => answers.get(params.sessionId)?.());
  await session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });
  await session.post('HeapProfiler.collectGarbage');
  for (const sessionId of workers) {
    const answered = new Promise<void>((done) => answers.set(sessionId, done));
    const message = JSON.stringify({ id: 1, method: 'HeapProfiler.collectGarbage' });
    await session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
    await answered;
  }
  await session.post('NodeWorker.disable');
  session.disconnect();
}

export class Soak implements AsyncDisposable {
  readonly lab: Facade.Lab;
  /** Ends of programs, and what they wrote on standard error. */
  readonly faults: string[] = [];

  private constructor(lab: Facade.Lab) {
    this.lab = lab;
  }

  static async begin(): Promise<Soak> {
    const mk = await builtFacade();
    const depends = { depends_on: { server: 'listening:80' } };
    const lab = await mk.lab(
      {
        defaults: { node: { placement: 'beside' } },
        nodes: {
          server: { run: 'node server.cjs' },
          client: { run: 'node client.cjs', ...depends },
          parent: { run: 'node parent.cjs', ...depends },
          apart: { run: 'node client.cjs', placement: 'process', ...depends },
        },
      },
      { folder: PROGRAMS },
    );
    const soak = new Soak(lab);
    void soak.#listen();
    for (const node of NODES) {
      const listens = async (): Promise<boolean> => (await lab.node(node).status()).listening.tcp.includes(9);
      await lab.until(listens, { timeoutMs: 120_000, everyMs: 200 });
    }
    return soak;
  }

  async #listen(): Promise<void> {
    for await (const { node, source, text } of this.lab.logs({ follow: true })) {
      if (source === 'stderr' || /crashed|exited/.test(text)) this.faults.push(`${node}: ${text}`);
    }
  }

  async #ask(path: string): Promise<Map<string, Answer>> {
    const from = this.lab.node('server');
    const answers = NODES.map(async (node) => {
      const response = await from.fetch(`http://${node}:9/${path}`);
      return [node, (await response.json()) as Answer] as const;
    });
    return new Map(await Promise.all(answers));
  }

  /** Exchanges made so far, by kind, of all programs. */
  async counts(): Promise<Record<string, number>> {
    const sums: Record<string, number> = {};
    for (const { counts } of (await this.#ask('counts')).values()) {
      for (const [kind, count] of Object.entries(counts)) sums[kind] = (sums[kind] ?? 0) + count;
    }
    return sums;
  }

  /** Let all programs rest. Returns the memory then; `go` ends it. */
  async rest(): Promise<Rest> {
    await this.#ask('rest');
    for (let i = 0; i < COLLECTIONS; i++) await collect();
    const answers = await this.#ask('counts');
    // A program that is a process has memory of its own.
    answers.delete('apart');
    const own = process.memoryUsage();
    const threads = [own, ...[...answers.values()].map(({ memory }) => memory)];
    return {
      rssBytes: own.rss,
      heapBytes: threads.reduce((sum, { heapTotal }) => sum + heapTotal, 0),
      externalBytes: threads.reduce((sum, { external }) => sum + external, 0),
    };
  }

  async go(): Promise<void> {
    await this.#ask('go');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab.down();
  }
}
