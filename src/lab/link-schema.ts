/**
 * The shape of `links:` and of what impairs them, in the lab file and in calls; and of `tunnels:`.
 *
 * Thread: any. Read first: config.ts (LinkOptions), link-places.ts.
 */

import * as v from 'valibot';
import { JITTER_DISTRIBUTIONS } from '../link/impairment.ts';
import type { ImpairmentOptions, LinkOptions, TunnelOptions } from './config.ts';
import { queueLimit } from './impairment-values.ts';
import { durationMs, rateBps, share } from './quantity.ts';
import { record } from './record-schema.ts';
import { expected, integer, map, oneOf, text } from './schema-parts.ts';

const SHARE_TEXT = 'a share such as 2% (a number is below 1)';
const RATE_TEXT = 'a rate such as 1mbit';
const TIME_TEXT = 'a time with its unit, such as 40ms';
const QUEUE_TEXT = 'a queue: packets, such as 64, or bytes, such as 64KiB';
const DELAY_MS_MAX = 3_600_000;

const time = v.pipe(
  v.string(expected(TIME_TEXT)),
  v.check((t) => durationMs(t) >= 0, expected(TIME_TEXT)),
  v.check((t) => durationMs(t) <= DELAY_MS_MAX, 'an hour at most'),
);
const chance = v.pipe(
  v.union([v.number(), v.string()], expected(SHARE_TEXT)),
  v.check((p) => share(p) >= 0, expected(SHARE_TEXT)),
);

/** Values of one direction. */
const LINE = {
  delay: v.optional(v.pipe(time, v.description('time that each packet takes, e.g. 40ms'))),
  jitter: v.optional(v.pipe(time, v.description('the delay varies by so much; packets keep their order'))),
  distribution: v.optional(
    v.pipe(oneOf(...JITTER_DISTRIBUTIONS), v.description('of the jitter: "uniform" (default) or as in tc netem')),
  ),
  loss: v.optional(v.pipe(chance, v.description('share of packets that are lost, e.g. 2%'))),
  burst: v.optional(
    v.pipe(
      map({
        enter: v.pipe(chance, v.description('chance per packet that a burst begins')),
        leave: v.pipe(chance, v.description('chance per packet that it ends')),
        inside: v.optional(v.pipe(chance, v.description('share that is lost within a burst; default 100%'))),
        outside: v.optional(v.pipe(chance, v.description('share that is lost outside; default 0%'))),
      }),
      v.description('losses in bursts (Gilbert-Elliott)'),
    ),
  ),
  duplicate: v.optional(v.pipe(chance, v.description('share of packets that come twice'))),
  corrupt: v.optional(v.pipe(chance, v.description('share of packets in which one bit is turned over'))),
  reorder: v.optional(v.pipe(chance, v.description('share of packets that skip the delay and overtake others'))),
  rate: v.optional(
    v.pipe(
      v.string(expected(RATE_TEXT)),
      v.check((r) => rateBps(r) >= 0, expected(RATE_TEXT)),
      v.description('bits per second, e.g. 1mbit; 0bit: as fast as it goes'),
    ),
  ),
  queue: v.optional(
    v.pipe(
      v.union([v.number(), v.string()], expected(QUEUE_TEXT)),
      v.check((q) => queueLimit(q) !== null, expected(QUEUE_TEXT)),
      v.description('what waits for the rate at most: packets (default 1000), or bytes such as 64KiB; more is dropped'),
    ),
  ),
};

const ownValues = map(LINE);
const way = v.union([v.literal(true), ownValues], expected('true, or a map of values for this way alone'));
// A value that is wrong is named by its own key; a union would say that none of its parts fits.
const runWay = way['~run'];
Object.assign(way, {
  '~run': (dataset: { value: unknown }, config: never) =>
    typeof dataset.value === 'object' && dataset.value !== null && !Array.isArray(dataset.value)
      ? ownValues['~run'](dataset as never, config)
      : runWay.call(way, dataset as never, config),
});

/** `ImpairmentOptions`, checked. */
export const impairment: v.GenericSchema<ImpairmentOptions> = v.pipe(
  map({
    ...LINE,
    both: v.optional(v.pipe(v.literal(true, expected('true')), v.description('the values hold both ways (default)'))),
    up: v.optional(v.pipe(way, v.description('first endpoint to second: true (only this way), or its own values'))),
    down: v.optional(v.pipe(way, v.description('second endpoint to first: true (only this way), or its own values'))),
  }),
  v.check((i) => i.both !== true || (i.up !== true && i.down !== true), '"both", "up" or "down", not two of them'),
) as unknown as v.GenericSchema<ImpairmentOptions>;

const ENDPOINT = /^[a-z0-9][a-z0-9.-]*(:(eth|vlan)\d{1,3})?$/;
const ENDPOINT_TEXT = 'an endpoint: a node, NODE:ethN, or a network';
const END_TEXT = 'an end: a node, or NODE:ethN';
const TUNNEL_MTU_BYTES_MAX = 8192;

export const link: v.GenericSchema<LinkOptions> = map({
  endpoints: v.pipe(
    v.array(
      v.pipe(v.string(expected(ENDPOINT_TEXT)), v.regex(ENDPOINT, expected(ENDPOINT_TEXT))),
      expected('a list of two endpoints'),
    ),
    v.length(2, expected('a list of two endpoints')),
    v.description(
      'two nodes: the path between them on the networks that both are on; a node and a network: its attachment; NODE:ethN twice: a cable of their own',
    ),
  ),
  impair: v.optional(v.pipe(impairment, v.description('what is wrong with it'))),
  prefix: v.optional(
    v.pipe(
      v.union([text('a prefix'), v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(2))], expected('a prefix')),
      v.description('of a cable; default: the next free 10.0.N.0/24'),
    ),
  ),
  mtu: v.optional(v.pipe(integer(576, 65521), v.description('of a cable; default 1500'))),
}) as unknown as v.GenericSchema<LinkOptions>;

export const tunnel: v.GenericSchema<TunnelOptions> = map({
  endpoints: v.pipe(
    v.array(
      v.pipe(v.string(expected(END_TEXT)), v.regex(ENDPOINT, expected(END_TEXT))),
      expected('a list of two ends'),
    ),
    v.length(2, expected('a list of two ends')),
    v.description(
      'two nodes, or interfaces of theirs, whose addresses the outer packets have; default: those nearest to the other end',
    ),
  ),
  prefix: v.optional(
    v.pipe(
      v.union([text('a prefix'), v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(2))], expected('a prefix')),
      v.description('inside the tunnel: IPv4, IPv6 or a list of both; default: the next free 10.0.N.0/24'),
    ),
  ),
  mtu: v.optional(
    v.pipe(integer(576, TUNNEL_MTU_BYTES_MAX), v.description('largest packet inside the tunnel, default 1280')),
  ),
  over: v.optional(
    v.pipe(oneOf('ipv4', 'ipv6'), v.description('family of the outer packets; default: IPv4 where both ends have it')),
  ),
  routes: v.optional(
    v.pipe(
      record(
        v.string(),
        v.array(text('a network, a prefix or "default"'), expected('a list of networks')),
        expected('a map from end to networks'),
      ),
      v.description(
        'by end, what it sends through the tunnel: networks, prefixes or "default"; default: all that lies behind the other end, and all that has no other way',
      ),
    ),
  ),
}) as unknown as v.GenericSchema<TunnelOptions>;
