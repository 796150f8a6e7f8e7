/**
 * State that all connections of one CPU share and that knows no connection: IP, memory, clock ticks, settings, counters,
 * rate limits.
 *
 * Thread: the one that runs the CPU. `TcpState` (tcp/state.ts) adds the tables, `TcpStack` (tcp/stack.ts) the input.
 */

import type { Rng } from '../../../base/rng.ts';
import { US_PER_MS } from '../../../base/units.ts';
import type { CalloutTable } from '../../../kern/callout.ts';
import type { SysctlVariable } from '../../../kern/sysctl.ts';
import type { Bulk } from '../../../mem/bulk.ts';
import type { Counters } from '../../../mem/counters.ts';
import type { Heap } from '../../../mem/heap.ts';
import type { InetContext } from '../../ip/context.ts';
import type { PortTable } from '../../ip/ports.ts';
import type { IpService } from '../../ip/transport.ts';
import { ControlSegment } from './control-segment.ts';
import { SynCookies } from './cookies.ts';
import { defineTcpCounters, type TcpCounters } from './counters.ts';
import { EphemeralPorts } from './ephemeral.ts';
import { IsnGenerator } from './isn.ts';
import { SynOptions } from './options.ts';
import type { PortUse } from './port-use.ts';
import { TcpRateLimits } from './rate-limits.ts';
import { TcpSettings } from './settings.ts';

export class TcpContext {
  /** Number of the CPU. */
  readonly cpu: number;
  readonly ip: IpService;
  readonly view: DataView;
  readonly bulk: Bulk;
  readonly heap: Heap;
  readonly callouts: CalloutTable;
  /** The clock, for the calls of a program that bring no time along. */
  readonly nowUs: () => number;
  readonly rng: Rng;
  readonly counters: Counters;
  readonly count: TcpCounters;
  readonly settings: TcpSettings;
  readonly ports: PortTable;
  /** Default of IPV6_V6ONLY. */
  readonly only6: SysctlVariable;
  readonly ephemeral: EphemeralPorts;
  readonly isn: IsnGenerator;
  readonly cookies: SynCookies;
  readonly rateLimits: TcpRateLimits;
  /** The control segment that is sent next, filled anew for each. */
  readonly control: ControlSegment = new ControlSegment();
  readonly synOptions: SynOptions = new SynOptions();
  /** Counts of the data path since the last `TcpStack.doWork`, which adds them to the shared counters. */
  receivedNow: number = 0;
  sentNow: number = 0;
  predictedAcksNow: number = 0;
  predictedDataNow: number = 0;
  predictedBytesNow: number = 0;

  #tsAtUs: number = -0.5;
  #tsValue: number = 0;

  constructor(context: InetContext, ip: IpService) {
    this.cpu = context.number;
    this.ip = ip;
    this.view = ip.view;
    this.bulk = context.bulk;
    this.heap = context.heap;
    this.callouts = context.callouts;
    this.rng = context.rng;
    this.nowUs = () => context.nowUs();
    this.counters = context.counters;
    this.count = defineTcpCounters(context.counters);
    this.settings = new TcpSettings(context.shared.sysctl);
    this.rateLimits = new TcpRateLimits(context.shared.sysctl, context.counters);
    this.only6 = context.shared.sysctl.toggle(
      'net.inet6.ip6.v6only',
      false,
      'IPv6 sockets are not for IPv4 by default',
    );
    this.ports = context.shared.tcpPorts;
    this.ephemeral = new EphemeralPorts(context.rng, context.shared.sysctl);
    const fingerprint = (address: number): number => ip.fingerprint(address);
    this.isn = new IsnGenerator(context.rng, fingerprint);
    this.cookies = new SynCookies(context.rng, fingerprint);
  }

  /** The timestamp clock (RFC 7323 section 5.4): milliseconds, as int32. */
  tsNow(nowUs: number): number {
    if (nowUs !== this.#tsAtUs) {
      this.#tsAtUs = nowUs;
      this.#tsValue = Math.floor(nowUs / US_PER_MS) | 0;
    }
    return this.#tsValue;
  }

  /** One user of a port less; the last one gives it back. */
  releasePort(use: PortUse): void {
    use.users--;
    if (use.users === 0) this.ports.release(use);
  }

  /** The data path's counts go to the shared counters. */
  enterCounts(): void {
    const { counters, count } = this;
    counters.add(count.packetsReceived, this.receivedNow);
    counters.add(count.packetsSent, this.sentNow);
    counters.add(count.predictedAcks, this.predictedAcksNow);
    counters.add(count.predictedData, this.predictedDataNow);
    counters.add(count.dataPacketsInSequence, this.predictedDataNow);
    counters.add(count.dataBytesInSequence, this.predictedBytesNow);
    this.receivedNow = this.sentNow = this.predictedAcksNow = this.predictedDataNow = this.predictedBytesNow = 0;
  }
}
