/**
 * Sending sockets to another process over an IPC channel (`process.send(message, socket)`, cluster): Node attaches a
 * descriptor to the message, we attach a token with which the other side takes the socket over from the shared kernel.
 *
 * Thread: the program's. Read first: lib/internal/child_process/serialization.js of Node, the two forms of a message.
 */

import { Buffer } from 'node:buffer';
import { Errno } from '../base/errors.ts';
import { ClientSocket } from '../rump/client-socket.ts';
import { ClientSockets } from '../rump/client-sockets.ts';
import { channelPrototype, type IpcChannel, watchChannelMessages } from './bindings.ts';
import { face } from './face.ts';
import { TcpHandle } from './tcp-handle.ts';
import { UdpHandle } from './udp-handle.ts';
import { uvResult } from './uv-error.ts';

/** Under this key in the message that carries a handle. */
const KEY = 'multikernel';

type Handle = TcpHandle | UdpHandle;

function isHandle(value: unknown): value is Handle {
  return value instanceof TcpHandle || value instanceof UdpHandle;
}

/** A token for the socket of a handle, null when it has none. */
function tokenOf(handle: Handle): string | null {
  const found = handle.handOver();
  if (found === null) return null;
  const { socket, family } = found;
  if (socket instanceof ClientSocket) return socket.export(family);
  return face().passed?.addSocket(socket, family) ?? null;
}

/** A handle for a socket that another process sent, null when it is gone. */
function handleFor(token: string): Handle | null {
  const { sockets, passed } = face();
  const found = sockets instanceof ClientSockets ? sockets.adopt(token) : (passed?.takeSocket(token) ?? null);
  if (found === null) return null;
  const { socket, kind, family } = found;
  const handle = kind === 'stream' ? new TcpHandle() : new UdpHandle();
  handle.adopt(socket as never, family);
  return handle;
}

/** The message text with the token in it: one JSON object and a newline. */
function withToken(text: string, token: string): string {
  const end = text.lastIndexOf('}');
  return `${text.slice(0, end)},"${KEY}":${JSON.stringify(token)}${text.slice(end)}`;
}

/** Tags of V8's serialization, and the length in front of the message, big-endian. */
const ONE_BYTE_STRING = 0x22;
const END_OF_OBJECT = 0x7b;
const LENGTH_BYTES = 4;
/** Longer counts and lengths take more than one byte. */
const VARINT_BYTE_MAX = 0x7f;

function oneByteString(text: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(ONE_BYTE_STRING, text.length), Buffer.from(text, 'latin1')]);
}

/**
 * The message of a channel with `serialization: 'advanced'` with the token in it: one object, whose last two bytes are a tag
 * and the number of its properties. Null when it is none.
 */
function withTokenAdvanced(bytes: Uint8Array, token: string): Uint8Array | null {
  const end = bytes.length - 2;
  const count = (bytes[end + 1] as number) + 1;
  if (bytes[end] !== END_OF_OBJECT || count > VARINT_BYTE_MAX || token.length > VARINT_BYTE_MAX) return null;
  const property = Buffer.concat([KEY, token].map(oneByteString));
  const message = Buffer.concat([bytes.subarray(0, end), property, Uint8Array.of(END_OF_OBJECT, count)]);
  message.writeUInt32BE(message.length - LENGTH_BYTES);
  return message;
}

/** Native code reads the bytes after the call that gave them to it: the request keeps them. */
const KEPT: unique symbol = Symbol('bytes');

/** Watch the channel of a process object (`process`, or a `ChildProcess`) for messages with tokens. */
export function receiveHandles(target: object): void {
  watchChannelMessages(target, (message) => {
    const token = message[KEY];
    return typeof token === 'string' ? (handleFor(token) ?? undefined) : undefined;
  });
}

/** Have every IPC channel of this thread pass our handles. */
export function passHandles(): void {
  const channel = channelPrototype();
  const writeString = channel.writeUtf8String;
  const writeBuffer = channel.writeBuffer;
  channel.writeUtf8String = function (this: IpcChannel, request, text, handle) {
    if (!isHandle(handle)) return writeString.call(this, request, text, handle);
    const token = tokenOf(handle);
    if (token === null) return uvResult(-Errno.EBADF);
    return writeString.call(this, request, withToken(text, token), undefined);
  };
  channel.writeBuffer = function (this: IpcChannel, request, bytes, handle) {
    if (!isHandle(handle)) return writeBuffer.call(this, request, bytes, handle);
    const token = tokenOf(handle);
    if (token === null) return uvResult(-Errno.EBADF);
    const message = withTokenAdvanced(bytes, token);
    if (message === null) return uvResult(-Errno.EOPNOTSUPP);
    Object.assign(request, { [KEPT]: message });
    return writeBuffer.call(this, request, message, undefined);
  };
}
