/**
 * Error numbers as Node's own handles give them: the kernel's negative errno (numbered as on Linux, base/errors.ts)
 * becomes libuv's number for the same name on this platform. Thread: any.
 */

import { Errno } from '../base/errors.ts';
import { uv } from './bindings.ts';

const UNKNOWN = uv.UV_EIO ?? -5;

/** Linux errno → UV number; filled once, so that the data path only reads an array. */
const table: Int32Array = new Int32Array(256).fill(UNKNOWN);
for (const [name, errno] of Object.entries(Errno)) table[errno] = uv[`UV_${name}`] ?? UNKNOWN;

/** 0 and counts stay as they are; a negative errno becomes the UV number of the same name. */
export function uvResult(result: number): number {
  return result < 0 ? (table[-result] ?? UNKNOWN) : result;
}

/** By the name behind `UV_`. */
function uvCode(name: string): number {
  return uv[`UV_${name}`] ?? UNKNOWN;
}

export const UV_EALREADY: number = uvCode('EALREADY');
export const UV_EBADF: number = uvCode('EBADF');
export const UV_ECANCELED: number = uvCode('ECANCELED');
export const UV_EEXIST: number = uvCode('EEXIST');
export const UV_EINVAL: number = uvCode('EINVAL');
export const UV_EMSGSIZE: number = uvCode('EMSGSIZE');
export const UV_ENOPROTOOPT: number = uvCode('ENOPROTOOPT');
export const UV_ENOTCONN: number = uvCode('ENOTCONN');
export const UV_EOF: number = uvCode('EOF');
export const UV_NONAME: number = uvCode('EAI_NONAME');
export const UV_ADDRFAMILY: number = uvCode('EAI_ADDRFAMILY');
