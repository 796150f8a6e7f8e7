/**
 * Abilities of this machine that labs use: found by trying, not by asking for versions.
 *
 * Thread: the caller's. Missing: tap and packet sockets, which kernels cannot use yet.
 */

import { availableParallelism, release } from 'node:os';
import { libc, missing } from '../host/node/ffi/libc.ts';
import { createSharedFile, openSharedFile } from '../host/node/ffi/shared-file.ts';
import type { Placement } from './config.ts';
import { choosePlacement, freeMemoryBytes, SHARING_NODES_MAX } from './default-placement.ts';

/** One ability of the machine. */
export interface Ability {
  /** Name of the ability. */
  readonly name: string;
  /** Whether this machine has it. */
  readonly works: boolean;
  /** Its use; where it does not work, the reason. */
  readonly note: string;
}

/** Abilities of this machine and of this Node, as `mk doctor` prints them. */
export interface MachineReport {
  /** Version of Node. */
  readonly node: string;
  /** Operating system, its release and processor, e.g. "linux 6.1.0 x64". */
  readonly system: string;
  /** Processors that this process may use. */
  readonly cores: number;
  /** Memory that is free. */
  readonly freeBytes: number;
  /** Abilities of the host that labs use. */
  readonly abilities: readonly Ability[];
  /** Placement of a program whose node names none. */
  readonly placement: Placement;
  /** Reason of `placement`. */
  readonly placementReason: string;
}

const TRIAL_BYTES = 65_536;

/** '' when two mappings of one file are one memory, otherwise why not. */
function sharedMemoryFault(): string {
  if (libc() === null) return missing();
  try {
    const file = createSharedFile(TRIAL_BYTES);
    try {
      const [one, other] = [file.path, file.path].map((path) => new Uint8Array(openSharedFile(path, TRIAL_BYTES)));
      if (one === undefined || other === undefined) return 'no mapping';
      one[TRIAL_BYTES - 1] = 7;
      return other[TRIAL_BYTES - 1] === 7 ? '' : 'two mappings of a file are two memories';
    } finally {
      file.close();
    }
  } catch (error) {
    return (error as Error).message;
  }
}

/** The report, as this process finds it. */
export function machineReport(): MachineReport {
  const fault = sharedMemoryFault();
  const { placement, reason } = choosePlacement(1);
  return {
    node: process.version,
    system: `${process.platform} ${release()} ${process.arch}`,
    cores: availableParallelism(),
    freeBytes: freeMemoryBytes(),
    abilities: [
      {
        name: 'memory between processes',
        works: fault === '',
        note:
          fault === ''
            ? `programs that are processes send without system calls, in labs of up to ${SHARING_NODES_MAX} nodes`
            : `${fault}; programs that are processes send over sockets of the host`,
      },
    ],
    placement,
    placementReason: reason,
  };
}
