/**
 * The interface identifier that follows from a link-layer address. Link-local addresses have it, so that a capture shows which
 * machine is which.
 *
 * Thread: any. Read first: RFC 2464 section 4.
 */

/** High and low 32 bits of the second half of an address. */
export type InterfaceId = readonly [number, number];

/** Modified EUI-64: the MAC with ff-fe in its middle and the universal bit inverted. */
// cold: once per address
export function idFromMac(hi: number, lo: number): InterfaceId {
  const first = ((hi ^ 0x0200) << 16) | ((lo >>> 16) & 0xff00) | 0xff;
  return [first | 0, 0xfe000000 | (lo & 0x00ffffff) | 0];
}
