/**
 * IPv6 packets as text, as tcpdump words them (pretty.ts has the rest).
 *
 * Thread: any; for traces and tools, not for the data path. Nothing here throws: what `check` or the walk along the extension
 * headers refuses is shown as malformed. Extension headers are named, their contents are not shown.
 * Read first: RFC 8200.
 */

import * as icmpv6 from './icmpv6.ts';
import * as ipv6 from './ipv6.ts';
import { formatIcmp6 } from './pretty-icmp6.ts';
import { formatTransport, fragmentPlace, malformed, protocolName } from './pretty-transport.ts';

/** The IPv6 packet at `at`; bytes behind it within `lengthBytes` are padding of the link. */
export function formatPacket6(view: DataView, at: number, lengthBytes: number): string {
  const reason = ipv6.check(view, at, lengthBytes);
  if (lengthBytes < ipv6.HEADER_BYTES) return malformed('IP6', ipv6.CHECK_REASONS, reason, lengthBytes);
  const src = ipv6.formatAddress(ipv6.src(view, at));
  const dst = ipv6.formatAddress(ipv6.dst(view, at));
  if (reason !== 0) return `IP6 ${src} > ${dst}: malformed (${ipv6.CHECK_REASONS[reason]}), length ${lengthBytes}`;
  const start = at + ipv6.HEADER_BYTES;
  const end = start + ipv6.payloadBytes(view, at);
  const walk = new ipv6.HeaderWalk();
  const fault = walk.walk(view, start, end, ipv6.nextHeader(view, at));
  if (fault !== 0) return `IP6 ${src} > ${dst}: malformed (${ipv6.WALK_REASONS[fault]}), length ${end - start}`;
  const prefix = extensionNames(view, walk);
  const bytes = end - walk.payloadAt;
  if (walk.fragmentAt > 0 && isFragment(view, walk.fragmentAt)) {
    return `IP6 ${src} > ${dst}: ${prefix}${formatFragment(view, walk)}, length ${bytes}`;
  }
  const transport = formatTransport(view, walk.payloadAt, bytes, walk.protocol, src, dst, prefix);
  return `IP6 ${transport ?? `${src} > ${dst}: ${prefix}${formatOther(view, walk.payloadAt, bytes, walk.protocol)}`}`;
}

function extensionNames(view: DataView, walk: ipv6.HeaderWalk): string {
  let names = walk.hopByHopAt > 0 ? 'HBH ' : '';
  if (walk.destinationAt > 0) names += 'DSTOPT ';
  if (walk.routingAt > 0) {
    const { routingAt } = walk;
    names += `RT6 (type=${ipv6.routingType(view, routingAt)}, segleft=${ipv6.segmentsLeft(view, routingAt)}) `;
  }
  return names;
}

/** RFC 6946: a fragment header around a whole packet is no fragment. */
function isFragment(view: DataView, at: number): boolean {
  return ipv6.moreFragments(view, at) || ipv6.fragmentOffsetBytes(view, at) !== 0;
}

function formatFragment(view: DataView, walk: ipv6.HeaderWalk): string {
  const at = walk.fragmentAt;
  const identification = ipv6.fragmentIdentification(view, at) >>> 0;
  const place = fragmentPlace(identification, ipv6.fragmentOffsetBytes(view, at), ipv6.moreFragments(view, at));
  return `${protocolName(walk.protocol)} fragment ${place}`;
}

/** Payloads other than TCP and UDP. */
function formatOther(view: DataView, at: number, lengthBytes: number, protocol: number): string {
  if (protocol === ipv6.NEXT_NONE) return 'no next header';
  if (protocol !== icmpv6.PROTOCOL_ICMPV6) return `${protocolName(protocol)} ${lengthBytes}`;
  const reason = icmpv6.check(view, at, lengthBytes);
  if (reason !== 0) return malformed('ICMP6', icmpv6.CHECK_REASONS, reason, lengthBytes);
  return formatIcmp6(view, at, lengthBytes);
}
