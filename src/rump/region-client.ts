/**
 * A client whose frames are records in shared memory (mem/ring-pair.ts): calls wait for their reply, everything else does not.
 *
 * Thread: the client's. While a call waits, events that come before its reply are kept for the next turn of the event loop. The
 * thread is woken by a byte of the connection beside the memory, whether its event loop sleeps or a call blocks it.
 * Read first: docs/layouts/ring-pair.md, client-connection.ts. The kernel's side: region-carrier.ts.
 */

import type { Rng } from '../base/rng.ts';
import type { DescriptorCarrier, MemoryHost } from '../host/contract.ts';
import { Region, viewsOf } from '../mem/region.ts';
import { RingPair } from '../mem/ring-pair.ts';
import type { SocketAddress } from '../socket/socket.ts';
import { greet, readFrame } from './blocking-client.ts';
import { CallingClient, type ClientConnection, type EventHandlers, GONE, type Reply } from './client-connection.ts';
import { ClientHandshake } from './client-handshake.ts';
import type { FrameReader } from './frame-reader.ts';
import { bareFrame, writeFrameWords } from './frame-words.ts';
import * as protocol from './protocol.ts';
import { PIECE, payloadBytesMax, WHOLE } from './region-carrier.ts';

const { HEADER_BYTES } = protocol;
const BATCH = 64;
/** Looks at the ring before a waiting call sleeps: some 30 microseconds. */
const SPINS = 3000;
/** Longest sleep of a call between two looks. */
const SLEEP_MS = 100;

export interface RingsOptions {
  readonly rng: Rng;
  readonly key: Uint8Array | null;
  readonly host: MemoryHost;
  /** On the next turn of the event loop. */
  later(run: () => void): void;
}

/**
 * Connect over `line`, and move the session's frames to memory. Null, and the line closed, when the kernel or this process has none
 * for it. Throws when the kernel does not take the key.
 */
export function connectRings(line: DescriptorCarrier, options: RingsOptions): ClientConnection | null {
  const { key, rng, host, later } = options;
  const reader = protocol.newFrameReader();
  const features = protocol.FEATURE_SOCKETS | protocol.FEATURE_RINGS;
  const handshake = new ClientHandshake({ rng, key, features, role: protocol.ROLE_BOTH });
  const about = greet(line, reader, handshake);
  const ask = (operation: number): protocol.Frame | null => {
    line.write(protocol.headerOf(null, protocol.REQUEST, operation, 1), null);
    const whole = readFrame(line, reader);
    return whole === null ? null : protocol.decodeFrame(whole);
  };
  try {
    if ((handshake.features & protocol.FEATURE_RINGS) !== 0) {
      const { a: byteLength, payload } = ask(protocol.REGION) ?? GONE;
      if (byteLength > 0) {
        const buffer = host.open(new TextDecoder().decode(payload), byteLength);
        const pair = RingPair.open(new Region(viewsOf(buffer), 0, byteLength), 0);
        if (ask(protocol.MAPPED)?.a === 0) return new RegionClient(pair, line, host, about, later);
      }
    }
  } catch {
    // The file is out of reach: the kernel lies in another container, or under another user.
  }
  line.close();
  return null;
}

class RegionClient extends CallingClient implements ClientConnection {
  readonly about: unknown;
  readonly #pair: RingPair;
  readonly #region: Region;
  readonly #line: DescriptorCarrier;
  readonly #host: MemoryHost;
  readonly #later: (run: () => void) => void;
  readonly #at = new Int32Array(BATCH);
  readonly #length = new Int32Array(BATCH);
  readonly #meta = new Int32Array(BATCH);
  readonly #pieces: FrameReader = protocol.newFrameReader();
  readonly #payloadBytesMax: number;
  #handlers: EventHandlers | null = null;
  /** Number of the request whose reply is waited for; 0: none. */
  #wanted = 0;
  #reply: protocol.Frame | null = null;
  /** Events that came while a call waited, in order: frames, and data of streams as frames. */
  #kept: protocol.Frame[] = [];
  #wantsRoom = false;
  #scheduled = false;
  #inTurn = false;
  #gone = false;

  constructor(
    pair: RingPair,
    line: DescriptorCarrier,
    host: MemoryHost,
    about: unknown,
    later: (run: () => void) => void,
  ) {
    super();
    this.about = about;
    this.#host = host;
    this.#pair = pair;
    this.#region = pair.region;
    this.#line = line;
    this.#later = later;
    this.#payloadBytesMax = payloadBytesMax(pair);
  }

  begin(handlers: EventHandlers): void {
    this.#handlers = handlers;
    this.#line.onBytes = () => this.#turn();
    this.#line.onClosed = () => this.#ended();
    this.#line.start();
    this.#schedule();
  }

  // ---- out

  protected override awaitReply(request: number): Reply {
    this.#wanted = request;
    this.#reply = null;
    this.#pair.disarm();
    while (this.#reply === null && !this.#gone) if (this.#receive() === 0) this.#sleep();
    this.#wanted = 0;
    this.#settle();
    return this.#reply ?? GONE;
  }

  protected override request(
    request: number,
    operation: number,
    object: number,
    a: number,
    b: number,
    bytes: Uint8Array,
    addresses: readonly SocketAddress[],
  ): boolean {
    if (this.#gone) return false;
    const payload = protocol.payloadOf(bytes, addresses);
    const { length } = payload;
    const { REQUEST } = protocol;
    if (length <= this.#payloadBytesMax) {
      const at = this.#reserve(HEADER_BYTES + length);
      if (at < 0) return false;
      const { words } = this.#region;
      writeFrameWords(words, at, length, REQUEST, operation, request, object, a, b, 0, addresses.length);
      if (length > 0) this.#region.bytes.set(payload, at + HEADER_BYTES);
      this.#pair.out.commit(HEADER_BYTES + length, WHOLE);
    } else {
      const header = protocol.headerOf(payload, REQUEST, operation, request, object, a, b, 0, addresses.length);
      if (!this.#putPieces(header) || !this.#putPieces(payload)) return false;
    }
    this.#publish();
    return true;
  }

  #putPieces(bytes: Uint8Array): boolean {
    for (let from = 0; from < bytes.length; from += this.#payloadBytesMax) {
      const piece = bytes.subarray(from, from + this.#payloadBytesMax);
      const at = this.#reserve(piece.length);
      if (at < 0) return false;
      this.#region.bytes.set(piece, at);
      this.#pair.out.commit(piece.length, PIECE);
    }
    return true;
  }

  /** A place in the ring; waits for room. -1 when the kernel is gone. */
  #reserve(byteLength: number): number {
    const { out } = this.#pair;
    let at = out.reserve(byteLength);
    if (at >= 0) return at;
    this.#pair.disarm();
    while (at < 0 && !this.#gone) {
      this.#publish();
      if (this.#receive() === 0 && !out.awaitRoom(byteLength)) this.#sleep();
      at = out.reserve(byteLength);
    }
    this.#settle();
    return this.#gone ? -1 : at;
  }

  /** A place in the ring; -1: `room` of the handlers follows when there is one. */
  #reserveNow(byteLength: number): number {
    const { out } = this.#pair;
    const at = out.reserve(byteLength);
    if (at >= 0) return at;
    // The kernel may have given room back before it could see that somebody waits for it.
    if (out.awaitRoom(byteLength)) return out.reserve(byteLength);
    this.#wantsRoom = true;
    return -1;
  }

  /** Whether somebody waits for room, and a longest record fits. */
  #roomCame(): boolean {
    return this.#wantsRoom && this.#pair.out.awaitRoom(this.#payloadBytesMax + HEADER_BYTES);
  }

  write(operation: number, object: number, bytes: Uint8Array, offset: number, lengthBytes: number): number {
    let taken = 0;
    while (taken < lengthBytes && !this.#gone) {
      const count = Math.min(lengthBytes - taken, this.#payloadBytesMax);
      const at = this.#reserveNow(HEADER_BYTES + count);
      if (at < 0) break;
      this.#putRequest(at, operation, object, bytes, offset + taken, count, 0);
      this.#pair.out.commit(HEADER_BYTES + count, WHOLE);
      taken += count;
    }
    this.#publish();
    return this.#gone ? -1 : taken;
  }

  writeTo(object: number, bytes: Uint8Array, offset: number, lengthBytes: number, to: SocketAddress | null): number {
    if (this.#gone) return -1;
    const addresses = to === null ? 0 : 1;
    const count = lengthBytes + addresses * protocol.ADDRESS_BYTES;
    const at = this.#reserveNow(HEADER_BYTES + count);
    if (at < 0) return 0;
    this.#putRequest(at, protocol.SEND_TO, object, bytes, offset, lengthBytes, addresses);
    if (to !== null) protocol.writeAddress(this.#region.view, at + HEADER_BYTES + lengthBytes, to);
    this.#pair.out.commit(HEADER_BYTES + count, WHOLE);
    this.#publish();
    return 1;
  }

  /** A header, and behind it the bytes; `addresses` follow. */
  #putRequest(
    at: number,
    operation: number,
    object: number,
    bytes: Uint8Array,
    offset: number,
    count: number,
    addresses: number,
  ): void {
    const { words, buffer } = this.#region;
    const payloadBytes = count + addresses * protocol.ADDRESS_BYTES;
    writeFrameWords(words, at, payloadBytes, protocol.REQUEST, operation, 0, object, 0, 0, 0, addresses);
    this.#host.copy(buffer, at + HEADER_BYTES, bytes.buffer, bytes.byteOffset + offset, count);
  }

  #publish(): void {
    if (this.#pair.publish()) this.#host.wake(this.#line.fd);
  }

  // ---- in

  /** Until there may be something: looks for a while, then sleeps. */
  #sleep(): void {
    const pair = this.#pair;
    for (let i = 0; i < SPINS; i++) if (pair.in.pending) return;
    pair.arm();
    if (!pair.in.pending && pair.broken === '' && !this.#host.wait(this.#line.fd, SLEEP_MS)) this.#ended();
    pair.disarm();
    if (pair.broken !== '') this.#ended();
  }

  /** A call is over: the event loop is woken again for what comes. */
  #settle(): void {
    if (this.#inTurn) return;
    this.#pair.arm();
    if (this.#pair.in.pending || this.#kept.length > 0 || this.#roomCame()) this.#schedule();
  }

  /** Take a batch in: the number of records. */
  #receive(): number {
    const pair = this.#pair;
    const count = pair.in.receive(this.#at, this.#length, this.#meta, 0, BATCH);
    for (let i = 0; i < count; i++)
      this.#record(this.#at[i] as number, this.#length[i] as number, this.#meta[i] as number);
    if (pair.release()) this.#host.wake(this.#line.fd);
    if (pair.broken !== '') this.#ended();
    return count;
  }

  #record(at: number, byteLength: number, meta: number): void {
    if (meta !== WHOLE) {
      this.#pieces.push(this.#bytesOf(at, byteLength));
      for (let whole = this.#pieces.next(); whole !== null; whole = this.#pieces.next()) this.#frame(whole);
      if (this.#pieces.fault !== null) this.#ended();
      return;
    }
    const { words } = this.#region;
    const word = at >> 2;
    if (
      this.#wanted === 0 &&
      this.#kept.length === 0 &&
      words[word + 1] === (protocol.EVENT | (protocol.DATA << 16)) &&
      words[word] === byteLength - HEADER_BYTES
    ) {
      this.#handlers?.data(words[word + 3] as number, this.#bytesOf(at + HEADER_BYTES, byteLength - HEADER_BYTES));
      return;
    }
    if (byteLength === HEADER_BYTES) this.#decoded(bareFrame(words, at));
    else this.#frame(this.#bytesOf(at, byteLength));
  }

  #bytesOf(at: number, byteLength: number): Uint8Array {
    const bytes = this.#host.allocate(byteLength);
    this.#host.copy(bytes.buffer, 0, this.#region.buffer, at, byteLength);
    return bytes;
  }

  #frame(whole: Uint8Array): void {
    this.#decoded(protocol.decodeWhole(whole));
  }

  #decoded(frame: protocol.Frame | null): void {
    if (frame === null) {
      this.#ended();
      return;
    }
    if (frame.class === protocol.REPLY && frame.request === this.#wanted) this.#reply = frame;
    else if (frame.class !== protocol.EVENT) this.#ended();
    else if (this.#wanted !== 0 || this.#kept.length > 0) {
      this.#kept.push(frame);
      this.#schedule();
    } else this.#event(frame);
  }

  #event(frame: protocol.Frame): void {
    if (frame.operation === protocol.DATA) this.#handlers?.data(frame.object, frame.payload);
    else this.#handlers?.frame(frame);
  }

  /** A turn soon, without a byte: something was kept, or may have come while a call was awake. */
  #schedule(): void {
    if (this.#scheduled || this.#gone) return;
    this.#scheduled = true;
    this.#later(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  /** Deliver what came, and sleep until more does. */
  #turn(): void {
    const handlers = this.#handlers;
    if (handlers === null || this.#gone) return;
    this.#inTurn = true;
    this.#pair.disarm();
    const kept = this.#kept;
    this.#kept = [];
    for (const frame of kept) this.#event(frame);
    this.#receive();
    if (this.#roomCame()) {
      this.#wantsRoom = false;
      handlers.room();
    }
    try {
      handlers.batch();
    } finally {
      this.#inTurn = false;
      this.#settle();
    }
  }

  #ended(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#line.close();
    this.#handlers?.gone();
  }
}
