/**
 * The words of `ifconfig IF ...` as changes, in the order in which NetBSD's tool makes them: what it can at once, then the vlan and the
 * media, then the address. Thread: any; pure functions. Read first: ifconfig(8), change-requests.ts.
 */

import { parseInetAton } from '../base/inet-aton.ts';
import type { AddressFamily } from './address-text.ts';
import { parseLinkAddress } from './address-text.ts';
import type { InterfaceChange } from './change-requests.ts';
import { ArgumentError, UsageError } from './getopt.ts';
import { canonical6, isAddress } from './resolver.ts';

const PREFIX6_BITS = 64;
const BITS: Readonly<Record<AddressFamily, number>> = { inet: 32, inet6: 128 };
const SECONDS_MAX = 0xffffffff;
/** The largest number in the 16 bits of a tag; the kernel refuses those that are no VLAN. */
const TAG_MAX = 0xffff;
const IFF_NOARP = 0x80;
/** `IFF_*` by the words that set them; `arp` clears what it names. */
const FLAG_WORDS: Readonly<Record<string, number>> = { debug: 0x4, link0: 0x1000, link1: 0x2000, link2: 0x4000 };
const MEDIA: ReadonlySet<string> = new Set(['auto', 'autoselect', 'none']);
/** Media of cables, which there are not. */
const OTHER_MEDIA = /^(manual|10+base-?[a-z0-9]+|[25]?\.?5?0*g?base-?[a-z0-9]+|homepna1)$/i;
const MEDIA_OPTIONS: ReadonlySet<string> = new Set([
  'full-duplex',
  'fdx',
  'half-duplex',
  'hdx',
  'flowcontrol',
  'flow',
  'rxpause',
  'txpause',
  'hw-loopback',
  'loop',
  'loopback',
]);
export const FAMILIES: ReadonlySet<string> = new Set(['inet', 'inet6', 'link']);

/** One change, and the name under which its refusal is told. */
export interface Step {
  call: string;
  change: InterfaceChange;
}

/** An address among the words. Absent texts were not given. */
export interface AddressWish {
  family: AddressFamily;
  address: string | null;
  prefixLength: number | null;
  destination: string | null;
  broadcast: string | null;
  anycast: boolean;
  eui64: boolean;
  /** Undefined: not given; null: for ever. */
  preferredSec?: number | null;
  validSec?: number | null;
  /** Without a word for it an IPv4 address takes the place of the first one. */
  mode: 'replace' | 'alias' | 'delete';
}

export interface ReadWords {
  steps: Step[];
  /** Null: no word was about one. */
  address: AddressWish | null;
}

/** The interface, as far as the meaning of words depends on it. */
export interface WordsContext {
  /** A second address is the netmask there, else the other end. */
  broadcasts: boolean;
}

class WordReader {
  readonly #name: string;
  readonly #words: readonly string[];
  readonly #context: WordsContext;
  readonly #steps: Step[] = [];
  readonly #last: Step[] = [];
  readonly #vlan: { id?: number; parent?: string } = {};
  #family: AddressFamily | 'link' = 'inet';
  #at = 0;
  #positional = 0;
  #touched = false;
  #mac: string | null = null;
  #active = false;
  readonly #wish: AddressWish = {
    family: 'inet',
    address: null,
    prefixLength: null,
    destination: null,
    broadcast: null,
    anycast: false,
    eui64: false,
    mode: 'replace',
  };

  constructor(name: string, words: readonly string[], context: WordsContext) {
    this.#name = name;
    this.#words = words;
    this.#context = context;
  }

  read(): ReadWords {
    if (FAMILIES.has(this.#words[0] ?? '')) this.#family = this.#words[this.#at++] as AddressFamily | 'link';
    if (this.#family !== 'link') this.#wish.family = this.#family;
    while (this.#at < this.#words.length) this.#word(this.#words[this.#at++] as string);
    this.#finishVlan();
    this.#finishLink();
    const { address, mode, prefixLength, family } = this.#wish;
    if (address !== null && prefixLength !== null && prefixLength > BITS[family]) {
      throw new UsageError(`${address}/${prefixLength}: bad prefix length`);
    }
    const about = this.#family !== 'link' && (address !== null || (this.#touched && mode === 'delete'));
    return { steps: [...this.#steps, ...this.#last], address: about ? this.#wish : null };
  }

  #step(call: string, change: Omit<InterfaceChange, 'name'>): void {
    this.#steps.push({ call, change: { name: this.#name, ...change } });
  }

  #value(word: string): string {
    const value = this.#words[this.#at++];
    if (value === undefined) throw new UsageError(`'${word}' requires argument`);
    return value;
  }

  #integer(word: string, max: number): number {
    const text = this.#value(word);
    if (!/^-?\d{1,10}$/.test(text) || Number(text) > max) throw new UsageError(`${word}: not understood: ${text}`);
    return Number(text);
  }

  #word(word: string): void {
    if (this.#flagWord(word) || this.#linkWord(word) || this.#addressWord(word)) return;
    if (this.#family === 'link' && parseLinkAddress(word) !== null) this.#mac = word;
    else if (!this.#addressText(word)) throw new UsageError(`${word}: not understood`);
  }

  /** Words that stand for themselves alone. */
  #flagWord(word: string): boolean {
    const plain = word.replace(/^-/, '');
    const flag = FLAG_WORDS[plain];
    if (word === 'up' || word === 'down') this.#step('SIOCSIFFLAGS', { up: word === 'up' });
    else if (plain === 'arp')
      this.#step('SIOCSIFFLAGS', word === 'arp' ? { clearFlags: IFF_NOARP } : { setFlags: IFF_NOARP });
    else if (flag !== undefined) this.#step('SIOCSIFFLAGS', word === plain ? { setFlags: flag } : { clearFlags: flag });
    else return false;
    return true;
  }

  /** Words about the interface and its link. */
  #linkWord(word: string): boolean {
    switch (word) {
      case 'mtu':
        this.#step('SIOCSIFMTU', { mtuBytes: this.#integer(word, SECONDS_MAX) });
        return true;
      case 'metric':
        this.#step('SIOCSIFMETRIC', { metric: this.#integer(word, 0x7fffffff) });
        return true;
      case 'linkstr':
        this.#step('SIOCSLINKSTR', { linkString: this.#value(word) });
        return true;
      case '-linkstr':
        this.#step('SIOCSLINKSTR', { linkString: null });
        return true;
      case 'media':
        this.#media(this.#value(word));
        return true;
      case 'mediaopt':
      case '-mediaopt':
        this.#mediaOption(this.#value(word));
        return true;
      case 'vlan':
        this.#vlan.id = this.#integer(word, TAG_MAX);
        if (this.#vlan.id < 0) throw new UsageError(`${word}: not understood: ${this.#vlan.id}`);
        return true;
      case 'vlanif':
        this.#vlan.parent = this.#value(word);
        return true;
      case '-vlanif':
        this.#step('SIOCSETVLAN', { vlan: null });
        // The name of the parent may follow.
        if (/^[a-z]+\d+$/.test(this.#words[this.#at] ?? '')) this.#at++;
        return true;
      case 'tunnel':
        this.#step('SIOCSLIFPHYADDR', { tunnel: { source: this.#value(word), destination: this.#value(word) } });
        return true;
      case 'deletetunnel':
        this.#step('SIOCDIFPHYADDR', { tunnel: null });
        return true;
      case 'active':
        this.#active = true;
        return true;
      default:
        return false;
    }
  }

  #media(type: string): void {
    if (!MEDIA.has(type)) {
      const known = OTHER_MEDIA.test(type);
      throw new ArgumentError(
        known ? 'SIOCSIFMEDIA: Device not configured' : `unknown Ethernet media subtype: ${type}`,
      );
    }
    this.#last.push({ call: 'SIOCSIFMEDIA', change: { name: this.#name, mediaOn: type !== 'none' } });
  }

  /** Options of Ethernet that there are, none of which these media have. */
  #mediaOption(text: string): void {
    const unknown = text.split(',').find((option) => !MEDIA_OPTIONS.has(option));
    throw new ArgumentError(
      unknown === undefined ? 'SIOCSIFMEDIA: Device not configured' : `unknown Ethernet media option: ${unknown}`,
    );
  }

  /** Words about the address. */
  #addressWord(word: string): boolean {
    const wish = this.#wish;
    switch (word) {
      case 'alias':
        wish.mode = 'alias';
        break;
      case '-alias':
      case 'delete':
        wish.mode = 'delete';
        break;
      case 'anycast':
      case '-anycast':
        wish.anycast = word === 'anycast';
        break;
      case 'deprecated':
        wish.preferredSec = 0;
        break;
      case '-deprecated':
        wish.preferredSec = null;
        break;
      case 'eui64':
        wish.eui64 = true;
        break;
      case 'pltime':
        wish.preferredSec = this.#seconds(word);
        break;
      case 'vltime':
        wish.validSec = this.#seconds(word);
        break;
      case 'netmask':
        wish.prefixLength = netmaskBits(this.#value(word));
        break;
      case 'prefixlen':
        wish.prefixLength = this.#integer(word, BITS.inet6);
        break;
      case 'broadcast':
        wish.broadcast = this.#value(word);
        if (!isAddress(wish.broadcast)) throw new UsageError(`${wish.broadcast}: not understood`);
        break;
      default:
        return false;
    }
    this.#touched = true;
    return true;
  }

  /** Seconds, or null for ever: the largest number is, as in the messages of routers. */
  #seconds(word: string): number | null {
    const text = this.#words[this.#at];
    if (!/^(\d{1,10}|infty)$/.test(text ?? '')) throw new UsageError(`${word}: not understood`);
    this.#at++;
    return text === 'infty' || Number(text) >= SECONDS_MAX ? null : Number(text);
  }

  /** The first address is ours, the second the netmask or the other end, the third the broadcast address. */
  #addressText(word: string): boolean {
    const [host, length] = word.split('/') as [string, string?];
    const address = host.includes(':') ? canonical6(host) : fourOf(host);
    if (address === null) return false;
    const wish = this.#wish;
    if (this.#positional === 0) {
      wish.address = address;
      if (address.includes(':')) wish.family = 'inet6';
      if (length !== undefined) {
        if (!/^\d{1,3}$/.test(length) || Number(length) > BITS[wish.family])
          throw new UsageError(`${word}: bad prefix length`);
        wish.prefixLength = Number(length);
      }
    } else if (this.#positional === 1 && this.#context.broadcasts && wish.family === 'inet') {
      wish.prefixLength = netmaskBits(host);
    } else if (this.#positional === 1) wish.destination = address;
    else if (this.#positional === 2) wish.broadcast = address;
    else return false;
    this.#positional++;
    return true;
  }

  #finishVlan(): void {
    const { id, parent } = this.#vlan;
    if (id === undefined && parent === undefined) return;
    if (id === undefined || parent === undefined) throw new UsageError('vlan and vlanif belong together');
    this.#steps.unshift({ call: 'SIOCSETVLAN', change: { name: this.#name, vlan: { id, parent } } });
  }

  #finishLink(): void {
    if (this.#mac === null) return;
    const change: InterfaceChange = { name: this.#name };
    const deletes = this.#wish.mode === 'delete';
    if (deletes) change.removeLinkAddress = this.#mac;
    else change.addLinkAddress = { mac: this.#mac, active: this.#active };
    this.#last.push({ call: deletes ? 'SIOCDLIFADDR' : 'SIOCALIFADDR', change });
  }
}

/** Throws {@link UsageError} for words that are none. */
export function readWords(name: string, words: readonly string[], context: WordsContext): ReadWords {
  return new WordReader(name, words, context).read();
}

function fourOf(text: string): string | null {
  return isAddress(text) ? text : null;
}

/** Bits of a netmask without holes, in any form of inet_aton(3). */
function netmaskBits(text: string): number {
  const mask = parseInetAton(text);
  const bits = Math.clz32(~mask);
  if (Number.isNaN(mask) || (bits < 32 && mask << bits !== 0)) throw new UsageError(`${text}: bad netmask`);
  return bits;
}

/** Without a length an address has that of its class, as ever; one with another end stands alone. */
export function impliedPrefixLength({ family, address, destination }: AddressWish): number {
  if (destination !== null) return BITS[family];
  if (family === 'inet6') return PREFIX6_BITS;
  const first = Number(address?.split('.')[0]);
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}
