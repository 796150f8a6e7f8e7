import { expect, it } from 'vitest';
import { Program } from '../../test/fixtures/program.ts';
import { Errno } from '../base/errors.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import * as abi from '../sys/abi.ts';
import { SYS } from '../sys/syscalls.ts';
import { KernelProcess } from './kernel-process.ts';
import { SessionProcess } from './session-process.ts';
import type { ClientMemory } from './system-call-service.ts';

/** A program elsewhere: its memory is reached by messages. `log` has them. */
class RemoteProgram {
  /** Lays out structures; its own process is not used. */
  readonly there: Program;
  readonly log: string[] = [];
  readonly #process: KernelProcess;

  constructor(kernel: Kernel) {
    this.there = new Program(kernel.processes);
    this.#process = new KernelProcess(new SessionProcess(kernel.processes, 'client', 1024));
  }

  readonly memory: ClientMemory = {
    copyin: async (address, length) => {
      this.log.push(`in ${length}`);
      if (address + length > this.there.bytes.length) return -Errno.EFAULT;
      return this.there.bytes.slice(address, address + length);
    },
    copyout: async (address, bytes) => {
      this.log.push(`out ${bytes.length}`);
      this.there.bytes.set(bytes, address);
      return 0;
    },
  };

  call(name: string, ...args: number[]): Promise<number> {
    return this.#process.call(SYS[name] as number, Float64Array.from(args), this.memory);
  }

  exit(): void {
    this.#process.exit();
  }
}

async function settle(simulation: Simulation, kernel: Kernel): Promise<void> {
  for (let turn = 0; turn < 8; turn++) {
    kernel.cpus[0].flush();
    simulation.settle();
    await Promise.resolve();
    await new Promise(setImmediate);
  }
}

it('a program elsewhere talks to one here, and moves only the memory that its calls name', async () => {
  const simulation = new Simulation(1);
  const kernel = Kernel.create({ name: 'k', arena: Arena.create(64 << 20), host: simulation.host() });
  simulation.add(...kernel.cpus);
  const here = new Program(kernel.processes);
  const remote = new RemoteProgram(kernel);
  const { there } = remote;
  const listener = await remote.call('socket', abi.AF_INET, abi.SOCK_STREAM, 0);
  expect(await remote.call('bind', listener, ...there.sockaddr('127.0.0.1', 80))).toBe(0);
  expect(await remote.call('listen', listener, 5)).toBe(0);
  const name = there.allocate(16);
  const length = there.int(16);
  const accepting = remote.call('accept', listener, name, length);
  const client = here.call('socket', abi.AF_INET, abi.SOCK_STREAM, 0);
  const connecting = here.begin('connect', client, ...here.sockaddr('127.0.0.1', 80));
  await settle(simulation, kernel);
  expect(connecting.result).toBe(0);
  const server = await accepting;
  expect([server, there.addressAt(name).split(' ')[0]]).toEqual([1, '127.0.0.1']);

  remote.log.length = 0;
  const into = there.allocate(100);
  there.bytes.fill(0xee, into, into + 100);
  const reading = remote.call('read', server, into, 100);
  await settle(simulation, kernel);
  here.call('write', client, here.text('hello'), 5);
  await settle(simulation, kernel);
  expect([await reading, there.textAt(into, 5), there.bytes[into + 5]]).toEqual([5, 'hello', 0xee]);
  const pieces = there.iovec([there.text('ab'), 2], [there.text('cd'), 2]);
  expect(await remote.call('writev', server, pieces, 2)).toBe(4);
  expect(remote.log).toEqual(['out 5', 'in 16', 'in 16', 'in 2', 'in 2']);
  await settle(simulation, kernel);
  const got = here.allocate(8);
  expect([here.call('read', client, got, 8), here.textAt(got, 4)]).toEqual([4, 'abcd']);

  expect(await remote.call('write', server, there.bytes.length - 1, 2)).toBe(-Errno.EFAULT);
  const datagrams = await remote.call('socket', abi.AF_INET, abi.SOCK_DGRAM, 0);
  expect(await remote.call('connect', datagrams, ...there.sockaddr('127.0.0.1', 9))).toBe(0);
  expect(await remote.call('write', datagrams, 64, 2 ** 40)).toBe(-Errno.EMSGSIZE);
  expect(await remote.call('write', server, 2 ** 40, 1)).toBe(-Errno.EFAULT);
  const waiting = remote.call('read', server, into, 1);
  remote.exit();
  expect(await waiting).toBe(-Errno.EINTR);
  await settle(simulation, kernel);
  expect(here.call('read', client, got, 8)).toBe(0);
});

const HELD_BYTES_MAX = 16 << 20;

it('holds a bounded part of the memory of a program, and none of it after the calls', async () => {
  const simulation = new Simulation(1);
  const kernel = Kernel.create({ name: 'k', arena: Arena.create(64 << 20), host: simulation.host() });
  simulation.add(...kernel.cpus);
  const remote = new RemoteProgram(kernel);
  const socket = await remote.call('socket', abi.AF_INET, abi.SOCK_DGRAM, 0);
  expect(await remote.call('connect', socket, ...remote.there.sockaddr('127.0.0.1', 9))).toBe(0);
  const bound = await remote.call('socket', abi.AF_INET, abi.SOCK_DGRAM, 0);
  expect(await remote.call('bind', bound, ...remote.there.sockaddr('127.0.0.1', 10))).toBe(0);
  remote.memory.copyin = async (_address, length) => new Uint8Array(length);
  // More bytes than the limit, one call after the other.
  const lengthBytes = 60_000;
  for (let sent = 0; sent <= HELD_BYTES_MAX; sent += lengthBytes) {
    expect([lengthBytes, -Errno.ECONNREFUSED]).toContain(await remote.call('write', socket, 0, lengthBytes));
    kernel.cpus[0].flush();
    simulation.settle();
  }
  const results: number[] = [];
  const half = 1 << 19;
  const reads = Array.from({ length: 40 }, () => remote.call('read', bound, 0, half));
  for (const read of reads) void read.then((result) => results.push(result));
  await settle(simulation, kernel);
  expect(results).toEqual(Array.from({ length: 40 - HELD_BYTES_MAX / half }, () => -Errno.ENOBUFS));
  remote.exit();
  await Promise.all(reads);
  expect(results.slice(8)).toEqual(Array.from({ length: 32 }, () => -Errno.EINTR));
});
