/**
 * Names in filter expressions: protocols, services, and the fields and values that pcap-filter(7) names.
 *
 * Thread: any. Numbers as IANA assigns them. Cold: once per filter.
 */

import { ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6 } from '../ethernet.ts';

/** EtherType of RARP packets (RFC 903). */
export const ETHERTYPE_RARP = 0x8035;

/** Protocols over IP that an expression may name, and which versions of IP carry them there. */
export interface TransportName {
  number: number;
  versions: readonly (4 | 6)[];
}

const BOTH = [4, 6] as const;

/** Protocols over IP by their names. */
export const TRANSPORTS: ReadonlyMap<string, TransportName> = new Map(
  Object.entries({
    tcp: { number: 6, versions: BOTH },
    udp: { number: 17, versions: BOTH },
    sctp: { number: 132, versions: BOTH },
    icmp: { number: 1, versions: [4] },
    icmp6: { number: 58, versions: [6] },
    igmp: { number: 2, versions: [4] },
    igrp: { number: 9, versions: [4] },
    pim: { number: 103, versions: BOTH },
    vrrp: { number: 112, versions: [4] },
    carp: { number: 112, versions: [4] },
    ah: { number: 51, versions: BOTH },
    esp: { number: 50, versions: BOTH },
  } satisfies Record<string, TransportName>),
);

/** Protocols over Ethernet that an expression may name. */
export const ETHER_TYPES: ReadonlyMap<string, number> = new Map([
  ['ip', ETHERTYPE_IPV4],
  ['ip6', ETHERTYPE_IPV6],
  ['arp', ETHERTYPE_ARP],
  ['rarp', ETHERTYPE_RARP],
]);

/** Names behind `ether proto`, besides {@link ETHER_TYPES}. */
export const OTHER_ETHER_TYPES: ReadonlyMap<string, number> = new Map([
  ['aarp', 0x80f3],
  ['atalk', 0x809b],
  ['decnet', 0x6003],
  ['lat', 0x6004],
  ['loopback', 0x9000],
  ['mopdl', 0x6001],
  ['moprc', 0x6002],
  ['sca', 0x6007],
]);

/** Names behind `ip proto`, besides {@link TRANSPORTS}: those of /etc/protocols. */
export const OTHER_PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['ipencap', 4],
  ['egp', 8],
  ['dccp', 33],
  ['ipv6', 41],
  ['ipv6-frag', 44],
  ['gre', 47],
  ['ipv6-icmp', 58],
  ['ospf', 89],
  ['udplite', 136],
]);

/** Services; a name stands for its port with every protocol. */
export const PORTS: ReadonlyMap<string, number> = new Map([
  ['echo', 7],
  ['discard', 9],
  ['ftp-data', 20],
  ['ftp', 21],
  ['ssh', 22],
  ['telnet', 23],
  ['smtp', 25],
  ['domain', 53],
  ['bootps', 67],
  ['bootpc', 68],
  ['tftp', 69],
  ['http', 80],
  ['kerberos', 88],
  ['pop3', 110],
  ['sunrpc', 111],
  ['ntp', 123],
  ['imap2', 143],
  ['snmp', 161],
  ['snmp-trap', 162],
  ['bgp', 179],
  ['ldap', 389],
  ['https', 443],
  ['submission', 587],
  ['syslog', 514],
  ['dhcpv6-client', 546],
  ['dhcpv6-server', 547],
  ['ldaps', 636],
  ['imaps', 993],
  ['pop3s', 995],
  ['nfs', 2049],
  ['mysql', 3306],
  ['postgresql', 5432],
  ['mdns', 5353],
  ['amqp', 5672],
  ['http-alt', 8080],
]);

/** Offsets of fields and their values; they stand for numbers anywhere. */
export const CONSTANTS: ReadonlyMap<string, number> = new Map([
  ['icmptype', 0],
  ['icmpcode', 1],
  ['icmp-echoreply', 0],
  ['icmp-unreach', 3],
  ['icmp-sourcequench', 4],
  ['icmp-redirect', 5],
  ['icmp-echo', 8],
  ['icmp-routeradvert', 9],
  ['icmp-routersolicit', 10],
  ['icmp-timxceed', 11],
  ['icmp-paramprob', 12],
  ['icmp-tstamp', 13],
  ['icmp-tstampreply', 14],
  ['icmp-ireq', 15],
  ['icmp-ireqreply', 16],
  ['icmp-maskreq', 17],
  ['icmp-maskreply', 18],
  ['icmp6type', 0],
  ['icmp6code', 1],
  ['icmp6-destinationrunreach', 1],
  ['icmp6-packettoobig', 2],
  ['icmp6-timeexceeded', 3],
  ['icmp6-parameterproblem', 4],
  ['icmp6-echo', 128],
  ['icmp6-echoreply', 129],
  ['icmp6-multicastlistenerquery', 130],
  ['icmp6-multicastlistenerreportv1', 131],
  ['icmp6-multicastlistenerdone', 132],
  ['icmp6-routersolicit', 133],
  ['icmp6-routeradvert', 134],
  ['icmp6-neighborsolicit', 135],
  ['icmp6-neighboradvert', 136],
  ['icmp6-redirect', 137],
  ['icmp6-routerrenum', 138],
  ['icmp6-multicastlistenerreportv2', 143],
  ['tcpflags', 13],
  ['tcp-fin', 0x01],
  ['tcp-syn', 0x02],
  ['tcp-rst', 0x04],
  ['tcp-push', 0x08],
  ['tcp-ack', 0x10],
  ['tcp-urg', 0x20],
  ['tcp-ece', 0x40],
  ['tcp-cwr', 0x80],
]);

/** Words of the language that are not compiled, so that a message can say so. */
export const UNSUPPORTED: ReadonlySet<string> = new Set([
  'gateway',
  'protochain',
  'inbound',
  'outbound',
  'ifindex',
  'byte',
  'mpls',
  'pppoed',
  'pppoes',
  'geneve',
  'iso',
  'stp',
  'ipx',
  'netbeui',
  'llc',
  'decnet',
  'atalk',
  'aarp',
  'wlan',
  'ppp',
  'slip',
  'fddi',
  'tr',
]);
