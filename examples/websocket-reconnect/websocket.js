// As much of RFC 6455 as the example needs: frames of one piece, up to 125 bytes, and connections that are given up in silence.
import { createHash } from 'node:crypto';

const SILENCE_MS = 500;
export const [TEXT, PING, PONG] = [0x1, 0x9, 0xa];
/** What a server answers to the key of a client (section 4.2.2). */
export const answer = (key) => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
/** With or without its mask; an empty one changes nothing. */
const masked = (bytes, mask) => bytes.map((byte, i) => byte ^ mask[i % 4]);

/** A frame (section 5.2). Those of clients have a mask of four bytes. */
export function frame(opcode, text, mask = Buffer.alloc(0)) {
  const head = Buffer.from([0x80 | opcode, (mask.length && 0x80) | text.length]);
  return Buffer.concat([head, mask, masked(Buffer.from(text), mask)]);
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
      onFrame(bytes[0] & 0x0f, masked(bytes.subarray(payloadAt, end), bytes.subarray(2, payloadAt)).toString());
      bytes = bytes.subarray(end);
    }
  });
}

/** Ends the connection when nothing has come for SILENCE_MS. */
export function endWhenSilent(socket) {
  const silence = setTimeout(() => socket.destroy(), SILENCE_MS);
  socket.on('data', () => silence.refresh()).on('close', () => clearTimeout(silence));
  return socket.on('error', () => {});
}
