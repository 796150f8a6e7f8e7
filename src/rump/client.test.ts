import fc from 'fast-check';
import { expect, it } from 'vitest';
import { blockingConnections } from '../../test/fixtures/blocking-pair.ts';
import { memoryPair } from '../../test/fixtures/memory-pair.ts';
import { RemoteBench } from '../../test/fixtures/remote-bench.ts';
import { MultikernelError } from '../base/errors.ts';
import { SeededRng } from '../base/rng.ts';
import type { Carrier } from '../host/contract.ts';
import { SocketAddress } from '../socket/socket.ts';
import { BlockingClient } from './blocking-client.ts';
import { RumpClient } from './client.ts';
import { ClientSockets } from './client-sockets.ts';
import * as protocol from './protocol.ts';
import { remoteKernel } from './remote-kernel.ts';

const options = { rng: new SeededRng(1), key: null, features: protocol.FEATURE_SOCKETS };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Bytes of a server that has lost its mind: noise, or frames of any kind. */
const noise = fc.uint8Array({ minLength: 1, maxLength: 200 });
const word = fc.oneof(fc.integer({ min: -2, max: 70 }), fc.integer());
const frame = fc
  .record({
    class: fc.integer({ min: 0, max: 5 }),
    operation: fc.oneof(fc.integer({ min: 0, max: 90 }), fc.constantFrom(protocol.CONTROL, protocol.COPYIN)),
    words: fc.array(word, { minLength: 5, maxLength: 5 }),
    addresses: fc.constantFrom(0, 0, 0, 1, -1, 2000),
    payload: fc.uint8Array({ maxLength: 60 }),
  })
  .map(({ class: kind, operation, words, addresses, payload }) => {
    const [request = 0, object = 0, a = 0, b = 0, c = 0] = words;
    return protocol.frameOf(payload, kind, operation, request, object, a, b, c, addresses);
  });
const said = fc.array(fc.oneof({ weight: 1, arbitrary: noise }, { weight: 6, arbitrary: frame }), { maxLength: 20 });

it('a client is not taken in by what is no server, and hangs up', async () => {
  await fc.assert(
    fc.asyncProperty(said, async (pieces) => {
      const [client, server] = memoryPair();
      const connecting = RumpClient.connect(client, options).then(
        () => 'connected',
        (error: unknown) => (error instanceof MultikernelError ? 'refused' : String(error)),
      );
      for (const bytes of pieces) server.write(bytes, null);
      await turn();
      server.close();
      expect(await connecting).toBe('refused');
    }),
  );
});

it('a client of a server that loses its mind fails what is under way, and throws nothing', async () => {
  await fc.assert(
    fc.asyncProperty(said, async (pieces) => {
      const bench = new RemoteBench();
      const [client, server] = memoryPair();
      bench.server.accept(server, null, 0);
      const kernel = await remoteKernel(client, null, new SeededRng(2));
      const answers = [
        kernel.control('never' as never, {} as never).catch((error: unknown) => error),
        kernel
          .call(3, [1, 2], { read: () => new Uint8Array(2), write: () => undefined })
          .catch((error: unknown) => error),
      ];
      const ended = new Promise((resolve) => {
        kernel.open('doubles' as never, 1 as never, { event: () => undefined, end: resolve } as never);
      });
      await turn();
      for (const bytes of pieces) server.write(bytes, null);
      await turn();
      server.close();
      await Promise.all([...answers, ended, kernel.closed]);
    }),
  );
});

it('a client reads nothing behind a malformed frame', async () => {
  const [carrier, server] = memoryPair();
  const bench = new RemoteBench();
  bench.server.accept(server, null, 0);
  const client = await RumpClient.connect(carrier, options);
  const events: number[] = [];
  const closed = new Promise<void>((resolve) => {
    client.begin({
      event: ({ operation }) => void events.push(operation),
      request: () => undefined,
      closed: () => resolve(),
    });
  });
  const event = protocol.frameOf(protocol.NO_PAYLOAD, protocol.EVENT, protocol.END, 0, 1, 0, 0, 0, 0);
  const malformed = protocol.frameOf(protocol.NO_PAYLOAD, protocol.EVENT, protocol.END, 0, 1, 0, 0, 0, 9);
  for (const bytes of [event, Uint8Array.of(...malformed, ...event), event]) server.write(bytes, null);
  await closed;
  expect(events).toEqual([protocol.END]);
});

it('sockets of a kernel that loses its mind fail, and throw nothing', async () => {
  await fc.assert(
    fc.asyncProperty(said, async (pieces) => {
      const bench = new RemoteBench();
      const carriers: Carrier[] = [];
      const connections = blockingConnections((carrier) => {
        carriers.push(carrier);
        bench.server.accept(carrier, null, 0);
      });
      const client = new BlockingClient(connections, null, new SeededRng(3));
      const sockets = new ClientSockets(client, (run) => void setImmediate(run));
      const [stream, datagram] = [sockets.stream(), sockets.datagram()];
      stream.bind(SocketAddress.ipv4(0x7f000001, 80));
      stream.listen(5);
      for (const bytes of pieces) carriers[1]?.write(bytes, null);
      await turn();
      stream.receive(new Uint8Array(10), 0, 10);
      expect(typeof stream.getOption('ttl')).toBe('number');
      expect(datagram.bind(SocketAddress.any(4))).toBeLessThanOrEqual(0);
      stream.accept()?.close();
      stream.close();
      datagram.close();
      bench.server.close();
      await turn();
      expect(sockets.stream().bind(SocketAddress.any(4))).toBe(-100);
    }),
  );
});
