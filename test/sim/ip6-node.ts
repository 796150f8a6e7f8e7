/**
 * One kernel of a simulated network as tests of IPv6 see it: addresses, routes and counters as text, and a protocol of its own
 * (number 200) that says hello, so that nothing above IP is needed.
 */

import { IP6_ANY } from '../../src/inet/ip/address-interner.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import type { Interface } from '../../src/net/interface.ts';
import { RTF_GATEWAY, RTF_STATIC } from '../../src/net/route.ts';
import { routeFlagLetters } from '../../src/tools/route-text.ts';
import { type Address6, formatAddress, parseAddress } from '../../src/wire/ipv6-address.ts';
import type { SimNetwork } from './network.ts';

const PROTOCOL_HELLO = 200;

export class Node6 {
  readonly kernel: Kernel;
  readonly iface: Interface;
  /** "source > destination hop-limit" of each hello that came. */
  readonly heard: string[] = [];

  constructor(network: SimNetwork, name: string) {
    this.kernel = network.kernel(name);
    this.iface = this.kernel.inet.interface('eth0') as Interface;
    this.kernel.inet.cpus[0].ip.register({
      protocol: PROTOCOL_HELLO,
      input: ({ src, dst, ttl }) => this.heard.push(`${this.text(src)} > ${this.text(dst)} ${ttl}`),
      icmpError: () => {},
    });
  }

  sysctl(name: string, value: number): this {
    const result = this.kernel.inet.sysctl.set(name, value);
    if (result !== 0) throw new Error(`sysctl ${name}=${value}: ${result}`);
    return this;
  }

  /** Switch IPv6 on, with an address by hand or none. */
  start(address?: string, prefixLength: number = 64): this {
    this.sysctl('net.inet6.ip6.enable', 1);
    if (address !== undefined) this.configure(address, prefixLength);
    return this;
  }

  configure(address: string, prefixLength: number = 64): void {
    const result = this.kernel.inet.ip6.addAddress(this.iface, this.number(address), prefixLength);
    if (result !== 0) throw new Error(`${address}: ${result}`);
  }

  /** The number of an address; a link-local one is of eth0. */
  number(text: string): number {
    const words = parseAddress(text) as Address6;
    return this.kernel.inet.ip6.interner.internAddress(words, this.iface.index);
  }

  text(number: number): string {
    return number === 0 ? '-' : formatAddress(this.kernel.inet.ip6.interner.words(number));
  }

  get linkLocal(): string {
    return this.text(this.kernel.inet.ip6.links.of(this.iface)?.linkLocal ?? IP6_ANY);
  }

  /** Addresses of eth0 other than the link-local one, with their state. */
  get addresses(): string[] {
    return this.iface.addresses6
      .map(({ address, state, origin }) => `${this.text(address)} ${state} ${origin}`)
      .filter((line) => !line.startsWith('fe80'));
  }

  /** Routes that are neither to ourselves nor of link scope: "destination/length gateway flags". */
  get routes(): string[] {
    return this.kernel.inet.ip6.routes
      .list()
      .filter(({ flags }) => !routeFlagLetters(flags).includes('l'))
      .map(({ destination, prefixLength, gateway, flags }) => {
        return `${this.text(destination)}/${prefixLength} ${this.text(gateway)} ${routeFlagLetters(flags)}`;
      })
      .filter((line) => !line.startsWith('fe80'));
  }

  /** Add a route by hand, through a gateway. */
  route(destination: string, prefixLength: number, gateway: string): void {
    const flags = RTF_GATEWAY | RTF_STATIC;
    const { inet } = this.kernel;
    const result = inet.addRoute(this.number(destination), prefixLength, this.number(gateway), flags);
    if (result !== 0) throw new Error(`${destination}: ${result}`);
  }

  unroute(destination: string, prefixLength: number): void {
    this.kernel.inet.removeRoute(this.number(destination), prefixLength, 0);
  }

  /** Say hello; 0 or the negative errno why not. */
  hello(to: string): number {
    const { ip } = this.kernel.inet.cpus[0];
    const path = ip.openPath(this.number(to), 0, 0);
    if (typeof path === 'number') return path;
    const at = ip.begin(path, PROTOCOL_HELLO, 4, 64, 0, 0);
    if (at < 0) return at;
    ip.view.setInt32(at, 0x68656c6f);
    ip.end(0);
    this.kernel.cpus[0].flush();
    return 0;
  }

  count(name: string): number {
    return this.kernel.cpus[0].cpu.counters.snapshot()[name] ?? 0;
  }
}
