import { beforeEach, describe, expect, it } from 'vitest';
import { SocketDouble } from '../../test/fixtures/socket-double.ts';
import { udpWrap, uv } from './bindings.ts';
import type { BufferSizeContext } from './datagram-handle.ts';
import { liveness, setFace } from './face.ts';
import { StaticNames } from './names.ts';
import { UdpHandle } from './udp-handle.ts';

let layer: SocketDouble;
beforeEach(() => {
  layer = new SocketDouble(() => undefined);
  setFace({ sockets: layer, names: new StaticNames() });
});

async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    layer.deliver();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function bound(address = '0.0.0.0', flags = 0): { handle: UdpHandle; port: number; got: unknown[] } {
  const handle = new UdpHandle();
  expect(address.includes(':') ? handle.bind6(address, 0, flags) : handle.bind(address, 0, flags)).toBe(0);
  const out: { port?: number } = {};
  handle.getsockname(out);
  const got: unknown[] = [];
  handle.onmessage = (count: number, _handle: unknown, bytes: Buffer, from: object) =>
    got.push(count < 0 ? count : [String(bytes), from]);
  return { handle, port: out.port as number, got };
}

const text = (...pieces: string[]): Buffer[] => pieces.map((piece) => Buffer.from(piece));

describe('datagrams', () => {
  it('arrive with the sender, one callback each, while receiving', async () => {
    const { handle, port, got } = bound();
    const from = bound('127.0.0.1');
    expect(from.handle.send({}, text('a', 'bc'), 2, port, '127.0.0.1', false)).toBe(4);
    await settle();
    expect(got).toEqual([]);
    handle.recvStart();
    expect(from.handle.send({}, text(''), 1, port, '127.0.0.1', true)).toBe(1);
    await settle();
    const sender = { address: '127.0.0.1', family: 'IPv4', port: from.port };
    expect(got).toEqual([
      ['abc', sender],
      ['', sender],
    ]);
    handle.recvStop();
    from.handle.send({}, text('later'), 1, port, '127.0.0.1', false);
    await settle();
    expect(got).toHaveLength(2);
    handle.close();
    from.handle.close();
  });

  it('go to the connected peer, and names follow', async () => {
    const { handle, port, got } = bound('::');
    handle.recvStart();
    const client = new UdpHandle();
    expect(client.getpeername({})).toBe(uv.UV_EBADF);
    expect(client.connect6('::1', port)).toBe(0);
    expect(client.send6({}, text('x'), 1, false)).toBe(2);
    await settle();
    expect(got).toEqual([['x', expect.objectContaining({ address: '::1', family: 'IPv6' })]]);
    const peer = {};
    expect(client.getpeername(peer)).toBe(0);
    expect(peer).toEqual({ address: '::1', family: 'IPv6', port });
    expect(client.disconnect()).toBe(0);
    expect(client.getpeername({})).toBe(uv.UV_ENOTCONN);
    handle.close();
    client.close();
  });

  it('fail as on a host: too long, no way, not allowed', () => {
    const { handle, port } = bound();
    const big = [Buffer.alloc(40_000), Buffer.alloc(40_000)];
    expect(handle.send({}, big, 2, port, '127.0.0.1', true)).toBe(uv.UV_EMSGSIZE);
    expect(handle.send({}, [Buffer.alloc(66_000)], 1, port, '127.0.0.1', true)).toBe(uv.UV_EMSGSIZE);
    expect(handle.send({}, text('x'), 1, port, '192.0.2.1', true)).toBe(uv.UV_ENETUNREACH);
    expect(handle.send({}, text('x'), 1, port, '255.255.255.255', true)).toBe(uv.UV_EACCES);
    expect(handle.setBroadcast(1)).toBe(0);
    expect(handle.send({}, text('x'), 1, port, '255.255.255.255', true)).toBe(2);
    expect(handle.bind('127.0.0.1', 0, 0)).toBe(uv.UV_EINVAL);
    handle.close();
  });
});

describe('options', () => {
  it('have no descriptor to be set on before the socket is bound', () => {
    const handle = new UdpHandle();
    const context: BufferSizeContext = {};
    expect([handle.setTTL(9), handle.setMulticastLoopback(1), handle.setMulticastInterface('127.0.0.1')]).toEqual([
      uv.UV_EBADF,
      uv.UV_EBADF,
      uv.UV_EBADF,
    ]);
    expect(handle.bufferSize(0, true, context)).toBe(undefined);
    expect(context).toEqual({
      errno: uv.UV_EBADF,
      code: 'EBADF',
      message: 'bad file descriptor',
      syscall: 'uv_recv_buffer_size',
    });
    handle.close();
  });

  it('are checked as libuv checks them', () => {
    const { handle } = bound();
    expect([handle.setTTL(0), handle.setTTL(256), handle.setTTL(255)]).toEqual([uv.UV_EINVAL, uv.UV_EINVAL, 0]);
    expect([handle.setMulticastTTL(256), handle.setMulticastTTL(0)]).toEqual([uv.UV_EINVAL, 0]);
    expect(handle.addMembership('10.0.0.1', undefined)).toBe(uv.UV_EINVAL);
    expect(handle.addMembership('239.0.0.1', '')).toBe(uv.UV_EINVAL);
    expect(handle.addMembership('239.0.0.1', undefined)).toBe(0);
    expect(handle.dropMembership('239.0.0.1', null)).toBe(0);
    expect(handle.dropMembership('239.0.0.1', null)).toBe(uv.UV_EADDRNOTAVAIL);
    expect(handle.addMembership('ff02::1', undefined)).toBe(uv.UV_ENOPROTOOPT);
    expect(handle.setMulticastInterface('::%lo0')).toBe(uv.UV_ENOPROTOOPT);
    expect(handle.setMulticastInterface('::%eth9')).toBe(uv.UV_ENODEV);
    expect(handle.bufferSize(8000, false, {})).toBe(process.platform === 'linux' ? 16000 : 8000);
    handle.close();
  });
});

it('shares a port with a socket that is open to IPv6 only', () => {
  const { UV_UDP_IPV6ONLY = 1 } = udpWrap.constants;
  const six = bound('::', UV_UDP_IPV6ONLY);
  const four = new UdpHandle();
  expect(four.bind('0.0.0.0', six.port, 0)).toBe(0);
  six.handle.close();
  four.close();
});

it('keeps the event loop alive while it receives', async () => {
  const before = liveness.count;
  const { handle } = bound();
  expect(liveness.count).toBe(before);
  handle.recvStart();
  expect(liveness.count).toBe(before + 1);
  handle.unref();
  expect(liveness.count).toBe(before);
  handle.ref();
  let closed = false;
  handle.close(() => {
    closed = true;
  });
  expect([closed, liveness.count]).toEqual([false, before]);
  await settle();
  expect(closed).toBe(true);
});
