/**
 * Memory of the arena for the frames of sessions: pieces over which a file is mapped while a client in another process uses it.
 *
 * Thread: the one that runs the kernel. Every thread of the process sees the file in the arena, and its code copies between the two as
 * within one memory. Read first: host/node/ffi/shared-file.ts, mem/ring-pair.ts.
 */

import type { EventLoop } from '../host/node/event-loop.ts';
import { createSharedFile, mapFile, unmapFile } from '../host/node/ffi/shared-file.ts';
import type { Arena } from '../mem/arena.ts';
import { formatRingPair, RingPair } from '../mem/ring-pair.ts';
import { SESSION_BYTES, SESSION_RING_BYTES, type SessionMemory } from '../rump/server.ts';

export class SessionPool {
  readonly #arena: Arena;
  readonly #loop: Pick<EventLoop, 'add' | 'remove' | 'requestWork'>;
  /** Places that are free. */
  readonly #free: number[] = [];

  /** `count` pieces of {@link SESSION_BYTES} from `at` on, a multiple of 65,536. */
  constructor(arena: Arena, loop: Pick<EventLoop, 'add' | 'remove' | 'requestWork'>, at: number, count: number) {
    this.#arena = arena;
    this.#loop = loop;
    for (let i = count - 1; i >= 0; i--) this.#free.push(at + i * SESSION_BYTES);
  }

  /** Null when all are in use, or the host refuses. */
  take(): SessionMemory | null {
    const at = this.#free.pop();
    if (at === undefined) return null;
    const region = this.#arena.part(this.#arena.offset(at), SESSION_BYTES);
    try {
      const file = createSharedFile(SESSION_BYTES);
      try {
        mapFile(region, file.fd);
      } catch (error) {
        file.close();
        throw error;
      }
      formatRingPair(region, SESSION_RING_BYTES);
      const pair = new RingPair(region, SESSION_RING_BYTES, 1);
      const loop = this.#loop;
      let remove = (): void => undefined;
      return {
        pair,
        path: file.path,
        hide: () => file.close(),
        begin: (agent) => {
          remove = () => loop.remove(agent);
          loop.add(agent);
        },
        requestWork: () => loop.requestWork(),
        free: () => {
          file.close();
          remove();
          unmapFile(region);
          this.#free.push(at);
        },
      };
    } catch {
      this.#free.push(at);
      return null;
    }
  }
}
