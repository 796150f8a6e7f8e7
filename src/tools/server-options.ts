/**
 * The arguments of `rump_server`, as NetBSD's takes them. Thread: any; pure functions. Read first: rump_server(1).
 *
 * Missing: modules and drives: these kernels have neither loadable code nor file systems. A drive is checked and then left alone.
 */

import { eachOption, UsageError } from './getopt.ts';

/** A kernel as `rump_server` was asked for it. */
export interface RumpServerOptions {
  url: string;
  /** Stay in the foreground (-s). */
  foreground: boolean;
  /** Say what the kernel is (-v). */
  verbose: boolean;
  /** -c. */
  cpus: number;
  /** Names of `-l` without `lib` and `.so`, in their order, each once. */
  libraries: string[];
  /** -r; null: as much as a kernel has by itself. */
  ramBytes: number | null;
}

/** A refusal: a line with the name of the command in front, then the usage where `usage` is set; exit code 1. */
export class ServerRefusal extends Error {
  readonly usage: boolean;

  constructor(message: string, usage: boolean = false) {
    super(message);
    this.usage = usage;
  }
}

export const SERVER_USAGE = 'usage: rump_server [-sv] [-c ncpu] [-d drivespec] [-l libs] [-m modules] [-r ram] bindurl';

const CPUS_MAX = 32;

/**
 * Libraries of NetBSD that are here, or that nothing is missing without: file systems hold the device files of tap and tun, which are
 * streams of control requests here. Each clone has one of its own: `rumpnet_` and its prefix.
 */
const LIBRARIES: ReadonlySet<string> = new Set([
  ...['rump', 'rumpuser', 'rumpvfs', 'rumpdev', 'rumpdev_bpf', 'rumpdev_rnd', 'rumpkern_tty', 'rumpkern_sysproxy'],
  ...['rumpfs_ffs', 'rumpfs_tmpfs', 'rumpnet', 'rumpnet_net', 'rumpnet_netinet', 'rumpnet_netinet6', 'rumpnet_local'],
  ...['rumpnet_config', 'rumpnet_shmif', 'rumpnet_bridge', 'rumpnet_vlan', 'rumpnet_gif', 'rumpnet_tap', 'rumpnet_tun'],
  ...['rumpnet_vether'],
  // This package alone has it.
  'rumpnet_vni',
]);

/** Libraries of NetBSD for what these kernels have not got. */
const MISSING_LIBRARIES: readonly string[] = [
  ...['rumpnet_agr', 'rumpnet_carp', 'rumpnet_gre', 'rumpnet_ipsec', 'rumpnet_l2tp', 'rumpnet_lagg', 'rumpnet_mpls'],
  ...['rumpnet_net80211', 'rumpnet_netbt', 'rumpnet_netipsec', 'rumpnet_netmpls', 'rumpnet_npf', 'rumpnet_ppp'],
  ...[
    'rumpnet_pppoe',
    'rumpnet_sockin',
    'rumpnet_stf',
    'rumpnet_vioif',
    'rumpnet_virtif',
    'rumpnet_wg',
    'rumpnet_altq',
  ],
  ...['rumpdev_opencrypto', 'rumpkern_crypto', 'rumpkern_z'],
];

const DRIVE_KEYS: ReadonlySet<string> = new Set(['key', 'hostpath', 'size', 'offset', 'disklabel', 'type']);
const DRIVE_TYPES: ReadonlySet<string> = new Set(['blk', 'chr', 'reg']);
const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** Throws {@link ServerRefusal}. */
export function parseServerOptions(args: readonly string[]): RumpServerOptions {
  const options: RumpServerOptions = {
    url: '',
    foreground: false,
    verbose: false,
    cpus: 1,
    libraries: [],
    ramBytes: null,
  };
  const take = (letter: string, value: string | null): void => {
    if (letter === 's') options.foreground = true;
    else if (letter === 'v') options.verbose = true;
    else takeValue(options, letter, value as string);
  };
  let rest: string[];
  try {
    rest = eachOption(args, 'svc:d:l:m:r:', take);
  } catch (error) {
    throw error instanceof UsageError ? new ServerRefusal(error.message, true) : error;
  }
  const [url, ...more] = rest;
  if (url === undefined || more.length > 0) throw new ServerRefusal('', true);
  options.url = url;
  return options;
}

function takeValue(options: RumpServerOptions, letter: string, value: string): void {
  if (letter === 'c') options.cpus = cpuCount(value);
  else if (letter === 'd') checkDrive(value);
  else if (letter === 'l') addLibrary(options.libraries, value);
  else if (letter === 'm') throw new ServerRefusal(`module load failed: ${value}: Exec format error`);
  else options.ramBytes = ramBytes(value);
}

function cpuCount(text: string): number {
  const count = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (count < 1 || count > CPUS_MAX) throw new ServerRefusal(`CPU count needs to be between 1 and ${CPUS_MAX}`);
  return count;
}

function addLibrary(libraries: string[], text: string): void {
  const name = /^lib(.+)\.so(?:\.\d+)*$/.exec(text)?.[1] ?? text;
  if (!LIBRARIES.has(name)) {
    const file = `lib${name}.so`;
    const why = MISSING_LIBRARIES.includes(name) ? ': NetBSD has it, these kernels do not (docs/rump-server.md)' : '';
    throw new ServerRefusal(`dlopen ${file} failed: Cannot open "${file}"${why}`);
  }
  if (!libraries.includes(name)) libraries.push(name);
}

function ramBytes(text: string): number {
  const [, digits = '', unit = ''] = /^(\d{1,12})([kmg]?)$/i.exec(text) ?? [];
  if (digits === '') throw new ServerRefusal(`invalid RAM size ${text}`);
  return Number(digits) * (SIZE_UNITS[unit.toLowerCase()] as number);
}

/** `key=/dev/disk,hostpath=FILE,size=host` and the like. */
function checkDrive(spec: string): void {
  const given = new Map<string, string>();
  for (const part of spec.split(',')) {
    const [key = '', ...value] = part.split('=');
    if (!DRIVE_KEYS.has(key)) throw new ServerRefusal('invalid dtoken', true);
    if (given.has(key)) throw new ServerRefusal(`${key} already given`, true);
    given.set(key, value.join('='));
  }
  if (given.has('disklabel') && (given.has('size') || given.has('offset')))
    throw new ServerRefusal('disklabel needs to be used alone', true);
  const type = given.get('type') ?? 'blk';
  if (!DRIVE_TYPES.has(type)) throw new ServerRefusal(`invalid type ${type}`, true);
  if (!given.has('key') || !given.has('hostpath') || !(given.has('size') || given.has('disklabel')))
    throw new ServerRefusal('incomplete drivespec', true);
}
