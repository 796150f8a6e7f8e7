/**
 * Connections that wait for room on a link: what each look costs, and in which order they get room.
 */

import { expect, it } from 'vitest';
import { PERFECT, Wire } from '../../../test/fixtures/tcp-wire.ts';
import type { Connection } from './connection/connection.ts';
import type { PortUse } from './shared/port-use.ts';
import type { Listener } from './tables/listener.ts';
import { receive, send } from './transfer.ts';
import * as user from './user.ts';

const SECOND_US = 1_000_000;

/** `count` connections of `a` to port 80 of `b`, both ends of each; then at most `slots` packets of `a` are under way. */
function connections(count: number, slots: number): { wire: Wire; clients: Connection[]; servers: Connection[] } {
  const wire = new Wire(1);
  const { a, b } = wire;
  const use = user.bindPort(b.stack, 0, 80, { reuseAddress: true, reusePort: false }) as PortUse;
  const listener = user.listenOn(b.stack, use, b.stack.newOptions(), 4096, null) as Listener;
  const clients: Connection[] = [];
  const servers: Connection[] = [];
  for (let i = 0; i < count; i++) {
    clients.push(user.connectTo(a.stack, null, b.address, 80, a.stack.newOptions(), null, wire.nowUs) as Connection);
    wire.run(wire.nowUs + 1000);
    servers.push(user.acceptFrom(listener, () => null) as Connection);
  }
  a.wire = { ...PERFECT, slots };
  return { wire, clients, servers };
}

it('one attempt tells a thousand connections to one peer that there is no room', () => {
  const { wire, clients, servers } = connections(1000, 8);
  const request = new Uint8Array(11);
  for (const client of clients) expect(send(client, request, 0, 11, wire.nowUs)).toBe(11);
  expect(wire.a.count('outputBlocked')).toBe(992);
  const into = new Uint8Array(64);
  let answered = 0;
  wire.run(wire.nowUs + SECOND_US, () => {
    for (const server of servers) if (receive(server, into, 0, 64, wire.nowUs) > 0) answered++;
    return answered === 1000;
  });
  expect(answered).toBe(1000);
  // Room comes for eight packets at a time.
  expect(wire.a.count('outputBlocked')).toBeLessThan(992 + 2 * 125);
});

it('a connection with much to send does not keep the room from those behind it', () => {
  const { wire, clients, servers } = connections(20, 2);
  const [bulk, ...small] = clients as [Connection, ...Connection[]];
  const data = new Uint8Array(64 * 1024);
  send(bulk, data, 0, data.length, wire.nowUs);
  for (const client of small) send(client, data, 0, 11, wire.nowUs);
  const served = new Set<Connection>();
  const into = new Uint8Array(64 * 1024);
  let bulkBytes = 0;
  wire.run(wire.nowUs + SECOND_US, () => {
    for (const server of servers) {
      const count = receive(server, into, 0, into.length, wire.nowUs);
      if (count > 0 && server === servers[0]) bulkBytes += count;
      else if (count > 0) served.add(server);
    }
    return served.size === 19;
  });
  expect(served.size).toBe(19);
  expect(bulkBytes).toBeLessThan(data.length / 2);
});
