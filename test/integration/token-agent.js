// An agent at one end of a channel that sends back each record with the next number, until there were enough.

import { Channel } from '../../dist/mem/channel.js';

/**
 * @typedef {import('../../dist/mem/arena.js').Arena} Arena
 * @typedef {import('../../dist/mem/bell.js').Waker} Waker
 * @typedef {import('../../dist/mem/channel.js').ChannelDescriptor} ChannelDescriptor
 */

/**
 * Side 0 sends the first number; `finish` gets the last one that came. A peer in another process is woken by `waker`.
 *
 * @param {{
 *   arena: Arena, channel: ChannelDescriptor, side: 0 | 1, bellAt: number, hops: number, waker?: Waker,
 * }} place
 * @param {(last: number) => void} finish
 */
export function tokenAgent({ arena, channel, side, bellAt, hops, waker }, finish) {
  const end = Channel.open(arena, channel, side, { owner: (side + 1) << 10, bellAt, waker });
  const [at, length, meta] = [new Int32Array(8), new Int32Array(8), new Int32Array(8)];
  const send = (id) => {
    if (end.reserve(4) < 0) return 0;
    end.commit(4, id);
    end.publish();
    return 1;
  };
  let begun = side === 1;
  let last = -1;
  return {
    doWork() {
      // Side 0 begins as soon as the other side is there.
      let work = begun ? 0 : send(0);
      if (work > 0) begun = true;
      const count = end.receive(at, length, meta, 8);
      for (let i = 0; i < count; i++) {
        last = meta[i];
        if (last < hops && send(last + 1) !== 1) throw new Error(`no room after ${last}`);
        work++;
      }
      end.release();
      if (last >= hops - 1) finish(last);
      return work;
    },
    flush() {},
    nextDeadlineUs: () => Infinity,
    // The peer may have been noticed by `receive`, after the attempt to begin.
    workPending: () => end.pending || (!begun && end.up),
  };
}
