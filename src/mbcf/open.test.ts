/** Nodes of one program over real datagrams. */

import { createSocket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { Mbcf, type OpenOptions } from './open.ts';

const open: Mbcf[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((node) => node.close()));
});

async function node(options: OpenOptions): Promise<Mbcf> {
  const one = await Mbcf.open(options);
  open.push(one);
  return one;
}

/** Two nodes that know each other. */
async function two(
  secretOf1?: Uint8Array,
  secretOf2: Uint8Array | undefined = secretOf1,
  giveUpUs?: number,
): Promise<[Mbcf, Mbcf]> {
  const settings = giveUpUs === undefined ? {} : { giveUpUs };
  const a = await node({ number: 1, settings });
  const b = await node({
    number: 2,
    settings,
    peers: { 1: { address: a.address, ...(secretOf2 && { secret: secretOf2 }) } },
  });
  a.addPeer(2, { address: b.address, ...(secretOf1 && { secret: secretOf1 }) });
  return [a, b];
}

const SECRET = new Uint8Array(32).fill(7);

describe.each([
  ['plain', undefined],
  ['sealed', SECRET],
])('%s datagrams', (_name, secret) => {
  it('carry every byte and each addition once', async () => {
    const [a, b] = await two(secret);
    const buffer = new SharedArrayBuffer(1 << 20);
    const registered = a.task(1).register(buffer);
    const remote = await b.task(1).attach(registered.address);
    const data = Uint8Array.from({ length: 500_000 }, (_, i) => (i * 31 + (i >> 9)) & 0xff);
    await remote.write(8, data);
    expect(Buffer.compare(new Uint8Array(buffer, 8, data.length), data)).toBe(0);
    expect(Buffer.compare(await remote.read(8, data.length), data)).toBe(0);
    const sums = await Promise.all(Array.from({ length: 5000 }, () => remote.fetchAdd(0, 1)));
    expect(sums).toEqual(Array.from({ length: 5000 }, (_, i) => i));
    expect(new Int32Array(buffer)[0]).toBe(5000);
  });
});

describe('who is believed', () => {
  it('needs the secret', async () => {
    const [a, b] = await two(SECRET, new Uint8Array(32).fill(8), 300_000);
    const registered = a.task(1).register(new SharedArrayBuffer(8));
    await expect(b.task(1).attach(registered.address)).rejects.toMatchObject({ code: 'EHOSTUNREACH' });
    expect(a.counters['datagrams-refused']).toBeGreaterThan(0);
    expect(a.counters['mbcf-received']).toBe(0);
  });

  it('is not somebody without it, where there is one', async () => {
    const a = await node({ number: 1, settings: { giveUpUs: 300_000 } });
    const b = await node({ number: 2, settings: { giveUpUs: 300_000 }, peers: { 1: { address: a.address } } });
    a.addPeer(2, { address: b.address, secret: SECRET });
    const registered = a.task(1).register(new SharedArrayBuffer(8));
    await expect(b.task(1).attach(registered.address)).rejects.toMatchObject({ code: 'EHOSTUNREACH' });
    expect(a.counters['mbcf-received']).toBe(0);
  });

  it('is nobody who sends nonsense', async () => {
    const [a, b] = await two();
    const registered = a.task(1).register(new SharedArrayBuffer(8));
    const socket = createSocket('udp4');
    const port = Number(a.address.split(':')[1]);
    for (const bytes of ['', 'x', 'x'.repeat(31), 'x'.repeat(60), '\x10'.repeat(1400)]) {
      await new Promise((sent) => socket.send(Buffer.from(bytes, 'latin1'), port, '127.0.0.1', sent));
    }
    socket.close();
    const remote = await b.task(1).attach(registered.address);
    expect(await remote.fetchAdd(0, 1)).toBe(0);
    await expect.poll(() => a.counters['datagrams-refused']).toBe(5);
  });
});

describe('options', () => {
  it.each([
    [{ number: 0 }, 'EINVAL', 'node 0'],
    [{ number: 1, bind: 'localhost:1' }, 'EINVAL', "'localhost:1' is no address"],
    [{ number: 1, datagramBytes: 100 }, 'EINVAL', 'datagrams of 100 bytes'],
    [{ number: 1, peers: { 2: { address: '192.0.2.1:7000' } } }, 'EACCES', 'without a secret'],
    [{ number: 1, peers: { 2: { address: '192.0.2.1:7000', secret: new Uint8Array(16) } } }, 'EINVAL', '32 bytes'],
  ] as [OpenOptions, string, string][])('%j are refused with %s', async (options, code, text) => {
    await expect(Mbcf.open(options)).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
  });

  it('are told when the address is in use, and what is open is closed once', async () => {
    const a = await node({ number: 1 });
    await expect(Mbcf.open({ number: 2, bind: a.address })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    const registered = a.task(1).register(new SharedArrayBuffer(8));
    expect(() => a.task(1)).toThrow('task 1 is there already');
    expect(() => a.task(2).register(new ArrayBuffer(8) as unknown as SharedArrayBuffer)).toThrow('only shared memory');
    const remote = await a.task(3).attach(registered.address);
    await Promise.all([a.close(), a.close()]);
    await expect(remote.read(0, 1)).rejects.toMatchObject({ code: 'ECANCELED' });
  });
});
