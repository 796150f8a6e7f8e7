/**
 * ICMP for IPv4: errors, echo and other queries, router discovery.
 *
 *      0      1      2          4                       8
 *     +------+------+----------+-----------------------+------------------------------------------------
 *     | type | code | checksum | as the type says      | data, or in errors the IP header and 8 bytes or
 *     |      |      |          |                       | more of the packet that the error is about
 *     +------+------+----------+-----------------------+------------------------------------------------
 *
 * Thread: any; pure functions over `(view, at)`, `at` being where the message begins. Two files: fields and `check`
 * (icmpv4-fields.ts), messages as objects (icmpv4-repr.ts).
 * Read first: RFC 792, RFC 1122 3.2.2, RFC 1256 (router discovery). Missing: the extension structures of RFC 4884.
 *
 * @module
 */

export * from './icmpv4-fields.ts';
export * from './icmpv4-repr.ts';
