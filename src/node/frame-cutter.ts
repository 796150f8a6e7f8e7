/**
 * Cuts received bytes before native code gets them: between the frames of HTTP/2, between the records of TLS.
 *
 * Thread: the program's. Native code calls into the program once per frame. Reading from libuv it runs the program's ticks
 * after each call, but not when the bytes come from JavaScript, as ours do: given a whole chunk at once, a program would
 * see a request and its cancellation before it could answer the first. So the chunk is given in pieces.
 * Read first: RFC 9113 section 4.1, RFC 8446 section 5.1.
 */

const HTTP2_HEADER_BYTES = 9;
const HTTP2_PREFACE_BYTES = 24;
const TLS_HEADER_BYTES = 5;
/** "PRI", which no frame header begins with: it would be longer than a frame may be. */
const PREFACE_START = 0x505249;
const TYPE_AT = 3;
const DATA = 0;

export class FrameCutter {
  readonly #http2: boolean;
  readonly #header: Uint8Array;
  /** Bytes of the current header that have arrived. */
  #have = 0;
  /** Bytes of the current frame, behind its header, that have not. */
  #left = 0;

  constructor(protocol: 'http2' | 'tls') {
    this.#http2 = protocol === 'http2';
    this.#header = new Uint8Array(this.#http2 ? HTTP2_HEADER_BYTES : TLS_HEADER_BYTES);
  }

  /** The end of the piece that begins at `at`. Pieces are asked for in order, to the end of the bytes. */
  next(bytes: Uint8Array, at: number): number {
    let end = at;
    while (end < bytes.length) {
      if (this.#left === 0 && this.#have === 0 && end > at && this.#cutBefore(bytes, end)) break;
      end = this.#advance(bytes, end);
    }
    return end;
  }

  /** To the end of the current frame, or of the bytes. */
  #advance(bytes: Uint8Array, at: number): number {
    if (this.#left === 0) {
      while (this.#have < this.#header.length && at < bytes.length) this.#header[this.#have++] = bytes[at++] as number;
      if (this.#have < this.#header.length) return at;
      this.#have = 0;
      this.#left = this.#length();
    }
    const taken = Math.min(this.#left, bytes.length - at);
    this.#left -= taken;
    return at + taken;
  }

  /** A frame begins at `at`. */
  #cutBefore(bytes: Uint8Array, at: number): boolean {
    // Data after data stays together: what the program does in between would change the flow control.
    return !this.#http2 || bytes[at + TYPE_AT] !== DATA || this.#header[TYPE_AT] !== DATA;
  }

  /** Bytes behind the header. */
  #length(): number {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = this.#header;
    if (!this.#http2) return d * 256 + e;
    const length = a * 65536 + b * 256 + c;
    return length === PREFACE_START ? HTTP2_PREFACE_BYTES - HTTP2_HEADER_BYTES : length;
  }
}
