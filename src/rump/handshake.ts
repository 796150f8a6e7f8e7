/**
 * The first four frames of a connection: which version and features both sides speak, and that both know the key.
 *
 *     client                                            server
 *     HELLO  versions, features, role, session, nonce →
 *                                                     ← REPLY  version, features, nonce
 *     PROOF  MAC by the client                        →
 *                                                     ← REPLY  MAC by the server, then what it says of itself
 *
 * Thread: both sides. The MAC is SipHash-2-4 with the 128-bit key, twice with different labels, over everything that was
 * said; each side has its own labels, so an answer cannot be sent back. When the carrier authenticates by itself (a socket
 * file in a folder of its owner, a MessagePort) there is no key and the MAC is zeros. Frames are not
 * encrypted: over TCP the key keeps other users out, not those who read the wire.
 */

import { MultikernelError } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import { SipKey } from '../base/siphash.ts';
import { ROLE_BOTH, ROLE_EVENTS } from './protocol.ts';

/** "RUMP" */
const MAGIC = 0x504d5552;
const HELLO_BYTES = 48;
const ACCEPT_BYTES = 28;
export const PROOF_BYTES = 16;
/** Longest payload before a connection is authenticated. */
export const UNAUTHENTICATED_BYTES_MAX = 64;

export interface Hello {
  versionMin: number;
  versionMax: number;
  features: number;
  role: number;
  /** Four words, drawn by the client: connections that say the same belong together. */
  session: Int32Array;
  nonce: Int32Array;
}

/** The server's first answer. */
export interface Accept {
  version: number;
  features: number;
  nonce: Int32Array;
}

export function randomWords(rng: Rng, count = 4): Int32Array {
  return Int32Array.from({ length: count }, () => rng.next32());
}

export function encodeHello(hello: Hello): Uint8Array {
  const bytes = new Uint8Array(HELLO_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, MAGIC, true);
  view.setUint16(4, hello.versionMin, true);
  view.setUint16(6, hello.versionMax, true);
  view.setInt32(8, hello.features, true);
  view.setInt32(12, hello.role, true);
  for (let i = 0; i < 4; i++) {
    view.setInt32(16 + 4 * i, hello.session[i] as number, true);
    view.setInt32(32 + 4 * i, hello.nonce[i] as number, true);
  }
  return bytes;
}

/** Null when it is none. */
export function decodeHello(bytes: Uint8Array): Hello | null {
  if (bytes.length !== HELLO_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const role = view.getInt32(12, true);
  if (view.getInt32(0, true) !== MAGIC || role < ROLE_BOTH || role > ROLE_EVENTS) return null;
  const words = (at: number): Int32Array => Int32Array.from({ length: 4 }, (_, i) => view.getInt32(at + 4 * i, true));
  return {
    versionMin: view.getUint16(4, true),
    versionMax: view.getUint16(6, true),
    features: view.getInt32(8, true),
    role,
    session: words(16),
    nonce: words(32),
  };
}

export function encodeAccept({ version, features, nonce }: Accept): Uint8Array {
  const bytes = new Uint8Array(ACCEPT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt32(0, MAGIC, true);
  view.setInt32(4, version, true);
  view.setInt32(8, features, true);
  for (let i = 0; i < 4; i++) view.setInt32(12 + 4 * i, nonce[i] as number, true);
  return bytes;
}

export function decodeAccept(bytes: Uint8Array): Accept | null {
  if (bytes.length !== ACCEPT_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getInt32(0, true) !== MAGIC) return null;
  const nonce = Int32Array.from({ length: 4 }, (_, i) => view.getInt32(12 + 4 * i, true));
  return { version: view.getInt32(4, true), features: view.getInt32(8, true), nonce };
}

/** The highest version that both speak, 0 when there is none. */
export function commonVersion(hello: Hello, versionMin: number, versionMax: number): number {
  const version = Math.min(hello.versionMax, versionMax);
  return version >= Math.max(hello.versionMin, versionMin) ? version : 0;
}

const LABELS = { client: [0x636c6931, 0x636c6932], server: [0x73727631, 0x73727632] } as const;

/** The MAC of one side over the whole handshake; zeros where no key is wanted. */
export function proof(key: Uint8Array | null, side: 'client' | 'server', hello: Hello, accept: Accept): Uint8Array {
  const bytes = new Uint8Array(PROOF_BYTES);
  if (key === null) return bytes;
  const sip = new SipKey();
  const keyView = new DataView(key.buffer, key.byteOffset, key.length);
  for (let i = 0; i < 4; i++) sip.words[i] = keyView.getInt32(4 * i, true);
  const { versionMin, versionMax, features, role, session, nonce } = hello;
  const said = [versionMin, versionMax, features, role, ...session, ...nonce];
  said.push(accept.version, accept.features, ...accept.nonce);
  const view = new DataView(bytes.buffer);
  LABELS[side].forEach((label, i) => {
    const [high, low] = sip.hash([label, ...said]);
    view.setInt32(8 * i, low, true);
    view.setInt32(8 * i + 4, high, true);
  });
  return bytes;
}

/** Whether both are the same, in a time that does not depend on where they differ. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

const KEY_BYTES = 16;

/** A key from its 32 hexadecimal digits; throws EINVAL. */
export function parseKey(text: string): Uint8Array {
  if (!/^[0-9a-f]{32}$/i.test(text)) throw new MultikernelError('EINVAL', 'a key has 32 hexadecimal digits');
  return Uint8Array.from({ length: KEY_BYTES }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

export function formatKey(key: Uint8Array): string {
  return Array.from(key, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
