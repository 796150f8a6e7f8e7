/**
 * Role: `mk bench peers`: everything that ours is held against, alone: C, Node's own stack, Linux with iperf3.
 * Thread: the harness's main thread.
 */

import type { Bench, BenchContext } from '../context.ts';
import type { Subject } from '../harness/measure.ts';
import type { Row } from '../harness/row.ts';
import {
  connectSubjects,
  type Duration,
  dgramSubjects,
  FULL,
  httpSubjects,
  QUICK,
  streamSubjects,
  unixSubjects,
} from '../path/loads.ts';
import { processes, workers } from '../path/stages.ts';
import { cSubjects } from './c-peers.ts';
import { iperfSubjects } from './iperf3.ts';
import { messagePortSubjects } from './messageport.ts';

/** Node's rows; quick leaves out http and unix sockets between processes. */
function nodeSubjects(quick: boolean, duration: Duration): Subject[] {
  const ms = duration.seconds * 1000;
  const both = [workers, processes];
  return [
    ...both.flatMap((stage) => streamSubjects(stage, duration)),
    ...(quick ? [workers] : both).flatMap((stage) => unixSubjects(stage, duration)),
    ...both.flatMap((stage) => dgramSubjects(stage, duration)),
    ...messagePortSubjects({ ms }),
    ...(quick ? [workers] : both).flatMap((stage) =>
      httpSubjects(stage, duration, quick ? ['agent'] : ['agent', 'raw']),
    ),
    ...both.flatMap((stage) => connectSubjects(stage, duration)),
  ];
}

async function run(context: BenchContext): Promise<Row[]> {
  const { quick } = context.effort;
  const c = cSubjects(context.peers, { ms: quick ? 150 : 500, quick });
  const iperf = iperfSubjects(context.peers, { seconds: quick ? 1 : 2, quick });
  const node = nodeSubjects(quick, quick ? QUICK : FULL).map((subject) =>
    quick ? { ...subject, repetitionsMax: 2 } : subject,
  );
  return context.measure([...c, ...iperf, ...node]);
}

export const bench: Bench = { run };
