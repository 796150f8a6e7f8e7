/**
 * The control request that impairs an interface, in numbers.
 *
 * Thread: the one that runs the kernel. Cold: control requests. Read first: control.ts, ../link/impair.ts.
 */

import type { Inet } from '../inet/inet.ts';
import { type Impairment, JITTER_DISTRIBUTIONS } from '../net/impairment.ts';
import type { Interface } from '../net/interface.ts';
import { IMPAIR_OUT } from './control.ts';
import { interfaceOf, macWords } from './control-address.ts';
import * as input from './control-input.ts';

const INDEX_MAX = 0x7fffffff;
/** Last port of the largest network (link/network.ts). */
const PORT_MAX = 255;
const SEED_MAX = 0xffffffff;
/** An hour; a frame that waits longer is of no use to anybody. */
const DELAY_US_MAX = 3_600_000_000;
const RATE_BPS_MAX = 1e15;
const QUEUE_MAX = 0x7fffffff;

type Fields = ReturnType<typeof input.fieldsOf>;

/** Sender of frames: an Ethernet address, or a port of the network. */
export type FrameSource = { macHi: number; macLo: number } | { port: number };

/** The impairments of a kernel (kernel/impairments.ts). */
export interface InterfaceImpairments {
  /** Throws EINVAL, EOPNOTSUPP, ENOMEM. */
  set(
    iface: Interface,
    direction: 'in' | 'out',
    from: FrameSource | null,
    impairment: Impairment | null,
    seed: number,
  ): void;
  /** Throws EINVAL (no such port), EOPNOTSUPP. */
  cut(iface: Interface, ports: readonly number[]): void;
}

export function setImpairment(
  target: { readonly inet: Inet; readonly impairments: InterfaceImpairments },
  fields: Fields,
): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  const direction = input.integer(fields, 'direction', 0, IMPAIR_OUT) === IMPAIR_OUT ? 'out' : 'in';
  const from = sourceOf(fields);
  const values = fields.values === null ? null : impairmentOf(input.fieldsOf(fields.values, 'values'));
  const seed = input.integer(fields, 'seed', 0, SEED_MAX);
  target.impairments.set(iface, direction, from, values, seed);
  return null;
}

function sourceOf(fields: Fields): FrameSource | null {
  if (fields.fromPort !== undefined && fields.fromPort !== null) {
    return { port: input.integer(fields, 'fromPort', 0, PORT_MAX) };
  }
  return fields.from === null ? null : macWords(input.linkAddress(fields, 'from'));
}

/** The whole list: ports that are not in it are heard again. */
export function cutPorts(
  target: { readonly inet: Inet; readonly impairments: InterfaceImpairments },
  fields: Fields,
): null {
  const iface = interfaceOf(target, input.integer(fields, 'index', 1, INDEX_MAX));
  target.impairments.cut(iface, input.integers(fields, 'ports', 0, PORT_MAX));
  return null;
}

function impairmentOf(fields: Fields): Impairment {
  const chance = (name: string): number => input.number(fields, name, 0, 1);
  const queueFrames = input.integer(fields, 'queueFrames', 0, QUEUE_MAX);
  const queueBytes = input.integer(fields, 'queueBytes', 0, QUEUE_MAX);
  return {
    delayUs: input.number(fields, 'delayUs', 0, DELAY_US_MAX),
    jitterUs: input.number(fields, 'jitterUs', 0, DELAY_US_MAX),
    distribution: JITTER_DISTRIBUTIONS[
      input.integer(fields, 'distribution', 0, JITTER_DISTRIBUTIONS.length - 1)
    ] as NonNullable<Impairment['distribution']>,
    loss: chance('loss'),
    burst: {
      enter: chance('burstEnter'),
      leave: chance('burstLeave'),
      lossInside: chance('burstLossInside'),
      lossOutside: chance('burstLossOutside'),
    },
    duplicate: chance('duplicate'),
    reorder: chance('reorder'),
    corrupt: chance('corrupt'),
    rateBps: input.number(fields, 'rateBps', 0, RATE_BPS_MAX),
    ...(queueFrames === 0 ? {} : { queueFrames }),
    ...(queueBytes === 0 ? {} : { queueBytes }),
  };
}
