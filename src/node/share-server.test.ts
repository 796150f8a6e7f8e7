import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Refusal } from '../rump/admission.ts';
import type { SocketLayer } from '../socket/socket.ts';
import { setFace } from './face.ts';
import * as protocol from './share-protocol.ts';
import { admission, type SharePoint, sharePoint } from './share-server.ts';

let point: SharePoint;

beforeAll(() => {
  setFace({ sockets: {} as SocketLayer, names: { entries: () => ({}) } as never });
  point = sharePoint();
});

afterAll(() => setFace(null));

const refused = (reason: Refusal): number => admission.refused.get(reason) ?? 0;

/** Send `bytes`; the connection once the server has closed it. */
async function sendUntilClosed(bytes: Uint8Array): Promise<Socket> {
  const socket = connect(point.path);
  // The server may be gone before all is written.
  socket.on('error', () => undefined);
  socket.resume();
  socket.write(bytes);
  await once(socket, 'close');
  return socket;
}

const withLength = (length: number): Uint8Array => {
  const bytes = protocol.frameOf(protocol.HELLO, 0, protocol.ROLE_CALLS);
  new DataView(bytes.buffer).setInt32(0, length, true);
  return bytes;
};

const hello = (secret: string): Uint8Array =>
  protocol.frameOf(protocol.HELLO, 0, protocol.ROLE_CALLS, 0, 0, 0, Buffer.from(`${secret} me`));

describe('a connection without the secret is closed, and the reason counted', () => {
  it.each([
    ['negative length', withLength(-1)],
    ['negative length', withLength(-protocol.HEADER_BYTES)],
    ['frame too long', withLength(0x7fff_ffff)],
    ['frame too long', withLength(protocol.HELLO_BYTES_MAX + 1)],
    ['not authenticated', hello('0'.repeat(32))],
    ['not authenticated', hello('')],
    ['not authenticated', protocol.frameOf(protocol.OPEN_STREAM, 1, 4)],
  ] as [Refusal, Uint8Array][])('%s', async (reason, bytes) => {
    const before = refused(reason);
    await sendUntilClosed(bytes);
    expect(refused(reason)).toBe(before + 1);
    expect(admission.pending).toBe(0);
  });

  it('whatever it sends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 200, maxLength: 300 }), async (bytes) => {
        // More than a header and the longest payload of that time: never waited for.
        await sendUntilClosed(bytes);
        expect(admission.pending).toBe(0);
      }),
      { numRuns: 30 },
    );
  });

  it('at the latest when others want its place', async () => {
    const silent = Array.from({ length: 20 }, () => connect(point.path));
    const closed = silent.map((socket) => once(socket.resume(), 'close'));
    await Promise.race(closed);
    expect(refused('too many unauthenticated connections')).toBeGreaterThan(0);
    for (const socket of silent) socket.destroy();
    await Promise.all(closed);
  });
});

it('answers a client that says the secret, cut anywhere', async () => {
  const bytes = hello(point.secret);
  for (const at of [1, 31, 32, 33, bytes.length - 1]) {
    const socket = connect(point.path);
    socket.write(bytes.subarray(0, at));
    await once(socket, 'connect');
    socket.write(bytes.subarray(at));
    const [reply] = (await once(socket, 'data')) as [Buffer];
    expect(reply.readInt32LE(4)).toBe(protocol.REPLY);
    expect(JSON.parse(reply.subarray(protocol.HEADER_BYTES).toString())).toEqual({
      names: {},
      interfaces: null,
      machine: false,
    });
    // Authenticated: long frames are taken, bad ones are not.
    socket.write(protocol.frameOf(protocol.CONSUMED, 1, 0, 0, 0, 0, new Uint8Array(100_000)));
    socket.write(withLength(-5));
    await once(socket, 'close');
  }
});
