import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Program } from '../../test/fixtures/program.ts';
import { Errno } from '../base/errors.ts';
import { CalloutTable } from '../kern/callout.ts';
import type { SocketLayer } from '../socket/socket.ts';
import * as abi from './abi.ts';
import { DescriptorTable } from './descriptor-table.ts';
import { OpenFile } from './file.ts';
import { ProcessTable } from './process.ts';
import { BLOCKED } from './system-call.ts';
import { WakeQueue } from './watch.ts';

class FileDouble extends OpenFile {
  ended = 0;

  override poll(): number {
    return 0;
  }

  override end(): void {
    this.ended++;
  }
}

const wakeups = new WakeQueue();

function table(): ProcessTable {
  return new ProcessTable({ sockets: null as unknown as SocketLayer, callouts: new CalloutTable(), nowUs: () => 0 });
}

describe('descriptors', () => {
  it('are the lowest free numbers up to the limit', () => {
    const descriptors = new DescriptorTable(3);
    const file = new FileDouble(wakeups);
    expect([1, 2, 3, 4].map(() => descriptors.add(file))).toEqual([0, 1, 2, -Errno.EMFILE]);
    expect(descriptors.close(1)).toBe(0);
    expect(descriptors.close(1)).toBe(-Errno.EBADF);
    expect(descriptors.add(file)).toBe(1);
    descriptors.close(0);
    expect(descriptors.add(file, false, 1)).toBe(-Errno.EMFILE);
    expect(descriptors.add(file)).toBe(0);
  });

  it('close their file with the last of them', () => {
    const descriptors = new DescriptorTable(10);
    const file = new FileDouble(wakeups);
    descriptors.add(file);
    descriptors.addAt(5, file);
    expect(descriptors.addAt(5, file)).toBe(5);
    descriptors.close(0);
    expect(file.ended).toBe(0);
    descriptors.close(5);
    expect(file.ended).toBe(1);
  });

  it.each([-1, 10, 0.5, Number.NaN])('cannot be put at %s', (fd) => {
    const descriptors = new DescriptorTable(10);
    expect(descriptors.addAt(fd, new FileDouble(wakeups))).toBe(-Errno.EBADF);
    expect(descriptors.get(fd)).toBeNull();
  });

  it('behave as a map of numbers to files, whatever is done in which order', () => {
    const operation = fc.oneof(
      fc.record({ kind: fc.constant('open'), fd: fc.nat(12) }),
      fc.record({ kind: fc.constant('close'), fd: fc.nat(12) }),
      fc.record({ kind: fc.constant('dup'), fd: fc.nat(12) }),
      fc.record({ kind: fc.constant('dup2'), fd: fc.nat(12), to: fc.nat(12) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const limit = 10;
        const descriptors = new DescriptorTable(limit);
        const model = new Map<number, FileDouble>();
        const files: FileDouble[] = [];
        const lowest = (): number => Array.from({ length: limit }, (_, i) => i).find((i) => !model.has(i)) ?? -1;
        for (const one of operations) {
          const file = model.get(one.fd);
          const free = lowest();
          if (one.kind === 'open') {
            const made = new FileDouble(wakeups);
            files.push(made);
            expect(descriptors.add(made)).toBe(free < 0 ? -Errno.EMFILE : free);
            if (free >= 0) model.set(free, made);
            else made.end();
          } else if (one.kind === 'close') {
            expect(descriptors.close(one.fd)).toBe(file === undefined ? -Errno.EBADF : 0);
            model.delete(one.fd);
          } else if (file !== undefined && one.kind === 'dup') {
            expect(descriptors.add(file)).toBe(free < 0 ? -Errno.EMFILE : free);
            if (free >= 0) model.set(free, file);
          } else if (file !== undefined && 'to' in one) {
            expect(descriptors.addAt(one.to as number, file)).toBe(one.to < limit ? one.to : -Errno.EBADF);
            if (one.to < limit) model.set(one.to, file);
          }
          for (let fd = 0; fd <= 12; fd++) expect(descriptors.get(fd)).toBe(model.get(fd) ?? null);
          expect(descriptors.count).toBe(model.size);
          for (const known of files) {
            const references = [...model.values()].filter((other) => other === known).length;
            expect(known.ended).toBe(references === 0 ? 1 : 0);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('processes', () => {
  let processes: ProcessTable;
  let parent: Program;

  beforeEach(() => {
    processes = table();
    parent = new Program(processes);
  });

  it('have numbers, names, a parent, and what they inherit', () => {
    const { process } = parent;
    process.credentials.uid = 7;
    parent.call('umask', 0o77);
    process.workingDirectory = '/tmp';
    const file = new FileDouble(wakeups);
    process.descriptors.add(file);
    process.descriptors.add(file, true);
    const child = new Program(processes, processes.spawn('child', process));
    expect([child.process.name, child.call('getpid'), child.call('getppid')]).toEqual([
      'child',
      child.process.pid,
      process.pid,
    ]);
    expect([child.call('getuid'), child.call('umask', 0), child.process.workingDirectory]).toEqual([7, 0o77, '/tmp']);
    expect([child.process.descriptors.get(0), child.process.descriptors.get(1)]).toEqual([file, null]);
    child.process.credentials.uid = 8;
    expect(parent.call('getuid')).toBe(7);
  });

  it('wait for children, and learn their status once', () => {
    expect(parent.call('wait4', -1, 0, 0, 0)).toBe(-Errno.ECHILD);
    const child = new Program(processes, processes.spawn('child', parent.process));
    const other = new Program(processes, processes.spawn('other', parent.process));
    const status = parent.int(0);
    expect(parent.call('wait4', child.process.pid, status, abi.WNOHANG, 0)).toBe(0);
    const waiting = parent.begin('wait4', child.process.pid, status, 0, 0);
    other.call('exit', 9);
    expect(waiting.result).toBe(BLOCKED);
    child.call('exit', 3);
    expect([waiting.result, parent.intAt(status)]).toEqual([child.process.pid, 3 << 8]);
    expect(processes.get(child.process.pid)).toBeNull();
    expect(parent.call('wait4', -1, status, 0, 0)).toBe(other.process.pid);
    expect(parent.call('wait4', -1, status, 0, 0)).toBe(-Errno.ECHILD);
  });

  it('leave nothing behind: files are closed, calls end, children get another parent', () => {
    const child = new Program(processes, processes.spawn('child', parent.process));
    const fds = parent.allocate(8);
    parent.call('socketpair', abi.AF_LOCAL, abi.SOCK_STREAM, 0, fds);
    const reading = parent.begin('read', parent.intAt(fds), fds, 1);
    const file = new FileDouble(wakeups);
    parent.process.descriptors.add(file);
    const { count } = processes;
    parent.call('exit', 0);
    expect([reading.result, file.ended, child.call('getppid')]).toEqual([-Errno.EINTR, 1, 1]);
    expect(processes.count).toBe(count - 1);
    expect(parent.call('getpid')).toBe(-Errno.ESRCH);
    child.call('exit', 0);
    expect(processes.count).toBe(count - 2);
  });

  it('have a limit of descriptors that they can change', () => {
    const limit = parent.allocate(16);
    expect(parent.call('getrlimit', abi.RLIMIT_NOFILE, limit)).toBe(0);
    expect(parent.view.getBigUint64(limit, true)).toBe(1024n);
    const set = (current: bigint, most: bigint): number => {
      parent.view.setBigUint64(limit, current, true);
      parent.view.setBigUint64(limit + 8, most, true);
      return parent.call('setrlimit', abi.RLIMIT_NOFILE, limit) as number;
    };
    expect([set(3n, 2n), set(2n, 65_537n), set(2n, 2000n), set(2n, 2001n)]).toEqual([
      -Errno.EINVAL,
      -Errno.EPERM,
      0,
      -Errno.EPERM,
    ]);
    const fds = parent.allocate(8);
    expect(parent.call('kqueue')).toBe(0);
    expect(parent.call('socketpair', abi.AF_LOCAL, abi.SOCK_STREAM, 0, fds)).toBe(-Errno.EMFILE);
    expect(parent.call('fcntl', 0, abi.F_DUPFD, 2)).toBe(-Errno.EINVAL);
    expect(parent.call('fcntl', 0, abi.F_DUPFD_CLOEXEC, 1)).toBe(1);
    expect(parent.call('fcntl', 1, abi.F_GETFD, 0)).toBe(abi.FD_CLOEXEC);
    expect(parent.call('dup2', 0, 1)).toBe(1);
    expect(parent.call('fcntl', 1, abi.F_GETFD, 0)).toBe(0);
  });

  it('get no number twice, and too many get none', () => {
    const pids = new Set<number>();
    let last: unknown = parent.process;
    for (let i = 0; i < 5000 && last !== null; i++) {
      last = processes.spawn('one');
      if (last !== null) pids.add((last as { pid: number }).pid);
    }
    expect(last).toBeNull();
    expect(pids.size).toBe(processes.count - 2);
  });
});
