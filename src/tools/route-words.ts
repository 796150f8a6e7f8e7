/**
 * The words of `route add`, `change`, `delete` and `get`: destination, gateway, flags, metrics, in any order. Thread: any; pure functions.
 * Read first: route(8).
 */

import { parseInetAton } from '../base/inet-aton.ts';
import {
  type RouteMetricsRecord,
  RTF_ANNOUNCE,
  RTF_BLACKHOLE,
  RTF_CONNECTED,
  RTF_GATEWAY,
  RTF_PROTO1,
  RTF_PROTO2,
  RTF_REJECT,
  RTF_STATIC,
  RTV_EXPIRE,
  RTV_HOPCOUNT,
  RTV_MTU,
  RTV_RPIPE,
  RTV_RTT,
  RTV_RTTVAR,
  RTV_SPIPE,
  RTV_SSTHRESH,
} from '../sys/control.ts';
import { formatIp } from '../wire/ip-address.ts';
import type { AddressFamily } from './address-text.ts';
import { UsageError } from './getopt.ts';
import { canonical6, type Resolver } from './resolver.ts';

const BITS: Readonly<Record<AddressFamily, number>> = { inet: 32, inet6: 128 };
const NET6_BITS = 64;
/** Words that set a flag, and with `no` in front clear it. */
const FLAG_WORDS: Readonly<Record<string, number>> = {
  static: RTF_STATIC,
  reject: RTF_REJECT,
  blackhole: RTF_BLACKHOLE,
  connected: RTF_CONNECTED,
  cloning: RTF_CONNECTED,
  proto1: RTF_PROTO1,
  proto2: RTF_PROTO2,
  proxy: RTF_ANNOUNCE,
};
const METRIC_WORDS: Readonly<Record<string, readonly [bit: number, key: Exclude<keyof RouteMetricsRecord, 'locks'>]>> =
  {
    mtu: [RTV_MTU, 'mtuBytes'],
    hopcount: [RTV_HOPCOUNT, 'hopCount'],
    expire: [RTV_EXPIRE, 'expireSec'],
    recvpipe: [RTV_RPIPE, 'receivePipeBytes'],
    sendpipe: [RTV_SPIPE, 'sendPipeBytes'],
    ssthresh: [RTV_SSTHRESH, 'ssthreshBytes'],
    rtt: [RTV_RTT, 'rttUs'],
    rttvar: [RTV_RTTVAR, 'rttvarUs'],
  };
/** Words that are taken for the sake of old scripts and mean nothing since 2016. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['llinfo', 'nollinfo', 'xresolve', 'cloned', 'nocloned', 'sa']);

/** A text that is no address and no name: `route: TEXT: bad value`. */
export class BadValue extends Error {}

export interface RouteWords {
  family: AddressFamily;
  /** The destination as it is printed; `''`: none was given. */
  text: string;
  destination: string;
  prefixLength: number;
  /** A length was given, or follows from the destination. */
  hasLength: boolean;
  host: boolean;
  /** As it is printed; `''`: none was given. */
  gatewayText: string;
  /** An address; `''` for none, and for an interface. */
  gateway: string;
  /** Interface that packets leave by; `''`: none was given. */
  interface: string;
  /** Own address, `''`: none was given. */
  source: string;
  flags: number;
  metrics: RouteMetricsRecord;
  /** `RTV_*` of the metrics that were given. */
  inits: number;
}

class RouteWordReader {
  readonly #words: readonly string[];
  readonly #hosts: Resolver;
  readonly #bits: Readonly<Record<string, number>> = FLAG_WORDS;
  #at = 0;
  /** `link`: addresses that follow are names of interfaces. */
  #family: AddressFamily | 'link' | null = null;
  #isNetwork = false;
  #forcesHost = false;
  #viaInterface = false;
  #locking = false;
  #lockRest = false;
  readonly #found: RouteWords = {
    family: 'inet',
    text: '',
    destination: '',
    prefixLength: 0,
    hasLength: false,
    host: false,
    gatewayText: '',
    gateway: '',
    interface: '',
    source: '',
    flags: RTF_STATIC,
    metrics: {
      locks: 0,
      mtuBytes: 0,
      hopCount: 0,
      expireSec: 0,
      receivePipeBytes: 0,
      sendPipeBytes: 0,
      ssthreshBytes: 0,
      rttUs: 0,
      rttvarUs: 0,
    },
    inits: 0,
  };

  constructor(words: readonly string[], hosts: Resolver) {
    this.#words = words;
    this.#hosts = hosts;
    // An address with colons says its family, where no word does.
    const six = words.includes('-inet6') || words.some((word) => word.split(':').length > 2 && !word.startsWith('-'));
    if (six) this.#found.family = 'inet6';
  }

  read(): RouteWords {
    while (this.#at < this.#words.length) {
      const word = this.#words[this.#at++] as string;
      if (word.startsWith('-')) this.#option(word.slice(1));
      else this.#positional(word);
    }
    const found = this.#found;
    if (this.#forcesHost && this.#isNetwork) throw new BadValue('-host and -net conflict');
    if (this.#forcesHost) {
      found.host = true;
      found.prefixLength = BITS[found.family];
    } else if (this.#isNetwork) found.host = false;
    if (!this.#viaInterface) found.flags |= RTF_GATEWAY;
    return found;
  }

  #value(word: string): string {
    const value = this.#words[this.#at++];
    if (value === undefined) throw new UsageError(`botched keyword: ${word}`);
    return value;
  }

  #option(word: string): void {
    const found = this.#found;
    const flag = this.#bits[word];
    const cleared = word.startsWith('no') ? this.#bits[word.slice(2)] : undefined;
    const metric = METRIC_WORDS[word];
    if (flag !== undefined) found.flags |= flag;
    else if (cleared !== undefined) found.flags &= ~cleared;
    else if (metric !== undefined) this.#metric(metric[0], metric[1], word);
    else if (word === 'inet' || word === 'inet6' || word === 'link') this.#setFamily(word);
    else if (word === 'iface' || word === 'interface') this.#viaInterface = true;
    else if (word === 'net') this.#isNetwork = true;
    else if (word === 'host') this.#forcesHost = true;
    else if (word === 'lock') this.#locking = true;
    else if (word === 'lockrest') this.#lockRest = true;
    else if (word === 'ifa') found.source = this.#address(this.#value(word));
    else if (word === 'ifp') found.interface = this.#value(word);
    else if (word === 'dst') this.#destination(this.#value(word));
    else if (word === 'gateway') this.#gateway(this.#value(word));
    else if (word === 'netmask') this.#netmask(this.#value(word));
    else if (word === 'genmask') this.#value(word);
    else if (word === 'prefixlen') this.#prefixLength(this.#value(word));
    else if (!WITHOUT_EFFECT.has(word)) throw new UsageError(`botched keyword: ${word}`);
  }

  #setFamily(word: AddressFamily | 'link'): void {
    this.#family = word;
    if (word !== 'link') this.#found.family = word;
  }

  #metric(bit: number, key: Exclude<keyof RouteMetricsRecord, 'locks'>, word: string): void {
    const { metrics } = this.#found;
    const value = Number(this.#value(word));
    if (!Number.isInteger(value) || value < 0) throw new BadValue(`${word}: bad value`);
    metrics[key] = value;
    this.#found.inits |= bit;
    if (this.#locking || this.#lockRest) metrics.locks |= bit;
    this.#locking = false;
  }

  #positional(word: string): void {
    if (this.#found.text === '') this.#destination(word);
    else if (this.#found.gatewayText === '') this.#gateway(word);
    else this.#netmask(word);
  }

  /** An address of the family, or of a name. */
  #address(text: string): string {
    const address = this.#hosts.addressOf(text, this.#found.family);
    if (address === null) throw new BadValue(`${text}: bad value`);
    return address;
  }

  #gateway(word: string): void {
    const found = this.#found;
    found.gatewayText = word;
    if (word === 'default') found.gateway = found.family === 'inet6' ? '::' : '0.0.0.0';
    else if (this.#family === 'link') {
      found.interface = word;
      this.#viaInterface = true;
    } else found.gateway = this.#address(word);
  }

  #prefixLength(text: string): void {
    const found = this.#found;
    const length = /^\d{1,3}$/.test(text) ? Number(text) : -1;
    if (length < 0 || length > BITS[found.family]) throw new BadValue(`${text}: bad value`);
    found.prefixLength = length;
    found.hasLength = true;
    found.host = length === BITS[found.family];
  }

  #netmask(text: string): void {
    this.#isNetwork = true;
    const found = this.#found;
    found.hasLength = true;
    if (text === 'default') found.prefixLength = 0;
    else if (found.family === 'inet6') {
      const words = canonical6(text);
      if (words === null) throw new BadValue(`${text}: bad value`);
      found.prefixLength = maskBits6(words);
    } else {
      const mask = parseInetAton(text);
      if (Number.isNaN(mask)) throw new BadValue(`${text}: bad value`);
      found.prefixLength = Math.clz32(~mask);
    }
  }

  #destination(word: string): void {
    const found = this.#found;
    found.text = word;
    // The length of -prefixlen or -netmask may stand in front.
    const before = found.hasLength ? found.prefixLength : null;
    if (word === 'default') {
      found.destination = found.family === 'inet6' ? '::' : '0.0.0.0';
      found.prefixLength = 0;
      found.hasLength = true;
      this.#isNetwork = true;
      return;
    }
    if (found.family === 'inet6') this.#destination6(word);
    else this.#destination4(word);
    if (before !== null) found.prefixLength = before;
  }

  #destination6(word: string): void {
    const found = this.#found;
    const [host, length] = word.split('/') as [string, string?];
    found.destination = this.#address(host);
    found.host = !host.endsWith('::');
    found.prefixLength = found.host ? BITS.inet6 : host === '::' ? 0 : NET6_BITS;
    if (length !== undefined) this.#prefixLength(length);
    else found.hasLength ||= !found.host;
  }

  /** With -net in front `10.9` is 10.9.0.0; without a length a network has that of its class. */
  #destination4(word: string): void {
    const found = this.#found;
    const [host, length] = word.split('/') as [string, string?];
    const value = length !== undefined || this.#isNetwork ? networkOf(host) : parseInetAton(host);
    if (Number.isNaN(value)) {
      found.destination = this.#address(word);
      found.prefixLength = BITS.inet;
      found.host = true;
      return;
    }
    found.destination = formatIp({ family: 4, w0: 0, w1: 0, w2: 0, w3: value });
    if (length !== undefined) {
      // As in NetBSD what is printed has no length.
      found.text = host;
      this.#prefixLength(length);
      return;
    }
    const bits = this.#isNetwork ? networkBits(value, host.split('.').length) : classBits(value);
    found.host = !this.#isNetwork && (value & hostMask(bits)) !== 0;
    found.prefixLength = found.host ? BITS.inet : bits;
    found.hasLength ||= !found.host;
  }
}

/** Errors: {@link BadValue}, UsageError. */
export function readRouteWords(words: readonly string[], hosts: Resolver): RouteWords {
  return new RouteWordReader(words, hosts).read();
}

/** inet_network(3) with the bytes that are missing behind: `10.0.1` is 10.0.1.0. */
function networkOf(text: string): number {
  if (!/^\d{1,3}(\.\d{1,3}){0,3}$/.test(text)) return Number.NaN;
  return parseInetAton([...text.split('.'), '0', '0', '0'].slice(0, 4).join('.'));
}

function classBits(value: number): number {
  const first = value >>> 24;
  return value === 0 ? 0 : first < 128 ? 8 : first < 192 ? 16 : 24;
}

function hostMask(bits: number): number {
  return bits === 0 ? -1 : ~(-1 << (32 - bits));
}

/** As many bytes as were written, and at least those of the class; of four bytes those that are not 0. */
function networkBits(value: number, parts: number): number {
  if (value === 0) return 0;
  if (parts < 4) return Math.max(classBits(value), parts * 8);
  if ((value & 0xffffff) === 0) return 8;
  return (value & 0xffff) === 0 ? 16 : (value & 0xff) === 0 ? 24 : 32;
}

function maskBits6(mask: string): number {
  const groups = mask.split('::')[0]?.split(':') ?? [];
  return groups.reduce((bits, group) => bits + Math.clz32(~(Number.parseInt(group || '0', 16) << 16)), 0);
}
