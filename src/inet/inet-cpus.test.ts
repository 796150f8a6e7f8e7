/**
 * The parting of a kernel into the half that its CPUs share and the halves that are theirs: two CPUs over one kernel, on one
 * thread and the virtual clock.
 */

import { describe, expect, it } from 'vitest';
import { textOf } from '../../test/fixtures/address-text.ts';
import { ownMac, PEER_MAC } from '../../test/fixtures/inet-bed.ts';
import { arp, be32, ether, hex, icmp, ip, ip4, join, type Packet, tcp, udp } from '../../test/fixtures/packets.ts';
import { TwoCpuBed } from '../../test/fixtures/two-cpus.ts';
import { Errno } from '../base/errors.ts';
import { RTF_GATEWAY } from '../net/route.ts';
import { answerControl } from '../sys/control-table.ts';
import type { InetCpu } from './inet-cpu.ts';
import type { IpPath } from './ip/path.ts';
import { abortConnection } from './tcp/close.ts';
import type { Connection } from './tcp/connection/connection.ts';
import { ESTABLISHED, LISTEN } from './tcp/connection/states.ts';
import type { PortUse } from './tcp/shared/port-use.ts';
import type { Listener } from './tcp/tables/listener.ts';
import { acceptFrom, bindPort, closeListener, connectTo, listenOn } from './tcp/user.ts';

const PEER0 = '10.0.0.2';
const PEER1 = '10.0.1.2';
const OWN0 = '10.0.0.1';
const OWN1 = '10.0.1.1';
const SYN = 2;
const RST = 4;
const ACK = 16;
const SECOND = 1_000_000;
const OPTIONS = { reuseAddress: false, reusePort: false };

function bed(): TwoCpuBed {
  const one = new TwoCpuBed();
  one.neighbor(PEER0, 0);
  one.neighbor(PEER1, 1);
  return one;
}

function pathOf(cpu: InetCpu, to: string): IpPath {
  const path = cpu.ip.openPath(ip(to), 0, 0);
  if (typeof path === 'number') throw new Error(`${to}: ${path}`);
  return path;
}

/** A UDP endpoint of a CPU; the port is taken. */
function endpointOf(cpu: InetCpu, port: number) {
  const endpoint = cpu.udp.open();
  expect(endpoint.bind(0, port)).toBe(0);
  return endpoint;
}

function datagram(one: TwoCpuBed, n: number, port: number): void {
  const [src, dst] = n === 0 ? [PEER0, OWN0] : [PEER1, OWN1];
  one.putIp({ src, dst, protocol: 17 }, udp(src, dst, 7, port, hex('4142')), n);
}

function control(one: TwoCpuBed, operation: string, request: object = {}): unknown {
  const impairments = { cut: () => undefined, set: () => {} };
  const bpf = { list: () => ({ devices: [], total: { received: 0, dropped: 0, captured: 0 } }) };
  return answerControl({ name: 'bed', inet: one.inet, hosts: [], onHalt: null, impairments, bpf }, operation, request);
}

function listen(cpu: InetCpu, port: number): Listener {
  const use = bindPort(cpu.tcp, 0, port, OPTIONS) as PortUse;
  return listenOn(cpu.tcp, use, cpu.tcp.newOptions(), 8, null) as Listener;
}

function word(packet: Packet | undefined, at: number): number {
  const { buffer, byteOffset } = packet!.payload;
  return new DataView(buffer, byteOffset).getInt32(at);
}

/** The neighbor on device `n` opens a connection to port 80. */
function open(one: TwoCpuBed, n: number, port: number): void {
  const [src, dst] = n === 0 ? [PEER0, OWN0] : [PEER1, OWN1];
  const segment = (seq: number, ack: number, flags: number): Packet[] =>
    one.receiveIp({ src, dst, protocol: 6 }, tcp(src, dst, [port, 80], seq, ack, flags), n);
  const [answer] = segment(100, 0, SYN);
  segment(101, word(answer, 4) + 1, ACK);
}

describe('two CPUs of one kernel share', () => {
  it('addresses and routes: one entry, seen by both', () => {
    const one = bed();
    expect(one.inet.addRoute(ip('192.0.2.0'), 24, ip(PEER1), RTF_GATEWAY)).toBe(0);
    const paths = one.inet.cpus.map((cpu) => pathOf(cpu, '192.0.2.7'));
    expect(paths.map(({ iface, src }) => [iface.name, src])).toEqual([
      ['eth1', ip(OWN1)],
      ['eth1', ip(OWN1)],
    ]);
    expect(paths[0]!.route).toBe(paths[1]!.route);
    expect(one.inet.cpus.map(({ ip: service }) => service.isLocal(ip(OWN0)))).toEqual([true, true]);
    one.inet.unconfigure(one.eth[0], ip(OWN0));
    expect(one.inet.cpus.map(({ ip: service }) => service.isLocal(ip(OWN0)))).toEqual([false, false]);
    const gone = one.inet.cpus.map((cpu) => cpu.ip.openPath(ip(PEER0), 0, 0));
    expect(gone).toEqual([-Errno.ENETUNREACH, -Errno.ENETUNREACH]);
  });

  it('neighbors: a packet of one CPU waits in memory of the owner, and the answer that the other receives lets it go', () => {
    const one = bed();
    const [before, before1] = [one.heap.usedBytes, one.heap1.usedBytes];
    const endpoint = one.cpu1.udp.open();
    expect(endpoint.send(hex('41'), 0, 1, ip('10.0.1.9'), 9)).toBe(1);
    one.settle();
    expect(one.sent(1).map((packet) => packet.arp?.target)).toEqual(['10.0.1.9']);
    expect([one.heap.usedBytes > before, one.heap1.usedBytes - before1]).toEqual([true, 0]);
    const { timer } = one.inet.ip4.neighbors.find(one.eth[1], ip('10.0.1.9'))!;
    expect(timer.deadlineUs).toBe(one.nowUs + SECOND);
    expect(one.callouts.nextDeadlineUs()).toBeLessThanOrEqual(timer.deadlineUs);
    const reply = arp({ operation: 2, senderMac: PEER_MAC, sender: '10.0.1.9', targetMac: ownMac(2), target: OWN1 });
    const sent = one.receive(ether(ownMac(2), PEER_MAC, 0x0806, reply), 1);
    expect(sent.map(({ dst, protocol }) => [dst, protocol])).toEqual([['10.0.1.9', 17]]);
    expect(one.heap.usedBytes).toBe(before);
    // The other CPU sends at once.
    expect(one.cpu.udp.open().send(hex('42'), 0, 1, ip('10.0.1.9'), 9)).toBe(1);
    one.settle();
    expect(one.sent(1).map(({ dst, protocol }) => [dst, protocol])).toEqual([['10.0.1.9', 17]]);
  });

  it('path MTUs: an error that one receives holds for paths of both', () => {
    const one = bed();
    one.inet.addRoute(ip('192.0.2.0'), 24, ip(PEER1), RTF_GATEWAY);
    const paths = one.inet.cpus.map((cpu) => pathOf(cpu, '192.0.2.7'));
    expect(paths.map(({ mtuBytes }) => mtuBytes)).toEqual([1500, 1500]);
    const quoted = ip4({ src: OWN1, dst: '192.0.2.7', protocol: 17 }, join(be32(0x00070007), new Uint8Array(1476)));
    one.receiveIp({ src: PEER1, dst: OWN1, protocol: 1 }, icmp(3, 4, 1400, quoted.slice(0, 28)), 1);
    expect(one.inet.cpus.map((cpu) => pathOf(cpu, '192.0.2.7').mtuBytes)).toEqual([1400, 1400]);
    expect([one.count('ip-path-mtu-learned'), one.counters1.snapshot()['ip-path-mtu-learned'] ?? 0]).toEqual([1, 0]);
  });

  it('the filter, and the groups of an interface', () => {
    const one = bed();
    const endpoints = one.inet.cpus.map((cpu, n) => endpointOf(cpu, 5000 + n));
    one.inet.filter.add({ id: 'cut', from: [ip(PEER0), ip(PEER1)], action: 'drop' });
    for (const n of [0, 1]) datagram(one, n, 5000 + n);
    one.settle();
    expect(endpoints.map(({ queue }) => queue.count)).toEqual([0, 0]);
    expect(one.inet.filter.remove('cut')).toBe(true);
    for (const endpoint of endpoints) expect(endpoint.join(ip('239.1.2.3'), 0, one.eth[1])).toBe(0);
    expect(one.eth[1].groups.get(ip('239.1.2.3'))?.members).toHaveLength(2);
    endpoints[0]!.close();
    expect(one.devices[1]!.groups).toContain('01005e010203');
    endpoints[1]!.close();
    expect(one.devices[1]!.groups).not.toContain('01005e010203');
  });

  it('ports: one that is bound on the one is taken on the other, of UDP and of TCP', () => {
    const one = bed();
    const taken = endpointOf(one.cpu, 5000);
    const other = one.cpu1.udp.open();
    expect(other.bind(0, 5000)).toBe(-Errno.EADDRINUSE);
    taken.close();
    expect(other.bind(0, 5000)).toBe(0);
    const use = bindPort(one.cpu1.tcp, 0, 80, OPTIONS) as PortUse;
    expect(bindPort(one.cpu.tcp, 0, 80, OPTIONS)).toBe(-Errno.EADDRINUSE);
    one.cpu1.tcp.releasePort(use);
    expect(typeof bindPort(one.cpu.tcp, 0, 80, OPTIONS)).toBe('object');
  });

  it('ephemeral ports: connections of two CPUs share none, because neither knows the four numbers of the other', () => {
    const one = bed();
    one.sysctl('net.inet.ip.anonportmin', 50000);
    one.sysctl('net.inet.ip.anonportmax', 50000);
    const connect = (cpu: InetCpu, port: number): Connection | number =>
      connectTo(cpu.tcp, null, ip(PEER1), port, cpu.tcp.newOptions(), null, one.nowUs);
    expect(typeof connect(one.cpu, 80)).toBe('object');
    expect(typeof connect(one.cpu, 81)).toBe('object');
    expect(connect(one.cpu1, 80)).toBe(-Errno.EADDRNOTAVAIL);
    expect(connect(one.cpu1, 82)).toBe(-Errno.EADDRNOTAVAIL);
    expect(one.inet.cpus.map(({ tcp: stack }) => stack.connectionCount)).toEqual([2, 0]);
  });

  it('listeners: a connection lives where its SYN arrived, and is accepted from the one queue', () => {
    const one = bed();
    const listener = listen(one.cpu, 80);
    open(one, 0, 1000);
    open(one, 1, 1001);
    one.receiveIp({ src: PEER1, dst: OWN1, protocol: 6 }, tcp(PEER1, OWN1, [1002, 80], 5, 0, SYN), 1);
    expect(one.inet.cpus.map(({ tcp: stack }) => [stack.connectionCount, stack.synEntryCount])).toEqual([
      [1, 0],
      [1, 1],
    ]);
    const [a, b] = [acceptFrom(listener, () => null)!, acceptFrom(listener, () => null)!];
    expect([a.stack, b.stack]).toEqual([one.cpu.tcp, one.cpu1.tcp]);
    expect(listenOn(one.cpu1.tcp, { ...listener.portUse, cpu: 1 }, one.cpu1.tcp.newOptions(), 8, null)).toBe(
      -Errno.EADDRINUSE,
    );
    closeListener(one.cpu.tcp, listener);
    expect(one.inet.cpus.map(({ tcp: stack }) => stack.synEntryCount)).toEqual([0, 0]);
    for (const c of [a, b]) abortConnection(c, one.nowUs);
    one.settle();
    expect([one.sent(0), one.sent(1)].map(([reset]) => word(reset, 12) >>> 16)).toEqual([
      0x5000 | RST | ACK,
      0x5000 | RST | ACK,
    ]);
  });

  it('IPv6 addresses: a sweep keeps those that sockets of either hold', () => {
    const one = bed();
    const far = one.number('2001:db8::7');
    const endpoint = one.cpu1.udp.open(true);
    expect(one.inet.ip6.addAddress(one.eth[1], one.number('2001:db8::1'), 64)).toBe(0);
    one.advance(5 * SECOND);
    expect(endpoint.connect(far, 9)).toBe(0);
    expect(typeof one.cpu1.ip.transientPath(one.number('2001:db8::8'), 0, 0, null)).toBe('object');
    one.inet.shared.interner.sweep();
    for (let i = 1; i < 50; i++) one.number(`2001:db8:dead::${i.toString(16)}`);
    expect(textOf(one.inet, endpoint.peerAddress)).toBe('2001:db8::7');
    const path = one.cpu1.ip.transientPath(one.number('2001:db8::8'), 0, 0, null) as IpPath;
    expect(textOf(one.inet, path.dst)).toBe('2001:db8::8');
  });
});

describe('a CPU has of its own', () => {
  it('its way in: frames of an interface wait for the CPU that polls it', () => {
    const one = bed();
    const endpoints = one.inet.cpus.map((cpu, n) => endpointOf(cpu, 5000 + n));
    for (const n of [0, 1]) datagram(one, n, 5000 + n);
    expect(one.inet.cpus.map(({ pending }) => pending)).toEqual([true, true]);
    expect(one.cpu1.poll(one.nowUs)).toBe(1);
    expect(endpoints.map(({ queue }) => queue.count)).toEqual([0, 1]);
    expect(one.inet.cpus.map(({ pending }) => pending)).toEqual([true, false]);
    expect([one.cpu.poll(one.nowUs), one.cpu1.poll(one.nowUs)]).toEqual([1, 0]);
    expect(endpoints.map(({ queue }) => queue.count)).toEqual([1, 1]);
  });

  it('an interface that is given to another CPU, and one that goes, with its addresses and the groups of both', () => {
    const one = bed();
    one.inet.interfaceTable.assign(one.eth[0], 1);
    const endpoint = endpointOf(one.cpu1, 5000);
    datagram(one, 0, 5000);
    expect([one.cpu.poll(one.nowUs), one.cpu1.poll(one.nowUs), endpoint.queue.count]).toEqual([0, 1, 1]);
    endpoint.join(ip('239.1.2.3'), 0, one.eth[0]);
    const path = pathOf(one.cpu1, PEER0);
    one.inet.interfaceTable.remove(one.eth[0]);
    expect(one.devices[0]!.groups).toEqual([]);
    datagram(one, 0, 5000);
    expect([one.cpu.poll(one.nowUs), one.cpu1.poll(one.nowUs)]).toEqual([0, 0]);
    expect(one.cpu1.ip.begin(path, 17, 8, 64, 0, 0)).toBe(-Errno.EADDRNOTAVAIL);
  });

  it('its sockets, heap and counters; netstat shows the sockets of both and the sum of their counters', () => {
    const one = bed();
    listen(one.cpu, 80);
    const [before, before1] = [one.heap.usedBytes, one.heap1.usedBytes];
    const endpoints = one.inet.cpus.map((cpu, n) => endpointOf(cpu, 5000 + n));
    datagram(one, 1, 5001);
    datagram(one, 1, 5001);
    datagram(one, 0, 5000);
    // A port of the other CPU is closed here until flows are steered.
    datagram(one, 1, 5000);
    one.settle();
    one.sent(1);
    expect(endpoints.map(({ queue }) => queue.count)).toEqual([1, 2]);
    expect([one.heap.usedBytes > before, one.heap1.usedBytes > before1]).toEqual([true, true]);
    expect([one.count('udp-in'), one.counters1.snapshot()['udp-in']]).toEqual([1, 2]);
    expect(control(one, 'counter.list')).toMatchObject({ 'udp-in': 3, 'udp-in-no-port': 1 });
    open(one, 1, 1000);
    const sockets = control(one, 'socket.list') as { localPort: number; state: number; receiveQueueBytes: number }[];
    expect(sockets.map(({ localPort, state }) => [localPort, state]).sort()).toEqual([
      [5000, 0],
      [5001, 0],
      [80, LISTEN],
      [80, ESTABLISHED],
    ]);
  });

  it('its timers and random numbers', () => {
    const one = bed();
    const quietUs = one.callouts.nextDeadlineUs();
    expect(one.callouts1.nextDeadlineUs()).toBe(Infinity);
    const { draws } = one.rng1;
    const use = bindPort(one.cpu1.tcp, 0, 0, OPTIONS) as PortUse;
    expect(one.rng1.draws).toBeGreaterThan(draws);
    const c = connectTo(one.cpu1.tcp, use, ip(PEER1), 80, one.cpu1.tcp.newOptions(), null, one.nowUs) as Connection;
    one.settle();
    expect(one.callouts1.nextDeadlineUs()).toBeLessThan(one.nowUs + 2 * SECOND);
    expect(one.callouts.nextDeadlineUs()).toBe(quietUs);
    const drawn = one.rng1.draws;
    bindPort(one.cpu.tcp, 0, 0, OPTIONS);
    expect(one.rng1.draws).toBe(drawn);
    abortConnection(c, one.nowUs);
  });

  it('no row of its own in the list of limits: a table that each has is one', () => {
    const one = bed();
    const rows = one.inet.sysctl.limits.list();
    const names = rows.map(({ table, counter }) => `${table}: ${counter}`);
    expect(new Set(names).size).toBe(names.length);
    for (const port of [5001, 5002]) endpointOf(one.cpu1, port);
    endpointOf(one.cpu, 5003);
    // The fullest.
    expect(rows.find(({ table }) => table === 'bound UDP sockets')?.size()).toBe(2);
  });
});
