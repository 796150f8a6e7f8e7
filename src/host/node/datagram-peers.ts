/**
 * Packets between numbered peers by UDP (node:dgram), sealed where they share a secret.
 *
 * Thread: that of the event loop on which it is opened. Without a secret packets go to loopback addresses alone, and come from there: whoever can read
 * the network would read memory. A packet without room or receiver is lost, as UDP has it. Missing: many datagrams per system call.
 */

import { createSocket, type Socket } from 'node:dgram';
import { isIP } from 'node:net';
import { MultikernelError } from '../../base/errors.ts';
import { SEAL_BYTES, SECRET_BYTES, SealedDatagrams, sealedSender } from './sealed-datagrams.ts';

/** Somebody to exchange packets with. */
export interface DatagramPeer {
  /** `127.0.0.1:7000`, `[::1]:7000`. */
  readonly address: string;
  /** 32 bytes that both have; needed unless the address is a loopback one. */
  readonly secret?: Uint8Array;
}

export interface DatagramPeersOptions {
  /** Our number. */
  readonly number: number;
  /** Address at which to receive; a port of 0 is any free one. */
  readonly bind: string;
  readonly peers: Readonly<Record<number, DatagramPeer>>;
  /** Longest datagram. */
  readonly datagramBytes: number;
  /** The number of the sender that a packet names. */
  senderOf(packet: Uint8Array): number;
  /** A packet came from the peer that it names. */
  onPacket(packet: Uint8Array): void;
}

interface Peer {
  readonly host: string;
  readonly port: number;
  readonly seal: SealedDatagrams | null;
}

/** Send buffer beyond which packets are thrown away, bytes. */
const QUEUE_BYTES_MAX: number = 4 << 20;

export class DatagramPeers {
  /** Address at which packets are received. */
  readonly address: string;
  /** Longest packet. */
  readonly maxBytes: number;
  /** Datagrams from nobody who is known, or not sealed by him. */
  refused = 0;
  readonly #socket: Socket;
  readonly #options: DatagramPeersOptions;
  readonly #peers: Map<number, Peer> = new Map();

  private constructor(socket: Socket, options: DatagramPeersOptions) {
    this.#socket = socket;
    this.#options = options;
    const { address, family, port } = socket.address();
    this.address = family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
    for (const [number, peer] of Object.entries(options.peers)) this.add(Number(number), peer);
    this.maxBytes = options.datagramBytes - SEAL_BYTES;
    socket.on('message', (bytes, { address: from }) => this.#received(bytes, from));
    // Errors of single datagrams (nobody listens there) are losses.
    socket.on('error', () => {});
  }

  /** Rejects with the code of the host, EINVAL for an address that is none. */
  static async open(options: DatagramPeersOptions): Promise<DatagramPeers> {
    const { host, port } = parseAddress(options.bind);
    const socket = createSocket(isIP(host) === 6 ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ address: host, port, exclusive: true }, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    try {
      return new DatagramPeers(socket, options);
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** Know one more, or another address of one. Throws EINVAL for an address or a secret that is none, EACCES for one beyond loopback without a secret. */
  add(number: number, { address, secret }: DatagramPeer): void {
    const { host, port } = parseAddress(address);
    if (secret === undefined && !isLoopback(host)) {
      throw new MultikernelError('EACCES', `mbcf: peer ${number} at ${address}: not on loopback, and without a secret`);
    }
    if (secret !== undefined && secret.length !== SECRET_BYTES) {
      throw new MultikernelError('EINVAL', `mbcf: peer ${number}: a secret has ${SECRET_BYTES} bytes`);
    }
    const seal = secret === undefined ? null : new SealedDatagrams(secret, this.#options.number, number);
    this.#peers.set(number, { host, port, seal });
  }

  /** False: thrown away, because nobody of that number is known, or the socket does not keep up. */
  send(number: number, packet: Uint8Array): boolean {
    const peer = this.#peers.get(number);
    if (peer === undefined || this.#socket.getSendQueueSize() > QUEUE_BYTES_MAX) return false;
    this.#socket.send(peer.seal === null ? packet : peer.seal.seal(packet), peer.port, peer.host);
    return true;
  }

  /** A packet is of the peer that it names: sealed by him, or without a secret and from loopback. */
  #received(bytes: Buffer, from: string): void {
    const sealer = sealedSender(bytes);
    const opened = this.#peers.get(sealer)?.seal?.open(bytes) ?? null;
    const packet = opened ?? bytes;
    const sender = this.#options.senderOf(packet);
    const believed = opened !== null ? sender === sealer : isLoopback(from) && this.#peers.get(sender)?.seal === null;
    if (believed) this.#options.onPacket(packet);
    else this.refused++;
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  if (isIP(host) === 0 || !(port <= 65_535)) {
    throw new MultikernelError('EINVAL', `mbcf: '${text}' is no address: 127.0.0.1:7000 or [::1]:7000`);
  }
  return { host, port };
}

function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1' || host.startsWith('::ffff:127.');
}
