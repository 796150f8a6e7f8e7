import { beforeEach, describe, expect, it } from 'vitest';
import { SocketDouble, type StreamDouble } from '../../test/fixtures/socket-double.ts';
import { SeededRng } from '../base/rng.ts';
import { CalloutTable } from '../kern/callout.ts';
import { EVENT_ACCEPTABLE, EVENT_READABLE, SocketAddress } from '../socket/socket.ts';
import { type Process, ProcessTable } from '../sys/process.ts';
import type { StreamFile } from '../sys/socket-file.ts';
import { Watcher } from '../sys/watch.ts';
import { PassedFiles } from './passed-files.ts';
import { type Consumer, join, leave, share } from './shared-socket.ts';

const PORT_80 = SocketAddress.ipv4(0x7f000001, 80);

/** A handle of the kernel's own thread. */
class Handle implements Consumer {
  interested = true;
  readonly seen: number[] = [];
  readonly onEvents = (events: number): void => void this.seen.push(events);
}

/** Another process, which watches the file. */
class Seen extends Watcher {
  times = 0;

  override changed(): void {
    this.times++;
  }
}

let layer: SocketDouble;
let table: ProcessTable;
let passed: PassedFiles;
let expire: () => void;
let handle: Handle;
let listener: StreamDouble;

beforeEach(() => {
  layer = new SocketDouble(() => undefined);
  table = new ProcessTable({ sockets: layer, callouts: new CalloutTable(), nowUs: () => 0 });
  passed = new PassedFiles(table.wakeups, new SeededRng(1), (_ms, run) => {
    expire = run;
  });
  handle = new Handle();
  listener = layer.stream();
  listener.bind(PORT_80);
  listener.listen(10);
  listener.onEvents = handle.onEvents;
});

/** A process with the file as its descriptor 0. */
function take(token: string): { process: Process; file: StreamFile; seen: Seen } {
  const process = table.spawn('taker') as Process;
  const file = passed.take(token) as StreamFile;
  expect(process.descriptors.add(file)).toBe(0);
  file.release();
  const seen = new Seen();
  file.watch(seen);
  return { process, file, seen };
}

function arrive(): StreamDouble {
  const client = layer.stream();
  client.connect(PORT_80);
  layer.deliver();
  return client;
}

/** Pass the listener on, as a handle that keeps it does. */
function pass(): string {
  share(listener, handle);
  return passed.addSocket(listener, 4);
}

describe('a socket of a handle that another process has too', () => {
  it('tells them in turn of connections', () => {
    const { seen } = take(pass());
    seen.times = 0;
    for (let i = 0; i < 4; i++) arrive();
    expect([handle.seen, seen.times]).toEqual([[EVENT_ACCEPTABLE, EVENT_ACCEPTABLE], 2]);
  });

  it('closes with the last of them: the process', () => {
    const { process, seen } = take(pass());
    expect(leave(listener, handle)).toBe(false);
    seen.times = 0;
    for (let i = 0; i < 2; i++) arrive();
    expect([handle.seen, seen.times, listener.state]).toEqual([[], 2, 'LISTEN']);
    table.exit(process, 0);
    expect(listener.state).toBe('CLOSED');
  });

  it('closes with the last of them: the handle', () => {
    const { process } = take(pass());
    table.exit(process, 0);
    arrive();
    expect([handle.seen, listener.state]).toEqual([[EVENT_ACCEPTABLE], 'LISTEN']);
    expect(leave(listener, handle)).toBe(true);
  });

  it('is the handle’s alone again when nobody takes it', () => {
    const token = pass();
    expire();
    expect(passed.take(token)).toBeNull();
    arrive();
    expect(handle.seen).toEqual([EVENT_ACCEPTABLE]);
    expect(leave(listener, handle)).toBe(true);
  });

  it('is read by the one that got the connection last', () => {
    const client = arrive();
    const accepted = listener.accept() as StreamDouble;
    accepted.onEvents = handle.onEvents;
    handle.seen.length = 0;
    share(accepted, handle);
    const { process, seen } = take(passed.addSocket(accepted, 4));
    seen.times = 0;
    client.send(Uint8Array.of(1), 0, 1);
    layer.deliver();
    expect([handle.seen, seen.times]).toEqual([[], 1]);
    table.exit(process, 0);
    client.send(Uint8Array.of(2), 0, 1);
    layer.deliver();
    expect(handle.seen).toEqual([EVENT_READABLE]);
  });
});

describe('a file of a process that a handle takes', () => {
  it('is shared with the process, and the handle’s when that exits', () => {
    const { process } = take(pass());
    leave(listener, handle);
    const taken = passed.takeSocket(passed.add(process.descriptors.get(0) as StreamFile));
    expect(taken).toEqual({ socket: listener, kind: 'stream', family: 4 });
    const other = new Handle();
    join(listener, other);
    table.exit(process, 0);
    arrive();
    expect([other.seen, listener.state]).toEqual([[EVENT_ACCEPTABLE], 'LISTEN']);
    expect(leave(listener, other)).toBe(true);
  });
});
