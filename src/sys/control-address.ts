/**
 * Addresses and interfaces of control requests as inet/ knows them. Thread: the one that runs the kernel.
 *
 * A number of inet/ is used at once and not kept: it may stand for another address after the next turn.
 * Cold: control requests.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Inet } from '../inet/inet.ts';
import { NO_ADDRESS } from '../inet/ip/address-boundary.ts';
import type { Interface } from '../net/interface.ts';
import { SocketAddress } from '../socket/socket.ts';
import type { IpAddress, IpFamily, LinkAddress } from './control.ts';

export function interfaceOf({ inet }: { readonly inet: Inet }, index: number): Interface {
  const iface = inet.interfaceAt(index);
  if (iface === null) throw new MultikernelError('ENXIO', `interface ${index} does not exist`);
  return iface;
}

/** Throws EAFNOSUPPORT for IPv6 in a kernel that was made without it. */
export function checkFamily({ inet }: { readonly inet: Inet }, family: IpFamily): void {
  if (family === 6 && inet.sysctl.get('net.inet6.ip6.enable') === undefined)
    throw new MultikernelError('EAFNOSUPPORT', 'no IPv6 in this kernel');
}

/** The number of inet/ for an address. `link`: zone of a link-local address that has none of its own. Throws EINVAL, ENOBUFS, EAFNOSUPPORT. */
export function numberOf(target: { readonly inet: Inet }, address: IpAddress, link: Interface | null = null): number {
  checkFamily(target, address.family);
  const { addresses } = target.inet;
  const scopeId = address.scopeId === 0 && link !== null ? link.index : address.scopeId;
  const number = addresses.numberOf({ ...address, scopeId });
  if (number !== NO_ADDRESS) return number;
  if (addresses.isFull(address)) throw new MultikernelError('ENOBUFS', 'the table of IPv6 addresses is full');
  throw new MultikernelError('EINVAL', 'not an address of a host');
}

export function macWords(bytes: LinkAddress): { macHi: number; macLo: number } {
  const [b0, b1, b2, b3, b4, b5] = bytes as [number, number, number, number, number, number];
  return { macHi: (b0 << 8) | b1, macLo: (b2 << 24) | (b3 << 16) | (b4 << 8) | b5 };
}

/** An address and port for the socket layer. A mapped address becomes IPv4. */
export function socketAddressOf(address: IpAddress, port: number): SocketAddress {
  const { family, w0, w1, w2, w3, scopeId } = address;
  if (family === 4) return SocketAddress.ipv4(w3, port);
  return SocketAddress.ipv6(w0, w1, w2, w3, port, scopeId).unmap();
}

export function ipAddressOf({ family, w0, w1, w2, w3, scopeId }: SocketAddress): IpAddress {
  return { family, w0, w1, w2, w3, scopeId };
}
