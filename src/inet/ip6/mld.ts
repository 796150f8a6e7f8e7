/**
 * Multicast listener discovery: telling multicast routers of a link which groups we are in, and of which sources.
 *
 * Thread: the one that runs the kernel. inet/ip/group-reports.ts decides when to report; this file reads queries and writes
 * reports: version 2, or version 1 while a router of that version is about. Reports carry the router alert option, hop limit
 * 1 and a link-local source, `::` while there is none.
 * Read first: RFC 3810 sections 5, 6.2 and 8, RFC 2710, RFC 3590 (sources).
 * Cold: membership reports.
 */

import { US_PER_MS, US_PER_S } from '../../base/units.ts';
import { Callout } from '../../kern/callout.ts';
import { RateLimit } from '../../kern/rate-limit.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Interface } from '../../net/interface.ts';
import type { SourceFilter } from '../../net/source-filter.ts';
import * as icmpv6 from '../../wire/icmpv6.ts';
import { decodeTime } from '../../wire/igmp.ts';
import * as ipv6 from '../../wire/ipv6.ts';
import { type AddressHolder, IP6_ANY, isZoned } from '../ip/address-interner.ts';
import type { InetContext } from '../ip/context.ts';
import { type GroupRecord, packRecords } from '../ip/group-records.ts';
import { GroupReports } from '../ip/group-reports.ts';
import type { GroupListener } from '../ip/multicast.ts';
import type { InPacket } from '../ip/transport.ts';
import type { Links6 } from './link.ts';
import type { LinkOutput6 } from './link-output.ts';
import { readMessage } from './read-message.ts';

/** Hop-by-hop header: ICMPv6 follows; router alert (type 5, 2 bytes) of value 0, listener discovery; two bytes of padding. */
const ALERT_HI = 0x3a000502;
const ALERT_LO = 0x00000100;
const ALERT_BYTES = 8;
/** The older version, as group-reports.ts numbers it. */
const OLD_V1 = 1;

export class Mld implements GroupListener, AddressHolder {
  readonly #context: InetContext;
  readonly #view: DataView;
  readonly #output: LinkOutput6;
  readonly #links: Links6;
  readonly #timer: Callout;
  readonly #maxSources: SysctlVariable;
  readonly #reports: Map<Interface, GroupReports> = new Map();
  readonly #ignored: number;
  readonly #queries: number;
  readonly #reportsIn: number;
  readonly #sent: number;
  readonly #done: number;
  readonly #unsent: number;
  readonly #manySources: number;
  readonly #limit: RateLimit;

  constructor(context: InetContext, output: LinkOutput6, links: Links6) {
    this.#context = context;
    this.#view = context.shared.arena.view;
    this.#output = output;
    this.#links = links;
    this.#timer = new Callout((nowUs) => this.#run(nowUs));
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#maxSources = sysctl.integer('net.inet6.mld.maxsources', 64, 1, 4096, 'sources of one query kept at most');
    this.#ignored = counters.index('mld-in-ignored');
    this.#queries = counters.index('mld-in-queries');
    this.#reportsIn = counters.index('mld-in-reports');
    this.#sent = counters.index('mld-out-reports');
    this.#done = counters.index('mld-out-done');
    this.#unsent = counters.index('mld-out-unsent');
    this.#manySources = counters.index('mld-query-too-many-sources');
    this.#limit = new RateLimit(sysctl, counters, {
      name: 'net.inet6.mld.reportppslimit',
      perSecond: 1000,
      description: 'listener reports a second; -1: any',
      what: 'MLD reports, which queries may ask for at once',
      counter: 'mld-out-rate-limited',
    });
    context.shared.interner.addHolder(this);
    sysctl.limits.add({
      table: 'sources that queries about one IPv6 group have asked for',
      variable: this.#maxSources,
      counter: 'mld-query-too-many-sources',
      whenFull: 'the answer is about all sources',
      size: () => [...this.#reports.values()].reduce((most, one) => Math.max(most, one.askedSources), 0),
    });
  }

  markAddresses(mark: (address: number) => void): void {
    for (const reports of this.#reports.values()) reports.markAddresses(mark);
  }

  changed(iface: Interface, group: number, filter: SourceFilter): void {
    this.#of(iface).changed(group, filter, this.#context.nowUs());
    this.#schedule();
  }

  detached(iface: Interface): void {
    this.#reports.delete(iface);
    this.#schedule();
  }

  /** RFC 3590 4: reports that were sent from `::` are repeated from the link-local address. */
  linkLocalReady(iface: Interface): void {
    const reports = this.#reports.get(iface);
    if (reports === undefined) return;
    reports.repeat(this.#context.nowUs());
    this.#schedule();
  }

  /** Queries, reports and "done" messages. Hop limit 1, lengths and the checksum were checked. */
  input(packet: InPacket, nowUs: number): void {
    const message = readMessage(this.#context.shared, packet);
    switch (message?.kind) {
      case 'listener-query':
      case 'listener-query-v2':
        this.#query(packet, message, nowUs);
        break;
      case 'listener-report': {
        // When version 1 is spoken, one report on the link is enough.
        this.#context.counters.add(this.#reportsIn, 1);
        const group = this.#find(message.group, packet.iface);
        if (group !== 0) this.#reports.get(packet.iface)?.reportReceived(group, nowUs);
        break;
      }
    }
    this.#schedule();
  }

  #query(packet: InPacket, query: icmpv6.ListenerRepr | icmpv6.ListenerQueryV2Repr, nowUs: number): void {
    const { iface } = packet;
    const { counters } = this.#context;
    counters.add(this.#queries, 1);
    if (!this.#fromLink(packet)) {
      counters.add(this.#ignored, 1);
      return;
    }
    const reports = this.#of(iface);
    const general = ipv6.equal(query.group, ipv6.UNSPECIFIED);
    const group = general ? 0 : this.#find(query.group, iface);
    const unknown = !general && group === 0;
    if (query.kind !== 'listener-query-v2') {
      // A query for an unknown group still tells which version is spoken here.
      reports.oldQuery(OLD_V1, unknown ? IP6_ANY : group, query.maxResponseCode * US_PER_MS, nowUs);
    } else if (!unknown) {
      const maxDelayUs = icmpv6.decodeDelayMs(query.maxResponseCode) * US_PER_MS;
      const intervalUs = decodeTime(query.intervalCode) * US_PER_S;
      const sources = general ? [] : this.#sources(query.sources, iface);
      reports.query({ group, sources, maxDelayUs, robustness: query.robustness, intervalUs }, nowUs);
    }
  }

  /** RFC 3810 6.2: a query that came from farther than this link, or without the alert, is none. */
  #fromLink(packet: InPacket): boolean {
    const { headerAt, at } = packet;
    const view = this.#view;
    if (!ipv6.isLinkLocal(ipv6.srcWord(view, headerAt, 0))) return false;
    if (ipv6.nextHeader(view, headerAt) !== ipv6.NEXT_HOP_BY_HOP) return false;
    const header = headerAt + ipv6.HEADER_BYTES;
    const end = Math.min(header + ipv6.extensionBytes(view, header), at);
    for (let i = header + 2; i < end; ) {
      if (view.getUint8(i) === ipv6.OPTION_ROUTER_ALERT) return true;
      const bytes = ipv6.extensionOptionBytes(view, i, end);
      if (bytes < 0) return false;
      i += bytes;
    }
    return false;
  }

  /** The handle of a group that this link is in, 0 for others. */
  #find(words: ipv6.Address6, iface: Interface): number {
    const [w0, w1, w2, w3] = words;
    const group = this.#context.shared.interner.find(w0, w1, w2, w3, isZoned(w0) ? iface.index : 0);
    return group !== 0 && iface.groups.has(group) ? group : 0;
  }

  /** The sources of a query; none, which asks for all, when there are too many. */
  #sources(words: readonly ipv6.Address6[], iface: Interface): number[] {
    if (words.length > this.#maxSources.value) {
      this.#context.counters.add(this.#manySources, 1);
      return [];
    }
    const sources = words.map((source) => this.#context.shared.interner.internAddress(source, iface.index));
    return sources.includes(0) ? [] : sources;
  }

  #of(iface: Interface): GroupReports {
    let reports = this.#reports.get(iface);
    if (reports === undefined) {
      const writer = {
        records: (records: readonly GroupRecord[]): void => this.#sendRecords(iface, records),
        oldReport: (group: number): void => this.#sendOld(iface, icmpv6.TYPE_LISTENER_REPORT, group),
        oldLeave: (group: number): void => this.#sendOld(iface, icmpv6.TYPE_LISTENER_DONE, group),
      };
      const tooMany = (): void => this.#context.counters.add(this.#manySources, 1);
      reports = new GroupReports(this.#context.rng, writer, () => this.#maxSources.value, tooMany);
      this.#reports.set(iface, reports);
    }
    return reports;
  }

  #run(nowUs: number): void {
    for (const reports of this.#reports.values()) if (reports.deadlineUs <= nowUs) reports.run(nowUs);
    this.#schedule();
  }

  #schedule(): void {
    let deadlineUs = Infinity;
    for (const reports of this.#reports.values()) deadlineUs = Math.min(deadlineUs, reports.deadlineUs);
    const { callouts } = this.#context;
    if (deadlineUs === Infinity) callouts.stop(this.#timer);
    else if (deadlineUs !== this.#timer.deadlineUs) callouts.schedule(this.#timer, deadlineUs);
  }

  #sendRecords(iface: Interface, records: readonly GroupRecord[]): void {
    const { interner } = this.#context.shared;
    const room = iface.mtuBytes - ipv6.HEADER_BYTES - ALERT_BYTES - icmpv6.HEADER_BYTES;
    for (const packed of packRecords(records, room, icmpv6.RECORD_HEADER_BYTES, ipv6.ADDRESS_BYTES)) {
      const message: icmpv6.ListenerReportV2Repr = {
        kind: 'listener-report-v2',
        records: packed.map(({ type, group, sources }) => ({
          type,
          group: interner.words(group),
          sources: sources.map((source) => interner.words(source)),
        })),
      };
      this.#send(iface, ipv6.ALL_MLDV2_ROUTERS, message, this.#sent);
    }
  }

  #sendOld(iface: Interface, type: number, group: number): void {
    const words = this.#context.shared.interner.words(group);
    const done = type === icmpv6.TYPE_LISTENER_DONE;
    const kind = done ? 'listener-done' : 'listener-report';
    const message: icmpv6.ListenerRepr = { kind, maxResponseCode: 0, group: words };
    this.#send(iface, done ? ipv6.ALL_ROUTERS : words, message, done ? this.#done : this.#sent);
  }

  #send(iface: Interface, to: ipv6.Address6, message: icmpv6.Repr, counter: number): void {
    if (!this.#limit.allow(this.#context.nowUs())) return;
    const src = this.#links.of(iface)?.linkLocal ?? 0;
    const bytes = ALERT_BYTES + icmpv6.lengthOf(message);
    const from = src === 0 ? IP6_ANY : src;
    const at = this.#output.begin(iface, from, to, ipv6.NEXT_HOP_BY_HOP, bytes, icmpv6.LISTENER_HOP_LIMIT);
    if (at < 0) {
      this.#context.counters.add(this.#unsent, 1);
      return;
    }
    this.#view.setInt32(at, ALERT_HI);
    this.#view.setInt32(at + 4, ALERT_LO);
    icmpv6.emit(message, this.#view, at + ALERT_BYTES);
    this.#output.endIcmp(at + ALERT_BYTES);
    this.#context.counters.add(counter, 1);
  }
}
