/**
 * UDP of one CPU, put together: its endpoints, and what a program does to their names and groups. Datagrams come by input.ts and
 * leave by output.ts.
 *
 * Thread: the one that runs the CPU. Endpoints hang in buckets by local port (demux.ts).
 * Read first: RFC 768, RFC 1122 4.1, RFC 8085. Missing: UDP-Lite, encapsulation.
 */

import { Errno } from '../../base/errors.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Counters } from '../../mem/counters.ts';
import type { Interface } from '../../net/interface.ts';
import { IP6_ANY } from '../ip/address-interner.ts';
import { anyFamilies, FAMILY_4, isAny } from '../ip/any-address.ts';
import type { InetContext } from '../ip/context.ts';
import { DatagramQueue, socketBufferLimit } from '../ip/datagram-queue.ts';
import type { PortTable } from '../ip/ports.ts';
import type { GroupService, IpService } from '../ip/transport.ts';
import { UdpDemux } from './demux.ts';
import { UdpEndpoint, type UdpProtocol } from './endpoint.ts';
import { UdpInput } from './input.ts';
import { Memberships } from './memberships.ts';
import { UdpOutput } from './output.ts';
import { UdpRefusal } from './refusal.ts';

export class Udp implements UdpProtocol {
  readonly context: InetContext;
  readonly ports: PortTable;
  /** Upper bound of a socket's receive buffer. */
  readonly maxBufferBytes: SysctlVariable;
  readonly #memberships: Memberships;
  readonly only6: SysctlVariable;
  readonly #multicastAll: SysctlVariable;
  readonly #multicastAll6: SysctlVariable;
  readonly #ip: IpService;
  readonly #groups: GroupService;
  readonly #counters: Counters;
  readonly #demux: UdpDemux;
  readonly #receiveBytes: SysctlVariable;
  readonly #maxSockets: SysctlVariable;
  readonly #socketsRefused: number;
  readonly #output: UdpOutput;
  readonly #refusal: UdpRefusal;

  constructor(context: InetContext, ip: IpService, groups: GroupService) {
    this.context = context;
    this.#ip = ip;
    this.#groups = groups;
    this.#counters = context.counters;
    this.#demux = new UdpDemux(context.rng.next32());
    this.ports = context.shared.udpPorts;
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#receiveBytes = sysctl.integer('net.inet.udp.recvspace', 212992, 1024, 1 << 24, 'default receive buffer');
    this.#maxSockets = sysctl.integer('net.inet.udp.maxsockets', 65536, 16, 1 << 20, 'bound UDP sockets');
    this.only6 = sysctl.toggle('net.inet6.ip6.v6only', false, 'IPv6 sockets are not for IPv4 by default');
    const allText = 'sockets hear groups that another one joined, by default';
    this.#multicastAll = sysctl.toggle('net.inet.ip.multicast_all', true, allText);
    this.#multicastAll6 = sysctl.toggle('net.inet6.ip6.multicast_all', true, allText);
    this.#memberships = new Memberships(groups, context, () => this.list());
    this.#socketsRefused = counters.index('udp-sockets-refused');
    this.maxBufferBytes = socketBufferLimit(sysctl);
    sysctl.limits.add({
      table: 'bound UDP sockets',
      variable: this.#maxSockets,
      counter: 'udp-sockets-refused',
      whenFull: 'bind fails with ENOBUFS',
      size: () => this.#demux.count,
    });
    sysctl.limits.add({
      table: 'datagrams waiting in one UDP socket, bytes; its own buffer size may be less',
      variable: this.maxBufferBytes,
      counter: 'udp-full-socket-drops',
      whenFull: 'the datagram is dropped',
      size: () => this.list().reduce((most, one) => Math.max(most, one.queue.queuedBytes), 0),
    });
    this.#output = new UdpOutput(context, ip, (endpoint) => this.#bindAny(endpoint));
    this.#refusal = new UdpRefusal(context, ip);
    ip.register(new UdpInput(context, ip, groups, this.#demux));
    context.shared.interner.addHolder(this);
  }

  /** `ipv6`: an endpoint whose "any address" is `::`. */
  // cold: sockets are opened
  open(ipv6: boolean = false): UdpEndpoint {
    const bufferBytes = Math.min(this.#receiveBytes.value, this.maxBufferBytes.value);
    const endpoint = new UdpEndpoint(this, this.#output, new DatagramQueue(this.context, bufferBytes), ipv6);
    endpoint.multicastAll = this.#multicastAll.value !== 0;
    endpoint.multicastAll6 = this.#multicastAll6.value !== 0;
    return endpoint;
  }

  /** As `AddressHolder.markAddresses`. */
  markAddresses(mark: (address: number) => void): void {
    for (const endpoint of this.#demux.list()) endpoint.markAddresses(mark);
    this.#output.markAddresses(mark);
  }

  /** Bound endpoints, for netstat. */
  list(): UdpEndpoint[] {
    return this.#demux.list();
  }

  // cold: control
  boundPorts(): number[] {
    return this.list().map((endpoint) => endpoint.port);
  }

  get endpointCount(): number {
    return this.#demux.count;
  }

  /** Tell endpoints that found no room and now have some. Called once per turn. */
  serviceWaiting(): void {
    this.#output.serviceWaiting();
  }

  // --- Names and groups ---

  bind(endpoint: UdpEndpoint, address: number, port: number): number {
    if (endpoint.bound || endpoint.closed) return -Errno.EINVAL;
    if (this.#demux.count >= this.#maxSockets.value) {
      this.#counters.add(this.#socketsRefused, 1);
      return -Errno.ENOBUFS;
    }
    const group = this.#groups.isMulticast(address) || this.#ip.isBroadcast(address);
    if (!isAny(address) && !group && !this.#ip.isLocal(address)) return -Errno.EADDRNOTAVAIL;
    endpoint.address = address;
    endpoint.anyFamilies = anyFamilies(address, endpoint.only6);
    endpoint.source = group || isAny(address) ? 0 : address;
    endpoint.port = port;
    const bound = this.ports.bind(endpoint, this.context.rng);
    if (bound < 0) {
      endpoint.address = 0;
      endpoint.anyFamilies = FAMILY_4;
      endpoint.source = 0;
      endpoint.port = 0;
      return bound;
    }
    this.#demux.insert(endpoint);
    endpoint.bound = true;
    return 0;
  }

  /** An endpoint that sends before it was bound gets an ephemeral port. */
  #bindAny(endpoint: UdpEndpoint): number {
    return this.bind(endpoint, endpoint.ipv6 ? IP6_ANY : 0, 0);
  }

  connect(endpoint: UdpEndpoint, address: number, port: number): number {
    if (port === 0) return -Errno.EADDRNOTAVAIL;
    if (endpoint.closed) return -Errno.EINVAL;
    const path = this.#ip.openPath(address, endpoint.source, endpoint.pathFlags, endpoint.viaFor(address));
    if (typeof path === 'number') return path;
    if (!endpoint.bound) {
      const bound = this.#bindAny(endpoint);
      if (bound < 0) return bound;
    }
    endpoint.path = path;
    endpoint.peerAddress = path.dst;
    endpoint.peerPort = port;
    endpoint.error = 0;
    return 0;
  }

  /** Answer a datagram that was received as if the port were closed. Errors as `UdpRefusal.send`. */
  refuse(endpoint: UdpEndpoint, payload: Uint8Array, address: number, port: number, nowUs: number): number {
    return this.#refusal.send(endpoint, payload, address, port, nowUs);
  }

  disconnect(endpoint: UdpEndpoint): number {
    if (endpoint.path === null) return -Errno.ENOTCONN;
    this.#ip.closePath(endpoint.path);
    endpoint.path = null;
    endpoint.peerAddress = 0;
    endpoint.peerPort = 0;
    return 0;
  }

  /** Errors as `Memberships.join`. */
  join(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null): number {
    return this.#memberships.join(endpoint, group, source, iface);
  }

  leave(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null): number {
    return this.#memberships.leave(endpoint, group, source, iface);
  }

  block(endpoint: UdpEndpoint, group: number, source: number, iface: Interface | null, blocked: boolean): number {
    return this.#memberships.block(endpoint, group, source, iface, blocked);
  }

  /** An interface goes: no endpoint sends to groups there any more (in_pcbpurgeif). Memberships stay, for the endpoint to leave. */
  // cold: configuration
  detach(iface: Interface): void {
    for (const endpoint of this.list()) {
      if (endpoint.multicastInterface === iface) endpoint.multicastInterface = null;
    }
  }

  close(endpoint: UdpEndpoint): void {
    if (endpoint.closed) return;
    endpoint.closed = true;
    this.disconnect(endpoint);
    this.#memberships.leaveAll(endpoint);
    if (endpoint.bound) {
      this.#demux.remove(endpoint);
      this.ports.release(endpoint);
    }
    endpoint.bound = false;
    endpoint.queue.close();
  }
}
