import { beforeEach, describe, expect, it } from 'vitest';
import { Program } from '../../test/fixtures/program.ts';
import { Errno } from '../base/errors.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import * as abi from './abi.ts';
import { SYS, systemCall } from './syscalls.ts';
import { BLOCKED, type SystemCall } from './system-call.ts';

const { AF_INET, AF_INET6, SOCK_STREAM, SOCK_DGRAM, SOCK_NONBLOCK, SOL_SOCKET } = abi;
const SECOND_US = 1_000_000;

let simulation: Simulation;
let kernel: Kernel;
let program: Program;

beforeEach(() => {
  simulation = new Simulation(1);
  kernel = Kernel.create({ name: 'k', arena: Arena.create(64 << 20), host: simulation.host(), ipv6: true });
  simulation.add(...kernel.cpus);
  program = new Program(kernel.processes);
});

function settle(): void {
  kernel.cpus[0].flush();
  simulation.settle();
}

function listening(port: number, flags = 0): number {
  const fd = program.call('socket', AF_INET, SOCK_STREAM | flags, 0);
  expect(program.call('bind', fd, ...program.sockaddr('127.0.0.1', port))).toBe(0);
  expect(program.call('listen', fd, 5)).toBe(0);
  return fd;
}

/** Two ends of a connection: the one that connected, the one that was accepted. */
function connected(port = 80): [client: number, server: number] {
  const listener = listening(port);
  const client = program.call('socket', AF_INET, SOCK_STREAM, 0);
  const connecting = program.begin('connect', client, ...program.sockaddr('127.0.0.1', port));
  settle();
  expect(connecting.result).toBe(0);
  const server = program.call('accept', listener, 0, 0);
  expect(program.call('close', listener)).toBe(0);
  return [client, server];
}

function setTimeval(fd: number, option: number, seconds: number): void {
  expect(program.call('setsockopt', fd, SOL_SOCKET, option, program.seconds(seconds), 16)).toBe(0);
}

describe('the table', () => {
  it('has NetBSD numbers, each once, in order', () => {
    const numbers = Object.values(SYS);
    expect([...new Set(numbers)].sort((a, b) => a - b)).toEqual(numbers);
    expect([SYS.read, SYS.close, SYS.accept, SYS.connect, SYS.socket, SYS.kevent]).toEqual([3, 6, 30, 98, 394, 435]);
  });

  it('has no call of other numbers', () => {
    const thread = program.thread();
    for (const number of [0, 2, 4096, -1, 1.5, Number.NaN]) expect(systemCall(thread, number)).toBe(-Errno.ENOSYS);
  });
});

describe('a conversation over TCP', () => {
  it('in the order of the man pages, every result as they say', () => {
    const listener = program.call('socket', AF_INET, SOCK_STREAM, 0);
    expect(listener).toBe(0);
    expect(program.call('bind', listener, ...program.sockaddr('127.0.0.1', 80))).toBe(0);
    expect(program.call('listen', listener, 5)).toBe(0);
    const client = program.call('socket', AF_INET, SOCK_STREAM, abi.IPPROTO_TCP);
    expect(client).toBe(1);
    const connecting = program.begin('connect', client, ...program.sockaddr('127.0.0.1', 80));
    expect(connecting.result).toBe(BLOCKED);
    settle();
    expect(connecting.result).toBe(0);
    const [name, length] = [program.allocate(16), program.int(16)];
    const server = program.call('accept', listener, name, length);
    expect(server).toBe(2);
    expect(program.addressAt(name)).toMatch(/^127\.0\.0\.1 \d+$/);
    expect(program.call('getpeername', client, name, length)).toBe(0);
    expect([program.addressAt(name), program.intAt(length)]).toEqual(['127.0.0.1 80', 16]);
    expect(program.call('write', client, program.text('hello'), 5)).toBe(5);
    settle();
    const buffer = program.allocate(100);
    const count = program.int(0);
    expect(program.call('ioctl', server, abi.FIONREAD, count)).toBe(0);
    expect(program.intAt(count)).toBe(5);
    expect(program.call('recvfrom', server, buffer, 100, abi.MSG_PEEK, 0, 0)).toBe(5);
    expect(program.call('read', server, buffer, 100)).toBe(5);
    expect(program.textAt(buffer, 5)).toBe('hello');
    expect(program.call('shutdown', client, abi.SHUT_WR)).toBe(0);
    expect(program.call('write', client, buffer, 1)).toBe(-Errno.EPIPE);
    settle();
    expect(program.call('read', server, buffer, 100)).toBe(0);
    for (const fd of [client, server, listener]) expect(program.call('close', fd)).toBe(0);
    expect(program.call('close', server)).toBe(-Errno.EBADF);
  });

  it('gathers what is written and scatters what is read', () => {
    const [client, server] = connected();
    const [a, b, into] = [program.text('ab'), program.text('cdef'), program.allocate(16)];
    expect(program.call('writev', client, program.iovec([a, 2], [0, 0], [b, 4]), 3)).toBe(6);
    settle();
    expect(program.call('readv', server, program.iovec([into, 1], [into + 8, 3]), 2)).toBe(4);
    expect([program.textAt(into, 1), program.textAt(into + 8, 3)]).toEqual(['a', 'bcd']);
    const message = program.message(0, 0, program.iovec([into, 16]), 1);
    expect(program.call('recvmsg', server, message, 0)).toBe(2);
    expect(program.textAt(into, 2)).toBe('ef');
  });

  it('sends everything before a call that blocks returns', () => {
    const [client, server] = connected();
    const bytes = 300_000;
    const sending = program.begin('write', client, program.allocate(bytes), bytes);
    expect(sending.result).toBe(BLOCKED);
    const into = program.allocate(65_536);
    let got = 0;
    for (let turn = 0; turn < 1000 && got < bytes; turn++) {
      settle();
      const count = program.call('recvfrom', server, into, 65_536, abi.MSG_DONTWAIT, 0, 0);
      if (count > 0) got += count;
    }
    expect([got, sending.result]).toEqual([bytes, bytes]);
  });

  it('reads as much as was asked for with MSG_WAITALL', () => {
    const [client, server] = connected();
    const into = program.allocate(10);
    const reading = program.begin('recvfrom', server, into, 10, abi.MSG_WAITALL, 0, 0);
    for (const text of ['abc', 'defg']) {
      program.call('write', client, program.text(text), text.length);
      settle();
      expect(reading.result).toBe(BLOCKED);
    }
    program.call('close', client);
    settle();
    expect([reading.result, program.textAt(into, 7)]).toEqual([7, 'abcdefg']);
  });
});

describe('datagrams', () => {
  it.each([
    [AF_INET, '127.0.0.1'],
    [AF_INET6, '::1'],
  ])('of family %i go there and back with their addresses', (family, host) => {
    const server = program.call('socket', family, SOCK_DGRAM, 0);
    expect(program.call('bind', server, ...program.sockaddr(host, 53))).toBe(0);
    const client = program.call('socket', family, SOCK_DGRAM, 0);
    const question = program.text('who?');
    expect(program.call('sendto', client, question, 4, 0, ...program.sockaddr(host, 53))).toBe(4);
    settle();
    const [into, name, length] = [program.allocate(16), program.allocate(28), program.int(28)];
    expect(program.call('recvfrom', server, into, 16, 0, name, length)).toBe(4);
    expect(program.textAt(into, 4)).toBe('who?');
    expect(program.addressAt(name).split(' ')[0]).toBe(host);
    const message = program.message(name, program.intAt(length), program.iovec([into, 2], [into + 2, 2]), 2);
    expect(program.call('sendmsg', server, message, 0)).toBe(4);
    settle();
    const small = program.message(name, 28, program.iovec([into, 1]), 1);
    expect(program.call('recvmsg', client, small, 0)).toBe(1);
    expect(program.addressAt(name)).toBe(`${host} 53`);
    expect(program.intAt(small + 44)).toBe(abi.MSG_TRUNC);
  });

  it('need an address, until they are connected', () => {
    const socket = program.call('socket', AF_INET, SOCK_DGRAM, 0);
    const bytes = program.text('x');
    expect(program.call('write', socket, bytes, 1)).toBe(-Errno.EDESTADDRREQ);
    expect(program.call('connect', socket, ...program.sockaddr('127.0.0.1', 9))).toBe(0);
    expect(program.call('write', socket, bytes, 1)).toBe(1);
    settle();
    expect(program.call('write', socket, bytes, 1)).toBe(-Errno.ECONNREFUSED);
    const nobody = program.put([16, abi.AF_UNSPEC, ...new Array(14).fill(0)]);
    expect(program.call('connect', socket, nobody, 16)).toBe(0);
    expect(program.call('write', socket, bytes, 1)).toBe(-Errno.EDESTADDRREQ);
  });
});

describe('a call that waits', () => {
  it('goes on when there is something: accept, then receive', () => {
    const listener = listening(80);
    const accepting = program.begin('accept', listener, 0, 0);
    const results: number[] = [];
    accepting.onDone = (result) => results.push(result);
    expect(accepting.result).toBe(BLOCKED);
    const client = program.call('socket', AF_INET, SOCK_STREAM, 0);
    program.begin('connect', client, ...program.sockaddr('127.0.0.1', 80));
    settle();
    expect(results).toEqual([2]);
    const into = program.allocate(4);
    const reading = program.begin('read', 2, into, 4);
    settle();
    expect(reading.result).toBe(BLOCKED);
    program.call('write', client, program.text('ping'), 4);
    settle();
    expect([reading.result, program.textAt(into, 4)]).toEqual([4, 'ping']);
  });

  it('is refused, reset or timed out as the connection is', () => {
    const refused = program.call('socket', AF_INET, SOCK_STREAM, 0);
    const connecting = program.begin('connect', refused, ...program.sockaddr('127.0.0.1', 81));
    settle();
    expect(connecting.result).toBe(-Errno.ECONNREFUSED);
    const [client, server] = connected();
    const linger = program.put([1, 0, 0, 0, 0, 0, 0, 0]);
    expect(program.call('setsockopt', client, SOL_SOCKET, abi.SO_LINGER, linger, 8)).toBe(0);
    const reading = program.begin('read', server, program.allocate(1), 1);
    program.call('close', client);
    settle();
    expect(reading.result).toBe(-Errno.ECONNRESET);
  });

  it('ends with -EAGAIN after SO_RCVTIMEO, with what it has', () => {
    const [client, server] = connected();
    setTimeval(server, abi.SO_RCVTIMEO, 2);
    const into = program.allocate(8);
    const reading = program.begin('read', server, into, 8);
    const all = program.begin('recvfrom', client, into, 8, abi.MSG_WAITALL, 0, 0);
    const from = simulation.nowUs();
    simulation.run(from + 2 * SECOND_US - 1);
    expect(reading.result).toBe(BLOCKED);
    simulation.run(from + 2 * SECOND_US);
    expect(reading.result).toBe(-Errno.EAGAIN);
    program.call('write', server, program.text('abc'), 3);
    settle();
    expect(all.result).toBe(BLOCKED);
    all.cancel();
    expect(all.result).toBe(3);
  });

  it('ends with -EINTR when it is cancelled, and the object serves the next call', () => {
    const listener = listening(80);
    const accepting = program.begin('accept', listener, 0, 0);
    expect(systemCall(accepting, SYS.getpid as number)).toBe(-Errno.EBUSY);
    accepting.cancel();
    expect(accepting.result).toBe(-Errno.EINTR);
    accepting.cancel();
    expect(systemCall(accepting, SYS.getpid as number)).toBe(program.process.pid);
    expect(program.process.calls.size).toBe(0);
  });

  it('ends with -EBADF when its descriptor is closed, and not when another of the file is', () => {
    const [, server] = connected();
    const copy = program.call('dup', server);
    const into = program.allocate(1);
    const [here, there] = [program.begin('read', server, into, 1), program.begin('read', copy, into, 1)];
    expect(program.call('close', copy)).toBe(0);
    expect([here.result, there.result]).toEqual([BLOCKED, -Errno.EBADF]);
    expect(program.call('close', server)).toBe(0);
    expect(here.result).toBe(-Errno.EBADF);
  });

  it('is one of several: the first takes what there is', () => {
    const [client, server] = connected();
    const into = program.allocate(8);
    const calls = [program.begin('read', server, into, 4), program.begin('read', server, into + 4, 4)];
    program.call('write', client, program.text('ab'), 2);
    settle();
    expect(calls.map(({ result }) => result).sort((a, b) => b - a)).toEqual([2, BLOCKED]);
    program.call('write', client, program.text('c'), 1);
    settle();
    expect(calls.map(({ result }) => result).sort((a, b) => b - a)).toEqual([2, 1]);
  });

  it('does not wait on a file that must not block', () => {
    const listener = listening(80, SOCK_NONBLOCK);
    expect(program.call('accept', listener, 0, 0)).toBe(-Errno.EAGAIN);
    const client = program.call('socket', AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    expect(program.call('connect', client, ...program.sockaddr('127.0.0.1', 80))).toBe(-Errno.EINPROGRESS);
    settle();
    const [value, length] = [program.int(1), program.int(4)];
    expect(program.call('getsockopt', client, SOL_SOCKET, abi.SO_ERROR, value, length)).toBe(0);
    expect(program.intAt(value)).toBe(0);
    expect(program.call('read', client, program.allocate(1), 1)).toBe(-Errno.EAGAIN);
    expect(program.call('fcntl', client, abi.F_GETFL, 0)).toBe(abi.O_RDWR | abi.O_NONBLOCK);
    program.call('fcntl', client, abi.F_SETFL, 0);
    const reading: SystemCall = program.begin('read', client, program.allocate(1), 1);
    expect(reading.result).toBe(BLOCKED);
  });
});

describe('pointers that are none', () => {
  it('are -EFAULT, and nothing is lost', () => {
    const [client, server] = connected();
    const nowhere = program.bytes.length;
    program.call('write', client, program.text('data'), 4);
    settle();
    const into = program.allocate(8);
    for (const [name, ...args] of [
      ['read', server, nowhere, 4],
      ['read', server, nowhere - 2, 4],
      ['readv', server, nowhere, 1],
      ['readv', server, program.iovec([into, 2], [-1, 2]), 2],
      ['recvmsg', server, nowhere, 0],
      ['write', client, nowhere, 1],
      ['sendto', client, nowhere - 1, 2, 0, 0, 0],
      ['bind', client, nowhere, 16],
      ['connect', client, nowhere, 16],
      ['getsockname', client, into, nowhere],
      ['setsockopt', client, SOL_SOCKET, abi.SO_REUSEADDR, nowhere, 4],
      ['getsockopt', client, SOL_SOCKET, abi.SO_TYPE, into, nowhere],
      ['poll', nowhere, 1, 0],
      ['socketpair', abi.AF_LOCAL, SOCK_STREAM, 0, nowhere],
      ['ioctl', client, abi.FIONREAD, nowhere],
    ] as const) {
      expect([name, program.call(name, ...(args as number[]))]).toEqual([name, -Errno.EFAULT]);
    }
    expect(program.call('read', server, into, 8)).toBe(4);
    expect(program.textAt(into, 4)).toBe('data');
  });

  it('are refused before a structure is believed', () => {
    const socket = program.call('socket', AF_INET, SOCK_STREAM, 0);
    const [address] = program.sockaddr('127.0.0.1', 80);
    expect(program.call('bind', socket, address, 15)).toBe(-Errno.EINVAL);
    expect(program.call('bind', socket, address, -1)).toBe(-Errno.EINVAL);
    expect(program.call('bind', socket, address, 1 << 30)).toBe(-Errno.EINVAL);
    expect(program.call('bind', socket, program.put([16, 99, ...new Array(14).fill(0)]), 16)).toBe(-Errno.EAFNOSUPPORT);
    expect(program.call('writev', socket, program.iovec(), 1025)).toBe(-Errno.EINVAL);
    expect(program.call('poll', 64, -1, 0)).toBe(-Errno.EINVAL);
  });
});

describe('sockets that are none', () => {
  it('have the errors of the man pages', () => {
    const queue = program.call('kqueue');
    const name: [number, number] = program.sockaddr('127.0.0.1', 80);
    expect(program.call('bind', queue, ...name)).toBe(-Errno.ENOTSOCK);
    expect(program.call('listen', 77, 1)).toBe(-Errno.EBADF);
    expect(program.call('socket', 99, SOCK_STREAM, 0)).toBe(-Errno.EAFNOSUPPORT);
    expect(program.call('socket', AF_INET, 77, 0)).toBe(-Errno.EPROTOTYPE);
    expect(program.call('socket', AF_INET, SOCK_STREAM, abi.IPPROTO_UDP)).toBe(-Errno.EPROTONOSUPPORT);
    const datagram = program.call('socket', AF_INET, SOCK_DGRAM, 0);
    expect(program.call('listen', datagram, 1)).toBe(-Errno.EOPNOTSUPP);
    expect(program.call('accept', datagram, 0, 0)).toBe(-Errno.EOPNOTSUPP);
    expect(program.call('shutdown', datagram, 3)).toBe(-Errno.EINVAL);
    program.process.credentials.uid = 1000;
    expect(program.call('socket', AF_INET, abi.SOCK_RAW, 1)).toBe(-Errno.EACCES);
  });
});

describe('options', () => {
  it('are set and read in the units of the man pages', () => {
    const fd = program.call('socket', AF_INET, SOCK_STREAM, 0);
    const length = program.int(16);
    const value = program.allocate(16);
    for (const [level, option, set] of [
      [SOL_SOCKET, abi.SO_REUSEADDR, 1],
      [SOL_SOCKET, abi.SO_RCVBUF, 30_000],
      [abi.IPPROTO_TCP, abi.TCP_NODELAY, 1],
      [abi.IPPROTO_TCP, abi.TCP_KEEPIDLE, 60],
      [abi.IPPROTO_IP, abi.IP_TTL, 7],
    ] as const) {
      expect(program.call('setsockopt', fd, level, option, program.int(set), 4)).toBe(0);
      program.view.setInt32(length, 16, true);
      expect(program.call('getsockopt', fd, level, option, value, length)).toBe(0);
      expect([option, program.intAt(value), program.intAt(length)]).toEqual([option, set, 4]);
    }
    const datagrams = program.call('socket', AF_INET6, SOCK_DGRAM, 0);
    for (const [level, option] of [
      [abi.IPPROTO_IP, abi.IP_MULTICAST_ALL],
      [abi.IPPROTO_IPV6, abi.IPV6_MULTICAST_ALL],
    ] as const) {
      const read = (): number => {
        program.view.setInt32(length, 16, true);
        expect(program.call('getsockopt', datagrams, level, option, value, length)).toBe(0);
        return program.intAt(value);
      };
      expect(read()).toBe(1);
      expect(program.call('setsockopt', datagrams, level, option, program.int(0), 4)).toBe(0);
      expect(read()).toBe(0);
    }
    setTimeval(fd, abi.SO_SNDTIMEO, 3);
    program.view.setInt32(length, 16, true);
    program.call('getsockopt', fd, SOL_SOCKET, abi.SO_SNDTIMEO, value, length);
    expect(program.view.getBigInt64(value, true)).toBe(3n);
    expect(program.call('getsockopt', fd, SOL_SOCKET, 0x7777, value, length)).toBe(-Errno.ENOPROTOOPT);
    expect(program.call('setsockopt', fd, SOL_SOCKET, abi.SO_LINGER, value, 4)).toBe(-Errno.EINVAL);
  });

  it('join groups by the address of the interface, or by its index', () => {
    const four = program.call('socket', AF_INET, SOCK_DGRAM, 0);
    const group = program.put([239, 1, 2, 3, 127, 0, 0, 1]);
    expect(program.call('setsockopt', four, abi.IPPROTO_IP, abi.IP_ADD_MEMBERSHIP, group, 8)).toBe(0);
    expect(program.call('setsockopt', four, abi.IPPROTO_IP, abi.IP_ADD_MEMBERSHIP, group, 8)).toBe(-Errno.EADDRINUSE);
    expect(program.call('setsockopt', four, abi.IPPROTO_IP, abi.IP_DROP_MEMBERSHIP, group, 8)).toBe(0);
    const six = program.call('socket', AF_INET6, SOCK_DGRAM, 0);
    const index = kernel.sockets.interfaceIndex('lo0');
    const group6 = program.put([0xff, 2, ...new Array(12).fill(0), 1, 1, index, 0, 0, 0]);
    expect(program.call('setsockopt', six, abi.IPPROTO_IPV6, abi.IPV6_JOIN_GROUP, group6, 20)).toBe(0);
    program.view.setInt32(group6 + 16, 99, true);
    expect(program.call('setsockopt', six, abi.IPPROTO_IPV6, abi.IPV6_JOIN_GROUP, group6, 20)).toBe(-Errno.ENODEV);
  });
});

describe('a pair', () => {
  it('carries bytes, ends, and breaks', () => {
    const fds = program.allocate(8);
    expect(program.call('socketpair', abi.AF_LOCAL, SOCK_STREAM, 0, fds)).toBe(0);
    const [a, b] = [program.intAt(fds), program.intAt(fds + 4)];
    const into = program.allocate(70_000);
    const reading = program.begin('read', b, into, 3);
    expect(program.call('write', a, program.text('abc'), 3)).toBe(3);
    expect([reading.result, program.textAt(into, 3)]).toEqual([3, 'abc']);
    const writing = program.begin('write', a, into, 70_000);
    expect(writing.result).toBe(BLOCKED);
    expect(program.call('read', b, into, 70_000)).toBe(65_536);
    expect(writing.result).toBe(70_000);
    expect(program.call('close', a)).toBe(0);
    expect(program.call('read', b, into, 70_000)).toBe(70_000 - 65_536);
    expect(program.call('read', b, into, 1)).toBe(0);
    expect(program.call('write', b, into, 1)).toBe(-Errno.EPIPE);
  });
});
