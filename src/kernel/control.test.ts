import { beforeEach, describe, expect, it } from 'vitest';
import { Errno, type MultikernelError } from '../base/errors.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { createNetwork } from '../link/network.ts';
import { VniDevice } from '../link/vni.ts';
import { Arena } from '../mem/arena.ts';
import { SocketAddress } from '../socket/sockaddr.ts';
import {
  type CaptureRecord,
  type DatagramsEvent,
  type IpAddress,
  type RouteMessage,
  type RouteMessages,
  RTM_ADD,
  RTM_DELADDR,
  RTM_DELETE,
  RTM_IFANNOUNCE,
  RTM_IFINFO,
  RTM_MISS,
  RTM_NEWADDR,
} from '../sys/control.ts';
import { SYS } from '../sys/syscalls.ts';
import { Kernel } from './kernel.ts';

const HEAP_BYTES = 4 << 20;
const SECOND_US = 1_000_000;

function four(w3: number): IpAddress {
  return { family: 4, w0: 0, w1: 0, w2: 0, w3, scopeId: 0 };
}

const OWN = four(0x0a000001);
const SECOND = four(0x0a090001);
const FAR = four(0xc0000201 | 0);

let simulation: Simulation;
let kernel: Kernel;
let attach: () => void;

beforeEach(() => {
  const arena = Arena.create(64 << 20);
  const network = createNetwork(arena, { ports: 4, ringBytes: 1 << 16 });
  simulation = new Simulation(1);
  let port = 0;
  const device = (): VniDevice =>
    new VniDevice(arena, kernel.cpus[0].cpu.bulk, network, port, {
      name: `k/eth${port}`,
      mac: { hi: 0x0200, lo: ++port },
    });
  kernel = Kernel.create({ name: 'k', host: simulation.host(), arena, heapBytes: HEAP_BYTES });
  attach = () => void kernel.attach(device(), `eth${port - 1}`);
  kernel.attach(device(), 'eth0');
  kernel.control('address.add', { index: 2, address: OWN, prefixLength: 24 });
  simulation.add(...kernel.cpus);
  simulation.run(SECOND_US);
});

/** A reader of routing messages; `unread` is what its carrier holds. */
function reader(queueMessages: number = 100) {
  const batches: RouteMessages[] = [];
  const carrier = { unread: 0 };
  const stream = kernel.client.openNow(
    'routeEvents',
    { queueMessages },
    {
      event: (batch) => batches.push(batch),
      end: () => {},
      get queuedBytes() {
        return carrier.unread;
      },
    },
  );
  const messages = (): RouteMessage[] => batches.flatMap((batch) => batch.messages);
  return { stream, batches, messages, carrier };
}

describe('routing messages', () => {
  it('tell of an address, with its routes, before the reply of the request that made it', () => {
    const { messages } = reader();
    kernel.control('address.add', { index: 2, address: SECOND, prefixLength: 16 });
    expect(messages()).toEqual([
      { type: RTM_NEWADDR, interfaceIndex: 2, address: SECOND, prefixLength: 16 },
      { type: RTM_ADD, route: expect.objectContaining({ destination: SECOND, prefixLength: 32, gateway: null }) },
      { type: RTM_ADD, route: expect.objectContaining({ destination: four(0x0a090000), prefixLength: 16 }) },
    ]);
  });

  it('tell of its end, of routes, flags, MTU and interfaces', () => {
    const { messages } = reader();
    kernel.control('address.delete', { index: 2, address: OWN });
    kernel.control('interface.change', { index: 2, clearFlags: 1 });
    kernel.control('interface.change', { index: 2, mtuBytes: 1400 });
    attach();
    kernel.client.flush();
    expect(messages().map(({ type }) => type)).toEqual([
      RTM_DELADDR,
      RTM_DELETE,
      RTM_DELETE,
      RTM_IFINFO,
      RTM_IFINFO,
      RTM_IFANNOUNCE,
    ]);
    expect(messages()[3]).toMatchObject({ interfaceIndex: 2, mtuBytes: 1500 });
    expect(messages()[4]).toMatchObject({ interfaceIndex: 2, mtuBytes: 1400 });
    expect(messages()[5]).toMatchObject({ interfaceIndex: 3, name: 'eth1', what: 0 });
  });

  it('tell of interfaces that are created, renamed and destroyed', () => {
    const { messages } = reader();
    const { index } = kernel.control('interface.create', { name: 'lo1' });
    kernel.control('interface.rename', { index, name: 'own0' });
    kernel.control('interface.destroy', { name: 'own0' });
    const announced = (name: string, what: number) => ({ type: RTM_IFANNOUNCE, interfaceIndex: index, name, what });
    expect(messages()).toEqual([announced('lo1', 0), announced('lo1', 1), announced('own0', 0), announced('own0', 1)]);
  });

  it('tell of a destination without a route, at the end of the turn', () => {
    const { messages } = reader();
    const raw = kernel.client.openNow('raw', { family: 4, protocol: 1 }, { event: () => {}, end: () => {} });
    raw.send({ id: 0, to: FAR, hops: 64, bytes: new Uint8Array(8) });
    expect(messages()).toEqual([]);
    kernel.cpus[0].doWork(simulation.nowUs());
    expect(messages()).toEqual([{ type: RTM_MISS, destination: FAR }]);
  });

  it('tell of neighbors that are known, go, and do not answer', () => {
    const { messages } = reader();
    const linkAddress = [2, 0, 0, 0, 0, 9] as const;
    const there = four(0x0a000009);
    kernel.control('neighbor.add', { address: there, linkAddress, temporary: false, published: false });
    kernel.control('neighbor.delete', { address: there });
    expect(messages()).toEqual([
      { type: RTM_ADD, neighbor: expect.objectContaining({ address: there, linkAddress, flags: 0x800 }) },
      { type: RTM_DELETE, neighbor: expect.objectContaining({ address: there, linkAddress }) },
    ]);
    const raw = kernel.client.openNow('raw', { family: 4, protocol: 1 }, { event: () => {}, end: () => {} });
    raw.send({ id: 0, to: there, hops: 64, bytes: new Uint8Array(8) });
    simulation.run(simulation.nowUs() + 4 * SECOND_US);
    expect(messages().slice(2)).toEqual([{ type: RTM_MISS, destination: there, linkIndex: 2, author: OWN }]);
  });

  it('are counted when they find no room, for each reader alone', () => {
    const small = reader(2);
    const large = reader(100);
    kernel.control('address.add', { index: 2, address: SECOND, prefixLength: 16 });
    expect(small.batches).toMatchObject([{ dropped: 1, messages: [{ type: RTM_NEWADDR }, { type: RTM_ADD }] }]);
    expect(large.batches).toMatchObject([{ dropped: 0 }]);
    expect(large.messages()).toHaveLength(3);
  });

  it('wait for a reader that is slow', () => {
    const { batches, carrier } = reader(4);
    carrier.unread = 2 << 20;
    kernel.control('address.add', { index: 2, address: SECOND, prefixLength: 16 });
    kernel.control('address.delete', { index: 2, address: SECOND });
    expect(batches).toEqual([]);
    carrier.unread = 0;
    kernel.cpus[0].doWork(simulation.nowUs());
    expect(batches).toHaveLength(1);
    expect(batches[0]?.messages).toHaveLength(4);
    expect(batches[0]?.dropped).toBe(2);
  });

  it('cost nothing without a reader', () => {
    const { stream } = reader();
    expect(kernel.inet.tableEvents.listener).not.toBeNull();
    stream.close();
    expect(kernel.inet.tableEvents.listener).toBeNull();
  });
});

describe('a capture', () => {
  it('leaves frames in its bounded queue while its reader is slow, and counts the rest', () => {
    let frames = 0;
    let dropped = 0;
    let unread = 0;
    const event = (batch: CaptureRecord): void => {
      if (batch.type !== 'frames') return;
      frames += batch.frames.length;
      dropped += batch.droppedFrames;
    };
    const sink = {
      event,
      end: () => {},
      get queuedBytes() {
        return unread;
      },
    };
    const capture = kernel.client.openNow(
      'capture',
      { interfaces: ['lo0'], snapBytes: 0, filter: new Uint8Array(0) },
      sink,
    );
    const raw = kernel.client.openNow('raw', { family: 4, protocol: 253 }, { event: () => {}, end: () => {} });
    const send = (count: number): void => {
      for (let i = 0; i < count; i++) {
        raw.send({ id: i, to: OWN, hops: 64, bytes: new Uint8Array(8000) });
        kernel.cpus[0].doWork(simulation.nowUs());
      }
      simulation.run(simulation.nowUs() + SECOND_US);
    };
    send(10);
    expect([frames, dropped]).toEqual([20, 0]);
    unread = 8 << 20;
    send(500);
    expect([frames, dropped]).toEqual([20, 0]);
    unread = 0;
    simulation.run(simulation.nowUs() + SECOND_US);
    expect(dropped).toBeGreaterThan(0);
    expect(frames + dropped).toBe(2 * 510);
    capture.close();
  });
});

describe('a connection', () => {
  it('that cannot begin ends with the reason, once, and takes no input', () => {
    const ends: unknown[] = [];
    const sink = { event: () => {}, end: (error: Error | null) => ends.push((error as MultikernelError).code) };
    const stream = kernel.client.openNow('connection', { address: FAR, port: 80 }, sink);
    stream.send({ type: 'end' });
    stream.close();
    expect(ends).toEqual(['ENETUNREACH']);
  });

  it('ends its own direction once all is sent, and ends when the peer has ended its own', () => {
    const bytes = 300_000;
    const buffer = new Uint8Array(65_536);
    const listener = kernel.sockets.stream();
    listener.bind(SocketAddress.any(4, 80));
    listener.listen(1);
    let served = 0;
    listener.onEvents = () => {
      const socket = listener.accept();
      if (socket === null) return;
      socket.onEvents = () => {
        for (let count = 1; count > 0; ) {
          count = socket.receive(buffer, 0, buffer.length);
          if (count > 0) served += count;
          if (count === 0) socket.close();
        }
      };
    };
    const events: string[] = [];
    const stream = kernel.client.openNow(
      'connection',
      { address: OWN, port: 80 },
      {
        event: ({ type }) => events.push(type),
        end: (error) => events.push(`over ${error}`),
      },
    );
    stream.send({ type: 'write', bytes: new Uint8Array(bytes) });
    stream.send({ type: 'end' });
    simulation.run(simulation.nowUs() + SECOND_US);
    expect([served, events]).toEqual([bytes, ['connected', 'written', 'end', 'over null']]);
  });
});

describe('a listener', () => {
  const collect = (events: unknown[]) => ({
    event: (event: object) => events.push(event),
    end: (error: Error | null) => events.push(`over ${error}`),
  });

  it('gives its connections numbers, and each its bytes, its end and its close', () => {
    const events: object[] = [];
    const client: object[] = [];
    const listener = kernel.client.openNow('listener', { port: 80 }, collect(events) as never);
    const connection = kernel.client.openNow('connection', { address: OWN, port: 80 }, collect(client) as never);
    connection.send({ type: 'write', bytes: Uint8Array.of(1, 2) });
    connection.send({ type: 'end' });
    simulation.run(simulation.nowUs() + SECOND_US);
    expect(events).toMatchObject([
      { type: 'listening' },
      { type: 'accepted', id: 1, peer: OWN },
      { type: 'connection', id: 1, event: { type: 'data', bytes: Uint8Array.of(1, 2) } },
      { type: 'connection', id: 1, event: { type: 'end' } },
    ]);
    listener.send({ type: 'connection', id: 1, input: { type: 'write', bytes: Uint8Array.of(3) } });
    listener.send({ type: 'connection', id: 1, input: { type: 'end' } });
    simulation.run(simulation.nowUs() + SECOND_US);
    expect(client.slice(-3)).toMatchObject([{ type: 'data', bytes: Uint8Array.of(3) }, { type: 'end' }, 'over null']);
    expect(events.slice(-2)).toEqual([
      { type: 'connection', id: 1, event: { type: 'written' } },
      { type: 'ended', id: 1, errno: 0 },
    ]);
    listener.close();
    expect(events.at(-1)).toBe('over null');
  });

  it('resets one connection and goes on', () => {
    const events: object[] = [];
    const listener = kernel.client.openNow('listener', { port: 80 }, collect(events) as never);
    const ends: unknown[] = [];
    const sink = { event: () => {}, end: (error: Error | null) => ends.push((error as MultikernelError).code) };
    kernel.client.openNow('connection', { address: OWN, port: 80 }, sink);
    simulation.run(simulation.nowUs() + SECOND_US);
    listener.send({ type: 'connection', id: 1, input: { type: 'reset' } });
    kernel.client.openNow('connection', { address: OWN, port: 80 }, sink);
    simulation.run(simulation.nowUs() + SECOND_US);
    expect(ends).toEqual(['ECONNRESET']);
    expect(events.at(-1)).toMatchObject({ type: 'accepted', id: 2 });
    expect(() => kernel.client.openNow('listener', { port: 80 }, sink)).toThrow('EADDRINUSE');
    listener.close();
    simulation.run(simulation.nowUs() + SECOND_US);
    expect([...kernel.processes.all()].map(({ name }) => name)).not.toContain('listener');
  });
});

describe('a socket for datagrams', () => {
  it('sends and hears, and gives no more than there is credit for', () => {
    const heard: number[] = [];
    const server = kernel.client.openNow(
      'datagrams',
      { port: 53 },
      { event: (event) => void (event.type === 'datagram' && heard.push(event.bytes.length)), end: () => {} },
    );
    const client = kernel.client.openNow('datagrams', { port: 0 }, { event: () => {}, end: () => {} });
    for (let i = 0; i < 6; i++) {
      client.send({ type: 'send', to: OWN, port: 53, bytes: new Uint8Array(60_000) });
      simulation.run(simulation.nowUs() + SECOND_US);
    }
    expect(heard).toEqual([60_000, 60_000, 60_000, 60_000]);
    server.send({ type: 'credit', bytes: 120_000 });
    expect(heard).toHaveLength(6);
    server.close();
    client.close();
  });

  it('refuses a datagram that it was given, and its sender hears of that', () => {
    const server = kernel.client.openNow(
      'datagrams',
      { port: 53 },
      {
        event: (event) => {
          if (event.type !== 'datagram') return;
          server.send({ type: 'refuse', to: event.from, port: event.port, bytes: event.bytes });
        },
        end: () => {},
      },
    );
    const client = kernel.sockets.datagram(4);
    const to = SocketAddress.any(4, 53);
    to.w3 = OWN.w3;
    expect(client.connect(to)).toBe(0);
    expect(client.send(new Uint8Array(3), 0, 3, null)).toBe(3);
    simulation.run(simulation.nowUs() + SECOND_US);
    expect(client.error).toBe(-Errno.ECONNREFUSED);
    client.close();
    server.close();
  });

  it('tells broadcasts, which may not be refused', () => {
    const heard: unknown[] = [];
    const event = (one: DatagramsEvent): void => {
      if (one.type === 'datagram') heard.push([one.port, one.broadcast]);
    };
    const server = kernel.client.openNow('datagrams', { port: 53 }, { event, end: () => {} });
    const client = kernel.sockets.datagram(4);
    client.setOption('broadcast', true);
    for (const w3 of [0x0a0000ff, OWN.w3]) {
      const to = SocketAddress.any(4, 53);
      to.w3 = w3;
      expect(client.send(new Uint8Array(3), 0, 3, to)).toBe(3);
      simulation.run(simulation.nowUs() + SECOND_US);
    }
    const { port } = client.local;
    expect(heard).toEqual([
      [port, true],
      [port, false],
    ]);
    client.close();
    server.close();
  });
});

describe('a stream with a socket', () => {
  const descriptors = (): Record<string, number> =>
    Object.fromEntries([...kernel.processes.all()].map((process) => [process.name, process.descriptors.count]));
  const sink = { event: () => {}, end: () => {} };

  it('is a process with one descriptor, which exits when the stream ends', () => {
    const connection = kernel.client.openNow('connection', { address: OWN, port: 80 }, sink);
    const raw = kernel.client.openNow('raw', { family: 6, protocol: 58 }, sink);
    raw.send({ id: 1, to: { family: 6, w0: 0, w1: 0, w2: 0, w3: 1, scopeId: 0 }, hops: 1, bytes: new Uint8Array(8) });
    expect(descriptors()).toEqual({ init: 0, connection: 1, raw: 1 });
    raw.close();
    expect(descriptors()).toEqual({ init: 0, connection: 1 });
    // Nobody listens there.
    simulation.run(simulation.nowUs() + SECOND_US);
    expect(descriptors()).toEqual({ init: 0 });
    connection.close();
  });

  it('that is refused leaves no process', () => {
    expect(() => kernel.client.openNow('raw', { family: 4, protocol: 0 }, sink)).toThrow('EPROTONOSUPPORT');
    expect(descriptors()).toEqual({ init: 0 });
  });
});

describe('a kernel that is closed', () => {
  it('ends the streams of its clients, and settles', async () => {
    const ends: unknown[] = [];
    kernel.client.openNow('routeEvents', {}, { event: () => {}, end: (error) => ends.push(error) });
    kernel.client.openNow(
      'capture',
      { interfaces: [], snapBytes: 0, filter: new Uint8Array(0) },
      { event: () => {}, end: (error) => ends.push(error) },
    );
    kernel.close();
    expect(ends).toEqual([null, null]);
    await kernel.client.closed;
  });
});

describe('system calls of a client', () => {
  const AF_LOCAL = 1;
  const AF_INET = 2;
  const SOCK_STREAM = 1;
  const SOCK_DGRAM = 2;

  /** 64 bytes from address 1000 on. */
  function memory() {
    const bytes = new Uint8Array(64);
    const check = (address: number, length: number): void => {
      if (address < 1000 || address + length > 1064) throw new RangeError('no such memory');
    };
    return {
      bytes,
      view: new DataView(bytes.buffer),
      read: (address: number, length: number) => {
        check(address, length);
        return bytes.slice(address - 1000, address - 1000 + length);
      },
      write: (address: number, from: Uint8Array) => {
        check(address, from.length);
        bytes.set(from, address - 1000);
      },
    };
  }

  it('are made by one process, with its descriptors and the memory of the caller', async () => {
    const own = memory();
    const pid = await kernel.client.call(SYS.getpid as number, [], own);
    expect(pid).toBeGreaterThan(1);
    expect(await kernel.client.call(SYS.socket as number, [AF_INET, SOCK_DGRAM, 0], own)).toBe(0);
    expect(await kernel.client.call(SYS.socket as number, [AF_INET, SOCK_DGRAM, 0], own)).toBe(1);
    expect(await kernel.client.call(SYS.bind as number, [0, 5, 16], own)).toBe(-Errno.EFAULT);
    expect(await kernel.client.call(9999, [], own)).toBe(-Errno.ENOSYS);
    expect(await kernel.client.call(SYS.close as number, ['0' as never], own)).toBe(-Errno.EINVAL);
    expect(await kernel.client.call(SYS.getpid as number, new Array(8).fill(0), own)).toBe(pid);
    expect(await kernel.client.call(SYS.getpid as number, new Array(9).fill(0), own)).toBe(-Errno.EINVAL);
  });

  it('wait, and end with the kernel', async () => {
    const own = memory();
    const pair = await kernel.client.call(SYS.socketpair as number, [AF_LOCAL, SOCK_STREAM, 0, 1000], own);
    expect(pair).toBe(0);
    const [one, two] = [own.view.getInt32(0, true), own.view.getInt32(4, true)];
    const reading = kernel.client.call(SYS.read as number, [one, 1032, 8], own);
    own.bytes.set([1, 2, 3], 16);
    expect(await kernel.client.call(SYS.write as number, [two, 1016, 3], own)).toBe(3);
    expect(await reading).toBe(3);
    expect([...own.bytes.slice(32, 36)]).toEqual([1, 2, 3, 0]);
    const waiting = kernel.client.call(SYS.read as number, [one, 1032, 8], own);
    kernel.close();
    expect(await waiting).toBe(-Errno.EINTR);
  });
});
