/**
 * The one file that touches Node's internal seams: the bindings that `node:net`, `node:dgram` and `node:dns` are built on.
 *
 * Thread: any that runs a program. Loaded before the program, and before any of those modules: they take the classes out
 * of a binding object once, when they are first required, so replacing a property of that object is enough for all of
 * them (and for `internalBinding` under --expose-internals). `process.binding` returns those very objects.
 * Checked on Node 20, 22, 24 and 26. Missing: nothing here works under `--permission`, which closes `process.binding`.
 */

export interface StreamState {
  [index: number]: number;
}

/** `stream_wrap`: the array in which a stream handle reports to its caller what a call did, and its indices. */
export interface StreamWrapBinding {
  streamBaseState: StreamState;
  kReadBytesOrError: number;
  kArrayBufferOffset: number;
  kBytesWritten: number;
  kLastWriteWasAsync: number;
  /** From Node 26: writes return their request, and the error is here. */
  kLastWriteErr?: number;
}

export type ReadCallback = (this: unknown, bytes: ArrayBuffer | undefined) => unknown;

/**
 * `js_stream`: a native stream whose input and output are JavaScript. TLS, HTTP/2 and the HTTP parser attach to it in
 * native code as they do to a native TCP handle.
 */
export interface NativeStream {
  onread: ReadCallback | undefined;
  readBuffer(bytes: Uint8Array): void;
  emitEOF(): void;
  finishWrite(request: object, status: number): void;
  finishShutdown(request: object, status: number): void;
}

export type NativeStreamConstructor = new () => NativeStream;

export interface ClassBinding {
  [name: string]: unknown;
  constants: Record<string, number>;
}

export interface CaresBinding {
  [name: string]: unknown;
  /** The text of an address in its shortest form, undefined when it is not an address. */
  canonicalizeIP(text: string): string | undefined;
  DNS_ORDER_IPV4_FIRST: number;
  DNS_ORDER_IPV6_FIRST: number;
}

export type UvBinding = Record<string, number>;

interface InternalProcess {
  binding(name: string): unknown;
  _tickCallback?: () => void;
  _getActiveHandles?: () => unknown[];
  getActiveResourcesInfo?: () => string[];
  noDeprecation?: boolean;
}

const internalProcess: InternalProcess = process as unknown as InternalProcess;

/** A binding by name. Never prints a deprecation warning, whatever flags the program was started with. */
function binding<T>(name: string): T {
  const before = internalProcess.noDeprecation;
  // Under --no-deprecation it is set and cannot be changed.
  if (before === true) return internalProcess.binding(name) as T;
  internalProcess.noDeprecation = true;
  try {
    return internalProcess.binding(name) as T;
  } finally {
    if (before === undefined) delete internalProcess.noDeprecation;
    else internalProcess.noDeprecation = before;
  }
}

/** As `binding`, undefined when this Node was built without it. */
export function optionalBinding<T>(name: string): T | undefined {
  try {
    return binding<T>(name);
  } catch {
    return undefined;
  }
}

export const streamWrap: StreamWrapBinding = binding('stream_wrap');
export const JSStream: NativeStreamConstructor = binding<{ JSStream: NativeStreamConstructor }>('js_stream').JSStream;
export const tcpWrap: ClassBinding = binding('tcp_wrap');
export const udpWrap: ClassBinding = binding('udp_wrap');
export const caresWrap: CaresBinding = binding('cares_wrap');
export const uv: UvBinding = binding('uv');

/** The part of a native handle that the placeholders of descriptor.ts use. */
export interface NativeHandle {
  readonly fd: number;
  bind(address: string, port: number, flags: number): number;
  close(callback?: () => void): void;
  unref(): void;
}

/** Node's own classes, as they were before ours took their place. */
export const NativeTcp: new (type: number) => NativeTcpHandle = tcpWrap.TCP as never;
export const NativeUdp: new () => NativeHandle = udpWrap.UDP as never;

/** A native connection of either kind. */
export interface NativeStreamHandle {
  readonly fd: number;
  onread: (bytes: ArrayBuffer | undefined) => void;
  setBlocking(on: boolean): number;
  readStart(): number;
  close(): void;
  unref(): void;
}

interface NativePipeHandle extends NativeStreamHandle {
  /** 0 or a UV number; newer versions throw or return nothing. */
  connect(request: object, path: string): number | undefined;
}

/** A connection as Node's own class makes it. */
interface NativeTcpHandle extends NativeStreamHandle {
  bind(address: string, port: number, flags: number): number;
  connect(request: object, address: string, port: number): number;
  connect6(request: object, address: string, port: number): number;
  setNoDelay(on: boolean): number;
  close(callback?: () => void): void;
}

type ConnectRequest = new () => { oncomplete?: () => void };

const pipeWrap = binding<{
  Pipe: new (type: number) => NativePipeHandle;
  PipeConnectWrap: ConnectRequest;
}>('pipe_wrap');
export const NativePipe: new (type: number) => NativePipeHandle = pipeWrap.Pipe;
export const PipeConnectRequest: ConnectRequest = pipeWrap.PipeConnectWrap;
export const TcpConnectRequest: ConnectRequest = tcpWrap.TCPConnectWrap as never;

export interface SpawnOptions {
  cwd?: string | undefined;
  envPairs?: string[] | undefined;
  stdio?: { type: string; handle?: unknown }[] | undefined;
}

type NativeSpawn = (this: object, ...options: unknown[]) => number;

const processWrap = binding<{ Process: { prototype: { spawn: NativeSpawn } } }>('process_wrap');

/**
 * Have every child process of this thread started with what `change` makes of its options, or not at all when that is a
 * (negative) UV number. `started` is told the native handle of the process.
 */
export function replaceSpawn(
  change: (options: SpawnOptions) => SpawnOptions | number,
  started: (handle: object) => void,
): void {
  const { prototype } = processWrap.Process;
  const { spawn } = prototype;
  prototype.spawn = function (...given) {
    // From Node 24 on the options are arguments: file, args, cwd, environment, stdio, ...
    const apart = typeof given[0] === 'string';
    const [, , cwd, envPairs, stdio] = given as [unknown, unknown, string?, string[]?, SpawnOptions['stdio']?];
    const changed = change(apart ? ({ cwd, envPairs, stdio } as SpawnOptions) : (given[0] as SpawnOptions));
    if (typeof changed === 'number') return changed;
    const rest = apart
      ? [...given.slice(0, 2), changed.cwd, changed.envPairs, changed.stdio, ...given.slice(5)]
      : [changed];
    const result = spawn.apply(this, rest);
    started(this);
    return result;
  };
}

export const spawnSyncBinding: { spawn: (options: SpawnOptions) => unknown } = binding('spawn_sync');

/** The stream methods of an IPC channel that can carry a handle. */
export interface IpcChannel {
  writeUtf8String(this: IpcChannel, request: object, text: string, handle: unknown): unknown;
  writeBuffer(this: IpcChannel, request: object, bytes: Uint8Array, handle: unknown): unknown;
}

/** The prototype on which the methods of every pipe are replaced. */
export function channelPrototype(): IpcChannel {
  return pipeWrap.Pipe.prototype as IpcChannel;
}

type Emit = (this: object, event: string, ...rest: unknown[]) => boolean;

/**
 * `handleOf` is asked for the handle of each message that says it carries one (`NODE_HANDLE`) and came without.
 * `target` is `process` or a `ChildProcess`.
 */
export function watchChannelMessages(target: object, handleOf: (message: Record<string, unknown>) => unknown): void {
  const emitter = target as { emit: Emit };
  const emit = emitter.emit;
  emitter.emit = function (event, ...rest) {
    const [message, handle] = rest as [Record<string, unknown> | undefined, unknown];
    if (event === 'internalMessage' && handle == null && message?.cmd === 'NODE_HANDLE')
      return emit.call(this, event, message, handleOf(message));
    return emit.call(this, event, ...rest);
  };
}

/**
 * Runs what `process.nextTick` and promises have queued, as native code does after each callback into JavaScript.
 * Two callbacks delivered in one turn would otherwise both run before the ticks of the first.
 */
export const drainTicks: () => void = internalProcess._tickCallback?.bind(process) ?? (() => undefined);

/** Answers of the replaced classes to `process._getActiveHandles` and `process.getActiveResourcesInfo`. */
export interface ActiveHandles {
  /** Objects that own a live, referenced handle (sockets, servers). */
  owners(): unknown[];
  /** Their kinds, as `process.getActiveResourcesInfo` names them. */
  kinds(): string[];
  /** Whether a handle Node itself reports exists only for our own sake. */
  isInternal(handle: unknown): boolean;
}

/** Have the process report our handles as its own. */
export function reportActiveHandles(active: ActiveHandles): void {
  const handles = internalProcess._getActiveHandles;
  const kinds = internalProcess.getActiveResourcesInfo;
  if (handles !== undefined)
    internalProcess._getActiveHandles = () => [
      ...handles.call(process).filter((handle) => !active.isInternal(handle)),
      ...active.owners(),
    ];
  if (kinds !== undefined)
    internalProcess.getActiveResourcesInfo = () => {
      const found = kinds.call(process);
      const internal = (handles?.call(process) ?? []).filter((handle) => active.isInternal(handle)).length;
      for (let i = 0; i < internal; i++) found.splice(found.indexOf('MessagePort'), 1);
      return [...found, ...active.kinds()];
    };
}

/** The object that made a handle: Node keeps it under a symbol of its own. */
export function ownerOf(handle: object): unknown {
  const symbol = Object.getOwnPropertySymbols(handle).find((found) => found.description === 'owner_symbol');
  return symbol === undefined ? handle : (handle as Record<symbol, unknown>)[symbol];
}
