/**
 * Datagrams between two that share a secret: encrypted and authenticated (AES-256-GCM of node:crypto).
 *
 * Thread: any; each end makes its own. A datagram is
 *
 *      0       4           20          28
 *     +-------+-----------+-----------+-------------+----------+
 *     | sender| salt      | counter   | ciphertext  | tag (16) |
 *     +-------+-----------+-----------+-------------+----------+
 *
 * The key of a direction and an incarnation comes out of the secret, the salt and the sender's number by HKDF (RFC 5869); the nonce is the counter,
 * which never repeats under one salt. The bytes in front of the ciphertext are authenticated as well. Replays are the protocol's to notice: its
 * packets have epochs and numbers.
 */

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
const SALT_BYTES = 16;
const HEAD_BYTES = 28;
const TAG_BYTES = 16;
/** Bytes of a secret. */
export const SECRET_BYTES = 32;
/** Bytes that sealing adds to a datagram. */
export const SEAL_BYTES: number = HEAD_BYTES + TAG_BYTES;
/** Incarnations of the other end whose keys are kept. */
const KEYS_MAX = 4;

export class SealedDatagrams {
  readonly #secret: Buffer;
  readonly #head: Buffer = Buffer.alloc(HEAD_BYTES);
  readonly #nonce: Buffer = Buffer.alloc(12);
  readonly #openNonce: Buffer = Buffer.alloc(12);
  readonly #key: Buffer;
  #counter = 0n;
  readonly #openKeys: Map<string, Buffer> = new Map();
  readonly #peer: number;

  /** `own` and `peer` are the numbers of both ends. */
  constructor(secret: Uint8Array, own: number, peer: number) {
    this.#secret = Buffer.from(secret);
    this.#peer = peer;
    this.#head.writeUInt32BE(own);
    const salt = randomBytes(SALT_BYTES);
    salt.copy(this.#head, 4);
    this.#key = this.#derive(salt, own);
  }

  #derive(salt: Buffer, sender: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#secret, salt, `multikernel mbcf ${sender}`, 32));
  }

  seal(plain: Uint8Array): Buffer {
    this.#counter++;
    this.#head.writeBigUInt64BE(this.#counter, 20);
    this.#nonce.writeBigUInt64BE(this.#counter, 4);
    const cipher = createCipheriv(CIPHER, this.#key, this.#nonce);
    cipher.setAAD(this.#head);
    return Buffer.concat([this.#head, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  /** Null when it was not sealed by the other end for this one. */
  open(datagram: Buffer): Buffer | null {
    if (datagram.length < SEAL_BYTES || datagram.readUInt32BE() !== this.#peer) return null;
    const salt = datagram.subarray(4, 4 + SALT_BYTES);
    const name = salt.toString('latin1');
    const key = this.#openKeys.get(name) ?? this.#derive(salt, this.#peer);
    datagram.copy(this.#openNonce, 4, 20, 28);
    const decipher = createDecipheriv(CIPHER, key, this.#openNonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(datagram.subarray(0, HEAD_BYTES));
    decipher.setAuthTag(datagram.subarray(datagram.length - TAG_BYTES));
    try {
      const plain = decipher.update(datagram.subarray(HEAD_BYTES, datagram.length - TAG_BYTES));
      decipher.final();
      this.#keep(name, key);
      return plain;
    } catch {
      // A wrong tag: somebody else's datagram, or a damaged one.
      return null;
    }
  }

  #keep(name: string, key: Buffer): void {
    if (this.#openKeys.has(name)) return;
    if (this.#openKeys.size >= KEYS_MAX) this.#openKeys.delete(this.#openKeys.keys().next().value as string);
    this.#openKeys.set(name, key);
  }
}

/** The number of the sender that a sealed datagram names; 0 when it is too short. */
export function sealedSender(datagram: Buffer): number {
  return datagram.length < SEAL_BYTES ? 0 : datagram.readUInt32BE();
}
