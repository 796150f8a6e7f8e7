/** The shape of `timeline:`. Thread: any. Read first: config.ts (TimelineOptions), timeline.ts. */

import * as v from 'valibot';
import type { TimelineOptions } from './config.ts';
import { impairment } from './link-schema.ts';
import { parseProgramCommand } from './program-command.ts';
import { duration, expected, flag, map, name, oneOf, text } from './schema-parts.ts';

export const TIMELINE_ACTIONS = [
  'break',
  'heal',
  'netem',
  'kill',
  'restart',
  'start',
  'stop',
  'power_off',
  'pause',
  'resume',
  'run',
] as const;

const SIDES_TEXT = 'two sides or more, such as [api, db] or [[api, web], db]';
const side = v.union([name, v.pipe(v.array(name), v.minLength(1))], expected('a node, or a list of nodes'));
const sides = v.pipe(v.array(side, expected(SIDES_TEXT)), v.minLength(2, expected(SIDES_TEXT)));
const ENDPOINTS_TEXT = 'two endpoints, such as [api, db], or a node';

export const timelineEntry: v.GenericSchema<TimelineOptions> = v.pipe(
  map({
    at: v.pipe(duration, v.description('this long after the lab is up')),
    break: v.optional(
      v.pipe(sides, v.description('cut nodes, or groups of nodes, from each other, each from every other')),
    ),
    one_way: v.optional(v.pipe(flag, v.description('break: cut only what the first side sends'))),
    how: v.optional(
      v.pipe(oneOf('blackhole', 'reject'), v.description('break: silence (default), or RST and ICMP as a firewall')),
    ),
    heal: v.optional(
      v.pipe(
        v.union([v.literal('all'), sides], expected(`${SIDES_TEXT}, or "all"`)),
        v.description('undo a break between these sides, or all'),
      ),
    ),
    netem: v.optional(
      v.pipe(
        v.union([name, v.pipe(v.array(text('an endpoint')), v.length(2))], expected(ENDPOINTS_TEXT)),
        v.description('a link, or all attachments of a node, that "impair" is about'),
      ),
    ),
    impair: v.optional(
      v.pipe(
        v.union([v.literal('none'), impairment], expected('"none", or values such as { delay: 40ms }')),
        v.description('netem: values on top of those it has; "none" takes all of them away'),
      ),
    ),
    kill: v.optional(v.pipe(name, v.description('end the program of a node; its machine goes on'))),
    restart: v.optional(v.pipe(name, v.description('switch a node off and on again'))),
    start: v.optional(
      v.pipe(name, v.description('start a program that does not run, and its machine where that is off')),
    ),
    stop: v.optional(
      v.pipe(
        name,
        v.description(
          'ask the program of a node to end (SIGTERM, after 10 s SIGKILL); its machine goes on; without a program: switch it off',
        ),
      ),
    ),
    power_off: v.optional(v.pipe(name, v.description('switch a node off, as by pulling its plug'))),
    pause: v.optional(v.pipe(name, v.description('let the program of a node stand still; its machine goes on'))),
    resume: v.optional(v.pipe(name, v.description('let it go on'))),
    run: v.optional(
      v.pipe(
        text('a program, as in "node load.js"'),
        v.rawCheck(({ dataset, addIssue }) => {
          if (!dataset.typed) return;
          const command = parseProgramCommand(dataset.value);
          if (typeof command === 'string') addIssue({ message: command });
        }),
        v.description('start node [flags] script [arguments] on the node "on", which runs none'),
      ),
    ),
    on: v.optional(v.pipe(name, v.description('run: the node'))),
  }),
  v.check(
    (e) => TIMELINE_ACTIONS.filter((action) => e[action] !== undefined).length === 1,
    `exactly one of ${TIMELINE_ACTIONS.join(', ')} is needed`,
  ),
  v.check((e) => (e.netem === undefined) === (e.impair === undefined), '"netem" and "impair" belong together'),
  v.check((e) => (e.run === undefined) === (e.on === undefined), '"run" and "on" belong together'),
  v.check(
    (e) => e.break !== undefined || (e.one_way === undefined && e.how === undefined),
    '"one_way" and "how" belong to "break"',
  ),
) as unknown as v.GenericSchema<TimelineOptions>;
