/** The open handles of this thread, for `process._getActiveHandles` and its kin. Thread: the program's. */

import { type ActiveHandles, ownerOf } from './bindings.ts';
import { liveness } from './face.ts';

export interface ActiveHandle {
  /** The kind of resource, '' while the handle does not keep the process alive. */
  readonly activeKind: string;
  close(): void;
}

class HandleSet implements ActiveHandles {
  readonly #handles = new Set<ActiveHandle>();

  add(handle: ActiveHandle): void {
    this.#handles.add(handle);
  }

  delete(handle: ActiveHandle): void {
    this.#handles.delete(handle);
  }

  /** The program ended: close them as the end of a process closes its descriptors. */
  closeAll(): void {
    for (const handle of [...this.#handles]) handle.close();
  }

  owners(): unknown[] {
    return [...this.#handles].filter((handle) => handle.activeKind !== '').map((handle) => ownerOf(handle));
  }

  kinds(): string[] {
    return [...this.#handles].map((handle) => handle.activeKind).filter((kind) => kind !== '');
  }

  isInternal(handle: unknown): boolean {
    return liveness.owns(handle);
  }
}

export const activeHandles: HandleSet = new HandleSet();
