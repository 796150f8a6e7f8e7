/**
 * The machine under test: one kernel on the virtual clock, its interface in the hands of the script.
 *
 * Thread: the caller's; everything happens inside its calls. The addresses are in the tool's ranges; the remote one lies
 * behind a gateway whose link-layer address is known, so that no ARP and no neighbor discovery get between a segment and
 * its answer. Equal scripts give equal packets.
 */

import { Simulation } from '../host/sim/simulation.ts';
import { Kernel } from '../kernel/kernel.ts';
import { Arena } from '../mem/arena.ts';
import { ROUTE_UNICAST } from '../sys/control.ts';
import * as ethernet from '../wire/ethernet.ts';
import { AddressBook, isIp6 } from './address-book.ts';
import { type DrillSettings, OptionError } from './settings.ts';
import { WireEnd } from './wire-end.ts';

const HEAP_BYTES: number = 40 * 1024 * 1024;
const ARENA_BYTES: number = HEAP_BYTES + 4 * 1024 * 1024;
const SEED = 1;
/** The kernel has announced its address and is quiet by then. */
const BOOT_US = 10_000_000;
const PREFIX_LENGTH = 16;
const PREFIX_LENGTH_6 = 64;
const GATEWAY_HOST = 0xffff;

const LOCAL_IP = '192.168.0.1';
const REMOTE_IP = '192.0.2.1';
const LOCAL_IP6 = 'fd3d:fa7b:d17d::1';
const REMOTE_IP6 = '2001:db8::1';
const GATEWAY_MAC: { readonly hi: number; readonly lo: number } = { hi: 0x026d, lo: 0x6b000002 };
const GATEWAY_MAC_BYTES: readonly number[] = [0x02, 0x6d, 0x6b, 0, 0, 2];

export class Machine {
  readonly kernel: Kernel;
  readonly wire: WireEnd;
  readonly book: AddressBook;
  /** Address of the family that the settings name. */
  readonly localAddress: number;
  readonly remoteAddress: number;
  readonly #simulation: Simulation = new Simulation(SEED);
  readonly #startUs: number;

  /** Throws OptionError when an address of the settings is none. */
  constructor(settings: DrillSettings) {
    const ipv6 = settings.ipVersion === 'ipv6';
    const arena = Arena.create(ARENA_BYTES);
    const simulation = this.#simulation;
    const heap = { at: arena.allocate(HEAP_BYTES, 4096), bytes: HEAP_BYTES };
    this.kernel = Kernel.create({ name: 'packetdrill', arena, host: simulation.host(), heap, ipv6 });
    this.book = new AddressBook(ipv6);
    this.localAddress = this.#parseAddress('local_ip', settings.localIp || (ipv6 ? LOCAL_IP6 : LOCAL_IP));
    this.remoteAddress = this.#parseAddress('remote_ip', settings.remoteIp || (ipv6 ? REMOTE_IP6 : REMOTE_IP));
    this.wire = new WireEnd(arena, settings.mtuBytes, () => simulation.nowUs());
    this.#configure();
    simulation.add(...this.kernel.cpus);
    simulation.run(BOOT_US);
    while (this.wire.take() !== null);
    this.#startUs = simulation.nowUs();
  }

  #configure(): void {
    const { inet } = this.kernel;
    // Scripts expect what the windows allow to go at once: elsewhere pacing is asked for by a queue or a socket.
    inet.sysctl.set('net.inet.tcp.pacing', 0);
    // And without pacing HyStart++ would take no more than eight segments of an ACK into account (RFC 9406 section 4.2).
    inet.sysctl.set('net.inet.tcp.hystart', 0);
    const { index } = this.kernel.attach(this.wire, 'tun0');
    this.kernel.control('address.add', {
      index,
      address: this.book.ipAddress(this.localAddress),
      prefixLength: this.book.ip6 ? PREFIX_LENGTH_6 : PREFIX_LENGTH,
    });
    const gateway = this.#gateway();
    for (const address of this.#neighbors(gateway)) {
      this.kernel.control('neighbor.add', {
        address: this.book.ipAddress(address),
        linkAddress: GATEWAY_MAC_BYTES,
        temporary: false,
        published: false,
      });
    }
    this.kernel.control('route.add', {
      destination: this.book.ipAddress(this.book.any),
      prefixLength: 0,
      gateway: this.book.ipAddress(gateway),
      interfaceIndex: index,
      action: ROUTE_UNICAST,
    });
  }

  /** The last address of the local network. */
  #gateway(): number {
    if (!this.book.ip6) return (this.localAddress | GATEWAY_HOST) & ~1;
    const [w0, w1, w2] = this.book.words(this.localAddress);
    return this.book.number([w0, w1, w2, GATEWAY_HOST]);
  }

  /** Addresses whose link-layer address is known: the gateway, and the far end where it is on the link. */
  #neighbors(gateway: number): number[] {
    return this.#onLink(this.remoteAddress) ? [gateway, this.remoteAddress] : [gateway];
  }

  #onLink(address: number): boolean {
    if (!this.book.ip6) return (this.localAddress ^ address) >>> PREFIX_LENGTH === 0;
    const [own, other] = [this.book.words(this.localAddress), this.book.words(address)];
    return own[0] === other[0] && own[1] === other[1];
  }

  /** Microseconds of the script's clock. */
  get nowUs(): number {
    return this.#simulation.nowUs() - this.#startUs;
  }

  /** Wall-clock time of the script's zero, nanoseconds since 1970. */
  get epochNs(): bigint {
    return this.#simulation.epochNs + BigInt(this.#startUs) * 1000n;
  }

  /** Script time of a time of the kernel. */
  scriptTimeUs(kernelUs: number): number {
    return kernelUs - this.#startUs;
  }

  /** Time of the kernel's clock. */
  get kernelUs(): number {
    return this.#simulation.nowUs();
  }

  /** Let the kernel do what it can without time passing. */
  settle(): void {
    this.#simulation.settle();
  }

  /** Advance to script time `untilUs`, or to when `condition` holds. Returns whether it holds. */
  runUntil(condition: () => boolean, untilUs: number): boolean {
    return this.#simulation.runUntil(condition, untilUs + this.#startUs);
  }

  /** Script time of the next thing the kernel does by itself; Infinity when never. */
  nextDeadlineUs(): number {
    return this.#simulation.nextDeadlineUs() - this.#startUs;
  }

  /** Give the kernel an IP packet. It works when time is let go on, or with `settle`. */
  inject(packet: Uint8Array): void {
    const frame = new Uint8Array(ethernet.HEADER_BYTES + packet.length);
    const view = new DataView(frame.buffer);
    ethernet.setDst(view, 0, this.wire.mac.hi, this.wire.mac.lo);
    ethernet.setSrc(view, 0, GATEWAY_MAC.hi, GATEWAY_MAC.lo);
    ethernet.setType(view, 0, this.book.ip6 ? ethernet.ETHERTYPE_IPV6 : ethernet.ETHERTYPE_IPV4);
    frame.set(packet, ethernet.HEADER_BYTES);
    this.wire.inject(frame);
  }

  close(): void {
    this.kernel.close();
  }

  #parseAddress(name: string, text: string): number {
    const address = this.book.parse(text);
    if (address === null || isIp6(address) !== this.book.ip6) throw new OptionError(`bad --${name}: ${text}`);
    return address;
  }
}
