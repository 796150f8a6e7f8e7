/**
 * The kernel of the parent, reached when it is first needed: a parent that computes, or waits for this child, answers late, and a
 * program without sockets need not wait for it.
 *
 * Thread: the client's. Read first: inherited-kernel.ts.
 */

import type { Face } from './face.ts';
import type { InheritedKernel } from './inherited-kernel.ts';
import { StaticNames } from './names.ts';

export class LateKernel {
  readonly #connect: () => InheritedKernel;
  #kernel: InheritedKernel | null = null;
  #names: StaticNames | null = null;

  /** `connect` may wait. */
  constructor(connect: () => InheritedKernel) {
    this.#connect = connect;
  }

  get kernel(): InheritedKernel {
    this.#kernel ??= this.#connect();
    return this.#kernel;
  }

  /** For `install`; the arguments are as there. */
  face(serverUrl: () => string, openGate: Face['openGate']): Face {
    const late = this;
    return {
      get sockets() {
        return late.kernel.sockets;
      },
      get names() {
        late.#names ??= new StaticNames(late.kernel.about.names);
        return late.#names;
      },
      interfaces: () => late.kernel.about.interfaces ?? [],
      serverUrl,
      openGate,
    };
  }
}
