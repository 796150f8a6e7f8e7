/**
 * `netstat -s`: the kernel's counters in NetBSD's sentences; what NetBSD has no sentence for follows under its own name.
 *
 * Thread: the command's. In a template `{name}` is a counter and `{s}`, `{es}`, `{y}` the plural ending of the number before.
 */

const SENTENCES: Readonly<Record<string, readonly string[]>> = {
  ip: [
    '{ip-in-bad-checksum} bad header checksum{s}',
    '{ip-in-short} with size smaller than minimum',
    '{ip-in-bad-length} with data length < header length',
    '{ip-in-bad-options} with bad options',
    '{ip-in-bad-version} with incorrect version number',
    '{ip-in-fragments} fragment{s} received',
    '{ip-fragment-no-room} fragment{s} dropped (dup or out of space)',
    '{ip-fragment-malformed} malformed fragment{s} dropped',
    '{ip-fragment-timeouts} fragment{s} dropped after timeout',
    '{ip-reassembled} packet{s} reassembled ok',
    '{ip-in-no-protocol} packet{s} for unknown/unsupported protocol',
    '{ip-forwarded} packet{s} forwarded',
    '{ip-forward-unreachable} packet{s} not forwardable',
    '{ip-out-no-room} output packet{s} dropped due to no bufs, etc.',
    '{ip-out-no-route} output packet{s} discarded due to no route',
    '{ip-fragmented} output datagram{s} fragmented',
    '{ip-fragments-sent} fragment{s} created',
    "{ip-forward-too-big} datagram{s} that can't be fragmented",
    '{ip-in-bad-destination} datagram{s} with bad address in header',
  ],
  icmp: [
    '{icmp-out-errors} call{s} to icmp_error',
    '{icmp-out-suppressed} error{s} not generated because old message was icmp',
    '{icmp-in-short} message{s} < minimum length',
    '{icmp-in-bad-checksum} bad checksum{s}',
    '{icmp-out-replies} message response{s} generated',
    '{ip-path-mtu-learned} path MTU change{s}',
  ],
  ip6: [
    '{ip6-in-short} with size smaller than minimum',
    '{ip6-in-bad-length} with data size < data length',
    '{ip6-extension-bad-option} with bad options',
    '{ip6-in-bad-version} with incorrect version number',
    '{ip6-in-fragments} fragment{s} received',
    '{ip6-fragment-no-room} fragment{s} dropped (dup or out of space)',
    '{ip6-fragment-timeouts} fragment{s} dropped after timeout',
    '{ip6-fragment-evicted} fragment{s} that exceeded limit',
    '{ip6-reassembled} packet{s} reassembled ok',
    '{ip6-forwarded} packet{s} forwarded',
    '{ip6-forward-unreachable} packet{s} not forwardable',
    '{ip6-link-out-no-room} output packet{s} dropped due to no bufs, etc.',
    '{ip6-fragmented} output datagram{s} fragmented',
    '{ip6-fragments-sent} fragment{s} created',
    "{ip6-forward-too-big} datagram{s} that can't be fragmented",
    '{ip6-forward-beyond-scope} packet{s} that violated scope rules',
    "{ip6-in-not-member} multicast packet{s} which we don't join",
  ],
  icmp6: [
    '{icmp6-out-errors} call{s} to icmp6_error',
    '{icmp6-out-suppressed} error{s} not generated because old message was icmp6 or so',
    '{icmp6-out-rate-limited} error{s} not generated because of rate limitation',
    '{icmp6-bad-code} message{s} with bad code fields',
    '{icmp6-short} message{s} < minimum length',
    '{icmp6-in-bad-checksum} bad checksum{s}',
    '{icmp6-bad-length} message{s} with bad length',
    '{icmp6-out-replies} message response{s} generated',
  ],
  igmp: [
    '{igmp-in-queries} membership quer{y} received',
    '{igmp-in-malformed} message{s} received with too few bytes',
    '{igmp-in-ignored} membership quer{y} received with invalid field(s)',
    '{igmp-in-reports} membership report{s} received',
    '{igmp-out-reports} membership report{s} sent',
  ],
  tcp: [
    '{tcp-packets-sent} packet{s} sent',
    '\t{tcp-data-packets-sent} data packet{s} ({tcp-data-bytes-sent} byte{s})',
    '\t{tcp-data-packets-retransmitted} data packet{s} ({tcp-data-bytes-retransmitted} byte{s}) retransmitted',
    '\t{tcp-ack-only-packets-sent} ack-only packet{s} ({tcp-delayed-acks-sent} delayed)',
    '\t{tcp-urg-only-packets-sent} URG only packet{s}',
    '\t{tcp-window-probes-sent} window probe packet{s}',
    '\t{tcp-window-updates-sent} window update packet{s}',
    '\t{tcp-control-packets-sent} control packet{s}',
    '\t{tcp-output-blocked} send attempt{s} resulted in self-quench',
    '{tcp-packets-received} packet{s} received',
    '\t{tcp-acks-received} ack{s} (for {tcp-bytes-acknowledged} byte{s})',
    '\t{tcp-duplicate-acks} duplicate ack{s}',
    '\t{tcp-acks-for-unsent-data} ack{s} for unsent data',
    '\t{tcp-packets-received-in-sequence} packet{s} ({tcp-bytes-received-in-sequence} byte{s}) received in-sequence',
    '\t{tcp-completely-duplicate-packets} completely duplicate packet{s} ({tcp-duplicate-bytes} byte{s})',
    '\t{tcp-discarded-old-timestamp} old duplicate packet{s}',
    '\t{tcp-packets-with-some-dup-data} packet{s} with some dup. data ({tcp-bytes-duped} byte{s} duped)',
    '\t{tcp-out-of-order-packets} out-of-order packet{s} ({tcp-out-of-order-bytes} byte{s})',
    '\t{tcp-packets-after-window} packet{s} ({tcp-bytes-after-window} byte{s}) of data after window',
    '\t{tcp-window-probes-received} window probe{s}',
    '\t{tcp-window-updates-received} window update packet{s}',
    '\t{tcp-packets-received-after-close} packet{s} received after close',
    '\t{tcp-discarded-bad-checksum} discarded for bad checksum{s}',
    '\t{tcp-discarded-bad-header-offset} discarded for bad header offset field{s}',
    '\t{tcp-discarded-too-short} discarded because packet too short',
    '{tcp-connection-requests} connection request{s}',
    '{tcp-connection-accepts} connection accept{s}',
    '{tcp-connections-established} connection{s} established (including accepts)',
    '{tcp-connections-closed} connection{s} closed (including {tcp-connections-dropped} drop{s})',
    '{tcp-embryonic-connections-dropped} embryonic connection{s} dropped',
    '{tcp-segments-updated-rtt} segment{s} updated rtt (of {tcp-segments-timed} attempt{s})',
    '{tcp-retransmit-timeouts} retransmit timeout{s}',
    '\t{tcp-connections-dropped-by-rexmit} connection{s} dropped by rexmit timeout',
    '{tcp-persist-timeouts} persist timeout{s} (resulting in {tcp-connections-dropped-by-persist} dropped connection{s})',
    '{tcp-keepalive-timeouts} keepalive timeout{s}',
    '\t{tcp-keepalive-probes-sent} keepalive probe{s} sent',
    '\t{tcp-connections-dropped-by-keepalive} connection{s} dropped by keepalive',
    '{tcp-ack-header-predictions} correct ACK header prediction{s}',
    '{tcp-data-header-predictions} correct data packet header prediction{s}',
    '{tcp-pcb-hash-misses} PCB hash miss{es}',
    '{tcp-dropped-no-socket} dropped due to no socket',
    '{tcp-pmtud-blackholes-detected} PMTUD blackhole{s} detected',
    '{tcp-bad-connection-attempts} bad connection attempt{s}',
    '{tcp-syn-cache-entries-added} SYN cache entries added',
    '\t{tcp-syn-cache-completed} completed',
    '\t{tcp-syn-cache-aborted} aborted (no space to build PCB)',
    '\t{tcp-syn-cache-timed-out} timed out',
    '\t{tcp-syn-cache-overflows} dropped due to overflow',
    '\t{tcp-syn-cache-dropped-by-reset} dropped due to RST',
    '\t{tcp-syn-cache-dropped-unreachable} dropped due to ICMP unreachable',
    '{tcp-syn-acks-retransmitted} SYN,ACK{s} retransmitted',
    '{tcp-duplicate-syns} duplicate SYN{s} received for entries already in the cache',
    '{tcp-syns-dropped} SYN{s} dropped (no route or no space)',
    '{tcp-ecn-handshakes} successful ECN handshake{s}',
    '{tcp-ecn-marks-received} packet{s} with ECN CE bit',
  ],
  udp: [
    '{udp-received} datagram{s} received',
    '{udp-in-short} with incomplete header',
    '{udp-in-bad-length} with bad data length field',
    '{udp-in-bad-checksum} with bad checksum',
    '{udp-in-no-port} dropped due to no socket',
    '{udp-in-no-port-group} broadcast/multicast datagram{s} dropped due to no socket',
    '{udp-full-socket-drops} dropped due to full socket buffers',
    '{udp-in} delivered',
    '{udp-out} datagram{s} output',
  ],
  arp: [
    '{arp-out-requests} request packet{s} sent',
    '{arp-out-replies} reply packet{s} sent',
    '{arp-in} packet{s} received',
    '\t{arp-conflicts} duplicate{s} for a local IP address',
    '\t{arp-address-moved} entr{y} overwritten',
    '{arp-pending-drops} packet{s} deferred pending ARP resolution dropped',
    '{arp-cache-full} failure{s} to allocate llinfo',
  ],
};

const ENDINGS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  s: ['', 's'],
  es: ['', 'es'],
  y: ['y', 'ies'],
};

type CounterValues = Readonly<Record<string, number>>;

/** A sentence with its numbers, or null when the kernel counts none of them, or all are 0 and `zeros` is false. */
function sentence(template: string, counters: CounterValues, zeros: boolean): string | null {
  const names = [...template.matchAll(/\{([a-z0-9]+-[a-z0-9-]+)\}/g)].map((match) => match[1] as string);
  if (!names.some((name) => counters[name] !== undefined)) return null;
  if (!zeros && names.every((name) => (counters[name] ?? 0) === 0)) return null;
  let last = 0;
  return template.replace(/\{([a-z0-9-]+)\}/g, (_, word: string) => {
    const ending = ENDINGS[word];
    if (ending !== undefined) return ending[last === 1 ? 0 : 1];
    last = counters[word] ?? 0;
    return String(last);
  });
}

/** Neighbor and listener discovery are parts of ICMPv6. */
function belongs(name: string, protocol: string): boolean {
  return name === protocol || (protocol === 'icmp6' && (name === 'nd6' || name === 'mld'));
}

/** Counters of NetBSD that are sums of the kernel's. */
const SUMS: Readonly<Record<string, readonly string[]>> = {
  'udp-received': [
    'udp-in',
    'udp-in-short',
    'udp-in-bad-length',
    'udp-in-bad-checksum',
    'udp-in-no-port',
    'udp-in-no-port-group',
    'udp-full-socket-drops',
  ],
};

function withSums(counters: CounterValues): CounterValues {
  const sums: Record<string, number> = {};
  for (const [name, parts] of Object.entries(SUMS)) {
    if (parts.some((part) => counters[part] !== undefined)) {
      sums[name] = parts.reduce((sum, part) => sum + (counters[part] ?? 0), 0);
    }
  }
  return { ...counters, ...sums };
}

/** Statistics of routing: `-rs`. Routes that a redirect changes are counted as made by it. */
const ROUTING: readonly string[] = [
  '{icmp-redirect-ignored} bad routing redirect{s}',
  '{icmp-redirect-accepted} dynamically created route{s}',
  '{ip-out-no-route} destination{s} found unreachable',
];

/** Counts of the routing table. Zeros are left out unless `zeros`. */
export function formatRoutingStatistics(counters: CounterValues, zeros: boolean): string {
  const lines = ROUTING.map((template) => sentence(template, counters, zeros)).filter((line) => line !== null);
  return `routing:\n${lines.map((line) => `\t${line}\n`).join('')}`;
}

/** All protocols, some, or one. Counters that are 0 are left out unless `zeros`. */
export function formatStatistics(
  counted: CounterValues,
  protocol: string | null,
  zeros: boolean,
  protocols: readonly string[] | null = null,
): string {
  const counters = withSums(counted);
  const told = new Set(
    Object.values(SENTENCES)
      .flat()
      .flatMap((text) => [...text.matchAll(/\{([a-z0-9]+-[a-z0-9-]+)\}/g)].map((m) => m[1])),
  );
  const prefixes = new Set([
    ...Object.keys(SENTENCES),
    ...Object.keys(counters).map((name) => name.split('-')[0] as string),
  ]);
  const sections: string[] = [];
  for (const name of prefixes) {
    if (protocol === null ? protocols?.includes(name) === false : !belongs(name, protocol)) continue;
    const lines = (SENTENCES[name] ?? [])
      .map((template) => sentence(template, counters, zeros))
      .filter((line) => line !== null);
    for (const [counter, value] of Object.entries(counters)) {
      if (!counter.startsWith(`${name}-`) || told.has(counter) || (!zeros && value === 0)) continue;
      lines.push(`${value} ${counter.slice(name.length + 1).replaceAll('-', ' ')}`);
    }
    if (lines.length > 0) sections.push(`${name}:\n${lines.map((line) => `\t${line}\n`).join('')}`);
  }
  return sections.join('');
}
