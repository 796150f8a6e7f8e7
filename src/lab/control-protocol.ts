/**
 * The control protocol of a lab: JSON values, one a line, over a unix socket.
 *
 * Thread: any. The server begins with {@link LabHello}; then come messages of rump/multiplexer.ts. Bytes travel as
 * `{"$bytes": base64}`, big integers as `{"$bigint": decimal}`.
 */

import type { Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';
import { MultikernelError } from '../base/errors.ts';

export const PROTOCOL_VERSION = 1;
const LINE_CHARACTERS_MAX = 16 * 1024 * 1024;

export interface LabHello {
  multikernel: number;
  lab: string;
  pid: number;
}

export function encodeLine(value: unknown): string {
  return `${JSON.stringify(value, replace)}\n`;
}

function replace(this: unknown, key: string, value: unknown): unknown {
  const original = (this as Record<string, unknown>)[key];
  if (original instanceof Uint8Array) return { $bytes: Buffer.from(original).toString('base64') };
  if (typeof value === 'bigint') return { $bigint: value.toString() };
  return value;
}

/** Throws SyntaxError for what is no JSON. */
export function decodeLine(line: string): unknown {
  return JSON.parse(line, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null) return value;
    const { $bytes, $bigint } = value as { $bytes?: unknown; $bigint?: unknown };
    if (typeof $bytes === 'string') return new Uint8Array(Buffer.from($bytes, 'base64'));
    if (typeof $bigint === 'string' && /^-?\d{1,30}$/.test($bigint)) return BigInt($bigint);
    return value;
  });
}

/** Calls `take` for every line that arrives. A line that is no JSON, or does not end, destroys the socket. */
export function readLines(socket: Socket, take: (value: unknown) => void): void {
  const decoder = new StringDecoder('utf8');
  let rest: string[] = [];
  let restLength = 0;
  socket.on('data', (chunk: Buffer) => {
    const parts = decoder.write(chunk).split('\n');
    for (let i = 0; i < parts.length - 1; i++) {
      const line = rest.join('') + (parts[i] as string);
      rest = [];
      restLength = 0;
      let value: unknown;
      try {
        value = decodeLine(line);
      } catch {
        socket.destroy(new MultikernelError('EPROTO', 'control socket: not a line of JSON'));
        return;
      }
      take(value);
    }
    const last = parts[parts.length - 1] as string;
    rest.push(last);
    restLength += last.length;
    if (restLength > LINE_CHARACTERS_MAX) {
      socket.destroy(new MultikernelError('EPROTO', 'control socket: a line is too long'));
    }
  });
}
