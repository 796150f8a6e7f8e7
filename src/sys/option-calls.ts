/**
 * setsockopt and getsockopt. Thread: the one that runs the kernel.
 *
 * Options are integers of 4 bytes unless said otherwise (`struct linger`, `struct timeval`, `struct ip_mreq`,
 * `struct ipv6_mreq`). Read first: getsockopt(2), ip(4), ip6(4), tcp(4).
 */

import { Errno } from '../base/errors.ts';
import { MS_PER_S, US_PER_S } from '../base/units.ts';
import { SocketAddress, type SocketOptions } from '../socket/socket.ts';
import * as abi from './abi.ts';
import type { OpenFile } from './file.ts';
import { socketError } from './socket-calls.ts';
import { DatagramFile, RawFile, SocketFile, StreamFile } from './socket-file.ts';
import type { SystemCall } from './system-call.ts';
import { int32At, int64At, load, setInt64, store, storeInt, struct } from './user-struct.ts';

interface Option {
  readonly level: number;
  readonly number: number;
  readonly name: keyof SocketOptions;
  readonly kind: 'boolean' | 'integer';
  /** One of the program's units in ours. */
  readonly scale: number;
}

// cold: the table
function option(
  level: number,
  number: number,
  name: keyof SocketOptions,
  kind: Option['kind'] = 'integer',
  scale = 1,
): Option {
  return { level, number, name, kind, scale };
}

const { SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP } = abi;

const OPTIONS: readonly Option[] = [
  option(SOL_SOCKET, abi.SO_REUSEADDR, 'reuseAddress', 'boolean'),
  option(SOL_SOCKET, abi.SO_REUSEPORT, 'reusePort', 'boolean'),
  option(SOL_SOCKET, abi.SO_KEEPALIVE, 'keepAlive', 'boolean'),
  option(SOL_SOCKET, abi.SO_BROADCAST, 'broadcast', 'boolean'),
  option(SOL_SOCKET, abi.SO_OOBINLINE, 'oobInline', 'boolean'),
  option(SOL_SOCKET, abi.SO_SNDBUF, 'sendBufferBytes'),
  option(SOL_SOCKET, abi.SO_RCVBUF, 'receiveBufferBytes'),
  option(IPPROTO_TCP, abi.TCP_NODELAY, 'noDelay', 'boolean'),
  option(IPPROTO_TCP, abi.TCP_KEEPIDLE, 'keepIdleMs', 'integer', MS_PER_S),
  option(IPPROTO_TCP, abi.TCP_KEEPINTVL, 'keepIntervalMs', 'integer', MS_PER_S),
  option(IPPROTO_TCP, abi.TCP_KEEPCNT, 'keepCount'),
  option(IPPROTO_IP, abi.IP_TOS, 'tos'),
  option(IPPROTO_IP, abi.IP_TTL, 'ttl'),
  option(IPPROTO_IP, abi.IP_MULTICAST_TTL, 'multicastTtl'),
  option(IPPROTO_IP, abi.IP_MULTICAST_LOOP, 'multicastLoop', 'boolean'),
  option(IPPROTO_IP, abi.IP_MULTICAST_ALL, 'multicastAll', 'boolean'),
  option(IPPROTO_IPV6, abi.IPV6_TCLASS, 'tos'),
  option(IPPROTO_IPV6, abi.IPV6_UNICAST_HOPS, 'ttl'),
  option(IPPROTO_IPV6, abi.IPV6_MULTICAST_HOPS, 'multicastTtl'),
  option(IPPROTO_IPV6, abi.IPV6_MULTICAST_LOOP, 'multicastLoop', 'boolean'),
  option(IPPROTO_IPV6, abi.IPV6_MULTICAST_ALL, 'multicastAll6', 'boolean'),
  option(IPPROTO_IPV6, abi.IPV6_MULTICAST_IF, 'multicastInterface'),
  option(IPPROTO_IPV6, abi.IPV6_V6ONLY, 'ipv6Only', 'boolean'),
];

const LEVELS = 0x10000;
// cold: the table
const optionTable: ReadonlyMap<number, Option> = new Map(OPTIONS.map((one) => [one.level * LEVELS + one.number, one]));

/** `struct ip_mreq`: group, address of the interface. */
const MREQ_BYTES = 8;
/** `struct ipv6_mreq`: group, index of the interface. */
const MREQ6_BYTES = 20;
const scratch: SocketAddress = new SocketAddress();

/** setsockopt(fd, level, option, value, bytes) */
export function setOption(call: SystemCall): number {
  const file = call.file(call.int(0));
  if (!(file instanceof SocketFile)) return socketError(file);
  const level = call.int(1);
  const number = call.int(2);
  const lengthBytes = call.int(4);
  if (lengthBytes < 4 || lengthBytes > 256) return lengthBytes < 0 ? -Errno.EINVAL : setShort(call, level, lengthBytes);
  const error = load(call.memory, call.arg(3), lengthBytes);
  if (error !== 0) return error;
  if (level === SOL_SOCKET && number === abi.SO_LINGER) return setLinger(file, lengthBytes);
  if (level === SOL_SOCKET && (number === abi.SO_RCVTIMEO || number === abi.SO_SNDTIMEO)) {
    return setCallTimeout(file, number, lengthBytes);
  }
  if (level === SOL_SOCKET && number === abi.SO_NOSIGPIPE) return 0;
  if (level === IPPROTO_IP && number === abi.IP_MULTICAST_IF) return setMulticastInterface(call, file);
  const membership = setMembership(call, file, level, number, lengthBytes);
  if (membership !== null) return membership;
  const found = optionTable.get(level * LEVELS + number);
  if (found === undefined) return -Errno.ENOPROTOOPT;
  const value = int32At(0);
  return optionsOf(file).setOption(found.name, found.kind === 'boolean' ? value !== 0 : value * found.scale);
}

/** Options of one byte, which ip(4) takes for multicast. */
function setShort(call: SystemCall, level: number, lengthBytes: number): number {
  const file = call.file(call.int(0));
  const found = optionTable.get(level * LEVELS + call.int(2));
  if (lengthBytes !== 1 || level !== IPPROTO_IP || found === undefined) return -Errno.EINVAL;
  const error = load(call.memory, call.arg(3), 1);
  if (error !== 0) return error;
  const value = struct.getUint8(0);
  return optionsOf(file as SocketFile).setOption(found.name, found.kind === 'boolean' ? value !== 0 : value);
}

interface Settable {
  setOption(name: keyof SocketOptions, value: number | boolean): number;
}

function optionsOf(file: SocketFile): Settable {
  return (file as StreamFile | DatagramFile | RawFile).socket as Settable;
}

function setLinger(file: SocketFile, lengthBytes: number): number {
  if (lengthBytes < abi.LINGER_BYTES) return -Errno.EINVAL;
  return optionsOf(file).setOption('lingerMs', int32At(0) === 0 ? -1 : int32At(4) * MS_PER_S);
}

function setCallTimeout(file: SocketFile, number: number, lengthBytes: number): number {
  if (lengthBytes < abi.TIMEVAL_BYTES) return -Errno.EINVAL;
  const us = int64At(0) * US_PER_S + int32At(8);
  if (us < 0) return -Errno.EINVAL;
  if (number === abi.SO_RCVTIMEO) file.receiveTimeoutUs = us;
  else file.sendTimeoutUs = us;
  return 0;
}

/** IP_MULTICAST_IF: the address of an interface; any: the routes decide. */
function setMulticastInterface(call: SystemCall, file: SocketFile): number {
  const index = interfaceOf(call, struct.getInt32(0));
  return optionsOf(file).setOption('multicastInterface', index);
}

/** Index of the interface that has an IPv4 address; 0 for any, -1 when none has it. */
function interfaceOf(call: SystemCall, address: number): number {
  if (address === 0) return 0;
  return call.process.table.host.sockets.interfaceWithAddress(scratch.setIpv4(address, 0)) || -1;
}

/** Joining and leaving groups: null when the option is another. */
function setMembership(
  call: SystemCall,
  file: SocketFile,
  level: number,
  number: number,
  lengthBytes: number,
): number | null {
  const join = number === abi.IP_ADD_MEMBERSHIP || number === abi.IPV6_JOIN_GROUP;
  const ofIpv4 = level === IPPROTO_IP && (number === abi.IP_ADD_MEMBERSHIP || number === abi.IP_DROP_MEMBERSHIP);
  const ofIpv6 = level === IPPROTO_IPV6 && (number === abi.IPV6_JOIN_GROUP || number === abi.IPV6_LEAVE_GROUP);
  if (!ofIpv4 && !ofIpv6) return null;
  if (!(file instanceof DatagramFile)) return -Errno.EOPNOTSUPP;
  if (lengthBytes < (ofIpv4 ? MREQ_BYTES : MREQ6_BYTES)) return -Errno.EINVAL;
  let index: number;
  if (ofIpv4) {
    const group = struct.getInt32(0);
    index = interfaceOf(call, struct.getInt32(4));
    scratch.setIpv4(group, 0);
  } else {
    index = int32At(16);
    scratch.setIpv6(struct.getInt32(0), struct.getInt32(4), struct.getInt32(8), struct.getInt32(12), 0, index);
  }
  return join ? file.socket.joinGroup(scratch, index) : file.socket.leaveGroup(scratch, index);
}

/** getsockopt(fd, level, option, value, bytes) */
export function getOption(call: SystemCall): number {
  const file = call.file(call.int(0));
  if (!(file instanceof SocketFile)) return socketError(file);
  const { memory } = call;
  const error = load(memory, call.arg(4), 4);
  if (error !== 0) return error;
  const room = int32At(0);
  if (room < 0) return -Errno.EINVAL;
  const full = readOption(file, call.int(1), call.int(2));
  if (full < 0) return full;
  const given = Math.min(full, room);
  return store(memory, call.arg(3), given) || storeInt(memory, call.arg(4), given);
}

/** Put an option into the scratch block: its length, or an error. */
function readOption(file: SocketFile, level: number, number: number): number {
  if (level === SOL_SOCKET) {
    const special = readSpecial(file, number);
    if (special !== null) return special;
  }
  const found = optionTable.get(level * LEVELS + number);
  if (found === undefined || file instanceof RawFile) return -Errno.ENOPROTOOPT;
  const value = Number((file as StreamFile | DatagramFile).socket.getOption(found.name));
  struct.setInt32(0, value / found.scale, true);
  return 4;
}

function readSpecial(file: SocketFile, number: number): number | null {
  switch (number) {
    case abi.SO_ERROR:
      struct.setInt32(0, -file.takeError(), true);
      return 4;
    case abi.SO_TYPE:
      struct.setInt32(0, typeOf(file), true);
      return 4;
    case abi.SO_ACCEPTCONN:
      struct.setInt32(0, file instanceof StreamFile && file.listening ? 1 : 0, true);
      return 4;
    case abi.SO_RCVTIMEO:
    case abi.SO_SNDTIMEO: {
      const us = number === abi.SO_RCVTIMEO ? file.receiveTimeoutUs : file.sendTimeoutUs;
      setInt64(0, Math.floor(us / US_PER_S));
      setInt64(8, us % US_PER_S);
      return abi.TIMEVAL_BYTES;
    }
    case abi.SO_LINGER: {
      const ms = file instanceof StreamFile ? file.socket.getOption('lingerMs') : -1;
      struct.setInt32(0, ms < 0 ? 0 : 1, true);
      struct.setInt32(4, Math.max(0, ms) / MS_PER_S, true);
      return abi.LINGER_BYTES;
    }
    default:
      return null;
  }
}

function typeOf(file: OpenFile): number {
  if (file instanceof StreamFile) return abi.SOCK_STREAM;
  return file instanceof DatagramFile ? abi.SOCK_DGRAM : abi.SOCK_RAW;
}
