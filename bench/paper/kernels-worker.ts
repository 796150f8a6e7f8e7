/**
 * Role: one side of a measurement between two kernels: side 0 sends (and asks), side 1 receives (and answers).
 * Thread: a worker of its own that runs its kernel in a loop, spinning or asleep between packets; every wait has a time limit.
 * Arrivals are checked: sequence number and last byte of datagrams, some bytes of every segment.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { SeededRng } from '#src/base/rng';
import { SpinClock } from '#src/host/node/spin-clock';
import { Kernel } from '#src/kernel/kernel';
import { CAP_CHECKSUM_PARTIAL, CAP_SUPER_FRAMES, type NetworkDescriptor, openVni } from '#src/link/index';
import { Arena, Doorbell, type WasmMemory } from '#src/mem/index';
import type { KernelRun } from './kernels.ts';
import { WORKER_GRACE_MS } from './sides.ts';
import { SpinLine } from './spin-line.ts';
import { aloneTcp } from './tcp-alone.ts';
import { answerTcp, askTcp, receiveTcp, sendTcp } from './tcp-side.ts';
import { aloneUdp, answerUdp, askUdp, receiveUdp, sendUdp } from './udp-side.ts';

export interface KernelSetup {
  memory: WasmMemory;
  network: NetworkDescriptor;
  controlAt: number;
  heapBytes: number;
  /** Per side. */
  heaps: number[];
  doorbells: number[];
  side: 0 | 1;
  run: KernelRun;
}

/** A kernel, and the means to give it turns. */
export interface Side {
  kernel: Kernel;
  run: KernelRun;
  line: SpinLine;
  /** The other kernel's address. */
  peer: number;
  /** One turn; with `asleep`, sleeps until there is something to do. */
  turn(): void;
  /** One turn without sleeping. */
  work(): number;
}

/** 192.0.2.1 and 192.0.2.2: addresses for documentation, which exist in the arena only. */
const ADDRESSES = ['192.0.2.1', '192.0.2.2'];
const NETWORK = 0xc0000200 | 0;
/** Longest sleep: to look at the time limit. */
const SLEEP_MS = 100;

const boot = workerData as KernelSetup;
const { run } = boot;
const arena = Arena.attach(boot.memory);
const limitMs = performance.now() + run.ms + run.warmupMs + WORKER_GRACE_MS;
const line = new SpinLine(arena.words, boot.controlAt, boot.side, limitMs);

function openSide(side: 0 | 1): Side {
  const doorbellAt = boot.doorbells[side] as number;
  const clock = new SpinClock();
  const kernel = Kernel.create({
    name: `bench${side}`,
    arena,
    host: { rng: new SeededRng(side + 1), nowUs: () => clock.readUs(), epochNs: 0n, requestWork: () => {} },
    heap: { at: boot.heaps[side] as number, bytes: boot.heapBytes },
    interfaces: [
      {
        addresses: [`${ADDRESSES[side]}/24`],
        device: ({ bulk }) =>
          openVni(arena, bulk, boot.network, side, {
            name: `bench${side}/eth0`,
            mac: { hi: 0x0200, lo: side + 1 },
            mtuBytes: run.mtuBytes,
            capabilities:
              (run.checksum === 'flag' ? CAP_CHECKSUM_PARTIAL : 0) | (run.superFrames ? CAP_SUPER_FRAMES : 0),
            doorbellAt,
          }),
      },
    ],
  });
  const doorbell = new Doorbell(arena, doorbellAt);
  let idle = 0;
  const work = (): number => {
    const done = kernel.cpus[0].doWork(clock.turnUs());
    clock.turned(done);
    if (done > 0) idle = 0;
    else if ((++idle & 0xfff) === 0) line.checkLimit();
    return done;
  };
  const turn = (): void => {
    if (work() > 0 || !run.asleep) return;
    doorbell.arm();
    if (kernel.cpus[0].workPending()) {
      doorbell.disarm();
      return;
    }
    const untilMs = (kernel.cpus[0].nextDeadlineUs() - clock.readUs()) / 1000;
    doorbell.wait(Math.min(SLEEP_MS, Math.max(0, untilMs)));
    line.checkLimit();
  };
  return { kernel, run, line, peer: NETWORK | (2 - side), turn, work };
}

function main(): Record<string, number | null> {
  if (run.kind === 'udpAlone') return aloneUdp(openSide(0), openSide(1));
  if (run.kind === 'tcpAlone') return aloneTcp(openSide(0), openSide(1));
  const side = openSide(boot.side);
  const sender = boot.side === 0;
  line.meet();
  const rttBeforeNs = line.roundTrip();
  const result = {
    udp: sender ? sendUdp : receiveUdp,
    udpRoundTrip: sender ? askUdp : answerUdp,
    tcp: sender ? sendTcp : receiveTcp,
    tcpRoundTrip: sender ? askTcp : answerTcp,
  }[run.kind](side);
  line.meet();
  return { ...result, rttBeforeNs, rttAfterNs: line.roundTrip() };
}

parentPort?.postMessage(main());
