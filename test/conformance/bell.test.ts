import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { futexOf } from '../../src/host/node/ffi/futex.ts';
import { libc } from '../../src/host/node/ffi/libc.ts';
import { SocketBell, SocketWaker } from '../../src/host/node/socket-bell.ts';
import { Arena } from '../../src/mem/arena.ts';
import { ringDoorbell, ringFar } from '../../src/mem/bell.ts';
import { Doorbell } from '../../src/mem/doorbell.ts';
import { FutexBell } from '../../src/mem/futex-bell.ts';
import { asyncBellSuite, blockingBellSuite } from './bell-suite.ts';

const nothing = (): Promise<void> => Promise.resolve();

for (const suite of [asyncBellSuite, blockingBellSuite]) {
  suite('doorbell, rung by its object', async () => {
    const arena = Arena.create(0);
    const bell = new Doorbell(arena, arena.allocateDoorbell());
    return { bell, ring: () => bell.ring(), close: nothing };
  });

  suite('doorbell, rung by its place, in an arena at another base', async () => {
    const arena = Arena.create(0, { base: 1 << 20 });
    const bell = new Doorbell(arena, arena.allocateDoorbell());
    return { bell, ring: () => ringDoorbell(arena.words, bell.at), close: nothing };
  });
}

if (libc()?.futex != null) {
  blockingBellSuite('futex', async () => {
    const arena = Arena.create(0);
    const bell = new FutexBell(arena.words, arena.allocateDoorbell(), futexOf(arena.bytes));
    return { bell, ring: () => bell.ring(), close: nothing };
  });
}

asyncBellSuite('socket, rung from within the process and from outside in turn', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bell-'));
  const arena = Arena.create(0);
  const bell = await SocketBell.listen(arena, arena.allocateDoorbell(), { kind: 'unix', path: join(folder, 'bell') });
  const waker = await SocketWaker.connect(bell.place);
  let rings = 0;
  const ring = (): void => (++rings % 2 === 0 ? bell.ring() : ringFar(arena.words, bell.at, waker));
  const close = async (): Promise<void> => {
    waker.close();
    bell.close();
    rmSync(folder, { recursive: true });
  };
  return { bell, ring, close };
});
