/**
 * Formats of frames and packets, one namespace each; captures. Public subpath `multikernel/wire`.
 *
 * @module multikernel/wire
 */

export * as arp from './arp.ts';
export * as ethernet from './ethernet.ts';
export * as icmpv4 from './icmpv4.ts';
export * as icmpv6 from './icmpv6.ts';
export * as igmp from './igmp.ts';
export * as ipv4 from './ipv4.ts';
export * as ipv6 from './ipv6.ts';
export { isPcap, type PcapFile, type PcapRecord, readPcap } from './pcap.ts';
export * as pcapng from './pcapng.ts';
export { type PcapngBlock, PcapngReader, readPcapng } from './pcapng-reader.ts';
export * as pretty from './pretty.ts';
export * as tcp from './tcp.ts';
export * as udp from './udp.ts';
export * as vlan from './vlan.ts';
