import { describe, expect, it } from 'vitest';
import { KernelDouble } from '../../test/fixtures/kernel-double.ts';
import { memoryPair } from '../../test/fixtures/memory-pair.ts';
import { Errno } from '../base/errors.ts';
import { SeededRng } from '../base/rng.ts';
import { AF_INET, SOCK_STREAM } from '../sys/abi.ts';
import { SYS } from '../sys/syscalls.ts';
import { RumpClient } from './client.ts';
import type { CallMemory, KernelClient } from './kernel-client.ts';
import { KernelProcess } from './kernel-process.ts';
import { FEATURE_CONTROL, FEATURE_SYSCALLS, SYSCALL } from './protocol.ts';
import { remoteKernel } from './remote-kernel.ts';
import { RumpServer } from './server.ts';
import { SessionProcess } from './session-process.ts';
import { SystemCallService } from './system-call-service.ts';

/** A kernel of doubles, and programs that reach it by remote calls only. */
class Rig extends KernelDouble {
  readonly server: RumpServer = new RumpServer({
    rng: new SeededRng(1),
    features: FEATURE_SYSCALLS,
    services: (client) => [
      new SystemCallService(client, new KernelProcess(new SessionProcess(this.table, 'remote', 1024))),
    ],
  });

  async program(): Promise<Program> {
    const [client, server] = memoryPair();
    this.server.accept(server, null, 0);
    return new Program(await remoteKernel(client, null, new SeededRng(2 + this.server.sessions)));
  }
}

/** Its memory is an array, of which the kernel sees what it asks for. */
class Program implements CallMemory {
  readonly kernel: KernelClient;
  readonly bytes: Uint8Array = new Uint8Array(4096);
  readonly copies: string[] = [];

  constructor(kernel: KernelClient) {
    this.kernel = kernel;
    // struct sockaddr_in: length, family, port 80, 127.0.0.1
    this.bytes.set([16, AF_INET, 0, 80, 127, 0, 0, 1], 16);
  }

  read(address: number, length: number): Uint8Array {
    this.copies.push(`in ${address} ${length}`);
    if (address + length > this.bytes.length) throw new RangeError('no such memory');
    return this.bytes.slice(address, address + length);
  }

  write(address: number, bytes: Uint8Array): void {
    this.copies.push(`out ${address} ${bytes.length}`);
    this.bytes.set(bytes, address);
  }

  call(name: string, ...args: number[]): Promise<number> {
    return this.kernel.call(SYS[name] as number, args, this);
  }
}

describe('a process elsewhere', () => {
  it('is refused calls with too many arguments, and goes on', async () => {
    const program = await new Rig().program();
    const pid = await program.call('getpid', ...new Array<number>(8).fill(0));
    expect(pid).toBeGreaterThan(0);
    expect(await program.call('getpid', ...new Array<number>(9).fill(0))).toBe(-Errno.EINVAL);
    expect(await program.call('getpid')).toBe(pid);
  });

  it('needs the feature of system calls on both sides', async () => {
    const rig = new Rig();
    const [client, server] = memoryPair();
    rig.server.accept(server, null, 0);
    const options = { rng: new SeededRng(2), key: null, features: FEATURE_CONTROL };
    const caller = await RumpClient.connect(client, options);
    caller.begin({ event: () => {}, request: () => {}, closed: () => {} });
    const { a } = await caller.call(SYSCALL, SYS.getpid as number);
    expect(a).toBe(-Errno.EOPNOTSUPP);
    expect(rig.table.count).toBe(1);
  });

  it('makes sockets, waits, and moves bytes through its own memory', async () => {
    const rig = new Rig();
    const [server, client] = [await rig.program(), await rig.program()];
    const listener = await server.call('socket', AF_INET, SOCK_STREAM, 0);
    expect(await server.call('bind', listener, 16, 16)).toBe(0);
    expect(await server.call('listen', listener, 5)).toBe(0);
    expect(server.copies).toEqual(['in 16 16']);
    // Waits until the client is there.
    const accepting = server.call('accept', listener, 0, 0);
    const socket = await client.call('socket', AF_INET, SOCK_STREAM, 0);
    expect(await client.call('connect', socket, 16, 16)).toBe(0);
    const accepted = await accepting;
    expect(accepted).toBeGreaterThan(listener);
    const reading = server.call('read', accepted, 100, 10);
    client.bytes.set([5, 6, 7], 200);
    expect(await client.call('write', socket, 200, 3)).toBe(3);
    expect(await reading).toBe(3);
    expect([...server.bytes.slice(100, 104)]).toEqual([5, 6, 7, 0]);
    expect(rig.table.count).toBe(3);
  });

  it('has its errors: memory that it has not, descriptors that it has not, calls that there are not', async () => {
    const rig = new Rig();
    const program = await rig.program();
    const socket = await program.call('socket', AF_INET, SOCK_STREAM, 0);
    expect(await program.call('bind', socket, 4090, 16)).toBe(-14);
    expect(await program.call('bind', socket, -1, 16)).toBe(-14);
    expect(await program.call('bind', 99, 16, 16)).toBe(-9);
    expect(await program.kernel.call(4095, [], program)).toBe(-38);
  });

  it('keeps its descriptors to itself, and they close when it goes, with the calls that wait', async () => {
    const rig = new Rig();
    const [one, other] = [await rig.program(), await rig.program()];
    const listener = await one.call('socket', AF_INET, SOCK_STREAM, 0);
    expect(await one.call('bind', listener, 16, 16)).toBe(0);
    expect(await one.call('listen', listener, 5)).toBe(0);
    expect(await other.call('listen', listener, 5)).toBe(-9);
    const waiting = one.call('accept', listener, 0, 0);
    expect([rig.layer.streams.size, rig.table.count]).toEqual([1, 3]);
    void one.kernel.close();
    await expect(waiting).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect([rig.layer.streams.size, rig.table.count]).toEqual([0, 2]);
    expect(await other.call('getpid')).toBeGreaterThan(1);
  });
});
