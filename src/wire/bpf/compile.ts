/**
 * Compiler of capture filters: an expression of pcap-filter(7), as tcpdump takes it, to a program for Ethernet frames.
 *
 * Known are host, net, port, portrange and proto with their directions; ether, ip, ip6, arp, rarp, tcp, udp, sctp, icmp, icmp6,
 * igmp, igrp, pim, vrrp, carp, ah, esp; vlan; broadcast, multicast; less, greater, len; fields and arithmetic. Verdicts are those of libpcap.
 *
 * Thread: any. Read first: pcap-filter(7), parser.ts. Missing: `ip broadcast` (a filter knows no netmask), gateway, protochain
 * (it would need a loop), inbound and outbound, MPLS, PPPoE, Geneve, LLC by name. Cold: once per filter.
 */

import type { MultikernelError } from '../../base/errors.ts';
import { BROADCAST_HI, BROADCAST_LO, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, parseMac } from '../ethernet.ts';
import { parseIp } from '../ip-address.ts';
import { maskWord } from '../ipv6-address.ts';
import { assemble, type Condition, instruction } from './assembler.ts';
import { Relation } from './fields.ts';
import { type AddressWords, all, any, FrameTests, no, test } from './frame-tests.ts';
import { emitProgram, INSTRUCTIONS_MAX, JEQ, JGE, JGT, JSET, LD, LEN } from './instructions.ts';
import { expressionError, type Token } from './lexer.ts';
import { ETHER_TYPES, ETHERTYPE_RARP, OTHER_ETHER_TYPES, OTHER_PROTOCOLS, PORTS, TRANSPORTS } from './names.ts';
import { parseExpression } from './parser.ts';
import type { Expression, Id, Qualifiers } from './syntax.ts';

/** Bytes that a program keeps of a frame that passes unless it is told: all of it, as tcpdump's. */
const KEEP_BYTES = 262_144;

const PORT_MAX = 65_535;
const VLAN_ID_MAX = 4095;
const ETHER_TYPE_MAX = 0xffff;
const PROTOCOL_MAX = 255;

/** Offsets of the addresses in headers of IPv4, IPv6, ARP. */
const ADDRESSES4 = { srcAt: 12, dstAt: 16 };
const ADDRESSES6 = { srcAt: 8, dstAt: 24 };
const ADDRESSES_ARP = { srcAt: 14, dstAt: 24 };

const DESTINATION4_AT = 16;
const DESTINATION6_AT = 24;

/** Options of {@link compileFilter}. */
export interface FilterOptions {
  /** Addresses of a host, none when it is unknown. Default: every name is. */
  addressesOf?: (host: string) => readonly string[];
  /** Bytes kept of a frame that passes; default 262144. */
  snapBytes?: number;
}

/** `text` is two to four numbers: an IPv4 address or the begin of one. Null: it is none. */
function dottedWord(text: string): { word: number; bits: number } | null {
  const octets = text.split('.').map(Number);
  if (octets.some((octet) => octet > 255)) return null;
  const bits = 8 * octets.length;
  return { word: octets.reduce((word, octet, i) => word | (octet << (24 - 8 * i)), 0), bits };
}

/** `net 10` is 10.0.0.0/8, `net 2816` is 11.0.0.0/16: leading zero octets are shifted away. */
function shortNet(value: number): { word: number; bits: number } {
  let word = value;
  let bits = 32;
  while (word !== 0 && word < 0x0100_0000) {
    word *= 256;
    bits -= 8;
  }
  return { word: word | 0, bits };
}

class Compiler {
  readonly #expression: string;
  readonly #addressesOf: (host: string) => readonly string[];
  readonly #tests = new FrameTests();

  constructor(expression: string, options: FilterOptions) {
    this.#expression = expression;
    this.#addressesOf = options.addressesOf ?? (() => []);
  }

  #refusal(token: Token, what: string): MultikernelError {
    return expressionError(this.#expression, token.column, what);
  }

  /** Left to right: a VLAN tag counts for all that follows it in the expression. */
  condition(node: Expression): Condition {
    switch (node.kind) {
      case 'and':
      case 'or': {
        const left = this.condition(node.left);
        return { kind: node.kind, parts: [left, this.condition(node.right)] };
      }
      case 'not':
        return no(this.condition(node.of));
      case 'protocol':
        return this.#protocol(node.name);
      case 'relation': {
        const relation = new Relation(this.#tests, (token, what) => this.#refusal(token, what));
        return relation.condition(node.operator, node.left, node.right);
      }
      case 'broadcast':
      case 'multicast':
        return this.#toMany(node.kind, node.protocol, node.token);
      case 'less':
        return no(test([instruction(LD | LEN)], JGT, node.bytes));
      case 'greater':
        return test([instruction(LD | LEN)], JGE, node.bytes);
      case 'vlan':
        return this.#vlan(node.id);
      case 'id':
        return this.#id(node.qualifiers, node.id);
    }
  }

  #protocol(name: Token): Condition {
    const type = ETHER_TYPES.get(name.text);
    if (type !== undefined) return this.#tests.etherType(type);
    const transport = TRANSPORTS.get(name.text);
    if (transport === undefined) throw this.#refusal(name, `'${name.text}' says nothing by itself; say ether host ...`);
    return any(...transport.versions.map((version) => this.#tests.protocol(version, transport.number)));
  }

  #toMany(what: 'broadcast' | 'multicast', protocol: string | null, token: Token): Condition {
    const { networkAt } = this.#tests;
    if (protocol === null || protocol === 'ether' || protocol === 'link') {
      if (what === 'broadcast') return this.#tests.macs(BROADCAST_HI, BROADCAST_LO, 'dst');
      return this.#tests.destinationByte(0, JSET, 1);
    }
    if (what === 'multicast' && protocol === 'ip') {
      const byte = this.#tests.destinationByte(networkAt + DESTINATION4_AT, JGE, 0xe0);
      return all(this.#tests.etherType(ETHERTYPE_IPV4), byte);
    }
    if (what === 'multicast' && protocol === 'ip6') {
      const byte = this.#tests.destinationByte(networkAt + DESTINATION6_AT, JEQ, 0xff);
      return all(this.#tests.etherType(ETHERTYPE_IPV6), byte);
    }
    if (protocol === 'ip') {
      throw this.#refusal(token, "a filter knows no netmask; say 'dst host' and the broadcast address");
    }
    throw this.#refusal(token, `'${protocol}' has no ${what}`);
  }

  #vlan(id: Token | null): Condition {
    if (id !== null && id.value > VLAN_ID_MAX) throw this.#refusal(id, `${id.value} is no VLAN: 0 to ${VLAN_ID_MAX}`);
    return this.#tests.vlan(id?.value ?? null);
  }

  #id(qualifiers: Qualifiers, id: Id): Condition {
    const { kind } = qualifiers;
    if (kind !== 'net' && (id.prefixLength !== null || id.mask !== null)) {
      throw this.#refusal(id.token, `a ${kind} has no prefix length and no mask; say net`);
    }
    if (kind === 'port' || kind === 'portrange') return this.#ports(qualifiers, id.token);
    if (kind === 'proto') return this.#number(qualifiers, id.token);
    if (qualifiers.protocol === 'ether' || qualifiers.protocol === 'link') return this.#mac(qualifiers, id.token);
    return kind === 'net' ? this.#net(qualifiers, id) : this.#host(qualifiers, id.token);
  }

  #mac({ kind, direction }: Qualifiers, { kind: written, text, column }: Token): Condition {
    const digits = text.replace(/[:.-]/g, ' ').split(' ');
    const pad = digits.length === 6 ? 2 : 4;
    const hex = digits.map((part) => part.padStart(pad, '0')).join('');
    if (kind === 'net' || written !== 'mac') {
      throw expressionError(this.#expression, column, `'${text}' is no link-layer address (aa:bb:cc:dd:ee:ff)`);
    }
    const { hi, lo } = parseMac((hex.match(/../g) as string[]).join(':'));
    return this.#tests.macs(hi, lo, direction);
  }

  #host(qualifiers: Qualifiers, token: Token): Condition {
    const { kind, text } = token;
    if (kind === 'dotted') {
      const found = dottedWord(text);
      if (found === null) throw this.#refusal(token, `'${text}' is no IPv4 address`);
      return this.#address4(qualifiers, token, found.word, maskWord(found.bits, 0));
    }
    if (kind === 'number') return this.#address4(qualifiers, token, token.value | 0, -1);
    if (kind === 'address6') return this.#address6(qualifiers, token, text, 128);
    if (kind === 'mac') throw this.#refusal(token, `'${text}' is a link-layer address; say ether host`);
    const { protocol } = qualifiers;
    const family = protocol === null ? null : protocol === 'ip6' ? 6 : 4;
    const conditions = this.#addressesOf(text).flatMap((address) => {
      const words = parseIp(address);
      if (words === null || (family !== null && words.family !== family)) return [];
      const { w0, w1, w2, w3 } = words;
      if (words.family === 4) return [this.#address4(qualifiers, token, w3, -1)];
      return [this.#words6(qualifiers, token, { words: [w0, w1, w2, w3], masks: [-1, -1, -1, -1] })];
    });
    if (conditions.length === 0) throw this.#refusal(token, `unknown host '${text}'`);
    return any(...conditions);
  }

  #net(qualifiers: Qualifiers, { token, prefixLength, mask }: Id): Condition {
    const { kind, text } = token;
    if (kind === 'address6') {
      if (mask !== null) throw this.#refusal(token, 'an IPv6 net has a prefix length, no mask');
      return this.#address6(qualifiers, token, text, prefixLength ?? 128);
    }
    if (kind !== 'dotted' && kind !== 'number') throw this.#refusal(token, `'${text}' is no net`);
    const found = kind === 'dotted' ? dottedWord(text) : shortNet(token.value);
    if (found === null) throw this.#refusal(token, `'${text}' is no IPv4 address`);
    if (prefixLength !== null && prefixLength > 32) throw this.#refusal(token, `/${prefixLength} of 32 bits`);
    const given = mask === null ? null : dottedWord(mask);
    if (mask !== null && given === null) throw this.#refusal(token, `'${mask}' is no mask`);
    const bits = given?.word ?? maskWord(prefixLength ?? found.bits, 0);
    if ((found.word & ~bits) !== 0) throw this.#refusal(token, `'${text}' has bits outside of the net`);
    return this.#address4(qualifiers, token, found.word, bits);
  }

  #address4({ protocol, direction }: Qualifiers, token: Token, word: number, mask: number): Condition {
    const value: AddressWords = { words: [word], masks: [mask] };
    const ip = (): Condition => {
      const { srcAt, dstAt } = ADDRESSES4;
      return this.#tests.addresses(ETHERTYPE_IPV4, value, direction, srcAt, dstAt);
    };
    const arp = (type: number): Condition => {
      const { srcAt, dstAt } = ADDRESSES_ARP;
      return this.#tests.addresses(type, value, direction, srcAt, dstAt);
    };
    if (protocol === null) return any(ip(), arp(ETHERTYPE_ARP), arp(ETHERTYPE_RARP));
    if (protocol === 'ip') return ip();
    if (protocol === 'arp') return arp(ETHERTYPE_ARP);
    if (protocol === 'rarp') return arp(ETHERTYPE_RARP);
    throw this.#refusal(token, `'${protocol}' has no IPv4 addresses; say '${protocol} and host ...'`);
  }

  #address6(qualifiers: Qualifiers, token: Token, text: string, prefixLength: number): Condition {
    const found = parseIp(text);
    if (found === null) throw this.#refusal(token, `'${text}' is no IPv6 address`);
    if (prefixLength > 128) throw this.#refusal(token, `/${prefixLength} of 128 bits`);
    const words = [found.w0, found.w1, found.w2, found.w3];
    const masks = words.map((_, i) => maskWord(prefixLength, i));
    if (words.some((word, i) => (word & ~(masks[i] as number)) !== 0)) {
      throw this.#refusal(token, `'${text}' has bits outside of the net`);
    }
    return this.#words6(qualifiers, token, { words, masks });
  }

  #words6({ protocol, direction }: Qualifiers, token: Token, value: AddressWords): Condition {
    if (protocol !== null && protocol !== 'ip6') {
      throw this.#refusal(token, `'${protocol}' has no IPv6 addresses; say '${protocol} and host ...'`);
    }
    const { srcAt, dstAt } = ADDRESSES6;
    return this.#tests.addresses(ETHERTYPE_IPV6, value, direction, srcAt, dstAt);
  }

  #ports({ protocol, direction, kind }: Qualifiers, token: Token): Condition {
    const number = protocol === null ? null : (TRANSPORTS.get(protocol)?.number ?? -1);
    if (number === -1 || (protocol !== null && !['tcp', 'udp', 'sctp'].includes(protocol))) {
      throw this.#refusal(token, `'${protocol}' has no ports; say '${protocol} and port ...'`);
    }
    const whole = this.#port(token.kind === 'number' ? String(token.value) : token.text);
    if (whole !== null) return this.#tests.ports(number, whole, whole, direction);
    const [first = null, last = null] = kind === 'portrange' ? this.#range(token.text) : [];
    if (first === null || last === null) throw this.#refusal(token, `unknown port '${token.text}'`);
    return this.#tests.ports(number, Math.min(first, last), Math.max(first, last), direction);
  }

  /** The two ends of `80-443` or `ftp-data-ssh`: where the dash between them is, the names say. */
  #range(text: string): (number | null)[] {
    for (let dash = text.indexOf('-'); dash > 0; dash = text.indexOf('-', dash + 1)) {
      const ends = [this.#port(text.slice(0, dash)), this.#port(text.slice(dash + 1))];
      if (!ends.includes(null)) return ends;
    }
    return [];
  }

  #port(text: string): number | null {
    if (/^(\d+|0x[0-9a-f]+)$/i.test(text)) return Number(text) <= PORT_MAX ? Number(text) : null;
    return PORTS.get(text) ?? null;
  }

  #number({ protocol, direction }: Qualifiers, token: Token): Condition {
    if (direction !== 'any') throw this.#refusal(token, "'proto' has no direction");
    if (token.kind === 'word' || token.kind === 'escaped' || token.kind === 'number') {
      if (protocol === 'ether' || protocol === 'link') return this.#etherNumber(token);
      const versions: readonly (4 | 6)[] | null =
        protocol === null ? [4, 6] : protocol === 'ip' ? [4] : protocol === 'ip6' ? [6] : null;
      if (versions === null) throw this.#refusal(token, `'${protocol}' carries no protocol`);
      const named = TRANSPORTS.get(token.text)?.number ?? OTHER_PROTOCOLS.get(token.text);
      const number = token.kind === 'number' ? token.value : named;
      if (number === undefined || number > PROTOCOL_MAX) throw this.#refusal(token, `unknown protocol '${token.text}'`);
      return any(...versions.map((version) => this.#tests.protocol(version, number)));
    }
    throw this.#refusal(token, `'${token.text}' is no protocol`);
  }

  #etherNumber(token: Token): Condition {
    const named = ETHER_TYPES.get(token.text) ?? OTHER_ETHER_TYPES.get(token.text);
    const type = token.kind === 'number' ? token.value : named;
    if (type === undefined || type > ETHER_TYPE_MAX) throw this.#refusal(token, `unknown EtherType '${token.text}'`);
    return this.#tests.etherType(type);
  }
}

/**
 * A program for Ethernet frames (struct bpf_insn, instructions.ts); an empty expression passes all. Throws MultikernelError `EINVAL` with
 * the column of what is wrong.
 */
export function compileFilter(expression: string, options: FilterOptions = {}): Uint8Array {
  const tree = parseExpression(expression);
  const compiler = new Compiler(expression, options);
  const program = assemble(tree === null ? null : compiler.condition(tree), options.snapBytes ?? KEEP_BYTES);
  if (program.length > INSTRUCTIONS_MAX) {
    throw expressionError(expression, 1, `${program.length} instructions, more than ${INSTRUCTIONS_MAX}`);
  }
  return emitProgram(program);
}

/** Names of hosts in an expression, to be resolved before it is compiled. Throws as {@link compileFilter}. */
export function filterHosts(expression: string): string[] {
  const names = new Set<string>();
  const walk = (node: Expression): void => {
    if (node.kind === 'and' || node.kind === 'or') {
      walk(node.left);
      walk(node.right);
    } else if (node.kind === 'not') walk(node.of);
    else if (node.kind === 'id' && node.qualifiers.kind === 'host' && node.qualifiers.protocol !== 'ether') {
      const { kind, text } = node.id.token;
      if (kind === 'word' || kind === 'escaped') names.add(text);
    }
  };
  const tree = parseExpression(expression);
  if (tree !== null) walk(tree);
  return [...names];
}
