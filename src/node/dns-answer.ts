/**
 * Answers of `dns.resolve*` out of responses, as c-ares and Node's native resolver give them. Thread: the program's.
 *
 * Records count whatever their owner: a server follows aliases itself, and is believed.
 */

import { CLASS_IN, type DnsMessage, type DnsRecord, TYPES } from './dns-message.ts';

export type Answer = { records: unknown; ttls: number[] } | string;

/** Response codes as Node's error codes; others say nothing of the answers. */
const RCODES: Readonly<Record<number, string>> = {
  1: 'EFORMERR',
  2: 'ESERVFAIL',
  3: 'ENOTFOUND',
  4: 'ENOTIMP',
  5: 'EREFUSED',
  // Nobody has given these a meaning.
  12: 'ESERVFAIL',
  13: 'ESERVFAIL',
  14: 'ESERVFAIL',
  15: 'ESERVFAIL',
};

/** The order of types in the answer to ANY. */
const ANY_TYPES = ['CNAME', 'A', 'AAAA', 'MX', 'NS', 'TXT', 'SRV', 'PTR', 'NAPTR', 'SOA', 'CAA', 'TLSA'] as const;

function ofType(message: DnsMessage, type: string): DnsRecord[] {
  return message.answers.filter((record) => record.class === CLASS_IN && record.type === TYPES[type]);
}

function data(records: readonly DnsRecord[]): unknown[] {
  return records.map((record) => record.data);
}

/** The lifetime of an address is no longer than that of the aliases that led to it. */
function addressTtls(message: DnsMessage, addresses: readonly DnsRecord[]): number[] {
  const aliasTtls = ofType(message, 'CNAME').map((record) => record.ttlSec);
  return addresses.map((record) => Math.min(record.ttlSec, ...aliasTtls));
}

/** A record among those of other types, an object with its type. */
function typed(record: DnsRecord, type: string, ttl: number): object {
  switch (type) {
    case 'A':
    case 'AAAA':
      return { address: record.data, ttl, type };
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return { value: record.data, type };
    case 'TXT':
      return { entries: record.data, type };
    default:
      return { ...(record.data as object), type };
  }
}

/** The first alias alone, and no IPv4 address beside it, as Node has it. */
function anyRecords(message: DnsMessage): object[] {
  const aliased = ofType(message, 'CNAME').length > 0;
  return ANY_TYPES.filter((type) => type !== 'A' || !aliased).flatMap((type) => {
    const found = ofType(message, type);
    const ttls = addressTtls(message, found);
    const records = found.map((record, index) => typed(record, type, ttls[index] as number));
    return type === 'CNAME' || type === 'SOA' ? records.slice(0, 1) : records;
  });
}

export function toAnswer(message: DnsMessage, name: string, type: string): Answer {
  const failed = RCODES[message.rcode];
  if (failed !== undefined) return failed;
  if (message.answers.length === 0) return 'ENODATA';
  const found = ofType(message, type);
  const aliased = ofType(message, 'CNAME').length > 0;
  switch (type) {
    case 'ANY':
      return { records: anyRecords(message), ttls: [] };
    case 'A':
    case 'AAAA':
      if (found.length === 0 && !aliased) return 'ENODATA';
      return { records: data(found), ttls: addressTtls(message, found) };
    case 'CNAME':
      if (found.length === 0) return ofType(message, 'A').length > 0 ? { records: [name], ttls: [] } : 'ENODATA';
      return { records: data(found.slice(0, 1)), ttls: [] };
    case 'NS':
    case 'PTR':
      return found.length === 0 ? 'ENODATA' : { records: data(found), ttls: [] };
    case 'SOA':
      return found[0] === undefined ? 'EBADRESP' : { records: found[0].data, ttls: [] };
    default:
      return { records: data(found), ttls: [] };
  }
}
