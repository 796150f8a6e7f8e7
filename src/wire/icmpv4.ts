/**
 * ICMP for IPv4.
 *
 * Thread: any. Two files: fields and `check` (icmpv4-fields.ts), messages as objects (icmpv4-repr.ts).
 */

export * from './icmpv4-fields.ts';
export * from './icmpv4-repr.ts';
