import { expect, it } from 'vitest';
import { SocketDouble } from '../../test/fixtures/socket-double.ts';
import { Errno } from '../base/errors.ts';
import { CalloutTable } from '../kern/callout.ts';
import { AF_INET, SOCK_STREAM } from '../sys/abi.ts';
import { ProcessTable } from '../sys/process.ts';
import { SYS } from '../sys/syscalls.ts';
import type { CallMemory, KernelClient } from './kernel-client.ts';
import { KernelProcess } from './kernel-process.ts';
import { kernelOver, Requester, Responder, type ToClient, type ToServer } from './multiplexer.ts';
import { withCalls, withProcesses } from './process-stream.ts';

/** A kernel of doubles behind messages that are cloned, as between threads. */
class Rig {
  readonly layer: SocketDouble = new SocketDouble(() => setImmediate(() => this.layer.deliver()));
  readonly table: ProcessTable = new ProcessTable({
    sockets: this.layer,
    callouts: new CalloutTable(),
    nowUs: () => 0,
  });
  readonly log: (ToServer | ToClient)[] = [];
  readonly responder: Responder;
  readonly requester: Requester;
  readonly kernel: KernelClient;

  constructor() {
    const nothing = { request: () => null, open: () => ({ send: () => {}, close: () => {} }) };
    this.responder = new Responder(
      (message) => {
        this.log.push(message);
        this.requester.take(structuredClone(message));
      },
      withProcesses(nothing, () => KernelProcess.spawn(this.table, 'client')),
    );
    this.requester = new Requester((message) => {
      this.log.push(message);
      this.responder.take(structuredClone(message));
    });
    this.kernel = withCalls(kernelOver(this.requester, Promise.resolve(), () => Promise.resolve()));
  }
}

class Memory implements CallMemory {
  readonly bytes: Uint8Array = new Uint8Array(new SharedArrayBuffer(4096));

  constructor() {
    // struct sockaddr_in: length, family, port 80, 127.0.0.1
    this.bytes.set([16, AF_INET, 0, 80, 127, 0, 0, 1], 16);
  }

  read(address: number, length: number): Uint8Array {
    if (address + length > this.bytes.length) throw new RangeError('no such memory');
    return this.bytes.subarray(address, address + length);
  }

  write(address: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, address);
  }
}

it('carries calls, and the memory that they name', async () => {
  const { kernel, table, log } = new Rig();
  const memory = new Memory();
  const call = (name: string, ...args: number[]): Promise<number> => kernel.call(SYS[name] as number, args, memory);
  const listener = await call('socket', AF_INET, SOCK_STREAM, 0);
  log.length = 0;
  expect(await call('bind', listener, 16, 16)).toBe(0);
  const name = Uint8Array.of(16, AF_INET, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  expect(log).toEqual([
    { id: 1, input: { call: 2, number: SYS.bind, args: [listener, 16, 16] } },
    { id: 1, event: { ask: 1, call: 2, address: 16, length: 16 } },
    { id: 1, input: { answer: 1, bytes: name } },
    { id: 1, event: { call: 2, result: 0 } },
  ]);
  expect(await call('listen', listener, 5)).toBe(0);
  const accepting = call('accept', listener, 0, 0);
  const client = await call('socket', AF_INET, SOCK_STREAM, 0);
  expect(await call('connect', client, 16, 16)).toBe(0);
  const server = await accepting;
  const reading = call('read', server, 100, 10);
  memory.bytes.set([5, 6, 7], 200);
  expect(await call('write', client, 200, 3)).toBe(3);
  expect([await reading, ...memory.bytes.slice(100, 104)]).toEqual([3, 5, 6, 7, 0]);
  expect(await call('bind', client, 4090, 16)).toBe(-Errno.EFAULT);
  expect(await kernel.call(4095, [], memory)).toBe(-Errno.ENOSYS);
  // One process for all of them, beside init.
  expect(table.count).toBe(2);
});

it('ends the process with the client, and the calls with the way', async () => {
  const rig = new Rig();
  const memory = new Memory();
  const call = (name: string, ...args: number[]): Promise<number> => rig.kernel.call(SYS[name] as number, args, memory);
  const listen = async (): Promise<Promise<number>> => {
    const listener = await call('socket', AF_INET, SOCK_STREAM, 0);
    expect([await call('bind', listener, 16, 16), await call('listen', listener, 5)]).toEqual([0, 0]);
    return call('accept', listener, 0, 0).catch((error) => error.code);
  };
  const waiting = [listen()];
  await new Promise(setImmediate);
  expect([rig.layer.streams.size, rig.table.count]).toEqual([1, 2]);
  await rig.kernel.close();
  expect(await waiting[0]).toBe('ECONNRESET');
  expect([rig.layer.streams.size, rig.table.count]).toEqual([0, 1]);
  // The next call begins another.
  waiting.push(listen());
  await new Promise(setImmediate);
  expect(rig.table.count).toBe(2);
  rig.requester.fail(Object.assign(new Error('gone'), { code: 'EHOSTDOWN' }));
  rig.responder.close();
  expect(await waiting[1]).toBe('EHOSTDOWN');
  expect([rig.layer.streams.size, rig.table.count]).toEqual([0, 1]);
  await expect(call('getpid')).rejects.toMatchObject({ code: 'EHOSTDOWN' });
});

it.each([
  [null],
  [{ call: 1, number: 1, args: 'no' }],
  [{ call: 1, number: 1, args: [0, 0, 0, 0, 0, 0, 0] }],
  [{ call: 1.5, number: 1, args: [] }],
  [{ answer: 7, bytes: new Uint8Array(1) }],
])('ends the process at a message that makes no sense: %j', (input) => {
  const { responder, log, table } = new Rig();
  responder.take({ id: 9, open: 'process', params: {} });
  expect(table.count).toBe(2);
  responder.take({ id: 9, input });
  expect(log).toEqual([{ id: 9, end: true, error: null }]);
  expect(table.count).toBe(1);
});

it('takes an answer of another length for none', async () => {
  const { responder, log } = new Rig();
  responder.take({ id: 9, open: 'process', params: {} });
  responder.take({ id: 9, input: { call: 1, number: SYS.socket, args: [AF_INET, SOCK_STREAM, 0] } });
  await new Promise(setImmediate);
  responder.take({ id: 9, input: { call: 2, number: SYS.bind, args: [0, 16, 16] } });
  await new Promise(setImmediate);
  responder.take({ id: 9, input: { answer: 1, bytes: new Uint8Array(15) } });
  await new Promise(setImmediate);
  expect(log.at(-1)).toEqual({ id: 9, event: { call: 2, result: -Errno.EFAULT } });
});
