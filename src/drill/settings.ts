/**
 * The options of a run: those of the tool's command line, which a script may carry at its beginning.
 *
 * Thread: any. The command line wins over the script. Options that only concern the tool's own host (wire mode, gateways,
 * priorities) are accepted and change nothing.
 */

import * as ipv4 from '../wire/ipv4.ts';

export type IpVersion = 'ipv4' | 'ipv4-mapped-ipv6' | 'ipv6';

/** An option that the tool does not have, or a value that it does not take. */
export class OptionError extends Error {}

/** As on the command line: name without dashes, value null for a switch. */
export interface OptionText {
  name: string;
  value: string | null;
}

export class DrillSettings {
  ipVersion: IpVersion = 'ipv4';
  /** Text, since it depends on the version what is an address. Empty: the tool's documentation ranges. */
  localIp: string = '';
  remoteIp: string = '';
  bindPort: number = 8080;
  connectPort: number = 8080;
  mtuBytes: number = 1500;
  toleranceUs: number = 4000;
  /** Tolerance in percent of the time since the event before. */
  tolerancePercent: number = 12.5;
  /** An inbound TS ecr that matches no outbound TS val is computed from the first pair. */
  tsEcrScaled: boolean = false;
  /** 0: TS val is not compared. */
  tsTickUs: number = 0;
  /** A scripted packet may not be several on the wire. */
  strictSegments: boolean = false;
  nonFatalPacket: boolean = false;
  nonFatalCall: boolean = false;
  dryRun: boolean = false;
  verbose: boolean = false;
  /** The PSH flag is not compared: how Linux cuts its super-frames shows in it. */
  ignorePush: boolean = false;
  /** TCP options may come in another order and padded otherwise: systems differ in it. */
  anyOptionOrder: boolean = false;
  /** Name → value, `"` or `` ` `` included. */
  readonly defines: Map<string, string> = new Map();
}

const IGNORED: ReadonlySet<string> = new Set([
  'code_command',
  'code_format',
  'code_sockopt',
  'debug',
  'gateway_ip',
  'init_scripts',
  'is_anyip',
  'mss',
  'netmask_ip',
  'send_omit_free',
  'speed',
  'wire_client_dev',
  'wire_server_dev',
  'wire_server_port',
]);

type Setter = (settings: DrillSettings, value: string, name: string) => void;

const WITH_VALUE: Readonly<Record<string, Setter>> = {
  ip_version: (settings, value, name) => {
    if (value !== 'ipv4' && value !== 'ipv6' && value !== 'ipv4-mapped-ipv6') refuse(name, value);
    settings.ipVersion = value;
  },
  local_ip: (settings, value) => {
    settings.localIp = value;
  },
  remote_ip: (settings, value) => {
    settings.remoteIp = value.replace(/\/\d+$/, '');
  },
  bind_port: (settings, value, name) => {
    settings.bindPort = integer(name, value, 1, 0xffff);
  },
  connect_port: (settings, value, name) => {
    settings.connectPort = integer(name, value, 1, 0xffff);
  },
  mtu: (settings, value, name) => {
    settings.mtuBytes = integer(name, value, ipv4.MTU_BYTES_MIN, ipv4.TOTAL_LENGTH_MAX);
  },
  tolerance_usecs: (settings, value, name) => {
    settings.toleranceUs = integer(name, value, 0, Number.MAX_SAFE_INTEGER);
  },
  tolerance_percent: (settings, value, name) => {
    if (!(Number(value) >= 0)) refuse(name, value);
    settings.tolerancePercent = Number(value);
  },
  tcp_ts_tick_usecs: (settings, value, name) => {
    settings.tsTickUs = integer(name, value, 0, 1_000_000);
  },
  non_fatal: (settings, value, name) => {
    for (const word of value.split(/[ ,]+/)) {
      if (word === 'packet') settings.nonFatalPacket = true;
      else if (word === 'syscall') settings.nonFatalCall = true;
      else refuse(name, value);
    }
  },
  define: (settings, value, name) => {
    const equals = value.indexOf('=');
    if (equals < 1) refuse(name, value);
    settings.defines.set(value.slice(0, equals), value.slice(equals + 1));
  },
};

const SWITCHES: Readonly<Record<string, (settings: DrillSettings) => void>> = {
  tcp_ts_ecr_scaled: (settings) => {
    settings.tsEcrScaled = true;
  },
  strict_segments: (settings) => {
    settings.strictSegments = true;
  },
  dry_run: (settings) => {
    settings.dryRun = true;
  },
  verbose: (settings) => {
    settings.verbose = true;
  },
  any_option_order: (settings) => {
    settings.anyOptionOrder = true;
  },
  ignore_push: (settings) => {
    settings.ignorePush = true;
  },
};

/** Apply one option. Throws OptionError. */
export function applyOption(settings: DrillSettings, option: OptionText): void {
  const { name, value } = option;
  const set = WITH_VALUE[name];
  if (set !== undefined) {
    if (value === null) throw new OptionError(`--${name} needs a value`);
    set(settings, value, name);
    return;
  }
  const turnOn = SWITCHES[name];
  if (turnOn !== undefined) {
    turnOn(settings);
    return;
  }
  if (!IGNORED.has(name)) throw new OptionError(`--${name} is not known`);
}

function refuse(name: string, value: string): never {
  throw new OptionError(`bad --${name}: ${value}`);
}

function integer(name: string, value: string, min: number, max: number): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < min || number > max) refuse(name, value);
  return number;
}
