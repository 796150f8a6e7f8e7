/**
 * Options of a socket that a connection obeys.
 *
 * Thread: the one that runs the CPU.
 */

/** Options of a socket that a connection obeys; inherited from the listener on accept. */
export class ConnectionOptions {
  noDelay: boolean = false;
  keepAlive: boolean = false;
  keepIdleMs: number;
  keepIntervalMs: number;
  keepCount: number;
  /** 0: close is a reset (SO_LINGER). */
  lingerMs: number = -1;
  /** 0: as the sysctl says, and growing. */
  sendBufferBytes: number = 0;
  receiveBufferBytes: number = 0;
  /** 0: by the number of retransmissions (R2); otherwise RFC 5482's user timeout, milliseconds. */
  userTimeoutMs: number = 0;
  ttl: number = 64;
  tos: number = 0;

  constructor(keepIdleMs: number, keepIntervalMs: number, keepCount: number) {
    this.keepIdleMs = keepIdleMs;
    this.keepIntervalMs = keepIntervalMs;
    this.keepCount = keepCount;
  }

  copyTo(other: ConnectionOptions): void {
    other.noDelay = this.noDelay;
    other.keepAlive = this.keepAlive;
    other.keepIdleMs = this.keepIdleMs;
    other.keepIntervalMs = this.keepIntervalMs;
    other.keepCount = this.keepCount;
    other.lingerMs = this.lingerMs;
    other.sendBufferBytes = this.sendBufferBytes;
    other.receiveBufferBytes = this.receiveBufferBytes;
    other.userTimeoutMs = this.userTimeoutMs;
    other.ttl = this.ttl;
    other.tos = this.tos;
  }
}
