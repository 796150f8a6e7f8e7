// As much of RFC 6455 as the example needs: frames of one piece, up to 125 bytes.
import { createHash } from 'node:crypto';

export const TEXT = 0x1;
export const PING = 0x9;
export const PONG = 0xa;

/** What a server answers to the key of a client (section 4.2.2). */
export function acceptKey(key) {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** A frame (section 5.2). Those of clients have a mask of four bytes. */
export function frame(opcode, text, mask = Buffer.alloc(0)) {
  const payload = Buffer.from(text).map((byte, i) => (mask.length === 0 ? byte : byte ^ mask[i % 4]));
  const head = Buffer.from([0x80 | opcode, (mask.length === 0 ? 0 : 0x80) | payload.length]);
  return Buffer.concat([head, mask, payload]);
}

/** Calls `onFrame` with the opcode and the text of each frame that comes, however TCP cuts them. */
export function readFrames(socket, onFrame) {
  let bytes = Buffer.alloc(0);
  socket.on('data', (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 2) {
      const payloadAt = bytes[1] & 0x80 ? 6 : 2;
      const end = payloadAt + (bytes[1] & 0x7f);
      if (bytes.length < end) return;
      const mask = bytes.subarray(2, payloadAt);
      const payload = bytes.subarray(payloadAt, end).map((byte, i) => (mask.length === 0 ? byte : byte ^ mask[i % 4]));
      onFrame(bytes[0] & 0x0f, Buffer.from(payload).toString());
      bytes = bytes.subarray(end);
    }
  });
}
