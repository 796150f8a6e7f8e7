/** A port of the host that its holder has opened to a node. Thread: any that holds a lab. */

import { locateErrors } from '../base/caller.ts';
import { MultikernelError } from '../base/errors.ts';
import type { HostPortInfo, LabBackend } from './operations.ts';

/** A port of the host that leads to a node until it is closed. */
export class ForwardedPort implements AsyncDisposable {
  /** Ports of both sides. */
  readonly info: HostPortInfo;
  /** Settles when it leads there no more: it was closed, or the lab went down. */
  readonly ended: Promise<void>;
  readonly #close: () => void;

  /** Use `LabNode.forward`. */
  constructor(info: HostPortInfo, ended: Promise<void>, close: () => void) {
    this.info = info;
    this.ended = ended;
    this.#close = close;
  }

  /** Port of the host. */
  get port(): number {
    return this.info.hostPort;
  }

  /** Its connections are reset. Closing twice does nothing. */
  async close(): Promise<void> {
    this.#close();
    await this.ended;
  }

  /** As {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

locateErrors(ForwardedPort.prototype);

export function forwardPort(lab: LabBackend, node: string, port: string): Promise<ForwardedPort> {
  return new Promise((resolve, reject) => {
    let settle: () => void = () => undefined;
    const ended = new Promise<void>((done) => {
      settle = done;
    });
    const handle = lab.open(
      'forward',
      { node, port },
      {
        event: (info) => resolve(new ForwardedPort(info, ended, () => handle.close())),
        end: (error) => {
          reject(error ?? new MultikernelError('ECONNRESET', 'the lab went down'));
          settle();
        },
      },
    );
  });
}
