import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Errno } from '../base/errors.ts';
import { Arena } from './arena.ts';
import { Channel, type ChannelSide, channelHolder, checkChannel, createChannel } from './channel.ts';
import { Doorbell } from './doorbell.ts';
import { anonymousOwner } from './owner.ts';

const CLIENT = anonymousOwner(1);
const SERVER = anonymousOwner(2);

const at = new Int32Array(64);
const length = new Int32Array(64);
const meta = new Int32Array(64);

function setUp(base = 0, padBytes = 0) {
  const arena = Arena.create(1 << 20, { base });
  const channel = createChannel(arena, { ringBytes: 4096, padBytes });
  return { arena, channel };
}

function open({ arena, channel }: ReturnType<typeof setUp>, side: ChannelSide, owner?: number): Channel {
  return Channel.open(arena, channel, side, { owner: owner ?? (side === 0 ? CLIENT : SERVER) });
}

function send(end: Channel, id: number, lengthBytes: number = 8): number {
  const place = end.reserve(lengthBytes);
  if (place < 0) return place;
  end.commit(lengthBytes, id);
  end.publish();
  return 0;
}

function take(end: Channel): number[] {
  const count = end.receive(at, length, meta, 64);
  const ids = [...meta.subarray(0, count)];
  end.release();
  return ids;
}

describe('channel', () => {
  it('carries records both ways, in place, with its padding, at any base', () => {
    const set = setUp(65536, 2);
    const a = open(set, 0);
    const b = open(set, 1);
    const place = a.reserve(5);
    expect(place % 64).toBe(10);
    set.arena.bytes.set([1, 2, 3, 4, 5], place);
    a.commit(5, -7);
    expect(b.pending).toBe(true);
    expect(b.receive(at, length, meta, 64)).toBe(0);
    a.publish();
    expect(b.receive(at, length, meta, 64)).toBe(1);
    expect([length[0], meta[0]]).toEqual([5, -7]);
    expect([...set.arena.bytes.subarray(at[0], (at[0] as number) + 5)]).toEqual([1, 2, 3, 4, 5]);
    b.release();
    expect(b.pending).toBe(false);
    expect(send(b, 9)).toBe(0);
    expect(take(a)).toEqual([9]);
  });

  it('lies where docs/layouts/channel.md says, in offsets only', () => {
    const views = [0, 128 * 1024].map((base) => {
      const set = setUp(base);
      const bellAt = set.arena.allocateDoorbell();
      Channel.open(set.arena, set.channel, 0, { owner: CLIENT, bellAt });
      open(set, 1);
      const first = set.arena.place(set.channel.offset) >> 2;
      return [...set.arena.words.subarray(first, first + (384 + 1024) / 4)];
    });
    expect(views[0]).toEqual(views[1]);
    const words = views[0] as number[];
    expect(words.slice(0, 4)).toEqual([0x4d4b4348, 1, 4096, 0]);
    expect(words.slice(32, 35)).toEqual([CLIENT, 0x155, 4096]);
    expect(words.slice(64, 67)).toEqual([SERVER, 0x155, 0]);
    expect(words[96]).toBe(0x4d4b5247);
  });

  it('refuses to send while nobody is there, too long a record, and more than fits', () => {
    const set = setUp();
    const a = open(set, 0);
    expect(a.downReason).toBe('the peer is not there');
    expect(a.reserve(8)).toBe(-Errno.ENOTCONN);
    const b = open(set, 1);
    expect(a.reserve(5000)).toBe(-Errno.EMSGSIZE);
    let sent = 0;
    while (send(a, sent) === 0) sent++;
    expect(sent).toBe(64);
    expect(a.reserve(8)).toBe(-Errno.ENOBUFS);
    expect(a.awaitRoom(8)).toBe(false);
    expect(take(b)).toHaveLength(64);
    expect(a.awaitRoom(8)).toBe(true);
    expect(send(a, 1)).toBe(0);
  });

  it('wakes the peer for records, for room, and when this end comes or goes', () => {
    const set = setUp();
    const bells = [0, 1].map(() => new Doorbell(set.arena, set.arena.allocateDoorbell())) as [Doorbell, Doorbell];
    const openWith = (side: ChannelSide): Channel =>
      Channel.open(set.arena, set.channel, side, { owner: side === 0 ? CLIENT : SERVER, bellAt: bells[side].at });
    const rung = (side: ChannelSide): boolean => {
      const was = !bells[side].sleeping;
      bells[side].arm();
      return was;
    };
    const a = openWith(0);
    for (const bell of bells) bell.arm();
    const b = openWith(1);
    expect(rung(0)).toBe(true);
    expect(a.pending).toBe(true);
    expect(take(a)).toEqual([]);
    rung(1);
    expect(a.pending).toBe(false);
    while (send(a, 1) === 0);
    expect(rung(1)).toBe(true);
    a.awaitRoom(8);
    expect(rung(0)).toBe(false);
    take(b);
    expect(rung(0)).toBe(true);
    b.close();
    expect(rung(0)).toBe(true);
    expect([a.pending, a.reserve(8)]).toEqual([true, -Errno.ENOTCONN]);
  });

  it('has one owner per end, until he leaves or is dead', () => {
    const set = setUp();
    const a = open(set, 0);
    expect(() => open(set, 0, 77)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    const asked: number[] = [];
    const isDead = (owner: number): boolean => asked.push(owner) > 0;
    const heir = Channel.open(set.arena, set.channel, 0, { owner: 77 << 10, isDead });
    expect(asked).toEqual([CLIENT]);
    a.close();
    expect(() => open(set, 0)).toThrow(expect.objectContaining({ code: 'EBUSY' }));
    heir.close();
    expect(open(set, 0).downReason).toBe('the peer is not there');
  });

  it('gives a successor nothing that was sent to its predecessor, and a peer nothing new from the dead', () => {
    const set = setUp();
    const a = open(set, 0);
    const b = open(set, 1);
    send(a, 1);
    expect(take(b)).toEqual([1]);
    send(b, 50);
    send(a, 2);
    channelHolder(set.arena, set.channel).bury(CLIENT);
    expect([b.pending, b.reserve(8), b.downReason]).toEqual([true, -Errno.ENOTCONN, 'the peer died']);
    expect(take(b)).toEqual([2]);
    const heir = open(set, 0);
    expect(take(heir)).toEqual([]);
    // The server does not know the new client yet: what it sends now is for the one it knew.
    send(heir, 3);
    expect(b.reserve(8)).toBeGreaterThan(0);
    expect(take(b)).toEqual([3]);
    send(b, 51);
    expect(take(heir)).toEqual([51]);
  });

  it('wakes a peer in another process by its waker alone: on opening, publishing, burial and close', () => {
    const set = setUp();
    const [bell, other] = [0, 1].map(() => new Doorbell(set.arena, set.arena.allocateDoorbell())) as [
      Doorbell,
      Doorbell,
    ];
    const wakes = [0, 0];
    const waker = (side: ChannelSide) => ({ wake: () => void (wakes[side] as number)++ });
    const openFar = (side: ChannelSide, owner: number): Channel =>
      Channel.open(set.arena, set.channel, side, {
        owner,
        bellAt: (side === 0 ? bell : other).at,
        waker: waker(side === 0 ? 1 : 0),
      });
    const a = openFar(0, CLIENT);
    bell.arm();
    const b = openFar(1, SERVER);
    expect(wakes[0]).toBeGreaterThan(0);
    expect(take(a)).toEqual([]);
    wakes[0] = 0;
    send(b, 1);
    expect(wakes).toEqual([1, expect.any(Number)]);
    channelHolder(set.arena, set.channel, [waker(0), waker(1)]).bury(SERVER);
    expect(wakes[0]).toBe(2);
    const heir = openFar(1, SERVER);
    wakes[0] = 0;
    heir.close();
    expect(wakes[0]).toBe(1);
    // No ringer touched the word: the owner alone says that it is awake.
    expect(bell.sleeping).toBe(true);
    bell.disarm();
    send(b, 2);
    expect(wakes[0]).toBe(1);
  });

  it('drops a reservation and records that were not published when the peer is another one', () => {
    const set = setUp();
    const a = open(set, 0);
    const b = open(set, 1);
    a.reserve(8);
    a.commit(8, 1);
    b.close();
    const heir = open(set, 1);
    expect(a.reserve(8)).toBeGreaterThan(0);
    a.commit(8, 2);
    a.publish();
    expect(take(heir)).toEqual([2]);
  });

  it('is broken by nonsense with a reason, and sound again with another incarnation', () => {
    const set = setUp();
    const a = open(set, 0);
    let b = open(set, 1);
    send(a, 1);
    take(b);
    set.arena.words[(set.arena.place(set.channel.offset) + 384 + 128) >> 2] = 65;
    expect(take(b)).toEqual([]);
    expect([b.broken, b.downReason, b.reserve(8)]).toEqual(['head is no index', 'head is no index', -Errno.EPIPE]);
    a.close();
    const again = open(set, 0);
    expect(take(b)).toEqual([]);
    expect(send(again, 5)).toBe(0);
    expect(take(b)).toEqual([5]);
    b.close();
    b = open(set, 1);
    expect(send(again, 6)).toBe(0);
    expect(take(b)).toEqual([6]);
  });

  it('refuses what is no channel', () => {
    const { arena, channel } = setUp();
    const code = expect.objectContaining({ code: 'EPROTO' });
    for (const wrong of [{ offset: channel.offset + 128 }, { offset: -128 }, { offset: 1 << 30 }, { padBytes: 2 }]) {
      expect(() => Channel.open(arena, { ...channel, ...wrong }, 0, { owner: 1 })).toThrow(code);
    }
    expect(checkChannel(arena, channel)).toBe('');
  });

  it('hands every record to the incarnation that the sender knew, in order, whoever dies when', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('send', 'take') },
      { weight: 1, arbitrary: fc.constantFrom('die', 'close', 'open') },
    );
    const run = fc.array(fc.tuple(step, fc.constantFrom<ChannelSide>(0, 1)), { maxLength: 200, size: 'max' });
    fc.assert(
      fc.property(run, (steps) => {
        const set = setUp();
        const holder = channelHolder(set.arena, set.channel);
        const ends: (Channel | null)[] = [null, null];
        const last = [0, 0];
        let owners = 0;
        let id = 0;
        for (const [what, side] of steps) {
          const end = ends[side] as Channel | null;
          if (end === null) {
            if (what !== 'open') continue;
            ends[side] = open(set, side, anonymousOwner(++owners));
            last[side] = id;
          } else if (what === 'send') {
            // The record says for whom it is: the peer that this end knows now.
            if (end.reserve(12) >= 0) {
              const place = end.reserve(12);
              set.arena.words[place >> 2] = end.epoch;
              end.commit(12, ++id);
              end.publish();
            }
          } else if (what === 'take') {
            const count = end.receive(at, length, meta, 64);
            for (let i = 0; i < count; i++) {
              expect(set.arena.words[(at[i] as number) >> 2]).toBe(end.ownEpoch);
              expect(meta[i]).toBeGreaterThan(last[side] as number);
              last[side] = meta[i] as number;
            }
            end.release();
          } else if (what === 'close') {
            end.close();
            ends[side] = null;
          } else if (what === 'die') {
            holder.bury(end.owner);
            holder.bury(end.owner);
            ends[side] = null;
          }
          for (const one of ends) if (one !== null) expect(one.broken).toBe('');
        }
      }),
      { numRuns: 500 },
    );
  });
});
