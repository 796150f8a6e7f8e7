/** Bridges in text. Thread: any; pure functions. Read first: brconfig(8), sys/control.ts. */

import {
  type BridgeRecord,
  IFBAF_STATIC,
  IFBIF_DISCOVER,
  IFBIF_LEARNING,
  IFBIF_PROTECTED,
  IFBIF_STP,
} from '../sys/control.ts';
import { formatLinkAddress, type InterfaceNames } from './address-text.ts';

export interface BridgeMemberInfo {
  interface: string;
  flags: number;
  flagNames: string[];
  port: number;
  priority: number;
  pathCost: number;
  /** State in the spanning tree; `disabled` without one. */
  state: string;
}

export interface BridgeAddressInfo {
  mac: string;
  interface: string;
  /** Seconds; 0 for static ones. */
  expiresSec: number;
  static: boolean;
}

/** `brconfig --json BRIDGE`. */
export interface BridgeInfo extends Omit<BridgeRecord, 'members' | 'addresses' | 'root'> {
  name: string;
  members: BridgeMemberInfo[];
  addresses: BridgeAddressInfo[];
  root: { priority: number; mac: string; pathCost: number; isSelf: boolean };
}

/** `IFBIFBITS`, lowest first. */
const MEMBER_FLAGS: readonly (readonly [bit: number, name: string])[] = [
  [IFBIF_LEARNING, 'LEARNING'],
  [IFBIF_DISCOVER, 'DISCOVER'],
  [IFBIF_STP, 'STP'],
  [IFBIF_PROTECTED, 'PROTECTED'],
];
/** By `BSTP_*`. */
const STATES: readonly string[] = ['disabled', 'listening', 'learning', 'forwarding', 'blocking'];

export function bridgeInfo(name: string, record: BridgeRecord, names: InterfaceNames): BridgeInfo {
  const { members, addresses, root, ...settings } = record;
  const { linkAddress, ...rest } = root;
  return {
    name,
    ...settings,
    members: members.map(({ interfaceIndex, flags, state, ...member }) => ({
      interface: names.name(interfaceIndex),
      flags,
      flagNames: MEMBER_FLAGS.filter(([bit]) => (flags & bit) !== 0).map(([, flag]) => flag),
      state: STATES[state] ?? `<unknown state ${state}>`,
      ...member,
    })),
    addresses: addresses.map((entry) => ({
      mac: formatLinkAddress(entry.linkAddress),
      interface: names.name(entry.interfaceIndex),
      expiresSec: entry.expiresSec,
      static: (entry.flags & IFBAF_STATIC) !== 0,
    })),
    root: { ...rest, mac: formatLinkAddress(linkAddress) },
  };
}
