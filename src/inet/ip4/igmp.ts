/**
 * IGMP: reports of memberships and their sources to multicast routers.
 *
 * Thread: the one that runs the kernel. group-reports.ts decides when to report; this file reads queries and writes reports:
 * version 3, or version 2 or 1 while a router of that version is about. IP messages carry the router alert option, TTL 1
 * and the precedence of internetwork control.
 * Read first: RFC 3376 sections 4, 7 and 9, RFC 2236, RFC 1112 appendix I.
 * Cold: membership reports.
 */

import { Errno } from '../../base/errors.ts';
import { US_PER_S } from '../../base/units.ts';
import { Callout } from '../../kern/callout.ts';
import { RateLimit } from '../../kern/rate-limit.ts';
import type { SysctlVariable } from '../../kern/sysctl.ts';
import type { Interface } from '../../net/interface.ts';
import type { SourceFilter } from '../../net/source-filter.ts';
import * as igmp from '../../wire/igmp.ts';
import {
  ADDRESS_ALL_HOSTS as ALL_HOSTS,
  ADDRESS_ALL_ROUTERS as ALL_ROUTERS,
  HEADER_BYTES as IP_HEADER_BYTES,
  PROTOCOL_IGMP,
} from '../../wire/ipv4.ts';
import type { InetContext } from '../ip/context.ts';
import { type GroupRecord, packRecords } from '../ip/group-records.ts';
import { type GroupQuery, GroupReports } from '../ip/group-reports.ts';
import type { GroupListener } from '../ip/multicast.ts';
import { type InPacket, IP_NO_LOOP, type IpService, type Transport } from '../ip/transport.ts';

const IGMP_V3_ROUTERS: number = 0xe0000016 | 0;
/** RFC 2113: option 148, length 4, value 0. */
const ROUTER_ALERT: number = 0x94040000 | 0;
const OPTION_BYTES = 4;
const TOS_INTERNET_CONTROL = 0xc0;

const US_PER_TENTH = 100_000;
/** RFC 3376 7.2.1: version 1 queries carry no response time; it is ten seconds. */
const V1_RESPONSE_US: number = 10 * US_PER_S;

/** Older versions as group-reports.ts numbers them. */
const OLD_V2 = 1;
const OLD_V1 = 2;

export class Igmp implements Transport, GroupListener {
  readonly protocol: number = PROTOCOL_IGMP;
  readonly #context: InetContext;
  readonly #ip: IpService;
  readonly #timer: Callout;
  readonly #maxSources: SysctlVariable;
  readonly #links: Map<Interface, GroupReports> = new Map();
  readonly #malformed: number;
  readonly #queries: number;
  readonly #ignored: number;
  readonly #reportsIn: number;
  readonly #reports: number;
  readonly #leaves: number;
  readonly #unsent: number;
  readonly #manySources: number;
  readonly #limit: RateLimit;

  constructor(context: InetContext, ip: IpService) {
    this.#context = context;
    this.#ip = ip;
    this.#timer = new Callout((nowUs) => this.#run(nowUs));
    const { counters } = context;
    const { sysctl } = context.shared;
    this.#maxSources = sysctl.integer('net.inet.igmp.maxsources', 128, 1, 4096, 'sources of one query kept at most');
    this.#malformed = counters.index('igmp-in-malformed');
    this.#queries = counters.index('igmp-in-queries');
    this.#ignored = counters.index('igmp-in-ignored');
    this.#reportsIn = counters.index('igmp-in-reports');
    this.#reports = counters.index('igmp-out-reports');
    this.#leaves = counters.index('igmp-out-leaves');
    this.#unsent = counters.index('igmp-out-unsent');
    this.#manySources = counters.index('igmp-query-too-many-sources');
    this.#limit = new RateLimit(sysctl, counters, {
      name: 'net.inet.igmp.reportppslimit',
      perSecond: 1000,
      description: 'membership reports a second; -1: any',
      what: 'IGMP reports, which queries may ask for at once',
      counter: 'igmp-out-rate-limited',
    });
    sysctl.limits.add({
      table: 'sources that queries about one IPv4 group have asked for',
      variable: this.#maxSources,
      counter: 'igmp-query-too-many-sources',
      whenFull: 'the answer is about all sources',
      size: () => [...this.#links.values()].reduce((most, link) => Math.max(most, link.askedSources), 0),
    });
  }

  changed(iface: Interface, group: number, filter: SourceFilter): void {
    this.#link(iface).changed(group, filter, this.#context.nowUs());
    this.#schedule();
  }

  detached(iface: Interface): void {
    this.#links.delete(iface);
    this.#schedule();
  }

  /** Queries ask for our groups; reports of others count where an older version is in use. */
  input(packet: InPacket, nowUs: number): void {
    const { view } = this.#context.shared.arena;
    const { at, lengthBytes, iface } = packet;
    if (igmp.check(view, at, lengthBytes) !== 0) {
      this.#context.counters.add(this.#malformed, 1);
      return;
    }
    const type = igmp.type(view, at);
    if (type === igmp.TYPE_QUERY) {
      this.#query(packet, nowUs);
    } else if (type === igmp.TYPE_REPORT_V1 || type === igmp.TYPE_REPORT_V2) {
      this.#context.counters.add(this.#reportsIn, 1);
      this.#links.get(iface)?.reportReceived(igmp.group(view, at), nowUs);
    }
    this.#schedule();
  }

  icmpError(): void {}

  #query(packet: InPacket, nowUs: number): void {
    const { view } = this.#context.shared.arena;
    const { at, lengthBytes, iface, dst } = packet;
    const { counters } = this.#context;
    counters.add(this.#queries, 1);
    const group = igmp.group(view, at);
    // RFC 3376 4.1.12 and 9.1: general queries go to all hosts, others to the group, or to one of our addresses for tests.
    if (iface.loopback || (group === 0 && dst !== ALL_HOSTS)) {
      counters.add(this.#ignored, 1);
      return;
    }
    const link = this.#link(iface);
    const code = igmp.maxResponseCode(view, at);
    switch (igmp.queryVersion(view, at, lengthBytes)) {
      case 1:
        link.oldQuery(OLD_V1, 0, V1_RESPONSE_US, nowUs);
        break;
      case 2:
        link.oldQuery(OLD_V2, group, code * US_PER_TENTH, nowUs);
        break;
      default:
        link.query(readQuery(view, at, group, igmp.decodeTime(code) * US_PER_TENTH), nowUs);
    }
  }

  #link(iface: Interface): GroupReports {
    let link = this.#links.get(iface);
    if (link === undefined) {
      const writer = {
        records: (records: readonly GroupRecord[]): void => this.#sendRecords(iface, records),
        oldReport: (group: number, version: number): void => {
          this.#sendOld(iface, group, version === OLD_V1 ? igmp.TYPE_REPORT_V1 : igmp.TYPE_REPORT_V2, group);
        },
        oldLeave: (group: number, version: number): void => {
          if (version === OLD_V2) this.#sendOld(iface, ALL_ROUTERS, igmp.TYPE_LEAVE, group);
        },
      };
      const tooMany = (): void => this.#context.counters.add(this.#manySources, 1);
      link = new GroupReports(this.#context.rng, writer, () => this.#maxSources.value, tooMany);
      this.#links.set(iface, link);
    }
    return link;
  }

  #run(nowUs: number): void {
    for (const link of this.#links.values()) if (link.deadlineUs <= nowUs) link.run(nowUs);
    this.#schedule();
  }

  #schedule(): void {
    let deadlineUs = Infinity;
    for (const link of this.#links.values()) if (link.deadlineUs < deadlineUs) deadlineUs = link.deadlineUs;
    const { callouts } = this.#context;
    if (deadlineUs === Infinity) callouts.stop(this.#timer);
    else if (deadlineUs !== this.#timer.deadlineUs) callouts.schedule(this.#timer, deadlineUs);
  }

  /** As many messages as the link's MTU asks for (RFC 3376 4.2.16). */
  #sendRecords(iface: Interface, records: readonly GroupRecord[]): void {
    const room = iface.mtuBytes - IP_HEADER_BYTES - OPTION_BYTES - igmp.HEADER_BYTES;
    for (const packed of packRecords(records, room, igmp.RECORD_HEADER_BYTES, 4)) {
      const repr: igmp.ReportV3Repr = {
        kind: 'report-v3',
        records: packed.map(({ type, group, sources }) => ({ type, group, sources: [...sources] })),
      };
      const at = this.#begin(iface, IGMP_V3_ROUTERS, igmp.lengthOf(repr));
      if (at < 0) continue;
      igmp.emit(repr, this.#context.shared.arena.view, at);
      this.#end(this.#reports);
    }
  }

  #sendOld(iface: Interface, dst: number, type: number, group: number): void {
    const at = this.#begin(iface, dst, igmp.HEADER_BYTES);
    if (at < 0) return;
    const { view } = this.#context.shared.arena;
    view.setInt32(at, type << 24);
    view.setInt32(at + 4, group);
    igmp.fillChecksum(view, at, igmp.HEADER_BYTES);
    this.#end(type === igmp.TYPE_LEAVE ? this.#leaves : this.#reports);
  }

  #begin(iface: Interface, dst: number, bytes: number): number {
    if (!this.#limit.allow(this.#context.nowUs())) return -Errno.EAGAIN;
    const path = this.#ip.transientPath(dst, 0, IP_NO_LOOP, iface);
    const options =
      typeof path === 'number'
        ? path
        : this.#ip.beginWithOptions(path, PROTOCOL_IGMP, OPTION_BYTES, bytes, 1, TOS_INTERNET_CONTROL);
    if (options < 0) {
      this.#context.counters.add(this.#unsent, 1);
      return options;
    }
    this.#context.shared.arena.view.setInt32(options, ROUTER_ALERT);
    return options + OPTION_BYTES;
  }

  #end(counter: number): void {
    this.#ip.end(0);
    this.#context.counters.add(counter, 1);
  }
}

function readQuery(view: DataView, at: number, group: number, maxDelayUs: number): GroupQuery {
  const count = igmp.sourceCount(view, at);
  const sources: number[] = [];
  for (let i = 0; i < count; i++) sources.push(view.getInt32(at + igmp.QUERY_V3_BYTES + 4 * i));
  return {
    group,
    sources,
    maxDelayUs,
    robustness: view.getUint8(at + 8) & 7,
    intervalUs: igmp.decodeTime(view.getUint8(at + 9)) * US_PER_S,
  };
}
