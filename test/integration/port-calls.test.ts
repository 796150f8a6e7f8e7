/** System calls of a client in another place of this program: over a MessagePort, connected when first used. */

import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import { Errno, MultikernelError } from '../../src/base/errors.ts';
import { SeededRng } from '../../src/base/rng.ts';
import type { Carrier } from '../../src/host/contract.ts';
import { PortCarrier } from '../../src/host/node/port-carrier.ts';
import { RumpClient } from '../../src/rump/client.ts';
import type { CallMemory, KernelClient } from '../../src/rump/kernel-client.ts';
import { kernelOnDemand } from '../../src/rump/kernel-on-demand.ts';
import { KernelProcess } from '../../src/rump/kernel-process.ts';
import * as protocol from '../../src/rump/protocol.ts';
import { remoteKernel } from '../../src/rump/remote-kernel.ts';
import { RumpServer } from '../../src/rump/server.ts';
import { SessionProcess } from '../../src/rump/session-process.ts';
import { SystemCallService } from '../../src/rump/system-call-service.ts';
import { AF_INET, SOCK_STREAM } from '../../src/sys/abi.ts';
import { SYS } from '../../src/sys/syscalls.ts';
import { until } from '../fixtures/fake-workers.ts';
import { KernelDouble } from '../fixtures/kernel-double.ts';

/** A kernel of doubles at the other end of ports. */
class Rig extends KernelDouble {
  readonly server: RumpServer = new RumpServer({
    rng: new SeededRng(1),
    features: protocol.FEATURE_SYSCALLS,
    services: (client) => [
      new SystemCallService(client, new KernelProcess(new SessionProcess(this.table, 'client', 1024))),
    ],
  });
  /** Frames of the client, in their order. */
  readonly log: string[] = [];
  up = true;
  readonly kernel: KernelClient = kernelOnDemand(() => this.#connect(), new Promise(() => {}));

  carrier(): Carrier {
    const { port1, port2 } = new MessageChannel();
    this.server.acceptTrusted(new PortCarrier(port2));
    return new PortCarrier(port1);
  }

  async #connect(): Promise<KernelClient> {
    if (!this.up) throw gone();
    const carrier = this.carrier();
    const write = carrier.write.bind(carrier);
    carrier.write = (head, body) => {
      this.log.push(describeFrame(head, body));
      return write(head, body);
    };
    return remoteKernel(carrier, null, new SeededRng(2 + this.log.length), gone);
  }
}

function gone(): Error {
  return new MultikernelError('EHOSTDOWN', 'gone');
}

/** Operation, object, a, and the payload where it is memory. */
function describeFrame(head: Uint8Array, body: Uint8Array | null): string {
  const whole = new Uint8Array([...head, ...(body ?? [])]);
  const frame = protocol.decodeFrame(whole);
  const { operation = 0, object = 0, a = 0, payload = whole } = frame ?? {};
  if (operation === protocol.COPYIN) return `copyin ${object}: ${[...payload].join(' ')}`;
  if (operation === protocol.SYSCALL) return `call ${object}: ${a} ${[...new Float64Array(payload.slice().buffer)]}`;
  return `operation ${operation}`;
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
  expect(log).toEqual([
    `call 2: ${SYS.bind} ${listener},16,16`,
    `copyin 2: 16 ${AF_INET} 0 80 127 0 0 1 0 0 0 0 0 0 0 0`,
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
  await kernel.close();
});

it('ends the process with the client, and the calls with the way', async () => {
  const rig = new Rig();
  const memory = new Memory();
  const call = (name: string, ...args: number[]): Promise<number> => rig.kernel.call(SYS[name] as number, args, memory);
  const accept = async (): Promise<{ accepted: Promise<unknown> }> => {
    const listener = await call('socket', AF_INET, SOCK_STREAM, 0);
    expect([await call('bind', listener, 16, 16), await call('listen', listener, 5)]).toEqual([0, 0]);
    return { accepted: call('accept', listener, 0, 0).catch((error) => error.code) };
  };
  const first = await accept();
  expect([rig.layer.streams.size, rig.table.count]).toEqual([1, 2]);
  await rig.kernel.close();
  expect(await first.accepted).toBe('ECONNRESET');
  await until(() => rig.table.count === 1);
  expect(rig.layer.streams.size).toBe(0);
  // The next call begins another.
  const second = await accept();
  expect(rig.table.count).toBe(2);
  rig.up = false;
  rig.server.close();
  expect(await second.accepted).toBe('EHOSTDOWN');
  expect([rig.layer.streams.size, rig.table.count]).toEqual([0, 1]);
  await expect(call('getpid')).rejects.toMatchObject({ code: 'EHOSTDOWN' });
});

/** A frame of a session that has made one call. */
const send = (operation: number, request: number, payload: Uint8Array = protocol.NO_PAYLOAD): Uint8Array =>
  protocol.frameOf(payload, protocol.REQUEST, operation, request, 1, 1);

it.each([
  ['a call without a number', send(protocol.SYSCALL, 0)],
  ['arguments that are none', send(protocol.SYSCALL, 7, new Uint8Array(7))],
  ['too many arguments', send(protocol.SYSCALL, 7, new Uint8Array(72))],
  ['an answer to nothing', protocol.frameOf(new Uint8Array(1), protocol.REPLY, protocol.COPYIN, 7, 1)],
])('ends the process at a message that makes no sense: %s', async (_name, bytes) => {
  const rig = new Rig();
  const carrier = rig.carrier();
  const options = { rng: new SeededRng(2), key: null, features: protocol.FEATURE_SYSCALLS };
  const client = await RumpClient.connect(carrier, options);
  client.begin({ event: () => undefined, request: () => undefined, closed: () => undefined });
  const args = new Uint8Array(Float64Array.of(AF_INET, SOCK_STREAM, 0).buffer);
  await client.call(protocol.SYSCALL, 1, SYS.socket, 0, 0, args);
  expect(rig.table.count).toBe(2);
  carrier.write(bytes, null);
  await client.closed;
  expect(rig.table.count).toBe(1);
});

it('takes an answer of another length for none', async () => {
  const { kernel } = new Rig();
  const memory = new Memory();
  const listener = await kernel.call(SYS.socket as number, [AF_INET, SOCK_STREAM, 0], memory);
  memory.read = () => new Uint8Array(15);
  expect(await kernel.call(SYS.bind as number, [listener, 16, 16], memory)).toBe(-Errno.EFAULT);
  await kernel.close();
});

it('a port keeps no thread alive, and closes with the thread', async () => {
  const url = new URL('../../dist/host/node/port-carrier.js', import.meta.url).href;
  const code = `const { workerData } = require('node:worker_threads');
import(workerData.url).then(({ PortCarrier }) => {
  new PortCarrier(workerData.port).write(Uint8Array.of(7), null);
});`;
  const { port1, port2 } = new MessageChannel();
  const carrier = new PortCarrier(port1);
  const got: number[] = [];
  carrier.onBytes = (bytes) => void got.push(...bytes);
  const closed = new Promise<void>((resolve) => {
    carrier.onClosed = resolve;
  });
  const worker = new Worker(code, { eval: true, workerData: { url, port: port2 }, transferList: [port2] });
  expect(await once(worker, 'exit')).toEqual([0]);
  await closed;
  expect(got).toEqual([7]);
  expect(carrier.write(Uint8Array.of(1), null)).toBe(false);
});
