/**
 * The answers to control requests about router and neighbor discovery. Thread: the one that runs the kernel.
 * Read first: control-table.ts, RFC 4861 section 6.3.
 * Cold: control requests.
 */

import { MultikernelError } from '../base/errors.ts';
import { US_PER_S } from '../base/units.ts';
import type { Inet } from '../inet/inet.ts';
import type { AutoAddress } from '../inet/ip6/autoconf/auto-addresses.ts';
import type { OnLinkPrefix } from '../inet/ip6/autoconf/on-link-prefixes.ts';
import type { Link6 } from '../inet/ip6/link.ts';
import { interfaceOf } from './control-address.ts';
import * as input from './control-input.ts';
import {
  type DiscoveryRecord,
  ND6_IFF_ACCEPT_RTADV,
  ND6_IFF_AUTO_LINKLOCAL,
  ND6_IFF_IFDISABLED,
  ND6_IFF_OVERRIDE_RTADV,
  ND6_IFF_PERFORMNUD,
  type PrefixRecord,
  type RouterRecord,
} from './discovery-requests.ts';
import type { IpAddress } from './ip-address.ts';
import { secondsUntil } from './records.ts';

const INDEX_MAX = 0x7fffffff;
const HOP_LIMIT_MAX = 255;
const FLAGS_ALL: number =
  ND6_IFF_PERFORMNUD | ND6_IFF_ACCEPT_RTADV | ND6_IFF_IFDISABLED | ND6_IFF_OVERRIDE_RTADV | ND6_IFF_AUTO_LINKLOCAL;

type Fields = ReturnType<typeof input.fieldsOf>;
type Address6 = OnLinkPrefix['prefix'];
type Target = { readonly inet: Inet };

function addressOf([w0, w1, w2, w3]: Address6, scopeId: number): IpAddress {
  return { family: 6, w0, w1, w2, w3, scopeId };
}

function lifetimeSec(us: number): number | null {
  return us === Infinity ? null : Math.round(us / US_PER_S);
}

// --- Prefixes and routers ---

/** Prefixes on the link, then those that addresses are made of and nothing else. */
export function listPrefixes({ inet }: Target): PrefixRecord[] {
  const { prefixes } = inet.autoconfiguration.listener;
  const rows = prefixes.list.map((one) => onLinkRecord(inet, one));
  for (const { iface } of inet.ip6.links.all()) {
    const made = inet.autoconfiguration.listener.addressesOf(iface)?.list ?? [];
    for (const one of made) {
      const listed = prefixes.has(one.prefix, iface.index);
      if (!listed && !one.temporary) rows.push(autonomousRecord(inet, one, iface.index));
    }
  }
  return rows;
}

function onLinkRecord(inet: Inet, one: OnLinkPrefix): PrefixRecord {
  const { prefix, prefixLength, interfaceIndex, untilUs, validUs, preferredUs, autonomous, routers } = one;
  const number = inet.shared.interner.internAddress(prefix, 0);
  const route = number === 0 ? null : inet.ip6.routes.find(number, prefixLength);
  return {
    prefix: addressOf(prefix, 0),
    prefixLength,
    interfaceIndex,
    onLink: true,
    autonomous,
    routed: route !== null && route.gateway === 0 && route.iface.index === interfaceIndex,
    validSec: lifetimeSec(validUs),
    preferredSec: lifetimeSec(preferredUs),
    expiresSec: secondsUntil(untilUs, inet.cpus[0].context.nowUs()),
    addressCount: madeOf(inet, prefix, interfaceIndex),
    routers: defaultRouters(inet, routers, interfaceIndex),
  };
}

function autonomousRecord(inet: Inet, one: AutoAddress, interfaceIndex: number): PrefixRecord {
  const nowUs = inet.cpus[0].context.nowUs();
  return {
    prefix: addressOf(one.prefix, 0),
    prefixLength: 64,
    interfaceIndex,
    onLink: false,
    autonomous: true,
    routed: false,
    validSec: secondsUntil(one.validUntilUs, nowUs),
    preferredSec: secondsUntil(one.preferredUntilUs, nowUs),
    expiresSec: secondsUntil(one.validUntilUs, nowUs),
    addressCount: madeOf(inet, one.prefix, interfaceIndex),
    routers: defaultRouters(inet, one.routers, interfaceIndex),
  };
}

function madeOf(inet: Inet, prefix: Address6, interfaceIndex: number): number {
  const iface = inet.interfaceAt(interfaceIndex);
  return (iface === null ? null : inet.autoconfiguration.listener.addressesOf(iface))?.countOf(prefix) ?? 0;
}

function defaultRouters(inet: Inet, routers: readonly Address6[], interfaceIndex: number): IpAddress[] {
  const { listener } = inet.autoconfiguration;
  return routers
    .filter((router) => listener.routers.isDefaultRouter(router, interfaceIndex))
    .map((router) => addressOf(router, interfaceIndex));
}

export function flushPrefixes({ inet }: Target): null {
  inet.autoconfiguration.listener.flushPrefixes();
  return null;
}

export function listRouters({ inet }: Target): RouterRecord[] {
  const defaults = inet.autoconfiguration.listener.routers.list.filter((one) => one.prefixLength === 0);
  return defaults.map(({ router, interfaceIndex, managed, otherConfig, preference, untilUs }) => ({
    address: addressOf(router, interfaceIndex),
    interfaceIndex,
    managed,
    otherConfig,
    preference,
    expiresSec: secondsUntil(untilUs, inet.cpus[0].context.nowUs()),
  }));
}

export function flushRouters({ inet }: Target): null {
  inet.autoconfiguration.listener.flushRouters();
  return null;
}

// --- One link ---

/** Throws ENXIO, and EINVAL for an interface without IPv6. */
function linkOf(target: Target, fields: Fields): Link6 {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  const link = target.inet.ip6.links.of(iface);
  if (link === null) throw new MultikernelError('EINVAL', 'EINVAL');
  return link;
}

export function get(target: Target, fields: Fields): DiscoveryRecord {
  const { inet } = target;
  const link = linkOf(target, fields);
  const variable = (name: string): number => inet.sysctl.get(`net.inet6.icmp6.nd6_${name}`)?.value ?? 0;
  return {
    linkMtuBytes: link.advertisedMtuBytes,
    maxMtuBytes: link.iface.mtuBytes,
    hopLimit: link.hopLimit,
    reachableMs: link.reachableMs || variable('reachable'),
    retransMs: link.retransMs || variable('retrans'),
    flags:
      (link.probesNeighbors ? ND6_IFF_PERFORMNUD : 0) |
      (link.acceptRouters && !link.iface.loopback ? ND6_IFF_ACCEPT_RTADV : 0) |
      (link.disabled ? ND6_IFF_IFDISABLED : 0) |
      (link.overrideAccept ? ND6_IFF_OVERRIDE_RTADV : 0) |
      (inet.ip6.autoLinkLocal(link) ? ND6_IFF_AUTO_LINKLOCAL : 0),
  };
}

export function change(target: Target, fields: Fields): null {
  const { inet } = target;
  const link = linkOf(target, fields);
  const set = input.optionalInteger(fields, 'setFlags', 0, FLAGS_ALL) ?? 0;
  const clear = input.optionalInteger(fields, 'clearFlags', 0, FLAGS_ALL) ?? 0;
  const hopLimit = input.optionalInteger(fields, 'hopLimit', 1, HOP_LIMIT_MAX);
  const reachableMs = inRange(inet, fields, 'reachable');
  const retransMs = inRange(inet, fields, 'retrans');
  if (hopLimit !== undefined) link.hopLimit = hopLimit;
  if (reachableMs !== undefined) link.reachableMs = reachableMs;
  if (retransMs !== undefined) link.retransMs = retransMs;
  const isChanged = (flag: number): boolean => ((set | clear) & flag) !== 0;
  const isOn = (flag: number): boolean => (set & flag) !== 0;
  if (isChanged(ND6_IFF_PERFORMNUD)) link.probesNeighbors = isOn(ND6_IFF_PERFORMNUD);
  if (isChanged(ND6_IFF_AUTO_LINKLOCAL)) inet.ip6.setAutoLinkLocal(link, isOn(ND6_IFF_AUTO_LINKLOCAL));
  if (isChanged(ND6_IFF_IFDISABLED)) inet.ip6.setDisabled(link.iface, isOn(ND6_IFF_IFDISABLED));
  if (isChanged(ND6_IFF_ACCEPT_RTADV)) link.acceptRouters = isOn(ND6_IFF_ACCEPT_RTADV);
  if (isChanged(ND6_IFF_OVERRIDE_RTADV)) link.overrideAccept = isOn(ND6_IFF_OVERRIDE_RTADV);
  if (isChanged(ND6_IFF_ACCEPT_RTADV | ND6_IFF_OVERRIDE_RTADV)) inet.autoconfiguration.listener.acceptChanged();
  return null;
}

/** Milliseconds in the range of the variable for all links. */
function inRange(inet: Inet, fields: Fields, what: 'reachable' | 'retrans'): number | undefined {
  const variable = inet.sysctl.get(`net.inet6.icmp6.nd6_${what}`);
  return input.optionalInteger(fields, `${what}Ms`, variable?.min ?? 1, variable?.max ?? INDEX_MAX);
}
