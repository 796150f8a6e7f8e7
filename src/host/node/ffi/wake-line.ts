/**
 * Wake-ups over a connected socket, by descriptor: a byte that says "look".
 *
 * Thread: any. Nothing is queued and nothing blocks but {@link waitReadable}, which has a bound. send(2), recv(2), poll(2).
 */

import { libc } from './libc.ts';

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const POLLIN = 1;

const LOOK: Uint8Array = Uint8Array.of(1);
const taken: Uint8Array = new Uint8Array(256);
const polled: Int32Array = new Int32Array(2);

/** Send one. A full socket has enough of them, a closed one nobody to wake. */
export function sendWake(fd: number): void {
  libc()?.send(fd, LOOK, LOOK.length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/** Block until the descriptor can be read or has ended, at most `timeoutMs`, and take what wake-ups there are. False: it has ended. */
export function waitReadable(fd: number, timeoutMs: number): boolean {
  const calls = libc();
  if (calls === null) return false;
  polled[0] = fd;
  polled[1] = POLLIN;
  if (calls.poll(polled, 1, timeoutMs) <= 0) return true;
  return calls.recv(fd, taken, taken.length, MSG_DONTWAIT) !== 0;
}
