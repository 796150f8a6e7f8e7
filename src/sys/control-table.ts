/**
 * The answers to control requests: one function per operation of control.ts.
 *
 * Thread: the one that runs the kernel. Requests are untrusted: each handler takes its fields through control-input.ts and looks
 * at nothing else. Refusals are `MultikernelError`s with the name of an errno.
 * Cold: control requests.
 */

import { Errno, errnoName, MultikernelError } from '../base/errors.ts';
import { US_PER_S } from '../base/units.ts';
import type { Inet } from '../inet/inet.ts';
import { GifLink, type TunnelEnd } from '../net/gif/gif-link.ts';
import { IFF_DEBUG, IFF_LINK0, IFF_LINK1, IFF_LINK2, IFF_NOARP, IFF_UP, type Interface } from '../net/interface.ts';
import { VlanLink } from '../net/vlan/vlan-link.ts';
import type { BpfDevices } from './bpf-devices.ts';
import * as bridges from './bridge-control.ts';
import { type ControlOperation, type ControlReply, FILTER_REJECT, type HostRecord, type IpAddress } from './control.ts';
import { interfaceOf, macWords, numberOf } from './control-address.ts';
import * as input from './control-input.ts';
import * as discovery from './discovery-control.ts';
import { cutPorts, type InterfaceImpairments, setImpairment } from './impairment-control.ts';
import {
  counterRecords,
  groupRecords,
  interfaceRecord,
  neighborRecord,
  routeRecord,
  socketRecords,
} from './records.ts';
import * as routes from './route-control.ts';

const INDEX_MAX = 0x7fffffff;
/** Flags of an administrator; the others follow the link. */
const ADMINISTRATORS: number = IFF_UP | IFF_DEBUG | IFF_NOARP | IFF_LINK0 | IFF_LINK1 | IFF_LINK2;
const MTU_BYTES_MAX = 0xffffffff;
const INT32_MIN = -0x80000000;
const INT32_MAX = 0x7fffffff;
const VLAN_ID_MAX = 0xffff;

/** The kernel that control requests are about. */
export interface ControlTarget {
  readonly name: string;
  readonly inet: Inet;
  readonly hosts: readonly HostRecord[];
  readonly impairments: InterfaceImpairments;
  readonly bpf: Pick<BpfDevices, 'list'>;
  /** Ends the kernel, after the answer to the request; null: it does not end by request. */
  readonly onHalt: (() => void) | null;
}

type Fields = ReturnType<typeof input.fieldsOf>;
type Handler<Op extends ControlOperation> = (target: ControlTarget, fields: Fields) => ControlReply<Op>;

function must(result: number): void {
  if (result < 0) throw new MultikernelError(errnoName(result), errnoName(result));
}

function changeInterface(target: ControlTarget, fields: Fields): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  const set = input.optionalWord(fields, 'setFlags');
  const clear = input.optionalWord(fields, 'clearFlags');
  const mtuBytes = input.optionalInteger(fields, 'mtuBytes', 0, MTU_BYTES_MAX);
  const metric = input.optionalInteger(fields, 'metric', INT32_MIN, INT32_MAX);
  const ipv6 = input.optionalBoolean(fields, 'ipv6');
  const zero = input.optionalBoolean(fields, 'zeroTraffic');
  if (((set | clear) & ~ADMINISTRATORS) !== 0) {
    throw new MultikernelError('EINVAL', 'flags: UP, DEBUG, NOARP and LINK0 to LINK2 can change');
  }
  if (mtuBytes !== undefined) must(target.inet.setMtu(iface, mtuBytes));
  if (ipv6 !== undefined) target.inet.ip6.setDisabled(iface, !ipv6);
  if ((set & IFF_UP) !== 0 && !iface.up) must(iface.link.startError);
  if ((set | clear) !== 0) target.inet.changeFlags(iface, set, clear);
  if (metric !== undefined) iface.metric = metric;
  if (zero === true) iface.zeroTraffic();
  return null;
}

function createInterface({ inet }: ControlTarget, fields: Fields): ControlReply<'interface.create'> {
  const made = inet.interfaceTable.create(input.name(fields, 'name'));
  if (typeof made === 'number') throw new MultikernelError(errnoName(made), errnoName(made));
  const { index, name } = made;
  return { index, name };
}

function destroyInterface({ inet }: ControlTarget, fields: Fields): null {
  const name = input.name(fields, 'name');
  const { interfaceTable: table } = inet;
  const iface = table.named(name);
  if (iface !== null) must(table.destroy(iface));
  else must(table.cloners.has(name) ? -Errno.ENXIO : -Errno.EINVAL);
  return null;
}

function setLinkString(target: ControlTarget, fields: Fields): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  const path = fields.path === null ? null : input.name(fields, 'path');
  if (iface.up) must(-Errno.EBUSY);
  iface.link.setLinkString(path);
  return null;
}

function setMedia(target: ControlTarget, fields: Fields): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  const on = input.boolean(fields, 'on');
  if (iface.link.mediaOn === null) must(-Errno.EINVAL);
  const was = iface.cutOff;
  iface.link.setMedia(on);
  if (iface.cutOff !== was) target.inet.interfaceChanged(iface, was);
  return null;
}

function renameInterface(target: ControlTarget, fields: Fields): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  must(target.inet.interfaceTable.rename(iface, input.name(fields, 'name')));
  return null;
}

function setVlan(target: ControlTarget, fields: Fields): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  const parentIndex = input.integer(fields, 'parentIndex', 0, INDEX_MAX);
  const id = input.integer(fields, 'id', 0, VLAN_ID_MAX);
  const { link } = iface;
  if (!(link instanceof VlanLink)) throw new MultikernelError('EINVAL', `${iface.name} is not a vlan`);
  if (parentIndex === 0) link.unconfigure();
  else must(link.configure(interfaceOf(target, parentIndex), id));
  target.inet.interfaceChanged(iface, iface.up);
  return null;
}

function setTunnel(target: ControlTarget, fields: Fields): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  const source = input.optionalAddress(fields, 'source');
  const destination = input.optionalAddress(fields, 'destination');
  const { link } = iface;
  if (!(link instanceof GifLink)) throw new MultikernelError('EINVAL', `${iface.name} is not a gif`);
  if (source?.family !== destination?.family) throw new MultikernelError('EINVAL', 'source and destination');
  const tunnel = source === null || destination === null ? null : { source, destination };
  const same = (other: Interface): boolean =>
    other !== iface &&
    other.link instanceof GifLink &&
    tunnel !== null &&
    other.link.tunnel !== null &&
    sameEnd(other.link.tunnel.source, tunnel.source) &&
    sameEnd(other.link.tunnel.destination, tunnel.destination);
  if (target.inet.list().some(same)) must(-Errno.EADDRNOTAVAIL);
  link.tunnel = tunnel;
  target.inet.interfaceChanged(iface, iface.up);
  return null;
}

function sameEnd(a: TunnelEnd, b: TunnelEnd): boolean {
  return a.family === b.family && a.w0 === b.w0 && a.w1 === b.w1 && a.w2 === b.w2 && a.w3 === b.w3;
}

/** A cloned interface comes up with an address, as NetBSD's drivers do (SIOCINITIFADDR). */
function upByAddress({ inet }: ControlTarget, iface: Interface): void {
  if (!iface.up && iface.link.startError === 0 && inet.interfaceTable.isCloned(iface))
    inet.changeFlags(iface, IFF_UP, 0);
}

function addAddress(target: ControlTarget, fields: Fields): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  const address = input.address(fields, 'address');
  const prefixLength = input.prefixLength(fields, address.family);
  const broadcast = fields.broadcast === undefined ? null : input.address(fields, 'broadcast');
  const destination = fields.destination === undefined ? null : input.address(fields, 'destination');
  const anycast = input.optionalBoolean(fields, 'anycast') ?? false;
  const preferredSec = input.lifetime(fields, 'preferredSec');
  const validSec = input.lifetime(fields, 'validSec');
  const number = numberOf(target, address, iface);
  const timed = preferredSec !== undefined || validSec !== undefined;
  const { inet } = target;
  if (inet.addresses.familyOf(number) === 4) {
    if (timed || anycast || (destination !== null && destination.family !== 4)) must(-Errno.EINVAL);
    const details = {
      ...(broadcast === null ? {} : { broadcast: broadcast.w3 }),
      destination: destination?.w3 ?? 0,
    };
    must(inet.configure(iface, number, prefixLength, details));
    upByAddress(target, iface);
    return null;
  }
  const validUs = (validSec ?? Infinity) * US_PER_S;
  const preferredUs = ((preferredSec === undefined ? validSec : preferredSec) ?? Infinity) * US_PER_S;
  if (!(validUs > 0 && preferredUs <= validUs)) throw new MultikernelError('EINVAL', 'EINVAL');
  const { ip6 } = inet;
  const other = destination === null ? 0 : numberOf(target, destination, iface);
  if (broadcast !== null || (other !== 0 && inet.addresses.familyOf(other) === 4)) must(-Errno.EINVAL);
  const known = timed ? ip6.addresses.find(number) : null;
  const same = known !== null && known.iface === iface && known.prefixLength === prefixLength;
  if (!same || known.origin !== 'manual' || known.anycast !== anycast) {
    must(ip6.addAddress(iface, number, prefixLength, 'manual', anycast, other));
  }
  ip6.setDisabled(iface, false);
  const entry = ip6.addresses.find(number);
  if (timed && entry !== null) ip6.lifetimes.set(entry, preferredUs, validUs);
  upByAddress(target, iface);
  return null;
}

function deleteAddress(target: ControlTarget, fields: Fields): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  const number = numberOf(target, input.address(fields, 'address'), iface);
  must(target.inet.unconfigure(iface, number));
  return null;
}

function addLinkAddress(target: ControlTarget, fields: Fields): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  const { macHi, macLo } = macWords(input.linkAddress(fields, 'linkAddress'));
  if (iface.link.linkType !== 'ethernet') must(-Errno.EINVAL);
  const active = input.boolean(fields, 'active');
  must(iface.addLinkAddress(macHi, macLo, active));
  // Neighbors are told.
  if (active) target.inet.interfaceChanged(iface, iface.up);
  return null;
}

function deleteLinkAddress(target: ControlTarget, fields: Fields): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  const { macHi, macLo } = macWords(input.linkAddress(fields, 'linkAddress'));
  must(iface.removeLinkAddress(macHi, macLo));
  return null;
}

function addNeighbor(target: ControlTarget, fields: Fields): null {
  const address = input.address(fields, 'address');
  const { macHi, macLo } = macWords(input.linkAddress(fields, 'linkAddress'));
  const temporary = input.boolean(fields, 'temporary');
  const published = input.boolean(fields, 'published');
  const proxyOnly = input.optionalBoolean(fields, 'proxyOnly') ?? false;
  const number = numberOf(target, address);
  const family = target.inet.families.of(number);
  const iface = family.linkOf(number);
  if (iface === null) throw new MultikernelError('ENETUNREACH', 'on no subnet of this kernel');
  // Nobody but others asks for an address of our own.
  if (family.addresses.isLocal(number) && !published) must(-Errno.EADDRNOTAVAIL);
  if (proxyOnly && (!published || address.family === 6)) must(-Errno.EINVAL);
  must(family.neighbors.addStatic(iface, number, macHi, macLo, !temporary, published, proxyOnly));
  return null;
}

function deleteNeighbor(target: ControlTarget, fields: Fields): null {
  const number = numberOf(target, input.address(fields, 'address'));
  const { neighbors } = target.inet.families.of(number);
  const found = neighbors.list().filter((neighbor) => neighbor.address === number);
  if (found.length === 0) throw new MultikernelError('ENOENT', 'no entry');
  for (const neighbor of found) neighbors.remove(neighbor);
  return null;
}

function addFilter(target: ControlTarget, fields: Fields): null {
  const id = input.name(fields, 'id');
  const from = input.addresses(fields, 'from').map((address) => numberOf(target, address));
  const action = input.integer(fields, 'action', 0, FILTER_REJECT) === FILTER_REJECT ? 'reject' : 'drop';
  const links = input.objects(fields, 'links').map((link) => ({
    ...macWords(input.linkAddress(link, 'linkAddress')),
    all: input.boolean(link, 'all'),
  }));
  target.inet.filter.add({ id, from, links, action });
  return null;
}

function deleteFilter(target: ControlTarget, fields: Fields): null {
  const id = input.name(fields, 'id');
  if (!target.inet.filter.remove(id)) throw new MultikernelError('ENOENT', `no filter ${id}`);
  return null;
}

function getVariables({ inet }: ControlTarget, fields: Fields): ControlReply<'sysctl.get'> {
  const name = input.name(fields, 'name');
  const found = inet.sysctl.list(name);
  if (found.length === 0) throw new MultikernelError('ENOENT', 'no such variable');
  return found.map(({ name, value, min, max }) => ({ name, value, min, max }));
}

function setVariable({ inet }: ControlTarget, fields: Fields): ControlReply<'sysctl.set'> {
  const name = input.name(fields, 'name');
  const value = fields.value;
  const variable = inet.sysctl.get(name);
  if (variable === undefined) throw new MultikernelError('ENOENT', 'no such variable');
  const before = variable.value;
  if (typeof value !== 'number') throw new MultikernelError('EINVAL', 'value: not a number');
  const result = inet.sysctl.set(name, value);
  if (result === -Errno.EINVAL) {
    throw new MultikernelError('EINVAL', `${value} is not in ${variable.min} to ${variable.max}`);
  }
  must(result);
  return { before, after: variable.value };
}

function listVariables({ inet }: ControlTarget, fields: Fields): ControlReply<'sysctl.list'> {
  const name = input.name(fields, 'name');
  const found = [...inet.sysctl.list(name), ...inet.sysctl.texts(name)];
  const nodes = found.map(({ name, value, description, readOnly }) => ({ name, value, description, readOnly }));
  return nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function setTextVariable({ inet }: ControlTarget, fields: Fields): ControlReply<'sysctl.setText'> {
  const name = input.name(fields, 'name');
  const before = inet.sysctl.texts(name).find((text) => text.name === name)?.value ?? '';
  must(inet.sysctl.setText(name, input.name(fields, 'value')));
  return { before };
}

/** Addresses on our own links before others. */
function hostList(target: ControlTarget): ControlReply<'host.list'> {
  const { name, hosts, inet } = target;
  const near = (address: IpAddress): boolean => {
    const number = numberOf(target, address);
    return inet.families.of(number).linkOf(number) !== null;
  };
  return {
    name,
    hosts: hosts.map((host) => ({
      name: host.name,
      addresses: host.addresses
        .map((address) => ({ address, far: Number(!near(address)) }))
        .sort((a, b) => a.far - b.far)
        .map(({ address }) => address),
    })),
  };
}

function haltKernel({ onHalt }: ControlTarget): null {
  if (onHalt === null) must(-Errno.EOPNOTSUPP);
  onHalt?.();
  return null;
}

const HANDLERS: { readonly [Op in ControlOperation]: Handler<Op> } = {
  'interface.list': ({ inet }) => inet.list().map((iface) => interfaceRecord(inet, iface)),
  'interface.names': ({ inet }) => inet.list().map(({ index, name }) => ({ index, name })),
  'interface.change': changeInterface,
  'interface.cloners': ({ inet }) => inet.interfaceTable.cloners.prefixes(),
  'interface.create': createInterface,
  'interface.destroy': destroyInterface,
  'interface.link': setLinkString,
  'interface.media': setMedia,
  'interface.rename': renameInterface,
  'vlan.set': setVlan,
  'tunnel.set': setTunnel,
  'bridge.get': bridges.get,
  'bridge.change': bridges.change,
  'bridge.member.add': bridges.addMember,
  'bridge.member.delete': bridges.deleteMember,
  'bridge.member.change': bridges.changeMember,
  'bridge.address.add': bridges.addAddress,
  'bridge.address.delete': bridges.deleteAddress,
  'bridge.flush': bridges.flush,
  'address.add': addAddress,
  'address.delete': deleteAddress,
  'link-address.add': addLinkAddress,
  'link-address.delete': deleteLinkAddress,
  'route.list': ({ inet }, fields) => {
    const family = input.family(fields) === 6 ? inet.ip6 : inet.ip4;
    return family.routes.list().map((route) => routeRecord(inet, route));
  },
  'route.add': routes.add,
  'route.change': routes.change,
  'route.delete': routes.remove,
  'route.get': routes.get,
  'neighbor.list': ({ inet }, fields) => {
    const { neighbors } = input.family(fields) === 6 ? inet.ip6 : inet.ip4;
    return neighbors.list().map((neighbor) => neighborRecord(inet, neighbor));
  },
  'neighbor.add': addNeighbor,
  'neighbor.delete': deleteNeighbor,
  'prefix.list': discovery.listPrefixes,
  'prefix.flush': discovery.flushPrefixes,
  'router.list': discovery.listRouters,
  'router.flush': discovery.flushRouters,
  'discovery.get': discovery.get,
  'discovery.change': discovery.change,
  'group.list': ({ inet }) => inet.list().flatMap((iface) => groupRecords(inet, iface)),
  'bpf.list': ({ bpf }) => bpf.list(),
  'socket.list': ({ inet }) => socketRecords(inet),
  'counter.list': ({ inet }) => counterRecords(inet),
  'sysctl.get': getVariables,
  'sysctl.list': listVariables,
  'sysctl.set': setVariable,
  'sysctl.setText': setTextVariable,
  'filter.add': addFilter,
  'filter.delete': deleteFilter,
  'impairment.set': setImpairment,
  'interface.cut': cutPorts,
  'host.list': hostList,
  'kernel.halt': haltKernel,
};

const TABLE: ReadonlyMap<string, Handler<never>> = new Map(Object.entries(HANDLERS) as [string, Handler<never>][]);

/** Every operation there is. */
export const CONTROL_OPERATIONS: readonly ControlOperation[] = [...TABLE.keys()] as ControlOperation[];

/** Answers one request. `operation` and `request` may be anything. Throws EOPNOTSUPP, EINVAL and what each operation refuses. */
export function answerControl(target: ControlTarget, operation: string, request: unknown): unknown {
  const handler = TABLE.get(operation);
  if (handler === undefined) throw new MultikernelError('EOPNOTSUPP', `no control operation ${String(operation)}`);
  return handler(target, input.fieldsOf(request, 'request'));
}
