/**
 * The placement of programs whose node names none, chosen per machine.
 *
 * Thread: the supervisor's. Read first: docs/notes/remote-calls.md (rings).
 */

import { libc, missing } from '../host/node/ffi/libc.ts';
import type { Placement } from './config.ts';

/** Memory that a process of Node takes with a small program. */
const PROCESS_BYTES = 64 * 1024 * 1024;
/** Nodes of a lab at most, for whose programs there is shared memory. */
export const SHARING_NODES_MAX = 160;
/** Share of the free memory that processes may take. */
const MEMORY_SHARE = 0.5;

export interface PlacementChoice {
  readonly placement: Placement;
  /** Reason, in a few words. */
  readonly reason: string;
}

/** A program with settings that no thread has, on any machine. */
export const NEEDS_PROCESS: PlacementChoice = { placement: 'process', reason: 'settings that only a process has' };

/** Memory that is free for this process and others, of the machine or of the container. */
export function freeMemoryBytes(): number {
  return process.availableMemory();
}

/** The choice for a lab of so many programs on so many nodes. */
export function choosePlacement(
  programs: number,
  nodes: number = programs,
  freeBytes: number = freeMemoryBytes(),
): PlacementChoice {
  if (libc() === null) return { placement: 'beside', reason: missing() };
  if (nodes > SHARING_NODES_MAX)
    return {
      placement: 'beside',
      reason: `a lab of more than ${SHARING_NODES_MAX} nodes shares no memory with processes`,
    };
  if (programs * PROCESS_BYTES > freeBytes * MEMORY_SHARE)
    return { placement: 'beside', reason: `${programs} processes would take more than half of the free memory` };
  return { placement: 'process', reason: 'memory can be shared with processes' };
}
