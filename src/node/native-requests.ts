/**
 * Requests that native code (TLS, HTTP/2) made of a handle and that are finished: told once the call that made them has
 * returned, as the native stream demands. Thread: the program's.
 */

import type { NativeStream } from './bindings.ts';

export interface NativeRequest {
  readonly stream: NativeStream;
  readonly request: object;
  /** 0 or a UV number. */
  readonly status: number;
  /** A half-close, otherwise a write. */
  readonly shutdown: boolean;
}

let finished: NativeRequest[] = [];

function finish(): void {
  const requests = finished;
  finished = [];
  for (const { stream, request, status, shutdown } of requests) {
    if (shutdown) stream.finishShutdown(request, status);
    else stream.finishWrite(request, status);
  }
}

export function finishLater(request: NativeRequest): void {
  finished.push(request);
  if (finished.length === 1) process.nextTick(finish);
}
