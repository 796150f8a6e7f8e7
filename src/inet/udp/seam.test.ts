/** UDP over an IP that is nothing but the two contracts of inet/ip/transport.ts. */

import { describe, expect, it } from 'vitest';
import { SeededRng } from '../../base/rng.ts';
import { CalloutTable } from '../../kern/callout.ts';
import { Cpu } from '../../kern/cpu.ts';
import { Sysctl } from '../../kern/sysctl.ts';
import { Arena } from '../../mem/arena.ts';
import { createBulk } from '../../mem/bulk.ts';
import { Counters } from '../../mem/counters.ts';
import { Heap } from '../../mem/heap.ts';
import type { Interface } from '../../net/interface.ts';
import type { SourceFilter } from '../../net/source-filter.ts';
import { IpPacket } from '../ip/packet.ts';
import { InetShared } from '../ip/shared.ts';
import type { GroupService, IpService, Path, Transport } from '../ip/transport.ts';
import { Udp } from './udp.ts';

const LOCAL = 0x0a000001;
const PEER = 0x0a000002;
const GROUP = 0xe0000105 | 0;
const HEAP_BYTES = 1 << 20;
const ETH0 = { name: 'eth0', index: 1 } as Interface;

function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}

class FakeIp implements IpService, GroupService {
  readonly arena: Arena = Arena.create(8 << 20);
  readonly view: DataView = this.arena.view;
  readonly bytes: Uint8Array = this.arena.bytes;
  readonly bulk = createBulk(this.arena);
  readonly at: number = this.arena.allocate(2048);
  readonly runCount = 0;
  readonly groups: string[] = [];
  readonly sent: string[] = [];
  readonly unreachable: number[] = [];
  transport: Transport | null = null;
  #bytes = 0;

  register(transport: Transport): void {
    this.transport = transport;
  }
  openPath(dst: number, src: number): Path {
    const addressSum = halves(src || LOCAL) + halves(dst);
    const sizes = { headerBytes: 20, mtuBytes: 1500, linkMtuBytes: 1500, maxPacketBytes: 1500, capabilities: 0 };
    const kind = { multicast: dst >>> 28 === 0xe, loops: false, discards: false };
    return { src: src || LOCAL, dst, addressSum, iface: ETH0, ...sizes, ...kind };
  }
  transientPath(dst: number, src: number): Path {
    return this.openPath(dst, src);
  }
  closePath(): void {}
  begin(_path: Path, _protocol: number, payloadBytes: number): number {
    this.#bytes = payloadBytes;
    return this.at;
  }
  end(): void {
    this.sent.push(Buffer.from(this.bytes.slice(this.at, this.at + this.#bytes)).toString('hex'));
  }
  cancel(): void {}
  beginWithOptions(): number {
    return -1;
  }
  beginRun(): number {
    return 0;
  }
  endRun(): void {}
  awaitRoom(): boolean {
    return true;
  }
  sendUnreachable(_packet: object, code: number): void {
    this.unreachable.push(code);
  }
  isLocal(address: number): boolean {
    return address === LOCAL;
  }
  isBroadcast(): boolean {
    return false;
  }
  fingerprint(address: number): number {
    return address;
  }
  confirm(): void {}
  isMulticast(address: number): boolean {
    return address >>> 28 === 0xe;
  }
  groupOn(group: number): number {
    return group;
  }
  multicastInterface(): Interface {
    return ETH0;
  }
  joinGroup(_iface: Interface, group: number, filter: SourceFilter): number {
    this.groups.push(`join ${(group >>> 0).toString(16)} exclude ${filter.exclude}`);
    return 0;
  }
  leaveGroup(_iface: Interface, group: number): number {
    this.groups.push(`leave ${(group >>> 0).toString(16)}`);
    return 0;
  }
  updateGroup(): void {}
}

function bed(): { ip: FakeIp; udp: Udp; receive: (hex: string) => void } {
  const ip = new FakeIp();
  const { arena } = ip;
  const sysctl = new Sysctl();
  const counters = Counters.open(arena, 'udp', 64);
  const heap = new Heap(arena.allocate(HEAP_BYTES, 4096), HEAP_BYTES);
  const rng = new SeededRng(1);
  const callouts = new CalloutTable();
  const cpu = new Cpu({ shared: { arena, sysctl }, bulk: ip.bulk, heap, callouts, rng, counters, nowUs: () => 0 });
  const context = Object.assign(cpu, { shared: new InetShared(cpu) });
  const udp = new Udp(context, ip, ip);
  const packet = new IpPacket(ETH0);
  const receive = (hex: string): void => {
    const bytes = Buffer.from(hex, 'hex');
    ip.bytes.set(bytes, ip.at);
    Object.assign(packet, { at: ip.at, lengthBytes: bytes.length, src: PEER, dst: LOCAL, protocol: 17 });
    packet.addressSum = halves(PEER) + halves(LOCAL);
    ip.transport?.input(packet, 0);
  };
  return { ip, udp, receive };
}

describe('UDP over the seam', () => {
  it('registers itself, writes header and checksum, and delivers what comes back', () => {
    const { ip, udp, receive } = bed();
    expect(ip.transport?.protocol).toBe(17);
    const endpoint = udp.open();
    expect(endpoint.bind(LOCAL, 7)).toBe(0);
    expect(endpoint.send(Buffer.from('hi'), 0, 2, PEER, 9)).toBe(2);
    // 0a00 + 0001 + 0a00 + 0002 + 0011 + 000a (pseudo-header) + 0007 + 0009 + 000a + 6869 = 7ca1, of which 835e is the complement.
    expect(ip.sent).toEqual(['00070009000a835e6869']);
    receive('00090007000a00006f6b');
    const into = new Uint8Array(4);
    expect(endpoint.receive(into, 0, 4)).toBe(2);
    expect(Buffer.from(into.subarray(0, 2)).toString()).toBe('ok');
  });

  it('answers a datagram for no port with port unreachable', () => {
    const { ip, receive } = bed();
    receive('00090008000a00006f6b');
    expect(ip.unreachable).toEqual([3]);
  });

  it('joins and leaves groups through the group service', () => {
    const { ip, udp } = bed();
    const endpoint = udp.open();
    expect(endpoint.join(GROUP, 0, null)).toBe(0);
    endpoint.close();
    expect(ip.groups).toEqual(['join e0000105 exclude true', 'leave e0000105']);
  });
});
