import { beforeEach, describe, expect, it } from 'vitest';
import { Program } from '../../test/fixtures/program.ts';
import { Errno } from '../base/errors.ts';
import { Simulation } from '../host/sim/simulation.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import * as abi from './abi.ts';
import { POLLHUP, POLLIN, POLLNVAL } from './file.ts';
import { BLOCKED, type SystemCall } from './system-call.ts';

const { EVFILT_READ, EVFILT_WRITE, EV_ADD, EV_CLEAR, EV_DELETE, EV_DISABLE, EV_DISPATCH, EV_ENABLE, EV_ONESHOT } = abi;
const POLLOUT = 0x4;
const MS_US = 1000;

let simulation: Simulation;
let program: Program;
let a: number;
let b: number;

beforeEach(() => {
  simulation = new Simulation(1);
  const kernel = Kernel.create({ name: 'k', arena: Arena.create(64 << 20), host: simulation.host() });
  simulation.add(...kernel.cpus);
  program = new Program(kernel.processes);
  [a, b] = pair();
});

function pair(): [number, number] {
  const fds = program.allocate(8);
  expect(program.call('socketpair', abi.AF_LOCAL, abi.SOCK_STREAM, 0, fds)).toBe(0);
  return [program.intAt(fds), program.intAt(fds + 4)];
}

function write(fd: number, text: string): void {
  expect(program.call('write', fd, program.text(text), text.length)).toBe(text.length);
}

function read(fd: number, bytes: number): number {
  return program.call('read', fd, program.allocate(bytes), bytes);
}

function pollfds(...list: [fd: number, events: number][]): number {
  const at = program.allocate(8 * list.length);
  for (const [i, [fd, events]] of list.entries()) {
    program.view.setInt32(at + 8 * i, fd, true);
    program.view.setInt16(at + 8 * i + 4, events, true);
  }
  return at;
}

function found(at: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => program.view.getInt16(at + 8 * i + 6, true));
}

describe('poll', () => {
  it('tells what is so at once', () => {
    write(a, 'x');
    const at = pollfds([a, POLLIN | POLLOUT], [b, POLLIN], [-5, POLLIN], [77, POLLIN]);
    expect(program.call('poll', at, 4, -1)).toBe(3);
    expect(found(at, 4)).toEqual([POLLOUT, POLLIN, 0, POLLNVAL]);
  });

  it('waits for the first of many, and not for what nobody asked for', () => {
    const [c, d] = pair();
    const at = pollfds([b, POLLIN], [d, POLLIN]);
    const polling = program.begin('poll', at, 2, -1);
    expect(polling.result).toBe(BLOCKED);
    write(d, 'y');
    expect(polling.result).toBe(BLOCKED);
    write(c, 'z');
    expect([polling.result, found(at, 2)]).toEqual([1, [0, POLLIN]]);
  });

  it('tells of the end though nobody asked', () => {
    const at = pollfds([b, 0]);
    const polling = program.begin('poll', at, 1, -1);
    program.call('close', a);
    expect([polling.result, found(at, 1)]).toEqual([1, [POLLHUP]]);
  });

  it('ends when its time is over, and is a pause without files', () => {
    const at = pollfds([b, POLLIN]);
    const calls = [program.begin('poll', at, 1, 50), program.begin('poll', 0, 0, 50)];
    expect(program.call('poll', at, 1, 0)).toBe(0);
    const from = simulation.nowUs();
    simulation.run(from + 50 * MS_US - 1);
    expect(calls.map(({ result }) => result)).toEqual([BLOCKED, BLOCKED]);
    simulation.run(from + 50 * MS_US);
    expect(calls.map(({ result }) => result)).toEqual([0, 0]);
  });

  it('finds the descriptor gone when it is closed meanwhile', () => {
    const at = pollfds([b, POLLIN]);
    const polling = program.begin('poll', at, 1, -1);
    program.call('close', b);
    expect([polling.result, found(at, 1)]).toEqual([1, [POLLNVAL]]);
  });
});

describe('select', () => {
  function set(...fds: number[]): number {
    const at = program.allocate(8);
    for (const fd of fds) program.view.setUint32(at + (fd >>> 5) * 4, 1 << (fd & 31), true);
    return at;
  }

  it('leaves the bits of descriptors that are ready', () => {
    const [input, output] = [set(b), set(a)];
    expect(program.call('select', 8, input, output, 0, 0)).toBe(1);
    expect([program.intAt(input), program.intAt(output)]).toEqual([0, 1 << a]);
  });

  it('waits, with a time-out, and refuses descriptors that are none', () => {
    const input = set(b);
    const selecting = program.begin('select', 8, input, 0, 0, program.seconds(1));
    expect(selecting.result).toBe(BLOCKED);
    write(a, 'x');
    expect([selecting.result, program.intAt(input)]).toEqual([1, 1 << b]);
    read(b, 1);
    const late = program.begin('select', 8, input, 0, 0, program.seconds(1));
    simulation.run(simulation.nowUs() + 1000 * MS_US);
    expect([late.result, program.intAt(input)]).toEqual([0, 0]);
    expect(program.call('select', 8, set(6), 0, 0, 0)).toBe(-Errno.EBADF);
  });
});

describe('kqueue', () => {
  let queue: number;
  const MOST = 8;

  beforeEach(() => {
    queue = program.call('kqueue');
  });

  function kevents(...list: [fd: number, filter: number, flags: number, data?: number][]): number {
    const at = program.allocate(40 * list.length);
    for (const [i, [fd, filter, flags, data = 0]] of list.entries()) {
      const to = at + 40 * i;
      program.view.setBigUint64(to, BigInt(fd), true);
      program.view.setUint32(to + 8, filter, true);
      program.view.setUint32(to + 12, flags, true);
      program.view.setBigUint64(to + 32, BigInt(data), true);
    }
    return at;
  }

  function change(...list: [fd: number, filter: number, flags: number, data?: number][]): number {
    return program.call('kevent', queue, kevents(...list), list.length, 0, 0, 0);
  }

  /** Events now: "fd filter data". */
  function collect(most: number = MOST): string[] {
    const at = program.allocate(40 * MOST);
    const count = program.call('kevent', queue, 0, 0, at, most, program.seconds(0));
    return Array.from({ length: count }, (_, i) => eventAt(at + 40 * i));
  }

  function eventAt(at: number): string {
    const { view } = program;
    const filter = view.getUint32(at + 8, true) === EVFILT_READ ? 'read' : 'write';
    const end = (view.getUint32(at + 12, true) & abi.EV_EOF) !== 0 ? ' eof' : '';
    return `${view.getBigUint64(at, true)} ${filter} ${view.getBigInt64(at + 24, true)}${end}`;
  }

  it('tells a level as long as it is so', () => {
    expect(change([b, EVFILT_READ, EV_ADD])).toBe(0);
    expect(collect()).toEqual([]);
    write(a, 'abc');
    expect([collect(), collect()]).toEqual([[`${b} read 3`], [`${b} read 3`]]);
    read(b, 2);
    expect(collect()).toEqual([`${b} read 1`]);
    read(b, 1);
    expect(collect()).toEqual([]);
  });

  it('tells an edge once for each change', () => {
    write(a, 'a');
    change([b, EVFILT_READ, EV_ADD | EV_CLEAR]);
    expect([collect(), collect()]).toEqual([[`${b} read 1`], []]);
    write(a, 'b');
    expect([collect(), collect()]).toEqual([[`${b} read 2`], []]);
  });

  it('tells a one-shot once, and one that is dispatched again when it is enabled', () => {
    const [c, d] = pair();
    change([b, EVFILT_READ, EV_ADD | EV_ONESHOT], [d, EVFILT_READ, EV_ADD | EV_DISPATCH]);
    write(a, 'x');
    write(c, 'y');
    expect([collect(), collect()]).toEqual([[`${b} read 1`, `${d} read 1`], []]);
    expect(change([b, EVFILT_READ, EV_ENABLE])).toBe(-Errno.ENOENT);
    expect(change([d, EVFILT_READ, EV_ENABLE])).toBe(0);
    expect(collect()).toEqual([`${d} read 1`]);
  });

  it('has one interest for each filter, which can be disabled and deleted', () => {
    change([a, EVFILT_READ, EV_ADD], [a, EVFILT_WRITE, EV_ADD]);
    expect(collect()).toEqual([`${a} write 65536`]);
    expect(change([a, EVFILT_WRITE, EV_DISABLE])).toBe(0);
    expect(collect()).toEqual([]);
    change([a, EVFILT_WRITE, EV_ENABLE]);
    expect(collect()).toHaveLength(1);
    expect([change([a, EVFILT_WRITE, EV_DELETE]), change([a, EVFILT_WRITE, EV_DELETE])]).toEqual([0, -Errno.ENOENT]);
    expect(collect()).toEqual([]);
  });

  it('waits for a change of what it watches, once', () => {
    change([b, EVFILT_READ, EV_ADD]);
    const at = program.allocate(40 * MOST);
    const waiting: SystemCall = program.begin('kevent', queue, 0, 0, at, MOST, 0);
    expect(waiting.result).toBe(BLOCKED);
    write(b, 'not this way');
    expect(waiting.result).toBe(BLOCKED);
    write(a, 'x');
    expect([waiting.result, eventAt(at)]).toEqual([1, `${b} read 1`]);
    read(b, 1);
    const late = program.begin('kevent', queue, 0, 0, at, MOST, program.seconds(1));
    simulation.run(simulation.nowUs() + 1000 * MS_US);
    expect(late.result).toBe(0);
  });

  it('says that the peer ended', () => {
    change([b, EVFILT_READ, EV_ADD]);
    write(a, 'x');
    program.call('close', a);
    expect(collect()).toEqual([`${b} read 1 eof`]);
  });

  it('gives each its turn when there is room for few', () => {
    const [c, d] = pair();
    change([b, EVFILT_READ, EV_ADD], [d, EVFILT_READ, EV_ADD]);
    write(a, 'x');
    write(c, 'y');
    const turns = [collect(1), collect(1), collect(1), collect(1)].flat();
    expect(turns).toEqual([`${b} read 1`, `${d} read 1`, `${b} read 1`, `${d} read 1`]);
  });

  it('forgets descriptors that are closed, duplicates or not', () => {
    change([b, EVFILT_READ, EV_ADD]);
    const copy = program.call('dup', b);
    write(a, 'x');
    program.call('close', b);
    expect(collect()).toEqual([]);
    change([copy, EVFILT_READ, EV_ADD]);
    expect(collect()).toEqual([`${copy} read 1`]);
  });

  it('tells of bad changes in the list of events, or as its result', () => {
    const at = program.allocate(40 * MOST);
    const changes = kevents([77, EVFILT_READ, EV_ADD], [b, 9, EV_ADD]);
    expect(program.call('kevent', queue, changes, 2, at, MOST, 0)).toBe(2);
    const errors = [0, 1].map((i) => program.view.getBigInt64(at + 40 * i + 24, true));
    expect(errors).toEqual([BigInt(Errno.EBADF), BigInt(Errno.EINVAL)]);
    expect(program.view.getUint32(at + 12, true)).toBe(abi.EV_ERROR);
    expect(change([77, EVFILT_READ, EV_ADD])).toBe(-Errno.EBADF);
  });

  it('can itself be polled', () => {
    change([b, EVFILT_READ, EV_ADD]);
    const at = pollfds([queue, POLLIN]);
    const polling = program.begin('poll', at, 1, -1);
    expect(polling.result).toBe(BLOCKED);
    write(a, 'x');
    expect([polling.result, found(at, 1)]).toEqual([1, [POLLIN]]);
  });
});
