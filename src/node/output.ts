/**
 * Descriptors 0, 1 and 2 of a program that shares its process with others: what it writes to 1 and 2 by `fs`, and what its children
 * write that inherit them, goes where its own output goes; 0 is at its end, as /dev/null is.
 *
 * Thread: the program's.
 */

import { createRequire, syncBuiltinESMExports } from 'node:module';
import { NativePipe, type NativeStreamHandle, type SpawnOptions, streamWrap } from './bindings.ts';

export type OutputDescriptor = 1 | 2;
export type WriteOutput = (fd: OutputDescriptor, bytes: Uint8Array) => void;

let writeOutput: WriteOutput | null = null;

/** Whether output goes another way than by descriptors. */
export function outputRedirected(): boolean {
  return writeOutput !== null;
}

type Call = (...args: unknown[]) => unknown;

function isDescriptor(fd: unknown): fd is OutputDescriptor {
  return fd === 1 || fd === 2;
}

/** Bytes that `fs.write(fd, data, ...)` would write. */
function bytesOf(data: unknown, first: unknown, second: unknown): Uint8Array {
  if (typeof data === 'string')
    return Buffer.from(data, typeof second === 'string' ? (second as BufferEncoding) : 'utf8');
  const view = data as NodeJS.ArrayBufferView;
  const { offset = 0, length } = (
    typeof first === 'object' && first !== null ? first : { offset: first ?? 0, length: second ?? undefined }
  ) as { offset?: number; length?: number };
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return bytes.subarray(offset, length === undefined ? undefined : offset + length);
}

/** Bytes of `fs.writeFile(fd, data, options)`. */
function fileBytes(data: unknown, options: unknown): Uint8Array {
  const encoding = typeof options === 'string' ? options : (options as { encoding?: string } | null)?.encoding;
  return bytesOf(typeof data === 'object' ? data : String(data), undefined, encoding);
}

function all(pieces: readonly NodeJS.ArrayBufferView[]): Uint8Array {
  return Buffer.concat(pieces.map((piece) => bytesOf(piece, undefined, undefined)));
}

/** Calls that write, by their asynchronous names, with the bytes that they write. */
const WRITES: Readonly<Record<string, (data: unknown, first: unknown, second: unknown) => Uint8Array>> = {
  write: bytesOf,
  writev: (pieces) => all(pieces as NodeJS.ArrayBufferView[]),
  writeFile: fileBytes,
  appendFile: fileBytes,
};

function replace(fs: Record<string, Call>, name: string, make: (original: Call) => Call): void {
  const original = fs[name];
  if (original === undefined) return;
  const made = make(original);
  // Also how util.promisify names the results.
  Object.defineProperties(made, Object.getOwnPropertyDescriptors(original));
  fs[name] = made;
}

function replaceWrites(fs: Record<string, Call>, write: WriteOutput): void {
  for (const [name, bytes] of Object.entries(WRITES)) {
    const counted = name.startsWith('writ') && !name.endsWith('File');
    replace(fs, `${name}Sync`, (original) => (...args) => {
      const [fd, data, first, second] = args;
      if (!isDescriptor(fd)) return original(...args);
      const written = bytes(data, first, second);
      write(fd, written);
      return counted ? written.length : undefined;
    });
    replace(fs, name, (original) => (...args) => {
      const callback = args.at(-1);
      const [fd, data, first, second] = args.slice(0, -1);
      if (!isDescriptor(fd) || typeof callback !== 'function') return original(...args);
      const written = bytes(data, first, second);
      write(fd, written);
      process.nextTick(callback as Call, null, ...(counted ? [written.length, data] : []));
      return undefined;
    });
  }
}

/** Reads of descriptor 0 find its end; the process has one for all, perhaps a terminal. */
function replaceReads(fs: Record<string, Call>): void {
  replace(
    fs,
    'readSync',
    (original) =>
      (...args) =>
        args[0] === 0 ? 0 : original(...args),
  );
  replace(fs, 'readFileSync', (original) => (...args) => {
    if (args[0] !== 0) return original(...args);
    return original('/dev/null', ...args.slice(1));
  });
  replace(fs, 'read', (original) => (...args) => {
    const callback = args.at(-1);
    if (args[0] !== 0 || typeof callback !== 'function') return original(...args);
    process.nextTick(callback as Call, null, 0, args[1]);
    return undefined;
  });
}

/** Closing one of the three would close it for the whole process. */
function replaceClose(fs: Record<string, Call>): void {
  const ours = (fd: unknown): boolean => fd === 0 || isDescriptor(fd);
  replace(
    fs,
    'closeSync',
    (original) =>
      (...args) =>
        ours(args[0]) ? undefined : original(...args),
  );
  replace(fs, 'close', (original) => (...args) => {
    if (!ours(args[0])) return original(...args);
    if (typeof args[1] === 'function') process.nextTick(args[1] as Call, null);
    return undefined;
  });
}

/** From now on output of this thread's program goes to `write`, its children's too (children.ts). */
export function redirectOutput(write: WriteOutput): void {
  writeOutput = write;
  const fs = createRequire(import.meta.url)('node:fs') as Record<string, Call>;
  replaceWrites(fs, write);
  replaceReads(fs);
  replaceClose(fs);
  syncBuiltinESMExports();
}

/** The program waits until what it writes is written: nothing is lost when it ends by `process.exit` while a pipe is full. */
export function awaitOutput(): void {
  for (const name of ['stdout', 'stderr'] as const) {
    const own = Object.getOwnPropertyDescriptor(process, name);
    const get = own?.get as
      | (() => NodeJS.WriteStream & { _handle?: { setBlocking?(on: boolean): number } | null })
      | undefined;
    if (own === undefined || get === undefined) continue;
    let awaited = false;
    Object.defineProperty(process, name, {
      ...own,
      get() {
        const stream = get.call(process);
        // A file has no handle, and writes to it wait anyway.
        if (!awaited) stream._handle?.setBlocking?.(true);
        awaited = true;
        return stream;
      },
    });
  }
}

// ---- children --------------------------------------------------------------------------------------------------------

type Stdio = NonNullable<SpawnOptions['stdio']>[number] & { fd?: number; readable?: boolean; writable?: boolean };

function inherits({ type, fd }: Stdio, wanted: number): boolean {
  return (type === 'inherit' || type === 'fd') && fd === wanted;
}

/** Stdio of a child that would inherit the descriptors of the process; `output` makes what stands for 1 or 2. */
function withoutDescriptors(stdio: readonly Stdio[], output: (fd: OutputDescriptor, place: number) => Stdio): Stdio[] {
  return stdio.map((one, place) => {
    if (inherits(one, 0)) return { type: 'ignore' };
    if (inherits(one, 1)) return output(1, place);
    return inherits(one, 2) ? output(2, place) : one;
  });
}

/** Options of a child, and what to call when it was started. */
export function pipeOutput(options: SpawnOptions): { options: SpawnOptions; started: () => void } {
  const write = writeOutput;
  if (write === null || options.stdio === undefined) return { options, started: () => undefined };
  const pipes: [OutputDescriptor, NativeStreamHandle][] = [];
  const stdio = withoutDescriptors(options.stdio, (fd) => {
    const handle = new NativePipe(0);
    pipes.push([fd, handle]);
    return { type: 'pipe', handle };
  });
  const started = (): void => {
    for (const [fd, pipe] of pipes) readAll(pipe, (bytes) => write(fd, bytes));
  };
  return { options: { ...options, stdio }, started };
}

const { streamBaseState: state, kReadBytesOrError, kArrayBufferOffset } = streamWrap;

function readAll(pipe: NativeStreamHandle, take: (bytes: Uint8Array) => void): void {
  pipe.onread = (bytes) => {
    const count = state[kReadBytesOrError] as number;
    if (count < 0) pipe.close();
    else if (bytes !== undefined) take(new Uint8Array(bytes, state[kArrayBufferOffset], count));
  };
  // The child keeps the program alive, and not its output.
  pipe.unref();
  if (pipe.readStart() !== 0) pipe.close();
}

interface SyncOptions extends SpawnOptions {
  maxBuffer?: number;
}

/** `spawn` of `spawnSync`: what the child wrote is written when it has ended. */
export function spawnSyncWithOutput(spawn: (options: SpawnOptions) => unknown, options: SyncOptions): unknown {
  const write = writeOutput;
  if (write === null || options.stdio === undefined) return spawn(options);
  const places: [OutputDescriptor, number][] = [];
  const stdio = withoutDescriptors(options.stdio, (fd, place) => {
    places.push([fd, place]);
    return { type: 'pipe', readable: false, writable: true };
  });
  const unlimited = stdio.every((one, place) => one.type !== 'pipe' || places.some(([, mine]) => mine === place));
  const result = spawn({
    ...options,
    stdio,
    ...(unlimited ? { maxBuffer: Number.POSITIVE_INFINITY } : {}),
  } as SyncOptions);
  const { output } = result as { output?: (Uint8Array | null)[] | null };
  for (const [fd, place] of places) {
    const bytes = output?.[place] ?? null;
    if (output == null || bytes === null) continue;
    write(fd, bytes);
    output[place] = null;
  }
  return result;
}
