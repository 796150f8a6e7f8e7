import { describe, expect, it } from 'vitest';
import { CountService, encodeCounts } from './count-service.ts';
import * as protocol from './protocol.ts';

/** Four counters, of which the last is a gauge, and two clients that count. */
class Rig {
  readonly values: number[] = [0, 0, 0, 0];
  readonly #counters = {
    length: 4,
    gauge: 3,
    add: (index: number, n: number): void => {
      this.values[index] = (this.values[index] as number) + n;
    },
  };
  readonly clients: CountService[] = [new CountService(this.#counters), new CountService(this.#counters)];

  send(client: number, payload: Uint8Array): boolean {
    const frame = protocol.decodeFrame(protocol.frameOf(payload, protocol.REQUEST, protocol.COUNT));
    return (this.clients[client] as CountService).serve(frame as protocol.Frame);
  }
}

describe('counts of clients', () => {
  it('are sent once, and add up', () => {
    const counts = Int32Array.of(5, 0, 1, 2);
    const bytes = encodeCounts(counts);
    expect([...new Int32Array(bytes.buffer)]).toEqual([0, 5, 2, 1, 3, 2]);
    expect(encodeCounts(counts)).toHaveLength(0);
    const rig = new Rig();
    expect([rig.send(0, bytes), rig.send(1, bytes)]).toEqual([true, true]);
    expect(rig.values).toEqual([10, 0, 2, 4]);
  });

  it('leave nothing in a gauge when their client is gone', () => {
    const rig = new Rig();
    rig.send(0, encodeCounts(Int32Array.of(1, 0, 0, 3)));
    rig.send(1, encodeCounts(Int32Array.of(0, 0, 0, 2)));
    rig.send(0, encodeCounts(Int32Array.of(0, 0, 0, -1)));
    expect(rig.values).toEqual([1, 0, 0, 4]);
    for (let n = 0; n < 2; n++) rig.clients[0]?.close();
    expect(rig.values).toEqual([1, 0, 0, 2]);
  });

  it.each([
    ['a counter that there is not', [4, 1]],
    ['a number below 0', [-1, 1]],
    ['a count that shrinks', [0, -1]],
    ['half a pair', [0]],
  ])('with %s end the session', (_what, words) => {
    const rig = new Rig();
    expect(rig.send(0, new Uint8Array(Int32Array.from(words).buffer))).toBe(false);
    expect(rig.values).toEqual([0, 0, 0, 0]);
  });
});
