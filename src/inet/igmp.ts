/**
 * IGMP: telling multicast routers which groups we are in.
 *
 * Thread: the one that runs the kernel. Version 3 reports, or version 2 after a query of an older router was heard.
 * Unsolicited reports are repeated once; answers to a query wait a random part of the time it grants. IP messages carry the
 * router alert option and TTL 1. Read first: RFC 3376, RFC 2236. Missing: source lists in reports, version 1.
 */

import { checksumOf } from '../base/checksum.ts';
import { randomUnit } from '../base/rng.ts';
import { Callout } from '../kern/callout.ts';
import type { Interface } from '../net/interface.ts';
import {
  RECORD_TO_EXCLUDE as CHANGE_TO_EXCLUDE,
  RECORD_TO_INCLUDE as CHANGE_TO_INCLUDE,
  decodeTime,
  RECORD_IS_EXCLUDE as MODE_IS_EXCLUDE,
  TYPE_LEAVE as TYPE_LEAVE_V2,
  TYPE_QUERY,
  TYPE_REPORT_V2,
  TYPE_REPORT_V3,
} from '../wire/igmp.ts';
import { ADDRESS_ALL_HOSTS as ALL_HOSTS, ADDRESS_ALL_ROUTERS as ALL_ROUTERS, PROTOCOL_IGMP } from '../wire/ipv4.ts';
import type { InetContext } from './context.ts';
import type { IpOutput } from './ip-output.ts';
import type { GroupListener } from './multicast.ts';
import { PATH_NO_LOOP, type PathTable } from './path.ts';
import type { InPacket, Transport } from './transport.ts';

const IGMP_V3_ROUTERS: number = 0xe0000016 | 0;
/** RFC 2113: option 148, length 4, value 0. */
const ROUTER_ALERT: number = 0x94040000 | 0;
const TOS_INTERNET_CONTROL = 0xc0;

const US_PER_S = 1_000_000;
const US_PER_TENTH = 100_000;
/** RFC 3376 8.11: unsolicited report interval. */
const UNSOLICITED_US: number = US_PER_S;
/** RFC 3376 8.12: how long a version 2 querier is assumed to be there. */
const OLD_QUERIER_US: number = 400 * US_PER_S;
const QUERY_V3_BYTES = 12;
const QUERY_V2_BYTES = 8;

/** A report that will be sent. */
interface Due {
  iface: Interface;
  group: number;
  mode: number;
  atUs: number;
}

export class Igmp implements Transport, GroupListener {
  readonly protocol: number = PROTOCOL_IGMP;
  readonly #context: InetContext;
  readonly #paths: PathTable;
  readonly #output: IpOutput;
  readonly #interfaces: readonly Interface[];
  readonly #timer: Callout;
  readonly #malformed: number;
  readonly #queries: number;
  readonly #reports: number;
  #due: Due[] = [];
  /** By interface index: until when a version 2 router is assumed. */
  readonly #oldQuerierUntilUs: number[] = [];

  constructor(context: InetContext, paths: PathTable, output: IpOutput, interfaces: readonly Interface[]) {
    this.#context = context;
    this.#paths = paths;
    this.#output = output;
    this.#interfaces = interfaces;
    this.#timer = new Callout((nowUs) => this.#sendDue(nowUs));
    const { counters } = context;
    this.#malformed = counters.index('igmp-in-malformed');
    this.#queries = counters.index('igmp-in-queries');
    this.#reports = counters.index('igmp-out-reports');
  }

  joined(iface: Interface, group: number): void {
    if (iface.loopback) return;
    const nowUs = this.#context.nowUs();
    this.#cancel(iface, group);
    this.#send(iface, group, CHANGE_TO_EXCLUDE, nowUs);
    this.#schedule(iface, group, CHANGE_TO_EXCLUDE, nowUs + randomUnit(this.#context.rng) * UNSOLICITED_US);
  }

  left(iface: Interface, group: number): void {
    if (iface.loopback) return;
    const nowUs = this.#context.nowUs();
    this.#cancel(iface, group);
    this.#send(iface, group, CHANGE_TO_INCLUDE, nowUs);
    if (!this.#oldQuerier(iface, nowUs)) {
      this.#schedule(iface, group, CHANGE_TO_INCLUDE, nowUs + randomUnit(this.#context.rng) * UNSOLICITED_US);
    }
  }

  /** A query asks for our groups; reports of others are for routers only. */
  input(packet: InPacket, nowUs: number): void {
    const { counters, arena, bulk, rng } = this.#context;
    const { at, lengthBytes, iface } = packet;
    if (lengthBytes < QUERY_V2_BYTES || bulk.sum(at, lengthBytes) !== 0xffff) {
      counters.add(this.#malformed, 1);
      return;
    }
    if (arena.view.getUint8(at) !== TYPE_QUERY) return;
    counters.add(this.#queries, 1);
    const tenths = responseTenths(arena.view.getUint8(at + 1), lengthBytes >= QUERY_V3_BYTES);
    const asked = arena.view.getInt32(at + 4);
    if (lengthBytes < QUERY_V3_BYTES) this.#oldQuerierUntilUs[iface.index] = nowUs + OLD_QUERIER_US;
    for (const group of iface.groups.keys()) {
      if (group === ALL_HOSTS || (asked !== 0 && asked !== group)) continue;
      const atUs = nowUs + randomUnit(rng) * tenths * US_PER_TENTH;
      if (!this.#due.some((one) => one.iface === iface && one.group === group && one.atUs <= atUs)) {
        this.#schedule(iface, group, MODE_IS_EXCLUDE, atUs);
      }
    }
  }

  icmpError(): void {}

  #oldQuerier(iface: Interface, nowUs: number): boolean {
    return nowUs < (this.#oldQuerierUntilUs[iface.index] ?? -Infinity);
  }

  #cancel(iface: Interface, group: number): void {
    this.#due = this.#due.filter((one) => one.iface !== iface || one.group !== group);
  }

  #schedule(iface: Interface, group: number, mode: number, atUs: number): void {
    this.#due.push({ iface, group, mode, atUs });
    if (!this.#timer.pending || atUs < this.#timer.deadlineUs) this.#context.callouts.schedule(this.#timer, atUs);
  }

  #sendDue(nowUs: number): void {
    const due = this.#due.filter((one) => one.atUs <= nowUs);
    this.#due = this.#due.filter((one) => one.atUs > nowUs);
    for (const { iface, group, mode } of due) {
      const gone = mode !== CHANGE_TO_INCLUDE && !iface.groups.has(group);
      if (!gone && this.#interfaces.includes(iface)) this.#send(iface, group, mode, nowUs);
    }
    let nextUs = Infinity;
    for (const { atUs } of this.#due) if (atUs < nextUs) nextUs = atUs;
    if (nextUs !== Infinity) this.#context.callouts.schedule(this.#timer, nextUs);
  }

  #send(iface: Interface, group: number, mode: number, nowUs: number): void {
    const old = this.#oldQuerier(iface, nowUs);
    const leaving = mode === CHANGE_TO_INCLUDE;
    const dst = !old ? IGMP_V3_ROUTERS : leaving ? ALL_ROUTERS : group;
    const path = this.#paths.passing(dst, 0, PATH_NO_LOOP, iface);
    if (typeof path === 'number') return;
    const bytes = old ? 8 : 16;
    const options = this.#output.beginWithOptions(path, PROTOCOL_IGMP, 4, bytes, 1, TOS_INTERNET_CONTROL);
    if (options < 0) return;
    const { view } = this.#context.arena;
    const at = options + 4;
    view.setInt32(options, ROUTER_ALERT);
    if (old) {
      view.setInt32(at, (leaving ? TYPE_LEAVE_V2 : TYPE_REPORT_V2) << 24);
      view.setInt32(at + 4, group);
    } else {
      view.setInt32(at, TYPE_REPORT_V3 << 24);
      view.setInt32(at + 4, 1);
      view.setInt32(at + 8, mode << 24);
      view.setInt32(at + 12, group);
    }
    view.setUint16(at + 2, checksumOf(this.#context.bulk.sum(at, bytes)));
    this.#output.end(0);
    this.#context.counters.add(this.#reports, 1);
  }
}

/** Max Resp Code in tenths of a second; from version 3 on, large values are a small float (RFC 3376 4.1.1). */
function responseTenths(code: number, version3: boolean): number {
  if (code === 0) return 100;
  return version3 ? decodeTime(code) : code;
}
