/**
 * A kernel as a server of remote calls: for its program where that is a process, for the processes and threads that a program
 * starts, and for tools.
 *
 * Thread: the one that runs the kernel. Nothing is listened at before it is needed, and nothing keeps the process alive.
 * Such processes find the URL, with its key, in their environment. Read first: rump/server.ts.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MultikernelError } from '../base/errors.ts';
import type { Rng } from '../base/rng.ts';
import type { Carrier, Host } from '../host/contract.ts';
import { SystemRng } from '../host/node/clock.ts';
import { ExpiryTimer, expiryNowMs } from '../host/node/expiry-timer.ts';
import { listenNow, listenSocket, type SocketPlace } from '../host/node/socket-carrier.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { KernelAbout } from '../node/inherited-kernel.ts';
import { ControlService } from '../rump/control-service.ts';
import { CountService, type NumberedCounters } from '../rump/count-service.ts';
import { formatKey, randomWords } from '../rump/handshake.ts';
import { KernelProcess } from '../rump/kernel-process.ts';
import type { Answers } from '../rump/multiplexer.ts';
import { PassedFiles } from '../rump/passed-files.ts';
import { FEATURE_CONTROL, FEATURE_RINGS, FEATURE_SOCKETS, FEATURE_SYSCALLS } from '../rump/protocol.ts';
import { RumpServer } from '../rump/server.ts';
import { SessionProcess } from '../rump/session-process.ts';
import { SocketService } from '../rump/socket-service.ts';
import { SystemCallService } from '../rump/system-call-service.ts';
import { formatServerUrl, type ServerUrl } from '../rump/url.ts';
import type { SessionPool } from './session-memory.ts';

// Taken before the program can replace the globals (fake timers do).
const startTimer = setTimeout;

function after(ms: number, run: () => void): void {
  startTimer(run, ms).unref();
}

/** Answers of a kernel of this thread; at once, so that events of a change leave before its reply. */
function answersOf({ client }: Kernel, host: Pick<Host, 'requestWork'>): Answers {
  return {
    request: (operation, params) => {
      host.requestWork();
      return client.answer(operation as never, params as never);
    },
    open: (stream, request, sink) => client.openNow(stream as never, request as never, sink as never),
  };
}

export class KernelServer {
  /** Files on their way between the kernel's processes. */
  readonly passed: PassedFiles;
  /** Counters of the programs of its clients; null: nobody reads what they count. */
  counters: NumberedCounters | null = null;
  readonly #rng: Rng = new SystemRng();
  readonly #server: RumpServer;
  readonly #listening: { close(): void }[] = [];
  readonly #expiry: ExpiryTimer;
  #url = '';

  /** `pool`: memory for clients in other processes; null: they send their frames. */
  constructor(
    kernel: Kernel,
    host: Pick<Host, 'requestWork'>,
    about: () => KernelAbout,
    pool: SessionPool | null = null,
  ) {
    const answers = answersOf(kernel, host);
    const { processes } = kernel;
    this.passed = new PassedFiles(processes.wakeups, this.#rng, after);
    this.#server = new RumpServer({
      rng: this.#rng,
      features: FEATURE_SOCKETS | FEATURE_CONTROL | FEATURE_SYSCALLS | (pool === null ? 0 : FEATURE_RINGS),
      memory: () => pool?.take() ?? null,
      services: (client) => {
        const process = new SessionProcess(processes, 'client', client.limits.descriptorsMax);
        return [
          // First to be closed: it keeps what it has to write, and ends the process.
          new SocketService(client, process, this.passed),
          new ControlService(client, answers),
          new SystemCallService(client, new KernelProcess(process)),
          ...(this.counters === null ? [] : [new CountService(this.counters)]),
        ];
      },
      // Names and addresses are for programs; tools ask for what they need.
      about: (features) => ((features & FEATURE_SOCKETS) === 0 ? null : about()),
    });
    this.#expiry = new ExpiryTimer(this.#server);
  }

  /** A connection from a thread of this program. */
  connect(carrier: Carrier): void {
    this.#server.acceptTrusted(carrier);
  }

  /**
   * Listen at a socket file, in a folder that is its owner's alone. A file that is there was left by a kernel that died. When the
   * host refuses (the folder went), the kernel is reached through its lab only.
   */
  listenAt(path: string): void {
    rmSync(path, { force: true });
    const ignore = (): void => undefined;
    this.#listening.push(listenNow({ kind: 'unix', path }, (carrier) => this.#accept(carrier, null), ignore));
  }

  /**
   * Listen at a URL; returns it with the port that the host chose. Every user of the machine reaches TCP and abstract sockets, so
   * these need a key: throws EINVAL without one, else the host's code, e.g. EADDRINUSE. `open`: the caller wants it without one, for
   * all of them, and the process stays alive while the kernel listens.
   */
  async listen(url: ServerUrl, { open = false }: { open?: boolean } = {}): Promise<ServerUrl> {
    if (!open && url.key === null && (url.kind === 'tcp' || url.path.startsWith('\0')))
      throw new MultikernelError('EINVAL', `${formatServerUrl(url)}: a key is wanted (?key=DIGITS, or RUMP_KEY)`);
    const server = await listenSocket(url, (carrier) => this.#accept(carrier, url.key), open);
    this.#listening.push(server);
    return { ...server.place, key: url.key };
  }

  /** The kernel goes: sessions end, nothing is listened at. */
  close(): void {
    for (const listening of this.#listening) listening.close();
    this.#server.close();
  }

  /** The URL by which processes reach the kernel; listens from the first call on. */
  url(): string {
    if (this.#url !== '') return this.#url;
    const key = new Uint8Array(randomWords(this.#rng).buffer);
    const place = privatePlace(formatKey(new Uint8Array(randomWords(this.#rng, 2).buffer)));
    const fail = (error: Error): never => {
      throw error;
    };
    this.#listening.push(listenNow(place, (carrier) => this.#accept(carrier, key), fail));
    this.#url = formatServerUrl({ ...place, key });
    return this.#url;
  }

  #accept(carrier: Carrier, key: Uint8Array | null): void {
    this.#server.accept(carrier, key, expiryNowMs());
    this.#expiry.arm();
  }
}

function privatePlace(name: string): SocketPlace & { kind: 'unix' } {
  // The abstract namespace leaves nothing behind, however the process ends.
  if (process.platform === 'linux') return { kind: 'unix', path: `\0multikernel-${process.pid}-${name}` };
  const folder = mkdtempSync(join(tmpdir(), 'multikernel-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return { kind: 'unix', path: join(folder, 'kernel.sock') };
}
