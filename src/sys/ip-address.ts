/** IP addresses as control requests carry them. Thread: any; types only. */

/** IP version number as address family. */
export type IpFamily = 4 | 6;

/** An IP address: int32 words, most significant first; an IPv4 address is `w3`, its other words are 0. */
export interface IpAddress {
  family: IpFamily;
  w0: number;
  w1: number;
  w2: number;
  w3: number;
  /** Index of the interface on whose link a link-local address is; 0 for all others. */
  scopeId: number;
}
