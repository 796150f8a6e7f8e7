/**
 * `shmif_dumpbus [-h] [-p FILE] BUS`: the frames that a bus still holds, as lines and as a pcap file. Thread: the command's.
 *
 * The bus is read as a file, while others use it; nobody notices. With `-p -` the capture goes to standard output and the lines to
 * standard error. Read first: shmif_dumpbus(1), mem/bus.ts.
 */

import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { MultikernelError } from '../../base/errors.ts';
import { US_PER_S } from '../../base/units.ts';
import { type BusFrame, framesOfBus } from '../../mem/bus.ts';
import { emitPcapHeader, emitPcapRecord } from '../../wire/pcap.ts';
import { getopt, UsageError } from '../getopt.ts';
import type { TextSink } from '../tool.ts';

const NAME = 'shmif_dumpbus';
const USAGE = `usage: ${NAME} [-h] [-p pcapfile] buspath`;
const SNAP_BYTES = 65_535;

/** Exit code: 1 for wrong arguments, and for what is no bus. */
export function dumpBus(args: readonly string[], out: TextSink): number {
  try {
    const { flags, values, rest } = getopt(args, 'hp:');
    const [path, ...more] = rest;
    if (path === undefined || more.length > 0) throw new UsageError(USAGE);
    dump(path, flags.has('h'), values.get('p') ?? null, out);
    return 0;
  } catch (error) {
    if (error instanceof UsageError)
      out.error(error.message === USAGE ? `${USAGE}\n` : `${NAME}: ${error.message}\n${USAGE}\n`);
    else if (error instanceof MultikernelError)
      out.error(`${NAME}: ${args.at(-1)} not a shmif bus: ${error.message}\n`);
    else out.error(`${NAME}: ${(error as Error).message}\n`);
    return 1;
  }
}

function dump(path: string, headerOnly: boolean, pcap: string | null, out: TextSink): void {
  const fd = openSync(path, 'r');
  const { lanes, frames } = framesOfBus((into, offset) => void readSync(fd, into, 0, into.length, offset));
  closeSync(fd);
  const say = (line: string): void => (pcap === '-' ? out.error(`${line}\n`) : out.write(`${line}\n`));
  say(`bus version 1, places: 64, used: ${lanes.length}, packets: ${frames.length}`);
  for (const { lane, holder, head, frames: sent } of lanes) {
    const state = holder < 0 ? 'free' : `holder ${holder}`;
    say(`place ${lane}: ${state}, offset: 0x${(head >>> 0).toString(16).padStart(4, '0')}, sent: ${sent >>> 0}`);
  }
  if (headerOnly) return;
  frames.forEach(({ lane, timeUs, bytes }, i) => {
    const seconds = Math.floor(timeUs / US_PER_S);
    const rest = String(Math.floor(timeUs - seconds * US_PER_S)).padStart(6, '0');
    say(`packet ${i}, place ${lane}, length 0x${bytes.length.toString(16).padStart(4, '0')}, ts ${seconds}/${rest}`);
  });
  if (pcap === '-') for (const part of pcapParts(frames)) out.writeBytes(part);
  else if (pcap !== null) writeFileSync(pcap, concat(pcapParts(frames)));
}

function pcapParts(frames: readonly BusFrame[]): Uint8Array[] {
  return [emitPcapHeader(SNAP_BYTES), ...frames.map(({ timeUs, bytes }) => emitPcapRecord(timeUs, bytes))];
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
