/**
 * Formats of frames and packets, one namespace each; captures. Public subpath `multikernel/wire`.
 *
 * Each protocol has a fast way and a convenient one:
 *
 * - Accessors read and write one field of the bytes at `at` of a DataView, in network byte order, and allocate nothing unless
 *   they say so. They trust the caller: `check` says once whether the bytes hold a whole header, 0 or an index of
 *   `CHECK_REASONS`. Behind the end of the view they throw the RangeError of DataView.
 * - `parse`, `lengthOf` and `emit` turn bytes into an object (`Repr`), whose payload is a copy, and back.
 *
 * IPv4 addresses, words of IPv6 addresses and sequence numbers are int32, so that they fit typed arrays and compare with `===`;
 * `>>> 0` makes them unsigned. Names end with their unit.
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
