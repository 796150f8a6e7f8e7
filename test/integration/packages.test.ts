/**
 * npm packages in a lab: a server and a client of each (test/packages), through a router beside their kernels, and on one network as
 * processes. Both print what they print on plain Node, and end by themselves.
 */

import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type * as Facade from '../../src/index.ts';
import { builtFacade } from '../fixtures/built.ts';

const FOLDER = resolve(import.meta.dirname, '../packages');
const INSTALL = 'npm ci --prefix test/packages';

/** What the client of each says. */
const SAYS: Readonly<Record<string, readonly string[]>> = {
  fastify: ['fastify 4', '200 400000', '200 400000'],
  grpc: [
    'QUIET me',
    'INVALID_ARGUMENT',
    "[ '0', '1', '2', '3', '4' ]",
    '[ 100000, 100000, 100000 ]',
    'DEADLINE_EXCEEDED',
  ],
  ioredis: [
    'OK Zürich null',
    'true',
    '1000',
    "[ [ null, 1001 ], [ null, 'Zürich' ] ]",
    "ERR unknown command 'NONSENSE'",
    "1 [ 'news', 'of the day' ]",
  ],
  ldapjs: ['InvalidCredentialsError', 'bound', '0 cn=ada,o=lab,cn=grace,o=lab', '0 cn=grace,o=lab,cn=linus,o=lab'],
  mongodb: ['1', '501', '500', 'true', "59 no such command: 'dance'"],
  mqtt: ['rooms/cellar: cold, retained', 'rooms/kitchen: warm', 'rooms/attic: went silent'],
  nest: ['{"square":144}', '6', '[ 4, 5, 6 ]', "[ 'an event' ]"],
  pg: ['true 3', '2 [ 100000, 5 ]', '42601 syntax error at or near "NONSENSE"', 'news payload'],
  pino: [
    '{"level":30,"msg":"by the program"}',
    'lines 2',
    '{"level":30,"msg":"by a thread"}',
    '{"level":40,"request":7,"msg":"too far"}',
  ],
  socketio: [
    'polling hello, answered',
    'polling 100000',
    "polling [ 'to all workers', 'to all workers' ]",
    'websocket hello, answered',
    'websocket 100000',
    "websocket [ 'to all workers', 'to all workers' ]",
  ],
  ssh2: [
    'All configured authentication methods failed',
    '0 A LINE',
    'A LINE',
    'A LINE',
    '127 lower: not found',
    'behind the server',
  ],
  supertest: ['ok 1 - an application of the test', 'ok 2 - another machine', '# pass 2', '# fail 0', '0'],
  undici: ['true 12', 'PUT /up 300000', 'GET /failing 0', 'GET /behind 0'],
  ws: ['text text text permessage-deflate', 'true', 'beat', '/goes 1006', "[ '4001', 'enough' ]"],
};

/** Packages whose program waits without its event loop for a thread that sends: beside the kernel neither goes on. */
const ONLY_PROCESS: ReadonlySet<string> = new Set(['pino']);

const ROUTED = { server: ['back'], client: ['front'], router: ['back', 'front'] };
const FLAT = { server: ['back'], client: ['back'], router: [] };

const installed = existsSync(resolve(FOLDER, 'node_modules'));
if (!installed) console.log(`npm packages in a lab: skipped, ${INSTALL} installs them`);

describe.skipIf(!installed)(`npm packages in a lab (skipped without: ${INSTALL})`, () => {
  let mk: typeof Facade;
  let net: Facade.Lab | null = null;

  beforeAll(async () => {
    mk = await builtFacade();
  });
  afterEach(async () => {
    await net?.down();
    net = null;
  });

  async function start(name: string, placement: 'beside' | 'process'): Promise<Facade.Lab> {
    const { server, client, router } = placement === 'beside' ? ROUTED : FLAT;
    const nodes: Record<string, Facade.NodeOptions> = {
      server: { run: `node ${name}.cjs server`, networks: server },
      // Port 9 is the last on which the server listens.
      client: { run: `node ${name}.cjs client`, networks: client, depends_on: { server: 'listening:9' } },
    };
    if (router.length > 0) nodes.router = { kind: 'router', networks: router };
    const networks = Object.fromEntries([...new Set([...server, ...client])].map((network) => [network, {}]));
    net = await mk.lab({ networks, nodes, defaults: { node: { placement } } }, { folder: FOLDER });
    return net;
  }

  describe.each(['beside', 'process'] as const)('%s', (placement) => {
    const packages = Object.entries(SAYS).filter(([name]) => placement === 'process' || !ONLY_PROCESS.has(name));
    it.each(packages)('%s', async (name, says) => {
      const lab = await start(name, placement);
      const ended = new Map<string, string>();
      for await (const { name: node, phase, state } of lab.states()) {
        if (phase === 'exited' || phase === 'crashed') ended.set(node, state);
        if (ended.size === 2 || phase === 'crashed') break;
      }
      const said: string[] = [];
      for await (const { node, source, text } of lab.logs()) if (source !== 'state') said.push(`${node} | ${text}`);
      expect(said).toEqual(says.map((text) => `client | ${text}`));
      expect(Object.fromEntries(ended)).toEqual({ server: 'exited 0', client: 'exited 0' });
    });
  });
});
