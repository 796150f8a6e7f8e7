/**
 * ICMP for IPv6: errors, echo, neighbor discovery, multicast listener discovery.
 *
 *      0      1      2          4                       8
 *     +------+------+----------+-----------------------+------------------------------------------------
 *     | type | code | checksum | as the type says      | data, or in errors as much as fits of the packet
 *     |      |      |          |                       | that the error is about, or target and options
 *     +------+------+----------+-----------------------+------------------------------------------------
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the message begins. The format is large, so it has four
 * files: fields and `check` (icmpv6-fields.ts), options of neighbor discovery (icmpv6-options.ts), listener queries and
 * reports (icmpv6-listener.ts), messages as objects (icmpv6-repr.ts).
 * Read first: RFC 4443, RFC 4861 section 4, RFC 3810 section 5. Missing: node information, mobility, RPL.
 *
 * @module
 */

export * from './icmpv6-fields.ts';
export * from './icmpv6-listener.ts';
export * from './icmpv6-options.ts';
export * from './icmpv6-repr.ts';
