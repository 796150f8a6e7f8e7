/**
 * The folder of the control sockets of running labs: `NAME.sock` in the user's runtime directory, one per lab name, and beside it
 * `NAME.kernels/KERNEL.sock` for each kernel.
 *
 * Thread: any. `XDG_RUNTIME_DIR/multikernel`, else a folder of the user's own under the system's temporary directory; either way
 * of mode 0700, so that nobody else can ask. Only a lab makes it; commands look into it. On Windows these are named pipes, which have no folder.
 */

import { existsSync, lstatSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { basename, isAbsolute, join } from 'node:path';
import { MultikernelError } from '../base/errors.ts';

/** `sun_path` has 108 bytes on Linux and 104 on macOS, a zero at the end. */
const SOCKET_PATH_MAX = 103;
const WINDOWS = process.platform === 'win32';

/** The folder, made if need be. Throws EACCES when somebody else could write there, or when it cannot be made. */
export function runtimeFolder(env: NodeJS.ProcessEnv = process.env): string {
  const folder = folderPath(env);
  try {
    // Not recursive: below /proc Node would try for ever.
    mkdirSync(folder, { mode: 0o700 });
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code;
    if (why === 'EEXIST') return checked(folder);
    const message = `${folder} cannot be made (${why}); set XDG_RUNTIME_DIR to a folder of this user`;
    throw new MultikernelError('EACCES', message, { cause });
  }
  return checked(folder);
}

/** A user need have no entry in the system's list of users: containers run under any number. */
function userId(): number {
  return process.getuid?.() ?? -1;
}

/** As named by XDG_RUNTIME_DIR, which is another user's after `su` or `sudo` and then counts for nothing. */
function folderPath(env: NodeJS.ProcessEnv): string {
  const xdg = env.XDG_RUNTIME_DIR;
  if (xdg !== undefined && isAbsolute(xdg) && isOwnFolder(xdg)) return join(xdg, 'multikernel');
  return join(tmpdir(), `multikernel-${WINDOWS ? userInfo().username : userId()}`);
}

function isOwnFolder(path: string): boolean {
  try {
    const stat = statSync(path);
    return stat.isDirectory() && (WINDOWS || stat.uid === userId());
  } catch {
    return false;
  }
}

/** The folder itself, which need not exist. Throws EACCES. */
function checked(folder: string): string {
  const stat = WINDOWS ? undefined : lstatSync(folder, { throwIfNoEntry: false });
  if (stat !== undefined && (!stat.isDirectory() || stat.uid !== userId() || (stat.mode & 0o077) !== 0)) {
    throw new MultikernelError('EACCES', `${folder} is not a folder of this user alone (mode 0700)`);
  }
  return folder;
}

/** Path of the control socket of a lab, in a folder that need not exist. Throws ENAMETOOLONG, EACCES. */
export function controlPath(lab: string, env: NodeJS.ProcessEnv = process.env): string {
  if (WINDOWS) return `\\\\.\\pipe\\multikernel-${userInfo().username}-${lab}`;
  const path = join(checked(folderPath(env)), `${lab}.sock`);
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX) {
    throw new MultikernelError('ENAMETOOLONG', `${path}: too long for a socket; set XDG_RUNTIME_DIR to a shorter one`);
  }
  return path;
}

function kernelFolderName(lab: string): string {
  return `${lab}.kernels`;
}

/**
 * Folder of the socket files of a lab's kernels, made if need be; null where sockets are no files. It is the lab's that has the
 * control socket of that name.
 */
export function kernelFolder(lab: string, env: NodeJS.ProcessEnv = process.env): string | null {
  if (WINDOWS) return null;
  const folder = join(runtimeFolder(env), kernelFolderName(lab));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Path of the socket file of a kernel. Null when it would be too long for a socket: the kernel is reached through its lab. */
export function kernelPath(folder: string, kernel: string): string | null {
  const path = join(folder, `${kernel}.sock`);
  return Buffer.byteLength(path) > SOCKET_PATH_MAX ? null : path;
}

/** Names of the labs that have a control socket, some of which may be stale. */
export function controlNames(env: NodeJS.ProcessEnv = process.env): string[] {
  if (WINDOWS) {
    const prefix = `multikernel-${userInfo().username}-`;
    const pipes = readdirSync('\\\\.\\pipe\\');
    return pipes.filter((pipe) => pipe.startsWith(prefix)).map((pipe) => pipe.slice(prefix.length));
  }
  const folder = checked(folderPath(env));
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith('.sock'))
    .map((file) => file.slice(0, -'.sock'.length))
    .sort();
}

/**
 * The socket of a kernel, found without asking anybody: of the named lab, or of the only one. Null: there is none, or several
 * labs may be meant; the lab itself is to be asked then.
 */
export function kernelSocket(node: string, lab?: string): string | null {
  const [only, ...others] = lab === undefined ? controlNames() : [lab];
  if (WINDOWS || only === undefined || others.length > 0 || node !== basename(node)) return null;
  const path = kernelPath(join(checked(folderPath(process.env)), kernelFolderName(only)), node);
  return path !== null && isSocket(path) ? path : null;
}

/** On Windows sockets have no files, and all are. */
export function isSocket(path: string): boolean {
  if (WINDOWS) return true;
  return lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}
