/**
 * Syntax tree of a packetdrill script: options, events, packets, system calls, expressions.
 *
 * Thread: any; plain data. Read first: the packetdrill paper (USENIX ATC 2013), section 3. Made by parser.ts.
 */

/** 1-based. */
export interface Place {
  line: number;
  column: number;
}

/** A script that cannot be read. `place` is in `file`. */
export class ScriptError extends Error {
  readonly file: string;
  readonly place: Place;
  readonly reason: string;

  constructor(file: string, place: Place, reason: string) {
    super(`${file}:${place.line}:${place.column}: ${reason}`);
    this.file = file;
    this.place = place;
    this.reason = reason;
  }
}

export interface ScriptOption extends Place {
  name: string;
  /** Null: a switch without a value. */
  value: string | null;
}

/** `...` in back quotes: what the tool gives to a shell. */
export interface CommandText extends Place {
  text: string;
}

export interface Script {
  file: string;
  options: ScriptOption[];
  init: CommandText | null;
  events: ScriptEvent[];
  cleanup: CommandText | null;
}

/** Microseconds; `endUs` is that of a range, else equal to `us`. */
export interface EventTime {
  type: 'absolute' | 'relative' | 'any' | 'absolute-range' | 'relative-range';
  us: number;
  endUs: number;
}

export interface ScriptEvent extends Place {
  time: EventTime;
  action: Action;
}

export type Action =
  | { kind: 'packet'; packet: ScriptPacket }
  | { kind: 'call'; call: ScriptCall }
  | { kind: 'command'; command: CommandText }
  | { kind: 'code'; text: string };

/** `ecn`: the two low bits must be `value`; `ect01`: either of the two; `tos`: the whole byte. */
export interface TosSpec {
  check: 'ecn' | 'ect01' | 'tos';
  value: number;
}

export interface ScriptPacket {
  direction: 'in' | 'out';
  tos: TosSpec | null;
  ttl: number | null;
  flowLabel: number | null;
  /** Given in the script; null: those of the connection. */
  ports: { src: number; dst: number } | null;
  body: TcpBody | UdpBody | IcmpBody;
  /** Words of the script that this interpreter knows and cannot play; null when there are none. */
  unsupported: string | null;
}

export interface TcpBody {
  kind: 'tcp';
  /** `FLAG_*` of wire/tcp.ts, with 0x100 for AE. */
  flags: number;
  /** Accurate ECN's counter in place of the three flags; null when not written. */
  ace: number | null;
  /** uint32. */
  seq: number;
  payloadBytes: number;
  ack: number;
  /** Null: not checked. */
  window: number | null;
  urgent: number;
  /** Null: `<...>`, anything. */
  options: ScriptTcpOption[] | null;
}

export type ScriptTcpOption =
  | { kind: 'nop' }
  | { kind: 'eol' }
  | { kind: 'mss'; mss: number }
  | { kind: 'wscale'; shift: number }
  | { kind: 'sackOK' }
  | { kind: 'sack'; blocks: { start: number; end: number }[] }
  /** Null: `...`, not compared. */
  | { kind: 'TS'; value: number | null; echo: number | null }
  /** Fast open (34), its experimental form (254 with magic), MD5 (19): bytes as they are. */
  | { kind: 'raw'; name: string; type: number; data: Uint8Array };

export interface UdpBody {
  kind: 'udp';
  payloadBytes: number;
}

export interface IcmpBody {
  kind: 'icmp';
  type: string;
  code: string | null;
  mtu: number | null;
  id: number;
  echoed: EchoedPacket | null;
}

/** Packet quoted by an ICMP error. */
export interface EchoedPacket {
  protocol: 'tcp' | 'udp' | 'raw';
  seq: number;
  payloadBytes: number;
}

export interface ScriptCall {
  name: string;
  /** When a blocking call must return; null for one that does not block. Absolute or relative like its event. */
  endUs: number | null;
  args: Expression[];
  result: Expression;
  /** `EINPROGRESS` of `= -1 EINPROGRESS (...)`. */
  errno: string | null;
}

export type Expression = Place &
  (
    | { kind: 'ellipsis' }
    | { kind: 'integer'; value: number }
    | { kind: 'word'; name: string }
    | { kind: 'string'; value: string }
    | { kind: 'or'; parts: Expression[] }
    | { kind: 'list'; items: Expression[] }
    | { kind: 'call'; name: string; args: Expression[] }
    | { kind: 'struct'; fields: StructField[] }
  );

/** `name = value`, `name(args) = value`, or a bare value (name null). */
export interface StructField {
  name: string | null;
  args: Expression[];
  value: Expression;
}
