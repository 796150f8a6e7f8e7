import { beforeEach, describe, expect, it } from 'vitest';
import { A, B, BROADCAST, BridgeBed, frame } from '../../../test/fixtures/bridge-bed.ts';
import type { FakeDevice } from '../../../test/fixtures/fake-device.ts';
import { IFBIF_STP } from './member.ts';

const STATES = ['disabled', 'listening', 'learning', 'forwarding', 'blocking'];

/** `[bed, member]` of the ends of a wire. */
type End = readonly [bed: number, member: number];

/** Bridges joined by wires, on one clock. */
class Net {
  readonly beds: BridgeBed[];
  readonly wires: (readonly End[])[];
  /** Frames that crossed a wire. */
  crossed = 0;

  constructor(members: readonly number[], wires: readonly (readonly End[])[]) {
    this.beds = members.map((count, i) => new BridgeBed(count, i + 1));
    this.wires = [...wires];
    for (const bed of this.beds) {
      bed.left();
      for (const member of bed.bridge.members()) bed.bridge.setFlags(member, member.flags | IFBIF_STP);
    }
  }

  device([bed, member]: End): FakeDevice {
    return this.beds[bed]!.devices[member] as FakeDevice;
  }

  /** Frames cross until none is left. Throws when they go round for ever. */
  settle(): void {
    for (let round = 0; round < 50; round++) {
      let moved = 0;
      for (const ends of this.wires) {
        for (const end of ends) {
          for (const bytes of this.device(end).take()) {
            moved++;
            for (const other of ends) if (other !== end) this.device(other).put(bytes);
          }
        }
      }
      this.crossed += moved;
      for (const bed of this.beds) bed.settle();
      if (moved === 0) return;
    }
    throw new Error('frames go round');
  }

  seconds(count: number): void {
    for (let i = 0; i < count * 4; i++) {
      for (const bed of this.beds) bed.advance(250_000);
      this.settle();
    }
  }

  states(): string[] {
    return this.beds.map((bed) =>
      bed.bridge
        .members()
        .map(({ port }) => STATES[port.state])
        .join(' '),
    );
  }

  get roots(): number[] {
    return this.beds.map((bed) => bed.bridge.tree.root.lo);
  }
}

describe('three bridges in a circle', () => {
  let net: Net;
  beforeEach(() => {
    net = new Net(
      [2, 2, 2],
      [
        [
          [0, 1],
          [1, 0],
        ],
        [
          [1, 1],
          [2, 0],
        ],
        [
          [2, 1],
          [0, 0],
        ],
      ],
    );
    // The first is to be the root.
    net.beds[0]!.bridge.tree.reconfigure(() => {
      net.beds[0]!.bridge.tree.priority = 0x1000;
    });
    net.beds[1]!.bridge.tree.reconfigure(() => {
      net.beds[1]!.bridge.tree.priority = 0x2000;
    });
  });

  it('elect the lowest identifier, listen and learn for 15 seconds each, and block one port', () => {
    net.seconds(1);
    expect(new Set(net.roots).size).toBe(1);
    expect(net.states()[0]).toBe('listening listening');
    net.seconds(15);
    expect(net.states()[0]).toBe('learning learning');
    net.seconds(16);
    expect(net.states()).toEqual(['forwarding forwarding', 'forwarding forwarding', 'blocking forwarding']);
    expect(net.beds.map((bed) => bed.bridge.tree.isRoot)).toEqual([true, false, false]);
    expect(net.beds[2]!.bridge.tree.rootCost).toBe(55);
  });

  it('carry a broadcast to each wire once, and nothing before they forward', () => {
    net.seconds(2);
    const { crossed } = net;
    net.device([0, 0]).put(frame(BROADCAST, A));
    net.beds[0]!.settle();
    net.settle();
    expect(net.crossed - crossed).toBe(0);
    net.seconds(32);
    const before = net.crossed;
    net.device([0, 0]).put(frame(BROADCAST, B));
    net.beds[0]!.settle();
    net.settle();
    // Out of the root to the second bridge, and from there to the blocked port of the third.
    expect(net.crossed - before).toBe(2);
  });

  it('open the blocked port when a wire breaks', () => {
    net.seconds(34);
    net.wires.splice(0, 1);
    // The second bridge hears the root no more: after maxage it listens to the third, which forwards 30 seconds later.
    net.seconds(20 + 2 * 15 + 4);
    expect(net.states()).toEqual(['forwarding forwarding', 'forwarding forwarding', 'forwarding forwarding']);
    expect(net.beds[1]!.bridge.tree.rootCost).toBe(110);
  });

  it('elect again when the root dies', () => {
    net.seconds(34);
    net.wires.splice(0, 3, [
      [1, 1],
      [2, 0],
    ]);
    net.seconds(60);
    expect(net.beds.slice(1).map((bed) => bed.bridge.tree.isRoot)).toEqual([true, false]);
    expect(net.states()[2]).toBe('forwarding forwarding');
  });
});

it('two ports on one wire: the higher number blocks', () => {
  const net = new Net(
    [2, 2],
    [
      [
        [0, 0],
        [0, 1],
        [1, 0],
      ],
    ],
  );
  net.seconds(34);
  const [first] = net.states() as [string];
  expect(first).toBe('forwarding blocking');
});

it('the tree of the root says so once in two seconds, in these bytes', () => {
  const bed = new BridgeBed(1);
  bed.left();
  const [member] = bed.bridge.members();
  bed.bridge.setFlags(member!, member!.flags | IFBIF_STP);
  bed.settle();
  const mac = `0262${(bed.bridgeInterface.macLo >>> 0).toString(16)}`;
  const hello = (flags: string): string =>
    `0180c2000000020000000001 0026424203 00000000${flags} 8000${mac}00000000 8000${mac}80${'02'} 0000 1400 0200 0f00 ${'00'.repeat(8)}`;
  const port = (member!.iface.index & 0xff).toString(16).padStart(2, '0');
  const expected = hello('00').replace('8002 0000', `80${port} 0000`).replaceAll(' ', '');
  expect(bed.left()).toEqual([[expected]]);
  bed.advance(2_000_000);
  expect(bed.left()).toEqual([[expected]]);
  bed.bridge.setFlags(member!, member!.flags & ~IFBIF_STP);
  bed.advance(60_000_000);
  expect(bed.left()).toEqual([[]]);
});

it('a change of the tree makes learned stations age in 15 seconds', () => {
  const net = new Net([2], []);
  net.seconds(32);
  expect(net.states()).toEqual(['forwarding forwarding']);
  net.seconds(36);
  const bed = net.beds[0]!;
  expect(bed.bridge.tree.topologyChange).toBe(false);
  bed.pass(0, frame(BROADCAST, A));
  bed.bridge.setFlags(bed.member(1), bed.member(1).flags & ~IFBIF_STP);
  expect(bed.bridge.tree.topologyChange).toBe(true);
  net.seconds(14);
  expect(bed.bridge.addresses.size).toBe(1);
  net.seconds(2);
  expect(bed.bridge.addresses.size).toBe(0);
});
