/**
 * Values of control requests and streams as bytes: JSON, with byte arrays behind it instead of in it.
 *
 * Thread: both sides. Layout: uint32 (little-endian) length of the JSON, the JSON in UTF-8, then the bytes of all arrays. In the
 * JSON an array of bytes is `{"$bytes": [offset, length]}`, a big integer `{"$bigint": decimal}`. The input of decoding
 * was written by another party: offsets are checked, arrays are copies.
 */

import { MultikernelError } from '../base/errors.ts';
import { type ErrorRecord, errorOf, errorRecord } from './multiplexer.ts';

const LENGTH_BYTES = 4;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeValue(value: unknown): Uint8Array {
  const arrays: Uint8Array[] = [];
  let tailBytes = 0;
  const text = JSON.stringify(value ?? null, function (this: unknown, key: string, plain: unknown) {
    // Not `plain`: a Buffer's toJSON was called already.
    const original = (this as Record<string, unknown>)[key];
    if (original instanceof Uint8Array) {
      arrays.push(original);
      tailBytes += original.length;
      return { $bytes: [tailBytes - original.length, original.length] };
    }
    return typeof plain === 'bigint' ? { $bigint: plain.toString() } : plain;
  });
  const json = encoder.encode(text);
  const bytes = new Uint8Array(LENGTH_BYTES + json.length + tailBytes);
  new DataView(bytes.buffer).setUint32(0, json.length, true);
  bytes.set(json, LENGTH_BYTES);
  let at = LENGTH_BYTES + json.length;
  for (const array of arrays) {
    bytes.set(array, at);
    at += array.length;
  }
  return bytes;
}

/** Throws EPROTO for bytes that {@link encodeValue} does not write. */
export function decodeValue(bytes: Uint8Array): unknown {
  if (bytes.length < LENGTH_BYTES) throw malformed('no length');
  const jsonBytes = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true);
  if (jsonBytes > bytes.length - LENGTH_BYTES) throw malformed('longer than its frame');
  const tail = bytes.subarray(LENGTH_BYTES + jsonBytes);
  try {
    return JSON.parse(decoder.decode(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + jsonBytes)), (_key, value: unknown) =>
      revive(value, tail),
    );
  } catch (error) {
    throw error instanceof MultikernelError ? error : malformed('no JSON');
  }
}

function revive(value: unknown, tail: Uint8Array): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { $bytes, $bigint } = value as { $bytes?: unknown; $bigint?: unknown };
  if (Array.isArray($bytes)) {
    const [at, length] = $bytes as unknown[];
    if (!isCount(at) || !isCount(length) || at + length > tail.length) throw malformed('bytes outside');
    return tail.slice(at, at + length);
  }
  if (typeof $bigint === 'string' && /^-?\d{1,30}$/.test($bigint)) return BigInt($bigint);
  return value;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function malformed(why: string): MultikernelError {
  return new MultikernelError('EPROTO', `malformed value: ${why}`);
}

/** An error with its code and message. */
export function encodeError(error: unknown): Uint8Array {
  return encodeValue(errorRecord(error));
}

/** The error that the other side reported; EPROTO when it did not say it well. */
export function decodeError(bytes: Uint8Array): MultikernelError {
  try {
    const { code, message } = decodeValue(bytes) as Partial<ErrorRecord>;
    if (typeof code === 'string' && typeof message === 'string') return errorOf({ code, message });
  } catch {
    // Below.
  }
  return malformed('an error without a code');
}
