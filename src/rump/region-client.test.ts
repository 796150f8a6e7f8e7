import { beforeEach, describe, expect, it } from 'vitest';
import { SeededRng } from '../base/rng.ts';
import type { DescriptorCarrier, MemoryHost } from '../host/contract.ts';
import { Region, viewsOf } from '../mem/region.ts';
import { formatRingPair, RingPair } from '../mem/ring-pair.ts';
import type { ClientConnection } from './client-connection.ts';
import * as protocol from './protocol.ts';
import type { WakeCarrier } from './region-carrier.ts';
import { connectRings } from './region-client.ts';
import { RumpServer, SESSION_BYTES, SESSION_RING_BYTES } from './server.ts';

const PIECE = new Uint8Array(32_768).fill(7);
const at = new Int32Array(64);
const length = new Int32Array(64);
const meta = new Int32Array(64);

/** The kernel's side of the rings; nobody but a test moves it. */
let kernel: RingPair;
let client: ClientConnection;
/** Turns that the client asked its event loop for. */
let later: (() => void)[] = [];
/** The client's byte that says "look". */
let look: () => void;
/** The kernel's end of the connection is closed. */
let hangUp: () => void;
let rooms = 0;
/** The program, when something came. */
let onBatch: () => void = () => undefined;

beforeEach(() => {
  later = [];
  rooms = 0;
  onBatch = () => undefined;
  const buffer = new SharedArrayBuffer(SESSION_BYTES);
  const region = new Region(viewsOf(buffer), 0, SESSION_BYTES);
  formatRingPair(region, SESSION_RING_BYTES);
  kernel = new RingPair(region, SESSION_RING_BYTES, 1);
  const memory = { pair: kernel, path: 'here', hide() {}, requestWork() {}, begin() {}, free() {} };
  const server = new RumpServer({
    rng: new SeededRng(1),
    memory: () => memory,
    features: protocol.FEATURE_SOCKETS | protocol.FEATURE_RINGS,
    services: () => [],
  });
  const toClient: Uint8Array[] = [];
  const kernelLine: WakeCarrier = {
    queuedBytes: 0,
    onBytes: null,
    onDrain: null,
    onClosed: null,
    write: (head, body) => toClient.push(head.slice(), (body ?? new Uint8Array(0)).slice()) > 0,
    wake: () => undefined,
    close: () => undefined,
  };
  const line: DescriptorCarrier = {
    fd: 0,
    onBytes: null,
    onClosed: null,
    write: (head, body) => {
      for (const bytes of [head, body]) if (bytes !== null) kernelLine.onBytes?.(bytes.slice());
      return true;
    },
    read: () => toClient.shift() ?? null,
    start: () => undefined,
    close: () => undefined,
  };
  look = () => line.onBytes?.(Uint8Array.of(0));
  hangUp = () => line.onClosed?.();
  const host: MemoryHost = {
    open: () => buffer,
    wake: () => undefined,
    wait: () => false,
    copy: (to, toOffset, from, fromOffset, count) =>
      new Uint8Array(to, toOffset, count).set(new Uint8Array(from, fromOffset, count)),
    allocate: (count) => new Uint8Array(count),
  };
  server.accept(kernelLine, null, 0);
  const connected = connectRings(line, {
    rng: new SeededRng(2),
    key: null,
    host,
    later: (run) => void later.push(run),
  });
  if (connected === null) throw new Error('no memory');
  client = connected;
  const handlers = { frame() {}, batch: () => onBatch(), gone() {}, room: () => void rooms++, data() {} };
  client.begin(handlers);
  turns();
});

function turns(): void {
  for (const run of later.splice(0)) run();
}

/** Fill the client's ring. */
function fill(): void {
  while (client.write(protocol.SEND, 1, PIECE, 0, PIECE.length) === PIECE.length);
}

/** Take everything the client has sent; whether the client is to be woken for it. */
function take(): boolean {
  let wake = false;
  while (kernel.in.receive(at, length, meta, 0, 64) > 0) wake = kernel.release() || wake;
  return wake;
}

/** Send the client some data. */
function tell(): void {
  const frame = protocol.frameOf(Uint8Array.of(1), protocol.EVENT, protocol.DATA, 0, 1);
  kernel.region.bytes.set(frame, kernel.out.reserve(frame.length));
  kernel.out.commit(frame.length, 0);
  kernel.publish();
}

describe('room in the ring of a client', () => {
  it('is told of by a byte when the client sleeps', () => {
    fill();
    expect(take()).toBe(true);
    look();
    expect(rooms).toBe(1);
  });

  it('is found without a byte when it came while the client was awake', () => {
    let woken = false;
    onBatch = () => {
      onBatch = () => undefined;
      fill();
      woken = take();
    };
    tell();
    look();
    expect(woken).toBe(false);
    turns();
    expect(rooms).toBe(1);
  });
});

describe('a client whose kernel is gone', () => {
  it('is told by each request, also by those without a reply, while the ring has room', () => {
    expect(client.send(protocol.CONNECT, 1)).toBe(true);
    hangUp();
    expect(client.send(protocol.CONNECT, 1)).toBe(false);
    expect(client.call(protocol.BIND, 1).a).toBe(-100);
  });
});
