/**
 * Control requests about bridges, in numbers: the ioctls of brconfig(8).
 *
 * Thread: the one that runs the kernel. Cold: control requests. Read first: control.ts, ../net/bridge/bridge.ts.
 */

import { errnoName, MultikernelError } from '../base/errors.ts';
import { US_PER_S } from '../base/units.ts';
import type { Inet } from '../inet/inet.ts';
import type { Bridge } from '../net/bridge/bridge.ts';
import { BridgeLink } from '../net/bridge/bridge-link.ts';
import type { BridgeMember } from '../net/bridge/member.ts';
import type { Interface } from '../net/interface.ts';
import {
  type BridgeRecord,
  IFBAF_STATIC,
  IFBIF_DISCOVER,
  IFBIF_LEARNING,
  IFBIF_PROTECTED,
  IFBIF_STP,
} from './control.ts';
import { interfaceOf, macWords } from './control-address.ts';
import * as input from './control-input.ts';
import { linkAddressRecord } from './records.ts';

const INDEX_MAX = 0x7fffffff;
const UINT32_MAX = 0xffffffff;
/** Stations that a bridge may be told to remember. */
const ADDRESSES_MAX = 1 << 20;
const FLAGS: number = IFBIF_LEARNING | IFBIF_DISCOVER | IFBIF_STP | IFBIF_PROTECTED;
const PATH_COST_MAX = 65535;
/** Ranges of IEEE 802.1D-1998 table 8-3, in seconds. */
const HELLO_SEC = [1, 10] as const;
const FORWARD_DELAY_SEC = [4, 30] as const;
const MAX_AGE_SEC = [6, 40] as const;

type Fields = ReturnType<typeof input.fieldsOf>;
type Target = { readonly inet: Inet };

function must(result: number): void {
  if (result < 0) throw new MultikernelError(errnoName(result), errnoName(result));
}

function bridgeOf(target: Target, fields: Fields): Bridge {
  const { link, name } = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  if (!(link instanceof BridgeLink)) throw new MultikernelError('EINVAL', `${name} is not a bridge`);
  return link.bridge;
}

function otherOf(target: Target, fields: Fields): Interface {
  return interfaceOf(target, input.integer(fields, 'memberIndex', 1, INDEX_MAX));
}

function memberOf(target: Target, fields: Fields, bridge: Bridge): BridgeMember {
  const iface = otherOf(target, fields);
  const member = bridge.member(iface);
  if (member === null) throw new MultikernelError('ENOENT', `${iface.name} is no member`);
  return member;
}

export function get(target: Target, fields: Fields): BridgeRecord {
  const { addresses, tree, ...bridge } = parts(bridgeOf(target, fields));
  const nowUs = target.inet.cpus[0].context.nowUs();
  const { root } = tree;
  return {
    priority: tree.priority,
    helloTimeSec: tree.helloSec,
    forwardDelaySec: tree.forwardDelaySec,
    maxAgeSec: tree.maxAgeSec,
    maxAddresses: addresses.maxAddresses,
    timeoutSec: addresses.timeoutSec,
    members: bridge.members.map(({ iface, flags, port }) => ({
      interfaceIndex: iface.index,
      flags,
      port: port.number,
      priority: port.priority,
      pathCost: port.pathCost,
      state: port.state,
    })),
    addresses: addresses.list().map(({ hi, lo, member, isStatic, expiresUs }) => ({
      linkAddress: linkAddressRecord(hi, lo),
      interfaceIndex: member.iface.index,
      expiresSec: expiresUs === Infinity ? 0 : Math.max(0, Math.ceil((expiresUs - nowUs) / US_PER_S)),
      flags: isStatic ? IFBAF_STATIC : 0,
    })),
    root: {
      priority: root.hi >>> 16,
      linkAddress: linkAddressRecord(root.hi & 0xffff, root.lo),
      pathCost: tree.rootCost,
      isSelf: tree.isRoot,
    },
  };
}

function parts(bridge: Bridge): Pick<Bridge, 'addresses' | 'tree'> & { members: BridgeMember[] } {
  return { addresses: bridge.addresses, tree: bridge.tree, members: bridge.members() };
}

export function change(target: Target, fields: Fields): null {
  const { tree, addresses } = bridgeOf(target, fields);
  const priority = input.optionalInteger(fields, 'priority', 0, 0xffff);
  const helloSec = input.optionalInteger(fields, 'helloTimeSec', ...HELLO_SEC);
  const forwardDelaySec = input.optionalInteger(fields, 'forwardDelaySec', ...FORWARD_DELAY_SEC);
  const maxAgeSec = input.optionalInteger(fields, 'maxAgeSec', ...MAX_AGE_SEC);
  const maxAddresses = input.optionalInteger(fields, 'maxAddresses', 0, ADDRESSES_MAX);
  const timeoutSec = input.optionalInteger(fields, 'timeoutSec', 0, UINT32_MAX);
  tree.reconfigure(() => {
    tree.priority = priority ?? tree.priority;
    tree.helloSec = helloSec ?? tree.helloSec;
    tree.forwardDelaySec = forwardDelaySec ?? tree.forwardDelaySec;
    tree.maxAgeSec = maxAgeSec ?? tree.maxAgeSec;
  });
  if (timeoutSec !== undefined) addresses.timeoutSec = timeoutSec;
  if (maxAddresses !== undefined) addresses.setMaxAddresses(maxAddresses, target.inet.cpus[0].context.nowUs());
  return null;
}

export function addMember(target: Target, fields: Fields): null {
  const bridge = bridgeOf(target, fields);
  const iface = otherOf(target, fields);
  must(bridge.canAdd(iface));
  const { mtuBytes } = bridge.iface;
  if (iface.mtuBytes !== mtuBytes) must(target.inet.setMtu(iface, mtuBytes));
  must(bridge.add(iface));
  target.inet.interfaceChanged(iface, false);
  return null;
}

export function deleteMember(target: Target, fields: Fields): null {
  const bridge = bridgeOf(target, fields);
  const { iface } = memberOf(target, fields, bridge);
  must(bridge.remove(iface));
  target.inet.interfaceChanged(iface, false);
  return null;
}

export function changeMember(target: Target, fields: Fields): null {
  const bridge = bridgeOf(target, fields);
  const member = memberOf(target, fields, bridge);
  const set = input.optionalWord(fields, 'setFlags');
  const clear = input.optionalWord(fields, 'clearFlags');
  const priority = input.optionalInteger(fields, 'priority', 0, 0xff);
  const pathCost = input.optionalInteger(fields, 'pathCost', 1, PATH_COST_MAX);
  if (((set | clear) & ~FLAGS) !== 0) throw new MultikernelError('EINVAL', 'flags: no such flag');
  bridge.setFlags(member, (member.flags | set) & ~clear);
  if (priority === undefined && pathCost === undefined) return null;
  bridge.tree.reconfigure(() => {
    member.port.priority = priority ?? member.port.priority;
    member.port.pathCost = pathCost ?? member.port.pathCost;
  });
  return null;
}

export function addAddress(target: Target, fields: Fields): null {
  const bridge = bridgeOf(target, fields);
  const member = memberOf(target, fields, bridge);
  const { macHi, macLo } = macWords(input.linkAddress(fields, 'linkAddress'));
  must(bridge.addresses.setStatic(macHi, macLo, member));
  return null;
}

export function deleteAddress(target: Target, fields: Fields): null {
  const bridge = bridgeOf(target, fields);
  const { macHi, macLo } = macWords(input.linkAddress(fields, 'linkAddress'));
  must(bridge.addresses.remove(macHi, macLo));
  return null;
}

export function flush(target: Target, fields: Fields): null {
  const bridge = bridgeOf(target, fields);
  bridge.addresses.flush(input.boolean(fields, 'all'));
  return null;
}
