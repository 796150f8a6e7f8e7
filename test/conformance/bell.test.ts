import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Arena } from '../../src/mem/arena.ts';
import { type Bell, ringDoorbell, ringFar, type Waker } from '../../src/mem/bell.ts';
import { Doorbell } from '../../src/mem/doorbell.ts';
import { bellSuite } from './bell-suite.ts';

/** A bell that threads of its process ring by its word, and other processes by a byte on a socket. */
class SocketBell implements Bell {
  readonly at: number;
  readonly #near: Doorbell;
  #onRing: (() => void) | null = null;

  constructor(arena: Arena, at: number, server: Server) {
    this.at = at;
    this.#near = new Doorbell(arena, at);
    server.on('connection', (socket) => socket.on('data', () => this.#deliver()));
  }

  get sleeping(): boolean {
    return this.#near.sleeping;
  }

  arm(): void {
    this.#near.arm();
  }

  disarm(): void {
    this.#near.disarm();
    this.#onRing = null;
  }

  waitAsync(onRing: () => void): void {
    this.#onRing = onRing;
    this.#near.waitAsync(() => this.#deliver());
  }

  ring(): void {
    this.#near.ring();
  }

  #deliver(): void {
    const onRing = this.#onRing;
    this.#onRing = null;
    onRing?.();
  }
}

class SocketWaker implements Waker {
  readonly #socket: Socket;
  constructor(socket: Socket) {
    this.#socket = socket;
  }

  wake(): void {
    this.#socket.write('!');
  }
}

const nothing = (): Promise<void> => Promise.resolve();

bellSuite('doorbell, rung by its object', true, async () => {
  const arena = Arena.create(0);
  const bell = new Doorbell(arena, arena.allocateDoorbell());
  return { bell, ring: () => bell.ring(), close: nothing };
});

bellSuite('doorbell, rung by its place, in an arena at another base', true, async () => {
  const arena = Arena.create(0, { base: 1 << 20 });
  const bell = new Doorbell(arena, arena.allocateDoorbell());
  return { bell, ring: () => ringDoorbell(arena.words, bell.at), close: nothing };
});

bellSuite('socket, rung from within the process and from outside in turn', false, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bell-'));
  const arena = Arena.create(0);
  const server = createServer();
  const bell = new SocketBell(arena, arena.allocateDoorbell(), server);
  await new Promise<void>((resolve) => server.listen(join(folder, 'bell'), resolve));
  const socket = connect(join(folder, 'bell'));
  await new Promise((resolve) => socket.once('connect', resolve));
  const waker = new SocketWaker(socket);
  let rings = 0;
  const ring = (): void => (++rings % 2 === 0 ? bell.ring() : ringFar(arena.words, bell.at, waker));
  const close = async (): Promise<void> => {
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  };
  return { bell, ring, close };
});
