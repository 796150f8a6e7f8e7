import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { memoryPair } from '../../test/fixtures/memory-pair.ts';
import { MultikernelError } from '../base/errors.ts';
import { SeededRng } from '../base/rng.ts';
import type { Carrier } from '../host/contract.ts';
import type { Refusal } from './admission.ts';
import { RumpClient } from './client.ts';
import { encodeHello, UNAUTHENTICATED_BYTES_MAX } from './handshake.ts';
import * as protocol from './protocol.ts';
import { RumpServer } from './server.ts';
import { SESSION_LIMITS } from './session.ts';

const KEY = new Uint8Array(16).fill(7);

function newServer(): RumpServer {
  return new RumpServer({ rng: new SeededRng(1), features: 0, services: () => [] });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Knock {
  client: Carrier;
  closed: boolean;
}

async function knock(server: RumpServer, bytes: Uint8Array | null): Promise<Knock> {
  const [client, carrier] = memoryPair();
  const state = { client, closed: false };
  client.onClosed = () => {
    state.closed = true;
  };
  server.accept(carrier, KEY, 0);
  if (bytes !== null) client.write(bytes, null);
  await turn();
  return state;
}

/** A HELLO whose header says another length. */
function withLength(length: number): Uint8Array {
  const bytes = protocol.frameOf(new Uint8Array(8), protocol.REQUEST, protocol.HELLO, 1);
  new DataView(bytes.buffer).setInt32(0, length, true);
  return bytes;
}

function hello(role: number): Uint8Array {
  const words = new Int32Array(4);
  const said = { versionMin: 1, versionMax: 1, features: 0, role, session: words, nonce: words };
  return protocol.frameOf(encodeHello(said), protocol.REQUEST, protocol.HELLO, 1);
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const badProof = protocol.frameOf(new Uint8Array(16), protocol.REQUEST, protocol.PROOF, 2);

describe('a connection without the key is closed, and the reason counted', () => {
  it.each([
    ['negative length', withLength(-1)],
    ['negative length', withLength(-protocol.HEADER_BYTES)],
    ['frame too long', withLength(0x7fff_ffff)],
    ['frame too long', withLength(UNAUTHENTICATED_BYTES_MAX + 1)],
    ['not authenticated', hello(3)],
    ['not authenticated', hello(-1)],
    ['not authenticated', protocol.frameOf(new Uint8Array(48), protocol.REQUEST, protocol.HELLO, 1)],
    ['not authenticated', protocol.frameOf(protocol.NO_PAYLOAD, protocol.REQUEST, protocol.OPEN_STREAM, 0, 1, 4)],
    ['not authenticated', concat(hello(0), badProof)],
    ['not authenticated', concat(hello(0), hello(0))],
    ['malformed frame', protocol.frameOf(new Uint8Array(8), protocol.REQUEST, protocol.HELLO, 1, 0, 0, 0, 0, -1)],
    ['malformed frame', protocol.frameOf(new Uint8Array(28), protocol.REQUEST, protocol.HELLO, 1, 0, 0, 0, 0, 1)],
  ] as [Refusal, Uint8Array][])('%s', async (reason, bytes) => {
    const server = newServer();
    expect((await knock(server, bytes)).closed).toBe(true);
    expect([...server.admission.refused]).toEqual([[reason, 1]]);
    expect([server.admission.pending, server.sessions]).toEqual([0, 0]);
  });

  it('whatever it sends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 200, maxLength: 300 }), async (bytes) => {
        const server = newServer();
        // More than a header and the longest payload of that time: never waited for.
        expect((await knock(server, bytes)).closed).toBe(true);
        expect([server.admission.pending, server.sessions]).toEqual([0, 0]);
      }),
      { numRuns: 200 },
    );
  });

  it('when its time is over', async () => {
    const server = newServer();
    const silent = await knock(server, null);
    const begun = await knock(server, hello(0));
    server.expire(4999);
    await turn();
    expect([silent.closed, begun.closed]).toEqual([false, false]);
    server.expire(5000);
    await turn();
    expect([silent.closed, begun.closed]).toEqual([true, true]);
    expect([...server.admission.refused]).toEqual([['authentication timed out', 2]]);
  });

  it('at the latest when others want its place', async () => {
    const server = newServer();
    const silent = await Promise.all(Array.from({ length: 20 }, () => knock(server, null)));
    expect(silent.filter(({ closed }) => closed).length).toBe(4);
    expect(server.admission.refused.get('too many unauthenticated connections')).toBe(4);
    expect(server.admission.pending).toBe(16);
  });
});

describe('a session', () => {
  const options = (role: number, session: Int32Array): Parameters<typeof RumpClient.connect>[1] => ({
    rng: new SeededRng(2),
    key: KEY,
    features: 0,
    role,
    session,
  });

  async function connect(server: RumpServer, role: number, session: Int32Array): Promise<RumpClient> {
    const [client, carrier] = memoryPair();
    server.accept(carrier, KEY, 0);
    return RumpClient.connect(client, options(role, session));
  }

  async function connectBoth(server: RumpServer): Promise<[calls: RumpClient, events: RumpClient]> {
    const session = Int32Array.of(1, 2, 3, 4);
    const calls = await connect(server, protocol.ROLE_CALLS, session);
    return [calls, await connect(server, protocol.ROLE_EVENTS, session)];
  }

  it('has two connections, and ends with that for calls', async () => {
    const server = newServer();
    const [calls, events] = await connectBoth(server);
    expect(server.sessions).toBe(1);
    void calls.close();
    await Promise.all([calls.closed, events.closed]);
    expect(server.sessions).toBe(0);
  });

  it('serves what comes on that for calls when the other has ended: a client that ends closes both at once', async () => {
    const server = newServer();
    const [calls, events] = await connectBoth(server);
    void events.close();
    await events.closed;
    calls.begin({ event: () => undefined, request: () => undefined, closed: () => undefined });
    expect((await calls.call(protocol.BIND, 1)).a).toBe(-95);
    expect(server.sessions).toBe(1);
    void calls.close();
    await calls.closed;
    expect(server.sessions).toBe(0);
  });

  it('has one connection of a role', async () => {
    const server = newServer();
    const session = Int32Array.of(1, 2, 3, 4);
    await connect(server, protocol.ROLE_CALLS, session);
    await expect(connect(server, protocol.ROLE_CALLS, session)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(connect(server, protocol.ROLE_BOTH, session)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await connect(server, protocol.ROLE_CALLS, Int32Array.of(1, 2, 3, 5));
    expect(server.sessions).toBe(2);
  });

  it('is over when it does not read its replies', async () => {
    for (const role of [protocol.ROLE_BOTH, protocol.ROLE_CALLS]) {
      const limits = { ...SESSION_LIMITS, queuedBytesMax: 10 * protocol.HEADER_BYTES };
      const server = new RumpServer({ rng: new SeededRng(1), features: 0, services: () => [], limits });
      const [carrier, other] = memoryPair();
      server.accept(other, null, 0);
      const client = await RumpClient.connect(carrier, { rng: new SeededRng(2), key: null, features: 0, role });
      // All of it arrives before the server's carrier delivers a reply.
      const ask = (count: number): Uint8Array =>
        concat(...Array.from({ length: count }, (_, i) => protocol.headerOf(null, protocol.REQUEST, 99, i + 1)));
      carrier.write(ask(10), null);
      await turn();
      expect([server.sessions, server.admission.refused.size]).toEqual([1, 0]);
      carrier.write(ask(11), null);
      await turn();
      expect([server.sessions, ...server.admission.refused]).toEqual([0, ['too much buffered', 1]]);
      await client.closed;
    }
  });

  it('answers what no service knows with EOPNOTSUPP', async () => {
    const client = await connect(newServer(), protocol.ROLE_BOTH, Int32Array.of(1, 2, 3, 4));
    client.begin({ event: () => undefined, request: () => undefined, closed: () => undefined });
    expect((await client.call(protocol.BIND, 1)).a).toBe(-95);
  });
});

describe('a connection that is relayed', () => {
  const relayTo = (name: string): Uint8Array =>
    protocol.frameOf(new TextEncoder().encode(name), protocol.REQUEST, protocol.RELAY, 1);

  /** A lab with one kernel, `a`; the far end of the kernel's connection comes to `kernels`. */
  function newLab(queuedBytesMax: number = 1000): { lab: RumpServer; kernels: Carrier[]; got: number[] } {
    const kernels: Carrier[] = [];
    const got: number[] = [];
    const relay = (name: string): Carrier => {
      if (name !== 'a') throw new MultikernelError('EHOSTDOWN', `${name} is not running`);
      const [near, far] = memoryPair();
      far.onBytes = (bytes) => void got.push(...bytes);
      kernels.push(far);
      return near;
    };
    const limits = { ...SESSION_LIMITS, queuedBytesMax };
    return {
      lab: new RumpServer({ rng: new SeededRng(1), features: 0, services: () => [], limits, relay }),
      kernels,
      got,
    };
  }

  function connect(
    lab: RumpServer,
    key: Uint8Array | null = null,
  ): { client: Carrier; heard: number[]; ended: boolean } {
    const [client, carrier] = memoryPair();
    const state = { client, heard: [] as number[], ended: false };
    client.onBytes = (bytes) => void state.heard.push(...bytes);
    client.onClosed = () => {
      state.ended = true;
    };
    lab.accept(carrier, key, 0);
    return state;
  }

  it('carries all other bytes both ways untouched, and ends at both ends', async () => {
    for (const last of ['client', 'kernel', 'lab']) {
      const { lab, kernels, got } = newLab();
      const one = connect(lab);
      one.client.write(concat(relayTo('a'), Uint8Array.of(1, 2)), null);
      await turn();
      expect([lab.admission.pending, lab.sessions, kernels.length]).toEqual([0, 0, 1]);
      const kernel = kernels[0] as Carrier;
      let ended = false;
      kernel.onClosed = () => {
        ended = true;
      };
      one.client.write(relayTo('b'), null);
      kernel.write(Uint8Array.of(9, 8, 7), null);
      await turn();
      expect([got, one.heard]).toEqual([
        [1, 2, ...relayTo('b')],
        [9, 8, 7],
      ]);
      if (last === 'client') one.client.close();
      else if (last === 'kernel') kernel.close();
      else lab.close();
      await turn();
      await turn();
      expect([one.ended, ended]).toEqual([true, true]);
    }
  });

  it('is refused with a reason when there is no such kernel', async () => {
    const { lab, kernels } = newLab();
    const [client, carrier] = memoryPair();
    client.write(relayTo('b'), null);
    lab.accept(carrier, null, 0);
    const refused = RumpClient.connect(client, { rng: new SeededRng(2), key: null, features: 0 });
    await expect(refused).rejects.toMatchObject({ code: 'EHOSTDOWN', message: 'b is not running' });
    expect([lab.admission.pending, lab.admission.refused.size, kernels.length]).toEqual([0, 0, 0]);
  });

  it('needs a server that relays and wants no key, and is asked for first', async () => {
    const cases: [RumpServer, Uint8Array | null, Uint8Array][] = [
      [newServer(), null, relayTo('a')],
      [newLab().lab, KEY, relayTo('a')],
      [newLab().lab, null, concat(hello(0), relayTo('a'))],
      [newLab().lab, null, protocol.frameOf(new Uint8Array(65), protocol.REQUEST, protocol.RELAY, 1)],
    ];
    for (const [server, key, bytes] of cases) {
      const one = connect(server, key);
      one.client.write(bytes, null);
      await turn();
      expect([one.ended, server.admission.refused.size]).toEqual([true, 1]);
    }
  });

  it('is hung up on when the kernel does not read', async () => {
    const { lab } = newLab(1000);
    const one = connect(lab);
    one.client.write(relayTo('a'), null);
    await turn();
    // Handed to the kernel's carrier before it delivers any.
    one.client.write(new Uint8Array(600), new Uint8Array(600));
    await turn();
    expect([one.ended, ...lab.admission.refused]).toEqual([true, ['too much buffered', 1]]);
  });
});
