/**
 * Addresses of both families: text without zones, and words. Thread: any; pure functions. Read first: RFC 4291 2.2, RFC 5952.
 */

import { formatAddress as formatAddress4, parseAddress as parseAddress4 } from './ipv4.ts';
import { formatAddress as formatAddress6, parseAddress as parseAddress6 } from './ipv6-address.ts';

/** int32 words, most significant first; an IPv4 address is `w3`, its other words are 0. */
export interface IpWords {
  family: 4 | 6;
  w0: number;
  w1: number;
  w2: number;
  w3: number;
}

/** "10.0.0.1" or "2001:db8::1", or null. A mapped address stays one of IPv6. */
export function parseIp(text: string): IpWords | null {
  if (!text.includes(':')) {
    const w3 = parseAddress4(text);
    return w3 === null ? null : { family: 4, w0: 0, w1: 0, w2: 0, w3 };
  }
  const words = parseAddress6(text);
  if (words === null) return null;
  const [w0, w1, w2, w3] = words;
  return { family: 6, w0, w1, w2, w3 };
}

/** Words → text: "10.0.0.1", or RFC 5952's form for IPv6. */
export function formatIp({ family, w0, w1, w2, w3 }: IpWords): string {
  return family === 4 ? formatAddress4(w3) : formatAddress6([w0, w1, w2, w3]);
}
