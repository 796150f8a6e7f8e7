/** One transcript of remote calls, over any carrier. */

import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../src/base/rng.ts';
import type { Carrier } from '../../src/host/contract.ts';
import { RumpClient } from '../../src/rump/client.ts';
import type { CallMemory } from '../../src/rump/kernel-client.ts';
import * as protocol from '../../src/rump/protocol.ts';
import { remoteKernel } from '../../src/rump/remote-kernel.ts';
import { SocketAddress } from '../../src/socket/socket.ts';
import { RemoteBench } from '../fixtures/remote-bench.ts';

export interface JoinedCarriers {
  client: Carrier;
  server: Carrier;
  /** After a test, whatever it left open. */
  dispose(): void;
}

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i * 7);
const OTHER_KEY = Uint8Array.from({ length: 16 }, (_, i) => i * 7 + (i === 15 ? 1 : 0));

/** Memory of a program: one array, addressed by offsets that are above 32 bits. */
export const BASE = 0x1_0000_0000;
export function arrayMemory(bytes: Uint8Array): CallMemory {
  return {
    read: (address, length) => bytes.slice(address - BASE, address - BASE + length),
    write: (address, written) => bytes.set(written, address - BASE),
  };
}

export function describeCarrier(name: string, join: () => Promise<JoinedCarriers>): void {
  describe(`remote calls over ${name}`, () => {
    const rng = (): SeededRng => new SeededRng(5);

    async function rig<T>(run: (bench: RemoteBench, client: Carrier, server: Carrier) => Promise<T>): Promise<T> {
      const { client, server, dispose } = await join();
      const bench = new RemoteBench();
      try {
        bench.server.accept(server, KEY, 0);
        return await run(bench, client, server);
      } finally {
        dispose();
      }
    }

    it('answer requests, refuse requests, in the order of asking', () =>
      rig(async (bench, carrier) => {
        const kernel = await remoteKernel(carrier, KEY, rng());
        expect(bench.server.sessions).toBe(1);
        expect(bench.server.admission.pending).toBe(0);
        const answers = await Promise.allSettled([
          kernel.control(
            'echo' as never,
            { text: 'ä', bytes: Uint8Array.of(1, 2), big: 12345678901234567890n } as never,
          ),
          kernel.control('later' as never, 7 as never),
          kernel.control('refuse' as never, {} as never),
          kernel.control('echo' as never, null as never),
        ]);
        expect(answers).toEqual([
          { status: 'fulfilled', value: { text: 'ä', bytes: Uint8Array.of(1, 2), big: 12345678901234567890n } },
          { status: 'fulfilled', value: 7 },
          { status: 'rejected', reason: expect.objectContaining({ code: 'ENXIO', message: 'not here' }) },
          { status: 'fulfilled', value: {} },
        ]);
        const long = 'x'.repeat(1_000_000);
        expect(await kernel.control('echo' as never, long as never)).toBe(long);
        await kernel.close();
        await bench.until(() => bench.server.sessions === 0);
      }));

    it('carry streams that either side ends', () =>
      rig(async (bench, carrier) => {
        const kernel = await remoteKernel(carrier, KEY, rng());
        const heard: unknown[] = [];
        let ended: (error: Error | null) => void = () => undefined;
        const end = new Promise<Error | null>((resolve) => {
          ended = resolve;
        });
        const sink = { event: (event: unknown) => void heard.push(event), end: (error: Error | null) => ended(error) };
        const stream = kernel.open('doubles' as never, 3 as never, sink as never);
        stream.send(4 as never);
        stream.send(Uint8Array.of(9) as never);
        stream.close();
        expect(await end).toBe(null);
        expect(heard).toEqual([6, 8, Uint8Array.of(9)]);
        const refused = await new Promise((resolve) => {
          kernel.open('nothing' as never, null as never, { event: () => undefined, end: resolve } as never);
        });
        expect(refused).toMatchObject({ code: 'EINVAL', message: 'no such stream' });
        expect(bench.openStreams).toBe(0);
      }));

    it('make system calls that copy from and to the memory of the caller', () =>
      rig(async (bench, carrier) => {
        const kernel = await remoteKernel(carrier, KEY, rng());
        const bytes = Uint8Array.of(1, 2, 3, 4, 0, 0, 0, 0);
        // Reverse four bytes at BASE into BASE + 4.
        expect(await kernel.call(1, [BASE, 4, BASE + 4], arrayMemory(bytes))).toBe(4);
        expect([...bytes]).toEqual([1, 2, 3, 4, 4, 3, 2, 1]);
        expect(await kernel.call(99, [], arrayMemory(bytes))).toBe(-38);
        // Two at a time keep their memories apart.
        const other = Uint8Array.of(8, 9, 0, 0);
        const counts = await Promise.all([
          kernel.call(1, [BASE, 2, BASE + 2], arrayMemory(bytes)),
          kernel.call(1, [BASE, 2, BASE + 2], arrayMemory(other)),
          kernel.call(1, [BASE + 3, 2, BASE], arrayMemory(other)),
        ]);
        // The third asks for more than there is.
        expect(counts).toEqual([2, 2, -14]);
        expect([...bytes.slice(0, 4), ...other]).toEqual([1, 2, 2, 1, 8, 9, 9, 8]);
        expect(bench.processes).toBe(1);
        await kernel.close();
        await bench.until(() => bench.processes === 0);
      }));

    it('make sockets, whose data and events come back in order', () =>
      rig(async (bench, carrier) => {
        const client = await RumpClient.connect(carrier, { rng: rng(), key: KEY, features: protocol.FEATURE_SOCKETS });
        const heard: string[] = [];
        const name = ({ addresses }: protocol.Frame): string =>
          addresses.map((address) => `${address.format()}:${address.port}`).join(' ');
        client.begin({
          event: (frame) => {
            const { operation, object, a, b, payload } = frame;
            heard.push([operation, object, a, b, name(frame), [...payload]].join('|'));
          },
          request: () => undefined,
          closed: () => undefined,
        });
        const at = (address: SocketAddress): [Uint8Array, SocketAddress] => [protocol.NO_PAYLOAD, address];
        const loopback = SocketAddress.ipv4(0x7f000001, 80);
        client.send(protocol.OPEN_STREAM, 1, 4);
        expect(name(await client.call(protocol.BIND, 1, 0, 0, 0, ...at(loopback)))).toBe('127.0.0.1:80');
        expect((await client.call(protocol.LISTEN, 1, 5)).a).toBe(0);
        client.send(protocol.OPEN_STREAM, 3, 4);
        expect((await client.call(protocol.CONNECT, 3, 0, 0, 0, ...at(loopback))).a).toBe(-115);
        await bench.until(() => heard.length === 2);
        client.send(protocol.SEND, 3, 0, 0, Uint8Array.of(1, 2, 3));
        client.send(protocol.SHUTDOWN, 3);
        await bench.until(() => heard.length === 4);
        expect(heard).toEqual([
          '44|1|2|0|127.0.0.1:80 127.0.0.1:32768|',
          '40|3|4|0|127.0.0.1:32768|',
          '41|2|0|0||1,2,3',
          '42|2|0|0||',
        ]);
        expect((await client.call(protocol.BIND, 5, 0, 0, 0, ...at(loopback))).a).toBe(-9);
        expect(bench.openSockets).toBe(2);
        await client.close();
        await bench.until(() => bench.openSockets === 0);
      }));

    it('need the key, on both sides', () =>
      rig(async (bench, carrier) => {
        await expect(remoteKernel(carrier, OTHER_KEY, rng())).rejects.toMatchObject({ code: 'EACCES' });
        expect(bench.server.sessions).toBe(0);
        expect(bench.server.admission.refused.get('not authenticated')).toBe(1);
      }));

    it('need a version that both sides speak', () =>
      rig(async (bench, carrier) => {
        const versions = { min: 2, max: 3 };
        await expect(
          RumpClient.connect(carrier, { rng: rng(), key: KEY, features: 0, versions }),
        ).rejects.toMatchObject({
          code: 'EPROTONOSUPPORT',
          message: 'the kernel speaks version 1 of remote calls, not 2 to 3',
        });
        expect(bench.server.sessions).toBe(0);
        expect(bench.server.admission.refused.get('version not supported')).toBe(1);
      }));

    it('fail when the server is gone, with everything that was under way', () =>
      rig(async (bench, carrier) => {
        const kernel = await remoteKernel(carrier, KEY, rng());
        const answer = kernel.control('never' as never, {} as never);
        const end = new Promise((resolve) => {
          kernel.open('doubles' as never, 1 as never, { event: () => bench.server.close(), end: resolve } as never);
        });
        await expect(answer).rejects.toMatchObject({ code: 'ECONNRESET' });
        expect(await end).toMatchObject({ code: 'ECONNRESET' });
        await kernel.closed;
        await expect(kernel.control('echo' as never, 1 as never)).rejects.toMatchObject({ code: 'ECONNRESET' });
        await expect(kernel.call(1, [], arrayMemory(new Uint8Array(0)))).rejects.toMatchObject({ code: 'ECONNRESET' });
      }));

    it('give everything back when the client is gone', () =>
      rig(async (bench, carrier) => {
        const kernel = await remoteKernel(carrier, KEY, rng());
        await new Promise((resolve) => {
          kernel.open('doubles' as never, 1 as never, { event: resolve, end: resolve } as never);
        });
        expect(await kernel.call(99, [], arrayMemory(new Uint8Array(0)))).toBe(-38);
        expect([bench.openStreams, bench.processes, bench.server.sessions]).toEqual([1, 1, 1]);
        carrier.close();
        await bench.until(() => bench.openStreams + bench.processes + bench.server.sessions === 0);
      }));
  });
}
