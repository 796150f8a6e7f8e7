/**
 * IPv4 options: record route, timestamp, source routes.
 *
 * Thread: the one that runs the CPU. Called for headers with options only. Source
 * routes are refused unless `net.inet.ip.allowsrcrt` (to us) and `net.inet.ip.forwsrcrt` (through us) say otherwise.
 * Read first: RFC 791 3.1, RFC 1122 3.2.1.8, RFC 1812 5.2.4. Missing: security options (skipped).
 */

import { checksumOf, sumView } from '../../base/checksum.ts';
import type { KernelShared } from '../../kern/context.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Interface } from '../../net/interface.ts';
import { RTF_GATEWAY } from '../../net/route.ts';
import type { RouteTable } from '../../net/route-table.ts';
import {
  CODE_NET_PROHIBITED,
  CODE_SOURCE_ROUTE_FAILED,
  TYPE_PARAMETER_PROBLEM as ICMP_PARAMETER_PROBLEM,
  TYPE_DESTINATION_UNREACHABLE as ICMP_UNREACHABLE,
} from '../../wire/icmpv4.ts';
import {
  HEADER_BYTES as BASIC_HEADER_BYTES,
  copyOption,
  isLoopback,
  isUnicast,
  OPTION_LOOSE_ROUTE,
  OPTION_RECORD_ROUTE,
  OPTION_STRICT_ROUTE,
  OPTION_TIMESTAMP,
  optionBytes,
  padOptions,
  TIMESTAMP_ADDRESS,
  TIMESTAMP_ONLY,
  TIMESTAMP_PRESPECIFIED,
} from '../../wire/ipv4.ts';
import type { Addresses4 } from './addresses.ts';

/** RFC 792: the time is not midnight UT based. */
const TIMESTAMP_NONSTANDARD = 0x80000000;

/** Results of {@link IpOptions.process}: go on as the destination says; the destination was changed, forward. */
const OPTIONS_DONE = 0;
export const OPTIONS_FORWARD = 1;

/** Whether an answer carries the option too (RFC 1122 3.2.2.6): record route, timestamp, and the reversed source route. */
function isAnswered(type: number): boolean {
  return type === OPTION_RECORD_ROUTE || type === OPTION_TIMESTAMP || isSourceRoute(type);
}

function isSourceRoute(type: number): boolean {
  return type === OPTION_LOOSE_ROUTE || type === OPTION_STRICT_ROUTE;
}

/** Bytes of options that an answer to the packet at `at` carries, a multiple of 4. The header was checked on input. */
export function answerOptionBytes(view: DataView, at: number, headerBytes: number): number {
  let bytes = 0;
  const end = at + headerBytes;
  for (let i = at + BASIC_HEADER_BYTES, length = 0; i < end; i += length) {
    length = optionBytes(view, i, end);
    if (length <= 0) break;
    if (isAnswered(view.getUint8(i))) bytes += length;
  }
  return (bytes + 3) & ~3;
}

/** First destination of an answer to the packet at `at`: its sender, or the last hop of its source route. */
export function answerDestination(view: DataView, at: number, headerBytes: number): number {
  const end = at + headerBytes;
  for (let i = at + BASIC_HEADER_BYTES, length = 0; i < end; i += length) {
    length = optionBytes(view, i, end);
    if (length <= 0) break;
    const hops = isSourceRoute(view.getUint8(i)) ? (length - 3) >> 2 : 0;
    if (hops > 0) return view.getInt32(i + 3 + 4 * (hops - 1));
  }
  return view.getInt32(at + 12);
}

/** Write the options of an answer to `to`, after its IP header; there is room for {@link answerOptionBytes}. */
export function writeAnswerOptions(view: DataView, at: number, headerBytes: number, to: number): void {
  const start = to - BASIC_HEADER_BYTES;
  const src = view.getInt32(at + 12);
  const end = at + headerBytes;
  for (let i = at + BASIC_HEADER_BYTES, length = 0; i < end; i += length) {
    length = optionBytes(view, i, end);
    if (length <= 0) break;
    const type = view.getUint8(i);
    if (!isAnswered(type)) continue;
    const from = to;
    to = copyOption(view, i, length, to);
    if (!isSourceRoute(type)) continue;
    view.setUint8(from + 2, 4);
    const hops = (length - 3) >> 2;
    for (let hop = 0; hop < hops; hop++) {
      const next = hop === hops - 1 ? src : view.getInt32(i + 3 + 4 * (hops - 2 - hop));
      view.setInt32(from + 3 + 4 * hop, next);
    }
  }
  padOptions(view, start, to);
}

export class IpOptions {
  readonly #view: DataView;
  readonly #addresses: Addresses4;
  readonly #routes: RouteTable;
  readonly #allowSourceRoute: SysctlVariable;
  readonly #forwardSourceRoute: SysctlVariable;
  /** After an ICMP parameter problem: offset in the IP header that it is about. */
  problemPointer = 0;

  constructor(shared: KernelShared, addresses: Addresses4, routes: RouteTable) {
    this.#view = shared.arena.view;
    this.#addresses = addresses;
    this.#routes = routes;
    const { sysctl } = shared;
    this.#allowSourceRoute = sysctl.toggle('net.inet.ip.allowsrcrt', false, 'accept source-routed packets');
    this.#forwardSourceRoute = sysctl.toggle('net.inet.ip.forwsrcrt', false, 'forward source-routed packets');
  }

  /**
   * Do what the options of a received header ask for, in place, and make its checksum right again.
   * Returns 0, {@link OPTIONS_FORWARD}, or minus `(ICMP type << 8 | code)` when the packet is refused.
   */
  process(at: number, headerBytes: number, iface: Interface, nowUs: number): number {
    const view = this.#view;
    const end = at + headerBytes;
    let result = OPTIONS_DONE;
    for (let i = at + BASIC_HEADER_BYTES, length = 0; i < end; i += length) {
      length = optionBytes(view, i, end);
      if (length === 0) break;
      if (length < 0) return this.#problem(i + 1 - at);
      const type = view.getUint8(i);
      let done = OPTIONS_DONE;
      if (type === OPTION_RECORD_ROUTE) done = this.#recordRoute(at, i, length, iface);
      else if (type === OPTION_TIMESTAMP) done = this.#timestamp(at, i, length, iface, nowUs);
      else if (isSourceRoute(type)) {
        done = this.#sourceRoute(at, i, length, type === OPTION_STRICT_ROUTE);
      }
      if (done < 0) return done;
      if (done === OPTIONS_FORWARD) result = done;
    }
    view.setUint16(at + 10, 0);
    view.setUint16(at + 10, checksumOf(sumView(view, at, headerBytes)));
    return result;
  }

  #problem(pointer: number): number {
    this.problemPointer = pointer;
    return -(ICMP_PARAMETER_PROBLEM << 8);
  }

  /** The address we write down: that of the interface the packet leaves through, or our own when it ends here. */
  #outgoingAddress(at: number, iface: Interface): number {
    const dst = this.#view.getInt32(at + 16);
    if (this.#addresses.isLocal(dst)) return dst;
    const route = this.#routes.lookup(dst);
    if (route === null) return iface.primary;
    return this.#addresses.sourceFor(route.iface, (route.flags & RTF_GATEWAY) !== 0 ? route.gateway : dst);
  }

  #recordRoute(at: number, option: number, length: number, iface: Interface): number {
    const pointer = this.#view.getUint8(option + 2);
    if (length < 3 || pointer < 4) return this.#problem(option + 2 - at);
    if (pointer + 3 > length) return OPTIONS_DONE;
    this.#view.setInt32(option + pointer - 1, this.#outgoingAddress(at, iface));
    this.#view.setUint8(option + 2, pointer + 4);
    return OPTIONS_DONE;
  }

  #timestamp(at: number, option: number, length: number, iface: Interface, nowUs: number): number {
    const view = this.#view;
    if (length < 4) return this.#problem(option + 1 - at);
    const pointer = view.getUint8(option + 2);
    const word = view.getUint8(option + 3);
    const kind = word & 0xf;
    const known = kind === TIMESTAMP_ONLY || kind === TIMESTAMP_ADDRESS || kind === TIMESTAMP_PRESPECIFIED;
    if (pointer < 5) return this.#problem(option + 2 - at);
    if (!known) return this.#problem(option + 3 - at);
    const entry = option + pointer - 1;
    const entryBytes = kind === TIMESTAMP_ONLY ? 4 : 8;
    if (pointer - 1 + entryBytes > length) {
      const overflow = word >> 4;
      if (overflow === 0xf) return this.#problem(option + 3 - at);
      view.setUint8(option + 3, ((overflow + 1) << 4) | kind);
      return OPTIONS_DONE;
    }
    if (kind === TIMESTAMP_ADDRESS) view.setInt32(entry, this.#outgoingAddress(at, iface));
    if (kind === TIMESTAMP_PRESPECIFIED && !this.#addresses.isLocal(view.getInt32(entry))) return OPTIONS_DONE;
    view.setUint32(entry + entryBytes - 4, (TIMESTAMP_NONSTANDARD | (nowUs / 1000)) >>> 0);
    view.setUint8(option + 2, pointer + entryBytes);
    return OPTIONS_DONE;
  }

  #sourceRoute(at: number, option: number, length: number, strict: boolean): number {
    const view = this.#view;
    if (this.#allowSourceRoute.value === 0) return -((ICMP_UNREACHABLE << 8) | CODE_NET_PROHIBITED);
    const pointer = view.getUint8(option + 2);
    if (length < 3 || pointer < 4) return this.#problem(option + 2 - at);
    const dst = view.getInt32(at + 16);
    const failed = -((ICMP_UNREACHABLE << 8) | CODE_SOURCE_ROUTE_FAILED);
    // Not ours yet: a loose route passes through, a strict one may not.
    if (!this.#addresses.isLocal(dst)) return strict ? failed : OPTIONS_DONE;
    if (pointer + 3 > length) return OPTIONS_DONE;
    if (this.#forwardSourceRoute.value === 0) return failed;
    const next = view.getInt32(option + pointer - 1);
    const route = isUnicast(next) && !isLoopback(next) ? this.#routes.lookup(next) : null;
    if (route === null || (strict && (route.flags & RTF_GATEWAY) !== 0)) return failed;
    view.setInt32(option + pointer - 1, this.#addresses.sourceFor(route.iface, next));
    view.setUint8(option + 2, pointer + 4);
    view.setInt32(at + 16, next);
    return OPTIONS_FORWARD;
  }
}
