/**
 * A segment without data that does not come from a connection's state: SYN, SYN-ACK, reset, and what half-open
 * connections and TIME_WAIT answer.
 *
 * Thread: the one that runs the CPU. The stack has one, filled anew for each segment (`TcpContext.control`); sent by
 * send/control-segments.ts.
 */

const DEFAULT_TTL = 64;

export class ControlSegment {
  localAddress: number = 0;
  peerAddress: number = 0;
  ports: number = 0;
  seq: number = 0;
  ack: number = 0;
  flags: number = 0;
  /** As it goes into the header. */
  window: number = 0;
  ttl: number = DEFAULT_TTL;
  tos: number = 0;
  timestamps: boolean = false;
  tsValue: number = 0;
  tsEcho: number = 0;

  /** For a new segment between these addresses and ports; everything else has its default. */
  begin(localAddress: number, peerAddress: number, ports: number): void {
    this.localAddress = localAddress;
    this.peerAddress = peerAddress;
    this.ports = ports;
    this.seq = 0;
    this.ack = 0;
    this.flags = 0;
    this.window = 0;
    this.ttl = DEFAULT_TTL;
    this.tos = 0;
    this.timestamps = false;
  }
}
