/**
 * The shape of `bridge:` of a node.
 *
 * Thread: any. Read first: config.ts (BridgeOptions), schema-parts.ts.
 */

import * as v from 'valibot';
import type { BridgeOptions } from './config.ts';
import { durationMs } from './quantity.ts';
import { record } from './record-schema.ts';
import { expected, flag, integer, map, text } from './schema-parts.ts';

/** Whole seconds, as brconfig(8) takes them. */
const seconds = (least: number, most: number): v.GenericSchema<string> => {
  const what = `a time in whole seconds, ${least}s to ${most}s`;
  return v.pipe(
    v.string(expected(what)),
    v.check((t) => {
      const ms = durationMs(t);
      return ms >= least * 1000 && ms <= most * 1000 && ms % 1000 === 0;
    }, expected(what)),
  );
};
/** A day. */
const TIMEOUT_SEC_MAX = 86_400;
const ADDRESSES_MAX = 1 << 20;

const port = map({
  stp: v.optional(v.pipe(flag, v.description('whether it takes part in the spanning tree; default: as the bridge'))),
  priority: v.optional(v.pipe(integer(0, 255), v.description('among ports of one bridge on one network; default 128'))),
  cost: v.optional(v.pipe(integer(1, 65535), v.description('of the way to the root by this port; default 55'))),
  learn: v.optional(v.pipe(flag, v.description('whether stations are learned; default true'))),
  discover: v.optional(v.pipe(flag, v.description('whether frames to unknown stations leave by it; default true'))),
  protected: v.optional(v.pipe(flag, v.description('protected ports pass nothing to each other; default false'))),
});

export const bridge: v.GenericSchema<BridgeOptions> = map({
  stp: v.optional(v.pipe(flag, v.description('spanning tree; default: where bridges form a circle'))),
  priority: v.optional(
    v.pipe(integer(0, 65535), v.description('the bridge of the lowest becomes the root; default 32768')),
  ),
  hello_time: v.optional(
    v.pipe(
      seconds(1, 10),
      v.description("between two messages of the root; default 2s; the root's times hold for all"),
    ),
  ),
  forward_delay: v.optional(
    v.pipe(seconds(4, 30), v.description('in each of the two states before a port forwards; default 4s')),
  ),
  max_age: v.optional(v.pipe(seconds(6, 40), v.description('life of what the root has said; default 20s'))),
  max_addresses: v.optional(
    v.pipe(integer(1, ADDRESSES_MAX), v.description('stations that it remembers; default 65536')),
  ),
  timeout: v.optional(
    v.pipe(
      seconds(0, TIMEOUT_SEC_MAX),
      v.description('life of a station that is not heard; 0s: for ever; default 20m'),
    ),
  ),
  static: v.optional(
    v.pipe(
      record(v.string(), text('a network or an interface'), expected('a map from node to network')),
      v.description('stations known beforehand: by node or Ethernet address, the network or interface they are behind'),
    ),
  ),
  ports: v.optional(
    v.pipe(
      record(v.string(), port, expected('a map from network to settings')),
      v.description('settings of its ports, by network or interface'),
    ),
  ),
}) as unknown as v.GenericSchema<BridgeOptions>;
