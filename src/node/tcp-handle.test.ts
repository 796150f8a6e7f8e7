import { beforeEach, describe, expect, it } from 'vitest';
import { SocketDouble, type StreamDouble } from '../../test/fixtures/socket-double.ts';
import { streamWrap, tcpWrap, uv } from './bindings.ts';
import { liveness, setFace } from './face.ts';
import { StaticNames } from './names.ts';
import { TcpHandle } from './tcp-handle.ts';

const { SOCKET, SERVER } = tcpWrap.constants as { SOCKET: number; SERVER: number };
const { streamBaseState: state, kReadBytesOrError, kArrayBufferOffset, kBytesWritten, kLastWriteWasAsync } = streamWrap;

let layer: SocketDouble;
beforeEach(() => {
  layer = new SocketDouble(() => undefined);
  setFace({ sockets: layer, names: new StaticNames() });
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Let events and later turns happen until nothing does. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    layer.deliver();
    await turn();
  }
}

function name(handle: TcpHandle): object {
  const out = {};
  handle.getsockname(out);
  return out;
}

function listener(address = '::'): { handle: TcpHandle; port: number; accepted: TcpHandle[] } {
  const handle = new TcpHandle(SERVER);
  expect(address.includes(':') ? handle.bind6(address, 0, 0) : handle.bind(address, 0)).toBe(0);
  expect(handle.listen(511)).toBe(0);
  const accepted: TcpHandle[] = [];
  handle.onconnection = (status: number, client: TcpHandle) => {
    expect(status).toBe(0);
    accepted.push(client);
  };
  return { handle, port: (name(handle) as { port: number }).port, accepted };
}

async function pair(): Promise<{ client: TcpHandle; server: TcpHandle; close: () => void }> {
  const { handle, port, accepted } = listener();
  const client = new TcpHandle(SOCKET);
  const log: unknown[] = [];
  expect(client.connect({ oncomplete: (...args: unknown[]) => log.push(args) }, '127.0.0.1', port)).toBe(0);
  await settle();
  expect(log).toHaveLength(1);
  const server = accepted[0] as TcpHandle;
  return {
    client,
    server,
    close: () => {
      for (const each of [handle, client, server]) each.close();
    },
  };
}

/** Arrivals at a handle: strings, and UV numbers when it ends. */
function read(handle: TcpHandle): (string | number)[] {
  const got: (string | number)[] = [];
  handle.onread = (bytes) => {
    const count = state[kReadBytesOrError] as number;
    const text = (): string => Buffer.from(bytes as ArrayBuffer, state[kArrayBufferOffset], count).toString('latin1');
    got.push(count > 0 ? text() : count);
  };
  expect(handle.readStart()).toBe(0);
  return got;
}

describe('names', () => {
  it('are those of the family that was asked for', async () => {
    const { handle, port, accepted } = listener();
    expect(name(handle)).toEqual({ address: '::', family: 'IPv6', port });
    for (const [method, address] of [
      ['connect', '127.0.0.1'],
      ['connect6', '::1'],
      ['connect6', '::'],
      ['connect', '0.0.0.0'],
    ] as const) {
      const client = new TcpHandle(SOCKET);
      expect(client[method]({}, address, port)).toBe(0);
      await settle();
      const peer = {};
      expect(client.getpeername(peer)).toBe(0);
      const family = method === 'connect' ? 'IPv4' : 'IPv6';
      const expected = family === 'IPv4' ? '127.0.0.1' : '::1';
      expect(peer).toEqual({ address: expected, family, port });
      const seen = {};
      accepted.pop()?.getpeername(seen);
      expect(seen).toMatchObject({ address: family === 'IPv4' ? '::ffff:127.0.0.1' : '::1', family: 'IPv6' });
      client.close();
    }
    handle.close();
    await settle();
  });

  it('are unknown before there is a socket and after it is closed', () => {
    const handle = new TcpHandle(SOCKET);
    expect(handle.getsockname({})).toBe(uv.UV_EBADF);
    expect(handle.bind('127.0.0.1', 0)).toBe(0);
    expect(handle.getpeername({})).toBe(uv.UV_ENOTCONN);
    handle.close();
    expect(handle.getsockname({})).toBe(uv.UV_EBADF);
  });
});

describe('errors', () => {
  it('of bind are told by listen, except those libuv tells at once', () => {
    const { handle, port } = listener('127.0.0.1');
    const second = new TcpHandle(SERVER);
    expect(second.bind('127.0.0.1', port)).toBe(0);
    expect(second.getsockname({})).toBe(uv.UV_EADDRINUSE);
    expect(second.listen(1)).toBe(uv.UV_EADDRINUSE);
    const third = new TcpHandle(SERVER);
    expect(third.bind('192.0.2.1', 0)).toBe(uv.UV_EADDRNOTAVAIL);
    expect(third.bind6('2001:db8::1', 0, 0)).toBe(uv.UV_EADDRNOTAVAIL);
    expect(third.bind('nonsense', 0)).toBe(uv.UV_EINVAL);
    for (const each of [handle, second, third]) each.close();
  });

  it('of connect are told later when the peer refused, at once when there is no way', async () => {
    const handle = new TcpHandle(SOCKET);
    expect(handle.connect({}, '192.0.2.1', 80)).toBe(uv.UV_ENETUNREACH);
    expect(handle.connect6({}, '2001:db8::1', 80)).toBe(uv.UV_ENETUNREACH);
    const log: unknown[] = [];
    const request = { oncomplete: (...args: unknown[]) => log.push(args) };
    expect(new TcpHandle(SOCKET).connect(request, '127.0.0.1', 1)).toBe(0);
    expect(log).toEqual([]);
    await settle();
    expect(log).toEqual([[uv.UV_ECONNREFUSED, expect.anything(), request, false, false]]);
  });

  it('cancels what waits when it closes, then says so', async () => {
    const { handle, port } = listener();
    const client = new TcpHandle(SOCKET);
    const log: unknown[] = [];
    client.connect({ oncomplete: (status: number) => log.push(status) }, '127.0.0.1', port);
    client.close(() => log.push('closed'));
    expect(log).toEqual([]);
    handle.close();
    await settle();
    expect(log).toEqual([uv.UV_ECANCELED, 'closed']);
  });
});

describe('reading', () => {
  it('gets what arrived, later turns included, and the end once', async () => {
    const { client, server, close } = await pair();
    client.writeLatin1String({}, 'before');
    await settle();
    const got = read(server);
    expect(got).toEqual([]);
    await settle();
    client.writeUtf8String({}, 'after €');
    client.shutdown({});
    await settle();
    expect(got).toEqual(['before', 'after \u00e2\u0082\u00ac', uv.UV_EOF]);
    expect(server.bytesRead).toBe(15);
    close();
  });

  it('stops when told, within one turn', async () => {
    const { client, server, close } = await pair();
    client.writeBuffer({}, Buffer.alloc(40_000));
    let events = 0;
    server.onread = () => {
      events++;
      server.readStop();
    };
    server.readStart();
    await settle();
    client.writeBuffer({}, Buffer.alloc(10));
    await settle();
    expect(events).toBe(1);
    server.readStart();
    await settle();
    expect(events).toBe(2);
    close();
  });

  it('fills the buffer of the program', async () => {
    const { client, server, close } = await pair();
    const first = Buffer.alloc(4);
    const second = Buffer.alloc(4);
    const counts: number[] = [];
    server.useUserBuffer(first);
    server.onread = () => {
      counts.push(state[kReadBytesOrError] as number);
      return second;
    };
    server.readStart();
    client.writeLatin1String({}, 'abcdefg');
    await settle();
    expect([first.toString(), second.toString('latin1', 0, 3), counts]).toEqual(['abcd', 'efg', [4, 3]]);
    close();
  });

  it('is told of a reset', async () => {
    const { client, server, close } = await pair();
    const got = read(server);
    expect(client.reset()).toBe(0);
    await settle();
    expect(got).toEqual([uv.UV_ECONNRESET]);
    close();
  });
});

describe('writing', () => {
  it('is done at once while there is room', async () => {
    const { client, server, close } = await pair();
    const got = read(server);
    const write = (result: unknown): unknown[] => [result, state[kBytesWritten], state[kLastWriteWasAsync]];
    expect(write(client.writeBuffer({}, Buffer.from('ab')))).toEqual([0, 2, 0]);
    expect(write(client.writeUtf8String({}, 'ü'))).toEqual([0, 2, 0]);
    expect(write(client.writeUcs2String({}, 'x'))).toEqual([0, 2, 0]);
    expect(write(client.writeAsciiString({}, 'c'))).toEqual([0, 1, 0]);
    expect(write(client.writev({}, ['hé', 'latin1', Buffer.from('!'), 'buffer', '6869', 'hex'], false))).toEqual([
      0, 5, 0,
    ]);
    expect(write(client.writev({}, [Buffer.from('y'), Buffer.alloc(5000, 'z')], true))).toEqual([0, 5001, 0]);
    await settle();
    expect(got.join('')).toBe(`ab\u00c3\u00bcx\u0000ch\u00e9!hiy${'z'.repeat(5000)}`);
    expect([client.bytesWritten, client.writeQueueSize]).toEqual([5013, 0]);
    close();
  });

  it.each([true, false])('waits for room and completes in order, request given: %s', async (given) => {
    const { client, server, close } = await pair();
    const done: unknown[] = [];
    const request = given ? { oncomplete: (status: number) => done.push(['first', status]) } : null;
    const big = Buffer.alloc(200_000, 'a');
    const result = client.writev(request, [Buffer.from('head'), big], true);
    expect([state[kBytesWritten], state[kLastWriteWasAsync]]).toEqual([200_004, 1]);
    if (given) expect(result).toBe(0);
    else Object.assign(result, { oncomplete: (status: number) => done.push(['first', status]) });
    client.writeLatin1String({ oncomplete: (status: number) => done.push(['second', status]) }, 'tail');
    client.shutdown({ oncomplete: (status: number) => done.push(['shutdown', status]) });
    expect(client.writeQueueSize).toBeGreaterThan(100_000);
    const got = read(server);
    await settle();
    expect(done).toEqual([
      ['first', 0],
      ['second', 0],
      ['shutdown', 0],
    ]);
    expect(got.pop()).toBe(uv.UV_EOF);
    expect(got.join('')).toBe(`head${big.toString()}tail`);
    expect(client.writeQueueSize).toBe(0);
    close();
  });

  it('fails what waits when the peer resets', async () => {
    const { client, server, close } = await pair();
    const done: unknown[] = [];
    client.writeBuffer({ oncomplete: (status: number) => done.push(status) }, Buffer.alloc(200_000));
    server.close();
    await settle();
    expect(done).toEqual([uv.UV_ECONNRESET]);
    expect(client.writeBuffer({}, Buffer.alloc(1))).toBe(uv.UV_ECONNRESET);
    close();
  });
});

describe('options', () => {
  it('reach the socket as libuv would set them', async () => {
    const { client, close } = await pair();
    const { options } = [...layer.streams].find((one) => one.peer.port !== 0) as StreamDouble;
    expect([client.setNoDelay(true), options.noDelay]).toEqual([0, true]);
    expect([client.setKeepAlive(true, 7), options.keepAlive]).toEqual([0, true]);
    expect([options.keepIdleMs, options.keepIntervalMs, options.keepCount]).toEqual([7000, 1000, 10]);
    client.setKeepAlive(true, 8, 2, 3);
    expect([options.keepIdleMs, options.keepIntervalMs, options.keepCount]).toEqual([8000, 2000, 3]);
    expect([client.setKeepAlive(false), options.keepAlive]).toEqual([0, false]);
    expect([client.setTypeOfService(0x28), client.getTypeOfService(), options.tos]).toEqual([0, 0x28, 0x28]);
    expect(client.reset()).toBe(0);
    close();
  });
});

describe('the event loop', () => {
  it('is kept alive by what waits, and by nothing else', async () => {
    const before = liveness.count;
    const { handle, port } = listener();
    expect(liveness.count).toBe(before + 1);
    handle.unref();
    expect(liveness.count).toBe(before);
    handle.ref();
    const client = new TcpHandle(SOCKET);
    client.unref();
    client.connect({}, '127.0.0.1', port);
    expect(liveness.count).toBe(before + 2);
    await settle();
    expect(liveness.count).toBe(before + 1);
    client.ref();
    client.readStart();
    expect(liveness.count).toBe(before + 2);
    client.readStop();
    expect(liveness.count).toBe(before + 1);
    client.close();
    handle.close();
    await settle();
    expect(liveness.count).toBe(before);
  });
});
