/**
 * Output of a program that is a thread: what it writes to its descriptors 1 and 2 comes over a port, and a program that writes faster
 * than it is read waits, as at a pipe. Node's own output of a thread is read too: of modules that are loaded before ours.
 *
 * Thread: the supervisor's. The other end is worker/output.ts.
 */

import { Readable } from 'node:stream';
import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { UnreadBytes } from '../mem/unread-bytes.ts';
import { OUTPUT_BYTES_MAX, type OutputBoot, type OutputMessage } from './messages.ts';

export class ThreadOutput {
  readonly stdout: Readable = new Readable({ read: () => undefined });
  readonly stderr: Readable = new Readable({ read: () => undefined });
  /** The thread's end, to be transferred. */
  readonly boot: OutputBoot;
  readonly #port: MessagePort;
  readonly #unread = new UnreadBytes(OUTPUT_BYTES_MAX);

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.boot = { port: port2, unread: this.#unread.words };
    port1.on('message', (message: OutputMessage) => this.#take(message));
    port1.unref();
  }

  /** The thread is gone: what it wrote last is read at once. */
  end(): void {
    for (let last = receiveMessageOnPort(this.#port); last !== undefined; last = receiveMessageOnPort(this.#port))
      this.#take(last.message as OutputMessage);
    this.#port.close();
    this.stdout.push(null);
    this.stderr.push(null);
  }

  #take({ fd, bytes }: OutputMessage): void {
    (fd === 1 ? this.stdout : this.stderr).push(bytes);
    this.#unread.read(bytes.length);
  }
}
