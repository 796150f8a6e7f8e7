/**
 * Servers on one bus ask each other for echoes, both families, while two of them are killed and started again: nobody hangs, and the
 * bus stays whole. By hand: MK_SERVERS=12, MK_RESTARTS=200.
 */

import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { libc } from '../../src/host/node/ffi/libc.ts';
import type { KernelClient } from '../../src/rump/kernel-client.ts';
import { kernelAtUrl } from '../../src/tools/bin/kernel-at.ts';
import { ifconfig } from '../../src/tools/ifconfig.ts';
import { KernelText } from '../../src/tools/kernel-text.ts';
import { pingStream } from '../../src/tools/ping-stream.ts';
import { until } from '../fixtures/fake-workers.ts';
import { commandOf } from '../fixtures/marked-processes.ts';
import { RumpServers } from '../fixtures/rump-servers.ts';
import { toolRun } from '../fixtures/tool-context.ts';

const LIBRARIES = '-lrumpnet -lrumpnet_net -lrumpnet_netinet -lrumpnet_netinet6 -lrumpnet_shmif';
const SERVERS = Number(process.env.MK_SERVERS ?? 8);
/** The last ones; the others stay. */
const VICTIMS = 2;
/** Of each victim. */
const RESTARTS = Number(process.env.MK_RESTARTS ?? 3);
/** Requests, one every {@link INTERVAL_MS}: the first answer ends a ping. */
const REQUESTS = 100;
const INTERVAL_MS = 250;

/** A server's process, and a client of it in this one: a tool of its own for each ping would cost the start of a process. */
class Server {
  readonly n: number;
  readonly pid: number;
  readonly client: KernelClient;

  constructor(n: number, pid: number, client: KernelClient) {
    this.n = n;
    this.pid = pid;
    this.client = client;
  }

  get addresses(): string[] {
    return [`10.0.0.${this.n}`, `fd00::${this.n}`];
  }

  /** Whether an answer comes; `requests`: how often it asks. Null: this server is gone. */
  async ping(host: string, requests: number): Promise<boolean | null> {
    const options = { host, count: requests, intervalMs: INTERVAL_MS, payloadBytes: 56, ttl: 64, waitMs: INTERVAL_MS };
    try {
      for await (const event of pingStream(this.client, options)) if (event.type === 'reply') return true;
      return false;
    } catch {
      return null;
    }
  }
}

let servers: RumpServers;
let running: Server[];
beforeEach(() => {
  servers = new RumpServers();
  running = [];
});
afterEach(() => {
  for (const { client } of running) void client.close();
  servers.close();
});

async function start(n: number): Promise<Server> {
  const url = `unix://${join(servers.folder, `s${n}`)}`;
  await servers.ok('rump_server', `${LIBRARIES} ${url}`);
  const client = await kernelAtUrl(url, undefined);
  const configure = async (args: string): Promise<void> => {
    const { context, said } = toolRun(new KernelText(client), [], false);
    const code = await ifconfig.run(context, args.split(' '));
    if (code !== 0 || said.errors !== '') throw new Error(`ifconfig ${args}: ${said.errors}`);
  };
  await configure('shmif0 create');
  await configure(`shmif0 linkstr bus 10.0.0.${n}/24 up`);
  await configure(`shmif0 inet6 fd00::${n}/64`);
  // A detached server is nobody's child: it is told from others by the URL in its command line.
  const pid = servers.pids().find((one) => commandOf(one).includes(url));
  if (pid === undefined) throw new Error(`${url} has no process`);
  const server = new Server(n, pid, client);
  running[n - 1] = server;
  return server;
}

it.skipIf(libc() === null)(
  `${SERVERS} servers on a bus answer each other while ${VICTIMS} of them are killed and come back ${RESTARTS} times`,
  { timeout: 600_000 + RESTARTS * 60_000 },
  async () => {
    for (let n = 1; n <= SERVERS; n++) await start(n);
    const steady = running.slice(0, SERVERS - VICTIMS);
    let restarting = true;
    let answered = 0;

    // Each that stays asks the others that stay until it hears them; those that come and go may be silent.
    const asking = steady.map(async (from) => {
      while (restarting) {
        for (const to of [...running]) {
          for (const host of to === from ? [] : to.addresses) {
            const heard = await from.ping(host, steady.includes(to) ? REQUESTS : 2);
            if (heard === true) answered++;
            expect([from.n, host, heard]).toEqual([from.n, host, steady.includes(to) ? true : expect.any(Boolean)]);
          }
        }
      }
    });
    const victims = Array.from({ length: VICTIMS }, (_, i) => SERVERS - i).map(async (n) => {
      for (let i = 0; i < RESTARTS; i++) {
        const victim = running[n - 1] as Server;
        process.kill(victim.pid, 'SIGKILL');
        await until(() => !servers.pids().includes(victim.pid));
        void victim.client.close();
        const again = await start(n);
        // It is heard, and hears, before it is killed once more, at any moment of what else goes on.
        const [host, host6] = (steady[(i + n) % steady.length] as Server).addresses as [string, string];
        expect([n, host, await again.ping(host, REQUESTS)]).toEqual([n, host, true]);
        expect([n, host6, await again.ping(host6, REQUESTS)]).toEqual([n, host6, true]);
        await new Promise((wake) => setTimeout(wake, Math.random() * 50));
      }
    });
    await Promise.all(victims);
    restarting = false;
    await Promise.all(asking);
    expect(answered).toBeGreaterThan(steady.length * 2);

    const all = running.flatMap((from) =>
      running
        .filter((to) => to !== from)
        .flatMap((to) => to.addresses.map(async (host) => [from.n, host, await from.ping(host, REQUESTS)])),
    );
    expect((await Promise.all(all)).filter(([, , heard]) => heard !== true)).toEqual([]);
    // Each of them has a place on the bus, and none that was killed has.
    const places = (await servers.ok('shmif_dumpbus', '-h bus')).match(/^place \d+: holder /gm);
    expect(places).toHaveLength(SERVERS);
  },
);
