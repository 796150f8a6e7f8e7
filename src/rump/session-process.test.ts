import { describe, expect, it } from 'vitest';
import { KernelDouble } from '../../test/fixtures/kernel-double.ts';
import { memoryPair } from '../../test/fixtures/memory-pair.ts';
import { Errno } from '../base/errors.ts';
import { SeededRng } from '../base/rng.ts';
import { SocketAddress } from '../socket/socket.ts';
import { AF_INET, RLIMIT_NOFILE, SOCK_STREAM } from '../sys/abi.ts';
import type { Process } from '../sys/process.ts';
import { SYS } from '../sys/syscalls.ts';
import { RumpClient } from './client.ts';
import { KernelProcess } from './kernel-process.ts';
import { PassedFiles } from './passed-files.ts';
import * as protocol from './protocol.ts';
import { RumpServer } from './server.ts';
import { SESSION_LIMITS } from './session.ts';
import { SessionProcess } from './session-process.ts';
import { SocketService } from './socket-service.ts';
import { SystemCallService } from './system-call-service.ts';

const PORT_80 = SocketAddress.ipv4(0x7f000001, 80);

/** A kernel of doubles whose sessions make socket calls and system calls. */
class Rig extends KernelDouble {
  readonly expiries: (() => void)[] = [];
  readonly #passed = new PassedFiles(this.table.wakeups, new SeededRng(1), (_ms, run) => void this.expiries.push(run));
  readonly server: RumpServer;

  constructor(descriptorsMax: number) {
    super();
    this.server = new RumpServer({
      rng: new SeededRng(2),
      features: protocol.FEATURE_SOCKETS | protocol.FEATURE_SYSCALLS,
      limits: { ...SESSION_LIMITS, descriptorsMax },
      services: (client) => {
        const process = new SessionProcess(this.table, 'client', client.limits.descriptorsMax);
        return [
          new SocketService(client, process, this.#passed),
          new SystemCallService(client, new KernelProcess(process)),
        ];
      },
    });
  }

  async session(): Promise<Client> {
    const [carrier, server] = memoryPair();
    this.server.accept(server, null, 0);
    const features = protocol.FEATURE_SOCKETS | protocol.FEATURE_SYSCALLS;
    const options = { rng: new SeededRng(3 + this.server.sessions), key: null, features };
    return new Client(await RumpClient.connect(carrier, options));
  }

  /** The processes of sessions. */
  get processes(): Process[] {
    return [...this.table.all()].filter(({ name }) => name === 'client');
  }

  get openSockets(): number {
    return this.layer.streams.size + this.layer.datagrams.size;
  }

  async until(done: () => boolean): Promise<void> {
    while (!done()) await new Promise((resolve) => setImmediate(resolve));
  }
}

class Client {
  readonly rump: RumpClient;
  readonly events: protocol.Frame[] = [];
  /** The memory of its system calls. */
  readonly memory: Uint8Array = new Uint8Array(64);

  constructor(rump: RumpClient) {
    this.rump = rump;
    rump.begin({
      event: (frame) => void this.events.push({ ...frame, payload: frame.payload.slice() }),
      request: (asked) => rump.answer(asked, 0, this.memory.slice(asked.a, asked.a + asked.c)),
      closed: () => undefined,
    });
  }

  open(id: number): void {
    this.rump.send(protocol.OPEN_STREAM, id, 4);
  }

  async socketCall(operation: number, id: number, a = 0, ...addresses: SocketAddress[]): Promise<number> {
    return (await this.rump.call(operation, id, a, 0, 0, undefined, ...addresses)).a;
  }

  async systemCall(name: string, ...args: number[]): Promise<number> {
    const bytes = new Uint8Array(Float64Array.from(args).buffer);
    return (await this.rump.call(protocol.SYSCALL, 1, SYS[name] as number, 0, 0, bytes)).a;
  }

  /** Bytes of the stream `id` that came. */
  bytesOf(id: number): number {
    const data = this.events.filter(({ operation, object }) => operation === protocol.DATA && object === id);
    return data.reduce((sum, { payload }) => sum + payload.length, 0);
  }
}

/** A session that listens on port 80 as its socket 1. */
async function listening(rig: Rig): Promise<Client> {
  const client = await rig.session();
  client.open(1);
  expect(await client.socketCall(protocol.BIND, 1, 0, PORT_80)).toBe(0);
  expect(await client.socketCall(protocol.LISTEN, 1, 5)).toBe(0);
  return client;
}

describe('a session', () => {
  it('is one process, whose descriptors are sockets of both kinds of calls', async () => {
    const rig = new Rig(3);
    const client = await rig.session();
    expect(rig.processes).toEqual([]);
    client.open(1);
    expect(await client.systemCall('socket', AF_INET, SOCK_STREAM, 0)).toBe(1);
    const [process, ...others] = rig.processes;
    expect([process?.descriptors.count, others.length]).toEqual([2, 0]);
    // A descriptor of one kind of calls is one of the other's.
    expect(await client.socketCall(protocol.BIND, 1, 0, PORT_80)).toBe(0);
    expect(await client.systemCall('listen', 0, 5)).toBe(0);
    expect([...rig.layer.streams].map(({ state }) => state)).toEqual(['LISTEN']);
  });

  it('has a limit for both together, which setrlimit does not raise', async () => {
    const rig = new Rig(3);
    const client = await rig.session();
    client.open(1);
    expect(await client.systemCall('socket', AF_INET, SOCK_STREAM, 0)).toBe(1);
    client.open(3);
    client.open(5);
    expect(await client.socketCall(protocol.BIND, 5, 0, PORT_80)).toBe(-Errno.EMFILE);
    expect(await client.systemCall('socket', AF_INET, SOCK_STREAM, 0)).toBe(-Errno.EMFILE);
    new BigUint64Array(client.memory.buffer).set([4n, 4n]);
    expect(await client.systemCall('setrlimit', RLIMIT_NOFILE, 0)).toBe(-Errno.EPERM);
    expect(await client.systemCall('close', 1)).toBe(0);
    client.open(5);
    expect(await client.socketCall(protocol.BIND, 5, 0, PORT_80)).toBe(0);
  });

  it('has 16,384 sockets at most', async () => {
    const rig = new Rig(SESSION_LIMITS.descriptorsMax);
    const client = await rig.session();
    for (let i = 0; i < 16_384; i++) client.rump.send(protocol.OPEN_DATAGRAM, 2 * i + 1, 4);
    expect(await client.socketCall(protocol.BIND, 2 * 16_383 + 1, 0, PORT_80)).toBe(0);
    client.rump.send(protocol.OPEN_DATAGRAM, 2 * 16_384 + 1, 4);
    expect(await client.socketCall(protocol.BIND, 2 * 16_384 + 1, 0, PORT_80)).toBe(-Errno.EMFILE);
    expect(rig.processes[0]?.descriptors.count).toBe(16_384);
  });

  it('begins when the kernel may have another process, and its calls fail until then', async () => {
    const rig = new Rig(10);
    const client = await rig.session();
    let last = rig.table.spawn('other');
    for (let next = last; next !== null; next = rig.table.spawn('other')) last = next;
    client.open(1);
    expect(await client.socketCall(protocol.BIND, 1, 0, PORT_80)).toBe(-Errno.EMFILE);
    expect(await client.systemCall('getpid')).toBe(-Errno.EAGAIN);
    rig.table.exit(last as Process, 0);
    expect(await client.systemCall('getpid')).toBe(rig.processes[0]?.pid);
    client.open(1);
    expect(await client.socketCall(protocol.BIND, 1, 0, PORT_80)).toBe(0);
  });

  it('loses a socket with its descriptor, and closes no other file of that number', async () => {
    const rig = new Rig(10);
    const client = await listening(rig);
    expect(await client.systemCall('close', 0)).toBe(0);
    expect(rig.openSockets).toBe(0);
    expect(await client.socketCall(protocol.LISTEN, 1, 5)).toBe(-Errno.EBADF);
    client.open(1);
    expect(await client.systemCall('kqueue')).toBe(1);
    // In one system call: the socket goes, and another file has its number.
    expect(await client.systemCall('dup2', 1, 0)).toBe(0);
    client.rump.send(protocol.CLOSE, 1);
    expect(await client.systemCall('close', 0)).toBe(0);
    expect(await client.systemCall('close', 0)).toBe(-Errno.EBADF);
  });

  it('has no sockets after exit(2)', async () => {
    const rig = new Rig(10);
    const client = await listening(rig);
    void client.systemCall('exit', 0);
    await rig.until(() => rig.processes.length === 0);
    expect(rig.openSockets).toBe(0);
    client.open(3);
    expect(await client.socketCall(protocol.BIND, 3, 0, PORT_80)).toBeLessThan(0);
    expect(await client.systemCall('socket', AF_INET, SOCK_STREAM, 0)).toBe(-Errno.ESRCH);
    expect(rig.openSockets).toBe(0);
  });

  it('ends as a process exits: sockets close, calls are cancelled, output that was sent arrives', async () => {
    const rig = new Rig(10);
    const server = await listening(rig);
    const client = await rig.session();
    client.open(1);
    expect(await client.socketCall(protocol.CONNECT, 1, 0, PORT_80)).toBe(-Errno.EINPROGRESS);
    await rig.until(() => client.events.length > 0 && server.events.length > 0);
    const accepted = server.events[0]?.a as number;
    expect(server.events[0]?.operation).toBe(protocol.ACCEPTED);
    expect(await client.systemCall('socket', AF_INET, SOCK_STREAM, 0)).toBe(1);
    // More than the buffer of the socket: some waits in the session of the client.
    const sent = protocol.SEND_WINDOW_BYTES;
    client.rump.send(protocol.SEND, 1, 0, 0, new Uint8Array(sent));
    await client.rump.close();
    await rig.until(() => rig.server.sessions === 1);
    expect(rig.processes.length).toBe(1);
    await rig.until(() => server.bytesOf(accepted) === sent);
    await rig.until(() => server.events.some(({ operation }) => operation === protocol.END));
    await server.rump.close();
    await rig.until(() => rig.openSockets === 0);
    expect(rig.processes).toEqual([]);
  });
});

describe('an open file on its way to another session', () => {
  it('is closed by the last of those that have it', async () => {
    const rig = new Rig(10);
    const first = await listening(rig);
    const second = await rig.session();
    const token = (await first.rump.call(protocol.EXPORT, 1, 4)).payload;
    await first.rump.close();
    await rig.until(() => rig.processes.length === 0);
    expect(rig.openSockets).toBe(1);
    expect((await second.rump.call(protocol.ADOPT, 1, 0, 0, 0, token)).b).toBe(protocol.KIND_STREAM);
    for (const expire of rig.expiries) expire();
    expect([rig.openSockets, rig.processes[0]?.descriptors.count]).toEqual([1, 1]);
    second.rump.send(protocol.CLOSE, 1);
    await rig.until(() => rig.openSockets === 0);
  });

  it('is closed when nobody takes it in time', async () => {
    const rig = new Rig(10);
    const first = await listening(rig);
    await first.rump.call(protocol.EXPORT, 1, 4);
    await first.rump.close();
    await rig.until(() => rig.processes.length === 0);
    expect(rig.openSockets).toBe(1);
    for (const expire of rig.expiries) expire();
    expect(rig.openSockets).toBe(0);
  });

  it('is read, when it is a connection, by the process that got it last', async () => {
    const rig = new Rig(10);
    const first = await listening(rig);
    const [second, peer] = [await rig.session(), await rig.session()];
    peer.open(1);
    expect(await peer.socketCall(protocol.CONNECT, 1, 0, PORT_80)).toBe(-Errno.EINPROGRESS);
    await rig.until(() => first.events.length > 0);
    const accepted = first.events[0]?.a as number;
    const send = (): void => peer.rump.send(protocol.SEND, 1, 0, 0, new Uint8Array(10));
    // One more descriptor of the first process changes nothing.
    expect(await first.systemCall('dup', 1)).toBe(2);
    const { payload } = await first.rump.call(protocol.EXPORT, accepted, 4);
    await second.rump.call(protocol.ADOPT, 1, 0, 0, 0, payload);
    send();
    await rig.until(() => second.bytesOf(1) === 10);
    await second.rump.close();
    await rig.until(() => rig.server.sessions === 2);
    send();
    await rig.until(() => first.bytesOf(accepted) === 10);
  });

  it('gives connections to the processes that have it in turn', async () => {
    const rig = new Rig(10);
    const first = await listening(rig);
    const second = await rig.session();
    const token = (await first.rump.call(protocol.EXPORT, 1, 4)).payload;
    await second.rump.call(protocol.ADOPT, 1, 0, 0, 0, token);
    const peer = await rig.session();
    const arrived = (): number[] =>
      [first, second].map(({ events }) => events.filter(({ operation }) => operation === protocol.ACCEPTED).length);
    for (let i = 0; i < 4; i++) {
      peer.open(2 * i + 1);
      expect(await peer.socketCall(protocol.CONNECT, 2 * i + 1, 0, PORT_80)).toBe(-Errno.EINPROGRESS);
      await rig.until(() => arrived().reduce((sum, count) => sum + count) === i + 1);
    }
    expect(arrived()).toEqual([2, 2]);
  });
});
