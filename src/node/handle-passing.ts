/**
 * Sending sockets to another process over an IPC channel (`process.send(message, socket)`, cluster): Node attaches a
 * descriptor to the message, we attach a token with which the other side takes the socket over from the shared kernel.
 *
 * Thread: the program's. Missing: channels with `serialization: 'advanced'`.
 */

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
    // Native code would take our object for one of its own.
    return isHandle(handle) ? uvResult(-Errno.EOPNOTSUPP) : writeBuffer.call(this, request, bytes, handle);
  };
}
