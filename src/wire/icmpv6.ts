/**
 * ICMP for IPv6: errors, echo, neighbor discovery, multicast listener discovery.
 *
 * Thread: any. The format is large, so it has four files: fields and `check` (icmpv6-fields.ts), options of neighbor
 * discovery (icmpv6-options.ts), listener queries and reports (icmpv6-listener.ts), messages as objects (icmpv6-repr.ts).
 */

export * from './icmpv6-fields.ts';
export * from './icmpv6-listener.ts';
export * from './icmpv6-options.ts';
export * from './icmpv6-repr.ts';
