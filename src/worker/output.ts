/**
 * Standard output and error of a program beside its kernel: its streams, its descriptors 1 and 2, and those that its children inherit
 * are the labelled lines of its node, in the order in which they were written.
 *
 * Thread: the program's. The other end is lab/thread-output.ts. Missing: native code that writes to a descriptor by itself.
 */

import type { Writable } from 'node:stream';
import { OUTPUT_BYTES_MAX, type OutputBoot, type OutputMessage } from '../lab/messages.ts';
import { UnreadBytes } from '../mem/unread-bytes.ts';
import { type OutputDescriptor, redirectOutput, type WriteOutput } from '../node/output.ts';

/** Longest message: a reader that is behind is waited for between them. */
const MESSAGE_BYTES_MAX = 65_536;

function writerTo({ port, unread }: OutputBoot): WriteOutput {
  const bound = new UnreadBytes(OUTPUT_BYTES_MAX, unread);
  return (fd, bytes) => {
    for (let at = 0; at < bytes.length; at += MESSAGE_BYTES_MAX) {
      const piece = Uint8Array.prototype.slice.call(bytes, at, at + MESSAGE_BYTES_MAX);
      bound.write(piece.length);
      port.postMessage({ fd, bytes: piece } satisfies OutputMessage, [piece.buffer as ArrayBuffer]);
    }
  };
}

type Streamed = Omit<Writable, '_writev'> & { fd?: number; _writev?: unknown };

/** Have a stream of Node's write through `write`. */
function replaceStream(stream: Streamed, fd: OutputDescriptor, write: WriteOutput): void {
  // Node leaves texts as they are.
  stream._write = (chunk: Uint8Array | string, encoding, done) => {
    write(fd, typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
    done();
  };
  stream._writev = undefined;
  stream.fd = fd;
}

export function sendOutput(boot: OutputBoot): void {
  const write = writerTo(boot);
  boot.port.unref();
  replaceStream(process.stdout, 1, write);
  replaceStream(process.stderr, 2, write);
  redirectOutput(write);
}
