import { describe, expect, it } from 'vitest';
import { FakeDevice } from '../../test/fixtures/fake-device.ts';
import { TagLink } from '../../test/fixtures/tag-link.ts';
import { TwoQueueDevice } from '../../test/fixtures/two-queue-device.ts';
import { Errno } from '../base/errors.ts';
import { LoopbackDevice } from '../link/loopback.ts';
import { Arena } from '../mem/arena.ts';
import { createBulk } from '../mem/bulk.ts';
import { Counters } from '../mem/counters.ts';
import { ETHERTYPE_IPV4 } from '../wire/ethernet.ts';
import { Capture } from './capture.ts';
import type { EthernetLink } from './ethernet.ts';
import { IFF_UP, Interface } from './interface.ts';
import { InterfaceTable } from './interface-table.ts';
import { type FrameHook, LinkInput, RUN_SCRATCH_BYTES, STAGE_BRIDGE, STAGE_VLAN } from './link-input.ts';
import type { LinkPacket } from './link-layer.ts';
import { LinkPoller } from './link-poller.ts';
import { NoLink } from './no-link.ts';

const OWN = { hi: 0x0200, lo: 1 };

function setUp() {
  const arena = Arena.create(16 << 20);
  const bulk = createBulk(arena);
  const table = new InterfaceTable(arena.view);
  const log: string[] = [];
  const counters = Counters.open(arena, 'test');
  const nowhere = new Interface('', 0, new NoLink());
  const input = new LinkInput(bulk, arena.allocate(RUN_SCRATCH_BYTES, 8), counters, table.list, nowhere);
  const poller = new LinkPoller(input);
  table.addPoller(poller);
  table.listener = {
    attached: ({ name }) => log.push(`+${name}`),
    detaching: ({ name, attached }) => log.push(`-${name}${attached ? '' : '!'}`),
    renaming: ({ name }) => log.push(`${name}>`),
    renamed: ({ name }) => log.push(`>${name}`),
  };
  const packets: string[] = [];
  input.register(ETHERTYPE_IPV4, {
    input: (packet: LinkPacket) => {
      const { iface, arrival, lengthBytes, group } = packet;
      iface.link.readSource(packet);
      const { srcHi, srcLo } = packet;
      packets.push(`${iface.name} ${arrival?.name} ${lengthBytes} ${group} ${srcHi.toString(16)}:${srcLo}`);
    },
  });
  const fake = (name: string): FakeDevice => new FakeDevice(arena, name, OWN);
  return { arena, bulk, table, poller, log, input, packets, counters, fake };
}

/** An Ethernet frame to us from 02ff:7, of IPv4 or with a tag in front. */
function frame(packetBytes: number, tag = -1): Uint8Array {
  const header = [0x02, 0, 0, 0, 0, 1, 0x02, 0xff, 0, 0, 0, 7];
  const type = tag < 0 ? [0x08, 0x00] : [0x81, 0x00, tag >> 8, tag & 0xff, 0x08, 0x00];
  return Uint8Array.from([...header, ...type, ...new Array<number>(packetBytes).fill(0x45)]);
}

describe('the table of interfaces', () => {
  it('names each once, numbers them, and gives a number again only after all others', () => {
    const { table, fake } = setUp();
    const eth0 = table.attachDevice(fake('eth0'), 'eth0') as Interface;
    expect(table.attachDevice(fake('x'), 'eth0')).toBe(-Errno.EEXIST);
    for (const bad of ['', 'a b', 'fe80%', 'x'.repeat(16)]) expect(table.attach(new NoLink(), bad)).toBe(-Errno.EINVAL);
    const one = table.attach(new NoLink(), 'one') as Interface;
    expect([eth0.index, one.index]).toEqual([1, 2]);
    for (let i = 3; i <= 4095; i++) table.remove(table.attach(new NoLink(), 'last') as Interface);
    table.remove(one);
    expect((table.attach(new NoLink(), 'two') as Interface).index).toBe(2);
    expect(table.at(2)?.name).toBe('two');
  });

  it('has no more interfaces than lo0 can name', () => {
    const { table } = setUp();
    for (let i = 0; i < 4095; i++) expect(table.attach(new NoLink(), `n${i}`)).toBeInstanceOf(Interface);
    expect(table.attach(new NoLink(), 'more')).toBe(-Errno.ENOBUFS);
  });

  it('renames, to a name that is free', () => {
    const { table, fake, log } = setUp();
    const [a, b] = ['a0', 'b0'].map((name) => table.attachDevice(fake(name), name) as Interface) as [
      Interface,
      Interface,
    ];
    expect(table.rename(a, 'b0')).toBe(-Errno.EEXIST);
    expect(table.rename(a, 'a b')).toBe(-Errno.EINVAL);
    expect(table.rename(a, 'a0')).toBe(0);
    expect(log).toEqual(['+a0', '+b0']);
    expect(table.rename(a, 'c0')).toBe(0);
    expect(log.slice(2)).toEqual(['a0>', '>c0']);
    expect([table.named('a0'), table.named('c0'), table.named('b0')]).toEqual([null, a, b]);
    table.remove(a);
    expect(table.rename(a, 'd0')).toBe(-Errno.ENXIO);
  });

  it('detaches without closing, once, and says so to all that hangs on it', () => {
    const { table, poller, log, fake, bulk, arena } = setUp();
    const device = fake('eth0');
    const iface = table.attachDevice(device, 'eth0') as Interface;
    const capture = new Capture(iface, { bulk, view: arena.view, nowUs: () => 0 });
    const gone: string[] = [];
    iface.addHook({ stage: STAGE_VLAN, input: () => false, detached: ({ name }) => gone.push(name), moved: () => {} });
    iface.link.reserveTo(0, 2, ETHERTYPE_IPV4, 60);
    iface.link.commit(60, 0);
    const { flushes } = device;
    expect(table.detach(iface)).toBe(iface.link);
    expect([device.flushes - flushes, device.linkUp, iface.up, iface.attached]).toEqual([1, true, false, false]);
    expect([log, gone, iface.taps, iface.hooks]).toEqual([['+eth0', '-eth0'], ['eth0'], [], []]);
    expect(capture.read()).toHaveLength(1);
    device.put(frame(20));
    expect([poller.pending, poller.poll(0)]).toEqual([false, 0]);
    expect(table.detach(iface)).toBe(-Errno.ENXIO);
    iface.changeFlags(1, 0);
    expect(iface.up).toBe(false);
  });

  it('moves to another table with its captures and hooks, and what was created can be destroyed there', () => {
    const [from, to] = [setUp(), setUp()];
    const eth0 = from.table.attachDevice(from.fake('eth0'), 'eth0') as Interface;
    const capture = new Capture(eth0, { bulk: from.bulk, view: from.arena.view, nowUs: () => 0 });
    const told: (Interface | string)[] = [];
    eth0.addHook({
      stage: STAGE_VLAN,
      input: () => false,
      detached: () => told.push('gone'),
      moved: (iface) => told.push(iface),
    });
    to.table.attachDevice(to.fake('eth0'), 'eth0');
    expect(from.table.move(eth0, to.table, 'eth0')).toBe(-Errno.EEXIST);
    expect(from.table.move(eth0, to.table, 'a b')).toBe(-Errno.EINVAL);
    expect([eth0.attached, eth0.taps.length, eth0.hooks.length, from.log]).toEqual([true, 1, 1, ['+eth0']]);
    const eth1 = from.table.move(eth0, to.table, 'eth1') as Interface;
    expect([eth0.attached, eth0.up, eth0.taps, eth0.hooks]).toEqual([false, false, [], []]);
    expect([eth1.link, eth1.link.iface, eth1.input, eth1.up]).toEqual([eth0.link, eth1, to.input, false]);
    expect([from.log, to.log, told]).toEqual([['+eth0', '-eth0'], ['+eth0', '+eth1'], [eth1]]);
    eth1.changeFlags(IFF_UP, 0);
    ((eth1.link as EthernetLink).device as FakeDevice).put(frame(20));
    expect([from.poller.pending, to.poller.poll(0), to.packets]).toEqual([false, 1, ['eth1 eth1 20 false 2ff:7']]);
    expect(capture.read()).toHaveLength(1);
    capture.close();
    expect(eth1.taps).toEqual([]);
    expect(from.table.move(eth0, to.table, 'eth2')).toBe(-Errno.ENXIO);
    expect(to.table.destroy(eth1)).toBe(-Errno.EINVAL);

    from.table.cloners.register({ prefix: 'gif', create: () => new NoLink() });
    const again = to.table.move(eth1, to.table, 'eth1') as Interface;
    expect([again.name, again.index !== eth1.index, eth1.attached]).toEqual(['eth1', true, false]);
    const made = from.table.create('gif') as Interface;
    const moved = from.table.move(made, to.table, 'gif7') as Interface;
    expect([from.table.isCloned(made), to.table.isCloned(moved), to.table.destroy(moved)]).toEqual([false, true, 0]);
  });

  it('creates by prefix or full name, and destroys nothing else', () => {
    const { table, fake } = setUp();
    const made: number[] = [];
    const cloner = {
      prefix: 'gif',
      create: (unit: number) => {
        if (unit === 9) return -Errno.EPERM;
        made.push(unit);
        return new NoLink();
      },
    };
    expect([table.cloners.register(cloner), table.cloners.register(cloner)]).toEqual([0, -Errno.EEXIST]);
    expect(table.cloners.prefixes()).toEqual(['gif']);
    const named = (name: string): string | number => {
      const iface = table.create(name);
      return typeof iface === 'number' ? iface : iface.name;
    };
    expect(['gif1', 'gif', 'gif', 'gif1', 'gif9'].map(named)).toEqual([
      'gif1',
      'gif0',
      'gif2',
      -Errno.EEXIST,
      -Errno.EPERM,
    ]);
    expect(['vlan0', 'gif01', 'gif32768', '7'].map(named)).toEqual(new Array(4).fill(-Errno.EINVAL));
    expect(made).toEqual([1, 0, 2]);
    const eth0 = table.attachDevice(fake('eth0'), 'eth0') as Interface;
    const gif5 = table.attachDevice(fake('gif5'), 'gif5') as Interface;
    expect([table.destroy(eth0), table.destroy(gif5)]).toEqual([-Errno.EINVAL, -Errno.EPERM]);
    expect([gif5, table.named('gif0')].map((iface) => table.isCloned(iface as Interface))).toEqual([false, true]);
    const gif0 = table.named('gif0') as Interface;
    expect([table.destroy(gif0), table.destroy(gif0)]).toEqual([0, -Errno.ENXIO]);
    expect(named('gif')).toBe('gif0');
  });
});

describe('a device with two queues', () => {
  function twoQueues() {
    const bed = setUp();
    const halves = ['q0', 'q1'].map((name) => bed.fake(name)) as [FakeDevice, FakeDevice];
    const iface = bed.table.attachDevice(new TwoQueueDevice(...halves), 'eth0') as Interface;
    return { ...bed, halves, iface };
  }

  it('is received from by both, a batch of each at a time', () => {
    const { poller, halves, iface, packets } = twoQueues();
    halves[1].put(frame(21));
    expect([poller.pending, poller.poll(0)]).toEqual([true, 1]);
    for (let i = 0; i < 70; i++) for (const half of halves) half.put(frame(20));
    expect([poller.poll(0), poller.pending, poller.poll(0), poller.pending]).toEqual([128, true, 12, false]);
    expect([packets.length, iface.inPackets, packets[0]]).toEqual([141, 141, 'eth0 eth0 21 false 2ff:7']);
  });

  it('sends by the first', () => {
    const { table, halves, iface } = twoQueues();
    iface.link.reserveTo(0x02ff, 7, ETHERTYPE_IPV4, 20);
    iface.link.commit(20, 0);
    halves[0].room = 0;
    expect(iface.link.reserveTo(0x02ff, 7, ETHERTYPE_IPV4, 20)).toBe(-Errno.ENOBUFS);
    expect(iface.link.awaitRoom(0x02ff, 7)).toBe(false);
    table.flush();
    expect(halves.map((half) => [half.take().length, half.flushes, half.awaited])).toEqual([
      [1, 1, 1],
      [0, 0, 0],
    ]);
  });
});

describe('the chain', () => {
  it('shows a frame to taps, then to hooks by stage, then to the protocol; the first that takes it ends its way', () => {
    const { table, poller, fake, packets, counters } = setUp();
    const device = fake('eth0');
    const iface = table.attachDevice(device, 'eth0') as Interface;
    const order: string[] = [];
    let bridged = false;
    const hook = (stage: number, name: string): FrameHook => ({
      stage,
      input: () => {
        order.push(name);
        return name === 'bridge' && bridged;
      },
      detached: () => {},
      moved: () => {},
    });
    iface.addHook(hook(STAGE_VLAN, 'vlan'));
    iface.addHook(hook(STAGE_BRIDGE, 'bridge'));
    iface.addTap({
      received: (_iface, _batch, count) => order.push(`tap ${count}`),
      sent: () => {},
      flushed: () => {},
      detached: () => {},
      moved: () => {},
    });
    device.put(frame(20));
    poller.poll(0);
    expect([order, packets]).toEqual([['tap 1', 'bridge', 'vlan'], ['eth0 eth0 20 false 2ff:7']]);
    bridged = true;
    order.length = 0;
    device.put(frame(20));
    device.put(frame(20));
    poller.poll(0);
    expect([order, packets.length]).toEqual([['tap 2', 'bridge', 'bridge'], 1]);
    expect([iface.inPackets, iface.inBytes]).toEqual([3, 3 * 34]);
    iface.changeFlags(0, 1);
    order.length = 0;
    device.put(frame(20));
    poller.poll(0);
    expect([order, iface.inPackets]).toEqual([['tap 1'], 3]);
    expect(counters.snapshot()).toMatchObject({ 'ether-in-unknown-type': 0 });
  });

  it('names why a frame goes no further', () => {
    const { table, poller, fake, packets, counters } = setUp();
    const device = fake('eth0');
    const iface = table.attachDevice(device, 'eth0') as Interface;
    const others = frame(20);
    others[5] = 9;
    const unknown = frame(20);
    unknown[13] = 0x99;
    for (const bytes of [frame(0).subarray(0, 13), others, unknown]) device.put(bytes);
    poller.poll(0);
    expect(counters.snapshot()).toMatchObject({
      'ether-in-short': 1,
      'ether-in-not-ours': 1,
      'ether-in-unknown-type': 1,
    });
    expect([iface.inDrops, packets]).toEqual([3, []]);
  });

  it('carries the frames of an interface that has no device, both ways', () => {
    const { arena, table, poller, fake, packets } = setUp();
    const device = fake('eth0');
    const parent = table.attachDevice(device, 'eth0') as Interface;
    table.cloners.register({ prefix: 'vlan', create: (unit) => new TagLink(parent, arena.view, unit) });
    const vlan5 = table.create('vlan5') as Interface;
    expect(vlan5.up).toBe(false);
    vlan5.changeFlags(1, 0);
    expect(vlan5.mtuBytes).toBe(1496);
    device.put(frame(28, 5));
    device.put(frame(28, 6));
    device.put(frame(20));
    poller.poll(0);
    expect(packets).toEqual(['vlan5 vlan5 28 false 2ff:7', 'eth0 eth0 20 false 2ff:7']);
    const at = vlan5.link.reserveTo(0x02ff, 7, ETHERTYPE_IPV4, 20);
    expect(at % 4).toBe(0);
    arena.bytes.fill(0x45, at, at + 20);
    vlan5.link.commit(20, 0);
    table.flush();
    const sent = Uint8Array.from([
      2,
      0xff,
      0,
      0,
      0,
      7,
      2,
      0,
      0,
      0,
      0,
      1,
      0x81,
      0,
      0,
      5,
      8,
      0,
      ...new Array(20).fill(0x45),
    ]);
    expect(device.take()).toEqual([sent]);
    expect([vlan5.outPackets, vlan5.outBytes, parent.outPackets, parent.outBytes]).toEqual([1, 38, 1, 38]);
    expect(vlan5.link.reserveTo(0x02ff, 7, ETHERTYPE_IPV4, 1497)).toBe(-Errno.EMSGSIZE);
    table.remove(parent);
    expect([vlan5.link.linkUp, vlan5.link.downReason]).toEqual([false, 'no parent']);
    expect(vlan5.link.reserveTo(0x02ff, 7, ETHERTYPE_IPV4, 20)).toBe(-Errno.ENETDOWN);
    expect(table.destroy(vlan5)).toBe(0);
  });

  it('believes lo0, and no other link, by which interface a packet counts as received', () => {
    const { arena, table, poller, fake, packets } = setUp();
    const device = fake('eth0');
    const eth0 = table.attachDevice(device, 'eth0') as Interface;
    const lo0 = table.attachDevice(new LoopbackDevice(arena), 'lo0') as Interface;
    for (const meta of [0, eth0.index << 4, lo0.index << 4, 77 << 4]) {
      const at = lo0.link.reserveTo(0, 0, ETHERTYPE_IPV4, 24);
      arena.bytes.fill(0x45, at, at + 24);
      lo0.link.commit(24, meta);
    }
    table.flush();
    device.put(frame(20), lo0.index << 4);
    poller.poll(0);
    expect(packets).toEqual([
      'eth0 eth0 20 false 2ff:7',
      'lo0 undefined 24 false 0:0',
      'lo0 eth0 24 false 0:0',
      'lo0 lo0 24 false 0:0',
      'lo0 undefined 24 false 0:0',
    ]);
  });
});
