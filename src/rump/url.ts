/**
 * The URL of a server of remote calls: `unix://PATH` and `tcp://HOST:PORT/`, as NetBSD's RUMP_SERVER has them. Thread: any.
 *
 *     unix:///run/lab/api.sock       a socket file; relative paths too: unix://commsock
 *     unix://@NAME                   an abstract socket (Linux)
 *     tcp://127.0.0.1:4000/          tcp://[::1]:4000/
 *
 * `?key=DIGITS` is the key that the server wants (handshake.ts), 32 hexadecimal digits. A URL without one takes it from the
 * environment (`RUMP_KEY`), where other users cannot read it; a command line they can.
 */

import { MultikernelError } from '../base/errors.ts';
import { formatKey, parseKey } from './handshake.ts';

export type ServerUrl =
  | { readonly kind: 'unix'; readonly path: string; readonly key: Uint8Array | null }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly key: Uint8Array | null };

/** Longest path of a unix socket (sun_path, without its end). */
const PATH_BYTES_MAX = 107;

/** Throws EINVAL and says what is wrong. `keyText`: the key where the URL has none, e.g. of the environment. */
export function parseServerUrl(text: string, keyText?: string): ServerUrl {
  const fail = (why: string): MultikernelError => new MultikernelError('EINVAL', `${text}: ${why}`);
  const match = /^([a-z]+):\/\/([^?]*)(?:\?(.*))?$/.exec(text);
  if (match === null) throw fail('not a URL of a kernel: unix://PATH or tcp://HOST:PORT/');
  const [, scheme, rest = '', query] = match;
  const key = keyOf(query, keyText, fail);
  if (scheme === 'unix') return { kind: 'unix', path: unixPath(rest, fail), key };
  if (scheme !== 'tcp') throw fail(`no scheme ${scheme}: unix:// or tcp://`);
  const place = /^(?:\[([0-9a-fA-F:.%a-z]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(rest);
  if (place === null) throw fail('tcp://HOST:PORT/ wants a host and a port');
  const port = Number(place[3]);
  if (port > 65535) throw fail(`port ${port} is above 65535`);
  return { kind: 'tcp', host: (place[1] ?? place[2]) as string, port, key };
}

function unixPath(path: string, fail: (why: string) => MultikernelError): string {
  if (path === '' || path === '@') throw fail('unix:// wants a path');
  if (path.includes('\0')) throw fail('a path has no zero byte');
  if (new TextEncoder().encode(path).length > PATH_BYTES_MAX)
    throw fail(`the path of a socket has ${PATH_BYTES_MAX} bytes at most`);
  return path.startsWith('@') ? `\0${path.slice(1)}` : path;
}

function keyOf(
  query: string | undefined,
  keyText: string | undefined,
  fail: (why: string) => MultikernelError,
): Uint8Array | null {
  let digits = keyText;
  if (query !== undefined) {
    const match = /^key=(.*)$/.exec(query);
    if (match === null) throw fail('after ? comes key=DIGITS');
    digits = match[1] as string;
  }
  if (digits === undefined || digits === '') return null;
  try {
    return parseKey(digits);
  } catch (error) {
    throw fail((error as Error).message);
  }
}

/** The server that the environment names: `RUMP_SERVER`, and `RUMP_KEY` where the URL has no key. Null: none. Throws EINVAL. */
export function serverOfEnvironment(env: Readonly<Record<string, string | undefined>>): ServerUrl | null {
  const { RUMP_SERVER: text, RUMP_KEY: key } = env;
  return text === undefined || text === '' ? null : parseServerUrl(text, key);
}

/** The URL, with its key. */
export function formatServerUrl(url: ServerUrl): string {
  const query = url.key === null ? '' : `?key=${formatKey(url.key)}`;
  if (url.kind === 'unix') return `unix://${url.path.startsWith('\0') ? `@${url.path.slice(1)}` : url.path}${query}`;
  return `tcp://${url.host.includes(':') ? `[${url.host}]` : url.host}:${url.port}/${query}`;
}
