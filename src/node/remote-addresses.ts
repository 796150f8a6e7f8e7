/**
 * Addresses of a shared kernel in a process that has none: the numbers of IPv6 addresses are this process's own, and what
 * goes to the kernel is their text (share-protocol.ts). Thread: the client's.
 *
 * A number stands for its text until many more have been read, which is far longer than the calls around it take; whoever
 * keeps an address keeps the text ({@link RemoteName}).
 */

import type { AddressText, Family, SocketName } from '../socket/socket.ts';
import { ANY, ANY6, canonicalText, formatIpv4, isIp6, LOOPBACK6, parseIpv4 } from './address.ts';

const SLOTS = 4096;
const FIXED = LOOPBACK6 - ANY6 + 1;

/** An address that is kept: `text` for IPv6, else `address`. */
export interface RemoteName {
  readonly address: number;
  readonly text: string;
  readonly port: number;
}

export const NO_NAME: RemoteName = { address: ANY, text: '', port: 0 };

export class RemoteAddresses implements AddressText {
  readonly #texts: string[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #zones: ReadonlySet<string>;
  #entered = 0;

  /** `zones`: the interfaces of the kernel, by name and by number. */
  constructor(zones: Iterable<string>) {
    this.#zones = new Set(zones);
  }

  parse(text: string): number | null {
    if (!text.includes(':')) return numberOrNull(parseIpv4(text));
    const canonical = canonicalText(text);
    if (canonical === undefined) return null;
    if (!canonical.includes(':')) return numberOrNull(parseIpv4(canonical));
    if (canonical === '::') return ANY6;
    if (canonical === '::1') return LOOPBACK6;
    const zoneAt = text.indexOf('%');
    if (zoneAt < 0) return this.#enter(canonical);
    return this.#zones.has(text.slice(zoneAt + 1)) ? this.#enter(canonical + text.slice(zoneAt)) : null;
  }

  format(address: number, family: Family = 4): string {
    if (address === ANY6) return '::';
    if (address === LOOPBACK6) return '::1';
    if (isIp6(address)) return this.#texts[address - ANY6 - FIXED] ?? '::';
    if (family === 4) return formatIpv4(address);
    return address === ANY ? '::' : `::ffff:${formatIpv4(address)}`;
  }

  /** The kernel reads the text again, as the name of an interface. */
  parseInterface(text: string): number | null {
    if (text === '') return 0;
    const zoneAt = text.indexOf('%');
    if (zoneAt < 0) return this.parse(text);
    return this.#zones.has(text.slice(zoneAt + 1)) ? this.#enter(text) : null;
  }

  name({ address, text, port }: RemoteName): SocketName {
    return { address: text === '' ? address : (this.parse(text) ?? ANY6), port };
  }

  #enter(text: string): number {
    const known = this.#numbers.get(text);
    // One that will soon be another's is not given out again.
    if (known !== undefined && this.#entered - known < SLOTS / 2) return ANY6 + FIXED + (known % SLOTS);
    const slot = this.#entered % SLOTS;
    const before = this.#texts[slot];
    if (before !== undefined && this.#numbers.get(before) === this.#entered - SLOTS) this.#numbers.delete(before);
    this.#texts[slot] = text;
    this.#numbers.set(text, this.#entered++);
    return ANY6 + FIXED + slot;
  }
}

function numberOrNull(address: number): number | null {
  return Number.isNaN(address) || isIp6(address) ? null : address;
}
