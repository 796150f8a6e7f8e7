/** What differs from world to world: switches, limits, and what the links can do. */

import type { Kernel } from '../../src/kernel/kernel.ts';
import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES } from '../../src/link/device.ts';
import { textControl } from '../fixtures/text-control.ts';
import type { Chance } from './chance.ts';

export interface Config {
  seed: number;
  mtuBytes: readonly number[];
  capabilities: readonly number[];
  sysctls: readonly (readonly [name: string, value: number])[];
  /** Frames come with metadata that such links may set. */
  offload: boolean;
  ipv6: boolean;
}

/** Small enough that a world reaches them. */
const LIMITS: readonly (readonly [name: string, values: readonly number[]])[] = [
  ['net.inet.arp.maxentries', [16, 32, 64]],
  ['net.inet.ip.maxfragpackets', [0, 4, 16, 200]],
  ['net.inet.ip.maxfragspersource', [2, 8, 64]],
  ['net.inet.icmp.redirmax', [1, 8, 256]],
  ['net.inet.tcp.syn_cache_limit', [4, 16, 64]],
  ['net.inet.tcp.tw_max', [0, 4, 64]],
  ['net.inet.tcp.connections_max', [16, 32, 64]],
  ['net.inet.udp.recvspace', [4096, 65536]],
  ['net.inet.arp.nd_maxqueuelen', [1, 4, 16]],
  ['net.inet.arp.maxqueuebytes', [65536]],
  ['net.inet.ip.mtudiscmax', [1, 8, 1024]],
  ['net.inet.ip.maxfragbytes', [65536, 1 << 20]],
  ['net.inet.ip.maxfragpieces', [1, 4, 64]],
  ['net.inet.ip.maxroutes', [32, 16384]],
  ['net.inet.igmp.maxgroups', [1, 8, 256]],
  ['net.inet.igmp.maxsources', [1, 8, 128]],
  ['net.inet.udp.maxmemberships', [1, 256]],
  ['net.inet.udp.maxsources', [1, 128]],
  ['net.inet.tcp.reass_limit', [1, 4, 1024]],
  ['net.inet.tcp.somaxconn', [4, 64, 4096]],
  ['net.inet6.icmp6.nd6_maxentries', [16, 32]],
  ['net.inet6.icmp6.nd6_maxqueuelen', [1, 4, 16]],
  ['net.inet6.icmp6.nd6_maxqueuebytes', [65536]],
  ['net.inet6.icmp6.redirmax', [1, 8]],
  ['net.inet6.ip6.maxaddresses', [256, 512, 16384]],
  ['net.inet6.ip6.maxdynroutes', [0, 1, 8]],
  ['net.inet6.ip6.maxfragbytes', [65536]],
  ['net.inet6.ip6.maxfragpackets', [0, 4, 16]],
  ['net.inet6.ip6.maxfragpieces', [1, 4]],
  ['net.inet6.ip6.maxfragspersource', [1, 8]],
  ['net.inet6.ip6.maxifautoaddrs', [1, 4]],
  ['net.inet6.ip6.maxifdefrouters', [1, 4]],
  ['net.inet6.ip6.maxifprefixes', [1, 4]],
  ['net.inet6.ip6.maxroutes', [32, 4096]],
  ['net.inet6.mld.maxgroups', [16]],
  ['net.inet6.mld.maxsources', [1, 8]],
];

const SWITCHES: readonly string[] = [
  'net.inet.ip.forwarding',
  'net.inet.ip.allowsrcrt',
  'net.inet.ip.forwsrcrt',
  'net.inet.ip.directed-broadcast',
  'net.inet.ip.redirect',
  'net.inet.ip.mtudisc',
  'net.inet.icmp.bmcastecho',
  'net.inet.icmp.rediraccept',
  'net.inet.udp.checksum',
  'net.inet.tcp.win_scale',
  'net.inet.tcp.timestamps',
  'net.inet.tcp.sack.enable',
  'net.inet.tcp.sack.dsack',
  'net.inet.tcp.syncookies',
  'net.inet.tcp.congctl',
  'net.inet.tcp.rack',
  'net.inet.tcp.tlp',
  'net.inet.tcp.prr',
  'net.inet.tcp.frto',
  'net.inet.tcp.limited_transmit',
  'net.inet.tcp.rfc1337',
  'net.inet6.icmp6.mcastecho',
  'net.inet6.icmp6.rediraccept',
  'net.inet6.ip6.accept_rtadv',
  'net.inet6.ip6.accept_rtadv',
  'net.inet6.ip6.auto_flowlabel',
  'net.inet6.ip6.forwarding',
  'net.inet6.ip6.prefer_tempaddr',
  'net.inet6.ip6.redirect',
  'net.inet6.ip6.rtadv',
  'net.inet6.ip6.stableids',
  'net.inet6.ip6.use_tempaddr',
  'net.inet6.ip6.use_tempaddr',
];

const VALUES: readonly (readonly [name: string, values: readonly number[]])[] = [
  ['net.inet.icmp.errppslimit', [-1, 0, 100, 1000]],
  ['net.inet.icmp.returndatabytes', [8, 64, 512]],
  ['net.inet.ip.ttl', [1, 64, 255]],
  ['net.inet.ip.fragttl', [100, 30000]],
  ['net.inet.tcp.ecn.enable', [0, 1, 2]],
  ['net.inet.tcp.init_win', [1, 10, 64]],
  ['net.inet.tcp.msl', [100, 30000]],
  ['net.inet.tcp.ack_batch', [2, 64]],
  ['net.inet.tcp.rstppslimit', [0, 10, 1000]],
  ['net.inet.tcp.synackppslimit', [0, 10, 10_000]],
  ['net.inet.tcp.challenge_ack_limit', [0, 10, 1000]],
  ['net.inet.tcp.retries', [2, 15]],
  ['net.inet.arp.nd_reachable', [100, 30000]],
  ['net.inet.ip.dad_count', [0, 1, 3]],
  ['net.inet.icmp.redirtimeout', [1, 600]],
  ['net.inet.icmp.replyppslimit', [-1, 0, 10]],
  ['net.inet.arp.replyppslimit', [-1, 0, 10]],
  ['net.inet.igmp.reportppslimit', [-1, 0, 10]],
  ['net.inet6.icmp6.errppslimit', [-1, 0, 1000]],
  ['net.inet6.icmp6.replyppslimit', [-1, 0, 10]],
  ['net.inet6.icmp6.nd6_replyppslimit', [-1, 0, 10]],
  ['net.inet6.mld.reportppslimit', [-1, 0, 10]],
  ['net.inet6.icmp6.nd6_reachable', [100, 30000]],
  ['net.inet6.icmp6.redirtimeout', [1, 600]],
  ['net.inet6.ip6.dad_count', [0, 1, 3]],
  ['net.inet6.ip6.hlim', [1, 64, 255]],
  ['net.inet6.ip6.fragttl', [100, 60000]],
  ['net.inet6.ip6.rtadv_maxinterval', [4, 600]],
  ['net.inet6.ip6.temppltime', [1, 86400]],
  ['net.inet6.ip6.tempvltime', [1, 172800]],
];

/** A switch or a value, as an operator might set it at any time. Limits hold for what comes after, so they stay. */
export function randomSysctl(chance: Chance): readonly [name: string, value: number] {
  if (chance.yes(0.5)) return [chance.pick(SWITCHES), chance.below(2)];
  const [name, values] = chance.pick(VALUES);
  return [name, chance.pick(values)];
}

/** Switches that would end what is to be tested. */
const FIXED: readonly string[] = ['net.inet6.ip6.enable', 'net.inet6.ip6.auto_linklocal', 'net.inet6.ip6.v6only'];

/** Every switch that a kernel has, now and then the other way round: those of tomorrow too. */
export function flipSwitches(chance: Chance, kernel: Kernel): void {
  for (const { name, min, max, initial, readOnly } of kernel.inet.sysctl.list('')) {
    if (readOnly || min !== 0 || max !== 1 || FIXED.includes(name) || !chance.yes(0.25)) continue;
    textControl(kernel, 'sysctl.set', { name, value: 1 - initial });
  }
}

export function randomConfig(chance: Chance): Config {
  const sysctls: [string, number][] = [
    // A day otherwise, longer than a world lives.
    ['net.inet6.icmp6.nd6_gctimer', 1200],
    ['net.inet.tcp.recvbuf_max', 65536],
    ['net.inet.tcp.sendbuf_max', 65536],
    ['net.inet.tcp.recvspace', chance.pick([4096, 32768, 65536])],
    ['net.inet.tcp.sendspace', chance.pick([4096, 32768, 65536])],
  ];
  for (const [name, values] of LIMITS) if (chance.yes(0.6)) sysctls.push([name, chance.pick(values)]);
  for (const name of SWITCHES) if (chance.yes(0.5)) sysctls.push([name, chance.below(2)]);
  for (const [name, values] of VALUES) if (chance.yes(0.3)) sysctls.push([name, chance.pick(values)]);
  const offload = chance.yes(0.3);
  const capabilities = (): number => chance.pick([0, CAP_CHECKSUM_PARTIAL, CAP_CHECKSUM_PARTIAL | CAP_SUPER_FRAMES]);
  return {
    seed: chance.next32() >>> 0,
    mtuBytes: [1500, chance.pick([1500, 1500, 1280, 576, 296]), 1500],
    capabilities: offload ? [capabilities(), capabilities(), capabilities()] : [0, 0, 0],
    sysctls,
    offload,
    ipv6: chance.yes(0.75),
  };
}
